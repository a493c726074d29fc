// @ts-check
// The scores that are drawn by hand: an invisible slider lies over every bar of the picture, for a pointer and for keys.

import { clamp, digits } from "../numbers.js";

/** @typedef {import("./lesson.js").Lesson} Lesson */

const GRAIN = 10; // of a score: tenths
const KEY_STEP = 0.1, LARGE_KEY_STEP = 1; // of a score; the large one with the shift key
const OPENING_FRAME = 11; // the one tab stop: a bar in the middle

export class Bars {
  /** @param {Lesson} lesson @param {HTMLElement} box */
  constructor(lesson, box) {
    this.lesson = lesson;
    this.box = box;
    /** @type {{ frame: number, score: number } | null} where the pointer was last, while it is pressed */
    this.last = null;
    this.listen();
  }

  /** @returns {HTMLElement[]} */
  get all() { return /** @type {HTMLElement[]} */ ([...this.box.children]); }

  get scores() { return this.lesson.settings.bars; }

  get term() { return this.lesson.control("bars").term; }

  // ------------------------------------------------------------ what there is

  /** A bar for each frame, none where the step has no bars. @param {number} count */
  build(count) {
    this.last = null;
    this.box.hidden = !count;
    this.box.setAttribute("aria-label", `Scores of ${count} frames: left and right choose a frame, up and down move its bar`);
    this.box.replaceChildren(...Array.from({ length: count }, (_, frame) => this.makeBar(frame)));
  }

  /** @param {number} frame */
  makeBar(frame) {
    const bar = document.createElement("i"), { limit } = this.lesson.header;
    const attributes = {
      role: "slider", "aria-orientation": "vertical", "aria-label": `Displacement of frame ${frame}`,
      "aria-valuemin": -limit, "aria-valuemax": limit,
    };
    for (const [name, value] of Object.entries(attributes)) bar.setAttribute(name, String(value));
    bar.tabIndex = frame === OPENING_FRAME ? 0 : -1;
    bar.addEventListener("focus", () => this.lesson.choose(frame, this.term));
    return bar;
  }

  /** Says the scores to those who hear the page. @param {number[]} scores */
  show(scores) {
    this.all.forEach((bar, frame) => {
      const score = scores[frame].toFixed(1);
      bar.setAttribute("aria-valuenow", score);
      bar.setAttribute("aria-valuetext", `${digits(Math.exp(scores[frame]))}, score ${score}`);
    });
  }

  /** Lays the bars over those of the picture, in CSS pixels. @param {{ x: number, y: number, width: number, height: number }} place */
  place({ x, y, width, height }) {
    Object.assign(this.box.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    const share = 100 / this.all.length;
    this.all.forEach((bar, frame) => Object.assign(bar.style, { left: `${frame * share}%`, width: `${share}%` }));
  }

  // ------------------------------------------------------------ the pointer

  listen() {
    const { lesson, box } = this;
    lesson.on(box, "pointerdown", (event) => {
      box.setPointerCapture(event.pointerId);
      event.preventDefault();
      this.last = this.drawTo(event, null);
    });
    lesson.on(box, "pointermove", (event) => {
      if (this.last) this.last = this.drawTo(event, this.last);
      else lesson.choose(this.at(event).frame, this.term);
    });
    for (const type of ["pointerup", "pointercancel"]) lesson.on(box, type, () => { this.last = null; });
  }

  /** The frame and the score at a place of the pointer. @param {PointerEvent} event */
  at(event) {
    const { limit } = this.lesson.header, { length } = this.scores;
    const { left, top } = this.box.getBoundingClientRect(), { clientWidth, clientHeight } = this.box;
    const frame = clamp(Math.floor(((event.clientX - left) / clientWidth) * length), 0, length - 1);
    return { frame, score: (1 - (event.clientY - top) / clientHeight) * 2 * limit - limit };
  }

  /**
   * Sets the bars from the last place of the pointer to this one, as a pen draws: a quick hand leaves none out.
   * @param {PointerEvent} event @param {{ frame: number, score: number } | null} last
   */
  drawTo(event, last) {
    const now = this.at(event), from = last ?? now, scores = [...this.scores];
    const count = Math.abs(now.frame - from.frame), direction = Math.sign(now.frame - from.frame);
    for (let n = 0; n <= count; n++) {
      const share = count ? n / count : 1;
      scores[from.frame + direction * n] = this.rounded(from.score + (now.score - from.score) * share);
    }
    this.lesson.chosen = now.frame;
    this.lesson.change({ bars: scores }, this.term);
    return now;
  }

  /** @param {number} score */
  rounded(score) {
    const { limit } = this.lesson.header;
    return Math.round(clamp(score, -limit, limit) * GRAIN) / GRAIN;
  }

  // ------------------------------------------------------------ keys

  /**
   * An arrow key on a bar: sideways to its neighbour, up and down to another score. False where the key was meant for something else.
   * @param {EventTarget} target @param {[right: number, up: number]} arrow @param {boolean} large
   */
  key(target, [right, up], large) {
    const frame = this.all.indexOf(/** @type {HTMLElement} */ (target));
    if (frame < 0) return false;
    if (right) this.focus(frame, frame + right);
    else this.raise(frame, up * (large ? LARGE_KEY_STEP : KEY_STEP));
    return true;
  }

  /** @param {number} from @param {number} to */
  focus(from, to) {
    const bars = this.all, next = bars[clamp(to, 0, bars.length - 1)];
    bars[from].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  /** @param {number} frame @param {number} by */
  raise(frame, by) {
    const scores = [...this.scores];
    scores[frame] = this.rounded(scores[frame] + by);
    this.lesson.change({ bars: scores }, this.term);
  }
}
