// The browser's maths against Python's: layouts, rows, composition and pixels, of arrays that adastride.alignment wrote.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  composeDown, fillAlignment, fillPicture, frameAt, layOut, layOutPicture, matrixPicture, pictureRow, rowWeights, visibleRows,
} from "../../adastride/ui/frontend/alignment.js";
import { difference, golden, spread } from "./golden.js";

const LEVELS = Uint32Array.from({ length: 256 }, (_, i) => i); // a colour map that shows the index
const layoutOf = ({ u, taps, frames, stride, sigma, variant, inEdges }) =>
  layOut({ u, taps }, inEdges ?? Array.from({ length: frames + 1 }, (_, t) => t), { stride, sigma, variant });

for (const sample of golden.alignments) {
  test(`frames lie where Python has them: ${sample.name}`, () => {
    const layout = layoutOf(sample);
    assert.equal(layout.L, sample.dense.length);
    assert.ok(difference(layout.edges, sample.boundaries) < 1e-5);
    assert.ok(difference(layout.outEdges, sample.boundaries) < 1e-5); // a frame lasts a second here
    assert.ok(Math.abs(layout.strides.reduce((a, b) => a + b) - sample.frames) < 1e-9);
  });

  test(`rows are dense()'s: ${sample.name}`, () => {
    const layout = layoutOf(sample);
    sample.dense.forEach((row, i) => {
      const found = rowWeights(layout, i);
      assert.ok(difference(spread(found, sample.frames), row) < 1e-4, `row ${i}`);
    });
  });

  test(`beams are compose()'s: ${sample.name}`, () => {
    const layout = layoutOf(sample);
    const found = composeDown(layout, { start: 0, weights: Float64Array.from(sample.beam) });
    assert.ok(difference(spread(found, sample.frames), sample.composed) < 4e-3); // weights below a thousandth are not followed
  });

  for (const [width, height] of [[sample.frames, sample.dense.length], [7, 5], [3 * sample.frames, 2 * sample.dense.length]]) {
    test(`a pixel is the largest weight it covers: ${sample.name}, ${width} x ${height}`, () => {
      const layout = layoutOf(sample), pixels = new Uint32Array(width * height);
      fillAlignment(pixels, width, height, layout, { from: 0, to: sample.frames }, 0, layout.L, LEVELS);
      assert.ok(difference(pixels, pooled(sample.dense, width, height)) <= 4.5); // of 255: an exponent is cut to 1/64
    });
  }
}

// The dense matrix relative to each row's largest, the largest of what every pixel covers, from the top.
function pooled(dense, width, height) {
  const L = dense.length, T = dense[0].length, relative = dense.map((row) => { const most = Math.max(...row) || 1; return row.map((w) => w / most); });
  const covered = (n, count, size) => [Math.floor((n * size) / count + 1e-9), Math.ceil(((n + 1) * size) / count - 1e-9) - 1];
  const found = [];
  for (let y = 0; y < height; y++) {
    const [low, high] = covered(height - 1 - y, height, L);
    for (let x = 0; x < width; x++) {
      const [first, last] = covered(x, width, T);
      let most = 0;
      for (let i = low; i <= high; i++) for (let j = first; j <= last; j++) most = Math.max(most, relative[i][j]);
      found.push(255 * most);
    }
  }
  return found;
}

test("a matrix without positions is drawn from its picture", () => {
  const { boundaries, data, rows, low, high, columns, dense } = golden.picture, T = dense[0].length, L = dense.length;
  const picture = { data: Uint8Array.from(data), rows, low, high, columns };
  const layout = layOutPicture(boundaries, picture, Array.from({ length: T + 1 }, (_, t) => t), { stride: 2, sigma: null, variant: null });
  assert.deepEqual([layout.T, layout.L], [T, L]);
  dense.forEach((row, i) => assert.ok(difference(spread(rowWeights(layout, i), T), row) < 0.02, `row ${i}`));
  const pixels = new Uint32Array(T * L);
  fillPicture(pixels, T, L, matrixPicture(layout), { from: 0, to: T }, 0, L, LEVELS, L);
  assert.ok(difference(pixels, pooled(dense, T, L)) <= 1.5);
});

test("a picture of part of a matrix shows its own rows alone", () => {
  const shape = { low: 4, high: 10, rows: 3 };
  assert.deepEqual([4, 5, 6, 7, 8, 9].map((i) => pictureRow(shape, i)), [0, 0, 1, 1, 2, 2]);
  const picture = { ...shape, data: Uint8Array.from([10, 20, 30, 40, 50, 60]), edges: [0, 1, 2] }, pixels = new Uint32Array(2 * 12);
  fillPicture(pixels, 2, 12, picture, { from: 0, to: 2 }, 0, 12, LEVELS, 12);
  const column = (x) => Array.from({ length: 12 }, (_, i) => pixels[(11 - i) * 2 + x]);
  assert.deepEqual(column(0), [0, 0, 0, 0, 10, 10, 20, 20, 30, 30, 0, 0]);
  assert.deepEqual(column(1), [0, 0, 0, 0, 40, 40, 50, 50, 60, 60, 0, 0]);
});

test("the rows in view", () => {
  const outEdges = Float64Array.from({ length: 11 }, (_, i) => i);
  assert.deepEqual(visibleRows(outEdges, { from: 0, to: 10 }), { low: 0, high: 10 });
  const { low, high } = visibleRows(outEdges, { from: 4.5, to: 6.5 });
  assert.ok(low <= 4 && low > 3 && high >= 7 && high < 8);
  assert.equal(frameAt(outEdges, 4.5), 4);
  assert.equal(frameAt(outEdges, -1), 0);
  assert.equal(frameAt(outEdges, 99), 9);
});

test("nothing is drawn behind the end of what is heard", () => {
  const layout = layOut({ u: Float64Array.of(0, 0.5, 1) }, [0, 1, 2, 3], { stride: 1, sigma: 0.5, variant: "adastride" });
  const pixels = new Uint32Array(12 * 3);
  fillAlignment(pixels, 12, 3, layout, { from: 0, to: 6 }, 0, layout.L, LEVELS);
  const of = (x) => [0, 1, 2].map((y) => pixels[12 * y + x]);
  assert.ok(of(5).some((level) => level > 200));
  assert.deepEqual([6, 9, 11].map(of), [[0, 0, 0], [0, 0, 0], [0, 0, 0]]);
});
