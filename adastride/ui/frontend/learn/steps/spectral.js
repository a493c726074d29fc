// @ts-check
// Step 8: DiffStride's mask over a spectrum, its gradient, and the signal that comes out.

import { clamp, digits } from "../../numbers.js";
import { indices, maskAt, spectralMask, strideOfMask, transform, transformBack } from "../maths.js";
import { drawFrameAxis } from "../parts.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof look>} Scene */

const TOP = 24, HEIGHT = 150, SLOPES = 236, SLOPES_HEIGHT = 56, SIGNAL = 410, SWING = 60, GRAPH_END = 190; // CSS pixels
const FULL = 0.95; // of the graph's height is 1
const CURVE_POINTS = 200;
const LABEL_TURNS = 0.68; // of the width: a cut further right has its label to its left

/** @param {Lesson} lesson */
function look({ settings, arrays: { signal } }) {
  const T = signal.length, found = spectralMask(T, settings), { mask, kept, frames, fourier } = found;
  const spectrum = transform(signal, fourier);
  /** @type {import("../maths.js").Spectrum} */
  const masked = spectrum.slice(0, kept).map(([real, imaginary], n) => [real * mask[n], imaginary * mask[n]]);
  const out = transformBack(masked, frames, T, fourier), magnitudes = spectrum.map(([real, imaginary]) => Math.hypot(real, imaginary));
  return { ...found, stride: settings.stride, smoothness: settings.smoothness, signal, T, bins: mask.length, magnitudes, out };
}

/** The x of a bin's middle. @param {Pen} pen @param {Scene} scene */
const binAxis = (pen, { bins }) => (/** @type {number} */ n) => pen.left + (n + 0.5) * (pen.inner / bins);
/** The y of a share of the whole graph. @param {Pen} pen */
const shareAxis = (pen) => (/** @type {number} */ share) => (TOP + HEIGHT) * pen.k - share * HEIGHT * pen.k * FULL;

/** @param {Pen} pen @param {Scene} scene */
function drawSpectrum(pen, { fourier, T, bins, kept, magnitudes }) {
  const { k, theme } = pen, top = TOP * k, height = HEIGHT * k, step = pen.inner / bins, y = shareAxis(pen), most = Math.max(...magnitudes);
  pen.title(`${fourier ? "Fourier" : "Cosine"} spectrum of ${T} frames, and the mask (drag it)`, 10 * k);
  pen.box(pen.left, top, kept * step, height, theme.ink(0.05));
  magnitudes.forEach((magnitude, n) => {
    const at = y(magnitude / most);
    pen.box(pen.left + (n + 0.15) * step, at, step * 0.7, top + height - at, n < kept ? theme.layers[0] : theme.ink(0.25));
  });
}

/** @param {Pen} pen @param {Scene} scene */
function drawMask(pen, scene) {
  const { k, theme } = pen, { bins, passed, smoothness, kept, fourier } = scene, top = TOP * k, height = HEIGHT * k;
  const x = binAxis(pen, scene), y = shareAxis(pen);
  /** @type {[number, number][]} */
  const curve = indices(CURVE_POINTS + 1).map((i) => {
    const n = (i / CURVE_POINTS) * (bins - 1);
    return [x(n), y(maskAt(n, passed, smoothness))];
  });
  pen.line(curve, theme.play, 2.5);
  for (const share of [0, 0.5, 1]) pen.beside(String(share), y(share));
  const cut = pen.left + kept * (pen.inner / bins), turned = cut + 6 > pen.width * LABEL_TURNS;
  pen.line([[cut, top], [cut, top + height]], theme.bad, 1.5, [5, 4]);
  pen.text(`cut: ${kept} of ${bins} stay`, turned ? cut - 6 : cut + 6, top + 10 * k, {
    align: turned ? "right" : "left", colour: theme.bad,
  });
  drawFrameAxis(pen, top + height + 12 * k, bins, fourier ? "bin n" : "coefficient n");
}

/** @param {Pen} pen @param {Scene} scene */
function drawSlopes(pen, { bins, slope }) {
  const { k, theme } = pen, top = SLOPES * k, deep = SLOPES_HEIGHT * k, step = pen.inner / bins;
  const steepest = Math.max(...slope.map(Math.abs), 1e-9);
  pen.title("∂m/∂s: bins on the slope tell s where to go", top - 14 * k);
  slope.forEach((each, n) => pen.box(pen.left + (n + 0.15) * step, top, step * 0.7, (Math.abs(each) / steepest) * deep, theme.play));
  pen.level(top, theme.ink(0.5));
  pen.beside("0", top);
  if (slope.some(Boolean)) pen.beside(`−${digits(steepest, 2)}`, top + deep, { gap: 4, size: pen.size - 2 });
}

/** @param {Pen} pen @param {Scene} scene */
function drawSignals(pen, { T, frames, fourier, signal, out }) {
  const { k, theme } = pen, middle = SIGNAL * k, swing = SWING * k, range = Math.max(...Array.from(signal, Math.abs));
  /** @type {(t: number, share: number) => [number, number]} */
  const at = (t, share) => [pen.x((t + 0.5) / T), middle - share * swing];
  pen.title(`Out: ${frames} frames of ${T}`, 328 * k);
  pen.line(Array.from(signal, (/** @type {number} */ value, t) => at(t, value / range)), theme.ink(0.45), 1.5);
  // Fourier's frames begin where the signal does, and cosines stand for the middles of windows side by side.
  /** @param {number} i */
  const timeOf = (i) => (fourier ? (i * T) / frames : ((i + 0.5) * T) / frames - 0.5);
  pen.dotted(out.map((value, i) => at(timeOf(i), clamp(value / range, -1.3, 1.3))), theme.layers[2], 2.6);
  pen.text("grey: the energy of a word, without its mean", pen.width, 492 * k, { align: "right" });
}

/** @param {Scene} scene */
const sentence = ({ T, stride, smoothness, kept, frames, fourier }) =>
  `<i>T</i>/<i>s</i> = ${T} / ${digits(stride)} = ${digits(T / stride)}, but <em>${frames}</em> frames come out: `
  + (fourier ? `2 · (${kept} − 1), because the mask’s slope lets R = ${digits(smoothness)} more bins through.`
    : `one for each coefficient that stays, R = ${digits(smoothness)} of them on the slope.`);

/** @type {import("./index.js").Picture} */
export const spectral = {
  height: 510,
  draw(pen, lesson) {
    const scene = look(lesson), { mask, slope, kept, frames, out, signal } = scene;
    drawSpectrum(pen, scene);
    drawMask(pen, scene);
    drawSlopes(pen, scene);
    drawSignals(pen, scene);
    lesson.explain(sentence(scene));
    return { mask, slope, kept, frames, out, signal: Array.from(signal) };
  },
  point(x, y, lesson, pressed) {
    if (!pressed || y > GRAPH_END * lesson.pen.k) return;
    const T = lesson.arrays.signal.length, { mask, fourier } = spectralMask(T, lesson.settings), { low, high } = lesson.control("stride");
    const n = ((x - lesson.pen.left) / lesson.pen.inner) * mask.length - 0.5;
    lesson.change({ stride: clamp(strideOfMask(n, T, fourier), low, high) }, "stride");
  },
};
