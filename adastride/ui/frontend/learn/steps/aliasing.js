// @ts-check
// Step 2: what four methods make of a tone above the new limit.

import { clamp, digits, percent } from "../../numbers.js";
import { cosineAt, downsampleTone, fold, indices } from "../maths.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof look>} Scene */

const SWEEP_SECONDS = 8, SWEEP_GRAIN = 0.005;
const NYQUIST = 0.5; // cycles per input frame: the right end of the frequencies
const TOP = 24, HEIGHT = 120, FIRST_TONE = 190, TONE_HEIGHT = 76, GRAPH_END = 160; // CSS pixels
const HIGHEST_GAIN = 1.1;

/** @param {Lesson} lesson */
function look({ settings, header, arrays }) {
  const { frequency } = settings, stride = Math.round(settings.stride), T = header.toneFrames;
  const tone = indices(T).map((t) => cosineAt(frequency, T, t));
  const methods = header.methods.map((/** @type {string} */ name, /** @type {number} */ m) => {
    const gain = arrays[`gain${stride}-${m}`], times = arrays[`times${stride}-${m}`];
    const values = downsampleTone(tone, arrays[`first${stride}-${m}`], arrays[`weights${stride}-${m}`]);
    return { name, gain, times, values, left: gain[Math.round((frequency / NYQUIST) * (gain.length - 1))] };
  });
  return { frequency, stride, T, limit: 1 / (2 * stride), folded: fold(frequency, stride), methods };
}

/** @param {Pen} pen */
const frequencyAxis = (pen) => (/** @type {number} */ frequency) => pen.x(frequency / NYQUIST);
/** @param {Pen} pen */
const gainAxis = (pen) => (/** @type {number} */ gain) => (TOP + HEIGHT) * pen.k - (gain / HIGHEST_GAIN) * HEIGHT * pen.k;

/** @param {Pen} pen @param {Scene} scene */
function drawGainAxes(pen, { limit }) {
  const { k, theme } = pen, top = TOP * k, height = HEIGHT * k, x = frequencyAxis(pen), y = gainAxis(pen);
  pen.title("How much of a tone comes through", 10 * k);
  pen.box(x(limit), top, x(NYQUIST) - x(limit), height, theme.ink(0.07));
  for (const gain of [0, 0.5, 1]) {
    pen.level(y(gain), theme.ink(0.14));
    pen.beside(String(gain), y(gain));
  }
  for (const frequency of [0, 0.1, 0.2, 0.3, 0.4, 0.5]) {
    pen.text(String(frequency), x(frequency), top + height + 12 * k, { align: "center" });
  }
  pen.text("f, cycles per input frame", pen.width, top + height + 28 * k, { align: "right" });
  pen.line([[x(limit), top], [x(limit), top + height]], theme.ink(0.8), 1.5, [5, 4]);
  pen.text(`limit 1/(2s) = ${digits(limit)}`, x(NYQUIST) - 6, top + height * 0.32, { align: "right" });
}

/** @param {Pen} pen @param {Scene} scene */
function drawGains(pen, { frequency, methods }) {
  const { k, theme } = pen, x = frequencyAxis(pen), y = gainAxis(pen);
  for (const [m, { gain }] of methods.entries()) {
    /** @type {(value: number, i: number) => [number, number]} */
    const at = (value, i) => [x((NYQUIST * i) / (gain.length - 1)), y(Math.min(value, HIGHEST_GAIN))];
    pen.line(Array.from(gain, at), theme.four[m], 2.2);
  }
  pen.line([[x(frequency), TOP * k], [x(frequency), (TOP + HEIGHT) * k]], theme.play, 2);
}

/** The tone behind what the method numbered m makes of it. @param {Pen} pen @param {Scene} scene @param {number} m */
function drawTone(pen, { frequency, T, methods }, m) {
  const { k, theme } = pen, { name, left, times, values } = methods[m];
  const row = (FIRST_TONE + TONE_HEIGHT * m) * k, middle = row + 40 * k, swing = 24 * k;
  /** @type {(t: number, value: number) => [number, number]} */
  const at = (t, value) => [pen.x((t + 0.5) / T), middle - swing * value];
  const width = pen.title(name, row, theme.four[m]), wave = [];
  pen.text(`${percent(left)} of it left`, width + 12, row);
  for (let t = 0; t <= T - 1; t += 0.2) wave.push(at(t, cosineAt(frequency, T, t)));
  pen.line(wave, theme.ink(0.28));
  pen.dotted(values.map((/** @type {number} */ value, /** @type {number} */ i) => at(times[i], clamp(value, -1.2, 1.2))), theme.four[m], 3);
}

/** @param {Scene} scene */
const sentence = ({ frequency, stride, limit, folded }) =>
  `<i>f s</i> = ${digits(frequency)} · ${stride} = <em>${digits(frequency * stride)}</em> cycles per output frame, `
  + (frequency > limit + 1e-9 ? `beyond 1/2: what is left comes back as <em>${digits(folded)}</em>.` : "at most 1/2: it stays what it is.");

/** @type {import("./index.js").Picture} */
export const aliasing = {
  height: 500,
  buttons: [{ name: "sweep", text: "Sweep", stop: "Stop", primary: true }],
  draw(pen, lesson) {
    const scene = look(lesson), { folded, frequency, stride, methods } = scene;
    drawGainAxes(pen, scene);
    drawGains(pen, scene);
    for (const m of methods.keys()) drawTone(pen, scene, m);
    lesson.explain(sentence(scene));
    /** @param {"left" | "values"} name */
    const each = (name) => methods.map((/** @type {any} */ method) => method[name]);
    return { folded, left: each("left"), values: each("values"), frequency, stride };
  },
  point(x, y, lesson, pressed) {
    if (!pressed || y >= GRAPH_END * lesson.pen.k) return;
    const frequency = clamp(((x - lesson.pen.left) / lesson.pen.inner) * NYQUIST, 0, NYQUIST);
    lesson.change({ frequency: Math.round(frequency * 200) / 200 }, "frequency");
  },
  press(_, lesson) { lesson.mover.toggle("frequency", SWEEP_SECONDS, SWEEP_GRAIN); },
};
