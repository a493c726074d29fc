// The pictures as tables: which frames are listed, and the numbers of layers, answers and alignments.
import assert from "node:assert/strict";
import { test } from "node:test";

import { layOut } from "../../adastride/ui/frontend/alignment.js";
import { alignmentTable } from "../../adastride/ui/frontend/compare/tables.js";
import { exploreTables, meanStrides } from "../../adastride/ui/frontend/explore/tables.js";
import { listedFrames } from "../../adastride/ui/frontend/sheet.js";

const even = (count, step) => Float64Array.from({ length: count + 1 }, (_, i) => i * step);
const whole = { from: 0, to: Infinity };
const taps = (frames, stride) => layOut({ taps: [1] }, even(frames, 0.01), { sigma: null, stride, variant: null });
const convolution = (frames, stride) => ({ label: "Strided convolution", layout: taps(frames, stride) });
const prediction = { headline: "seven", detail: "97 %", barsTitle: "Probability", bars: [{ label: "seven", share: 0.97, text: "97 %" }], lanes: [] };
const seen = (more) => ({ layers: [convolution(8, 2)], chosen: 0, sound: [], prediction, pinned: null, lanes: [], ...more });

test("all frames of the clip are listed, or those in view, or the first two hundred", () => {
  assert.deepEqual(listedFrames(even(150, 0.01), { from: 0, to: 1.5 }), { first: 0, stop: 150, words: "all 150" });
  assert.deepEqual(listedFrames(even(150, 0.01), { from: 0.1, to: 0.2 }), { first: 10, stop: 20, words: "10 of 150, those in view" });
  assert.deepEqual(listedFrames(even(150, 0.01), { from: 0.105, to: 0.125 }), { first: 10, stop: 13, words: "3 of 150, those in view" });
  const many = listedFrames(even(1000, 0.01), whole);
  assert.deepEqual(many, { first: 0, stop: 200, words: "the first 200 of 1000; zoom in for the others" });
  const some = listedFrames(even(1000, 0.01), { from: 1, to: 6 });
  assert.deepEqual(some, { first: 100, stop: 300, words: "the first 200 of 500 in view; zoom in for the others" });
  assert.deepEqual(listedFrames(even(10, 0.01), { from: 1, to: 2 }), { first: 0, stop: 0, words: "none of 10 in view" });
  assert.deepEqual(listedFrames([0], whole), { first: 0, stop: 0, words: "none" });
});

test("strides are averaged over the output frames that are sound, each by its share", () => {
  // Five output frames: 0.02 s each in sound and 0.04 s each in silence.
  const edges = [0, 4, 8, 10, 12, 16], layout = { L: 5, outEdges: edges.map((e) => e / 100), strides: [4, 4, 2, 2, 4] };
  assert.deepEqual(meanStrides(layout, [0.08, 0.12]), { sound: 2, silence: 4 });
  assert.deepEqual(meanStrides(layout, []), { sound: null, silence: 3.2 });
  assert.deepEqual(meanStrides(layout, [0, 0.16]), { sound: 3.2, silence: null });
  const half = meanStrides(layout, [0.02, 0.04, 0.08, 0.1]); // half of the first frame, and all of the third
  assert.ok(Math.abs(half.sound - (0.5 * 4 + 2) / 1.5) < 1e-12, String(half.sound));
  const none = { L: 2, outEdges: [0, 0.1, 0.1], strides: [3, 0] }; // the second frame stands for no time, where sound begins
  assert.deepEqual(meanStrides(none, [0.1, 0.2]), { sound: 0, silence: 3 });
});

test("Explore has its layers, its answer and the output frames of the layer chosen", () => {
  const [layers, answer, frames, ...others] = exploreTables(seen({ layers: [convolution(8, 2), convolution(4, 4)], chosen: 1 }), whole);
  assert.deepEqual(layers.rows.map((row) => row.slice(0, 6)), [
    ["1", "Strided convolution", "none", "2.00", "8", "4"], ["2", "Strided convolution", "none", "4.00", "4", "1"],
  ]);
  assert.deepEqual(answer, { caption: "Answer: seven, 97 %", heads: ["Answer", "Probability"], rows: [["seven", "97 %"]] });
  assert.equal(frames.caption, "Output frames of layer 2: all 1");
  assert.deepEqual(frames.rows, [["0", "0.000", "0.040", "4.00"]]);
  assert.deepEqual(others, []);
  for (const { heads, rows } of [layers, answer, frames]) for (const row of rows) assert.equal(row.length, heads.length);
});

test("a pinned answer has a column of its own, an answer without bars no table, and a lane has one", () => {
  const pinned = [{ label: "seven", share: 0.5, text: "50 %" }];
  assert.deepEqual(exploreTables(seen({ pinned }), whole)[1].rows, [["seven", "97 %", "50 %"]]);
  const segments = [{ start: 0.1, end: 0.3, text: "hello", colour: 0, strength: 1 }];
  const lanes = [{ kind: "segments", title: "Transcript", unit: "", segments }];
  const tables = exploreTables(seen({ prediction: { ...prediction, bars: [] }, lanes }), whole);
  assert.deepEqual(tables.map(({ caption }) => caption.split(":")[0]), ["Layers. Strides are input frames of the layer per output frame.",
    "Output frames of layer 1", "Transcript"]);
  assert.match(tables[2].rows[0][1], /hello.*0\.10–0\.30 s/u);
});

test("Compare has the rows of an alignment: when they are, and what they are made of", () => {
  const layout = layOut({ u: even(8, 1 / 7).subarray(0, 8) }, even(8, 0.01), { sigma: 0.1, stride: 2, variant: "adastride" });
  const column = { label: "AdaStride", outEdges: layout.outEdges, inEdges: layout.inEdges, layout };
  const { caption, heads, rows } = alignmentTable(column, whole);
  assert.equal(caption, "AdaStride, output frames: all 4");
  assert.equal(rows[0][4], "0");
  assert.equal(rows[3][5], "7");
  assert.equal(rows[3][2], "0.080");
  for (const row of rows) assert.equal(row.length, heads.length);
  const wide = layOut({ u: even(8, 1 / 7).subarray(0, 8) }, even(8, 0.01), { sigma: 100, stride: 2, variant: "adastride" });
  assert.equal(alignmentTable({ ...column, layout: wide }, whole).rows[1][4], "0 to 7");
});
