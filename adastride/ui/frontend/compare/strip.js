// @ts-check
// Displacements drawn by hand: a pen on the strip, or keys. Values are steps of a logarithmic scale, so that a link holds them.

import { clamp, encodeLetters } from "../numbers.js";

const DRAW_STEPS = 62, KEY_STEPS = 4;
export const DRAW_LIMIT = 3; // of ln; the same two in compare/link.py
const PAD = 3; // CSS pixels above and below

/** @param {number} value to the nearest step */
const snapped = (value) => (Math.round(((value + DRAW_LIMIT) / (2 * DRAW_LIMIT)) * DRAW_STEPS) / DRAW_STEPS) * 2 * DRAW_LIMIT - DRAW_LIMIT;

/** @param {number[]} values */
export const encodeDrawn = (values) => encodeLetters(values, DRAW_LIMIT, DRAW_STEPS);

/** @typedef {{ at: number, value: number }} Point of a curve: its place in the list, and its value */

/**
 * The pen moved from one point to another: everything between them lies on the line.
 * @param {number[]} values @param {Point} a @param {Point} b
 */
export function drawLine(values, a, b) {
  const drawn = [...values], steps = Math.abs(b.at - a.at);
  for (let n = 0; n <= steps; n++) {
    const share = steps ? n / steps : 1;
    drawn[a.at + Math.sign(b.at - a.at) * n] = snapped(a.value + share * (b.value - a.value));
  }
  return drawn;
}

/** @param {number} value @param {number} by */
export const stepValue = (value, by) => snapped(clamp(value + (by * KEY_STEPS * 2 * DRAW_LIMIT) / DRAW_STEPS, -DRAW_LIMIT, DRAW_LIMIT));

/**
 * Follows a pen over the strip.
 * @param {HTMLElement} element
 * @param {object} strip
 * @param {() => number} strip.count points of the curve
 * @param {(event: MouseEvent) => number} strip.share where the pointer is in the clip, 0 to 1
 * @param {(from: Point, to: Point) => void} strip.draw
 * @param {(event: PointerEvent | null) => void} strip.hover
 * @param {AbortSignal} signal ends it
 */
export function followPen(element, { count, share, draw, hover }, signal) {
  /** @type {Point | null} */
  let last = null;
  /** @type {(type: string, handler: (event: any) => void) => void} */
  const on = (type, handler) => element.addEventListener(type, handler, { signal });
  const point = (/** @type {MouseEvent} */ event) => {
    const box = element.getBoundingClientRect(), up = clamp(1 - (2 * (event.clientY - box.top - PAD)) / (box.height - 2 * PAD), -1, 1);
    return { at: clamp(Math.floor(share(event) * count()), 0, count() - 1), value: DRAW_LIMIT * up };
  };
  on("pointerdown", (event) => {
    if (event.button) return;
    element.setPointerCapture(event.pointerId);
    last = point(event);
    draw(last, last);
  });
  on("pointermove", (event) => {
    if (!last) return hover(event);
    const next = point(event);
    draw(last, next);
    last = next;
  });
  for (const type of ["pointerup", "pointercancel"]) on(type, () => { last = null; });
  on("pointerleave", () => hover(null));
}
