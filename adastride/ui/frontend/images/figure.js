// @ts-check
// The AdaStride paper's figure 12 of one layer: the picture under the grid of the layer's output pixels, the alignment of its width
// above, that of its height at its left. Everything is small: matrices are painted pixel by pixel and then enlarged.

import { frame, label } from "../canvas.js";
import { clamp } from "../numbers.js";

/**
 * @typedef {import("../colours.js").Theme} Theme
 * @typedef {{ rows: number, columns: number, relative: Float32Array, edges: Float32Array, density: Float32Array }} Axis
 *   relative: weights, output by pixel, a row after the other, over each row's largest; edges: of output pixels, in pixels; density:
 *   output pixels that each pixel gets
 * @typedef {object} Layer
 * @property {Axis[]} axes height and width
 * @property {number[]} input @property {number[]} output rows and columns
 * @property {boolean} spectral @property {boolean} cosine
 * @property {number[]} decibels of the spectrum's lowest and highest colour
 * @property {Uint32Array} seen in colours @property {Float32Array} features
 * @property {Uint8Array | undefined} spectrum @property {Float32Array[]} masks
 * @typedef {{ row: number, column: number }} Cell an output pixel
 * @typedef {{ gutter: number, begin: number, across: number, down: number, width: number, height: number }} Frame of the figure, in CSS
 *   pixels: the picture is `across` wide and `down` high, and lies at `begin` in both directions
 * @typedef {object} Sound what a spectrogram's rows, columns and levels stand for
 * @property {number[]} levels @property {number[]} decibels of the darkest and the brightest colour
 * @property {[string, number][][]} ticks of frequency and of time: text, and place in rows or columns
 * @property {number[]} hertz of each row @property {number} begin seconds @property {number} rate columns in a second
 * @property {{ step: number, cutOff: number }[][]} modulations of each layer along frequency, in bands, and along time, in seconds
 */

const GAP = 4, BELOW = 16, BESIDE = 44, CLOSE = 6; // CSS pixels: lines nearer to each other than CLOSE are thin
const SEEN_FROM = 0.05; // of a row's largest weight: what is weaker is not counted as looked at

/** @param {Float32Array} weights @param {Float32Array} edges @param {number} pixels @returns {Axis} */
export function axisOf(weights, edges, pixels) {
  const rows = weights.length / pixels, relative = new Float32Array(weights.length), density = new Float32Array(pixels);
  for (let row = 0; row < rows; row++) {
    let most = 1e-9;
    for (let n = 0; n < pixels; n++) most = Math.max(most, weights[row * pixels + n]);
    for (let n = 0; n < pixels; n++) {
      relative[row * pixels + n] = weights[row * pixels + n] / most;
      density[n] += weights[row * pixels + n];
    }
  }
  return { rows, columns: pixels, relative, edges, density };
}

/** The first and the last pixel that an output row looks at. @param {Axis} axis @param {number} row */
export function reach({ relative, columns }, row) {
  let first = columns - 1, last = 0;
  for (let n = 0; n < columns; n++) {
    if (relative[row * columns + n] < SEEN_FROM) continue;
    first = Math.min(first, n);
    last = Math.max(last, n);
  }
  return first <= last ? [first, last] : [0, columns - 1];
}

/** The output row that a place among the pixels belongs to. @param {Axis} axis @param {number} pixel */
export function outputAt({ edges, rows }, pixel) {
  for (let row = 0; row < rows; row++) if (pixel < edges[row + 1]) return row;
  return rows - 1;
}

/**
 * @param {number} width CSS pixels of the canvas @param {number} scale of the type @param {number} [tall] a picture's height over its width
 * @param {boolean} [sound] whether frequencies stand beside it
 * @returns {Frame}
 */
export function measure(width, scale, tall = 1, sound = false) {
  const gutter = Math.round(sound ? clamp(0.16 * width, 48 * scale, 110) : clamp(0.24 * width, 48, 110)), begin = gutter + GAP;
  const across = width - begin - (sound ? Math.round(BESIDE * scale) : 0), down = Math.round(tall * across);
  return { gutter, begin, across, down, width, height: begin + down + Math.round(BELOW * scale) };
}

/**
 * Paints a small picture over a rectangle, its pixels as squares.
 * @param {CanvasRenderingContext2D} context @param {Uint32Array} pixels a row after the other @param {number} columns
 * @param {number} x @param {number} y @param {number} width @param {number} height
 */
export function enlarge(context, pixels, columns, x, y, width, height) {
  const rows = pixels.length / columns, small = scratch(columns, rows);
  const image = small.createImageData(columns, rows);
  new Uint32Array(image.data.buffer).set(pixels);
  small.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small.canvas, 0, 0, columns, rows, x, y, width, height);
}

/** @type {CanvasRenderingContext2D | null} */
let shared = null;

/** A canvas that nobody sees. @param {number} width @param {number} height */
function scratch(width, height) {
  shared ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (shared.canvas.width < width || shared.canvas.height < height) {
    Object.assign(shared.canvas, { width: Math.max(width, shared.canvas.width), height: Math.max(height, shared.canvas.height) });
  }
  return shared;
}

/** Pixels of bytes red, green, blue. @param {Uint8Array} rgb */
export function packRgb(rgb) {
  const packed = new Uint32Array(rgb.length / 3);
  for (let n = 0; n < packed.length; n++) packed[n] = ((255 << 24) | (rgb[3 * n + 2] << 16) | (rgb[3 * n + 1] << 8) | rgb[3 * n]) >>> 0;
  return packed;
}

/**
 * The levels of a spectrogram in the colours of a map.
 * @param {Uint8Array} values @param {number[]} ends those of the darkest and of the brightest colour @param {Uint32Array} ramp
 */
export const inLevels = (values, [low, high], ramp) => Uint32Array.from(values, (value) => ramp[colourOf((value - low) / (high - low))]);

/** @param {number} share from 0 to 1 */
const colourOf = (share) => Math.round(255 * clamp(share, 0, 1));

/** Values from 0 to `most` in the colours of a map. @param {ArrayLike<number>} values @param {number} most @param {Uint32Array} ramp */
export const inColours = (values, most, ramp) => Uint32Array.from(values, (value) => ramp[colourOf(value / most)]);

/** A matrix with rows and columns exchanged. @param {Float32Array} values @param {number} columns */
function transposed(values, columns) {
  const rows = values.length / columns, result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) for (let n = 0; n < columns; n++) result[n * rows + row] = values[row * columns + n];
  return result;
}

/**
 * @param {CanvasRenderingContext2D} context @param {Theme} theme @param {Frame} place @param {Layer} layer @param {Uint32Array} pixels
 * @param {Uint32Array} ramp @param {Sound | null} sound
 */
export function drawFigure(context, theme, place, layer, pixels, ramp, sound) {
  const { gutter, begin, across, down } = place, [height, width] = layer.axes;
  enlarge(context, inColours(width.relative, 1, ramp), width.columns, begin, 0, across, gutter);
  enlarge(context, inColours(transposed(height.relative, height.columns), 1, ramp), height.rows, 0, begin, gutter, down);
  enlarge(context, pixels, width.columns, begin, begin, across, down);
  drawGrid(context, layer, place);
  for (const [x, y, w, h] of [[begin, 0, across, gutter], [0, begin, gutter, down], [begin, begin, across, down]]) {
    context.save();
    context.translate(0, y);
    frame(context, { x, width: w, height: h }, theme);
    context.restore();
  }
  const small = 10 * theme.scale, room = gutter - 2;
  label(context, theme, `${layer.output[1]} columns`, gutter - 1, gutter - 2 * small, { size: 10, most: room });
  label(context, theme, sound ? "of time →" : "of the width →", gutter - 1, gutter - 0.9 * small, { size: 10, most: room });
  label(context, theme, sound ? `↓ ${layer.output[0]} rows` : "↓ rows of", gutter - 1, 0.7 * small, { size: 10, most: room });
  label(context, theme, sound ? "of frequency" : `the height: ${layer.output[0]}`, gutter - 1, 1.8 * small, { size: 10, most: room });
  if (sound) return drawTicks(context, theme, place, layer, sound);
  const y = begin + down + 0.6 * BELOW * theme.scale, half = Math.round(width.columns / 2);
  label(context, theme, "0", begin, y, { align: "left", size: 10 });
  label(context, theme, String(half), begin + (across * half) / width.columns, y, { align: "center", size: 10 });
  label(context, theme, `${width.columns} pixels`, begin + across, y, { size: 10 });
}

/**
 * Frequencies beside a spectrogram, and below it the seconds of the clip.
 * @param {CanvasRenderingContext2D} context @param {Theme} theme @param {Frame} place @param {Layer} layer @param {Sound} sound
 */
function drawTicks(context, theme, { begin, across, down }, { axes: [height, width] }, { ticks: [frequencies, times] }) {
  const right = begin + across, bottom = begin + down, half = 5 * theme.scale;
  context.fillStyle = theme.ink(0.6);
  for (const [text, row] of frequencies) {
    const y = begin + (down * row) / height.columns;
    context.fillRect(right, Math.round(y) - 0.5, 3, 1);
    const type = { align: /** @type {CanvasTextAlign} */ ("left"), size: 10, most: BESIDE * theme.scale - 5 };
    label(context, theme, text, right + 5, clamp(y, begin + half, bottom - half), type);
  }
  times.forEach(([text, column], n) => {
    const x = begin + (across * column) / width.columns, words = n === times.length - 1 ? `${text} s` : text;
    context.fillStyle = theme.ink(0.6);
    context.fillRect(Math.round(clamp(x, begin, right - 1)) - 0.5, bottom, 1, 3);
    const room = 0.29 * 10 * theme.scale * words.length;
    const y = bottom + 0.65 * BELOW * theme.scale;
    label(context, theme, words, clamp(x, begin + room, right + BESIDE - room), y, { align: "center", size: 10 });
  });
}

/**
 * The layer's output pixels as cells over the picture.
 * @param {CanvasRenderingContext2D} context @param {Layer} layer @param {Frame} place
 */
function drawGrid(context, { axes: [height, width] }, { begin, across, down }) {
  // Lines as close as these would hide what they lie on.
  const narrow = Math.min(across / width.rows, down / height.rows) < CLOSE;
  const lines = narrow ? [["rgba(255,255,255,0.35)", 0.5]] : [["rgba(0,0,0,0.55)", 2], ["rgba(255,255,255,0.9)", 0.8]];
  for (const [colour, line] of /** @type {[string, number][]} */ (lines)) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.beginPath();
    for (const edge of width.edges) {
      const x = begin + (across * edge) / width.columns;
      context.moveTo(x, begin);
      context.lineTo(x, begin + down);
    }
    for (const edge of height.edges) {
      const y = begin + (down * edge) / height.columns;
      context.moveTo(begin, y);
      context.lineTo(begin + across, y);
    }
    context.stroke();
  }
}

/**
 * What an output pixel looks at, over the figure: the outer product of its two rows, and where these lie in the alignments.
 * @param {CanvasRenderingContext2D} context @param {Theme} theme @param {Frame} place @param {Layer} layer @param {Cell} cell
 */
export function drawReach(context, theme, { gutter, begin, across, down }, { axes: [height, width] }, { row, column }) {
  const dark = new Uint32Array(height.columns * width.columns), [r, g, b] = theme.back.match(/\d+/g).map(Number);
  for (let y = 0; y < height.columns; y++) {
    for (let x = 0; x < width.columns; x++) {
      const share = height.relative[row * height.columns + y] * width.relative[column * width.columns + x];
      dark[y * width.columns + x] = ((Math.round(200 * (1 - Math.sqrt(share))) << 24) | (b << 16) | (g << 8) | r) >>> 0;
    }
  }
  enlarge(context, dark, width.columns, begin, begin, across, down);
  const up = gutter / width.rows, along = gutter / height.rows;
  mark(context, theme, begin, column * up, across, up);
  mark(context, theme, row * along, begin, along, down);
  const [[top, bottom], [left, right]] = [reach(height, row), reach(width, column)];
  const unit = across / width.columns, tall = down / height.columns;
  mark(context, theme, begin + left * unit, begin + top * tall, (right - left + 1) * unit, (bottom - top + 1) * tall);
}

/**
 * A box that can be seen on any picture.
 * @param {CanvasRenderingContext2D} context @param {Theme} theme
 * @param {number} x @param {number} y @param {number} width @param {number} height
 */
export function mark(context, theme, x, y, width, height) {
  context.lineWidth = 4;
  context.strokeStyle = theme.back;
  context.strokeRect(x, y, width, height);
  context.lineWidth = 2;
  context.strokeStyle = theme.accent;
  context.strokeRect(x, y, width, height);
}

/**
 * The output pixel at a place of the figure; null beside it. On an alignment the other axis stays as it is.
 * @param {Frame} place @param {Layer} layer @param {number} x @param {number} y CSS pixels @param {Cell | null} last @returns {Cell | null}
 */
export function cellAt({ gutter, begin, across, down }, { axes: [height, width] }, x, y, last) {
  const row = last?.row ?? height.rows >> 1, column = last?.column ?? width.rows >> 1;
  const right = ((x - begin) / across) * width.columns, below = ((y - begin) / down) * height.columns;
  const inWidth = right >= 0 && right < width.columns, inHeight = below >= 0 && below < height.columns;
  if (inWidth && inHeight) return { row: outputAt(height, below), column: outputAt(width, right) };
  if (inWidth && y >= 0 && y < gutter) return { row, column: clamp(Math.floor((y / gutter) * width.rows), 0, width.rows - 1) };
  if (inHeight && x >= 0 && x < gutter) return { row: clamp(Math.floor((x / gutter) * height.rows), 0, height.rows - 1), column };
  return null;
}

/**
 * The middle of an output pixel in the figure, in CSS pixels.
 * @param {Frame} place @param {Layer} layer @param {Cell} cell
 */
export function middleOf({ begin, across, down }, { axes: [height, width] }, { row, column }) {
  const middle = (/** @type {Axis} */ { edges, columns }, /** @type {number} */ n) => (edges[n] + edges[n + 1]) / 2 / columns;
  return { x: begin + across * middle(width, column), y: begin + down * middle(height, row) };
}
