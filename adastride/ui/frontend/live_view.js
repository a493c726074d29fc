// What every live component is.

import { clamp } from "./numbers.js";

// A component that talks with the server: at most one request is under way, and the newest values wait.
export class LiveView {
  constructor(root) {
    this.root = root;
    this.one = (selector) => root.querySelector(selector);
    this.sequence = 0;
    this.underWay = null; // sequence number of the request the server is working on
    this.waiting = false; // the settings have moved on since it was sent
    this.disposers = [];
  }

  on(target, type, handler, options) {
    target.addEventListener(type, handler, options);
    this.disposers.push(() => target.removeEventListener(type, handler, options));
  }

  note(kind, value) {
    globalThis.adastrideLog?.push([kind, performance.now(), value]); // tests and benchmarks set this array; otherwise nothing is kept
  }

  // The sound of the clip. The component has its audio element, seconds (how long it is), view, setView, cover and a place for messages.

  wirePlayer(message) {
    this.message = message;
    this.on(this.one(".play"), "click", () => this.togglePlay());
    this.on(this.audio, "ended", () => this.stopped());
    this.on(this.audio, "pause", () => this.stopped());
    this.on(this.audio, "play", () => { this.one(".play").textContent = "Pause"; this.animate(); });
  }

  togglePlay() {
    const { from, to } = this.view;
    if (this.audio.paused) this.playFrom(this.playhead > from && this.playhead < to - 0.02 ? this.playhead : from);
    else this.audio.pause();
  }

  playFrom(seconds) {
    this.audio.currentTime = this.playhead = clamp(seconds, 0, Math.max(0, this.seconds - 0.01));
    this.audio.play().catch(() => { this.message.textContent = "This browser can't play the clip."; });
    this.cover();
  }

  stopped() {
    this.one(".play").textContent = "Play";
    this.playhead = this.audio.ended ? 0 : this.audio.currentTime;
    this.cover();
  }

  animate() {
    if (this.audio.paused) return;
    const { from, to } = this.view;
    this.playhead = this.audio.currentTime;
    if (this.playhead > to && to < this.seconds) this.setView(this.playhead, this.playhead + to - from);
    this.cover();
    requestAnimationFrame(() => this.animate());
  }

  async copyLink() {
    const button = this.one(".link"), url = this.link();
    history.replaceState(history.state, "", url);
    try { await navigator.clipboard.writeText(url); button.textContent = "Link copied"; }
    catch { button.textContent = "Link is in the address bar"; } // no clipboard without HTTPS
    setTimeout(() => { button.textContent = "Copy link"; }, 2000);
  }

  prepare(canvas) {
    const ratio = window.devicePixelRatio || 1, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  paintRamp(canvas, colours) {
    const context = canvas.getContext("2d"), image = context.createImageData(256, 1);
    new Uint32Array(image.data.buffer).set(colours);
    context.putImageData(image, 0, 0);
  }
}
