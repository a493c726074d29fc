// @ts-check
// The panels of the Explore page, one under another on one axis of time: which there are, what stands over them, how they follow
// the pointer, and how they read to somebody who does not see them.

import { frameAt, rowWeights, visibleRows } from "../alignment.js";
import { beamShares, drawBeam, label, moment, paintRamp, prepare, rowLine } from "../canvas.js";
import { layerColour, typeScale } from "../colours.js";
import { panelHeights } from "../heights.js";
import { clamp, digits, largest } from "../numbers.js";
import { followPointer } from "../timeline.js";
import { canvases, describe, roomBelow, segments, write } from "../view.js";
import { drawAxis, drawLayer, drawMel, drawProfile, drawTicks, drawWave, layerLabels, rowPlace } from "./drawing.js";
import { LANES, colourMap, laneTitle, number, span, stepItem } from "../lanes.js";
import { beams, extremes, methodName } from "./layers.js";

/**
 * @typedef {import("./viewer.js").Explorer} Explorer
 * @typedef {import("../canvas.js").Box} Box
 * @typedef {{ layer: number, row: number } | { lane: number, item: number, height?: number } | { patch: [number, number] }} Hover
 *   what the pointer rests on
 *
 * @typedef {object} Panel
 * @property {string} kind
 * @property {number} [layer]
 * @property {number} [lane]
 * @property {HTMLElement} element
 * @property {HTMLCanvasElement} base
 * @property {HTMLCanvasElement} cover
 * @property {unknown} [drawn] what its base shows
 * @property {string} [beside] and the labels beside the plot
 * @property {{ width: number, height: number }} size of its canvases, in CSS pixels
 * @property {Box} box the plot's part of them
 * @property {boolean} [covered]
 */

const GUTTER = 46, NARROW_GUTTER = 40, RIGHT = 6, NARROW = 560; // CSS pixels
const ONE_COLUMN = 780; // CSS pixels: up to this width the answer stands over the panels, and the page scrolls; viewer.css has it, too
const BELOW = 6; // CSS pixels: free under the last panel
const HEADLESS = ["profile", "ticks", "axis"], SILENT = ["ticks", "axis"];
const DRAW = { wave: drawWave, mel: drawMel, ticks: drawTicks, profile: drawProfile, axis: drawAxis };
const MOST_TIP = 270; // CSS pixels
const CHOICE = '<span class="choice"><span>layer</span>'
  + '<span class="segments of-layer" role="radiogroup" aria-label="Layer of the attention"></span><span>head</span>'
  + '<span class="segments of-head" role="radiogroup" aria-label="Head of the attention"></span></span>'
  + '<span class="late">catching up …</span>';
const FRAME_ROOM = 3; // CSS pixels around a plot that its frame may touch

export class Panels {
  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    /** @type {Panel[]} */
    this.all = [];
    this.shape = "";
    this.heads = "";
    this.narrow = false;
    this.heading = { of: "", height: 0 }; // what stands over all panels together
    /** @type {AbortController | null} ends the pointers of panels that go */
    this.ending = null;
    explorer.signal.addEventListener("abort", () => this.ending?.abort());
  }

  // -------------------------------------------------------------- which there are

  /** Makes panels for other layers or lanes, and writes what stands over them. */
  sync() {
    const { header, clip, tickLayer, lanes } = this.explorer, count = header.layers.length;
    const shape = `${count} ${lanes.map((lane) => `${lane.kind}${lane.attends ? " attends" : ""}`).join()}`;
    const titles = lanes.map((lane) => (lane.attends ? "" : laneTitle(lane)));
    const heads = `${clip.id} ${header.heard.frames} ${tickLayer} ${shape} ${titles.join("\n")}`;
    if (shape !== this.shape) this.build(count);
    if (heads === this.heads && shape === this.shape) return;
    [this.shape, this.heads] = [shape, heads];
    for (const panel of this.all) this.writeHead(panel);
  }

  /** @param {number} layers */
  build(layers) {
    this.ending?.abort();
    this.ending = new AbortController();
    const ofLayers = Array.from({ length: layers }, (_, layer) => [this.make("layer", { layer }), this.make("profile", { layer })]);
    const lanes = this.explorer.lanes.map((_, lane) => this.make("lane", { lane }));
    const ticks = layers ? [this.make("ticks")] : [];
    this.all = [this.make("wave"), this.make("mel"), ...ticks, ...ofLayers.flat(), ...lanes, this.make("axis")];
    this.explorer.one(".panels").replaceChildren(...this.all.map((panel) => panel.element));
    this.explorer.everything = true;
  }

  /** @param {string} kind @param {{ layer?: number, lane?: number }} [of] @returns {Panel} */
  make(kind, { layer, lane } = {}) {
    const element = document.createElement("figure");
    element.className = `panel ${kind}`;
    const stack = '<div class="stack"><canvas class="base"></canvas><canvas class="cover"></canvas></div>';
    element.innerHTML = HEADLESS.includes(kind) ? stack : `<header></header>${stack}`;
    const [height] = panelHeights(null, [this.sizeOf({ kind, lane })]); // until it is measured
    const size = { width: 0, height }, box = { x: GUTTER, width: 1024, height };
    const panel = { kind, layer, lane, element, size, box, ...canvases(element, height, SILENT.includes(kind)) };
    this.follow(panel);
    return panel;
  }

  /** What a panel's height goes by. @param {{ kind: string, lane?: number }} panel */
  sizeOf({ kind, lane }) { return kind === "lane" ? this.explorer.lanes[lane].kind : kind; }

  /** The panel of a canvas. @param {EventTarget} canvas */
  of(canvas) { return this.all.find((panel) => panel.base === canvas); }

  // -------------------------------------------------------------- what stands over them

  /** @param {Panel} panel */
  writeHead(panel) {
    const head = panel.element.querySelector("header"), { clip } = this.explorer;
    if (panel.kind === "mel") this.writeMelHead(head);
    else if (panel.kind === "wave") {
      head.innerHTML = "<b></b> <span></span>";
      head.querySelector("b").textContent = clip.title;
      head.querySelector("span").textContent = `${clip.details} · amplitude, 1 is full scale`;
      head.append(this.explorer.sounds.host);
    } else if (panel.kind === "lane") this.writeLaneHead(head, panel);
  }

  /** @param {HTMLElement} head */
  writeMelHead(head) {
    const { explorer } = this;
    if (!head.firstChild) {
      head.innerHTML = '<b>Log-mel spectrogram</b> <span class="frames"></span>'
        + '<span class="segments-label">marks: output frames of layer</span>'
        + '<span class="segments" role="radiogroup" aria-label="Layer whose output frames are marked on the mel"></span>';
    }
    head.querySelector(".frames").textContent = `${explorer.header.heard.frames} frames`;
    /** @type {HTMLElement} */ (head.querySelector(".segments-label")).hidden = !explorer.header.layers.length;
    segments(head.querySelector(".segments"), explorer.header.layers.map((_, k) => [k, `${k + 1}`]), explorer.tickLayer, (k) => {
      explorer.tickLayer = k;
      this.sync();
      explorer.redraw();
    });
  }

  /** @param {HTMLElement} head @param {Panel} panel */
  writeLaneHead(head, panel) {
    const lane = this.explorer.lanes[panel.lane], { patches } = this.explorer;
    const scale = '<span class="scale"><i></i><canvas class="ramp" width="256" height="1"></canvas><i></i></span>';
    head.innerHTML = lane.kind === "picture" ? `<b></b>${lane.attends ? CHOICE : ""}${scale}` : "<b></b>";
    head.querySelector("b").textContent = laneTitle(lane);
    if (lane.attends) patches.writeChoice(head);
  }

  /** A layer's name and numbers, which change while somebody drags. @param {Panel} panel */
  writeLayerHead(panel) {
    const { layers, firstStale, theme } = this.explorer, layer = layers[panel.layer];
    const head = panel.element.querySelector("header"), text = layerNumbers(layer, firstStale === Infinity);
    if (!head.firstChild) {
      head.innerHTML = '<b><i class="swatch"></i><span class="name"></span></b><span class="numbers"></span>'
        + '<span class="late">catching up …</span>';
    }
    /** @type {HTMLElement} */ (head.querySelector(".swatch")).style.background = layerColour(theme.name, panel.layer);
    write(head.querySelector(".name"), `Layer ${panel.layer + 1} · ${methodName(layer)}`);
    write(head.querySelector(".numbers"), text);
  }

  /** The ends of a picture's scale. @param {Panel} panel */
  writeScale(panel) {
    const lane = this.explorer.lanes[panel.lane], scale = panel.element.querySelector(".scale");
    if (!scale) return;
    if (lane.attends) write(panel.element.querySelector("b"), lane.title); // it follows the pointer
    const [low, high] = scale.querySelectorAll("i");
    write(low, number(lane.low));
    write(high, `${number(lane.high)} ${lane.unit}`);
    paintRamp(scale.querySelector("canvas"), colourMap(lane, this.explorer.theme));
  }

  /** Layers that are not exact yet say so. */
  markLate() {
    const { firstStale, lanes } = this.explorer;
    for (const { kind, layer, lane, element } of this.all) {
      const late = kind === "layer" ? layer >= firstStale : Boolean(lanes[lane]?.attends) && firstStale < Infinity;
      element.classList.toggle("catching-up", late);
    }
  }

  // -------------------------------------------------------------- where they are

  /**
   * Reads the panels' widths and gives them their heights. Only here: to ask the browser for a size between two changes of the page
   * makes it lay out all of it. First everything is read, then everything is written.
   */
  measure() {
    const { root } = this.explorer, wide = root.clientWidth, scale = typeScale(), widths = this.all.map((panel) => panel.base.clientWidth);
    const heights = panelHeights(wide > ONE_COLUMN ? this.available() : null, this.all.map((panel) => this.sizeOf(panel)), scale);
    this.narrow = wide < NARROW;
    const x = (this.narrow ? NARROW_GUTTER : GUTTER) * scale;
    this.all.forEach((panel, n) => {
      const height = heights[n];
      panel.size = { width: widths[n], height };
      panel.box = { x, width: Math.max(10, widths[n] - x - RIGHT), height };
      panel.base.style.height = `${height}px`;
    });
  }

  /** CSS pixels that the window leaves for all panels, without what stands over them. */
  available() {
    const { root } = this.explorer, host = this.explorer.one(".panels");
    const words = host.getBoundingClientRect().height - this.all.reduce((sum, { base }) => sum + base.clientHeight, 0);
    // A line that breaks for one number and not for the next must not move the panels: they keep to the most it has needed.
    const of = `${root.clientWidth} ${typeScale()} ${this.heads}`;
    this.heading = { of, height: this.heading.of === of ? Math.max(this.heading.height, words) : words };
    return roomBelow(host, root) - this.heading.height - BELOW;
  }

  /** Device pixels of a layer's plot. @returns {[number, number]} */
  get pixels() {
    const panel = this.all.find(({ kind }) => kind === "layer"), ratio = devicePixelRatio || 1;
    const { width, height } = panel?.box ?? { width: 1024, height: 112 };
    return [Math.round(width * ratio), Math.round(height * ratio)];
  }

  // -------------------------------------------------------------- pointers

  /** @param {Panel} panel */
  follow(panel) {
    const { explorer } = this, { base } = panel, plot = () => ({ left: panel.box.x, width: panel.box.width });
    followPointer(base, explorer.timeline, {
      plot,
      hover: (event, time) => {
        explorer.hoverTime = event ? time : undefined;
        explorer.setHover(event ? this.pick(panel, event, time) : null, event);
      },
      press: (time) => explorer.player.playFrom(time),
    }, this.ending.signal);
  }

  /**
   * What is under the pointer: an output frame by height in an alignment and by time elsewhere, or an item of a lane.
   * @param {Panel} panel @param {MouseEvent} event @param {number} time @returns {Hover | null}
   */
  pick(panel, event, time) {
    const { explorer } = this, place = panel.base.getBoundingClientRect(), height = 1 - (event.clientY - place.top) / place.height;
    if (panel.kind === "axis") return null;
    if (explorer.patches.on(panel)) {
      const patch = explorer.patches.at(time, height);
      return patch && { patch };
    }
    if (panel.kind === "lane") return this.pickItem(panel.lane, time, height);
    if (!explorer.layers.length) return null;
    const layer = panel.layer ?? explorer.tickLayer, { outEdges, L } = explorer.layers[layer].layout;
    if (time > outEdges[L]) return null; // that is not heard
    if (panel.kind !== "layer") return { layer, row: frameAt(outEdges, time) };
    const { low, high } = visibleRows(outEdges, explorer.timeline.view);
    return { layer, row: clamp(Math.floor(low + height * (high - low)), 0, L - 1) };
  }

  /** @param {number} lane @param {number} time @param {number} height @returns {Hover | null} */
  pickItem(lane, time, height) {
    const described = this.explorer.lanes[lane], item = LANES[described.kind].at(described, time);
    return item < 0 ? null : { lane, item, height };
  }

  /** What lies a step further than what is hovered now. @param {Panel} panel @param {number} by @returns {Hover | null} */
  step(panel, by) {
    const { explorer } = this, { hover } = explorer;
    if (panel.kind === "lane") {
      const now = hover && "lane" in hover && hover.lane === panel.lane ? hover.item : undefined;
      return { lane: panel.lane, item: stepItem(explorer.lanes[panel.lane], now, by, explorer.timeline.from) };
    }
    if (!explorer.layers.length) return null;
    const layer = panel.layer ?? explorer.tickLayer, { L } = explorer.layers[layer].layout;
    const row = hover && "row" in hover && hover.layer === layer ? hover.row + by : 0;
    return { layer, row: clamp(row, 0, L - 1) };
  }

  /** When what is hovered begins and ends. @param {Hover} hover */
  spanOf(hover) {
    if (!("row" in hover)) return this.itemOf(hover);
    const { outEdges } = this.explorer.layers[hover.layer].layout;
    return { from: outEdges[hover.row], to: outEdges[hover.row + 1] };
  }

  /** @param {{ lane: number, item: number, height?: number } | { patch: [number, number] }} hover */
  itemOf(hover) {
    if ("patch" in hover) return this.explorer.patches.item(hover.patch);
    const { lane, item, height } = hover;
    const described = this.explorer.lanes[lane];
    return LANES[described.kind].item(described, item, height);
  }

  /** Is what was hovered still there? @param {Hover} hover */
  exists(hover) {
    const { lanes, layers, patches } = this.explorer;
    if ("patch" in hover) return patches.exists(hover.patch);
    if ("lane" in hover) return Boolean(lanes[hover.lane]) && hover.item < LANES[lanes[hover.lane].kind].count(lanes[hover.lane]);
    return hover.layer < layers.length && hover.row < layers[hover.layer].layout.L;
  }

  /** What the tip says. @param {Hover} hover */
  words(hover) {
    if ("patch" in hover) return `${this.itemOf(hover).text}.`;
    if ("lane" in hover) return `${this.explorer.lanes[hover.lane].title}: ${this.itemOf(hover).text}`;
    const { layer, row } = hover, { layout } = this.explorer.layers[layer], { from, to } = this.spanOf(hover);
    const frames = `stands for ${digits(layout.strides[row], 2)} input frames`, heard = this.heardIn(from, to);
    return `Layer ${layer + 1}, output frame ${row}: ${frames}, ${span(from, to)}; ${madeOf(layout, row)}.${heard}`;
  }

  /** Which segments that are made of output frames lie in a stretch of time, in words. @param {number} from @param {number} to */
  heardIn(from, to) {
    return this.explorer.lanes.filter((lane) => lane.kind === "segments").map((lane) => {
      const here = lane.segments.filter((segment) => segment.frames && segment.end > from && segment.start < to);
      const texts = [...new Set(here.map(({ text, paint }) => (paint ? text : `“${text}”`)))].join(", ");
      return texts && ` ${here[0].paint ? lane.title : "Heard"} here: ${texts}.`;
    }).join("");
  }

  /** Where the tip may stand so that it is never cut. @param {MouseEvent | undefined} event */
  tipPlace(event) {
    const place = this.explorer.root.getBoundingClientRect();
    if (!event) return { left: `${this.narrow ? NARROW_GUTTER : GUTTER}px`, top: "0px" };
    const left = clamp(event.clientX - place.left + 16, 0, Math.max(0, place.width - MOST_TIP));
    return { left: `${left}px`, top: `${event.clientY - place.top + 18}px` };
  }

  // -------------------------------------------------------------- drawing

  /** Draws all panels, or those that show something new. @param {boolean} everything */
  draw(everything) {
    for (const panel of this.all) {
      if (panel.kind === "layer") this.writeLayerHead(panel);
      const shows = this.shows(panel);
      if (!everything && panel.drawn === shows) continue;
      panel.drawn = shows;
      this.drawPanel(panel);
    }
  }

  /** What a panel's drawing depends on, beside the window, the size and the theme. @param {Panel} panel */
  shows({ kind, layer, lane }) {
    const { layers, tickLayer, lanes, patches, until } = this.explorer;
    if (kind === "lane") return lanes[lane].version;
    if (kind === "wave" || kind === "mel") return `${until} ${kind === "mel" && patches.described ? patches.version : ""}`;
    const layout = layers[kind === "ticks" ? tickLayer : layer]?.layout;
    return kind === "layer" ? layout : layout?.outEdges; // sigma moves no frame
  }

  /** @param {Panel} panel */
  drawPanel(panel) {
    const { explorer } = this, { box } = panel, lane = explorer.lanes[panel.lane];
    if (panel.kind === "layer") return this.drawLayer(panel);
    const context = prepare(panel.base, panel.size);
    if (!lane) return DRAW[panel.kind](context, box, explorer, panel);
    this.writeScale(panel);
    LANES[lane.kind].draw(context, box, explorer.theme, explorer.timeline, lane);
  }

  /** Text is what takes longest to draw, and mostly stands there already: then only the plot is drawn. @param {Panel} panel */
  drawLayer(panel) {
    const { explorer } = this, { box, size } = panel, of = { layer: panel.layer ?? 0 }, labels = layerLabels(box, explorer, of);
    const beside = JSON.stringify([labels, box, size, devicePixelRatio, explorer.theme.name]);
    let context = panel.base.getContext("2d");
    if (beside === panel.beside) context.clearRect(box.x - FRAME_ROOM, 0, box.width + 2 * FRAME_ROOM, box.height);
    else {
      context = prepare(panel.base, size);
      for (const [text, y, alpha] of labels) label(context, explorer.theme, text, box.x - 6, y, { alpha });
    }
    panel.beside = beside;
    drawLayer(context, box, explorer, of);
  }

  // -------------------------------------------------------------- what lies over them: spotlight and playhead

  drawCovers() {
    const { explorer } = this, { hover, layers, server, player } = explorer;
    const there = hover && this.exists(hover), item = there && !("row" in hover) ? this.itemOf(hover) : null, top = layers.length - 1;
    const rows = there && "row" in hover ? [hover.layer, hover.row, hover.row] : item?.frames ? [top, ...item.frames] : null;
    const lit = rows && rows[2] < layers[rows[0]].layout.L ? beams(layers, server, rows[0], rows[1], rows[2]) : null;
    for (const panel of this.all) {
      const beam = this.beamOf(panel, lit, item), played = player.playhead > 0;
      const chosen = explorer.patches.on(panel);
      if (!panel.size.width || (!beam && !played && !chosen && !panel.covered)) continue; // nothing lies over it and nothing did
      panel.covered = Boolean(beam || played || chosen);
      this.drawCover(panel, beam, lit, played);
    }
  }

  /**
   * What of a panel's time is lit.
   * @param {Panel} panel @param {ReturnType<typeof beams> | null} lit @param {import("../lanes.js").Item | null} item
   */
  beamOf(panel, lit, item) {
    if (panel.kind === "axis" || (item && this.explorer.patches.on(panel))) return null;
    if (item && (!lit || panel.kind === "lane")) return { edges: [item.from, item.to], start: 0, weights: [1] };
    const layer = panel.kind === "lane" ? 0 : panel.layer ?? 0;
    return lit?.[layer] ? { edges: this.explorer.layers[layer].layout.inEdges, ...lit[layer].weights } : null;
  }

  /**
   * @param {Panel} panel @param {ReturnType<Panels["beamOf"]>} beam @param {ReturnType<typeof beams> | null} lit
   * @param {boolean} played
   */
  drawCover(panel, beam, lit, played) {
    const { theme, timeline, player } = this.explorer, context = prepare(panel.cover, panel.size), { box } = panel;
    const place = (/** @type {number} */ time) => timeline.share(time) * box.width;
    if (beam) drawBeam(context, theme, box, beamShares(box.width, beam, place));
    if (this.explorer.patches.on(panel)) this.explorer.patches.drawChosen(context, box);
    if (beam && lit && panel.kind === "layer") this.drawRows(context, box, panel.layer, lit[panel.layer].rows);
    const x = box.x + place(player.playhead);
    if (played && x >= box.x - 1 && x <= box.x + box.width + 1) moment(context, theme, x, box.height, theme.accent);
  }

  /**
   * The output frames that take part, beside an alignment's axis.
   * @param {CanvasRenderingContext2D} context @param {Box} box @param {number} layer
   * @param {{ start: number, weights: Float64Array }} rows
   */
  drawRows(context, box, layer, { start, weights }) {
    const { layers, timeline, theme } = this.explorer, y = rowPlace(box, visibleRows(layers[layer].layout.outEdges, timeline.view));
    const most = Math.max(largest(weights), 1e-9);
    context.fillStyle = layerColour(theme.name, layer);
    weights.forEach((weight, n) => {
      context.globalAlpha = Math.sqrt(weight / most);
      context.fillRect(box.x - 5, y(start + n + 1), 5, Math.max(1.5, y(start + n) - y(start + n + 1)));
    });
    context.globalAlpha = 1;
    if (weights.length === 1) rowLine(context, theme, box, y(start + 0.5));
  }

  // -------------------------------------------------------------- in words

  describe() {
    for (const panel of this.all) if (!SILENT.includes(panel.kind)) describe(panel.base, this.describePanel(panel));
  }

  /** @param {Panel} panel */
  describePanel({ kind, layer, lane }) {
    const { clip, layers, lanes } = this.explorer;
    if (kind === "wave") return `Waveform of ${clip.title}, ${clip.seconds.toFixed(2)} seconds`;
    const { header, patches } = this.explorer, pointed = patches.on({ kind, lane }) ? `. ${patches.describe()}` : "";
    if (kind === "mel") return `Log-mel spectrogram, ${header.heard.frames} frames of ${clip.melBands} bands${pointed}`;
    if (pointed) return `${laneTitle(lanes[lane])}${pointed}`;
    if (kind === "lane") {
      return `${laneTitle(lanes[lane])}: ${LANES[lanes[lane].kind].describe(lanes[lane])}. Left and right arrow keys step through it.`;
    }
    return describeLayer(kind, layer, layers[layer].layout);
  }
}

/** What stands beside a layer's name. @param {import("./layers.js").Layer} layer @param {boolean} exact */
function layerNumbers({ layout, u, positionLoss, milliseconds }, exact) {
  const numbers = [`${layout.T} → ${layout.L} frames`];
  if (layout.sigma != null) numbers.push(`σ = ${digits(layout.sigma)}`);
  numbers.push(`stride ${digits(layout.stride)}`);
  if (u) numbers.push(`position loss ${exact ? digits(positionLoss, 2) : "…"}`);
  return [...numbers, `${milliseconds.toFixed(1)} ms`].join(" · ");
}

/** @param {string} kind @param {number} layer @param {import("./layers.js").Layout} layout */
function describeLayer(kind, layer, layout) {
  const { small, large } = extremes(layout), { strides, outEdges, T, L, sigma } = layout;
  const at = (/** @type {number} */ i) => `${digits(strides[i], 2)} frames at ${((outEdges[i] + outEdges[i + 1]) / 2).toFixed(2)} s`;
  if (kind === "profile") return `Stride profile of layer ${layer + 1}: smallest ${at(small)}, largest ${at(large)}.`;
  const keys = `Left and right arrow keys step through output frames${sigma == null ? "" : ", up and down change sigma"}.`;
  const strideRange = `Smallest stride ${at(small)}, largest ${at(large)}.`;
  return `Alignment of layer ${layer + 1}: ${T} input frames to ${L} output frames. ${strideRange} ${keys}`;
}

/** @param {import("./layers.js").Layout} layout @param {number} row */
function madeOf(layout, row) {
  const { picture } = layout, { weights } = rowWeights(layout, row), least = 0.01 * largest(weights);
  const coarse = picture && (picture.rows < picture.high - picture.low
    || picture.columns.length <= picture.columns[picture.columns.length - 1] - picture.columns[0]);
  if (coarse) return "zoom in for its weights";
  if (!weights.length) return "no frame is nearest to it: zero";
  return `weights over ${weights.filter((weight) => weight > least).length} input frames`;
}
