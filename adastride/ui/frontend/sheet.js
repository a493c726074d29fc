// @ts-check
// What the pictures show as tables: for those who do not see pictures, and for those who want the numbers. They are made when somebody
// asks for them and follow every change for as long as they are open; closed they cost nothing.

import { clamp, lowerBound } from "./numbers.js";
import { write } from "./view.js";

/**
 * @typedef {object} Table
 * @property {string} caption
 * @property {string[]} heads one for each column; the first column holds the names of the rows
 * @property {string[][]} rows as many texts each as there are heads
 */

const MOST_ROWS = 200; // of one table
const CLOSE = 1e-9; // seconds: a frame that only touches the window is not in view
const GAP = 8; // CSS pixels between the bar and the tables that have just been opened

/**
 * Which frames a table lists: those in view, as long as they are not too many.
 * @param {ArrayLike<number>} edges seconds at which frames begin, and the end of the last @param {{ from: number, to: number }} view
 * @returns {{ first: number, stop: number, words: string }} words: which of them they are
 */
export function listedFrames(edges, { from, to }) {
  const total = edges.length - 1;
  if (total < 1) return { first: 0, stop: 0, words: "none" };
  if (edges[total] <= from || edges[0] >= to) return { first: 0, stop: 0, words: `none of ${total} in view` };
  const first = clamp(lowerBound(edges, from + CLOSE) - 1, 0, total - 1);
  const end = clamp(lowerBound(edges, to - CLOSE), first + 1, total), whole = end - first === total;
  if (end - first <= MOST_ROWS) return { first, stop: end, words: whole ? `all ${total}` : `${end - first} of ${total}, those in view` };
  const words = `the first ${MOST_ROWS} of ${end - first}${whole ? "" : " in view"}; zoom in for the others`;
  return { first, stop: first + MOST_ROWS, words };
}

/** The region of a view that holds its tables, and the button that opens and closes it. */
export class Sheet {
  /**
   * @param {import("./view.js").View} view with a button.table, a .sheet and a .bar that stays above it
   * @param {() => Table[]} tables what they show now
   */
  constructor(view, tables) {
    this.tables = tables;
    /** @type {HTMLButtonElement} */ this.button = view.one("button.table");
    /** @type {HTMLElement} */ this.region = view.one(".sheet");
    /** @type {HTMLElement} */ this.bar = view.one(".bar");
    view.on(this.button, "click", () => { if (this.open) this.close(); else this.show(); });
  }

  get open() { return !this.region.hidden; }

  /** Is an element one of the tables, or what they scroll in? @param {HTMLElement} element */
  holds(element) { return this.region.contains(element); }

  /** The tables open, and the keys are theirs. */
  show() {
    this.region.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.refresh();
    this.region.style.scrollMarginTop = `${parseFloat(getComputedStyle(this.bar).top) + this.bar.offsetHeight + GAP}px`;
    this.region.focus({ preventScroll: true });
    this.region.scrollIntoView({ block: "start" });
  }

  close() {
    if (!this.open) return;
    const root = /** @type {ShadowRoot} */ (this.region.getRootNode());
    if (this.holds(/** @type {HTMLElement} */ (root.activeElement))) this.button.focus();
    this.region.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
  }

  /** Writes what has changed. */
  refresh() {
    if (!this.open) return;
    const tables = this.tables();
    while (this.region.childElementCount > tables.length) this.region.lastChild.remove();
    tables.forEach((table, n) => fill(this.elementAt(n), table));
  }

  /** @param {number} n @returns {HTMLTableElement} */
  elementAt(n) {
    const there = this.region.children[n];
    if (there) return /** @type {HTMLTableElement} */ (there);
    const table = document.createElement("table");
    table.append(table.createCaption(), table.createTHead(), table.createTBody());
    table.tHead.insertRow();
    return this.region.appendChild(table);
  }
}

/** Rows and columns that are there already stay: a drag changes nothing but text. @param {HTMLTableElement} element @param {Table} table */
function fill(element, { caption, heads, rows }) {
  const body = element.tBodies[0];
  write(element.caption, caption);
  fillRow(element.tHead.rows[0], heads, "col");
  while (body.rows.length > rows.length) body.lastChild.remove();
  rows.forEach((texts, n) => fillRow(body.rows[n] ?? body.insertRow(), texts, "row"));
}

/** @param {HTMLTableRowElement} row @param {string[]} texts @param {"col" | "row"} scope of its heads: all cells, or the first one */
function fillRow(row, texts, scope) {
  while (row.cells.length > texts.length) row.lastChild.remove();
  texts.forEach((text, n) => write(row.cells[n] ?? row.appendChild(makeCell(scope === "col" || n === 0 ? scope : null)), text));
}

/** @param {"col" | "row" | null} scope null for a cell that is no head */
function makeCell(scope) {
  const cell = /** @type {HTMLTableCellElement} */ (document.createElement(scope ? "th" : "td"));
  if (scope) cell.scope = scope;
  return cell;
}
