// @ts-check
// The sounds of a clip: its own, and those that the network answers with. One is chosen; another goes on at the same place.

import { wavBlob } from "./player.js";
import { segments, whenQuiet } from "./view.js";

/**
 * @typedef {{ title: string, key: string, rate?: number }} Described
 * @typedef {object} Listener the view that has the sounds
 * @property {import("./player.js").Player} player
 * @property {{ ask: () => void }} requests
 * @property {AbortSignal} signal
 */

const QUIET_MS = 120; // no setting has moved for so long: time to make the sound of it
const MOST_KEPT = 12; // sounds of earlier settings, of which somebody may want one again

export class Sounds {
  /** @param {Listener} view */
  constructor(view) {
    this.view = view;
    this.host = document.createElement("span"); // stands over the waveform
    this.host.className = "segments hear";
    this.host.hidden = true;
    this.host.setAttribute("role", "radiogroup");
    this.host.setAttribute("aria-label", "Sound to hear");
    this.host.title = "Goes on at the same place; key A takes the next one";
    /** @type {Described[]} */
    this.offered = [];
    /** @type {Map<string, Blob>} by key, the latest last */
    this.made = new Map();
    /** @type {Blob | null} of the clip itself */
    this.own = null;
    /** @type {Blob | null} */
    this.playing = null;
    this.chosen = 0; // 0 is the clip, n the n-th of those offered
    this.wanting = false;
    this.soon = whenQuiet(() => this.want(), QUIET_MS, view.signal);
  }

  /** Another clip. @param {Blob} own */
  open(own) {
    this.own = this.playing = own;
    this.made.clear();
    this.view.player.open(own);
  }

  /** What an answer offers, and the sounds that came with it. @param {Described[]} offered @param {Record<string, any>} arrays */
  take(offered, arrays) {
    this.offered = offered;
    offered.forEach(({ key, rate }, n) => { if (arrays[`heard${n}`]) this.keep(key, wavBlob(arrays[`heard${n}`], rate)); });
    if (this.chosen > offered.length) this.chosen = 0;
    this.refresh();
  }

  /** @param {string} key @param {Blob} sound */
  keep(key, sound) {
    this.made.delete(key);
    this.made.set(key, sound);
    if (this.made.size > MOST_KEPT) this.made.delete(this.made.keys().next().value);
  }

  /**
   * Keys of sounds that are to come with the next answer; none unless somebody wants to hear them. Making one may take a second, so that
   * they come one at a time, and the chosen one first.
   */
  get asked() {
    const { missing } = this, chosen = this.offered[this.chosen - 1]?.key, first = missing.includes(chosen) ? chosen : missing[0];
    const hear = this.wanting && first ? [first] : [];
    this.wanting = false;
    return { hear };
  }

  /** @returns {string[]} */
  get missing() { return this.offered.map(({ key }) => key).filter((key) => !this.made.has(key)); }

  want() {
    if (!this.chosen || !this.missing.length) return;
    this.wanting = true;
    this.view.requests.ask();
  }

  /** @param {number} n */
  choose(n) {
    this.chosen = n;
    this.refresh();
    if (n && this.missing.length) this.want();
  }

  /** The next sound. Gives whether there is one. */
  next() {
    if (this.offered.length) this.choose((this.chosen + 1) % (this.offered.length + 1));
    return this.offered.length > 0;
  }

  refresh() {
    const { host, offered, chosen } = this;
    host.hidden = !offered.length;
    segments(host, [[0, "Original"], ...offered.map(({ title }, n) => [n + 1, title])], chosen, (n) => this.choose(n));
    const sound = chosen ? this.made.get(offered[chosen - 1].key) : this.own;
    host.setAttribute("aria-busy", String(!sound));
    if (!sound || sound === this.playing) return;
    this.playing = sound;
    this.view.player.exchange(sound);
  }

  /** All settings are as the server has them: the sound of them may be made. */
  settled() { if (this.chosen && this.missing.length) this.soon.ask(); }
}
