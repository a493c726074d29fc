// @ts-check
// The pictures of the Explore page as tables: its layers, the answer, the output frames of one layer, and lanes.

import { digits } from "../numbers.js";
import { listedFrames } from "../sheet.js";
import { laneTable, percent } from "../lanes.js";
import { methodName } from "./layers.js";

/**
 * @typedef {import("../sheet.js").Table} Table
 * @typedef {import("./layers.js").Layer} Layer
 * @typedef {import("./layers.js").Layout} Layout
 * @typedef {import("../lanes.js").Lane} Lane
 * @typedef {import("./prediction.js").Prediction} Prediction
 */

const MOST_TOKENS = 1000; // that are listed
const LEAST_SHARE = 1e-6; // of one output frame: with less of it in sound or silence there is no mean

/**
 * @param {object} seen
 * @param {Layer[]} seen.layers with the settings in hand @param {number} seen.chosen the layer whose output frames are listed
 * @param {Float32Array} seen.sound begin and end of each stretch of sound, in seconds @param {Prediction} seen.prediction
 * @param {import("./transcript.js").Transcript} [seen.transcript]
 * @param {import("./prediction.js").Bar[] | null} seen.pinned the shares of the pinned answer @param {Lane[]} seen.lanes
 * @param {import("./patches.js").Described | null} [seen.patches]
 * @param {{ from: number, to: number }} view
 * @returns {Table[]}
 */
export function exploreTables({ layers, chosen, sound, prediction, transcript, pinned, lanes, patches = null }, view) {
  const answer = prediction.bars.length ? [answerTable(prediction, pinned)] : [];
  const ofLayers = layers.length ? [layersTable(layers, sound)] : [];
  const frames = layers.length ? [framesTable(layers[chosen].layout, chosen, view)] : [];
  const tokens = transcript ? [tokensTable(transcript, layers[layers.length - 1].layout)] : [];
  return [...ofLayers, ...answer, ...costs(patches), ...tokens, ...frames, ...lanes.map((lane) => laneTable(lane, view))];
}

/** @param {import("./patches.js").Described | null} patches @returns {Table[]} */
const costs = (patches) => (patches ? [{ caption: "Patches: what they cost", heads: ["What", "How much"], rows: patches.facts }] : []);

/** @param {Layer[]} layers @param {Float32Array} sound @returns {Table} */
function layersTable(layers, sound) {
  const heads = [
    "Layer", "Method", "σ, output frames", "Stride", "Input frames", "Output frames", "Mean stride in sound", "Mean stride in silence",
  ];
  const rows = layers.map((layer, k) => {
    const { sigma, stride, T, L } = layer.layout, means = meanStrides(layer.layout, sound);
    const strides = [means.sound, means.silence].map((mean) => (mean === null ? "none" : digits(mean)));
    return [`${k + 1}`, methodName(layer), sigma == null ? "none" : digits(sigma), digits(stride), `${T}`, `${L}`, ...strides];
  });
  return { caption: "Layers. Strides are input frames of the layer per output frame.", heads, rows };
}

/**
 * The mean stride of a layer's output frames in sound and in silence; each counts by the share of its time that is sound or silent.
 * A frame that stands for no time counts as what it lies in.
 * @param {Layout} layout @param {ArrayLike<number>} spans begin and end of each stretch of sound, in seconds, one after the other
 * @returns {{ sound: number | null, silence: number | null }} null where no frame is
 */
export function meanStrides({ outEdges, strides, L }, spans) {
  const all = { sound: 0, silence: 0 }, counted = { sound: 0, silence: 0 };
  for (let i = 0, n = 0; i < L; i++) {
    const from = outEdges[i], to = outEdges[i + 1];
    while (n < spans.length && spans[n + 1] <= from) n += 2;
    let heard = n < spans.length && spans[n] <= from ? 1 : 0;
    if (to - from > 1e-9) {
      heard = 0;
      for (let m = n; m < spans.length && spans[m] < to; m += 2) heard += Math.min(spans[m + 1], to) - Math.max(spans[m], from);
      heard /= to - from;
    }
    counted.sound += heard;
    counted.silence += 1 - heard;
    all.sound += heard * strides[i];
    all.silence += (1 - heard) * strides[i];
  }
  const mean = (/** @type {"sound" | "silence"} */ of) => (counted[of] > LEAST_SHARE ? all[of] / counted[of] : null);
  return { sound: mean("sound"), silence: mean("silence") };
}

/** @param {Prediction} prediction @param {import("./prediction.js").Bar[] | null} pinned @returns {Table} */
function answerTable({ headline, detail, barsTitle, bars }, pinned) {
  const before = (/** @type {string} */ label) => (pinned ? [pinned.find((bar) => bar.label === label)?.text ?? "none"] : []);
  return {
    caption: `Answer: ${headline}${detail ? `, ${detail}` : ""}`,
    heads: ["Answer", barsTitle || "Value", ...(pinned ? ["Pinned"] : [])],
    rows: bars.map(({ label, text }) => [label, text, ...before(label)]),
  };
}

/** @param {import("./transcript.js").Transcript} transcript @param {Layout} layout of the uppermost layer @returns {Table} */
function tokensTable({ unit, tokens, first, probabilities, frames, seconds, rule }, { outEdges }) {
  const begin = (/** @type {number} */ n) => outEdges[Math.min(first[n], outEdges.length - 1)].toFixed(3);
  const rows = tokens.slice(0, MOST_TOKENS).map((token, n) => [
    `${n}`, token, begin(n), percent(probabilities[n]), digits(frames[n]), seconds[n].toFixed(3),
  ]);
  const cut = tokens.length > rows.length ? ` The first ${rows.length} of ${tokens.length}.` : "";
  const heads = ["Place", "Heard", "Begin, s", "Probability", "Output frames", "Sound, s"];
  return { caption: `What was heard, ${unit}. ${rule}${cut}`, heads, rows };
}

/** @param {Layout} layout @param {number} layer @param {{ from: number, to: number }} view @returns {Table} */
function framesTable({ outEdges, strides }, layer, view) {
  const { first, stop, words } = listedFrames(outEdges, view), rows = [];
  for (let i = first; i < stop; i++) rows.push([`${i}`, outEdges[i].toFixed(3), outEdges[i + 1].toFixed(3), digits(strides[i])]);
  const heads = ["Output frame", "Begin, s", "End, s", "Stride, input frames"];
  return { caption: `Output frames of layer ${layer + 1}: ${words}`, heads, rows };
}
