// @ts-check
// What the lesson computes in the browser: short signals of a few dozen frames, worked out plainly. There is no drawing here,
// and tests/frontend/learn_maths.test.js holds every function to the library's numbers.

import { clamp, roundHalfEven } from "../numbers.js";

/** @typedef {ArrayLike<number>} Numbers */
/** @typedef {[real: number, imaginary: number][]} Spectrum */

const SMALLEST_JUMP = 1e-9; // what rounding makes of a jump of exactly one output frame is no jump beyond it

/** @param {Iterable<number>} values */
export const total = (values) => [...values].reduce((sum, value) => sum + value, 0);

/** The numbers 0, 1, ... before `count`. @param {number} count */
export const indices = (count) => Array.from({ length: count }, (_, i) => i);

// ---------------------------------------------------------------- positions and weights

/**
 * Vector positioning (equation 3): displacements, their running sum, the same from 0 to 1, positions, and how many output
 * frames there are.
 * @param {number[]} scores @param {number} stride
 */
export function place(scores, stride) {
  const displacements = scores.map(Math.exp), frames = Math.ceil(scores.length / stride);
  /** @type {number[]} */
  const sums = [];
  displacements.reduce((sum, displacement, t) => (sums[t] = sum + displacement), 0);
  const [first] = sums, way = sums[sums.length - 1] - first, unit = sums.map((sum) => (sum - first) / way);
  return { displacements, sums, unit, frames, positions: unit.map((share) => share * (frames - 1)) };
}

/**
 * The alignment written out (equation 4), or AdaStride-F's (equation 6) where `nearest`: a row of weights for every output
 * frame. A row that no frame rounds to stays zero.
 * @param {number[]} positions @param {number} frames @param {number} sigma @param {boolean} [nearest]
 */
export function writeOut(positions, frames, sigma, nearest = false) {
  return indices(frames).map((i) => {
    const used = positions.map((position) => !nearest || roundHalfEven(position) === i);
    const squares = positions.map((position) => (position - i) ** 2);
    const least = Math.min(...squares.filter((_, j) => used[j])); // taken off first, lest every exponential underflow
    const weights = squares.map((square, j) => (used[j] ? Math.exp(-(square - least) / (sigma * sigma)) : 0));
    const sum = total(weights);
    return weights.map((weight) => (sum ? weight / sum : 0));
  });
}

/**
 * What every step between two positions has beyond one output frame, and the mean of that: the position loss (equation 5).
 * @param {number[]} positions
 */
export function jumps(positions) {
  const excess = positions.slice(1).map((position, t) => Math.max(position - positions[t] - 1, 0)), sum = total(excess);
  return { excess, sum, loss: sum / (positions.length - 1), count: excess.filter(isJump).length };
}

/** @param {number} excess */
export const isJump = (excess) => excess > SMALLEST_JUMP;

/**
 * Of each output frame, whether no position lies within half a step: it then repeats what others have.
 * @param {number[]} positions @param {number} frames
 */
export const lonely = (positions, frames) =>
  indices(frames).map((i) => Math.min(...positions.map((position) => Math.abs(position - i))) > 0.5 + SMALLEST_JUMP);

/** How many positions are nearest to each output frame. @param {number[]} positions @param {number} frames */
export function countNearest(positions, frames) {
  const counts = Array(frames).fill(0);
  for (const position of positions) counts[roundHalfEven(position)]++;
  return counts;
}

/**
 * AdaStride-F's sum as scatter_add makes it (equation 7), after the first `added` frames.
 * @param {number[]} values of the input frames @param {number[]} weights @param {number[]} to the output frame of each
 * @param {number} frames @param {number} added
 */
export function scatterAdd(values, weights, to, frames, added) {
  const sums = Array(frames).fill(0);
  for (let j = 0; j < added; j++) sums[to[j]] += weights[j] * values[j];
  return sums;
}

// ---------------------------------------------------------------- pictures of bands and frames

/**
 * The mean column of the input frames from..to of a picture, parts of frames included.
 * @param {Numbers} picture a frame after the other @param {number} bands @param {number} from @param {number} to
 */
export function meanColumn(picture, bands, from, to) {
  const mean = new Float64Array(bands), last = Math.min(Math.ceil(to), picture.length / bands);
  for (let t = Math.floor(from); t < last; t++) {
    const share = (Math.min(t + 1, to) - Math.max(t, from)) / Math.max(to - from, 1e-9);
    for (let band = 0; band < bands; band++) mean[band] += share * picture[t * bands + band];
  }
  return mean;
}

/**
 * The weighted sum of a picture's columns: one column of Y = A X.
 * @param {Numbers} picture @param {number} bands @param {{ start: number, weights: Numbers }} row
 */
export function weightedColumn(picture, bands, { start, weights }) {
  const sum = new Float64Array(bands);
  for (let n = 0; n < weights.length; n++) {
    for (let band = 0; band < bands; band++) sum[band] += weights[n] * picture[(start + n) * bands + band];
  }
  return sum;
}

// ---------------------------------------------------------------- tones

/**
 * A cosine at moment `t` of a signal of so many frames, as the lesson's `tone` has it.
 * @param {number} frequency @param {number} frames @param {number} t
 */
export const cosineAt = (frequency, frames, t) => Math.cos(2 * Math.PI * frequency * (t - frames / 2) + 1);

/**
 * Where a tone lands that is sampled once in `stride` frames, in cycles per output frame.
 * @param {number} frequency @param {number} stride
 */
export const fold = (frequency, stride) => Math.abs(frequency * stride - roundHalfEven(frequency * stride));

/**
 * What a linear method makes of a tone: row i of its matrix has the same number of weights as all, for the frames from first[i] on.
 * @param {Numbers} tone @param {Numbers} first @param {Numbers} weights a row after the other
 */
export function downsampleTone(tone, first, weights) {
  const width = weights.length / first.length;
  return Array.from(first, (begin, i) => {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += weights[i * width + j] * tone[begin + j];
    return sum;
  });
}

// ---------------------------------------------------------------- spectra

/** DiffStride's mask at bin n, which may lie between bins. @param {number} n @param {number} passed @param {number} smoothness */
export const maskAt = (n, passed, smoothness) => clamp((smoothness + passed - n) / smoothness, 0, 1);

/**
 * DiffStride's mask as spectral.py has it: over which bins, where it begins to fall (`passed`), its gradient against the stride,
 * how many bins stay, and the frames they make.
 * @param {number} T @param {{ kind: string, stride: number, smoothness: number }} settings
 */
export function spectralMask(T, { kind, stride, smoothness }) {
  const fourier = kind === "diffstride", kappa = fourier ? 2 : 1, bins = indices(fourier ? Math.floor(T / 2) + 1 : T);
  const raised = Math.max(stride, 1, T > smoothness ? T / (T - smoothness) : 1), passed = Math.max(T / raised, 2) / kappa + 1;
  const mask = bins.map((n) => maskAt(n, passed, smoothness)), kept = mask.filter((value) => value > 0).length;
  const slope = bins.map((n) => {
    const value = (smoothness + passed - n) / smoothness;
    return value >= 0 && value <= 1 && T / raised >= 2 ? -T / (kappa * raised * raised * smoothness) : 0;
  });
  return { mask, slope, kept, passed, frames: fourier ? Math.max(2 * (kept - 1), 1) : kept, fourier };
}

/** The stride at which the mask begins to fall at bin n. @param {number} n @param {number} T @param {boolean} fourier */
export const strideOfMask = (n, T, fourier) => T / ((fourier ? 2 : 1) * Math.max(n - 1, 0.5));

/**
 * The transform of a short real signal: each of Fourier's bins, or each cosine's coefficient as [coefficient, 0].
 * @param {Numbers} signal @param {boolean} fourier @returns {Spectrum}
 */
export function transform(signal, fourier) {
  const T = signal.length;
  return indices(fourier ? Math.floor(T / 2) + 1 : T).map((n) => {
    let real = 0, imaginary = 0;
    for (let t = 0; t < T; t++) {
      const angle = fourier ? (2 * Math.PI * n * t) / T : (Math.PI * n * (t + 0.5)) / T;
      real += signal[t] * Math.cos(angle);
      if (fourier) imaginary -= signal[t] * Math.sin(angle);
    }
    const scale = fourier ? 1 : orthonormal(n, T);
    return [real * scale, imaginary * scale];
  });
}

/** @param {number} n @param {number} T */
const orthonormal = (n, T) => Math.sqrt((n ? 2 : 1) / T);

/**
 * The way back to `frames` frames from the lowest bins of T frames, with the signal's mean kept: the published L / T of
 * Fourier's transform, its root of the cosines'.
 * @param {Spectrum} spectrum @param {number} frames @param {number} T @param {boolean} fourier
 */
export function transformBack(spectrum, frames, T, fourier) {
  const at = fourier ? fourierAt : cosinesAt, scale = fourier ? frames / T : Math.sqrt(frames / T);
  return indices(frames).map((t) => at(spectrum, frames, t) * scale);
}

/** @param {Spectrum} spectrum @param {number} frames @param {number} t */
function fourierAt(spectrum, frames, t) {
  let sum = 0;
  spectrum.forEach(([real, imaginary], n) => {
    const angle = (2 * Math.PI * n * t) / frames;
    const twice = n === 0 || 2 * n === frames ? 1 : 2; // every other bin stands for its mirror image, too
    sum += (twice * (real * Math.cos(angle) - imaginary * Math.sin(angle))) / frames;
  });
  return sum;
}

/** @param {Spectrum} spectrum @param {number} frames @param {number} t */
function cosinesAt(spectrum, frames, t) {
  let sum = 0;
  spectrum.forEach(([real], n) => { sum += real * Math.cos((Math.PI * n * (t + 0.5)) / frames) * orthonormal(n, frames); });
  return sum;
}

// ---------------------------------------------------------------- costs

/**
 * Multiplications of Y = A X at T frames, as functions of T: with the whole matrix, with windows, with AdaStride-F; and how wide
 * a window is. tail: a weight below e^-tail of its row's largest, over T, is left out.
 * @param {{ channels: number, stride: number, sigma: number, tail: number }} settings
 */
export function multiplications({ channels, stride, sigma, tail }) {
  /** @param {number} T */
  const width = (T) => Math.min(T, 2 * sigma * stride * Math.sqrt(tail + Math.log(T)));
  /** @type {((T: number) => number)[]} */
  const costs = [
    (T) => (T * T * channels) / stride,
    (T) => (T / stride) * Math.max(1, width(T)) * channels,
    (T) => T * channels,
  ];
  return { width, costs };
}
