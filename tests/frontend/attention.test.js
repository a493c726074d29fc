// Attention in the browser against Python's, which wrote the queries, keys and rows (test_frontend.py).
import assert from "node:assert/strict";
import { test } from "node:test";

import { attentionRow, patchPicture } from "../../adastride/ui/frontend/attention.js";
import { difference, golden } from "./golden.js";

const { rows, patches, queries, keys, scales, ...sizes } = golden.attention;
const heads = { ...sizes, queries: Int8Array.from(queries), keys: Int8Array.from(keys), scales: Float32Array.from(scales) };

for (const { token, layer, head, row, picture } of rows) {
  test(`a row is Python's: token ${token}, layer ${layer}, ${head === null ? "mean of heads" : `head ${head}`}`, () => {
    const found = attentionRow(heads, token, layer, head);
    assert.ok(difference(found, row) < 1e-6);
    assert.ok(difference(patchPicture(found, patches), picture) < 1e-6);
  });
}

test("what a token attends to is 1 together", () => {
  assert.ok(Math.abs(attentionRow(heads, 3, 1, null).reduce((a, b) => a + b) - 1) < 1e-9);
});

test("two thousand tokens take less than a frame of 33 ms", () => {
  const tokens = 2000, size = 64, bytes = () => Int8Array.from({ length: 4 * 3 * tokens * size }, (_, n) => ((n * 7919) % 255) - 127);
  const many = { layers: 4, heads: 3, size, tokens, queries: bytes(), keys: bytes(), scales: new Float32Array(12).fill(1e-4) };
  const took = () => { const began = performance.now(); attentionRow(many, 7, 3, null); return performance.now() - began; };
  assert.ok(Math.min(...Array.from({ length: 20 }, took)) < 33);
});
