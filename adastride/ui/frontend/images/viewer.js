// @ts-check
// The Images page's live picture. The server sends every layer's composites (output rows and columns by pixels), what the layer sees
// and its features; a slider, or the box of a spectrum's mask, asks for them with other strides.

import { loadAssets } from "../assets.js";
import { paintRamp } from "../canvas.js";
import { RAMPS, readTheme } from "../colours.js";
import { component } from "../component.js";
import { Conversation } from "../conversation.js";
import { showPrediction, spoken } from "../explore/prediction.js";
import { whole } from "../numbers.js";
import { View, note, onceAFrame, segments, whenQuiet, write } from "../view.js";
import { Column } from "./columns.js";
import { axisOf, inLevels, packRgb } from "./figure.js";
import { about } from "./units.js";

/**
 * @typedef {import("./columns.js").Settings} Settings
 * @typedef {{ layer: number, row: number, column: number }} Hover an output pixel of a layer
 */

const ANSWER_TIMEOUT_MS = 20_000;
const QUIET_MS = 200; // after the last change: time to write the address

/** @param {Settings[]} settings @returns {Settings[]} */
const copied = (settings) => settings.map(({ strides, sigma }) => ({ strides: [...strides], sigma }));

/** @param {string} words the beginning of a sentence, or none */
const sentence = (words) => (words ? `${words[0].toUpperCase()}${words.slice(1)}.` : "");

/** @param {Settings} one @param {Settings} other */
const same = (one, other) =>
  one.sigma === other.sigma && one.strides.every((stride, axis) => Math.abs(stride - other.strides[axis]) < 1e-6);

export class Images extends View {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.requests = new Conversation((_, sequence) => this.request(sequence), {
      received: (packed) => this.receive(packed), link: () => this.link(),
      timeout: ANSWER_TIMEOUT_MS, expired: () => { if (this.behind) this.requests.ask(); },
    });
    /** @type {any} */ this.header = null;
    /** @type {Settings[]} those in hand */ this.settings = [];
    /** @type {import("./figure.js").Layer[]} */ this.layers = [];
    /** @type {Column[]} */ this.columns = [];
    /** @type {Uint32Array} */ this.pixels = null;
    /** @type {number | null} the one layer that is shown, null for all */ this.shown = null;
    /** @type {Hover | null} */ this.hover = null;
    /** @type {import("../colours.js").Theme} */ this.theme = null;
    /** @type {string | null} */ this.revision = null;
    this.drawSoon = onceAFrame(() => this.draw());
    this.coverSoon = onceAFrame(() => this.columns.forEach((column) => column.drawCover(this.theme)));
    this.addressing = whenQuiet(() => this.writeAddress(this.link()), QUIET_MS, this.signal);
    this.on(this.one(".reset"), "click", () => { this.settings = copied(this.header.trained); this.follow(); });
    this.on(this.one(".link"), "click", () => this.copyLink(this.one(".link"), this.link()));
    this.on(this.root, "keydown", (event) => { if (event.key === "Escape") this.setHover(null); });
    this.onLook(() => { this.theme = null; this.drawSoon(); });
  }

  dispose() {
    this.requests.dispose();
    super.dispose();
  }

  // ------------------------------------------------------------ data in

  /** @param {import("../conversation.js").Packed} packed @param {(name: string, value: unknown) => void} [setStateValue] */
  receive({ header, arrays }, setStateValue) {
    if (!this.requests.isNew(header, setStateValue)) return;
    note("received", header.sequence);
    if (header.revision !== this.revision) this.adopt(header);
    if (!this.requests.expects(header.sequence) && this.header?.picture.id === header.picture.id) return; // an answer to something older
    this.header = header;
    const { sound } = header, coloured = sound ? (/** @type {Uint8Array} */ levels) => inLevels(levels, sound.levels, RAMPS.mel) : packRgb;
    this.pixels = coloured(arrays.pixels);
    this.layers = header.layers.map((layer, number) => unpackLayer(layer, number, arrays, header.size, coloured));
    const sequence = this.requests.answered();
    if (this.columns.length !== this.layers.length || this.root.classList.contains("sound") !== !!sound) this.build();
    this.refresh();
    this.drawSoon();
    if (sequence !== null) requestAnimationFrame(() => note("followed", sequence));
    // A server that has begun anew does not know the settings in hand.
    if (sequence === null && this.requests.waiting === null && this.behind) this.requests.ask();
    if (!this.requests.next()) this.settle();
  }

  /** Another network, or another link: its settings count now. @param {any} header */
  adopt(header) {
    if (this.revision === null || header.shown !== null) this.shown = header.shown;
    this.revision = header.revision;
    this.settings = copied(header.settings);
    this.hover = null;
    this.requests.forget();
  }

  /** Do the settings in hand differ from those that the server ran? */
  get behind() { return !this.settings.every((each, n) => same(each, this.header.settings[n])); }

  build() {
    const sound = !!this.header.sound, { title, hovering } = about(sound);
    this.root.classList.toggle("sound", sound);
    this.root.setAttribute("aria-label", title);
    write(this.one(".help.hovering"), hovering);
    this.columns = this.layers.map((_, number) => new Column(this, number));
    this.one(".columns").replaceChildren(...this.columns.map(({ root }) => root));
  }

  settle() {
    const { prediction } = this.header;
    this.addressing.ask();
    this.say(spoken(prediction) + sentence(prediction.verdict));
    this.root.dataset.state = "settled";
  }

  // ------------------------------------------------------------ data out

  /** @param {number} layer @param {string} name of a slider: an axis, 0 or 1, or sigma @param {number} value */
  slide(layer, name, value) {
    const settings = this.settings[layer];
    if (name === "sigma") settings.sigma = value;
    else settings.strides[Number(name)] = this.header.wholeStrides ? Math.max(1, Math.round(value)) : value;
    this.follow();
  }

  /** Something was moved. */
  follow() {
    note("moved");
    this.refresh();
    this.drawSoon();
    this.root.dataset.state = "following";
    this.requests.ask();
  }

  /** @param {number} sequence */
  request(sequence) {
    note("asked", sequence);
    return { sequence, revision: this.revision, settings: this.settings };
  }

  link() {
    const url = new URL(location.href), { link, trained } = this.header, query = url.searchParams;
    for (const name of ["what", "picture", "clip", "second"]) query.delete(name);
    for (const [name, value] of Object.entries(link)) query.set(name, String(value));
    const read = {
      height: (/** @type {Settings} */ each) => each.strides[0], width: (/** @type {Settings} */ each) => each.strides[1],
      sigma: (/** @type {Settings} */ each) => each.sigma,
    };
    for (const [name, of] of Object.entries(read)) {
      query.delete(name);
      if (this.settings.every((each, n) => of(each) === of(trained[n]))) continue;
      const values = this.settings.map((each, n) => (of(each) === of(trained[n]) ? "" : String(Number(of(each).toPrecision(6)))));
      query.set(name, values.join(","));
    }
    query.delete("layer");
    if (this.shown !== null) query.set("layer", String(this.shown + 1));
    return url.href;
  }

  // ------------------------------------------------------------ what is shown

  /** @param {number | null} shown */
  show(shown) {
    this.shown = shown;
    this.setHover(null);
    this.refresh();
    this.drawSoon();
    this.addressing.ask();
  }

  /** All that is text. */
  refresh() {
    const { header, shown, columns } = this;
    const scopes = [[null, "All layers"], ...columns.map((_, n) => [n, `${n + 1}`])];
    segments(this.one(".scope"), scopes, shown, (value) => this.show(value));
    this.root.classList.toggle("single", shown !== null);
    for (const column of columns) {
      column.root.hidden = shown !== null && column.number !== shown;
      column.refresh();
    }
    this.showAnswers();
    write(this.one(".verdict"), sentence(header.prediction.verdict));
    this.one(".verdict").hidden = !header.prediction.verdict;
    write(this.one(".status"), `${header.picture.title}. ${header.method}. ${header.status}`);
    this.one(".help.spectral").hidden = !this.layers[0].spectral;
    this.one(".reset").disabled = this.settings.every((each, n) => same(each, header.trained[n]));
    if (this.hover) this.showTip();
  }

  /** Answers to one question, or to several beside each other. */
  showAnswers() {
    const { prediction } = this.header, { heads } = prediction, host = this.one(".heads");
    this.one(".probabilities").hidden = heads.length > 0;
    host.hidden = !heads.length;
    if (!heads.length) showPrediction(this.one(".probabilities"), prediction, null);
    if (host.children.length !== heads.length) host.replaceChildren(...heads.map(makeHead));
    heads.forEach((head, n) => showPrediction(host.children[n], head, null));
  }

  draw() {
    if (!this.header || !this.root.isConnected || !this.root.clientWidth) return;
    this.theme ??= readTheme(this.root);
    const ramp = RAMPS[this.theme.name];
    paintRamp(this.one(".weights"), ramp);
    this.drawLevels();
    for (const column of this.columns) if (!column.root.hidden) column.draw(this.theme, ramp);
    note("drawn");
  }

  /** The scale of a spectrogram's colours. */
  drawLevels() {
    const { sound } = this.header, host = this.one(".level");
    host.hidden = !sound;
    if (!sound) return;
    paintRamp(host.querySelector(".mel"), RAMPS.mel);
    const [low, high] = host.querySelectorAll("i");
    write(low, whole(sound.decibels[0]));
    write(high, `${whole(sound.decibels[1])} dB`);
  }

  /** @param {Hover | null} hover @param {MouseEvent} [event] */
  setHover(hover, event) {
    const moved = JSON.stringify(hover) !== JSON.stringify(this.hover);
    this.hover = hover;
    if (moved || event) this.showTip(event);
    if (moved && this.theme) this.coverSoon();
  }

  /** @param {MouseEvent} [event] */
  showTip(event) {
    const tip = this.one(".tip"), { hover } = this;
    tip.hidden = !hover;
    if (!hover) return;
    write(tip, this.columns[hover.layer].words(hover));
    if (event) this.placeTip(tip, event);
    else this.placeTip(tip, this.columns[hover.layer].placeOf(hover), this.one(".columns"));
  }
}

/** The place of one question's answer. */
function makeHead() {
  const host = document.createElement("div");
  host.className = "head";
  host.innerHTML = '<p class="heading"></p><div class="top"><b></b> <span></span></div><div class="bars" role="group"></div>'
    + '<p class="pinned-note" hidden></p>';
  return host;
}

/**
 * @param {any} layer of a header @param {number} number @param {Record<string, any>} arrays @param {number[]} size of the picture
 * @param {(levels: Uint8Array) => Uint32Array} coloured
 * @returns {import("./figure.js").Layer}
 */
function unpackLayer(layer, number, arrays, [height, width], coloured) {
  const of = (/** @type {string} */ name) => arrays[`${name}${number}`];
  return {
    ...layer, axes: [axisOf(of("height"), of("rowEdges"), height), axisOf(of("width"), of("columnEdges"), width)],
    seen: coloured(of("seen")), features: of("features"), spectrum: of("spectrum"), masks: [of("rowMask"), of("columnMask")],
  };
}

const addMarkup = await loadAssets(import.meta.url, "viewer.html", "../shared.css", "../bars.css", "viewer.css");

export default component((parent) => new Images(addMarkup(parent)));
