// @ts-check
// Step 10: a small network in training, a few steps with each answer of the server.

import { layOut } from "../../alignment.js";
import { clamp, digits, largest, percent } from "../../numbers.js";
import { indices } from "../maths.js";
import { drawAlignment, drawFrameAxis, drawRowNumbers, frameEdges } from "../parts.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof look>} Scene */

// CSS pixels, from above.
const CLIP = 24, CLIP_HEIGHT = 76, MATRIX = 146, MATRIX_HEIGHT = 110, BLOCKS = 266, LOSSES = 340, RATIOS = 430, CURVE_HEIGHT = 62;
const HIGHEST_LOSS = 1.6, LOWEST_ROOF = 4; // of the two curves
const SEEN_RATIOS = 200; // so many of the last steps give the ratios' curve its roof
const MARKED_STEPS = 60;

/** @param {Lesson} lesson */
function look({ settings, header, arrays }) {
  const { clip, unit, losses, ratios } = arrays, { look: seen, burst, sigma } = header, T = unit.length;
  const layout = layOut({ u: unit }, frameEdges(T), { stride: Math.round(settings.stride), sigma, variant: "adastride" });
  return { ...header, clip, losses, ratios, T, layout, begin: seen.begin, end: seen.begin + burst };
}

/** @param {Pen} pen @param {Scene} scene */
function drawClip(pen, { clip, T, begin, end }) {
  const { k, theme } = pen, top = CLIP * k, height = CLIP_HEIGHT * k, left = pen.x(begin / T), right = pen.x(end / T);
  pen.title("A clip it has never seen: silence and a burst", 10 * k);
  pen.box(left, top, right - left, height, `${theme.play}33`);
  pen.line(indices(T).map((t) => [pen.x((t + 0.5) / T), top + height / 2 - clip[t] * height * 0.36]), theme.layers[0], 1.8);
  pen.beside("1", top + height * 0.14);
  pen.beside("−1", top + height * 0.86);
  pen.text("the burst", (left + right) / 2, top + height + 11 * k, { align: "center", colour: theme.play, bold: true });
}

/** @param {Pen} pen @param {Scene} scene */
function drawMatrix(pen, { layout }) {
  const { k, theme } = pen, top = MATRIX * k, height = MATRIX_HEIGHT * k;
  pen.title("Its alignment", top - 14 * k);
  drawAlignment(pen, top, height, layout);
  pen.line([[pen.left, top + height], [pen.x(1), top]], theme.ink(0.8), 1.2, [5, 4]); // uniform strides
  drawRowNumbers(pen, top, height, layout.L, 6);
}

/** @param {Pen} pen @param {Scene} scene */
function drawBlocks(pen, { layout: { edges, L }, T, begin, end }) {
  const { k, theme } = pen, top = BLOCKS * k;
  for (let i = 0; i < L; i++) {
    const left = pen.x(edges[i] / T), right = pen.x(edges[i + 1] / T), middle = (edges[i] + edges[i + 1]) / 2;
    const colour = middle >= begin && middle <= end ? theme.play : `${theme.layers[0]}88`;
    pen.box(left + 1, top, Math.max(1, right - left - 1.5), 16 * k, colour);
  }
  drawFrameAxis(pen, top + 28 * k, T, "blocks: the input frames each output frame stands for");
}

/**
 * A value at every step so far.
 * @param {Pen} pen @param {number} top @param {ArrayLike<number>} values
 * @param {{ words: string, colour: string, roof: number, mark: number, most: number }} look mark: a level to compare with; most: steps
 * in all
 */
function drawCurve(pen, top, values, { words, colour, roof, mark, most }) {
  const { k, theme } = pen, height = CURVE_HEIGHT * k, bottom = top + height;
  /** @param {number} value */
  const y = (value) => bottom - (clamp(value, 0, roof) / roof) * height;
  pen.title(words, top - 13 * k, colour);
  pen.level(bottom, theme.ink(0.4));
  pen.beside(digits(roof, 2), top + 5);
  pen.beside("0", bottom - 4);
  pen.level(y(mark), theme.ink(0.5), 1, [3, 4]);
  pen.line(Array.from(values, (value, i) => [pen.x((i + 1) / most), y(value)]), colour, 2);
  if (values.length) pen.dot(pen.x(values.length / most), y(values[values.length - 1]), 3.5, colour);
}

/** @param {Pen} pen @param {Scene} scene */
function drawCurves(pen, { losses, ratios, most, classes }) {
  const { k, theme } = pen, guessing = Math.log(classes), uniform = 1;
  drawCurve(pen, LOSSES * k, losses, {
    words: "Loss (cross-entropy + position loss)", colour: theme.layers[1], roof: HIGHEST_LOSS, mark: guessing, most,
  });
  drawCurve(pen, RATIOS * k, ratios, {
    words: "Stride in silence ÷ stride in the burst", colour: theme.layers[2], mark: uniform, most,
    roof: Math.max(LOWEST_ROOF, Math.ceil(Math.max(0, largest(ratios.slice(-SEEN_RATIOS))))),
  });
  for (let step = 0; step <= most; step += MARKED_STEPS) pen.text(String(step), pen.x(step / most), 504 * k, { align: "center" });
}

/** @param {Scene} scene */
const sentence = ({ trained, most, look: seen, clips }) =>
  `Step <em>${trained}</em> of ${most}: ${percent(seen.accuracy)} of ${clips} new clips right · strides in the burst are `
  + `<em>${digits(Math.max(seen.ratio, 0.01), 2)}</em> times smaller than in silence · position loss ${digits(seen.position_loss, 2)}`;

/** @param {Lesson} lesson */
function playText({ playing, header: { finished, trained } }) {
  if (playing) return "Pause";
  if (finished) return "Trained";
  return trained ? "Go on" : "Train";
}

/** @type {import("./index.js").Picture} */
export const learning = {
  height: 520,
  buttons: [
    { name: "play", text: playText, disabled: ({ header }) => header.finished, primary: true },
    { name: "one", text: "One step", disabled: ({ header, playing }) => header.finished || playing },
  ],
  reset(lesson) { press("reset", lesson); },
  draw(pen, lesson) {
    const scene = look(lesson);
    drawClip(pen, scene);
    drawMatrix(pen, scene);
    drawBlocks(pen, scene);
    drawCurves(pen, scene);
    lesson.explain(sentence(scene));
    return { trained: scene.trained, ratio: scene.look.ratio, accuracy: scene.look.accuracy };
  },
  press,
  received(lesson) {
    if (!lesson.playing) return;
    lesson.frames.next(() => { // a tab that nobody sees has no frames, and stops
      if (lesson.playing && !lesson.busy) lesson.request("train");
    });
  },
};

/** @param {string} name @param {Lesson} lesson */
function press(name, lesson) {
  if (name === "play") {
    lesson.playing = !lesson.playing;
    if (lesson.playing) lesson.request("train");
    lesson.draw();
    return;
  }
  lesson.playing = false;
  lesson.setTerm("weight");
  lesson.request(name);
}
