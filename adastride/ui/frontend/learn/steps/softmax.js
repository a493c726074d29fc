// @ts-check
// Step 4: from distances to the weights of a row.

import { RAMPS } from "../../colours.js";
import { clamp, digits } from "../../numbers.js";
import { place, total, writeOut } from "../maths.js";
import { drawBars, drawColourBar, drawFrameAxis } from "../parts.js";
import { sub } from "../words.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof look>} Scene */
/** @typedef {"distance" | "exp" | "softmax"} Stage */

const OPENING_CELL = [5, 9]; // output frame and input frame, before somebody points at a cell
const TOP = 24, HEIGHT = 230, BASE = 430, BASE_HEIGHT = 84; // CSS pixels of the matrix and of the row under it
const LEAST_SUM = 1e-6; // below it a row is nothing but underflow
const TITLES = {
  distance: "(p* − i)²: how far frame j is from output frame i",
  exp: "exp(−σ⁻² (p* − i)²): near frames count",
  softmax: "A: every row divided by its total",
};
const UNITS = { distance: "squared output frames", exp: "before the softmax", softmax: "weight" };

/** How many rows and columns the matrix has. @param {Lesson} lesson */
const sizeOf = ({ header, settings }) => ({ T: header.scores.length, L: Math.ceil(header.scores.length / settings.stride) });

/** @param {Lesson} lesson */
function look({ settings, header, cell }) {
  const { sigma, stride } = settings, stage = /** @type {Stage} */ (settings.stage), { positions, frames } = place(header.scores, stride);
  const A = writeOut(positions, frames, sigma), [row, column] = cell ?? OPENING_CELL;
  /** @type {Record<Stage, (i: number, j: number) => number>} */
  const values = {
    distance: (i, j) => (positions[j] - i) ** 2,
    exp: (i, j) => Math.exp(-values.distance(i, j) / (sigma * sigma)),
    softmax: (i, j) => A[i][j],
  };
  const highest = stage === "distance" ? (frames - 1) ** 2 || 1 : 1;
  const i = Math.min(row, frames - 1), j = Math.min(column, positions.length - 1);
  return { stage, sigma, positions, L: frames, A, i, j, values, value: values[stage], highest };
}

/** @param {Pen} pen @param {Scene} scene */
function drawMatrix(pen, { stage, positions, L, value, highest, i, j }) {
  const { k, theme } = pen, T = positions.length, top = TOP * k, height = HEIGHT * k;
  const cell = height / L, step = pen.inner / T, y = top + height - (i + 1) * cell;
  /** @param {number} t @param {number} n */
  const share = (t, n) => Math.round(255 * clamp(value(n, t) / highest, 0, 1));
  pen.title(TITLES[stage], 10 * k);
  pen.picture(top, height, { frames: T, bands: L, value: share }, RAMPS[theme.name]);
  for (let n = 0; n < L; n += Math.ceil((L * 18 * k) / height)) pen.beside(String(n), top + height - (n + 0.5) * cell);
  pen.outline(pen.left, y, pen.inner, cell, theme.play);
  pen.outline(pen.left + j * step, y, step, cell, theme.play);
  drawFrameAxis(pen, top + height + 12 * k, T, "input frame j; upwards: output frame i");
  drawColourBar(pen, top + height + 46 * k, RAMPS[theme.name], { low: "0", high: digits(highest), words: UNITS[stage] });
}

/** @param {Pen} pen @param {Scene} scene */
function drawRow(pen, { stage, positions, A, value, i, j }) {
  const { k, theme } = pen, base = BASE * k, height = BASE_HEIGHT * k;
  const row = positions.map((_, t) => value(i, t)), most = Math.max(...row, 1e-9);
  const sum = stage === "softmax" ? `: weights that sum to ${digits(total(A[i]))}` : "";
  pen.title(`Row ${i}${sum}`, base - height - 14 * k, theme.play);
  pen.beside(digits(most, 2), base - height + 4);
  pen.beside("0", base - 4);
  drawBars(pen, base, row, (each) => (each / most) * height, (t) => (t === j ? theme.play : theme.layers[0]));
  pen.level(base, theme.ink(0.5));
}

/** @param {Scene} scene @param {Lesson} lesson */
function sentence({ values, positions, A, sigma, i, j }, lesson) {
  const sum = total(positions.map((_, t) => values.exp(i, t)));
  /** @param {string} name @param {string | number} text */
  const term = (name, text) => lesson.markTerm(name, text);
  const quotient = sum >= LEAST_SUM ? `${digits(values.exp(i, j))} / ${term("sum", digits(sum))}`
    : "underflow, so the library takes the nearest frame’s distance off first";
  const exponent = `−${term("sigma", digits(sigma ** -2))} · ${term("distance", `(${digits(positions[j])} − ${i})²`)}`;
  return `${sub("a", `${i},${j}`)} = exp(${exponent}) / ${term("sum", "Σ")} = ${quotient} = <b>${digits(A[i][j])}</b>`;
}

/** @type {import("./index.js").Picture} */
export const softmax = {
  height: 440,
  draw(pen, lesson) {
    const scene = look(lesson), { A, positions, L, i, j } = scene;
    drawMatrix(pen, scene);
    drawRow(pen, scene);
    lesson.explain(sentence(scene, lesson));
    return { A, p: positions, L, weight: A[i][j] };
  },
  point(x, y, lesson) {
    const { T, L } = sizeOf(lesson), { k } = lesson.pen, top = TOP * k, height = HEIGHT * k;
    const column = lesson.pen.columnAt(x, T), onMatrix = y < top + height;
    if (column === null || y < top) return;
    const row = onMatrix ? clamp(Math.floor(((top + height - y) / height) * L), 0, L - 1) : (lesson.cell ?? OPENING_CELL)[0];
    lesson.cell = [row, column];
    lesson.choose(null, onMatrix ? "distance" : "sum");
  },
  step(right, up, lesson) {
    const { T, L } = sizeOf(lesson), [row, column] = lesson.cell ?? OPENING_CELL;
    lesson.cell = [clamp(row + up, 0, L - 1), clamp(column + right, 0, T - 1)];
    lesson.choose(null, "distance", true);
  },
};
