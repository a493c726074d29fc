// @ts-check
// Step 9: multiplications at any length, and milliseconds on this machine.

import { digits } from "../../numbers.js";
import { indices, multiplications } from "../maths.js";
import { bytes, large } from "../words.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof look>} Scene */

const NAMES = ["whole matrix", "windows", "AdaStride-F"];
const MEASURED = /** @type {const} */ (["dense", "windows", "nearest"]);
const TOP = 24, HEIGHT = 190, TIMES = 300, TIMES_HEIGHT = 150; // CSS pixels of the two graphs
const LEAST = Math.log10(100 * 8), MOST = Math.log10(1e12 * 512); // multiplications at the ends of the axis
const BYTES_A_NUMBER = 4;
/** @type {[number, string][]} */
const COSTS = [[1e4, "10⁴"], [1e6, "10⁶"], [1e8, "10⁸"], [1e10, "10¹⁰"], [1e12, "10¹²"], [1e14, "10¹⁴"]];
/** @type {[number, string][]} */
const FRAMES = [[100, "100"], [1e3, "1000"], [1e4, "10 000"], [1e5, "100 000"], [1e6, "1 million"]];

/** @param {Lesson} lesson */
function look({ settings, header }) {
  const { stride, sigma } = settings, { tail, framesPerSecond, timings, measured } = header, T = Math.round(settings.frames);
  const { width, costs } = multiplications({ channels: Math.round(settings.channels), stride, sigma, tail });
  return { T, L: Math.ceil(T / stride), width, costs, framesPerSecond, timings, measured };
}

/** The x of so many frames, and the y of so many multiplications. @param {Pen} pen */
const axes = (pen) => ({
  x: (/** @type {number} */ frames) => pen.x((Math.log10(frames) - 2) / 4),
  y: (/** @type {number} */ count) => (TOP + HEIGHT) * pen.k - ((Math.log10(count) - LEAST) / (MOST - LEAST)) * HEIGHT * pen.k,
});

/** @param {Pen} pen @param {Scene} scene */
function drawCosts(pen, { T, costs }) {
  const { k, theme } = pen, { x, y } = axes(pen), top = TOP * k, bottom = (TOP + HEIGHT) * k;
  pen.title("Multiplications, by the frames of the sound", 10 * k);
  for (const [count, words] of COSTS) {
    pen.level(y(count), theme.ink(0.12));
    pen.beside(words, y(count));
  }
  for (const [frames, words] of FRAMES) pen.text(words, x(frames), bottom + 12 * k, { align: "center" });
  pen.line([[x(T), top], [x(T), bottom]], theme.play, 1.5);
  costs.forEach((cost, n) => {
    pen.line(indices(41).map((i) => 10 ** (2 + i / 10)).map((frames) => [x(frames), y(cost(frames))]), theme.layers[n], 2.2);
    pen.dot(x(T), y(cost(T)), 5, theme.layers[n]);
  });
}

/** @param {Pen} pen */
function drawLegend(pen) {
  const { k, theme } = pen;
  NAMES.forEach((name, n) => {
    const y = (TOP + 14 + 18 * n) * k;
    pen.line([[pen.left + 8, y], [pen.left + 26 * k, y]], theme.layers[n], 3);
    pen.text(name, pen.left + 32 * k, y);
  });
}

/** @param {Pen} pen @param {Scene} scene */
function drawTimings(pen, { timings, measured }) {
  const { k } = pen, begin = TIMES * k, words = "Measured on this machine";
  if (!timings.length) {
    pen.title(words, begin - 16 * k);
    pen.text("Measuring …", pen.left, begin + 20 * k);
    return;
  }
  pen.title(`${words}, in ms (D = ${measured.channels}, s = ${digits(measured.stride)}, σ = ${digits(measured.sigma)})`, begin - 16 * k);
  const { x, y } = drawTimingAxes(pen, timings);
  MEASURED.forEach((name, n) => drawTiming(pen, timings, name, n, x, y));
}

/** @param {Pen} pen @param {any[]} timings by length */
function drawTimingAxes(pen, timings) {
  const { k, theme } = pen, height = TIMES_HEIGHT * k, bottom = TIMES * k + height;
  const all = timings.flatMap((each) => MEASURED.map((name) => each[name]));
  const floor = 10 ** Math.floor(Math.log10(Math.min(...all))), roof = 10 ** Math.ceil(Math.log10(Math.max(...all)));
  const shortest = timings[0].frames, octaves = Math.log2(timings[timings.length - 1].frames / shortest);
  /** @param {number} frames */
  const x = (frames) => pen.x(0.04 + (0.9 * Math.log2(frames / shortest)) / octaves);
  /** @param {number} ms */
  const y = (ms) => bottom - (Math.log(ms / floor) / Math.log(roof / floor)) * height;
  for (let ms = floor; ms <= roof * 1.01; ms *= 10) {
    pen.level(y(ms), theme.ink(0.12));
    pen.beside(String(Number(ms.toPrecision(1))), y(ms));
  }
  for (const { frames } of timings) pen.text(`T = ${frames}`, x(frames), bottom + 14 * k, { align: "center" });
  return { x, y };
}

/**
 * The times of one way, with the last one as a number.
 * @param {Pen} pen @param {any[]} timings @param {typeof MEASURED[number]} name @param {number} n
 * @param {(frames: number) => number} x @param {(ms: number) => number} y
 */
function drawTiming(pen, timings, name, n, x, y) {
  const last = timings[timings.length - 1], colour = pen.theme.layers[n];
  pen.dotted(timings.map((each) => [x(each.frames), y(each[name])]), colour, 4);
  const above = [-14, -11, 12][n] * pen.k; // windows and AdaStride-F lie close together
  pen.text(`${digits(last[name], 2)} ms`, x(last.frames) + 8, y(last[name]) + above, { align: "right", colour, bold: true });
}

/** @param {Scene} scene */
function sentence({ T, L, width, costs: [dense, windows], framesPerSecond }) {
  return `<i>T</i> = ${T} frames (${digits(T / framesPerSecond / 60, 2)} minutes): `
    + `all of <i>A</i> is ${L} × ${T} = ${large(L * T)} numbers, ${bytes(BYTES_A_NUMBER * L * T)}, `
    + `and <em>${large(dense(T))}</em> multiplications. Windows of about ${digits(width(T), 2)} frames `
    + `need <em>${large(windows(T))}</em>: ${digits(dense(T) / windows(T), 2)} times fewer.`;
}

/** @type {import("./index.js").Picture} */
export const cost = {
  height: 500,
  buttons: [{ name: "measure", text: "Measure again" }],
  opened(lesson) { if (!lesson.header.timings.length) lesson.request("measure"); },
  draw(pen, lesson) {
    const scene = look(lesson), { T, L, costs, timings } = scene;
    drawCosts(pen, scene);
    drawLegend(pen);
    drawTimings(pen, scene);
    lesson.explain(sentence(scene));
    return { L, costs: costs.map((each) => each(T)), timings };
  },
  press(_, lesson) { lesson.request("measure"); },
};
