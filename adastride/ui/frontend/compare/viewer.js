// @ts-check
// Downsamplers side by side. The server runs the methods; the browser draws, keeps the time axis, and asks again.
//
// One grid: a row for each thing to compare, a column for each method, the numbers under them. Every panel shares one time axis in
// seconds and every row one colour scale. Numbers that need many runs are asked for when nothing has moved for a moment.

import { loadAssets } from "../assets.js";
import { beamShares, drawBeam, moment, paintRamp, prepare, rowLine } from "../canvas.js";
import { ERROR_RAMPS, METHOD_COLOURS, RAMPS, readTheme } from "../colours.js";
import { component } from "../component.js";
import { Conversation } from "../conversation.js";
import { clamp, digits, lowerBound, short } from "../numbers.js";
import { Player } from "../player.js";
import { Sheet } from "../sheet.js";
import { Timeline, followPointer, zoomWithKey } from "../timeline.js";
import { View, describe, note, onceAFrame, whenQuiet } from "../view.js";
import { covers, melPicture, rowAt, rowsInView, unpackColumn, weightsOf } from "./columns.js";
import { drawPanel } from "./drawing.js";
import { buildGrid, fitGrid, writeHead } from "./grid.js";
import { drawLine, encodeDrawn, followPen, stepValue } from "./strip.js";
import { buildTable, fillTable, tableLines } from "./table.js";
import { alignmentTable } from "./tables.js";

/**
 * @typedef {import("./grid.js").Panel} Panel
 * @typedef {import("./columns.js").Column} Column
 * @typedef {{ time: number, column: number | null, row: number | null }} Hover
 */

const QUIET_MS = 220; // nothing has moved for so long: time for the slow numbers
const ANSWER_TIMEOUT_MS = 30_000;
const SNAP = { sigma: 0.012, stride: 0.04 }; // of the sliders: to the usual value, and to whole strides
const DARKNESS = 0.6; // around a beam

export class Compare extends View {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.timeline = new Timeline(() => this.windowMoved());
    this.requests = new Conversation((what, sequence) => this.request(what === "settled", sequence), {
      received: (packed) => this.receive(packed), link: () => this.link(), forLine: (what) => what !== "settled",
      timeout: ANSWER_TIMEOUT_MS, expired: () => { if (this.header) this.settle(); },
    });
    this.player = new Player(this.timeline, {
      button: this.one(".play"), moved: () => this.cover(), failed: (message) => { this.one(".status-text").textContent = message; },
    }, this.signal);
    /** @type {any} */ this.header = null;
    /** @type {any} */ this.source = null;
    /** @type {any} those in hand: stride, sigma, drawn, pins */ this.settings = null;
    /** @type {Column[]} */ this.columns = null;
    /** @type {Panel[]} */ this.panels = [];
    /** @type {Float32Array} */ this.delta = null;
    /** @type {Hover | null} */ this.hover = null;
    /** @type {number | undefined} the point of the drawn curve that keys move */ this.pen = undefined;
    /** @type {import("../colours.js").Theme} */ this.theme = null;
    this.everything = true;
    this.gridKey = this.tableKey = "";
    /** @type {AbortController | null} */ this.ending = null;
    this.sheet = new Sheet(this, () => this.columns.map((column) => alignmentTable(column, this.timeline.view)));
    this.drawSoon = onceAFrame(() => this.draw());
    this.coverSoon = onceAFrame(() => this.drawCovers());
    this.slow = whenQuiet(() => { if (!this.requests.busy) this.requests.ask("settled"); }, QUIET_MS, this.signal);
    // The server sends only what is in view of a long clip, and exports what is in view of any.
    this.moved = whenQuiet(() => this.requests.ask("moved"), QUIET_MS, this.signal);
    this.listen();
  }

  dispose() {
    this.ending?.abort();
    this.requests.dispose();
    super.dispose();
  }

  /** Are displacements drawn by hand? */
  get drawn() { return this.header.scores === "drawn"; }

  // ------------------------------------------------------------ data in

  /** @param {import("../conversation.js").Packed} packed @param {(name: string, value: unknown) => void} [setStateValue] */
  receive({ header, arrays }, setStateValue) {
    if (!this.requests.isNew(header, setStateValue)) return;
    note("received", header.sequence);
    if (header.sourceData) this.takeSource(header, arrays);
    if (!this.settings || header.revision !== this.revision) this.adopt(header);
    if (this.source?.id !== header.source) return this.askForSource();
    const answered = this.requests.expects(header.sequence);
    const same = this.header?.source === header.source && this.header.methods.join() === header.methods.join();
    if (!answered && same) return; // an answer to something older
    this.header = header;
    this.columns = header.columns.map((column, k) => unpackColumn(column, arrays, k, this.source.inEdges));
    this.delta = arrays.delta;
    const sequence = answered ? this.requests.answered() : null;
    if (this.hover?.column >= this.columns.length) this.hover = null;
    this.syncGrid();
    this.refresh();
    this.redraw(Boolean(header.sourceData));
    if (sequence !== null) requestAnimationFrame(() => note("followed", sequence)); // behind the frame that draws it
    // A server that has begun anew does not know the settings in hand.
    if (sequence === null && this.requests.waiting === null && !this.sameSettings(header.settings)) this.requests.ask("changed");
    if (!this.requests.next()) this.settle();
  }

  /** @param {any} settings */
  sameSettings(settings) {
    return Object.keys(settings).every((name) => JSON.stringify(settings[name]) === JSON.stringify(this.settings[name]));
  }

  /** @param {any} header @param {Record<string, any>} arrays */
  takeSource(header, arrays) {
    const { seconds, focus, linkView } = header.sourceData, newClip = this.source?.clip !== header.clip.id;
    this.source = {
      ...header.sourceData, id: header.source, clip: header.clip.id, inEdges: arrays.inEdges,
      picture: melPicture(header.sourceData, arrays.mel),
    };
    if (!newClip) return;
    this.timeline.open(seconds, ...(linkView && linkView[0] < seconds ? linkView : focus));
    this.player.open(new Blob([arrays.sound], { type: "audio/flac" }));
  }

  /** @param {any} header */
  adopt(header) {
    this.revision = header.revision;
    this.settings = structuredClone(header.settings);
    this.requests.forget();
  }

  /** A new component around an old conversation. */
  askForSource() {
    this.requests.forget();
    this.requests.ask("source");
  }

  // ------------------------------------------------------------ data out

  /** @param {Record<string, any>} values */
  change(values) {
    Object.assign(this.settings, values);
    this.refreshSliders();
    this.slow.stop();
    this.requests.ask("changed");
  }

  /** @param {boolean} settled with the slow numbers @param {number} sequence */
  request(settled, sequence) {
    this.slow.stop();
    this.root.dataset.state = "following";
    note("sent", sequence);
    const { from, to } = this.timeline;
    return {
      sequence, revision: this.revision, have: this.source?.id ?? "", settled, view: this.source ? [from, to] : null,
      ...structuredClone(this.settings),
    };
  }

  /** Nothing is under way and nothing waits: the address bar and screen readers get the result, the slow numbers are next. */
  settle() {
    const { header } = this;
    this.slow.stop();
    this.writeAddress(this.link());
    this.say(header.columns.map((c) => `${c.label}: ${c.numbers.frames} frames, error ${amount(c.numbers.error)}.`).join(" "));
    this.describe();
    // Of a long clip, matrices come with the slow numbers: until then frames are drawn where they lie.
    if (header.pending || (header.windowed && !header.settled)) return this.slow.ask();
    this.root.dataset.state = "settled";
    note("settled", this.requests.sequence);
  }

  link() {
    const url = new URL(location.href), { settings, timeline: { from, to } } = this, [a, b] = this.source.focus;
    const set = (name, value) => { if (value) url.searchParams.set(name, value); else url.searchParams.delete(name); };
    for (const [name, value] of Object.entries(this.header.link)) set(name, value);
    set("stride", plain(settings.stride));
    set("sigma", plain(settings.sigma));
    set("drawn", this.drawn ? encodeDrawn(settings.drawn) : null);
    const usual = Math.abs(from - a) + Math.abs(to - b) < 0.005; // where everybody starts
    set("view", usual ? null : `${Number(from.toFixed(3))},${Number(to.toFixed(3))}`);
    set("pin", Object.entries(settings.pins).map(([method, pin]) => encodePin(method, pin)).join(","));
    return url.href;
  }

  // ------------------------------------------------------------ controls

  listen() {
    const press = (selector, action) => this.on(this.one(selector), "click", action);
    press(".zoom-in", () => this.timeline.zoom(0.5, this.hover?.time));
    press(".zoom-out", () => this.timeline.zoom(2, this.hover?.time));
    press(".fit", () => this.timeline.fit());
    press(".reset", () => this.change(structuredClone(this.header.defaults)));
    press(".link", () => this.copyLink(this.one(".link"), this.link()));
    for (const { name, input } of this.sliders) this.on(input, "input", () => this.slide(name, Number(input.value)));
    this.on(this.root, "keydown", (event) => { if (this.key(event)) event.preventDefault(); });
    this.onLook(() => this.redraw());
  }

  get sliders() {
    return [...this.root.querySelectorAll(".slider")].map((slider) => {
      const { name } = /** @type {HTMLElement} */ (slider).dataset;
      return { name, input: slider.querySelector("input"), output: slider.querySelector("output") };
    });
  }

  /** @param {string} name @param {number} value of the slider */
  slide(name, value) {
    const usual = this.header.defaults.sigma, whole = Math.round(value);
    if (name === "stride") this.change({ stride: Math.abs(value - whole) < SNAP.stride ? whole : value });
    else this.change({ sigma: Math.abs(value - Math.log10(usual)) < SNAP.sigma ? usual : Number((10 ** value).toPrecision(5)) });
  }

  /** Gives whether the key meant something. @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.composedPath()[0]), panel = this.panels.find(({ base }) => base === target);
    if (event.key === "Escape") {
      this.setHover(null);
      this.sheet.close();
      return true;
    }
    if (target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (this.sheet.holds(target)) return false; // keys scroll the tables
    if (event.key === " ") {
      if (target.matches("button")) return false; // it presses the button
      this.player.toggle();
    } else if (zoomWithKey(event.key, this.timeline, this.hover?.time)) return true;
    else if (panel?.kind === "strip" && this.drawn && event.key.startsWith("Arrow")) this.drawWithKeys(event.key);
    else if (panel && (event.key === "ArrowLeft" || event.key === "ArrowRight")) this.stepHover(panel, event.key === "ArrowRight" ? 1 : -1);
    else return false;
    return true;
  }

  /** @param {Panel} panel @param {number} by */
  stepHover(panel, by) {
    const column = panel.column ?? this.hover?.column ?? 0, { outEdges, outFrames } = this.columns[column];
    const next = this.hover?.column === column ? this.hover.row + by : lowerBound(outEdges, this.timeline.from);
    const row = clamp(next, 0, outFrames - 1);
    this.setHover({ column, row, time: (outEdges[row] + outEdges[row + 1]) / 2 });
    this.one(".spoken").textContent = this.one(".tip").textContent;
  }

  refreshSliders() {
    const { settings, header } = this, { defaults } = header, root = /** @type {ShadowRoot} */ (this.root.getRootNode());
    for (const { name, input, output } of this.sliders) {
      const value = settings[name], place = name === "sigma" ? Math.log10 : Number, at = place(value);
      const [low, high] = header.ranges[name];
      Object.assign(input, { min: String(place(low)), max: String(place(high)) });
      const text = sliderWords(name, value);
      if (root.activeElement !== input || Math.abs(Number(input.value) - at) > 0.05) input.value = String(at);
      output.textContent = text;
      input.setAttribute("aria-valuetext", text);
    }
    const usual = settings.stride === defaults.stride && settings.sigma === defaults.sigma;
    this.one(".reset").disabled = usual && !Object.keys(settings.pins).length && settings.drawn.every((v) => v === 0);
  }

  refresh() {
    const { header, settings } = this;
    this.refreshSliders();
    this.one('.slider[data-name="sigma"] input').disabled = !header.columns.some((column) => column.sigma != null);
    this.one(".status-text").textContent = header.status;
    this.one(".scope-note").textContent = header.numbersNote;
    const heads = this.root.querySelectorAll(".method");
    header.columns.forEach((column, k) => writeHead(/** @type {HTMLElement} */ (heads[k]), column, Boolean(settings.pins[column.method])));
    this.refreshTable();
  }

  refreshTable() {
    const { header } = this, table = this.one("table.numbers"), lines = tableLines(header.columns, header);
    const key = `${this.gridKey}|${header.device}`;
    if (key !== this.tableKey) buildTable(table, header.columns.map(({ label }, k) => ({ label, colour: this.colour(k) })), lines);
    this.tableKey = key;
    fillTable(table, lines);
  }

  /** @param {string} method */
  togglePin(method) {
    const { settings } = this, pins = { ...settings.pins };
    if (pins[method]) delete pins[method];
    else pins[method] = { stride: settings.stride, sigma: settings.sigma, scores: this.header.scores, drawn: [...settings.drawn] };
    this.change({ pins });
  }

  // ------------------------------------------------------------ the grid

  /** @param {number} k */
  colour(k) { return METHOD_COLOURS[this.theme?.name ?? "light"][k]; }

  syncGrid() {
    const { header } = this, key = [header.methods.join(), header.source, header.strip, header.scores].join("|");
    if (key === this.gridKey) return;
    this.gridKey = key;
    this.ending?.abort();
    this.ending = new AbortController();
    const { cells, panels } = buildGrid(this), grid = this.one(".grid");
    this.panels = panels;
    for (const panel of panels) this.follow(panel);
    grid.style.setProperty("--columns", header.columns.length);
    grid.replaceChildren(...cells);
    this.setHover(null);
    this.everything = true;
  }

  /** @param {Panel} panel */
  follow(panel) {
    const { base } = panel, { signal } = this.ending, hover = (event) => this.setHover(event && this.pick(panel, event), event);
    if (panel.kind === "strip" && this.drawn) {
      const share = (event) => this.timeAt(panel, event) / this.source.seconds;
      followPen(base, { count: () => this.settings.drawn.length, share, draw: (from, to) => this.drawTo(from, to), hover }, signal);
    } else if (!panel.kind.endsWith("axis")) {
      const plot = () => ({ left: 0, width: base.clientWidth });
      followPointer(base, this.timeline, { plot, hover, press: (time) => this.player.playFrom(time), touchHovers: true }, signal);
    }
  }

  /** @param {import("./strip.js").Point} from @param {import("./strip.js").Point} to */
  drawTo(from, to) {
    this.change({ drawn: drawLine(this.settings.drawn, from, to) });
    this.redraw();
  }

  /** @param {string} key */
  drawWithKeys(key) {
    const { drawn } = this.settings, up = { ArrowUp: 1, ArrowDown: -1 }[key], along = { ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0;
    const at = this.pen = clamp((this.pen ?? Math.floor(drawn.length / 2)) + along, 0, drawn.length - 1);
    const point = { at, value: up ? stepValue(drawn[at], up) : drawn[at] };
    if (up) this.drawTo(point, point);
    const time = ((at + 0.5) / drawn.length) * this.source.seconds;
    this.one(".spoken").textContent = `Δp at ${time.toFixed(2)} s: ${digits(Math.exp(this.settings.drawn[at]), 2)} times`;
    this.redraw();
  }

  // ------------------------------------------------------------ hovering

  /** @param {Panel} panel @param {MouseEvent} event */
  timeAt({ base }, event) {
    const box = base.getBoundingClientRect();
    return this.timeline.time((event.clientX - box.left) / box.width);
  }

  /**
   * What is under the pointer: an output frame by its height in an alignment, a moment elsewhere.
   * @param {Panel} panel @param {MouseEvent} event @returns {Hover}
   */
  pick(panel, event) {
    const time = this.timeAt(panel, event), column = this.columns[panel.column];
    if (!column) return { time, column: null, row: null };
    if (panel.kind !== "align") return { time, column: panel.column, row: rowAt(column, time) };
    const box = panel.base.getBoundingClientRect(), { outEdges, outFrames } = column;
    const { low, high } = rowsInView(column, this.timeline.view);
    const row = clamp(Math.floor(low + (1 - (event.clientY - box.top) / box.height) * (high - low)), 0, outFrames - 1);
    return { time: (outEdges[row] + outEdges[row + 1]) / 2, column: panel.column, row };
  }

  /** @param {Hover | null} hover @param {MouseEvent} [event] */
  setHover(hover, event) {
    const tip = this.one(".tip");
    this.hover = hover;
    tip.hidden = !hover;
    if (hover) {
      tip.textContent = [`${hover.time.toFixed(2)} s`, ...this.columns.map((column, k) => this.words(column, k))].join("\n");
      this.placeTip(tip, event);
    }
    this.cover();
  }

  /** @param {Column} column @param {number} k */
  words(column, k) {
    if (!covers(column, this.hover.time)) return `${column.label}: not run here`;
    const row = this.hoveredRow(k), milliseconds = 1000 * (column.outEdges[row + 1] - column.outEdges[row]);
    return `${column.label}: frame ${row}, ${Math.round(milliseconds)} ms`;
  }

  /** @param {number} k */
  hoveredRow(k) { return k === this.hover.column ? this.hover.row : rowAt(this.columns[k], this.hover.time); }

  // ------------------------------------------------------------ drawing

  windowMoved() {
    this.redraw();
    this.moved.ask();
  }

  /** everything: the window, the size, the theme or the source changed; otherwise only columns that are new are drawn. */
  redraw(everything = true) {
    this.everything ||= everything;
    if (this.columns) this.drawSoon();
  }

  draw() {
    if (!this.columns || !this.root.isConnected || !this.root.clientWidth) return;
    const { everything } = this;
    this.everything = false;
    if (everything) fitGrid(this);
    if (everything || !this.theme) this.paintTheme();
    for (const panel of this.panels) {
      const shows = panel.kind === "strip" ? this.delta : this.columns[panel.column]?.version ?? "";
      if (!everything && panel.shows === shows && !(panel.kind === "strip" && this.drawn)) continue;
      panel.shows = shows;
      drawPanel(prepare(panel.base, boxOf(panel)), boxOf(panel), this, panel);
    }
    this.sheet.refresh();
    if (everything || this.hover || this.player.playhead > 0) this.drawCovers();
  }

  /** Colours of everything that is not a panel. */
  paintTheme() {
    this.theme = readTheme(this.root);
    const { name } = this.theme, ramps = { mel: RAMPS.mel, align: RAMPS[name], err: ERROR_RAMPS[name] };
    for (const heads of [".method", "table.numbers thead th"]) {
      this.root.querySelectorAll(heads).forEach((head, k) => {
        /** @type {HTMLElement} */ (head).style.setProperty("--colour", this.colour(k));
      });
    }
    for (const canvas of this.root.querySelectorAll("canvas.ramp")) {
      paintRamp(/** @type {HTMLCanvasElement} */ (canvas), ramps[/** @type {HTMLElement} */ (canvas).dataset.legend]);
    }
  }

  describe() {
    for (const panel of this.panels) {
      describe(panel.base, this.describePanel(panel));
      const caption = this.caption(panel);
      if (caption) panel.element.querySelector("figcaption").textContent = caption;
    }
  }

  /** @param {Panel} panel */
  describePanel({ kind, column }) {
    const keys = "Left and right arrow keys step through output frames.", described = this.columns[column];
    if (kind === "mel") return `Log-mel spectrogram of ${this.header.clip.title}, ${this.source.seconds.toFixed(2)} seconds. ${keys}`;
    const pen = this.drawn ? " Left and right arrow keys choose a point, up and down move it." : "";
    if (kind === "strip") return `Displacement of each frame, ${this.header.scoresLabel}.${pen}`;
    if (!described) return null;
    const { numbers, label, scope } = described, where = `${label}: ${scope[1] - scope[0]} input frames, ${numbers.frames} output frames`;
    const parts = `loud parts ${amount(numbers.errorLoud)}, quiet parts ${amount(numbers.errorQuiet)}`;
    return {
      out: `Downsampled result. ${where}. ${keys}`, align: `Alignment matrix. ${where}.`, rec: `Reconstruction. ${where}.`,
      err: `Error. ${where}; root mean square ${amount(numbers.error)}, ${parts}.`,
    }[kind] ?? null;
  }

  /** What stands over a panel where there is no column of names. @param {Panel} panel */
  caption({ kind, column }) {
    const { bandsCaption, unit } = this.source;
    return {
      out: `Downsampled result: ${this.columns[column]?.numbers.frames} frames, ${bandsCaption}`,
      align: "Alignment: output frame up, input time across",
      rec: `Reconstruction, ${bandsCaption}`, err: `Error in ${unit}, ${bandsCaption}`,
    }[kind];
  }

  // ------------------------------------------------------------ the spotlight

  cover() { if (this.columns) this.coverSoon(); }

  drawCovers() {
    if (!this.columns || !this.theme || !this.root.isConnected) return;
    for (const panel of this.panels) if (!panel.kind.endsWith("axis")) this.drawCover(panel);
  }

  /** @param {Panel} panel */
  drawCover(panel) {
    const { hover, theme, timeline, player } = this, box = boxOf(panel), context = prepare(panel.cover, box);
    const k = hover ? panel.column ?? hover.column : null;
    const place = (time) => timeline.share(time) * box.width;
    if (k !== null && covers(this.columns[k], hover.time)) {
      drawBeam(context, theme, box, beamShares(box.width, this.beam(panel, k), place), DARKNESS);
      if (panel.kind === "align") this.drawRow(context, box, k);
    }
    if (hover) moment(context, theme, place(hover.time), box.height, theme.ink(0.95), 1);
    if (player.playhead > 0) moment(context, theme, place(player.playhead), box.height, theme.accent);
  }

  /** What is lit: the output frame itself, or the input frames it is made of. @param {Panel} panel @param {number} k */
  beam(panel, k) {
    const column = this.columns[k], row = this.hoveredRow(k);
    if (panel.kind === "out") return { edges: column.outEdges, start: row, weights: [1] };
    return { edges: column.inEdges, ...weightsOf(column, row) };
  }

  /** @param {CanvasRenderingContext2D} context @param {import("../canvas.js").Box} box @param {number} k */
  drawRow(context, box, k) {
    const { low, high } = rowsInView(this.columns[k], this.timeline.view);
    const y = box.height * (1 - (this.hoveredRow(k) + 0.5 - low) / (high - low));
    if (y >= 0 && y <= box.height) rowLine(context, this.theme, box, y);
  }
}

/** @param {Panel} panel */
const boxOf = ({ base }) => ({ x: 0, width: base.clientWidth, height: base.clientHeight });

/** @param {number | null} x */
const amount = (x) => (x == null ? "none" : `${short(x)} dB`);

/** @param {string} name @param {number} value */
const sliderWords = (name, value) =>
  (name === "sigma" ? `${digits(value)} output frames · σ⁻² = ${digits(value ** -2)}` : `${value.toFixed(2)} input frames into one`);

/** A number of a link, with so many digits that its pictures are the same to the last pixel. @param {number} v */
const plain = (v) => String(Number(v.toPrecision(10)));

/** @param {string} method @param {any} pin */
const encodePin = (method, { stride, sigma, scores, drawn }) =>
  [method, plain(stride), plain(sigma), scores, ...(scores === "drawn" ? [encodeDrawn(drawn)] : [])].join("~");

const addMarkup = await loadAssets(import.meta.url, "viewer.html", "../shared.css", "viewer.css", "numbers.css");

export default component((parent) => new Compare(addMarkup(parent)));
