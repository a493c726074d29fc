// @ts-check
// A method's alignment as a table: when each output frame begins and ends, and which input frames it is made of.

import { largest } from "../numbers.js";
import { listedFrames } from "../sheet.js";
import { weightsOf } from "./columns.js";

const LEAST = 0.01; // of a row's largest weight: input frames with less are left out, as in the tip of Explore

/** @param {import("./columns.js").Column} column @param {{ from: number, to: number }} view @returns {import("../sheet.js").Table} */
export function alignmentTable(column, view) {
  const { label, outEdges } = column, { first, stop, words } = listedFrames(outEdges, view), rows = [];
  for (let i = first; i < stop; i++) {
    const milliseconds = Math.round(1000 * (outEdges[i + 1] - outEdges[i]));
    rows.push([`${i}`, outEdges[i].toFixed(3), outEdges[i + 1].toFixed(3), `${milliseconds}`, ...inputFrames(column, i)]);
  }
  const heads = ["Output frame", "Begin, s", "End, s", "Length, ms", "Made of input frames", "Largest weight at"];
  return { caption: `${label}, output frames: ${words}`, heads, rows };
}

/**
 * The input frames with a weight worth naming, and the one with the largest.
 * @param {import("./columns.js").Column} column @param {number} row @returns {[string, string]}
 */
function inputFrames(column, row) {
  const { start, weights } = weightsOf(column, row), most = largest(weights);
  if (!(most > 0)) return ["none", "none"];
  const strong = (/** @type {number} */ weight) => weight >= LEAST * most;
  const first = start + weights.findIndex(strong), last = start + weights.findLastIndex(strong);
  return [first === last ? `${first}` : `${first} to ${last}`, `${start + weights.indexOf(most)}`];
}
