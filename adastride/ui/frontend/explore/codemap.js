// @ts-check
// The codebook as a map: codes that are alike lie together and have like colours; those of the clip are lit.

import { frame, label, prepare } from "../canvas.js";
import { clamp } from "../numbers.js";
import { describe, write } from "../view.js";

const NEAR = 14; // CSS pixels: a code so far from the pointer is meant
const MARGIN = 12; // CSS pixels around the codes
const LARGEST = 9, SMALLEST = 3.5, UNUSED = 1.75; // CSS pixels: radii

export class CodeMap {
  /** @param {import("./bench.js").Bench} bench @param {HTMLElement} host */
  constructor(bench, host) {
    this.bench = bench;
    this.host = host;
    this.canvas = /** @type {HTMLCanvasElement} */ (host.querySelector("canvas"));
    /** @type {Int16Array} two for a code */
    this.points = new Int16Array();
    const { explorer } = bench;
    explorer.on(this.canvas, "pointermove", (event) => this.hover(event));
    explorer.on(this.canvas, "pointerleave", () => bench.refresh());
    explorer.on(this.canvas, "click", (event) => bench.choose(this.nearest(event)));
  }

  /** @param {Int16Array} points */
  take(points) { this.points = points.slice(); }

  /** How often each code occurs in what is in hand. */
  get counts() {
    const counts = new Uint32Array(this.points.length / 2);
    for (const code of this.bench.now.codes) counts[code]++;
    return counts;
  }

  get size() { return this.canvas.clientWidth; }

  /** @param {number} code @returns {[number, number]} CSS pixels */
  placeOf(code) {
    const reach = this.size / 2 - MARGIN, at = (/** @type {number} */ axis) => this.points[2 * code + axis] / 32767;
    return [this.size / 2 + reach * at(0), this.size / 2 - reach * at(1)];
  }

  /** The code under the pointer, -1 for none; of several the one that the clip has. @param {MouseEvent} event */
  nearest(event) {
    const { left, top } = this.canvas.getBoundingClientRect(), { counts } = this;
    let best = -1, least = NEAR;
    for (let code = 0; code < this.points.length / 2; code++) {
      const [x, y] = this.placeOf(code), away = Math.hypot(x - event.clientX + left, y - event.clientY + top) - (counts[code] ? 4 : 0);
      if (away < least) [best, least] = [code, away];
    }
    return best;
  }

  /** @param {MouseEvent} event */
  hover(event) {
    const code = this.nearest(event);
    this.canvas.style.cursor = code < 0 ? "default" : "pointer";
    if (code >= 0) this.bench.say(this.bench.codeNamed(code));
  }

  /** Steps through the codes of the clip. Gives whether the key meant something. @param {string} key */
  key(key) {
    const used = [...new Set(this.bench.now.codes)].sort((a, b) => a - b), at = used.indexOf(this.bench.chosen);
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
    if (by) this.bench.choose(used[clamp(at < 0 ? 0 : at + by, 0, used.length - 1)]);
    else if (key === "Enter" && at >= 0) this.bench.choose(this.bench.chosen);
    else if (key === "Escape") this.bench.choose(-1);
    else return false;
    return true;
  }

  refresh() {
    const { described } = this.bench, used = new Set(this.bench.now.codes).size;
    const explained = `${Math.round(100 * (described.explained ?? 0))} %`;
    const element = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (this.host.querySelector(selector));
    write(element(".map-title"), `Codebook: ${used} of ${described.known} codes occur`);
    write(element(".map-words"), `Two principal components, ${explained} of the codes’ variance`);
    describe(this.canvas, `Map of ${described.known} codes, ${used} of which occur. Arrow keys step through those that occur.`);
  }

  draw() {
    const { bench, size, counts } = this, { theme } = bench.explorer, { paints } = bench.described;
    const shade = theme.name === "light" ? 0 : 1;
    if (!size || !paints) return;
    this.canvas.style.height = `${size}px`;
    const context = prepare(this.canvas, { width: size, height: size });
    frame(context, { x: 0, width: size, height: size }, theme);
    const dot = (/** @type {number} */ code, /** @type {number} */ radius) => {
      const [x, y] = this.placeOf(code);
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
    };
    for (let code = 0; code < counts.length; code++) {
      if (counts[code]) continue;
      dot(code, UNUSED);
      context.fillStyle = theme.ink(0.28);
      context.fill();
    }
    counts.forEach((count, code) => {
      if (!count) return;
      dot(code, Math.min(LARGEST, SMALLEST + Math.sqrt(count)));
      context.fillStyle = paints[code][shade];
      context.fill();
      context.lineWidth = 1;
      context.strokeStyle = theme.ink(0.85);
      context.stroke();
    });
    for (const [code, colour] of [[bench.now.codes[bench.selected] ?? -1, theme.ink(1)], [bench.chosen, theme.accent]]) {
      if (Number(code) < 0) continue;
      dot(Number(code), LARGEST + 3);
      context.lineWidth = 2.5;
      context.strokeStyle = String(colour);
      context.stroke();
    }
    if (bench.chosen >= 0) {
      const [x, y] = this.placeOf(bench.chosen), right = x > size * 0.7, align = right ? "right" : "left";
      label(context, theme, `${bench.chosen}`, x + (right ? -16 : 16), y, { align, alpha: 1, size: 12, rim: true });
    }
  }
}
