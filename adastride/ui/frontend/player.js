// @ts-check
// The sound of a clip, on the view's axis of time.

import { clamp } from "./numbers.js";

/** @typedef {import("./timeline.js").Timeline} Timeline */

/** @type {Player | null} of all players of the page, the one that was started last */
let sounding = null;

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
    this.signal = signal;
    this.playhead = 0; // seconds
    this.until = Infinity; // seconds at which it stops
    this.audio = this.element();
    button.addEventListener("click", () => this.toggle(), { signal });
    signal.addEventListener("abort", () => this.close());
  }

  /** What plays a sound; of several only the one in use is listened to. */
  element() {
    const audio = new Audio(), { signal } = this;
    /** @param {string} type @param {() => void} act */
    const on = (type, act) => audio.addEventListener(type, () => { if (audio === this.audio) act(); }, { signal });
    on("play", () => {
      if (sounding !== this) sounding?.audio.pause();
      sounding = this;
      this.button.textContent = "Pause";
      this.animate();
    });
    for (const type of ["ended", "pause"]) on(type, () => this.stopped());
    on("seeked", () => this.moveTo(audio.currentTime));
    return audio;
  }

  /** Another clip. @param {Blob} sound */
  open(sound) {
    this.close();
    this.audio.src = URL.createObjectURL(sound);
    this.playhead = 0;
    this.button.textContent = "Play"; // another source drops the event that tells of the pause
  }

  /** Another sound of the same clip: it goes on where the last one was. @param {Blob} sound */
  exchange(sound) {
    const before = this.audio, playing = !before.paused, next = this.audio = this.element();
    next.src = URL.createObjectURL(sound);
    next.currentTime = before.currentTime;
    if (playing) next.play().catch(() => this.stopped());
    this.release(before);
  }

  close() { this.release(this.audio); }

  /** @param {HTMLAudioElement} audio */
  release(audio) {
    audio.pause();
    if (audio.src) URL.revokeObjectURL(audio.src);
  }

  toggle() {
    const { from, to } = this.timeline;
    if (!this.audio.paused) this.audio.pause();
    else this.playFrom(this.playhead > from && this.playhead < to - NEARLY ? this.playhead : from);
  }

  /** @param {number} seconds @param {number} [until] seconds at which it stops */
  playFrom(seconds, until = Infinity) {
    this.until = until;
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
    if (now >= this.until) this.audio.pause();
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
