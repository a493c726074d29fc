// @ts-check
// The maths of adastride/alignment in the browser: where output frames lie, the weights of a row, and the pixels of a matrix.
// Nothing in here knows the page: node tests it against arrays that Python writes.

import { clamp, largest, lowerBound, roundHalfEven } from "./numbers.js";

/**
 * @typedef {{ sigma: number | null, stride: number, variant: string | null }} Settings
 * @typedef {{ from: number, to: number }} View a window of time, in seconds
 * @typedef {{ start: number, weights: Float64Array }} Weights of neighbouring frames, from `start` on
 * @typedef {ArrayLike<number>} Edges rising numbers, one more than there are frames between them
 *
 * @typedef {object} Matrix a layer's matrix as the server pooled it (raster.py's Picture), a column at a time
 * @property {Uint8Array} data
 * @property {number} low the first output frame it shows
 * @property {number} high the output frame after the last
 * @property {number} rows
 * @property {ArrayLike<number>} columns input frames at which its columns begin, and the end
 * @property {boolean} [whole]
 * @property {number} [version]
 *
 * @typedef {object} Picture bytes over time
 * @property {Uint8Array} data a column at a time
 * @property {number} rows
 * @property {Edges} edges seconds at which its columns begin, and the end
 * @property {number} [low] the first frame of the vertical axis that its rows show; 0 where it is left out
 * @property {number} [high] the frame after the last; `rows` where it is left out
 *
 * @typedef {object} Layout a layer laid out in time
 * @property {number} T input frames
 * @property {number} L output frames
 * @property {ArrayLike<number>} edges L + 1 boundaries in input frames
 * @property {Float64Array} outEdges the same in seconds
 * @property {Float64Array} strides
 * @property {ArrayLike<number>} inEdges T + 1 times in seconds
 * @property {number} stride
 * @property {number | null} sigma
 * @property {string | null} [variant]
 * @property {Float64Array} [p] position of every input frame
 * @property {Float64Array} [nearestDistance] of every output frame, to the position closest to it
 * @property {ArrayLike<number>} [taps]
 * @property {boolean} [hard] AdaStride-F
 * @property {Int32Array} [firstFrame] AdaStride-F: the first input frame of every output frame, T where there is none
 * @property {Int32Array} [lastFrame] and the last, -1 where there is none
 * @property {Int32Array} [home] AdaStride-F: the output frame of every input frame
 * @property {Matrix} [picture]
 */

const MOST_COMPOSED = 400; // rows of a matrix that one beam is followed through
const LEAST_COMPOSED = 1e-3; // of a beam's largest weight: what is less is not followed
const REACH = 14; // a weight of exp(-14) of the row's largest is black in every colour map
const FAINTEST = 6.3; // a weight of exp(-6.3) of the row's largest is less than half a colour
const MARGIN = 0.04; // of the output frames in view, shown above and below them
// exp(-x) as a colour index, so that no exponential is computed a pixel: 64 steps for each unit of x.
const EXPONENT_STEPS = 64;
const WEIGHT_INDEX = Uint8Array.from({ length: REACH * EXPONENT_STEPS + 1 }, (_, i) => Math.round(255 * Math.exp(-i / EXPONENT_STEPS)));

// ---------------------------------------------------------------- where frames lie

/**
 * A layer laid out in time.
 * @param {{ u?: ArrayLike<number>, taps?: ArrayLike<number> }} layer normalised positions from 0 to 1, or the taps of a filter
 * @param {ArrayLike<number>} inEdges T + 1 times in seconds at which its input frames begin and end
 * @param {Settings} settings
 * @returns {Layout}
 */
export function layOut({ u, taps }, inEdges, settings) {
  const T = inEdges.length - 1, L = Math.max(1, Math.ceil(T / settings.stride));
  const p = Float64Array.from({ length: T }, (_, j) => (taps ? j / settings.stride : u[j] * (L - 1)));
  const edges = taps ? evenEdges(T, L, settings.stride) : boundaries(p, L);
  const hard = settings.variant === "adastride-f";
  const layout = { ...spans(edges, inEdges), p, nearestDistance: nearestDistances(p, L), taps, ...settings, hard };
  return hard ? { ...layout, ...hardFrames(p, L) } : layout;
}

/** Boundaries of a uniform stride, in input frames. @param {number} T @param {number} L @param {number} stride */
const evenEdges = (T, L, stride) => Float64Array.from({ length: L + 1 }, (_, i) => Math.min(i * stride, T));

/**
 * Boundaries between output frames, in input frames: where positions pass from one frame to the next.
 * @param {Float64Array} p @param {number} L
 */
export function boundaries(p, L) {
  const T = p.length, edges = new Float64Array(L + 1);
  for (let i = 0, j = 1; i < L - 1; i++) {
    while (j < T - 1 && p[j] < i + 0.5) j++;
    const gap = p[j] - p[j - 1];
    edges[i + 1] = j - 0.5 + (gap > 0 ? (i + 0.5 - p[j - 1]) / gap : 0);
  }
  edges[L] = T;
  return edges;
}

/** @param {Float64Array} p @param {number} L */
function nearestDistances(p, L) {
  const distances = new Float64Array(L), T = p.length;
  for (let i = 0, j = 0; i < L; i++) {
    while (j < T - 1 && Math.abs(p[j + 1] - i) <= Math.abs(p[j] - i)) j++;
    distances[i] = Math.abs(p[j] - i);
  }
  return distances;
}

/** AdaStride-F, equation 6: every input frame belongs to the output frame nearest to it. @param {Float64Array} p @param {number} L */
function hardFrames(p, L) {
  const firstFrame = new Int32Array(L).fill(p.length), lastFrame = new Int32Array(L).fill(-1);
  const home = Int32Array.from(p, roundHalfEven);
  home.forEach((i, j) => {
    firstFrame[i] = Math.min(firstFrame[i], j);
    lastFrame[i] = Math.max(lastFrame[i], j);
  });
  return { firstFrame, lastFrame, home };
}

/**
 * The same layer with another sigma: its frames lie where they lay.
 * @param {Layout} layout @param {number | null} sigma
 * @returns {Layout}
 */
export const withSigma = (layout, sigma) => ({ ...layout, sigma });

/**
 * Output frames in time.
 * @param {ArrayLike<number>} edges L + 1 boundaries in input frames
 * @param {ArrayLike<number>} inEdges as in layOut
 */
export function spans(edges, inEdges) {
  const T = inEdges.length - 1, L = edges.length - 1, outEdges = new Float64Array(L + 1), strides = new Float64Array(L);
  for (let i = 0; i <= L; i++) {
    const at = clamp(edges[i], 0, T), j = Math.min(T - 1, Math.floor(at));
    outEdges[i] = inEdges[j] + (at - j) * (inEdges[j + 1] - inEdges[j]);
  }
  for (let i = 0; i < L; i++) strides[i] = edges[i + 1] - edges[i];
  return { T, L, edges, outEdges, strides, inEdges };
}

/**
 * A layer without positions: the server sends its boundaries and a picture of its matrix.
 * @param {ArrayLike<number>} edges @param {Matrix} picture @param {ArrayLike<number>} inEdges @param {Settings} settings
 * @returns {Layout}
 */
export function layOutPicture(edges, picture, inEdges, settings) {
  return { ...spans(edges, inEdges), picture, ...settings };
}

/** The output frame at a moment. @param {Float64Array} outEdges @param {number} time */
export const frameAt = (outEdges, time) => clamp(lowerBound(outEdges, time) - 1, 0, outEdges.length - 2);

/**
 * The output frames that a window of time shows, with a margin: all of them for all of the time.
 * @param {Float64Array} outEdges @param {View} view
 */
export function visibleRows(outEdges, { from, to }) {
  const L = outEdges.length - 1;
  if (from <= outEdges[0] + 1e-9 && to >= outEdges[L] - 1e-9) return { low: 0, high: L };
  const low = clamp(lowerBound(outEdges, from) - 1, 0, L - 1), high = clamp(lowerBound(outEdges, to), low + 1, L);
  const margin = MARGIN * (high - low);
  return { low: Math.max(0, low - margin), high: Math.min(L, high + margin) };
}

/** The largest stride in view. @param {Layout} layout @param {View} view */
export function visibleMax({ outEdges, strides, L }, { from, to }) {
  let most = 0;
  for (let i = 0; i < L; i++) if (outEdges[i + 1] > from && outEdges[i] < to && strides[i] > most) most = strides[i];
  return most;
}

// ---------------------------------------------------------------- weights

/**
 * Weights of one row over the layer's input frames, which sum to 1; none for a row of zeros.
 * @param {Layout} layout @param {number} i
 * @returns {Weights}
 */
export function rowWeights(layout, i) {
  if (layout.picture) return pictureWeights(layout, i);
  return layout.taps ? tapRow(layout, i) : positionRow(layout, i);
}

/** @param {Layout} layout @param {number} i */
function tapRow({ T, taps, stride }, i) {
  const first = i * stride - (taps.length >> 1), weights = [], start = Math.max(0, first);
  for (let j = start; j < Math.min(T, first + taps.length); j++) weights.push(taps[j - first]);
  return normalised(start, weights);
}

/** Equation 4, and 6 for AdaStride-F: the row's window of frames, and a softmax over them. @param {Layout} layout @param {number} i */
function positionRow(layout, i) {
  const { p, sigma, hard } = layout, nearest = layout.nearestDistance[i] ** 2;
  /** @param {number} j */
  const exponent = (j) => ((p[j] - i) ** 2 - nearest) / (sigma * sigma);
  const [low, high] = hard ? [layout.firstFrame[i], layout.lastFrame[i]] : reach(exponent, lowerBound(p, i), p.length);
  const weights = [];
  for (let j = low; j <= high; j++) weights.push(Math.exp(-Math.max(0, exponent(j))));
  return normalised(low, weights);
}

/** The frames around `at` whose weight can be seen. @param {(j: number) => number} exponent @param {number} at @param {number} T */
function reach(exponent, at, T) {
  let low = Math.min(at, T - 1), high = low;
  while (low > 0 && (exponent(low - 1) < REACH || exponent(low) > exponent(low - 1))) low--;
  while (high < T - 1 && (exponent(high + 1) < REACH || exponent(high) > exponent(high + 1))) high++;
  return [low, high];
}

/** Of a frame that the picture leaves out, what is known is where it lies. @param {Layout} layout @param {number} i */
function pictureWeights({ T, edges, picture }, i) {
  const { data, low, high, rows, columns } = picture, /** @type {number[]} */ weights = [];
  if (i < low || i >= high) {
    const start = Math.min(T - 1, Math.floor(edges[i]));
    return normalised(start, new Array(Math.max(1, Math.ceil(edges[i + 1]) - start)).fill(1));
  }
  const row = pictureRow(picture, i);
  let first = null;
  for (let c = 0; c < columns.length - 1; c++) {
    const weight = data[c * rows + row];
    if (!weight) continue;
    first ??= columns[c];
    while (first + weights.length < columns[c]) weights.push(0);
    while (first + weights.length < columns[c + 1]) weights.push(weight);
  }
  return normalised(first ?? 0, weights);
}

/** The row of a picture that shows an output frame. @param {{ low: number, high: number, rows: number }} picture @param {number} i */
export function pictureRow({ low, high, rows }, i) {
  return Math.ceil(((i - low + 1) * rows) / (high - low)) - 1;
}

/** @param {number} start @param {number[]} weights @returns {Weights} */
function normalised(start, weights) {
  const total = weights.reduce((a, b) => a + b, 0);
  return { start, weights: Float64Array.from(weights, (w) => w / (total || 1)) };
}

/**
 * Weights over a layer's output frames, written over its input frames.
 * @param {Layout} layout @param {Weights} beam
 * @returns {Weights}
 */
export function composeDown(layout, { start, weights }) {
  const sum = new Float64Array(layout.T), least = LEAST_COMPOSED * largest(weights);
  let low = layout.T, high = -1;
  /** @type {[number, number][]} output frames and their weights */
  let shares = [];
  weights.forEach((weight, n) => { if (weight >= least && start + n < layout.L) shares.push([start + n, weight]); });
  if (layout.picture) shares = sharedRows(layout.picture, shares);
  for (const [i, share] of shares) {
    const row = rowWeights(layout, i);
    if (!row.weights.length) continue;
    row.weights.forEach((weight, m) => { sum[row.start + m] += share * weight; });
    low = Math.min(low, row.start);
    high = Math.max(high, row.start + row.weights.length - 1);
  }
  return high < low ? { start: 0, weights: new Float64Array(0) } : { start: low, weights: sum.slice(low, high + 1) };
}

/**
 * Output frames that share a row of the picture are one, with the sum of their weights. Of the many that a transform's row
 * reaches, the heaviest: what the others add is too faint to be seen.
 * @param {Matrix} picture @param {[number, number][]} shares
 */
function sharedRows(picture, shares) {
  /** @type {Map<number, [number, number]>} */
  const rows = new Map();
  for (const [i, weight] of shares) {
    const row = i >= picture.low && i < picture.high ? pictureRow(picture, i) : -1 - i;
    if (rows.has(row)) rows.get(row)[1] += weight;
    else rows.set(row, [i, weight]);
  }
  return [...rows.values()].sort((a, b) => b[1] - a[1]).slice(0, MOST_COMPOSED);
}

// ---------------------------------------------------------------- pixels

/**
 * The first and the last frame that each row of pixels shows, where `height` of them stand for low..high of `count`.
 * @param {number} height @param {number} low @param {number} high @param {number} count
 */
export function pixelRows(height, low, high, count) {
  const firstRow = new Int32Array(height), lastRow = new Int32Array(height);
  for (let y = 0; y < height; y++) {
    firstRow[y] = clamp(Math.floor(low + (1 - (y + 1) / height) * (high - low) + 1e-9), 0, count - 1);
    lastRow[y] = clamp(Math.ceil(low + (1 - y / height) * (high - low) - 1e-9) - 1, firstRow[y], count - 1);
  }
  return { firstRow, lastRow };
}

/**
 * Fills device pixels with the alignment: for every pixel, the largest weight (relative to its row's largest) of the frames and
 * rows it covers. Positions are sorted, so the closest pair of a block of frames and a block of rows decides, and a pixel costs
 * the same whether it stands for one weight or a million; and so the rows that a column of frames can reach only rise from left
 * to right, and all other pixels are background.
 * @param {Uint32Array} pixels @param {number} width @param {number} height @param {Layout} layout
 * @param {View} view @param {number} low @param {number} high the rows in view @param {Uint32Array} colours 256 of them
 */
export function fillAlignment(pixels, width, height, layout, view, low, high, colours) {
  const { T, L, inEdges } = layout, { firstRow, lastRow } = pixelRows(height, low, high, L), { lowest, highest } = rowsReached(layout);
  const index = layout.taps ? tapIndex(layout) : layout.hard ? hardIndex(layout) : positionIndex(layout);
  const step = (view.to - view.from) / width;
  let a = Math.max(0, lowerBound(inEdges, view.from) - 1), shownA = -1, shownB = -1, top = height, bottom = height - 1;
  pixels.fill(colours[0]);
  for (let x = 0; x < width; x++) {
    const from = view.from + step * x, to = view.from + step * (x + 1);
    if (from >= inEdges[T]) break; // what follows is not heard, and has no weights
    while (a < T - 1 && inEdges[a + 1] <= from) a++;
    let b = a;
    while (b < T - 1 && inEdges[b + 1] < to) b++;
    const again = a === shownA && b === shownB, above = highest(b), below = lowest(a);
    while (top > 0 && firstRow[top - 1] <= above) top--;
    while (bottom >= 0 && lastRow[bottom] < below) bottom--;
    for (let y = top, at = top * width + x; y <= bottom; y++, at += width) { // a frame is often several pixels wide
      pixels[at] = again ? pixels[at - 1] : colours[index(a, b, firstRow[y], lastRow[y])];
    }
    [shownA, shownB] = [a, b];
  }
}

/**
 * Between which rows a frame's weights lie, as far as they can be seen; outside, they are zero for sure. Both rise with the frame.
 * @param {Layout} layout
 * @returns {{ lowest: (j: number) => number, highest: (j: number) => number }}
 */
function rowsReached({ p, sigma, hard, home, taps, nearestDistance }) {
  if (hard) return { lowest: (j) => home[j], highest: (j) => home[j] };
  // A row's exponent is (distance^2 - nearest^2) / sigma^2. The filter of a fixed stride has no sigma, but as many rows as its length.
  const reach = taps ? taps.length : Math.sqrt(FAINTEST * sigma * sigma + largest(nearestDistance) ** 2);
  return { lowest: (j) => p[j] - reach, highest: (j) => p[j] + reach };
}

/**
 * The colour index of a block of frames a..b and rows ia..ib: is there a row whose tap lies on one of the frames?
 * @param {Layout} layout
 */
function tapIndex({ taps, stride }) {
  const middle = taps.length >> 1, most = largest(Array.from(taps)), levels = Array.from(taps, (tap) => Math.round((255 * tap) / most));
  /** @type {(a: number, b: number, ia: number, ib: number) => number} */
  return (a, b, ia, ib) => {
    let found = 0;
    for (let t = 0; t < levels.length; t++) {
      if (levels[t] <= found) continue;
      const first = Math.max(ia, Math.ceil((a - t + middle) / stride)), last = Math.min(ib, Math.floor((b - t + middle) / stride));
      if (first <= last) found = levels[t];
    }
    return found;
  };
}

/** The colour index of a weight, from its distance and the smallest distance in its row. @param {number | null} sigma */
function weightIndex(sigma) {
  const scale = EXPONENT_STEPS / (sigma * sigma), last = REACH * EXPONENT_STEPS;
  /** @type {(distance: number, nearest: number) => number} */
  return (distance, nearest) => {
    const exponent = (distance * distance - nearest * nearest) * scale;
    return exponent >= last ? 0 : WEIGHT_INDEX[exponent > 0 ? exponent | 0 : 0];
  };
}

/** The same where frames have positions. @param {Layout} layout */
function positionIndex({ p, nearestDistance, sigma }) {
  const index = weightIndex(sigma);
  /** @type {(a: number, b: number, ia: number, ib: number) => number} */
  return (a, b, ia, ib) => {
    const pa = p[a], pb = p[b], i = closestRow(pa, pb, ia, ib), nearest = nearestDistance[i];
    return index(i < pa ? pa - i : i > pb ? i - pb : nearest, nearest);
  };
}

/** The same for AdaStride-F, where a frame has a weight in its own row alone. @param {Layout} layout */
function hardIndex({ p, nearestDistance, firstFrame, lastFrame, home, sigma }) {
  const index = weightIndex(sigma);
  /** @type {(a: number, b: number, ia: number, ib: number) => number} */
  return (a, b, ia, ib) => {
    let found = 0;
    for (let i = Math.max(ia, home[a]); i <= Math.min(ib, home[b]) && found < 255; i++) {
      if (firstFrame[i] > b || lastFrame[i] < a) continue;
      const nearest = nearestDistance[i];
      found = Math.max(found, index(i < p[a] ? p[a] - i : i > p[b] ? i - p[b] : nearest, nearest));
    }
    return found;
  };
}

/**
 * The row of ia..ib closest to the interval of positions pa..pb.
 * @param {number} pa @param {number} pb @param {number} ia @param {number} ib
 */
function closestRow(pa, pb, ia, ib) {
  const above = Math.ceil(pa), below = Math.floor(pb);
  if (above > ib) return ib;
  if (below < ia) return ia;
  if (above <= below) return Math.max(ia, above);
  const under = Math.max(ia, Math.floor(pa)), over = Math.min(ib, Math.ceil(pb)); // both lie between two rows
  return pa - under < over - pb ? under : over;
}

/**
 * Fills device pixels with a picture; a pixel shows the largest of the values it covers, and one beside the picture stays.
 * @param {Uint32Array} pixels @param {number} width @param {number} height @param {Picture} picture
 * @param {View} view @param {number} low @param {number} high the frames in view, counted from the bottom
 * @param {Uint32Array} colours @param {number} [count] frames of the vertical axis
 */
export function fillPicture(pixels, width, height, picture, view, low, high, colours, count = picture.rows) {
  const { data, rows, edges } = picture, last = edges.length - 2, column = new Uint8Array(rows), step = (view.to - view.from) / width;
  if (last < 0) return;
  const { firstRow, lastRow } = rowsOfPicture(picture, pixelRows(height, low, high, count));
  let a = Math.max(0, lowerBound(edges, view.from) - 1), shownA = -1, shownB = -1;
  for (let x = 0; x < width; x++) {
    const from = view.from + step * x, to = from + step;
    if (to <= edges[0] || from >= edges[last + 1]) continue;
    while (a < last && edges[a + 1] <= from) a++;
    let b = a;
    while (b < last && edges[b + 1] < to) b++;
    if (b > a && edges[b + 1] > to && to - edges[b] < step / 2) b--; // a sliver of the next frame is not worth its colour
    if (a === shownA && b === shownB) {
      copyColumn(pixels, width, height, x);
      continue;
    }
    poolColumns(data, rows, a, b, column);
    [shownA, shownB] = [a, b];
    for (let y = 0; y < height; y++) {
      let value = 0;
      for (let r = firstRow[y]; r <= lastRow[y]; r++) if (column[r] > value) value = column[r];
      pixels[y * width + x] = colours[value];
    }
  }
}

/** A frame is often several pixels wide. @param {Uint32Array} pixels @param {number} width @param {number} height @param {number} x */
function copyColumn(pixels, width, height, x) {
  for (let y = 0, at = x; y < height; y++, at += width) pixels[at] = pixels[at - 1];
}

/**
 * Which of a picture's rows show the frames of each row of pixels.
 * @param {Picture} picture @param {ReturnType<typeof pixelRows>} pixels
 */
function rowsOfPicture({ rows, low = 0, high = rows }, { firstRow, lastRow }) {
  const shape = { low, high, rows };
  return {
    firstRow: firstRow.map((i) => pictureRow(shape, Math.max(i, low))),
    lastRow: lastRow.map((i) => pictureRow(shape, Math.min(i, high - 1))),
  };
}

/**
 * The largest value of each row in the columns a..b.
 * @param {Uint8Array} data @param {number} rows @param {number} a @param {number} b @param {Uint8Array} column
 */
function poolColumns(data, rows, a, b, column) {
  column.fill(0);
  for (let c = a, at = a * rows; c <= b; c++, at += rows) {
    for (let r = 0; r < rows; r++) if (data[at + r] > column[r]) column[r] = data[at + r];
  }
}

/** A layer's matrix as a picture over time. @param {Layout} layout @returns {Picture} */
export function matrixPicture({ picture, inEdges }) {
  const { data, rows, low, high, columns } = picture;
  return { data, rows, low, high, edges: Float64Array.from(columns, (j) => inEdges[j]) };
}
