// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { axisOf, cellAt, measure, outputAt, reach } from "../../adastride/ui/frontend/images/figure.js";
import { box, grasp, strideAt } from "../../adastride/ui/frontend/images/squares.js";

/** Mean pooling of 8 pixels by 2. */
const halves = Float32Array.from({ length: 32 }, (_, n) => (Math.floor((n % 8) / 2) === Math.floor(n / 8) ? 0.5 : 0));
const pooling = axisOf(halves, Float32Array.of(0, 2, 4, 6, 8), 8);
/** One output row that is everything. */
const whole = axisOf(new Float32Array(8).fill(1 / 8), Float32Array.of(0, 8), 8);
/** @type {any} */
const layer = { axes: [pooling, whole], input: [8, 8], output: [4, 1], cosine: false };

test("an axis knows its rows' largest weights, what each pixel gets, and what an output row looks at", () => {
  assert.equal(pooling.rows, 4);
  assert.deepEqual([...pooling.density], new Array(8).fill(0.5));
  assert.deepEqual([...whole.relative], new Array(8).fill(1));
  assert.deepEqual(reach(pooling, 2), [4, 5]);
  assert.deepEqual(reach(whole, 0), [0, 7]);
  assert.deepEqual(reach(axisOf(new Float32Array(8), Float32Array.of(0, 8), 8), 0), [0, 7]);
  assert.deepEqual([0, 1.9, 2, 7.9, 9].map((pixel) => outputAt(pooling, pixel)), [0, 0, 1, 3, 3]);
});

test("a place of the figure is an output pixel, on the picture and on either alignment", () => {
  const frame = measure(300, 1), middle = frame.begin + frame.size / 2;
  assert.deepEqual(cellAt(frame, layer, middle, frame.begin + frame.size * 0.6, null), { row: 2, column: 0 });
  assert.deepEqual(cellAt(frame, layer, middle, 3, { row: 3, column: 0 }), { row: 3, column: 0 });
  assert.deepEqual(cellAt(frame, layer, frame.gutter - 1, frame.begin + frame.size * 0.1, null), { row: 3, column: 0 });
  assert.equal(cellAt(frame, layer, 3, 3, null), null);
  assert.equal(cellAt(frame, layer, middle, frame.height - 1, null), null);
});

test("the box of a mask has its edges where dragging them would put it", () => {
  for (const cosine of [false, true]) {
    const shown = { ...layer, cosine };
    for (const strides of [[2, 2], [1.5, 4], [8, 1.3]]) {
      const [, right, bottom] = box(shown, strides);
      assert.ok(Math.abs(strideAt(shown, 0, bottom) - strides[0]) < 1e-9);
      assert.ok(Math.abs(strideAt(shown, 1, right) - strides[1]) < 1e-9);
    }
    const [, right, bottom] = box(shown, [2, 2]).map((share) => 100 * share);
    assert.deepEqual(grasp(shown, [2, 2], right, bottom, 100), { height: true, width: true });
    assert.deepEqual(grasp(shown, [2, 2], right + 2, bottom - 30, 100), { height: false, width: true });
    assert.deepEqual(grasp(shown, [2, 2], right - 30, bottom + 3, 100), { height: true, width: false });
  }
  assert.deepEqual(grasp({ ...layer, cosine: true }, [2, 2], 1, 40, 100), { height: true, width: false }, "cosines have no edge at 0");
  assert.ok(Number.isFinite(strideAt(layer, 0, 0.5625)));
});
