// @ts-check
// Parts that several pictures have: axes, bars, the line of output frames.

import { fillAlignment } from "../alignment.js";
import { RAMPS } from "../colours.js";
import { digits } from "../numbers.js";

/** @typedef {import("./pen.js").Pen} Pen */
/** @typedef {import("./lesson.js").Lesson} Lesson */

const FULL_BAR = 0.76; // of a column's width

/**
 * A colour map with its ends and what it stands for, one line high.
 * @param {Pen} pen @param {number} y @param {Uint32Array} colours @param {{ low: string, high: string, words: string }} ends
 */
export function drawColourBar(pen, y, colours, { low, high, words }) {
  const { k } = pen, width = Math.min(150 * k, pen.inner / 3), gap = 6;
  let x = pen.left + pen.text(low, pen.left, y) + gap;
  pen.pixels(x, y - 5 * k, width, 10 * k, (pixels, across) => {
    for (let i = 0; i < pixels.length; i++) pixels[i] = colours[Math.floor(((i % across) * 255) / Math.max(1, across - 1))];
  });
  x += width + gap;
  x += pen.text(high, x, y) + 2 * gap;
  pen.text(words, x, y);
}

/**
 * The frames of a time axis, numbered as often as there is room.
 * @param {Pen} pen @param {number} y @param {number} frames @param {string} words
 */
export function drawFrameAxis(pen, y, frames, words) {
  const every = [1, 2, 4, 5, 8, 10, 16, 20, 32, 50].find((n) => (frames / n) * 34 * pen.k < pen.inner) ?? 100;
  for (let t = 0; t < frames; t += every) pen.text(String(t), pen.x((t + 0.5) / frames), y, { align: "center" });
  pen.text(words, pen.width, y + 16 * pen.k, { align: "right" });
}

/**
 * Numbers under output frames, as often as there is room.
 * @param {Pen} pen @param {number} y @param {number} frames @param {(i: number) => number} place
 */
export function drawIndices(pen, y, frames, place) {
  const every = Math.ceil((frames * 26 * pen.k) / pen.inner);
  for (let i = 0; i < frames; i += every) pen.text(String(i), place(i), y, { align: "center" });
}

/**
 * A bar for each of the values, standing on `base`.
 * @param {Pen} pen @param {number} base @param {number[]} values
 * @param {(value: number) => number} height @param {(t: number) => string} colour
 */
export function drawBars(pen, base, values, height, colour) {
  const step = pen.inner / values.length;
  values.forEach((value, t) => {
    const high = height(value);
    pen.box(pen.left + t * step + step * 0.12, base - high, step * FULL_BAR, high, colour(t));
  });
}

/**
 * The scores that a hand moves, on a logarithmic axis of displacements; the draggable bars are laid over them.
 * @param {Pen} pen @param {number} y @param {number} height @param {Lesson} lesson
 */
export function drawScoreBars(pen, y, height, lesson) {
  const { theme } = pen, { bars } = lesson.settings, { limit } = lesson.header, middle = y + height / 2, step = pen.inner / bars.length;
  /** @param {number} score */
  const place = (score) => middle - (score / limit) * (height / 2);
  for (const [score, words] of /** @type {[number, string][]} */ ([
    [limit, digits(Math.exp(limit), 2)], [0, "1"], [-limit, digits(Math.exp(-limit), 1)],
  ])) {
    pen.level(place(score), theme.ink(0.16));
    pen.beside(words, place(score));
  }
  bars.forEach((/** @type {number} */ score, /** @type {number} */ t) => {
    const top = place(score), x = pen.left + t * step;
    pen.box(x + step * 0.12, top, step * FULL_BAR, y + height - top, t === lesson.chosen ? theme.play : theme.layers[0]);
  });
  lesson.placeBars({ x: pen.left, y, width: pen.inner, height });
}

/**
 * The line of output frames with input frames on it, and threads from where those lie in time.
 * @param {Pen} pen @param {{ top: number, bottom: number }} place @param {number[]} positions @param {number} frames
 * @param {number | null} chosen the input frame that somebody points at
 * @returns the x of a position
 */
export function drawPositionLine(pen, { top, bottom }, positions, frames, chosen) {
  const { theme, k } = pen, every = Math.ceil((frames * 26 * k) / pen.inner);
  /** @param {number} position */
  const at = (position) => pen.left + (frames > 1 ? position / (frames - 1) : 0.5) * pen.inner;
  /** @type {(t: number) => [[number, number], [number, number]]} */
  const thread = (t) => [[pen.x((t + 0.5) / positions.length), top], [at(positions[t]), bottom]];
  positions.forEach((_, t) => { if (t !== chosen) pen.line(thread(t), theme.ink(0.25)); });
  pen.line([[at(0), bottom], [at(frames - 1), bottom]], theme.ink(0.9), 1.5);
  for (let i = 0; i < frames; i++) {
    pen.line([[at(i), bottom - 5], [at(i), bottom + 5]], theme.ink(0.9), 1.5);
    if (i % every === 0) pen.text(String(i), at(i), bottom + 16 * k, { align: "center" });
  }
  positions.forEach((position, t) => { if (t !== chosen) pen.dot(at(position), bottom, 4, theme.layers[0]); });
  if (chosen != null && chosen < positions.length) {
    pen.line(thread(chosen), theme.play, 2.5);
    pen.dot(at(positions[chosen]), bottom, 6, theme.play);
  }
  return at;
}

/**
 * An alignment's matrix between the gutters, with the numbers of its first and last row.
 * @param {Pen} pen @param {number} y @param {number} height @param {any} layout of alignment.js, whose input frames end at 0, 1, ..., T
 */
export function drawAlignment(pen, y, height, layout) {
  const { T, L } = layout, colours = RAMPS[pen.theme.name];
  pen.pixels(pen.left, y, pen.inner, height, (pixels, across, down) =>
    fillAlignment(pixels, across, down, layout, { from: 0, to: T }, 0, L, colours));
}

/** @param {Pen} pen @param {number} y @param {number} height @param {number} frames @param {number} gap */
export function drawRowNumbers(pen, y, height, frames, gap) {
  pen.beside(String(frames - 1), y + 7 * pen.k, { gap });
  pen.beside("0", y + height - 7 * pen.k, { gap });
}

/** The edges of `frames` input frames of length 1. @param {number} frames */
export const frameEdges = (frames) => Float64Array.from({ length: frames + 1 }, (_, t) => t);
