// @ts-check
// Animation frames that end with a view, and settings that move by themselves.

/** @typedef {import("./lesson.js").Lesson} Lesson */

const MOVED_DIGITS = 6;

export class Frames {
  /** @param {AbortSignal} signal */
  constructor(signal) {
    /** @type {Set<number>} those asked for */
    this.waiting = new Set();
    signal.addEventListener("abort", () => { for (const frame of this.waiting) this.cancel(frame); });
  }

  /** Calls `act` in the next frame, unless the view is gone by then. @param {() => void} act */
  next(act) {
    const frame = requestAnimationFrame(() => {
      this.waiting.delete(frame);
      act();
    });
    this.waiting.add(frame);
    return frame;
  }

  /** @param {number} frame */
  cancel(frame) {
    cancelAnimationFrame(frame);
    this.waiting.delete(frame);
  }
}

/** Does somebody want nothing on the page to move by itself? */
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Moves a setting from its lowest value to its highest; for those who want nothing to move, at once. */
export class Mover {
  /** @param {Lesson} lesson */
  constructor(lesson) {
    this.lesson = lesson;
    /** @type {number | null} */
    this.frame = null;
  }

  get moving() { return this.frame !== null; }

  stop() {
    if (this.moving) this.lesson.frames.cancel(this.frame);
    this.frame = null;
  }

  /** Begins, or stops what moves. @param {string} name of the setting @param {number} seconds @param {number} grain of its values */
  toggle(name, seconds, grain) {
    if (this.moving) {
      this.stop();
      this.lesson.draw();
      return;
    }
    const { low, high } = this.lesson.control(name), began = performance.now();
    if (still()) {
      this.moveTo(name, this.lesson.settings[name] < high ? high : low, grain); // a second press shows where it begins
      return;
    }
    const tick = () => {
      const share = Math.min(1, (performance.now() - began) / (1000 * seconds));
      this.moveTo(name, Math.round((low + share * (high - low)) / grain) * grain, grain);
      this.frame = share < 1 ? this.lesson.frames.next(tick) : null;
      if (share === 1) this.lesson.draw();
    };
    this.frame = this.lesson.frames.next(tick);
  }

  /** @param {string} name @param {number} value @param {number} grain */
  moveTo(name, value, grain) {
    const { lesson } = this;
    if (Math.abs(value - lesson.settings[name]) <= grain / 2) return;
    lesson.change({ [name]: Number(value.toPrecision(MOVED_DIGITS)) }, lesson.control(name).term);
  }
}
