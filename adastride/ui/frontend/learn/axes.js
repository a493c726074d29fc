// @ts-check
// Pictures made smaller along two axes (step 11), as adastride/downsampling/images.py does it. There is no drawing here, and
// tests/frontend/learn_maths.test.js holds every function to the library's numbers.

import { boundaries } from "../alignment.js";
import { indices, place, spectralMask, total, writeOut } from "./maths.js";

/** @typedef {number[][]} Rows of a picture, from above; or of a matrix of weights */
/** @typedef {{ weights: Rows, edges: ArrayLike<number> }} Axis what an output row is made of, and where one ends, in input rows */
/** @typedef {{ real: Float64Array, imaginary: Float64Array }} Complex */

const HAIR = 1e-12; // of a window: where T / s rounds up past a whole number, the last one would begin at T

/** The transpose. @param {Rows} rows @returns {Rows} */
export const turned = (rows) => rows[0].map((_, j) => rows.map((row) => row[j]));

/** The mean of each row. @param {Rows} rows */
const means = (rows) => rows.map((row) => total(row) / row.length);

// ---------------------------------------------------------------- one axis after the other

/** Average pooling of `T` frames: each window takes parts of frames. @param {number} T @param {number} stride @returns {Axis} */
export function averages(T, stride) {
  const L = Math.ceil(T / stride), edges = indices(L + 1).map((i) => Math.min(T, i * stride * (1 - HAIR)));
  const weights = indices(L).map((i) => {
    const parts = indices(T).map((t) => Math.max(0, Math.min(t + 1, edges[i + 1]) - Math.max(t, edges[i]))), all = total(parts);
    return parts.map((part) => part / all);
  });
  return { weights, edges };
}

/**
 * AdaStride where the score of a row is `contrast` times its mean.
 * @param {number[]} means @param {number} stride @param {{ contrast: number, sigma: number }} settings @returns {Axis}
 */
function adaptive(means, stride, { contrast, sigma }) {
  const { positions, frames } = place(means.map((mean) => contrast * mean), stride);
  return { weights: writeOut(positions, frames, sigma), edges: boundaries(Float64Array.from(positions), frames) };
}

/** A X: weighted sums of rows. @param {Rows} weights @param {Rows} rows @returns {Rows} */
export function product(weights, rows) {
  return weights.map((each) => {
    const sum = new Array(rows[0].length).fill(0);
    each.forEach((weight, i) => { if (weight) rows[i].forEach((value, j) => { sum[j] += weight * value; }); });
    return sum;
  });
}

/** Rows and columns by their weights: A X B^T. @param {Axis} rows @param {Axis} columns @param {Rows} picture */
export const outer = (rows, columns, picture) => turned(product(columns.weights, turned(product(rows.weights, picture))));

/**
 * The alignments of both axes. AdaStride's second one sees what the first has left.
 * @param {Rows} picture @param {{ method: string, height: number, width: number, contrast: number, sigma: number }} settings
 */
export function alignments(picture, settings) {
  const { method, height, width } = settings;
  if (method === "avg-pool") return { rows: averages(picture.length, height), columns: averages(picture[0].length, width) };
  const rows = adaptive(means(picture), height, settings);
  return { rows, columns: adaptive(means(turned(product(rows.weights, picture))), width, settings) };
}

// ---------------------------------------------------------------- both axes at once

/**
 * DiffStride's mask over vertical frequencies (equation 3): of 0, 1, ... and of the negative ones with -1 first, as the published
 * code rounds them.
 * @param {number} T @param {number} stride @param {number} smoothness
 */
export function verticalMask(T, stride, smoothness) {
  const passed = spectralMask(T, { kind: "diffstride", stride, smoothness }).passed - 1;
  /** @param {number} place */
  const at = (place) => Math.min(Math.max((smoothness + passed - place) / smoothness, 0), 1);
  const above = indices(Math.ceil(T / 2)).map((m) => at(m + (T % 2))), below = indices(Math.floor(T / 2)).map(at);
  return { above, below, passed };
}

/** The mask of a vertical frequency, which may be negative. @param {{ above: number[], below: number[] }} mask @param {number} m */
export const maskOf = ({ above, below }, m) => (m < 0 ? below[-1 - m] : above[m]);

/** cos and sin of the turns n / N. @param {number} N */
const circle = (N) => ({
  cos: indices(N).map((n) => Math.cos((2 * Math.PI * n) / N)), sin: indices(N).map((n) => Math.sin((2 * Math.PI * n) / N)),
});

/**
 * sum_f c_f exp(sign 2 pi i f t / N) for every t of `to`.
 * @param {Complex} c @param {number[]} from the f of each number @param {number[]} to @param {number} sign
 * @param {ReturnType<typeof circle>} roots @returns {Complex}
 */
function rotated({ real, imaginary }, from, to, sign, { cos, sin }) {
  const N = cos.length, result = { real: new Float64Array(to.length), imaginary: new Float64Array(to.length) };
  to.forEach((t, place) => {
    let x = 0, y = 0;
    from.forEach((f, k) => {
      const turn = (((f * t) % N) + N) % N, c = cos[turn], s = sign * sin[turn];
      x += real[k] * c - imaginary[k] * s;
      y += real[k] * s + imaginary[k] * c;
    });
    result.real[place] = x;
    result.imaginary[place] = y;
  });
  return result;
}

/**
 * The spectrum of a picture: for each horizontal frequency 0, 1, ..., W / 2 all vertical ones.
 * @param {Rows} picture @returns {Complex[]}
 */
export function spectrumOf(picture) {
  const H = picture.length, W = picture[0].length, rows = indices(H), bins = indices(Math.floor(W / 2) + 1);
  const acrossRoots = circle(W), downRoots = circle(H), none = new Float64Array(W);
  const across = picture.map((row) => rotated({ real: Float64Array.from(row), imaginary: none }, indices(W), bins, -1, acrossRoots));
  return bins.map((n) => rotated({
    real: Float64Array.from(across, ({ real }) => real[n]), imaginary: Float64Array.from(across, ({ imaginary }) => imaginary[n]),
  }, rows, rows, -1, downRoots));
}

/**
 * DiffStride of a picture of H x W pixels with this spectrum: what its box keeps, and what comes out.
 * @param {Complex[]} spectrum @param {number} H @param {number} W
 * @param {{ height: number, width: number, smoothness: number }} settings
 */
export function diffStride(spectrum, H, W, { height, width, smoothness }) {
  const down = verticalMask(H, height, smoothness), across = spectralMask(W, { kind: "diffstride", stride: width, smoothness });
  const above = down.above.filter(Boolean).length, below = down.below.filter(Boolean).length, h = above + below, w = across.frames;
  const frequencies = [...indices(above), ...indices(below).map((j) => -1 - j)], downRoots = circle(h), acrossRoots = circle(w);
  const columns = indices(across.kept).map((n) => {
    /** @param {Float64Array} part */
    const masked = (part) => Float64Array.from(frequencies, (m) => across.mask[n] * maskOf(down, m) * part[(m + H) % H]);
    return rotated({ real: masked(spectrum[n].real), imaginary: masked(spectrum[n].imaginary) }, frequencies, indices(h), 1, downRoots);
  });
  const out = indices(h).map((k) => {
    // Every bin but the lowest and the highest stands for its mirror image, too.
    const twice = columns.map((_, n) => (n === 0 || 2 * n === w ? 1 : 2) / (H * W));
    const real = Float64Array.from(columns, (column, n) => column.real[k] * twice[n]);
    const imaginary = Float64Array.from(columns, (column, n) => column.imaginary[k] * twice[n]);
    return Array.from(rotated({ real, imaginary }, indices(across.kept), indices(w), 1, acrossRoots).real);
  });
  return { out, down, across, above, below, kept: across.kept, h, w };
}
