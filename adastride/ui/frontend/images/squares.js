// @ts-check
// The small pictures beside a layer's figure: the picture as the layer sees it, its features, how many output pixels a pixel gets, and
// the spectrum of what the layer is given with the mask of a spectral method, whose box is dragged.

import { label } from "../canvas.js";
import { clamp, digits, largest } from "../numbers.js";
import { enlarge, inColours } from "./figure.js";

/**
 * @typedef {import("./figure.js").Layer} Layer
 * @typedef {import("./figure.js").Sound} Sound
 * @typedef {{ width: number, height: number }} Size CSS pixels
 * @typedef {import("../colours.js").Theme} Theme
 * @typedef {import("../view.js").View} View
 * @typedef {"seen" | "features" | "kept" | "spectrum"} Square
 */

/** @type {Record<Square, string>} */
export const TITLES = {
  seen: "As the layer sees it", features: "Features: mean magnitude", kept: "Output pixels per pixel",
  spectrum: "Spectrum of its input, dB",
};

/** Those that are called otherwise where the picture is a spectrogram. */
export const SOUND_TITLES = { kept: "Outputs per cell", spectrum: "Spectrum of its input" };

/** Output pixels for each pixel: the outer product of what the two alignments give to it. @param {Layer} layer */
function densities({ axes: [height, width] }) {
  const result = new Float32Array(height.columns * width.columns);
  for (let y = 0; y < height.columns; y++) {
    for (let x = 0; x < width.columns; x++) result[y * width.columns + x] = height.density[y] * width.density[x];
  }
  return result;
}

/**
 * Draws one of them and gives the ends of its scale, null where it has none.
 * @param {CanvasRenderingContext2D} context @param {Square} name @param {Layer} layer @param {Size} size
 * @param {Theme} theme @param {Uint32Array} ramp @param {number[]} strides in hand @param {string[]} ends of the spectrum's two axes
 */
export function drawSquare(context, name, layer, size, theme, ramp, strides, ends) {
  const { width, height } = size;
  if (name === "seen") {
    enlarge(context, layer.seen, layer.output[1], 0, 0, width, height);
    return null;
  }
  if (name === "features" || name === "kept") {
    const values = name === "kept" ? densities(layer) : layer.features, most = Math.max(1e-9, largest(values));
    enlarge(context, inColours(values, most, ramp), name === "kept" ? layer.axes[1].columns : layer.output[1], 0, 0, width, height);
    return [0, most];
  }
  if (layer.spectrum) drawSpectrum(context, layer, size, theme, ramp, strides, ends);
  return layer.decibels;
}

/**
 * @param {CanvasRenderingContext2D} context @param {Layer} layer @param {Size} size @param {Theme} theme @param {Uint32Array} ramp
 * @param {number[]} strides @param {string[]} ends
 */
function drawSpectrum(context, layer, size, theme, ramp, strides, ends) {
  const [rows, columns] = layer.input, [down, across] = layer.masks, [r, g, b] = theme.back.match(/\d+/g).map(Number);
  enlarge(context, Uint32Array.from(layer.spectrum, (level) => ramp[level]), columns, 0, 0, size.width, size.height);
  const shade = new Uint32Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      shade[y * columns + x] = ((Math.round(190 * (1 - down[y] * across[x])) << 24) | (b << 16) | (g << 8) | r) >>> 0;
    }
  }
  enlarge(context, shade, columns, 0, 0, size.width, size.height);
  const [top, right, bottom, left] = edgesOf(layer, strides, size);
  for (const [colour, width] of /** @type {[string, number][]} */ ([[theme.back, 4], [theme.accent, 2]])) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(left, top, right - left, bottom - top);
  }
  const type = { size: 9, rim: true, most: size.width - 6 };
  label(context, theme, ends[1], size.width - 3, size.height - 7 * theme.scale, type);
  if (ends[0]) label(context, theme, ends[0], 3, 7 * theme.scale, { ...type, align: "left" });
}

/**
 * What stands at the ends of a spectrum's two axes: cycles per pixel, or for sound cycles per band and Hz.
 * @param {Layer} layer @param {Sound | null} sound @param {number} number of the layer @param {number[]} strides it ran with
 */
export function spectrumEnds(layer, sound, number, strides) {
  const from = layer.cosine ? "0 → " : "± ";
  if (!sound) return ["", `${from}0.5 cycles`];
  const [frequency, time] = sound.modulations[number].map(({ cutOff }, axis) => digits(cutOff * strides[axis], 2));
  return [`${from}${frequency} cycles/band`, `${from}${time} Hz`];
}

/** The mask's box in CSS pixels: top, right, bottom, left. @param {Layer} layer @param {number[]} strides @param {Size} size */
const edgesOf = (layer, strides, { width, height }) => box(layer, strides).map((share, n) => share * (n % 2 ? width : height));

/** The mask's box over a spectrum, as shares of its sides: top, right, bottom, left. @param {Layer} layer @param {number[]} strides */
export function box(layer, strides) {
  const [height, width] = strides.map((stride) => 1 / stride); // of the highest frequency that there is
  if (layer.cosine) return [0, clamp(width, 0, 1), clamp(height, 0, 1), 0];
  const [y, x] = layer.input.map((size) => (Math.floor(size / 2) + 0.5) / size); // where the frequency 0 lies
  return [clamp(y - height / 2, 0, 1), clamp(x + width / 2, 0, 1), clamp(y + height / 2, 0, 1), clamp(x - width / 2, 0, 1)];
}

const NEAR = 10; // CSS pixels: so close to an edge both edges of a corner are held

/**
 * Which strides a hand at a place of a spectrum moves, height and width: the nearest edge's, and both in a corner.
 * @param {Layer} layer @param {number[]} strides @param {number} x @param {number} y CSS pixels @param {Size} size
 */
export function grasp(layer, strides, x, y, size) {
  const [top, right, bottom, left] = edgesOf(layer, strides, size);
  const open = layer.cosine ? Infinity : 0; // a box of cosines has no edges at the frequency 0
  const height = Math.min(Math.abs(y - top) + open, Math.abs(y - bottom));
  const width = Math.min(Math.abs(x - left) + open, Math.abs(x - right));
  const both = height < NEAR && width < NEAR;
  return { height: both || height <= width, width: both || width < height };
}

/**
 * The stride of a box whose edge is at a share of a spectrum's side.
 * @param {Layer} layer @param {number} axis 0 or 1 @param {number} share
 */
export function strideAt(layer, axis, share) {
  const size = layer.input[axis], middle = layer.cosine ? 0 : (Math.floor(size / 2) + 0.5) / size;
  return 1 / Math.max(1e-3, layer.cosine ? share : 2 * Math.abs(share - middle));
}
