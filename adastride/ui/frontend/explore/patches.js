// @ts-check
// The patches of a network that cuts a mel into them: which one is chosen, and what it attends to in a layer and head. Queries and
// keys are here, so that nobody waits for the server while the pointer moves over the patches.

import { attentionRow, patchPicture } from "../attention.js";
import { clamp, digits, largest, lowerBound } from "../numbers.js";
import { note, segments, write } from "../view.js";
import { percent, span } from "../lanes.js";

/**
 * @typedef {import("../canvas.js").Box} Box
 * @typedef {import("../lanes.js").Lane} Lane
 * @typedef {[number, number]} Patch row and column
 *
 * @typedef {object} Described what the server says of the patches
 * @property {number} rows @property {number} columns @property {number} allColumns with those of padding
 * @property {number} leading tokens that stand for no patch @property {number} tokens @property {number} frames of a column
 * @property {number[]} edges seconds @property {number[]} hertz
 * @property {Patch} strongest @property {[string, string][]} facts @property {string} leftOut why there is no attention, "" if there is
 * @property {string} of which run they are of @property {{ layers: number, heads: number, size: number } | null} attention
 */

const GRID = "rgb(255 255 255 / 20%)", CHOSEN = "#ffffff", CHOSEN_RIM = "#000000"; // on a mel, whose colours are those of both themes
const LEAST_CELL = 4; // CSS pixels: a grid that is finer would only lie over the picture

export class Patches {
  /** @param {import("./viewer.js").Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    /** @type {Described | null} */
    this.described = null;
    /** @type {(import("../attention.js").Heads & { of: string }) | null} of the last run whose attention was sent */
    this.heads = null;
    /** @type {{ row: number, time: number } | null} where somebody has pointed; null for the strongest patch */
    this.pointed = null;
    /** @type {number | null} null for the last one */
    this.layer = null;
    /** @type {number | null} null for the mean of heads */
    this.head = null;
    /** @type {Lane | null} */
    this.lane = null;
    /** @type {Float32Array} how much the answer is made of each patch, a column after the other */
    this.weights = new Float32Array();
    /** @type {Float64Array} how much the chosen patch attends to each */
    this.attended = new Float64Array();
    this.elsewhere = 0; // how much of its attention goes to tokens that stand for no part of the clip
    this.version = 0;
    this.follow(new URLSearchParams(location.search).get("attend"));
  }

  /** What a link says of layer, head and patch, "2,mean,3,0.72" for row 3 at 0.72 s; null where all is as a first visitor has it. */
  get linked() {
    const { described, layer, head, pointed } = this;
    if (!described?.attention || (layer === null && head === null && !pointed)) return null;
    const chosen = [layer === null ? "last" : layer + 1, head === null ? "mean" : head + 1];
    return [...chosen, ...(pointed ? [pointed.row, pointed.time.toFixed(3)] : [])].join();
  }

  /** Chooses what a link says; what it can't say counts as nothing. @param {string | null} linked */
  follow(linked) {
    const [layer, head, row, time] = (linked ?? "").split(",").map(Number);
    const whole = (/** @type {number} */ n) => Number.isInteger(n) && n > 0;
    this.layer = whole(layer) ? layer - 1 : null;
    this.head = whole(head) ? head - 1 : null;
    this.pointed = Number.isInteger(row) && row >= 0 && time >= 0 && time < Infinity ? { row, time } : null;
  }

  /** @param {Described | undefined} described @param {Record<string, any>} arrays */
  take(described, arrays) {
    this.described = described ?? null;
    this.weights = arrays.patchWeights;
    this.version++;
    if (!described?.attention) this.heads = this.lane = null;
    else if (arrays.queries) {
      const { attention, tokens, of } = described, { queries, keys, scales } = arrays;
      this.heads = { ...attention, tokens, of, queries, keys, scales };
    }
    if (this.heads) {
      if (this.layer !== null && this.layer >= this.heads.layers) this.layer = null;
      if (this.head !== null && this.head >= this.heads.heads) this.head = null;
    }
    this.attend();
    this.write();
  }

  /** Is the attention of the run that is shown not here yet? */
  get lacks() { return Boolean(this.described?.attention) && this.heads?.of !== this.described.of; }

  /** Where the patches end, in seconds of the clip; what follows is not heard. */
  get until() { return this.described ? this.described.edges[this.described.columns] : Infinity; }

  /** Does a panel show the patches, so that they are pointed at in it? @param {{ kind: string, lane?: number }} panel */
  on({ kind, lane }) { return Boolean(this.described) && (kind === "mel" || Boolean(this.explorer.lanes[lane]?.patches)); }

  /** The chosen patch. @returns {Patch} */
  get chosen() {
    const { described, pointed } = this;
    return pointed ? [Math.min(pointed.row, described.rows - 1), this.columnAt(pointed.time)] : described.strongest;
  }

  /** @param {number} time */
  columnAt(time) {
    const { edges, columns } = this.described;
    return clamp(lowerBound(edges, time + 1e-9) - 1, 0, columns - 1);
  }

  /**
   * The patch at a moment and a share of the height; null past the last one.
   * @param {number} time @param {number} height @returns {Patch | null}
   */
  at(time, height) {
    const { rows, edges } = this.described;
    return time < edges[0] || time >= this.until ? null : [clamp(Math.floor(height * rows), 0, rows - 1), this.columnAt(time)];
  }

  /** @param {Patch} patch */
  exists([row, column]) { return Boolean(this.described) && row < this.described.rows && column < this.described.columns; }

  /** The patch beside the chosen one. @param {number} along @param {number} up @returns {Patch} */
  step(along, up) {
    const [row, column] = this.chosen, { rows, columns } = this.described;
    return [clamp(row + up, 0, rows - 1), clamp(column + along, 0, columns - 1)];
  }

  /** @param {Patch} patch */
  choose([row, column]) {
    const { edges } = this.described, time = (edges[column] + edges[column + 1]) / 2;
    if (this.pointed?.row === row && this.pointed.time === time) return;
    this.pointed = { row, time };
    this.attend();
    this.explorer.redraw(false);
  }

  /** Works out what the chosen patch attends to. While that of the run is not here yet, the last picture stays. */
  attend() {
    const { described, heads, explorer } = this;
    if (!described || !heads || this.lacks) return;
    const began = performance.now(), [row, column] = this.chosen, layer = this.layer ?? heads.layers - 1;
    const weights = attentionRow(heads, described.leading + row * described.allColumns + column, layer, this.head);
    const picture = patchPicture(weights, described), most = Math.max(largest(picture), 1e-12);
    this.attended = picture;
    this.elsewhere = Math.max(0, 1 - picture.reduce((a, b) => a + b, 0));
    const like = explorer.header?.prediction.lanes.find((/** @type {Lane} */ each) => each.patches);
    this.lane = /** @type {Lane} */ ({
      kind: "picture", title: this.title(), version: `${heads.of} ${layer} ${this.head} ${row} ${column}`, unit: "% a patch", whole: true,
      patches: true, attends: true, low: 0, high: 100 * most, rows: described.rows, sequential: false, ticks: like?.ticks ?? [],
      data: Uint8Array.from(picture, (weight) => Math.round((255 * weight) / most)), edges: Float32Array.from(described.edges),
    });
    this.showLane();
    note("attended", performance.now() - began);
  }

  /** Puts the lane of attention among the others, in place of the last one. */
  showLane() {
    const { explorer, lane } = this;
    if (lane) explorer.lanes = [...explorer.lanes.filter((each) => !each.attends), lane];
  }

  title() {
    const [row, column] = this.chosen;
    return `What the patch at ${this.place(row, column)} attends to`;
  }

  /** @param {number} row @param {number} column */
  place(row, column) {
    const { edges, hertz } = this.described;
    return `${edges[column].toFixed(2)}–${edges[column + 1].toFixed(2)} s, ${frequencies(hertz[row], hertz[row + 1])}`;
  }

  /** What a patch is, for the tip and the light on the other panels. @param {Patch} patch @returns {import("../lanes.js").Item} */
  item([row, column]) {
    const { edges, hertz, frames } = this.described, { layers } = this.explorer, from = edges[column], to = edges[column + 1];
    const made = percent(this.weights[column * this.described.rows + row]);
    const words = [`Patch at ${span(from, to)}, ${frequencies(hertz[row], hertz[row + 1])}: ${made} of the answer comes from it`];
    if (this.lane && !this.lacks && this.heads) {
      const [ownRow, ownColumn] = this.chosen, itself = this.attended[ownColumn * this.described.rows + ownRow];
      const where = `layer ${(this.layer ?? this.heads.layers - 1) + 1}, ${this.head === null ? "mean of heads" : `head ${this.head + 1}`}`;
      const lost = this.elsewhere > 5e-4 ? ` and ${percent(this.elsewhere)} goes to no part of the clip` : "";
      words.push(`in ${where}, ${percent(itself)} of its attention stays with it${lost}`);
    }
    const top = layers.length ? layers[layers.length - 1].layout : null, first = column * frames;
    const last = top ? Math.min(first + frames, top.L) - 1 : -1;
    const item = { from, to, text: words.join("; ") };
    return last < first ? item : { ...item, frames: [first, last] };
  }

  // -------------------------------------------------------------- what stands beside and over the picture

  write() {
    const { explorer, described } = this, host = explorer.one(".patch-facts"), left = explorer.one(".left-out");
    host.hidden = !described;
    left.hidden = !described?.leftOut;
    write(left, described?.leftOut ?? "");
    if (!described) return;
    while (host.childElementCount > 2 * described.facts.length) host.lastChild.remove();
    described.facts.forEach(([name, value], n) => {
      write(host.children[2 * n] ?? host.appendChild(document.createElement("dt")), name);
      write(host.children[2 * n + 1] ?? host.appendChild(document.createElement("dd")), value);
    });
  }

  /** The choice of a layer and a head, in the head of their lane. @param {HTMLElement} head */
  writeChoice(head) {
    const { heads, explorer } = this, layer = this.layer ?? heads.layers - 1;
    const counted = (/** @type {number} */ count) => Array.from({ length: count }, (_, n) => [n, `${n + 1}`]);
    const choose = (/** @type {() => void} */ change) => { change(); this.attend(); this.writeChoice(head); explorer.redraw(false); };
    segments(head.querySelector(".of-layer"), counted(heads.layers), layer, (n) => choose(() => { this.layer = n; }));
    segments(head.querySelector(".of-head"), [[null, "mean"], ...counted(heads.heads)], this.head, (n) => choose(() => { this.head = n; }));
  }

  /** A faint grid between the patches. @param {CanvasRenderingContext2D} context @param {Box} box */
  drawGrid(context, box) {
    const { described, explorer: { timeline } } = this;
    if (!described) return;
    const { rows, columns, edges } = described, x = (/** @type {number} */ time) => box.x + timeline.share(time) * box.width;
    const left = Math.max(box.x, x(edges[0])), right = Math.min(box.x + box.width, x(edges[columns]));
    if (right <= left) return;
    context.fillStyle = GRID;
    for (let row = 1; row < rows; row++) context.fillRect(left, Math.round((box.height * row) / rows) - 0.5, right - left, 1);
    const cell = (x(edges[columns]) - x(edges[0])) / columns;
    for (let column = 1; column <= columns && cell >= LEAST_CELL; column++) {
      const at = Math.round(x(edges[column]));
      if (at > left && at < right) context.fillRect(at - 0.5, 0, 1, box.height);
    }
  }

  /** The frame around the chosen patch. @param {CanvasRenderingContext2D} context @param {Box} box */
  drawChosen(context, box) {
    const [row, column] = this.chosen, { rows, edges } = this.described, { timeline } = this.explorer;
    const x = (/** @type {number} */ time) => clamp(box.x + timeline.share(time) * box.width, box.x, box.x + box.width);
    const left = x(edges[column]), width = x(edges[column + 1]) - left, height = box.height / rows, top = box.height - (row + 1) * height;
    if (width <= 0) return;
    for (const [colour, line] of /** @type {[string, number][]} */ ([[CHOSEN_RIM, 4], [CHOSEN, 2]])) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.strokeRect(left, top + 1, Math.max(2, width), height - 2);
    }
  }

  describe() {
    const { rows, columns, edges } = this.described;
    const words = `${rows} × ${columns} patches, ${edges[0].toFixed(2)} to ${edges[columns].toFixed(2)} s. Arrow keys choose one.`;
    return this.lane ? `${words} ${this.title()}` : words;
  }
}

/** @param {number} low @param {number} high both in Hz */
const frequencies = (low, high) => (high < 1000 ? `${low}–${high} Hz` : `${digits(low / 1000, 2)}–${digits(high / 1000, 2)} kHz`);
