// @ts-check
// Step 1: how many output frames the word gets, and how many silence.

import { layOut } from "../../alignment.js";
import { RAMPS } from "../../colours.js";
import { digits } from "../../numbers.js";
import { indices, meanColumn, place } from "../maths.js";
import { drawColourBar, frameEdges } from "../parts.js";
import { signed } from "../words.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof look>} Scene */

const ADAPTIVE = 4; // scores are so many times the energy where output frames are spent by it
const TOP = 24, HEIGHT = 120, LOW = 250, LOW_HEIGHT = 84; // CSS pixels of the two spectrograms

/** @param {Lesson} lesson */
function look({ settings, header, arrays }) {
  const { mel, energy } = arrays, { bands, part, framesPerSecond, range } = header;
  const T = energy.length, adaptive = settings.spend !== "uniform";
  const { unit } = place(Array.from(energy, (level) => (adaptive ? ADAPTIVE * level : 0)), settings.stride);
  const { edges, L } = layOut({ u: unit }, frameEdges(T), { stride: settings.stride, sigma: 1, variant: "adastride" });
  const inWord = indices(L).map((i) => {
    const middle = (edges[i] + edges[i + 1]) / 2;
    return middle >= part[0] && middle <= part[1];
  });
  const word = inWord.filter(Boolean).length, first = Math.max(0, inWord.indexOf(true));
  return { mel, bands, part, framesPerSecond, range, T, L, edges, inWord, word, first, stride: settings.stride };
}

/** @param {Pen} pen @param {Scene} scene */
function drawInput(pen, { mel, bands, T, framesPerSecond }) {
  const { k } = pen, top = TOP * k, bottom = (TOP + HEIGHT) * k;
  pen.title(`${T} frames in: the log-mel of “seven”`, 10 * k);
  pen.picture(top, HEIGHT * k, { frames: T, bands, value: (t, band) => mel[t * bands + band] }, RAMPS.mel);
  pen.beside("8 kHz", top + 6 * k, { gap: 5, size: pen.size - 1 });
  pen.beside("0", bottom - 6 * k, { gap: 5 });
  for (let second = 0; second <= T / framesPerSecond; second++) {
    const x = pen.x(Math.min(second * framesPerSecond, T) / T);
    pen.text(`${second} s`, x, bottom + 12 * k, { align: second ? "center" : "left" });
  }
}

/**
 * From the input frames that an output frame stands for to where it is drawn: bands for the word, threads for silence.
 * @param {Pen} pen @param {Scene} scene
 */
function drawShares(pen, { edges, L, T, inWord }) {
  const { k, theme } = pen, from = (TOP + HEIGHT + 22) * k, to = (LOW - 22) * k;
  for (let i = 0; i < L; i++) {
    const left = pen.x(edges[i] / T), lowLeft = pen.x(i / L);
    if (inWord[i]) {
      const right = pen.x(edges[i + 1] / T), lowRight = pen.x((i + 1) / L);
      pen.polygon([[left, from], [right, from], [lowRight, to], [lowLeft, to]], `${theme.play}${i % 2 ? "55" : "88"}`);
    } else pen.line([[left, from], [lowLeft, to]], theme.ink(0.22));
  }
}

/** @param {Pen} pen @param {Scene} scene */
function drawOutput(pen, { mel, bands, edges, L, word, first, range }) {
  const { k, theme } = pen, low = LOW * k, bottom = (LOW + LOW_HEIGHT) * k, left = pen.x(first / L), right = pen.x((first + word) / L);
  const columns = indices(L).map((i) => meanColumn(mel, bands, edges[i], edges[i + 1]));
  pen.title(`${L} frames out`, low - 10 * k);
  pen.picture(low, LOW_HEIGHT * k, { frames: L, bands, value: (i, band) => Math.round(columns[i][band]) }, RAMPS.mel);
  pen.box(left, bottom + 3, right - left, 4 * k, theme.play);
  pen.text(`the word: ${word} of ${L}`, (left + right) / 2, bottom + 18 * k, { align: "center", colour: theme.play, bold: true });
  drawColourBar(pen, bottom + 42 * k, RAMPS.mel, {
    low: signed(Math.round(range[0])), high: `${signed(Math.round(range[1]))} dB`, words: "mel level",
  });
}

/** @param {Scene} scene */
const sentence = ({ T, L, stride, word, part, framesPerSecond }) =>
  `<i>L</i> = ⌈${T} / <em>${digits(stride)}</em>⌉ = ${L} output frames: ${word} for the word, which lasts `
  + `${digits((part[1] - part[0]) / framesPerSecond, 2)} s of ${digits(T / framesPerSecond, 2)} s, and ${L - word} for silence.`;

/** @type {import("./index.js").Picture} */
export const why = {
  height: 390,
  draw(pen, lesson) {
    const scene = look(lesson);
    drawInput(pen, scene);
    drawShares(pen, scene);
    drawOutput(pen, scene);
    lesson.explain(sentence(scene));
    return { L: scene.L, word: scene.word };
  },
};
