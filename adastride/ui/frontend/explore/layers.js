// @ts-check
// The layers of a run: laid out as the server ran them, as the settings in hand have them, and what an output frame is made of.

import { composeDown, layOut, layOutPicture, rowWeights, withSigma } from "../alignment.js";
import { clamp, sameNumbers } from "../numbers.js";

/**
 * @typedef {import("../alignment.js").Settings} Settings
 * @typedef {import("../alignment.js").Layout} Layout
 * @typedef {import("../alignment.js").Weights} Weights
 *
 * @typedef {object} Layer what the server says of one, and where its frames lie
 * @property {Layout} layout
 * @property {string} label
 * @property {boolean} adaptive
 * @property {boolean} wholeStrides
 * @property {number} positionLoss
 * @property {number} milliseconds
 * @property {Float32Array} [u]
 * @property {Float32Array} [taps]
 * @property {Float32Array} [edges]
 * @property {import("../alignment.js").Matrix} [picture]
 */

/** @param {Settings} a @param {Settings} b */
export const sameSettings = (a, b) => a.sigma === b.sigma && a.stride === b.stride && a.variant === b.variant;

/** @param {Settings[]} settings */
export const copySettings = (settings) => settings.map((each) => ({ ...each }));

/** What a layer does, with the variant in hand. @param {Layer} layer */
export const methodName = ({ label, layout: { variant, hard } }) => (variant == null ? label : hard ? "AdaStride-F" : "AdaStride");

/**
 * When mel frames begin. Frame j is centred on j hops, so it spans half a hop to either side.
 * @param {{ seconds: number, framesPerSecond: number, melFrames: number }} clip
 */
export const melEdges = ({ seconds, framesPerSecond, melFrames }) =>
  Float64Array.from({ length: melFrames + 1 }, (_, j) => clamp((j - 0.5) / framesPerSecond, 0, seconds));

/**
 * The layers as the server ran them. What has not moved since `before` keeps its layout, and with it its drawing: a drag
 * repaints only what follows it.
 * @param {any} header @param {Record<string, any>} arrays @param {Float64Array} edges of the mel frames @param {Layer[]} [before]
 * @returns {Layer[]}
 */
export function layOutAll(header, arrays, edges, before) {
  let inEdges = edges;
  return header.layers.map((/** @type {any} */ described, /** @type {number} */ k) => {
    const picture = described.picture && { ...described.picture, data: arrays[`matrix${k}`], columns: arrays[`columns${k}`] };
    const layer = { ...described, u: arrays[`u${k}`], taps: arrays[`taps${k}`], edges: arrays[`edges${k}`], picture };
    const settings = header.settings[k], last = before?.[k];
    if (last && unmoved(last, layer, inEdges)) layer.layout = withSettings(last, settings);
    else layer.layout = picture ? layOutPicture(layer.edges, picture, inEdges, settings) : layOut(layer, inEdges, settings);
    inEdges = layer.layout.outEdges;
    return layer;
  });
}

/** A layer's layout with other settings; only what they change is new. @param {Layer} layer @param {Settings} settings */
function withSettings({ layout, u, taps, edges, picture }, settings) {
  if (sameSettings(/** @type {Settings} */ (layout), settings)) return layout;
  if (picture) return layOutPicture(edges, picture, layout.inEdges, settings);
  const moved = layout.stride !== settings.stride || layout.variant !== settings.variant;
  return moved ? layOut({ u, taps }, layout.inEdges, settings) : withSigma(layout, settings.sigma);
}

/** Does everything of a layer but its settings lie where it lay? @param {Layer} last @param {Layer} layer @param {Float64Array} inEdges */
function unmoved(last, layer, inEdges) {
  return last.layout.inEdges === inEdges
    && last.picture?.version === layer.picture?.version
    && sameNumbers(last.u, layer.u) && sameNumbers(last.taps, layer.taps) && sameNumbers(last.edges, layer.edges);
}

/**
 * What the settings in hand mean now: exact for the lowest changed layer, from last positions above it. A picture waits for the
 * server. stale: the first layer that is not exact, Infinity where all are.
 * @param {Layer[]} server @param {Settings[]} run the settings it ran @param {Settings[]} settings
 */
export function inHand(server, run, settings) {
  const first = settings.findIndex((each, k) => !sameSettings(each, run[k]));
  const layers = server.map((layer, k) => {
    if (layer.picture || sameSettings(settings[k], run[k])) return layer;
    return { ...layer, layout: withSettings(layer, settings[k]) };
  });
  return { layers, stale: first < 0 ? Infinity : server[first].picture ? first : first + 1 };
}

/**
 * What output frames are made of: for their layer and every one below, weights over its input frames and over its output frames.
 * @param {Layer[]} layers @param {Layer[]} server @param {number} layer @param {number} row the first one @param {number} [last]
 */
export function beams(layers, server, layer, row, last = row) {
  /** @type {{ rows: Weights, weights: Weights }[]} */
  const found = [];
  /** @type {Weights} */
  let rows = { start: row, weights: new Float64Array(last - row + 1).fill(1) }, weights = rowWeights(layers[layer].layout, row);
  for (let more = row + 1; more <= last; more++) weights = together(weights, rowWeights(layers[layer].layout, more));
  for (let k = layer; k >= 0; k--) {
    found[k] = { rows, weights };
    if (!k) break;
    const fits = layers[k - 1].layout.L === layers[k].layout.T; // the layer above may not have followed yet
    rows = weights;
    weights = composeDown((fits ? layers : server)[k - 1].layout, weights);
  }
  return found;
}

/** The larger of two weights for every frame. @param {Weights} one @param {Weights} other @returns {Weights} */
function together(one, other) {
  if (!one.weights.length || !other.weights.length) return one.weights.length ? one : other;
  const start = Math.min(one.start, other.start), stop = Math.max(one.start + one.weights.length, other.start + other.weights.length);
  const weights = new Float64Array(stop - start);
  for (const each of [one, other]) each.weights.forEach((weight, n) => {
    weights[each.start - start + n] = Math.max(weights[each.start - start + n], weight);
  });
  return { start, weights };
}

/** The frames with the smallest and the largest stride. @param {Layout} layout */
export function extremes({ strides, L }) {
  let small = 0, large = 0;
  for (let i = 1; i < L; i++) {
    if (strides[i] < strides[small]) small = i;
    if (strides[i] > strides[large]) large = i;
  }
  return { small, large };
}
