// @ts-check
// Step 7: AdaStride-F adds frame after frame to the nearest output frame.

import { digits, roundHalfEven } from "../../numbers.js";
import { place, scatterAdd, writeOut } from "../maths.js";
import { drawFrameAxis, drawIndices, drawScoreBars } from "../parts.js";
import { counted, sub } from "../words.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof look>} Scene */

const PLAY_SECONDS = 6;
const BARS = 24, BARS_HEIGHT = 80, BASE = 196, INPUT_HEIGHT = 50, OUTPUT = 396, OUTPUT_HEIGHT = 56, INPUT_END = 190; // CSS pixels

/** @param {Lesson} lesson */
function look({ settings, header, chosen }) {
  const { bars, stride, sigma } = settings, { positions, frames } = place(bars, stride), added = Math.round(settings.added);
  const to = positions.map(roundHalfEven), A = writeOut(positions, frames, sigma, true), weights = to.map((i, j) => A[i][j]);
  /** @type {number[]} */
  const levels = header.levels, sums = scatterAdd(levels, weights, to, frames, added);
  return { positions, frames, to, weights, levels, sums, added, last: chosen ?? added - 1, used: new Set(to) };
}

/**
 * The colour of a frame: the last one stands out, those added are blue.
 * @param {Pen} pen @param {Scene} scene @param {number} j @param {number} faint
 */
function colourOf({ theme }, { last, added }, j, faint) {
  return j === last ? theme.play : j < added ? theme.layers[0] : theme.ink(faint);
}

/** @param {Pen} pen @param {Scene} scene */
function drawInput(pen, scene) {
  const { k } = pen, step = pen.inner / scene.levels.length, base = BASE * k;
  pen.title("x: one number a frame here", 128 * k);
  scene.levels.forEach((level, j) => {
    const height = level * INPUT_HEIGHT * k;
    pen.box(pen.left + (j + 0.12) * step, base - height, step * 0.76, Math.max(1, height), colourOf(pen, scene, j, 0.25));
  });
  drawFrameAxis(pen, base + 10 * k, scene.levels.length, "");
}

/** @param {Pen} pen @param {Scene} scene */
function drawWays(pen, scene) {
  const { k } = pen, { to, weights, frames } = scene, step = pen.inner / to.length, width = pen.inner / frames;
  const from = (BASE + 20) * k, end = (OUTPUT - OUTPUT_HEIGHT - 24) * k;
  to.forEach((i, j) => pen.line(
    [[pen.left + (j + 0.5) * step, from], [pen.left + (i + 0.5) * width, end]], colourOf(pen, scene, j, 0.16), 0.8 + 3 * weights[j],
  ));
}

/** @param {Pen} pen @param {Scene} scene */
function drawOutput(pen, { frames, to, sums, last, used }) {
  const { k, theme } = pen, bottom = OUTPUT * k, height = OUTPUT_HEIGHT * k, top = bottom - height, width = pen.inner / frames;
  pen.title("y: what scatter_add has put together", top - 12 * k);
  sums.forEach((sum, i) => {
    const x = pen.left + i * width, high = Math.min(sum, 1) * height;
    pen.box(x + 1, top, width - 2, height, theme.ink(0.06));
    if (!used.has(i)) pen.hatch(x + 1, top, width - 2, height, theme.bad);
    pen.box(x + width * 0.1, bottom - high, width * 0.8, high, i === to[last] ? theme.play : theme.layers[2]);
  });
  drawIndices(pen, bottom + 12 * k, frames, (i) => pen.left + i * width + width / 2);
  pen.beside("1", top + 5);
  pen.beside("0", bottom - 5);
  pen.text(`output frame${used.size < frames ? "; hatched: empty, stays 0" : ""}`, pen.width, bottom + 30 * k, { align: "right" });
}

/** @param {Scene} scene */
function sentence({ positions, frames, to, weights, levels, last, used }) {
  const t = Math.max(0, last), i = to[t], peers = to.filter((other) => other === i).length;
  return `round(${sub("p*", t)}) = round(${digits(positions[t])}) = <em>${i}</em>, one of ${counted(peers, "frame")} there: `
    + `${sub("y", i)} += ${sub("w", t)} · ${sub("x", t)} = ${digits(weights[t])} · ${digits(levels[t])}`
    + ` · ${frames - used.size} of ${frames} output frames are empty.`;
}

/** @type {import("./index.js").Picture} */
export const scatter = {
  height: 440,
  buttons: [{ name: "play", text: "Add frame by frame", stop: "Stop", primary: true }],
  draw(pen, lesson) {
    const scene = look(lesson), { positions, frames, weights, sums, used } = scene;
    pen.title("Δp (drag, logarithmic)", 10 * pen.k);
    drawScoreBars(pen, BARS * pen.k, BARS_HEIGHT * pen.k, lesson);
    drawInput(pen, scene);
    drawWays(pen, scene);
    drawOutput(pen, scene);
    lesson.explain(sentence(scene));
    return { p: positions, L: frames, w: weights, y: sums, empty: frames - used.size };
  },
  point(x, y, lesson) {
    lesson.choose(lesson.pen.columnAt(x, lesson.settings.bars.length), y < INPUT_END * lesson.pen.k ? "nearest" : "sigma");
  },
  press(_, lesson) { lesson.mover.toggle("added", PLAY_SECONDS, 1); },
};
