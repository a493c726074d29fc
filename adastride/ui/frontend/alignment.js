// The maths of adastride/alignment in the browser: where output frames lie, the weights of a row, and the pixels of a matrix.

import { clamp, largest, lowerBound, roundHalfEven } from "./numbers.js";

const MOST_COMPOSED = 400; // rows of a matrix that one beam is followed through
const REACH = 14; // a weight of exp(-14) of the row's largest is black in every colour map
// exp(-x) as a colour index, so that no exponential is computed a pixel: 64 steps for each unit of x.
const EXPONENT_STEPS = 64;
const WEIGHT_INDEX = Uint8Array.from({ length: REACH * EXPONENT_STEPS + 1 }, (_, i) => Math.round(255 * Math.exp(-i / EXPONENT_STEPS)));

// A layer laid out in time. inEdges: T + 1 times in seconds at which its input frames begin and end.
export function layOut({ u, taps }, inEdges, settings) {
  const T = inEdges.length - 1, L = Math.max(1, Math.ceil(T / settings.stride));
  const p = new Float64Array(T);
  for (let j = 0; j < T; j++) p[j] = taps ? j / settings.stride : u[j] * (L - 1);
  const edges = new Float64Array(L + 1); // boundaries in input frames
  if (taps) {
    for (let i = 0; i <= L; i++) edges[i] = Math.min(i * settings.stride, T);
  } else {
    for (let i = 0, j = 1; i < L - 1; i++) {
      while (j < T - 1 && p[j] < i + 0.5) j++;
      const gap = p[j] - p[j - 1];
      edges[i + 1] = j - 0.5 + (gap > 0 ? (i + 0.5 - p[j - 1]) / gap : 0) + 0;
    }
    edges[L] = T;
  }
  const nearestDistance = new Float64Array(L);
  for (let i = 0, j = 0; i < L; i++) {
    while (j < T - 1 && Math.abs(p[j + 1] - i) <= Math.abs(p[j] - i)) j++;
    nearestDistance[i] = Math.abs(p[j] - i);
  }
  const layout = { ...spans(edges, inEdges), p, nearestDistance, taps, ...settings, hard: settings.variant === "adastride-f" };
  if (layout.hard) {
    layout.firstFrame = new Int32Array(L).fill(T);
    layout.lastFrame = new Int32Array(L).fill(-1);
    for (let j = 0; j < T; j++) {
      const i = roundHalfEven(p[j]);
      layout.firstFrame[i] = Math.min(layout.firstFrame[i], j);
      layout.lastFrame[i] = Math.max(layout.lastFrame[i], j);
    }
  }
  return layout;
}

// Output frames in time. edges: L + 1 boundaries in input frames; inEdges: as in layOut.
export function spans(edges, inEdges) {
  const T = inEdges.length - 1, L = edges.length - 1, outEdges = new Float64Array(L + 1), strides = new Float64Array(L);
  for (let i = 0; i <= L; i++) {
    const at = clamp(edges[i], 0, T), j = Math.min(T - 1, Math.floor(at));
    outEdges[i] = inEdges[j] + (at - j) * (inEdges[j + 1] - inEdges[j]);
  }
  for (let i = 0; i < L; i++) strides[i] = edges[i + 1] - edges[i];
  return { T, L, edges, outEdges, strides, inEdges };
}

// A layer without positions: the server sends its boundaries and a picture of its matrix.
// picture: {data, low, high, rows, columns, whole, version}, data a column at a time, as raster.py's Picture.
export function layOutPicture(edges, picture, inEdges, settings) {
  return { ...spans(edges, inEdges), picture, ...settings };
}

// The row of a picture that shows an output frame.
export function pictureRow({ low, high, rows }, i) {
  return Math.ceil(((i - low + 1) * rows) / (high - low)) - 1;
}

// Weights of one row over the layer's input frames: {start, weights} with weights summing to 1 (empty for a row of zeros).
export function rowWeights(layout, i) {
  const { T, p, taps, stride, sigma, picture } = layout;
  if (picture) return pictureWeights(layout, i);
  if (taps) {
    const first = i * stride - (taps.length >> 1), weights = [];
    const start = Math.max(0, first);
    for (let j = start; j < Math.min(T, first + taps.length); j++) weights.push(taps[j - first]);
    return normalised(start, weights);
  }
  let low = layout.hard ? layout.firstFrame[i] : lowerBound(p, i), high = layout.hard ? layout.lastFrame[i] : low;
  const exponent = (j) => ((p[j] - i) ** 2 - layout.nearestDistance[i] ** 2) / (sigma * sigma);
  if (!layout.hard) {
    low = Math.min(low, T - 1);
    high = low;
    while (low > 0 && (exponent(low - 1) < REACH || exponent(low) > exponent(low - 1))) low--;
    while (high < T - 1 && (exponent(high + 1) < REACH || exponent(high) > exponent(high + 1))) high++;
  }
  const weights = [];
  for (let j = low; j <= high; j++) weights.push(Math.exp(-Math.max(0, exponent(j))));
  return normalised(low, weights);
}

// Of a frame that the picture leaves out, what is known is where it lies.
function pictureWeights({ T, edges, picture }, i) {
  const { data, low, high, rows, columns } = picture, weights = [];
  if (i < low || i >= high) {
    const start = Math.min(T - 1, Math.floor(edges[i]));
    return normalised(start, new Array(Math.max(1, Math.ceil(edges[i + 1]) - start)).fill(1));
  }
  const r = pictureRow(picture, i);
  let first = null;
  for (let c = 0; c < columns.length - 1; c++) {
    const weight = data[c * rows + r];
    if (!weight) continue;
    first ??= columns[c];
    while (first + weights.length < columns[c]) weights.push(0);
    while (first + weights.length < columns[c + 1]) weights.push(weight);
  }
  return normalised(first ?? 0, weights);
}

function normalised(start, weights) {
  const total = weights.reduce((a, b) => a + b, 0);
  return { start, weights: Float64Array.from(weights, (w) => w / (total || 1)) };
}

// Weights over a layer's output frames, written over its input frames.
export function composeDown(layout, { start, weights }) {
  const sum = new Float64Array(layout.T), least = 1e-3 * largest(weights);
  let low = layout.T, high = -1, shares = []; // [output frame, its weight]
  for (let n = 0; n < weights.length; n++) if (weights[n] >= least && start + n < layout.L) shares.push([start + n, weights[n]]);
  if (layout.picture) shares = sharedRows(layout.picture, shares);
  for (const [i, share] of shares) {
    const row = rowWeights(layout, i);
    for (let m = 0; m < row.weights.length; m++) sum[row.start + m] += share * row.weights[m];
    if (row.weights.length) { low = Math.min(low, row.start); high = Math.max(high, row.start + row.weights.length - 1); }
  }
  return high < low ? { start: 0, weights: new Float64Array(0) } : { start: low, weights: sum.slice(low, high + 1) };
}

// Output frames that share a row of the picture are one, with the sum of their weights. Of the many that a transform's row
// reaches, the heaviest: what the others add is too faint to be seen.
function sharedRows(picture, shares) {
  const rows = new Map();
  for (const [i, weight] of shares) {
    const row = i >= picture.low && i < picture.high ? pictureRow(picture, i) : -1 - i;
    if (rows.has(row)) rows.get(row)[1] += weight;
    else rows.set(row, [i, weight]);
  }
  return [...rows.values()].sort((a, b) => b[1] - a[1]).slice(0, MOST_COMPOSED);
}

export function visibleMax({ outEdges, strides, L }, { from, to }) {
  let largest = 0;
  for (let i = 0; i < L; i++) if (outEdges[i + 1] > from && outEdges[i] < to && strides[i] > largest) largest = strides[i];
  return largest;
}

// The first and the last output frame that each row of pixels shows, where `height` of them stand for low..high.
export function pixelRows(height, low, high, L) {
  const firstRow = new Int32Array(height), lastRow = new Int32Array(height);
  for (let y = 0; y < height; y++) {
    firstRow[y] = clamp(Math.floor(low + (1 - (y + 1) / height) * (high - low) + 1e-9), 0, L - 1);
    lastRow[y] = clamp(Math.ceil(low + (1 - y / height) * (high - low) - 1e-9) - 1, firstRow[y], L - 1);
  }
  return { firstRow, lastRow };
}

// Fills device pixels with the picture of a matrix, the largest weight that a pixel covers, as fillAlignment does.
export function fillMatrix(pixels, width, height, { L, inEdges, picture }, view, low, high, colours) {
  const { data, rows, columns } = picture, { firstRow, lastRow } = pixelRows(height, low, high, L);
  const count = columns.length - 1, column = new Uint8Array(rows);
  const first = firstRow.map((i) => pictureRow(picture, Math.max(i, picture.low))), last = lastRow.map((i) => pictureRow(picture, Math.min(i, picture.high - 1)));
  pixels.fill(colours[0]);
  let a = 0, shownA = -1, shownB = -1;
  for (let x = 0; x < width; x++) {
    const from = view.from + ((view.to - view.from) * x) / width, to = view.from + ((view.to - view.from) * (x + 1)) / width;
    if (to <= inEdges[columns[0]] || from >= inEdges[columns[count]]) continue;
    while (a < count - 1 && inEdges[columns[a + 1]] <= from) a++;
    let b = a;
    while (b < count - 1 && inEdges[columns[b + 1]] < to) b++;
    if (a !== shownA || b !== shownB) {
      column.fill(0);
      for (let c = a; c <= b; c++) for (let r = 0, at = c * rows; r < rows; r++) if (data[at + r] > column[r]) column[r] = data[at + r];
      [shownA, shownB] = [a, b];
    }
    for (let y = 0; y < height; y++) {
      let weight = 0;
      for (let r = first[y]; r <= last[y]; r++) if (column[r] > weight) weight = column[r];
      if (weight) pixels[y * width + x] = colours[weight];
    }
  }
}

// Fills device pixels with the alignment: for every pixel, the largest weight (relative to its row's largest) of the
// frames and rows it covers. Positions are sorted, so the closest pair of a block of frames and a block of rows decides,
// and a pixel costs the same whether it stands for one weight or a million.
export function fillAlignment(pixels, width, height, layout, view, low, high, colours) {
  const { T, L, p, inEdges, nearestDistance, hard, firstFrame, lastFrame, taps, stride } = layout;
  const scale = EXPONENT_STEPS / (layout.sigma * layout.sigma), last = REACH * EXPONENT_STEPS;
  const { firstRow, lastRow } = pixelRows(height, low, high, L);
  const tapIndex = taps && Array.from(taps, (tap) => Math.round((255 * tap) / Math.max(...taps)));
  pixels.fill(colours[0]);
  let a = Math.max(0, lowerBound(inEdges, view.from) - 1);
  for (let x = 0; x < width; x++) {
    const from = view.from + ((view.to - view.from) * x) / width, to = view.from + ((view.to - view.from) * (x + 1)) / width;
    while (a < T - 1 && inEdges[a + 1] <= from) a++;
    let b = a;
    while (b < T - 1 && inEdges[b + 1] < to) b++;
    const pa = p[a], pb = p[b];
    for (let y = 0; y < height; y++) {
      const ia = firstRow[y], ib = lastRow[y];
      let index;
      if (taps) {
        index = 0;
        for (let t = 0; t < taps.length; t++) { // is there a row of ia..ib whose tap t lies on a frame of a..b?
          const offset = t - (taps.length >> 1);
          if (tapIndex[t] > index && Math.max(ia, Math.ceil((a - offset) / stride)) <= Math.min(ib, Math.floor((b - offset) / stride))) index = tapIndex[t];
        }
      } else {
        // The row closest to the interval of positions [pa, pb] that this column covers.
        const i = Math.ceil(pa) > ib ? ib : Math.floor(pb) < ia ? ia : Math.ceil(pa) <= Math.floor(pb) ? Math.max(ia, Math.ceil(pa)) : (pa - Math.max(ia, Math.floor(pa)) < Math.min(ib, Math.ceil(pb)) - pb ? Math.max(ia, Math.floor(pa)) : Math.min(ib, Math.ceil(pb)));
        let d = i < pa ? pa - i : i > pb ? i - pb : nearestDistance[i];
        if (hard) {
          if (firstFrame[i] > b || lastFrame[i] < a) continue;
          if (d > 0.5) d = 0.5;
        }
        const e = (d * d - nearestDistance[i] * nearestDistance[i]) * scale;
        if (e >= last) continue;
        index = WEIGHT_INDEX[e > 0 ? e | 0 : 0];
      }
      if (index) pixels[y * width + x] = colours[index];
    }
  }
}
