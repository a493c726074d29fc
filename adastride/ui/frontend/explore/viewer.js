// @ts-check
// The linked viewer. The server sends each layer's normalised positions; everything drawn here follows from them.
//
// Every panel shares one time axis in seconds. An upper layer's input frames are the output frames of the layer below, so they are
// drawn as wide as the time they stand for. Dragging sigma or a stride redraws a layer at once, because its positions depend on
// neither; the layers above follow when the server has run the network again, and so does a layer without positions, of which the
// server sends a picture.

import { loadAssets } from "../assets.js";
import { paintRamp } from "../canvas.js";
import { RAMPS, readTheme } from "../colours.js";
import { component } from "../component.js";
import { Conversation } from "../conversation.js";
import { clamp, sameNumbers, whole } from "../numbers.js";
import { Player, wavBlob } from "../player.js";
import { Sheet } from "../sheet.js";
import { Timeline, zoomWithKey } from "../timeline.js";
import { View, note, onceAFrame, whenQuiet, write } from "../view.js";
import { Controls, valueOf } from "./controls.js";
import { unpackLanes } from "../lanes.js";
import { copySettings, inHand, layOutAll, melEdges } from "./layers.js";
import { Panels } from "./panels.js";
import { Patches } from "./patches.js";
import { showPrediction, spoken } from "./prediction.js";
import { exploreTables } from "./tables.js";
import { TranscriptView } from "./transcript.js";
import { Bench } from "./bench.js";
import { Sounds } from "../sounds.js";

/**
 * @typedef {import("./layers.js").Layer} Layer
 * @typedef {import("./layers.js").Settings} Settings
 * @typedef {import("./panels.js").Hover} Hover
 * @typedef {{ seconds: number | null, resolution: number }} Hearing the beginning of the clip that is heard, null for all of it, and the
 *   frame shift over the network's own
 */

const LENGTH_SNAP = 0.0101; // seconds: the clip's end need not be on the slider's grid
const ANSWER_TIMEOUT_MS = 20_000;
const QUIET_MS = 150; // the window has not moved for so long: time to ask for a finer picture of it
const LATE_MS = 250; // a quick answer makes no label flicker
const LARGE_CLIP = 500_000; // bytes of mel: the server should hear soon that it need not send it again
const SIGMA_STEP = 0.05; // of a key, in powers of ten
/** @type {Hearing} */
const EVERYTHING = { seconds: null, resolution: 1 };
const HELP = "Click to play from there. Drag to pan, Ctrl + wheel or pinch to zoom.";

/** @param {Hearing} one @param {Hearing} other */
const sameHearing = (one, other) => one.seconds === other.seconds && one.resolution === other.resolution;

export class Explorer extends View {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.timeline = new Timeline(() => this.redraw());
    this.requests = new Conversation((_, sequence) => this.request(sequence), {
      received: (packed) => this.receive(packed), link: () => this.link(),
      timeout: ANSWER_TIMEOUT_MS, expired: () => { if (this.firstStale < Infinity) this.requests.ask(); },
    });
    this.player = new Player(this.timeline, {
      button: this.one(".play"), moved: () => this.cover(), failed: (message) => write(this.one(".status"), message),
    }, this.signal);
    /** @type {any} */ this.clip = null;
    /** @type {any} */ this.header = null;
    /** @type {Settings[]} those in hand */ this.settings = null;
    /** @type {Layer[]} as the server ran them */ this.server = null;
    /** @type {Layer[]} with the settings in hand */ this.layers = null;
    /** @type {import("../lanes.js").Lane[]} */ this.lanes = [];
    /** @type {Hover | null} */ this.hover = null;
    /** @type {number | undefined} */ this.hoverTime = undefined;
    /** @type {any} */ this.pinned = null;
    /** @type {import("../colours.js").Theme} */ this.theme = null;
    /** @type {Float64Array} */ this.edges = null;
    /** @type {Hearing} what the network is to hear, in hand */ this.hearing = EVERYTHING;
    /** @type {Uint8Array | undefined} what it heard, where that is coarser than the clip's mel */ this.heardMel = undefined;
    this.tickLayer = 0;
    this.attending = false; // are queries and keys wanted?
    this.firstStale = Infinity; // the lowest layer whose picture is not exact
    this.everything = true;
    this.controls = new Controls(this);
    this.panels = new Panels(this);
    this.patches = new Patches(this);
    this.transcript = new TranscriptView(this);
    this.sounds = new Sounds(this);
    this.bench = new Bench(this);
    this.sheet = new Sheet(this, () => this.tables());
    this.drawSoon = onceAFrame(() => this.draw());
    this.coverSoon = onceAFrame(() => this.drawCover());
    this.sharpening = whenQuiet(() => this.sharpen(), QUIET_MS, this.signal);
    this.listen();
  }

  dispose() {
    this.requests.dispose();
    clearTimeout(this.lateTimer);
    super.dispose();
  }

  // ------------------------------------------------------------ data in

  /** @param {import("../conversation.js").Packed} packed @param {(name: string, value: unknown) => void} [setStateValue] */
  receive({ header, arrays }, setStateValue) {
    if (!this.requests.isNew(header, setStateValue)) return;
    note("received", header.sequence);
    if (header.clipData) this.takeClip(header, arrays);
    if (this.clip?.id !== header.clip.id) return this.askForClip(header);
    if (header.revision !== this.revision) this.adopt(header);
    if (!this.requests.expects(header.sequence) && this.header?.clip.id === header.clip.id) return; // an answer to something older
    this.header = header;
    this.takeHeard(header.heard, arrays);
    this.server = layOutAll(header, arrays, this.edges, this.layers);
    this.lanes = unpackLanes(header.prediction.lanes, arrays);
    this.patches.take(header.patches, arrays);
    this.sounds.take(header.sounds, arrays);
    this.bench.take(header.workbench, arrays);
    const sequence = this.requests.answered();
    if (sequence !== null) requestAnimationFrame(() => note("followed", sequence));
    this.tickLayer = Math.max(0, Math.min(this.tickLayer, header.layers.length - 1));
    this.root.classList.toggle("layerless", !header.layers.length);
    const pointed = this.patches.described ? "a patch to see what it attends to" : "an output frame to light up its input";
    write(this.one(".help"), `Hover ${pointed}. ${HELP}`);
    this.controls.limit(header.layers.length);
    this.panels.sync();
    this.follow();
    this.refreshPrediction();
    // A server that has begun anew does not know the settings in hand. One that was asked and answers with others can't run them.
    if (sequence === null && this.requests.waiting === null && this.firstStale < Infinity) this.requests.ask();
    if (!this.requests.next()) this.settle();
  }

  /** @param {any} header @param {Record<string, any>} arrays */
  takeClip(header, arrays) {
    const again = this.clip?.id === header.clip.id;
    this.clip = { ...header.clip, ...header.clipData, wave: arrays.wave, mel: arrays.mel };
    if (!again) this.openClip(arrays.audio);
    if (arrays.mel.byteLength > LARGE_CLIP) queueMicrotask(() => this.requests.ask());
  }

  /**
   * What of the clip the network has heard.
   * @param {any} heard as the server says @param {Record<string, any>} arrays
   */
  takeHeard(heard, arrays) {
    const edges = melEdges({ seconds: heard.until, framesPerSecond: heard.framesPerSecond, melFrames: heard.frames });
    if (!sameNumbers(this.edges, edges)) this.edges = edges;
    this.heardMel = arrays.heardMel;
    this.clip.sound = arrays.soundSpans;
    if (!heard.ranges) this.hearing = EVERYTHING;
    else if (this.hearing.seconds !== null && this.hearing.seconds >= this.clip.seconds) this.hearing = { ...this.hearing, seconds: null };
  }

  /** Where what is heard ends, in seconds, with the length in hand. */
  get until() {
    const { hearing, clip, header, patches } = this, asked = hearing.seconds ?? clip.seconds;
    // How much an answer cuts off is known once it is here.
    return sameHearing(hearing, header.heard) && patches.described ? Math.min(asked, patches.until) : asked;
  }

  /** A new picture frame around an old conversation. @param {any} header */
  askForClip(header) {
    this.clip = null;
    this.settings ??= copySettings(header.settings);
    this.hearing = this.revision ? this.hearing : { seconds: header.heard.seconds, resolution: header.heard.resolution };
    this.revision ??= header.revision;
    this.requests.answered();
    this.requests.ask();
  }

  /** Another network, or another link: its settings count now. @param {any} header */
  adopt(header) {
    this.revision = header.revision;
    this.settings = copySettings(header.settings);
    this.hearing = { seconds: header.heard.seconds, resolution: header.heard.resolution };
    this.pinned = null;
    this.requests.forget();
  }

  /** @param {Uint8Array<ArrayBuffer> | undefined} encoded */
  openClip(encoded) {
    const { clip } = this;
    this.timeline.open(clip.seconds);
    this.everything = true; // nothing that is drawn now is of this clip
    this.hover = null;
    this.pinned = null;
    this.sounds.open(encoded ? new Blob([encoded], { type: "audio/flac" }) : wavBlob(clip.wave, clip.sampleRate));
  }

  /** Draws what the settings in hand mean now. */
  follow() {
    const { layers, stale } = inHand(this.server, this.header.settings, this.settings);
    this.layers = layers;
    this.firstStale = sameHearing(this.hearing, this.header.heard) ? stale : 0; // a mel of another length or resolution moves all layers
    if (this.firstStale === Infinity) {
      clearTimeout(this.lateTimer);
      this.lateTimer = null;
      this.markLate();
    } else this.lateTimer ??= setTimeout(() => { this.lateTimer = null; this.markLate(); }, LATE_MS);
    if (this.hover && !this.panels.exists(this.hover)) this.setHover(null);
    if (this.hover) write(this.one(".tip"), this.panels.words(this.hover));
    this.controls.refresh();
    this.redraw(false);
  }

  markLate() {
    this.panels.markLate();
    this.one(".side").classList.toggle("catching-up", this.firstStale < Infinity);
  }

  /** Has the network hear something else of the clip. @param {Partial<Hearing>} change */
  hear(change) {
    this.hearing = { ...this.hearing, ...change };
    this.follow();
    this.requests.ask();
  }

  refreshPrediction() {
    const { pinned, clip } = this, pin = this.one(".pin");
    showPrediction(this.one(".probabilities"), this.header.prediction, pinned?.bars ?? null);
    this.transcript.show(this.header.transcript ?? null, pinned?.tokens ?? null);
    pin.setAttribute("aria-pressed", String(Boolean(pinned)));
    write(pin, pinned ? "Unpin" : "Pin");
    write(this.one(".status"), this.header.status);
    write(this.one(".sentence"), this.header.glance);
    write(this.one(".rule"), clip.glanceRule);
    write(this.one(".mel-low"), whole(clip.melRange[0]));
    write(this.one(".mel-high"), whole(clip.melRange[1]));
  }

  // ------------------------------------------------------------ data out

  /** @param {number[]} layers @param {keyof Settings} name @param {(layer: number) => any} choose the value for a layer */
  change(layers, name, choose) {
    for (const k of layers) if (this.settings[k][name] != null) this.settings[k] = { ...this.settings[k], [name]: choose(k) };
    this.follow();
    this.requests.ask();
  }

  /** @param {string} name @param {number} value of the slider */
  slide(name, value) {
    const began = performance.now(), { trained, layers } = this.header;
    if (name === "rate") return this.slideRate(value);
    if (name === "length") return this.hear({ seconds: value > this.clip.seconds - LENGTH_SNAP ? null : value });
    if (name === "resolution") return this.hear({ resolution: value });
    const setting = /** @type {"sigma" | "stride"} */ (name);
    this.change(this.controls.chosen, setting, (k) => valueOf(name, value, trained[k][setting], layers[k].wholeStrides));
    requestAnimationFrame(() => note("local", performance.now() - began));
  }

  /** The stride of the uppermost layer that gives a rate. @param {number} value of the slider */
  slideRate(value) {
    const { header: { trained, layers, prediction, ranges } } = this, top = layers.length - 1;
    const stride = clamp(prediction.rate.undivided / value, ranges.stride[0], ranges.stride[1]);
    this.change([top], "stride", (k) => valueOf("stride", stride, trained[k].stride, layers[k].wholeStrides));
  }

  /** What the server should draw for: the window in view, null for all of the clip, and the device pixels of a layer's plot. */
  get screen() {
    const { timeline } = this, whole = !this.clip || timeline.whole;
    return { view: whole ? null : [timeline.from, timeline.to], pixels: this.panels.pixels };
  }

  /** Asks for other pictures if what is in view needs them: another window, or more pixels. */
  sharpen() {
    const { header, clip } = this, pictures = [...(header?.layers.map((each) => each.picture) ?? []), ...this.lanes];
    if (!clip || header?.clip.id !== clip.id || !pictures.some((picture) => picture && picture.whole === false)) return;
    const { view, pixels } = this.screen, near = (a, b) => Math.abs(a - b) < 1e-6;
    const same = view && header.view ? near(view[0], header.view[0]) && near(view[1], header.view[1]) : view === header.view;
    const coarse = Math.min(pixels[0], 2048) > 1.1 * header.pixels[0] || Math.min(pixels[1], 256) > 1.5 * header.pixels[1];
    if (!same || coarse) this.requests.ask();
  }

  /** @param {number} sequence */
  request(sequence) {
    this.root.dataset.state = "following";
    note("sent", sequence);
    const { revision, clip, settings, transcript, sounds, bench, screen, hearing } = this, edited = bench.asked;
    const hear = [...sounds.asked.hear, ...edited.hear], attend = this.attending;
    this.attending = false;
    const have = clip?.id ?? "", own = copySettings(settings);
    return { sequence, revision, have, settings: own, ...transcript.asked, ...edited, hear, ...screen, hearing, attend };
  }

  /** Nothing is under way and nothing waits: the address bar and screen readers get the result. */
  settle() {
    if (this.patches.lacks) { // queries and keys are most of an answer, and while somebody drags nobody points
      this.attending = true;
      return this.requests.ask();
    }
    this.writeAddress(this.link());
    const layers = this.layers.map(({ layout }, k) => `Layer ${k + 1}: ${layout.T} to ${layout.L} frames.`);
    this.say(`${spoken(this.header.prediction)}${this.header.glance} ${layers.join(" ")}`);
    this.panels.describe();
    this.root.dataset.state = "settled";
    this.sounds.settled();
    this.bench.settled();
  }

  link() {
    const url = new URL(location.href), { link, trained } = this.header, number = (v) => String(Number(v.toPrecision(6)));
    url.searchParams.set("clip", link.clip);
    url.searchParams.set("checkpoint", link.checkpoint);
    for (const [name, format] of Object.entries({ sigma: number, stride: number, variant: (v) => v })) {
      url.searchParams.delete(name);
      if (this.settings.every((each, k) => each[name] === trained[k][name])) continue;
      const values = this.settings.map((each) => (each[name] == null ? "" : format(each[name])));
      url.searchParams.set(name, values.every((v) => v === values[0]) ? values[0] : values.join(","));
    }
    const { seconds, resolution } = this.hearing;
    for (const [name, value] of Object.entries({ length: seconds, resolution: resolution === 1 ? null : resolution })) {
      if (value === null) url.searchParams.delete(name);
      else url.searchParams.set(name, number(value));
    }
    const attend = this.patches.linked;
    if (attend) url.searchParams.set("attend", attend);
    else url.searchParams.delete("attend");
    return url.href;
  }

  // ------------------------------------------------------------ controls

  listen() {
    const press = (selector, action) => this.on(this.one(selector), "click", action);
    press(".zoom-in", () => this.timeline.zoom(0.5, this.centre));
    press(".zoom-out", () => this.timeline.zoom(2, this.centre));
    press(".fit", () => this.timeline.fit());
    press(".reset", () => { this.settings = copySettings(this.header.trained); this.hear(EVERYTHING); });
    press(".pin", () => this.togglePin());
    press(".link", () => this.copyLink(this.one(".link"), this.link()));
    press(".how", () => this.showRule(this.one(".rule").hidden));
    this.on(this.root, "keydown", (event) => { if (this.key(event)) event.preventDefault(); });
    this.onLook(() => this.redraw());
  }

  /** What stays in its place when a button or a key zooms. */
  get centre() {
    const { from, to } = this.timeline, { playhead } = this.player;
    return this.hoverTime ?? (playhead > from && playhead < to ? playhead : (from + to) / 2);
  }

  /** What lies over the picture goes, and so do the tables. */
  putAway() {
    this.setHover(null);
    this.showRule(false);
    this.sheet.close();
  }

  tables() {
    const { layers, tickLayer, clip, header, pinned, lanes, timeline, patches: { described: patches } } = this;
    const { prediction, transcript } = header, shares = pinned?.bars ?? null;
    const seen = { layers, chosen: tickLayer, sound: clip.sound, prediction, transcript, pinned: shares, lanes, patches };
    return exploreTables(seen, timeline.view);
  }

  /** @param {boolean} shown */
  showRule(shown) {
    this.one(".rule").hidden = !shown;
    this.one(".how").setAttribute("aria-expanded", String(shown));
  }

  togglePin() {
    const { layers, header } = this;
    const { prediction, transcript } = header;
    const now = { bars: prediction.bars, tokens: transcript?.tokens ?? null, layers: layers.map(({ layout }) => layout) };
    this.pinned = this.pinned ? null : now;
    this.refreshPrediction();
    this.redraw();
  }

  /** Gives whether the key meant something. @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.composedPath()[0]), panel = this.panels.of(target);
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !target.matches("textarea, select");
    const up = { ArrowUp: 1, ArrowDown: -1 }[event.key], along = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") this.putAway();
    else if (this.sheet.holds(target)) return false; // keys scroll the tables
    else if (event.key === " " && !target.matches("button, textarea, select")) this.player.toggle();
    else if (plain && event.key.toLowerCase() === "a") return this.sounds.next();
    else if (target.matches("input, button, select, textarea")) return false;
    else if (zoomWithKey(event.key, this.timeline, this.centre)) return true;
    else if (event.key === "Enter" && panel) this.player.playFrom(this.hover ? this.panels.spanOf(this.hover).from : this.timeline.from);
    else if (panel && (up || along) && this.patches.on(panel)) {
      this.setHover({ patch: this.patches.step(along ?? 0, up ?? 0) });
      this.say(this.panels.words(this.hover));
    }
    else if (up) return this.stepSigma(up);
    else if (panel && along) this.setHover(this.panels.step(panel, along));
    else return false;
    return true;
  }

  /** @param {number} by */
  stepSigma(by) {
    const first = this.controls.chosen.find((k) => this.settings[k].sigma != null);
    if (first === undefined) return false;
    const [low, high] = this.header.ranges.sigma.map(Math.log10);
    this.slide("sigma", clamp(Math.log10(this.settings[first].sigma) + SIGMA_STEP * by, low, high));
    return true;
  }

  // ------------------------------------------------------------ hovering and drawing

  /** @param {Hover | null} hover @param {MouseEvent} [event] */
  setHover(hover, event) {
    const tip = this.one(".tip"), moved = JSON.stringify(hover) !== JSON.stringify(this.hover);
    this.hover = hover;
    if (hover && moved && "patch" in hover) this.patches.choose(hover.patch);
    tip.hidden = !hover;
    if (hover && moved) write(tip, this.panels.words(hover));
    if (hover && (moved || event)) Object.assign(tip.style, this.panels.tipPlace(event));
    if (moved) this.cover();
  }

  /** everything: the clip, the window, the size or the theme changed; otherwise only what is new is drawn. */
  redraw(everything = true) {
    this.everything ||= everything;
    if (everything) this.sharpening.ask();
    if (this.layers) this.drawSoon();
  }

  draw() {
    if (!this.layers || !this.root.isConnected || !this.root.clientWidth) return;
    const { everything } = this;
    this.everything = false;
    if (everything) {
      this.panels.measure();
      this.bench.drawSoon();
    }
    if (everything || !this.theme) {
      this.theme = readTheme(this.root);
      paintRamp(this.one(".alignment-ramp"), RAMPS[this.theme.name]);
      paintRamp(this.one(".mel-ramp"), RAMPS.mel);
    }
    this.panels.draw(everything);
    this.sheet.refresh();
    if (everything || this.hover || this.patches.described) this.drawCover();
  }

  cover() { if (this.layers) this.coverSoon(); }

  drawCover() {
    if (!this.layers || !this.theme || !this.root.isConnected) return;
    this.panels.drawCovers();
    write(this.one(".clock"), `${this.player.playhead.toFixed(2)} / ${this.clip.seconds.toFixed(2)} s`);
  }
}

const addMarkup = await loadAssets(import.meta.url, "viewer.html", "../shared.css", "../bars.css", "viewer.css");

export default component((parent) => new Explorer(addMarkup(parent)));
