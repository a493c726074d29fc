// @ts-check
// The axis of time that all panels of a view share: the window in view, how people move it, where its ticks stand, and the sound.

import { clamp } from "./numbers.js";

const SHORTEST = 0.05; // seconds: a window is not made smaller
const STEPS = [1, 2, 5, 10, 20, 50, 100];
const CLICK = 4; // CSS pixels: what moves further is a drag

/** The window of time in view. */
export class Timeline {
  /** @param {() => void} changed called after every move */
  constructor(changed) {
    this.changed = changed;
    this.seconds = 0;
    this.from = 0;
    this.to = 0;
  }

  /** @returns {{ from: number, to: number }} */
  get view() { return { from: this.from, to: this.to }; }

  get whole() { return this.from <= 0 && this.to >= this.seconds - 1e-9; }

  /** Another clip, and what of it is in view first. @param {number} seconds @param {number} [from] @param {number} [to] */
  open(seconds, from = 0, to = seconds) {
    this.seconds = seconds;
    [this.from, this.to] = [from, Math.min(to, seconds)];
  }

  /**
   * Shows from..to, or as much of it as there is: never less than a moment, never beyond the clip.
   * @param {number} from @param {number} to
   */
  show(from, to) {
    const span = clamp(to - from, Math.min(this.seconds, SHORTEST), this.seconds);
    this.from = clamp(from, 0, this.seconds - span);
    this.to = this.from + span;
    this.changed();
  }

  fit() { this.show(0, this.seconds); }

  /** @param {number} factor of the window's length @param {number} [centre] seconds that stay where they are */
  zoom(factor, centre = (this.from + this.to) / 2) {
    this.show(centre - (centre - this.from) * factor, centre + (this.to - centre) * factor);
  }

  /** @param {number} share of the window */
  pan(share) {
    const shift = share * (this.to - this.from);
    this.show(this.from + shift, this.to + shift);
  }

  /** A time's place, as a share of the window. @param {number} time */
  share(time) { return (time - this.from) / (this.to - this.from); }

  /** The time at a share of the window, within the clip. @param {number} share */
  time(share) { return clamp(this.from + share * (this.to - this.from), 0, this.seconds); }
}

/**
 * Round times for the axis, so far apart that labels fit.
 * @param {{ from: number, to: number }} view @param {number} width CSS pixels
 * @param {(text: string) => number} room CSS pixels that a label needs
 */
export function timeTicks({ from, to }, width, room) {
  const power = 10 ** Math.floor(Math.log10((to - from) / 100));
  /** @param {number} step */
  const decimals = (step) => Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const fits = STEPS.map((m) => m * power).find((step) => (step / (to - from)) * width > room(to.toFixed(decimals(step))));
  const step = fits ?? 200 * power, times = [];
  for (let n = Math.ceil(from / step - 1e-9); n * step <= to + 1e-9; n++) times.push(n * step);
  return { step, places: decimals(step), times };
}

/**
 * Pointers over a panel: hovering, clicking, dragging to pan, pinching and Ctrl + wheel to zoom. The wheel alone scrolls the page.
 * @param {HTMLElement} element
 * @param {Timeline} timeline
 * @param {object} panel
 * @param {() => { left: number, width: number }} panel.plot where the element's time axis lies, in CSS pixels from its left edge
 * @param {(event: PointerEvent | null, time: number) => void} panel.hover null: the pointer has left
 * @param {(time: number) => void} panel.press
 * @param {boolean} [panel.touchHovers] a finger that is put down hovers, too
 * @param {AbortSignal} signal ends it
 */
export function followPointer(element, timeline, { plot, hover, press, touchHovers = false }, signal) {
  const fingers = new Map();
  let began = { x: 0, view: timeline.view, moved: false, spread: 0 };
  /** @type {(type: string, handler: (event: any) => void, options?: AddEventListenerOptions) => void} */
  const on = (type, handler, options) => element.addEventListener(type, handler, { ...options, signal });
  /** @param {MouseEvent} event */
  const timeAt = (event) => timeline.time((event.clientX - element.getBoundingClientRect().left - plot().left) / plot().width);

  on("pointerdown", (event) => {
    if (event.button) return;
    element.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event.clientX);
    began = { x: event.clientX, view: timeline.view, moved: fingers.size > 1, spread: spread(fingers) };
    if (touchHovers && event.pointerType === "touch") hover(event, timeAt(event));
  });
  on("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return hover(event, timeAt(event));
    fingers.set(event.pointerId, event.clientX);
    if (fingers.size === 2 && began.spread) pinch(timeline, began, spread(fingers));
    else if (began.moved || Math.abs(event.clientX - began.x) > CLICK) {
      began.moved = true;
      drag(timeline, began, (began.x - event.clientX) / plot().width);
    }
  });
  /** @param {PointerEvent} event */
  const end = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (event.type === "pointerup" && !began.moved && !fingers.size) press(timeAt(event));
  };
  on("pointerup", end);
  on("pointercancel", end);
  on("pointerleave", () => hover(null, 0));
  on("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) timeline.zoom(Math.exp(clamp(event.deltaY, -60, 60) / 120), timeAt(event));
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) timeline.pan((event.deltaX || event.deltaY) / plot().width);
    else return;
    event.preventDefault();
  }, { passive: false });
}

/** How far two fingers are apart. @param {Map<number, number>} fingers */
function spread(fingers) {
  const [a, b] = [...fingers.values()];
  return fingers.size > 1 ? Math.abs(a - b) : 0;
}

/** @param {Timeline} timeline @param {{ view: { from: number, to: number }, spread: number }} began @param {number} now */
function pinch(timeline, { view: { from, to }, spread: before }, now) {
  const half = ((to - from) * before) / Math.max(8, now) / 2, centre = (from + to) / 2;
  timeline.show(centre - half, centre + half);
}

/** @param {Timeline} timeline @param {{ view: { from: number, to: number } }} began @param {number} share of the window */
function drag(timeline, { view: { from, to } }, share) {
  const shift = share * (to - from);
  timeline.show(from + shift, to + shift);
}

/**
 * Keys that move the window. Gives whether the key was one of them.
 * @param {string} key @param {Timeline} timeline @param {number} [centre] as in zoom
 */
export function zoomWithKey(key, timeline, centre) {
  if (key === "+" || key === "=") timeline.zoom(0.5, centre);
  else if (key === "-") timeline.zoom(2, centre);
  else if (key === "0") timeline.fit();
  else return false;
  return true;
}
