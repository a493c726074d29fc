// @ts-check
// Trained networks side by side. The server runs them; the browser draws their lanes, those of one kind under each other, on one axis
// of time. What the lanes are is the networks' own: nothing here knows what a network does.

import { loadAssets } from "../assets.js";
import { drawBeam, beamShares, moment, paintRamp, prepare } from "../canvas.js";
import { METHOD_COLOURS, readTheme, typeScale } from "../colours.js";
import { component } from "../component.js";
import { Conversation } from "../conversation.js";
import { drawAxis } from "../explore/drawing.js";
import { panelHeights } from "../heights.js";
import { LANES, colourMap, laneTable, laneTitle, number, stepItem, unpackLanes } from "../lanes.js";
import { Player } from "../player.js";
import { Sheet } from "../sheet.js";
import { Sounds } from "../sounds.js";
import { Timeline, followPointer, zoomWithKey } from "../timeline.js";
import { View, canvases, describe, note, onceAFrame, roomBelow, whenQuiet, write } from "../view.js";
import { buildTable, fillTable } from "./table.js";

/**
 * @typedef {import("../lanes.js").Lane} Lane
 * @typedef {{ lane: number, time: number, item?: number, height?: number }} Hover
 *
 * @typedef {object} Panel
 * @property {number | null} lane null for the axis of time
 * @property {HTMLElement} name
 * @property {HTMLElement} element
 * @property {HTMLCanvasElement} base
 * @property {HTMLCanvasElement} cover
 * @property {unknown} [drawn] what its base shows
 * @property {{ width: number, height: number }} size of its canvases, in CSS pixels
 * @property {import("../canvas.js").Box} box the plot's part of them
 */

const GUTTER = 46, RIGHT = 6; // CSS pixels beside a plot
const ONE_COLUMN = 760; // CSS pixels of the window: up to this width names stand over lanes; networks.css has it, too
const BELOW = 6, ROW_GAP = 3; // CSS pixels: free under the last row, between two rows
const ANSWER_TIMEOUT_MS = 30_000;
const QUIET_MS = 150; // the window has not moved for so long: time to ask for a finer picture of it
const SNAP = 0.04; // of the slider, to whole strides
const DARKNESS = 0.5; // around what is hovered

export class Networks extends View {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.timeline = new Timeline(() => this.windowMoved());
    this.requests = new Conversation((_, sequence) => this.request(sequence), {
      received: (packed) => this.receive(packed), link: () => this.link(),
      timeout: ANSWER_TIMEOUT_MS, expired: () => { if (this.header) this.settle(); },
    });
    this.player = new Player(this.timeline, {
      button: this.one(".play"), moved: () => this.coverSoon(), failed: (message) => write(this.one(".status-text"), message),
    }, this.signal);
    /** @type {any} */ this.header = null;
    /** @type {{ id: string, title: string, seconds: number } | null} */ this.clip = null;
    /** @type {string | null} */ this.revision = null;
    /** @type {number | null} the one in hand, null for as trained */ this.stride = null;
    /** @type {Lane[]} */ this.lanes = [];
    /** @type {Panel[]} */ this.panels = [];
    /** @type {Hover | null} */ this.hover = null;
    /** @type {import("../colours.js").Theme} */ this.theme = null;
    /** @type {AbortController | null} ends the pointers of panels that go */ this.ending = null;
    this.shape = this.tableKey = "";
    this.everything = true;
    this.sounds = new Sounds(this);
    this.one(".heard").append(this.sounds.host);
    this.sheet = new Sheet(this, () => this.lanes.map((lane, n) => this.tableOf(lane, n)));
    this.drawSoon = onceAFrame(() => this.draw());
    this.coverSoon = onceAFrame(() => this.drawCovers());
    this.moved = whenQuiet(() => this.requests.ask("moved"), QUIET_MS, this.signal);
    this.listen();
  }

  dispose() {
    this.ending?.abort();
    this.requests.dispose();
    super.dispose();
  }

  // ------------------------------------------------------------ data in

  /** @param {import("../conversation.js").Packed} packed @param {(name: string, value: unknown) => void} [setStateValue] */
  receive({ header, arrays }, setStateValue) {
    if (!this.requests.isNew(header, setStateValue)) return;
    note("received", header.sequence);
    if (arrays.sound) this.openClip(header.clip, arrays.sound, header.linkView);
    if (this.clip?.id !== header.clip.id) return this.askForClip();
    if (header.revision !== this.revision) this.adopt(header);
    const answered = this.requests.expects(header.sequence), names = (of) => of?.networks.map(({ id }) => id).join();
    const same = this.header?.clip.id === header.clip.id && names(this.header) === names(header);
    if (!answered && same) return; // an answer to something older
    this.header = header;
    this.lanes = unpackLanes(header.lanes, arrays);
    const sequence = answered ? this.requests.answered() : null;
    this.syncPanels();
    this.refresh();
    this.sounds.take(header.sounds, arrays);
    this.redraw(false);
    if (sequence !== null) requestAnimationFrame(() => note("followed", sequence));
    // A server that has begun anew does not know the stride in hand.
    if (sequence === null && this.requests.waiting === null && header.stride !== this.stride) this.requests.ask("changed");
    if (!this.requests.next()) this.settle();
  }

  /**
   * @param {{ id: string, title: string, seconds: number }} clip @param {Uint8Array<ArrayBuffer>} sound
   * @param {[number, number] | null} view what a link shows of it
   */
  openClip(clip, sound, view) {
    const again = this.clip?.id === clip.id;
    this.clip = clip;
    if (again) return;
    this.timeline.open(clip.seconds, ...(view && view[0] < clip.seconds ? view : []));
    this.hover = null;
    this.everything = true;
    this.sounds.open(new Blob([sound], { type: "audio/flac" }));
  }

  /** @param {any} header */
  adopt(header) {
    this.revision = header.revision;
    this.stride = header.stride;
    this.requests.forget();
  }

  /** A new component around an old conversation. */
  askForClip() {
    this.clip = null;
    this.requests.forget();
    this.requests.ask("clip");
  }

  // ------------------------------------------------------------ data out

  /** @param {number | null} stride */
  change(stride) {
    this.stride = stride;
    this.refreshSlider();
    this.requests.ask("changed");
  }

  /** @param {number} sequence */
  request(sequence) {
    this.root.dataset.state = "following";
    note("sent", sequence);
    const { clip, revision, stride, timeline: { from, to, whole }, sounds } = this;
    const view = !clip || whole ? null : [from, to];
    return { sequence, revision: revision ?? "", have: clip?.id ?? "", stride, view, pixels: this.pixels, ...sounds.asked };
  }

  /** Device pixels across a lane. */
  get pixels() { return Math.round((this.panels[0]?.box.width ?? 1024) * (devicePixelRatio || 1)); }

  /** Nothing is under way and nothing waits: the address bar and screen readers get the result. */
  settle() {
    const { header } = this, answers = header.numbers.find(({ label }) => label === "Answer")?.texts ?? [];
    this.writeAddress(this.link());
    this.say(header.networks.map(({ name, facts }, k) => `${name}: ${answers[k]}; ${facts}.`).join(" "));
    this.describe();
    this.root.dataset.state = "settled";
    this.sounds.settled();
    note("settled", this.requests.sequence);
  }

  link() {
    const url = new URL(location.href), { from, to, whole } = this.timeline, set = (name, value) => {
      if (value) url.searchParams.set(name, value);
      else url.searchParams.delete(name);
    };
    for (const [name, value] of Object.entries(this.header.link)) set(name, value);
    set("upper", this.stride === null ? null : String(Number(this.stride.toPrecision(6))));
    set("view", whole ? null : `${Number(from.toFixed(3))},${Number(to.toFixed(3))}`);
    return url.href;
  }

  // ------------------------------------------------------------ controls

  listen() {
    const press = (selector, action) => this.on(this.one(selector), "click", action), input = this.one(".slider input");
    press(".zoom-in", () => this.timeline.zoom(0.5, this.hover?.time));
    press(".zoom-out", () => this.timeline.zoom(2, this.hover?.time));
    press(".fit", () => this.timeline.fit());
    press(".reset", () => this.change(null));
    press(".link", () => this.copyLink(this.one(".link"), this.link()));
    this.on(input, "input", () => this.slide(Number(input.value)));
    this.on(this.root, "keydown", (event) => { if (this.key(event)) event.preventDefault(); });
    this.onLook(() => this.redraw());
  }

  /** @param {number} value of the slider */
  slide(value) {
    const whole = Math.round(value);
    this.change(Math.abs(value - whole) < SNAP ? whole : value);
  }

  /** Gives whether the key meant something. @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.composedPath()[0]), panel = this.panels.find(({ base }) => base === target);
    const along = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") {
      this.setHover(null);
      this.sheet.close();
      return true;
    }
    if (target.matches("select, textarea") || event.ctrlKey || event.metaKey || event.altKey || this.sheet.holds(target)) return false;
    if (event.key.toLowerCase() === "a") return this.sounds.next();
    if (event.key === " " && !target.matches("button")) this.player.toggle();
    else if (target.matches("input, button")) return false;
    else if (zoomWithKey(event.key, this.timeline, this.hover?.time)) return true;
    else if (event.key === "Enter" && panel) this.player.playFrom(this.hover?.time ?? this.timeline.from);
    else if (panel && along) this.step(panel, along);
    else return false;
    return true;
  }

  /** @param {Panel} panel @param {number} by */
  step(panel, by) {
    const lane = this.lanes[panel.lane], now = this.hover?.lane === panel.lane ? this.hover.item : undefined;
    if (!LANES[lane.kind].count(lane)) return;
    const item = stepItem(lane, now, by, this.timeline.from), { from, to } = LANES[lane.kind].item(lane, item);
    this.setHover({ lane: panel.lane, item, time: (from + to) / 2 });
    this.one(".spoken").textContent = this.one(".tip").textContent;
  }

  refreshSlider() {
    const { header, stride } = this, input = this.one(".slider input"), [low, high] = header.range;
    const trained = header.networks.find((/** @type {any} */ network) => network.trained !== null)?.trained;
    this.one(".slider").hidden = this.one(".reset").hidden = trained === undefined; // no network has a layer
    if (trained === undefined) return;
    const root = /** @type {ShadowRoot} */ (this.root.getRootNode()), value = stride ?? trained;
    Object.assign(input, { min: String(low), max: String(high) });
    const text = stride === null ? "as trained" : `${stride.toFixed(2)} input frames into one`;
    if (root.activeElement !== input || Math.abs(Number(input.value) - value) > 0.05) input.value = String(value);
    write(this.one(".slider output"), text);
    input.setAttribute("aria-valuetext", text);
    this.one(".reset").disabled = stride === null;
  }

  refresh() {
    this.refreshSlider();
    write(this.one(".status-text"), this.header.status);
    this.refreshTable();
  }

  refreshTable() {
    const { header } = this, table = this.one("table.numbers");
    const lines = header.numbers.map(({ label, texts }) => ({ title: label, unit: "", texts, values: null }));
    const key = JSON.stringify([header.networks.map(({ name }) => name), lines.map(({ title }) => title)]);
    if (key !== this.tableKey) {
      buildTable(table, header.networks.map(({ name }, k) => ({ label: name, colour: this.colour(k) })), lines);
    }
    this.tableKey = key;
    fillTable(table, lines);
  }

  // ------------------------------------------------------------ lanes

  /** @param {number | null} k of a network */
  colour(k) {
    const colours = METHOD_COLOURS[this.theme?.name ?? "light"];
    return k === null ? "transparent" : colours[k % colours.length];
  }

  /** Whose lane it is, null for what is the clip's. @param {number} lane @returns {number | null} */
  owner(lane) { return this.header.owners[lane]; }

  /** The name of the network that a lane is of. @param {number} lane */
  nameOf(lane) { return this.owner(lane) === null ? "" : this.header.networks[this.owner(lane)].name; }

  /** Does a lane begin a group of its kind? @param {number} lane */
  isFirst(lane) {
    const [before, now] = [this.lanes[lane - 1], this.lanes[lane]];
    return !before || before.kind !== now.kind || before.title !== now.title;
  }

  /** Makes panels for other lanes. */
  syncPanels() {
    const shape = JSON.stringify([this.header.networks.map(({ name }) => name), this.lanes.map((lane) => [lane.kind, laneTitle(lane)])]);
    if (this.hover && this.hover.lane >= this.lanes.length) this.setHover(null);
    if (shape === this.shape) return;
    this.shape = shape;
    this.ending?.abort();
    this.ending = new AbortController();
    this.panels = [...this.lanes.map((_, lane) => this.makePanel(lane)), this.makePanel(null)];
    this.one(".lanes").replaceChildren(...this.panels.flatMap(({ name, element }) => [name, element]));
    this.everything = true;
  }

  /** @param {number | null} lane @returns {Panel} */
  makePanel(lane) {
    const element = document.createElement("figure"), name = document.createElement("div");
    const [height] = panelHeights(null, [this.sizeOf(lane)]); // until it is measured
    element.className = `lane of-${this.sizeOf(lane)}`; // .segments are buttons
    element.innerHTML = '<div class="stack"><canvas class="base"></canvas><canvas class="cover"></canvas></div>';
    name.className = "name silent";
    if (lane !== null) this.writeName(name, lane);
    const size = { width: 0, height }, box = { x: GUTTER, width: 1024, height };
    const panel = { lane, name, element, size, box, ...canvases(element, height, lane === null) };
    if (lane !== null) this.follow(panel);
    return panel;
  }

  /** What a panel's height goes by. @param {number | null} lane */
  sizeOf(lane) { return lane === null ? "axis" : this.lanes[lane].kind; }

  /** @param {HTMLElement} host @param {number} n */
  writeName(host, n) {
    const lane = this.lanes[n], first = this.isFirst(n), scale = first && lane.kind === "picture";
    host.className = `name${first ? " first" : ""}`;
    const ramp = '<div class="scale"><i></i><canvas class="ramp" width="256" height="1"></canvas><i></i></div>';
    const whose = this.owner(n) === null ? "" : '<p><i class="swatch"></i><span></span></p>';
    host.innerHTML = `${first ? "<h4></h4>" : ""}${scale ? ramp : ""}${whose}`;
    if (first) host.querySelector("h4").textContent = laneTitle(lane);
    if (whose) host.querySelector("p span").textContent = this.nameOf(n);
  }

  /** The colours of a name: its network's, and the scale of a picture. @param {Panel} panel */
  paintName({ name, lane: n }) {
    const lane = this.lanes[n], scale = name.querySelector(".scale");
    name.style.setProperty("--colour", this.colour(this.owner(n)));
    if (!scale) return;
    const [low, high] = scale.querySelectorAll("i");
    write(low, number(lane.low));
    write(high, `${number(lane.high)} ${lane.unit}`);
    paintRamp(scale.querySelector("canvas"), colourMap(lane, this.theme));
  }

  /** @param {Lane} lane @param {number} n */
  tableOf(lane, n) {
    const table = laneTable(lane, this.timeline.view), name = this.nameOf(n);
    return { ...table, caption: name ? `${name}, ${table.caption}` : table.caption };
  }

  /** @param {Panel} panel */
  follow(panel) {
    const plot = () => ({ left: panel.box.x, width: panel.box.width });
    followPointer(panel.base, this.timeline, {
      plot, touchHovers: true, press: (time) => this.player.playFrom(time),
      hover: (event, time) => this.setHover(event && this.pick(panel, event, time), event),
    }, this.ending.signal);
  }

  /** @param {Panel} panel @param {MouseEvent} event @param {number} time @returns {Hover} */
  pick(panel, event, time) {
    const place = panel.base.getBoundingClientRect();
    return { lane: panel.lane, time, height: 1 - (event.clientY - place.top) / place.height };
  }

  /** @param {Hover | null} hover @param {MouseEvent | null} [event] */
  setHover(hover, event) {
    const tip = this.one(".tip");
    this.hover = hover;
    tip.hidden = !hover;
    if (hover) {
      tip.textContent = this.words(hover);
      this.placeTip(tip, event);
    }
    this.coverSoon();
  }

  /** Which item of a lane is hovered; -1 for none. @param {number} n */
  itemAt(n) {
    const { hover } = this, lane = this.lanes[n];
    if (hover.lane === n && hover.item !== undefined) return hover.item < LANES[lane.kind].count(lane) ? hover.item : -1;
    return LANES[lane.kind].count(lane) ? LANES[lane.kind].at(lane, hover.time) : -1;
  }

  /** What the tip says: what all networks have there, in lanes like the one under the pointer. @param {Hover} hover */
  words(hover) {
    const { kind, title } = this.lanes[hover.lane], lines = [`${title} at ${hover.time.toFixed(2)} s`];
    this.lanes.forEach((lane, n) => {
      if (lane.kind !== kind || lane.title !== title) return;
      const item = this.itemAt(n), said = item < 0 ? "nothing" : LANES[kind].item(lane, item, hover.height).text;
      lines.push(this.nameOf(n) ? `${this.nameOf(n)}: ${said}` : said);
    });
    return lines.join("\n");
  }

  // ------------------------------------------------------------ drawing

  windowMoved() {
    this.redraw();
    this.moved.ask();
  }

  /** everything: the window, the size or the theme changed; otherwise only what is new is drawn. */
  redraw(everything = true) {
    this.everything ||= everything;
    if (this.header) this.drawSoon();
  }

  draw() {
    if (!this.header || !this.root.isConnected || !this.root.clientWidth) return;
    const { everything } = this;
    this.everything = false;
    if (everything) this.measure();
    if (everything || !this.theme) this.paintTheme();
    for (const panel of this.panels) {
      const lane = this.lanes[panel.lane];
      if (!everything && panel.drawn === (lane?.version ?? "")) continue;
      panel.drawn = lane?.version ?? "";
      const context = prepare(panel.base, panel.size);
      if (!lane) drawAxis(context, panel.box, /** @type {any} */ (this));
      else {
        LANES[lane.kind].draw(context, panel.box, this.theme, this.timeline, { ...lane, ink: this.colour(this.owner(panel.lane)) });
        this.paintName(panel);
      }
    }
    this.sheet.refresh();
    this.drawCovers();
  }

  /** Reads the panels' widths and gives them their heights. First everything is read, then everything is written. */
  measure() {
    const host = this.one(".lanes"), scale = typeScale(), wide = innerWidth > ONE_COLUMN;
    const kinds = this.panels.map(({ lane }) => this.sizeOf(lane)), widths = this.panels.map(({ base }) => base.clientWidth);
    const heights = panelHeights(wide ? roomBelow(host, this.root) - BELOW - kinds.length * ROW_GAP : null, kinds, scale);
    this.panels.forEach((panel, n) => {
      panel.size = { width: widths[n], height: heights[n] };
      panel.box = { x: GUTTER * scale, width: Math.max(10, widths[n] - GUTTER * scale - RIGHT), height: heights[n] };
      panel.base.style.height = `${heights[n]}px`;
    });
  }

  /** Colours of everything that is not a lane. */
  paintTheme() {
    this.theme = readTheme(this.root);
    this.root.querySelectorAll("table.numbers thead th").forEach((head, k) => {
      /** @type {HTMLElement} */ (head).style.setProperty("--colour", this.colour(k));
    });
  }

  describe() {
    for (const { base, lane: n } of this.panels) {
      if (n === null) continue;
      const lane = this.lanes[n], whose = this.nameOf(n) ? `${this.nameOf(n)}, ` : "";
      describe(base, `${whose}${laneTitle(lane)}: ${LANES[lane.kind].describe(lane)}. Left and right arrow keys step through it.`);
    }
  }

  drawCovers() {
    if (!this.header || !this.theme || !this.root.isConnected) return;
    for (const panel of this.panels) if (panel.lane !== null) this.drawCover(panel);
  }

  /** @param {Panel} panel */
  drawCover(panel) {
    const { hover, theme, timeline, player } = this, { box } = panel, context = prepare(panel.cover, panel.size);
    const place = (/** @type {number} */ time) => timeline.share(time) * box.width;
    const mark = (/** @type {number} */ time, /** @type {string} */ colour, /** @type {number} */ width) => {
      const x = box.x + place(time);
      if (x >= box.x - 1 && x <= box.x + box.width + 1) moment(context, theme, x, box.height, colour, width);
    };
    if (hover) {
      const lane = this.lanes[panel.lane], item = lane.kind === "segments" ? this.itemAt(panel.lane) : -1;
      if (item >= 0) {
        const { from, to } = LANES[lane.kind].item(lane, item);
        drawBeam(context, theme, box, beamShares(box.width, { edges: [from, to], start: 0, weights: [1] }, place), DARKNESS);
      }
      mark(hover.time, theme.ink(0.95), 1);
    }
    if (player.playhead > 0) mark(player.playhead, theme.accent, 1.5);
  }
}

const addMarkup = await loadAssets(import.meta.url, "networks.html", "../shared.css", "networks.css", "numbers.css");

export default component((parent) => new Networks(addMarkup(parent)));
