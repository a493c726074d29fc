// @ts-check
// Step 5: the product Y = A X on a real word.

import { layOut, rowWeights } from "../../alignment.js";
import { RAMPS } from "../../colours.js";
import { clamp, digits, largest } from "../../numbers.js";
import { indices, place, total, weightedColumn } from "../maths.js";
import { drawAlignment, drawColourBar, drawRowNumbers, frameEdges } from "../parts.js";
import { signed, sub } from "../words.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof look>} Scene */

const INPUT = 24, HEIGHT = 96, MATRIX = 146, MATRIX_HEIGHT = 160, OUTPUT = 334; // CSS pixels
const FAINTEST = 0.02; // of a row's largest weight: what is lighter is not marked
const MOST_NAMED = 3, LEAST_NAMED = 0.005; // weights in the sentence
const NEARLY_ALL = 0.995; // of a row's weights: then the sentence needs no dots

/** @param {Lesson} lesson */
function look({ settings, header, arrays, chosen }) {
  const { contrast, stride, sigma } = settings, { bands, clip: [from, T], range } = header;
  const energy = Array.from(arrays.energy.slice(from, from + T)), mel = arrays.mel.subarray(from * bands, (from + T) * bands);
  const { unit } = place(energy.map((level) => contrast * level), stride);
  const layout = layOut({ u: unit }, frameEdges(T), { stride, sigma, variant: "adastride" }), { L } = layout;
  const rows = indices(L).map((i) => rowWeights(layout, i)), Y = rows.map((row) => weightedColumn(mel, bands, row));
  return { mel, bands, T, L, layout, rows, Y, range, chosen: Math.min(chosen ?? Math.floor(L / 2), L - 1) };
}

/** @param {Pen} pen @param {Scene} scene */
function drawProduct(pen, { mel, bands, T, L, layout, Y }) {
  const { k } = pen;
  pen.title(`X: ${T} mel frames`, 10 * k);
  pen.picture(INPUT * k, HEIGHT * k, { frames: T, bands, value: (t, band) => mel[t * bands + band] }, RAMPS.mel);
  pen.title(`A: ${L} rows, one for each output frame`, (MATRIX - 12) * k);
  drawAlignment(pen, MATRIX * k, MATRIX_HEIGHT * k, layout);
  pen.title(`Y = A X: ${L} frames, drawn ${digits(T / L, 2)} times as wide`, (OUTPUT - 12) * k);
  pen.picture(OUTPUT * k, HEIGHT * k, { frames: L, bands, value: (i, band) => Math.round(clamp(Y[i][band], 0, 255)) }, RAMPS.mel);
}

/** What the chosen column of Y is made of: its row of A, and the columns of X that count. @param {Pen} pen @param {Scene} scene */
function drawChosen(pen, { T, L, rows, chosen }) {
  const { k, theme } = pen, { start, weights } = rows[chosen], best = largest(weights);
  const y = MATRIX * k + MATRIX_HEIGHT * k - ((chosen + 0.5) / L) * MATRIX_HEIGHT * k;
  weights.forEach((weight, n) => {
    if (weight < FAINTEST * best) return;
    pen.context.globalAlpha = 0.15 + 0.6 * (weight / best);
    pen.box(pen.x((start + n) / T), (INPUT + HEIGHT) * k + 1, pen.inner / T, 6 * k, theme.play);
    pen.context.globalAlpha = 1;
  });
  pen.level(y, theme.play, 1.5);
  pen.outline(pen.x(chosen / L), OUTPUT * k, Math.max(2, pen.inner / L), HEIGHT * k, theme.play);
}

/** @param {Pen} pen @param {Scene} scene */
function drawAxes(pen, { L, range }) {
  const { k, theme } = pen, bottom = (OUTPUT + HEIGHT) * k, gap = 5;
  for (const at of [INPUT * k, OUTPUT * k]) {
    pen.beside("8 kHz", at + 6 * k, { gap, size: pen.size - 1 });
    pen.beside("0", at + HEIGHT * k - 6 * k, { gap });
  }
  drawRowNumbers(pen, MATRIX * k, MATRIX_HEIGHT * k, L, gap);
  drawColourBar(pen, bottom + 18 * k, RAMPS.mel, {
    low: signed(Math.round(range[0])), high: `${signed(Math.round(range[1]))} dB`, words: "mel level",
  });
  drawColourBar(pen, bottom + 42 * k, RAMPS[theme.name], { low: "0", high: "1", words: "share of the row’s largest weight" });
}

/** @param {Scene} scene */
function sentence({ layout, rows, chosen }) {
  const { start, weights } = rows[chosen];
  const heaviest = Array.from(weights, (weight, n) => ({ weight, frame: start + n })).sort((a, b) => b.weight - a.weight)
    .slice(0, MOST_NAMED).filter(({ weight }) => weight > LEAST_NAMED);
  const summands = heaviest.map(({ weight, frame }) => `<em>${digits(weight)}</em> · ${sub("x", frame)}`).join(" + ");
  const more = weights.length > heaviest.length && total(heaviest.map(({ weight }) => weight)) < NEARLY_ALL ? " + …" : "";
  return `${sub("y", chosen)} = ${summands}${more} · it stands for ${digits(layout.strides[chosen])} input frames`;
}

/** @param {Lesson} lesson */
const rowsOf = ({ header, settings }) => Math.ceil(header.clip[1] / settings.stride);

/** @type {import("./index.js").Picture} */
export const pooling = {
  height: 500,
  draw(pen, lesson) {
    const scene = look(lesson), { L, layout, Y } = scene;
    drawProduct(pen, scene);
    drawChosen(pen, scene);
    drawAxes(pen, scene);
    lesson.explain(sentence(scene));
    return { L, p: Array.from(layout.p), strides: Array.from(layout.strides), Y: Y.map((column) => Array.from(column)) };
  },
  point(x, y, lesson) {
    const { k } = lesson.pen, L = rowsOf(lesson), height = MATRIX_HEIGHT * k, end = MATRIX * k + height;
    if (y >= OUTPUT * k && y < (OUTPUT + HEIGHT) * k) lesson.choose(lesson.pen.columnAt(x, L), "sigma");
    else if (y >= MATRIX * k && y < end) lesson.choose(clamp(Math.floor(((end - y) / height) * L), 0, L - 1), "A");
    else if (y < MATRIX * k) lesson.choose(lesson.chosen, "X");
  },
  step(right, up, lesson) {
    const L = rowsOf(lesson), chosen = lesson.chosen ?? Math.floor(L / 2);
    lesson.choose(clamp(chosen + (right || up), 0, L - 1), "sigma", true);
  },
};
