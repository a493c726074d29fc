// @ts-check
// The numbers under the pictures: a row for each, in the columns of the methods.

import { digits, short } from "../numbers.js";

const EXACT = -120; // dB: the same as EXACT in comparison/core.py; what is less is rounding

/**
 * @typedef {object} Line
 * @property {string} title
 * @property {string} unit
 * @property {(string | null)[]} texts null for what is not known yet
 * @property {(number | null)[] | null} values null where none is better than another
 */

/** @param {number | null} x */
const number = (x) => (x == null ? "none" : short(x));

/** @param {number | null} x */
const decibels = (x) => (x != null && x <= EXACT ? `≤ ${short(EXACT)}` : number(x));

/**
 * The rows of the table.
 * @param {any[]} columns @param {{ shifts: number, device: string }} header
 * @returns {Line[]}
 */
export function tableLines(columns, { shifts, device }) {
  // Slow numbers come later than the others; of something that never varies there are none.
  /** @type {(title: string, unit: string, name: string, options?: any) => Line} */
  const line = (title, unit, name, { show = number, slow = false, compared = true } = {}) => {
    const values = columns.map((column) => column.numbers[name]);
    const texts = columns.map((column, k) => (slow && !column.numbers.complete ? null : show(values[k])));
    return { title, unit, texts, values: compared ? values : null };
  };
  return [
    line("Output frames", "", "frames", { show: String, compared: false }),
    line("Error, whole clip", "dB re the clip’s variance", "error", { show: decibels }),
    line("Error, loud parts", "dB", "errorLoud", { show: decibels }),
    line("Error, quiet parts", "dB", "errorQuiet", { show: decibels }),
    line("Aliased energy", "% of the result’s", "aliased", { slow: true }),
    line("Shift change, mean", `%, input moved 0–${shifts} frames`, "shiftMean", { slow: true }),
    line("Shift change, worst", "%", "shiftWorst", { slow: true }),
    line("Time", `ms, forward on ${device}`, "milliseconds"),
    line("Peak memory", "kB held at once", "peakBytes", { slow: true, show: (/** @type {number} */ x) => digits(x / 1e3) }),
  ];
}

/** Writes the numbers into a table made for them; a drag changes nothing but text. @param {HTMLTableElement} table @param {Line[]} lines */
export function fillTable(table, lines) {
  lines.forEach(({ texts, values }, r) => {
    const best = bestText(texts, values);
    texts.forEach((text, k) => {
      const cell = table.tBodies[0].rows[r].cells[k + 1], shown = text ?? "…";
      const className = text === null ? "wait" : text === best ? "best" : "";
      if (cell.textContent !== shown) cell.textContent = shown;
      if (cell.className !== className) cell.className = className;
    });
  });
}

/** What the smallest of the numbers reads, if all are known. @param {(string | null)[]} texts @param {(number | null)[] | null} values */
function bestText(texts, values) {
  const known = values?.filter((value) => value != null) ?? [];
  return known.length && known.length === texts.length ? texts[values.indexOf(Math.min(...known))] : null;
}

/**
 * The table without its numbers.
 * @param {HTMLTableElement} table @param {{ label: string, colour: string }[]} columns @param {Line[]} lines
 */
export function buildTable(table, columns, lines) {
  const make = (/** @type {string} */ tag, /** @type {string} */ text) => Object.assign(document.createElement(tag), { textContent: text });
  const heads = columns.map(({ label, colour }) => {
    const cell = /** @type {HTMLTableCellElement} */ (make("th", label));
    cell.scope = "col";
    cell.style.setProperty("--colour", colour);
    return cell;
  });
  const head = document.createElement("tr");
  head.append(make("td", ""), ...heads);
  const body = lines.map(({ title, unit }) => {
    const row = document.createElement("tr"), name = /** @type {HTMLTableCellElement} */ (make("th", title));
    name.scope = "row";
    if (unit) name.append(make("small", unit));
    row.append(name, ...columns.map(() => make("td", "")));
    return row;
  });
  table.style.setProperty("--columns", String(columns.length));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...body);
  table.querySelector("colgroup").replaceChildren(...Array.from({ length: columns.length + 1 }, () => document.createElement("col")));
}
