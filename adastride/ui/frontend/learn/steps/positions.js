// @ts-check
// Step 3: from scores to positions.

import { digits } from "../../numbers.js";
import { place } from "../maths.js";
import { drawBars, drawFrameAxis, drawPositionLine, drawScoreBars } from "../parts.js";
import { signed, sub } from "../words.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof place>} Placed */

const OPENING_FRAME = 11; // whose numbers are written out before somebody points at a frame
const BARS = 24, BARS_HEIGHT = 120, SUMS = 184, SUMS_HEIGHT = 80, LINE = 400; // CSS pixels
const BARS_END = 160, SUMS_END = 275; // what lies above belongs to the bars, and to the sums

/** @param {Pen} pen @param {Placed} placed @param {number | null} chosen */
function drawSums(pen, { sums }, chosen) {
  const { k, theme } = pen, top = SUMS * k, height = SUMS_HEIGHT * k, most = sums[sums.length - 1];
  pen.title("p: their running sum, only ever rising", top - 14 * k);
  pen.beside(digits(most), top + 4);
  pen.beside("0", top + height - 4);
  drawBars(pen, top + height, sums, (sum) => (sum / most) * height, (t) => (t === chosen ? theme.play : theme.layers[2]));
  drawFrameAxis(pen, top + height + 12 * k, sums.length, "frame t");
}

/** @param {Pen} pen @param {Placed} placed @param {number | null} chosen */
function drawPositions(pen, { positions, frames }, chosen) {
  const { k } = pen, from = (SUMS + SUMS_HEIGHT) * k;
  pen.title("p*: stretched onto the output frames 0 to L − 1", from + 44 * k);
  drawPositionLine(pen, { top: from + 60 * k, bottom: LINE * k }, positions, frames, chosen);
  pen.text("output frame", pen.width, (LINE + 30) * k, { align: "right" });
}

/** @param {Placed} placed @param {Lesson} lesson */
function sentence({ displacements, sums, positions, frames }, lesson) {
  const t = lesson.chosen ?? OPENING_FRAME;
  /** @param {string} name @param {string | number} text */
  const term = (name, text) => lesson.markTerm(name, text);
  return `Frame ${t}: ${sub("Δp", t)} = exp(${signed(lesson.settings.bars[t])}) = ${term("dp", digits(displacements[t]))}`
    + ` · ${sub("p", t)} = ${term("sum", digits(sums[t]))}`
    + ` · ${sub("p*", t)} = ${term("norm", `(${digits(sums[t])} − ${digits(sums[0])})`)}`
    + ` / (${digits(sums[sums.length - 1])} − ${digits(sums[0])}) · ${term("stride", frames - 1)} = ${digits(positions[t])}`;
}

/** Puts all bars where a button says: all equal, the energy of a word, or as they were. @param {string} name @param {Lesson} lesson */
export function pressBars(name, lesson) {
  const { usual } = lesson.control("bars");
  const scores = name === "equal" ? usual.map(() => 0) : name === "energy" ? lesson.header.energyBars : usual;
  lesson.change({ bars: [...scores] }, "dp");
}

/** @type {import("./index.js").Picture} */
export const positions = {
  height: 440,
  buttons: [{ name: "equal", text: "All equal" }, { name: "energy", text: "From a word’s energy" }, { name: "usual", text: "An event" }],
  draw(pen, lesson) {
    const { bars, stride } = lesson.settings, placed = place(bars, stride);
    pen.title("Δp: how far to the next frame (drag, logarithmic)", 10 * pen.k);
    drawScoreBars(pen, BARS * pen.k, BARS_HEIGHT * pen.k, lesson);
    drawSums(pen, placed, lesson.chosen);
    drawPositions(pen, placed, lesson.chosen);
    lesson.explain(sentence(placed, lesson));
    return { dp: placed.displacements, sum: placed.sums, p: placed.positions, L: placed.frames };
  },
  point(x, y, lesson) {
    const { pen } = lesson, term = y < BARS_END * pen.k ? "dp" : y < SUMS_END * pen.k ? "sum" : "norm";
    lesson.choose(pen.columnAt(x, lesson.settings.bars.length), term);
  },
  press: pressBars,
};
