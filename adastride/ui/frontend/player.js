// @ts-check
// The sound of a clip, on the view's axis of time.

import { clamp } from "./numbers.js";

/** @typedef {import("./timeline.js").Timeline} Timeline */

const NEARLY = 0.02; // seconds before the window's end: playing on from there would be over at once

export class Player {
  /**
   * @param {Timeline} timeline turns its page when the playhead leaves it
   * @param {object} shown
   * @param {HTMLElement} shown.button
   * @param {() => void} shown.moved called whenever the playhead has moved
   * @param {(message: string) => void} shown.failed
   * @param {AbortSignal} signal ends it
   */
  constructor(timeline, { button, moved, failed }, signal) {
    this.timeline = timeline;
    this.button = button;
    this.moved = moved;
    this.failed = failed;
    this.audio = new Audio();
    this.playhead = 0; // seconds
    /** @type {string | null} */
    this.url = null;
    button.addEventListener("click", () => this.toggle(), { signal });
    const { audio } = this;
    audio.addEventListener("play", () => { button.textContent = "Pause"; this.animate(); }, { signal });
    for (const type of ["ended", "pause"]) audio.addEventListener(type, () => this.stopped(), { signal });
    audio.addEventListener("seeked", () => this.moveTo(audio.currentTime), { signal });
    signal.addEventListener("abort", () => this.close());
  }

  /** @param {Blob} sound */
  open(sound) {
    this.close();
    this.url = URL.createObjectURL(sound);
    this.audio.src = this.url;
    this.playhead = 0;
  }

  close() {
    this.audio.pause();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }

  toggle() {
    const { from, to } = this.timeline;
    if (!this.audio.paused) this.audio.pause();
    else this.playFrom(this.playhead > from && this.playhead < to - NEARLY ? this.playhead : from);
  }

  /** @param {number} seconds */
  playFrom(seconds) {
    const time = clamp(seconds, 0, Math.max(0, this.timeline.seconds - 0.01));
    this.audio.currentTime = time;
    this.audio.play().catch(() => this.failed("This browser can't play the clip."));
    this.moveTo(time);
  }

  /** @param {number} seconds */
  moveTo(seconds) {
    this.playhead = seconds;
    this.moved();
  }

  stopped() {
    this.button.textContent = "Play";
    this.moveTo(this.audio.ended ? 0 : this.audio.currentTime);
  }

  animate() {
    if (this.audio.paused) return;
    const { from, to, seconds } = this.timeline, now = this.audio.currentTime;
    if (now > to && to < seconds) this.timeline.show(now, now + to - from);
    this.moveTo(now);
    requestAnimationFrame(() => this.animate());
  }
}

/** Samples of 16 bits as a sound file. @param {Int16Array<ArrayBuffer>} samples @param {number} rate */
export function wavBlob(samples, rate) {
  const header = new DataView(new ArrayBuffer(44)), bytes = samples.length * 2;
  /** @param {number} at @param {string} words */
  const text = (at, words) => [...words].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // one channel
  header.setUint32(24, rate, true);
  header.setUint32(28, rate * 2, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  text(36, "data");
  header.setUint32(40, bytes, true);
  return new Blob([header, samples], { type: "audio/wav" });
}
