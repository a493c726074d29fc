// @ts-check
// What the server says of each method, ready to draw: where frames lie, three pictures, and an alignment or a matrix.

import { frameAt, layOut, rowWeights, visibleRows } from "../alignment.js";
import { lowerBound } from "../numbers.js";

/**
 * @typedef {import("../alignment.js").Picture} Picture
 * @typedef {object} Column one method
 * @property {string} method
 * @property {string} label
 * @property {string} version of all that is drawn
 * @property {boolean} adaptive
 * @property {[number, number]} scope the input frames it was run on
 * @property {any} numbers
 * @property {number | null} sigma
 * @property {Float32Array} outEdges seconds
 * @property {Float32Array} inEdges seconds, of its scope
 * @property {number} outFrames
 * @property {Picture} outPicture
 * @property {Picture} recPicture
 * @property {Picture} errPicture
 * @property {import("../alignment.js").Layout} [layout]
 * @property {Picture & { first: number, count: number }} [matrix] of what is in view, where there are no positions
 */

/**
 * @param {any} column as described @param {Record<string, any>} arrays @param {number} k @param {Float32Array} sourceEdges
 * @returns {Column}
 */
export function unpackColumn(column, arrays, k, sourceEdges) {
  const inEdges = sourceEdges.subarray(column.scope[0], column.scope[1] + 1), outEdges = arrays[`edges${k}`];
  const picture = (/** @type {string} */ name, /** @type {Float32Array} */ edges) =>
    ({ data: arrays[`${name}${k}`], rows: column[name].rows, edges: pooledEdges(edges, column[name]) });
  const shared = {
    ...column, outEdges, inEdges, outFrames: outEdges.length - 1,
    outPicture: picture("out", outEdges), recPicture: picture("rec", inEdges), errPicture: picture("err", inEdges),
  };
  const u = arrays[`u${k}`], taps = arrays[`taps${k}`];
  if (!u && !taps) return { ...shared, matrix: unpackMatrix(column.matrix, arrays[`matrix${k}`], inEdges) };
  const settings = { sigma: column.sigma ?? 1, stride: column.layoutStride, variant: column.hard ? "adastride-f" : "adastride" };
  return { ...shared, layout: layOut({ u, taps }, inEdges, settings) };
}

/**
 * Neighbours of a picture may have been made one.
 * @param {Float32Array} edges @param {{ first: number, count: number, factor: number }} sent
 */
const pooledEdges = (edges, { first, count, factor }) =>
  Float64Array.from({ length: Math.ceil(count / factor) + 1 }, (_, i) => edges[Math.min(first + i * factor, first + count)]);

/** @param {any} described @param {Uint8Array} data @param {Float32Array} inEdges */
function unpackMatrix({ first, count, low, rows }, data, inEdges) {
  return { data, first, count, rows, low, high: low + rows, edges: inEdges.subarray(first, first + count + 1) };
}

/**
 * The clip's mel as a picture. Frame j is centred on j hops, so it spans half a hop to either side.
 * @param {any} source @param {Uint8Array} data @returns {Picture}
 */
export function melPicture({ melFrames, melBands, framesPerSecond, seconds }, data) {
  const edges = Float64Array.from({ length: melFrames + 1 }, (_, j) => Math.min(Math.max((j - 0.5) / framesPerSecond, 0), seconds));
  return { data, rows: melBands, edges };
}

/** The output frame at a moment. @param {Column} column @param {number} time */
export const rowAt = ({ outEdges }, time) => frameAt(/** @type {any} */ (outEdges), time);

/** The output frames in view. @param {Column} column @param {{ from: number, to: number }} view */
export const rowsInView = ({ outEdges }, view) => visibleRows(/** @type {any} */ (outEdges), view);

/** Was the method run at a moment? @param {Column} column @param {number} time */
export const covers = ({ outEdges, outFrames }, time) => time >= outEdges[0] && time <= outEdges[outFrames];

/** Weights of one output frame over its column's input frames. @param {Column} column @param {number} row */
export function weightsOf({ layout, matrix, inEdges, outEdges }, row) {
  if (layout) return rowWeights(layout, row);
  if (row < matrix.low || row >= matrix.high) {
    const start = lowerBound(inEdges, outEdges[row] + 1e-6) - 1, stop = lowerBound(inEdges, outEdges[row + 1]);
    return { start: Math.max(0, start), weights: new Float64Array(Math.max(1, stop - start)).fill(1) };
  }
  const weights = Float64Array.from({ length: matrix.count }, (_, j) => matrix.data[j * matrix.rows + row - matrix.low]);
  return { start: matrix.first, weights };
}
