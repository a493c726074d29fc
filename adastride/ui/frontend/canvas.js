// @ts-check
// Drawing that every view shares: canvases at the screen's resolution, pixels, labels, the beam and lines at a moment.

import { clamp } from "./numbers.js";

/** @typedef {import("./colours.js").Theme} Theme */
/** @typedef {{ x: number, width: number, height: number }} Box the plot's part of a canvas, in CSS pixels */

const BEAM_LEVELS = 8; // of darkness around a beam
const TALLEST_TICK = 5;

/**
 * Makes a canvas as fine as the screen, clears it, and gives its context in CSS pixels.
 * @param {HTMLCanvasElement} canvas @param {{ width: number, height: number }} size CSS pixels
 */
export function prepare(canvas, size) {
  const ratio = devicePixelRatio || 1, width = Math.round(size.width * ratio), height = Math.round(size.height * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** @type {WeakMap<HTMLCanvasElement, ImageData>} half a megabyte for a plot: made once, not for every frame of a drag */
const images = new WeakMap();

/**
 * Paints device pixels of a plot. What `fill` leaves alone is transparent.
 * @param {CanvasRenderingContext2D} context @param {Box} box
 * @param {(pixels: Uint32Array, width: number, height: number) => void} fill
 */
export function paintPixels(context, box, fill) {
  const ratio = devicePixelRatio || 1, [width, height] = [box.width, box.height].map((size) => Math.max(1, Math.round(size * ratio)));
  let image = images.get(context.canvas);
  if (image?.width !== width || image.height !== height) images.set(context.canvas, image = context.createImageData(width, height));
  const pixels = new Uint32Array(image.data.buffer);
  pixels.fill(0);
  fill(pixels, width, height);
  context.putImageData(image, Math.round(box.x * ratio), 0);
}

/** A legend's colour map, on a canvas of 256 x 1. @param {HTMLCanvasElement} canvas @param {Uint32Array} colours */
export function paintRamp(canvas, colours) {
  const context = canvas.getContext("2d"), image = context.createImageData(256, 1);
  new Uint32Array(image.data.buffer).set(colours);
  context.putImageData(image, 0, 0);
}

/**
 * @param {CanvasRenderingContext2D} context @param {Theme} theme @param {string} text @param {number} x @param {number} y
 * @param {{ align?: CanvasTextAlign, alpha?: number, size?: number, rim?: boolean, most?: number }} [options]
 *   rim: in the background's colour, to be read on a picture; most: CSS pixels it may be wide, or its type gets smaller
 */
export function label(context, theme, text, x, y, { align = "right", alpha = 0.7, size = 11, rim = false, most = Infinity } = {}) {
  const type = size * theme.scale;
  context.font = `${type}px ${theme.font}`;
  const width = most === Infinity ? 0 : context.measureText(text).width;
  if (width > most) context.font = `${(type * most) / width}px ${theme.font}`;
  context.textAlign = align;
  context.textBaseline = "middle";
  if (rim) {
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeStyle = theme.back;
    context.strokeText(text, x, y);
  }
  context.fillStyle = theme.ink(alpha);
  context.fillText(text, x, y);
}

/** A thin frame around a plot. @param {CanvasRenderingContext2D} context @param {Box} box @param {Theme} theme */
export function frame(context, { x, width, height }, theme) {
  context.strokeStyle = theme.ink(0.25);
  context.lineWidth = 1;
  context.strokeRect(x + 0.5, 0.5, width - 1, height - 1);
}

/**
 * A dashed line of two strokes, that can be seen on both ends of a colour map.
 * @param {CanvasRenderingContext2D} context @param {Theme} theme @param {() => void} path
 */
export function dashedLine(context, theme, path) {
  context.beginPath();
  path();
  context.setLineDash([6, 5]);
  context.lineWidth = 3.5;
  context.strokeStyle = theme.back;
  context.stroke();
  context.lineWidth = 1.25;
  context.strokeStyle = theme.ink(0.9);
  context.stroke();
  context.setLineDash([]);
}

/**
 * A line at a moment, over everything.
 * @param {CanvasRenderingContext2D} context @param {Theme} theme @param {number} x @param {number} height @param {string} colour
 * @param {number} width
 */
export function moment(context, theme, x, height, colour, width = 1.5) {
  context.fillStyle = theme.back;
  context.fillRect(x - width / 2 - 1, 0, width + 2, height);
  context.fillStyle = colour;
  context.fillRect(x - width / 2, 0, width, height);
}

/** A horizontal line through a row. @param {CanvasRenderingContext2D} context @param {Theme} theme @param {Box} box @param {number} y */
export function rowLine(context, theme, { x, width }, y) {
  context.strokeStyle = theme.ink(0.9);
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + width, y);
  context.stroke();
}

/**
 * How strongly each CSS column of a plot takes part in a beam, 0 to 1.
 * @param {number} width @param {{ edges: ArrayLike<number>, start: number, weights: ArrayLike<number> }} beam
 * @param {(time: number) => number} place a time's x within the plot
 */
export function beamShares(width, { edges, start, weights }, place) {
  const shares = new Float64Array(Math.ceil(width) + 1);
  let top = 1e-9;
  for (let n = 0; n < weights.length; n++) top = Math.max(top, weights[n]);
  for (let n = 0; n < weights.length; n++) {
    const share = weights[n] / top;
    if (share < 1e-3) continue;
    const first = Math.floor(place(edges[start + n])), last = Math.max(Math.ceil(place(edges[start + n + 1])), first + 1);
    for (let x = Math.max(0, first); x < Math.min(shares.length, last); x++) shares[x] = Math.max(shares[x], share);
  }
  return shares;
}

/**
 * The dark around a beam, in runs of equal strength.
 * @param {CanvasRenderingContext2D} context @param {Theme} theme @param {Box} box @param {Float64Array} shares
 * @param {number} [darkness]
 */
export function drawBeam(context, theme, box, shares, darkness = 0.68) {
  /** @param {number} x */
  const level = (x) => Math.round(BEAM_LEVELS * (1 - Math.sqrt(shares[x])));
  context.fillStyle = theme.back;
  for (let x = 0; x < box.width; ) {
    const now = level(x);
    let end = x + 1;
    while (end < box.width && level(end) === now) end++;
    if (now) {
      context.globalAlpha = (darkness * now) / BEAM_LEVELS;
      context.fillRect(box.x + x, 0, Math.min(end, box.width) - x, box.height);
    }
    x = end;
  }
  context.globalAlpha = 1;
}

/**
 * The axis of time under a plot.
 * @param {CanvasRenderingContext2D} context @param {Theme} theme @param {Box} box
 * @param {{ step: number, places: number, times: number[] }} ticks @param {(time: number) => number} place a time's x
 * @param {number} [size] of the type
 */
export function drawTimeAxis(context, theme, box, ticks, place, size = 11) {
  context.strokeStyle = theme.ink(0.4);
  context.lineWidth = 1;
  for (const time of ticks.times) {
    const unit = !box.x && time === ticks.times[ticks.times.length - 1] ? " s" : ""; // beside the plot there is no room for it
    const x = place(time), text = time.toFixed(ticks.places) + unit, half = 0.29 * size * theme.scale * text.length;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, TALLEST_TICK);
    context.stroke();
    label(context, theme, text, Math.min(Math.max(x, box.x + half), box.x + box.width - half), 13 * theme.scale, { align: "center", size });
  }
  if (box.x) label(context, theme, "time, s", box.x - 6, 13 * theme.scale, { size, most: box.x - 8 });
}

/**
 * Where a label may stand beside a plot without being cut.
 * @param {Box} box @param {number} share of its height, from the top @param {number} scale of the type
 */
export const labelPlace = ({ height }, share, scale) => clamp(share * height, 6 * scale, height - 5 * scale);
