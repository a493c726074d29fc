// @ts-check
// The grid of the Compare page: a row for each thing to compare, a column for each method, and what each row is called.

import { typeScale } from "../colours.js";
import { panelHeights, rowHeights } from "../heights.js";
import { digits, short } from "../numbers.js";
import { canvases, roomBelow } from "../view.js";

/**
 * @typedef {import("./viewer.js").Compare} Compare
 * @typedef {object} Panel
 * @property {string} kind
 * @property {number | null} column null for what all methods share
 * @property {HTMLElement} element
 * @property {HTMLCanvasElement} base
 * @property {HTMLCanvasElement} cover
 * @property {unknown} [shows]
 */

const ROW_OF = { mel: 1, strip: 2, "top-axis": 3, method: 4, out: 5, align: 6, rec: 7, err: 8, axis: 9 };
const ONE_COLUMN = 760; // CSS pixels of the window: up to this width cells stand one under another; viewer.css has it, too
const BELOW = 6, ROW_GAP = 6; // CSS pixels: free under the last row, between two rows
const HEADS = 68; // CSS pixels for what stands over the columns: not as measured, or rows would change when a line of it breaks
const OPTIONAL = 2; // rows, the lowest: the errors and the axis under them
const OF_METHOD = ["out", "align", "rec", "err", "axis"];
const TITLES = {
  mel: "Log-mel spectrogram of the clip", strip: "from ÷ 20 (below) to × 20 (above)", out: "Downsampled", align: "Alignment",
  rec: "Reconstruction", err: "Error",
};
const STRIP_TICKS = [["× 20", 0.95], ["× 1", 0.5], ["÷ 20", 0.05]];

/** Makes all cells, in the order they are read. @param {Compare} compare @returns {{ cells: HTMLElement[], panels: Panel[] }} */
export function buildGrid(compare) {
  const { header } = compare, /** @type {Panel[]} */ panels = [];
  const panel = (/** @type {string} */ kind, /** @type {number | null} */ column = null) => {
    panels.push(makePanel(kind, column, compare.drawn));
    return panels[panels.length - 1].element;
  };
  const cells = [makeName(compare, "mel"), panel("mel")];
  if (header.strip) cells.push(makeName(compare, "strip"), panel("strip"));
  cells.push(panel("top-axis"), ...["out", "align", "rec", "err"].map((kind) => makeName(compare, kind)));
  header.columns.forEach((/** @type {any} */ column, /** @type {number} */ k) => {
    cells.push(makeHead(compare, column.method, k), ...OF_METHOD.map((kind) => panel(kind, k)));
  });
  return { cells, panels };
}

/** What a panel's height goes by. @param {string} kind @param {boolean} drawn */
const sizeOf = (kind, drawn) => ({ mel: "clip", "top-axis": "axis", strip: drawn ? "pen" : "strip" }[kind] ?? kind);

/**
 * Gives the panels their heights: all rows but that of the errors share what the window leaves, and that one is there, too, where
 * there is enough for it. First everything is read, then everything is written.
 * @param {Compare} compare
 */
export function fitGrid({ root, panels, drawn, header }) {
  const grid = /** @type {HTMLElement} */ (root.querySelector(".grid"));
  const kinds = ["mel", ...(header.strip ? ["strip"] : []), "top-axis", ...OF_METHOD];
  const available = innerWidth > ONE_COLUMN ? roomBelow(grid, root) - HEADS * typeScale() - BELOW - kinds.length * ROW_GAP : null;
  const heights = rowHeights(available, kinds.map((kind) => sizeOf(kind, drawn)), OPTIONAL, typeScale());
  const byKind = new Map(kinds.map((kind, n) => [kind, heights[n]]));
  for (const { kind, base } of panels) base.style.height = `${byKind.get(kind)}px`;
  for (const [kind, height] of byKind) grid.style.setProperty(`--${kind}`, `${height}px`); // places the labels beside the rows
}

/** @param {string} kind @param {number | null} column @param {boolean} drawn @returns {Panel} */
function makePanel(kind, column, drawn) {
  const element = document.createElement("figure"), axis = kind.endsWith("axis");
  element.className = `cell ${kind}${column === null ? " wide" : ""}${kind === "strip" && drawn ? " drawn" : ""}`;
  element.style.cssText = `--row:${ROW_OF[kind]};--column:${(column ?? 0) + 2}`;
  element.innerHTML = '<figcaption></figcaption><div class="stack"><canvas class="base"></canvas><canvas class="cover"></canvas></div>';
  if (!axis) element.querySelector("figcaption").textContent = TITLES[kind];
  return { kind, column, element, ...canvases(element, panelHeights(null, [sizeOf(kind, drawn)])[0], axis) };
}

/** @param {Compare} compare @param {string} method @param {number} k */
function makeHead(compare, method, k) {
  const head = document.createElement("div");
  head.className = "cell method";
  head.style.cssText = `--row:${ROW_OF.method};--column:${k + 2}`;
  head.innerHTML = '<header><h3></h3><button type="button" class="pin"></button></header><p class="facts"></p><div class="notes"></div>';
  head.querySelector("button").onclick = () => compare.togglePin(method);
  return head;
}

/** What a row is called, with its scale. @param {Compare} compare @param {string} kind */
function makeName(compare, kind) {
  const { className, title, text, legend, ends, ticks } = nameOf(compare, kind), cell = document.createElement("div");
  cell.className = `cell name ${className}`;
  cell.style.cssText = `--row:${ROW_OF[kind]};--column:1`;
  const ramp = '<canvas class="ramp" width="256" height="1"></canvas><div class="ends"><span></span><span></span></div>';
  cell.innerHTML = `<h4></h4><p></p>${legend ? ramp : ""}`;
  cell.querySelector("h4").textContent = title;
  cell.querySelector("p").textContent = text;
  if (legend) {
    cell.querySelector("canvas").dataset.legend = legend;
    cell.querySelectorAll(".ends span").forEach((span, i) => { span.textContent = ends[i]; });
  }
  for (const [label, share] of ticks ?? []) cell.append(makeTick(label, share, kind));
  if (kind === "strip" && compare.drawn) cell.append(makeFlatten(compare));
  return cell;
}

/** @param {string} label @param {number} share of the height @param {string} kind of the row, which knows its height */
function makeTick(label, share, kind) {
  const tick = Object.assign(document.createElement("span"), { className: "tick", textContent: label });
  tick.style.top = `clamp(6px, ${1 - share} * var(--${kind}), var(--${kind}) - 6px)`;
  return tick;
}

/** @param {Compare} compare */
function makeFlatten(compare) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Flatten", className: "flatten" });
  button.onclick = () => compare.change({ drawn: compare.settings.drawn.map(() => 0) });
  return button;
}

/** @param {Compare} compare @param {string} kind @returns {any} */
function nameOf({ source, drawn }, kind) {
  const { unit, range, errorTop, ticks } = source, strip = drawn ? "drag to draw" : "times its mean";
  return {
    mel: {
      className: "mel-name", title: "Log-mel of the clip", ticks: source.melTicks,
      text: `${source.melFrames} frame${source.melFrames === 1 ? "" : "s"}`,
    },
    strip: { className: "strip-name", title: "Displacement Δp", text: strip, ticks: STRIP_TICKS },
    out: {
      className: "legend out-name", title: "Downsampled", text: `${unit === "dB" ? "level" : "value"} in ${unit}`,
      legend: "mel", ends: range.map(short), ticks,
    },
    align: {
      className: "legend align-name", title: "Alignment", text: "output frame up, time across; dashed: uniform",
      legend: "align", ends: ["0", "row’s largest"],
    },
    rec: { className: "rec-name", title: "Reconstruction", text: "back in input time; colours as above", ticks },
    err: {
      className: "legend err-name", title: "Error", text: `|reconstruction − source| in ${unit}`,
      legend: "err", ends: ["0", `≥ ${short(errorTop)}`], ticks,
    },
  }[kind];
}

/** Writes what a method's head says now. @param {HTMLElement} head @param {any} column @param {boolean} pinned */
export function writeHead(head, column, pinned) {
  const notes = /** @type {HTMLElement} */ (head.querySelector(".notes")), text = column.notes.join("\n");
  const button = head.querySelector("button");
  head.classList.toggle("pinned", pinned);
  head.querySelector("h3").textContent = column.label;
  head.querySelector(".facts").textContent = (pinned ? "Pinned: " : "") + facts(column).join(" · ");
  if (notes.dataset.text !== text) {
    notes.dataset.text = text;
    notes.replaceChildren(...column.notes.map(makeNote));
  }
  button.textContent = pinned ? "Unpin" : "Pin";
  button.setAttribute("aria-pressed", String(pinned));
  button.setAttribute("aria-label", `${button.textContent} ${column.label}`);
}

/** @param {string} text */
const makeNote = (text) => Object.assign(document.createElement("p"), { className: "note", textContent: text });

/** @param {any} column */
function facts({ scope, numbers, stride, sigma, scoresLabel }) {
  const parts = [`${scope[1] - scope[0]} → ${numbers.frames} frame${numbers.frames === 1 ? "" : "s"}`, `stride ${digits(stride)}`];
  if (sigma != null) parts.push(`σ ${digits(sigma)}`);
  if (scoresLabel) parts.push(`Δp: ${scoresLabel}`);
  return parts;
}
