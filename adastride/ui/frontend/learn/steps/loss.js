// @ts-check
// Step 6: jumps beyond one output frame, and what they leave without a frame of its own.

import { digits } from "../../numbers.js";
import { countNearest, isJump, jumps, lonely, place } from "../maths.js";
import { drawFrameAxis, drawIndices, drawPositionLine, drawScoreBars } from "../parts.js";
import { counted } from "../words.js";
import { pressBars } from "./positions.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof look>} Scene */

const BARS = 24, BARS_HEIGHT = 110, LINE_TOP = 200, LINE = 280, COUNTS = 346, COUNTS_HEIGHT = 34; // CSS pixels
const LEAST_WIDTH = 14; // of a column that has room for its number

/** @param {Lesson} lesson */
function look({ settings, chosen }) {
  const { positions, frames } = place(settings.bars, settings.stride);
  return { positions, frames, chosen, jumps: jumps(positions), alone: lonely(positions, frames), counts: countNearest(positions, frames) };
}

/** @param {Pen} pen @param {Scene} scene */
function drawJumps(pen, { positions, frames, chosen, jumps: { excess } }) {
  const { k, theme } = pen, bottom = LINE * k;
  pen.title("p*: jumps beyond one output frame", 184 * k);
  const at = drawPositionLine(pen, { top: LINE_TOP * k, bottom }, positions, frames, chosen);
  excess.forEach((beyond, t) => {
    if (!isJump(beyond)) return;
    const from = at(positions[t]), to = at(positions[t + 1]);
    pen.line([[from, bottom], [to, bottom]], theme.bad, 5);
    pen.text(`+${digits(beyond, 2)}`, (from + to) / 2, bottom - 15 * k, { align: "center", colour: theme.bad, bold: true });
  });
}

/** @param {Pen} pen @param {Scene} scene */
function drawCounts(pen, { frames, alone, counts }) {
  const { k, theme } = pen, top = COUNTS * k, height = COUNTS_HEIGHT * k, width = pen.inner / frames;
  pen.title("Input frames that each output frame has of its own", top - 16 * k);
  counts.forEach((count, i) => {
    const x = pen.left + i * width;
    pen.box(x + 1, top, width - 2, height, alone[i] ? `${theme.bad}33` : `${theme.layers[0]}44`);
    if (alone[i]) pen.hatch(x + 1, top, width - 2, height, theme.bad);
    if (width <= LEAST_WIDTH * k) return;
    pen.text(String(count), x + width / 2, top + height / 2, { align: "center", bold: alone[i], colour: theme.ink(1) });
  });
  drawIndices(pen, top + 46 * k, frames, (i) => pen.left + (i + 0.5) * width);
  pen.text("output frame", pen.width, top + 64 * k, { align: "right" });
}

/** @param {Scene} scene */
function sentence({ positions, jumps: { sum, loss, count }, alone }) {
  const hurt = alone.filter(Boolean).length, verbs = hurt > 1 ? ["have", "repeat"] : ["has", "repeats"];
  return `<i>L</i><sub>pos</sub> = <em>${digits(sum)}</em> / ${positions.length - 1} = <b>${digits(loss)}</b> output frames: `
    + (count ? `${counted(count, "jump")} beyond 1` : "no jump beyond 1")
    + (hurt ? `; ${counted(hurt, "output frame")} ${verbs[0]} no input frame within half a step and ${verbs[1]} what others have.` : ".");
}

/** @type {import("./index.js").Picture} */
export const loss = {
  height: 430,
  buttons: [{ name: "equal", text: "All equal" }, { name: "usual", text: "One jump" }, { name: "energy", text: "From a word’s energy" }],
  draw(pen, lesson) {
    const scene = look(lesson), { positions, frames, jumps: { loss: mean }, alone } = scene;
    pen.title("Δp (drag, logarithmic)", 10 * pen.k);
    drawScoreBars(pen, BARS * pen.k, BARS_HEIGHT * pen.k, lesson);
    drawFrameAxis(pen, (BARS + BARS_HEIGHT + 12) * pen.k, positions.length, "frame t");
    drawJumps(pen, scene);
    drawCounts(pen, scene);
    lesson.explain(sentence(scene));
    return { p: positions, L: frames, loss: mean, alone: alone.filter(Boolean).length };
  },
  point(x, _, lesson) { lesson.choose(lesson.pen.columnAt(x, lesson.settings.bars.length), "excess"); },
  press: pressBars,
};
