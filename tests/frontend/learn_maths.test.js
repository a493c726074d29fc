// The lesson's maths against the library's numbers: tests/lesson/test_learn_golden.py writes them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { roundHalfEven } from "../../adastride/ui/frontend/numbers.js";
import * as axes from "../../adastride/ui/frontend/learn/axes.js";
import * as maths from "../../adastride/ui/frontend/learn/maths.js";

const golden = JSON.parse(readFileSync(new URL("golden/learn_maths.json", import.meta.url), "utf8"));

// Nine digits are in the file.
function near(found, expected, tolerance = 1e-7, path = "") {
  if (typeof expected === "number") {
    assert.ok(Math.abs(found - expected) <= tolerance, `${path}: ${found} is not ${expected}`);
    return;
  }
  assert.equal(found.length, expected.length, `${path}: so many numbers`);
  expected.forEach((each, n) => near(found[n], each, tolerance, `${path}[${n}]`));
}

test("positions are the library's", () => {
  for (const { scores, stride, frames, unit, positions } of golden.positions) {
    const placed = maths.place(scores, stride);
    assert.equal(placed.frames, frames);
    near(placed.unit, unit);
    near(placed.positions, positions);
    near(placed.sums.at(-1), maths.total(placed.displacements));
  }
});

test("the position loss is the library's", () => {
  for (const { scores, stride, loss } of golden.positions) {
    const jumps = maths.jumps(maths.place(scores, stride).positions);
    near(jumps.loss, loss);
    assert.equal(jumps.count, jumps.excess.filter((each) => each > 1e-6).length);
  }
});

test("an output frame is alone where no frame is within half a step", () => {
  assert.deepEqual(maths.lonely([0, 0.4, 2.6, 3], 4), [false, true, true, false]);
  assert.deepEqual(maths.countNearest([0, 0.5, 1.5, 3], 4), [2, 0, 1, 1], "halves go to the even one");
});

test("the alignment written out is the library's, AdaStride-F's too", () => {
  for (const { scores, stride, sigma, nearest, dense } of golden.weights) {
    const { positions, frames } = maths.place(scores, stride);
    near(maths.writeOut(positions, frames, sigma, nearest), dense, 1e-7, `σ ${sigma}, stride ${stride}, nearest ${nearest}`);
  }
});

test("a row of any sigma sums to 1, unless nobody rounds to it", () => {
  const { positions, frames } = maths.place([0, 0, 4, 0, 0], 1);
  for (const sigma of [1e-3, 0.447, 1e3]) for (const row of maths.writeOut(positions, frames, sigma)) near(maths.total(row), 1);
  assert.ok(maths.writeOut(positions, frames, 0.447, true).some((row) => maths.total(row) === 0));
});

test("adding frame by frame ends at the library's product", () => {
  for (const { scores, stride, sigma, values, pooled } of golden.weights.filter(({ nearest }) => nearest)) {
    const { positions, frames } = maths.place(scores, stride), A = maths.writeOut(positions, frames, sigma, true);
    const to = positions.map(roundHalfEven), weights = to.map((i, j) => A[i][j]);
    near(maths.scatterAdd(values, weights, to, frames, values.length), pooled);
    assert.deepEqual(maths.scatterAdd(values, weights, to, frames, 0), Array(frames).fill(0));
  }
});

test("a weighted column is the library's product", () => {
  for (const { dense, values, pooled } of golden.weights) {
    near(dense.map((weights) => maths.weightedColumn(values, 1, { start: 0, weights })[0]), pooled);
  }
});

test("a mean column takes parts of frames", () => {
  const picture = [0, 10, 4, 20, 8, 30]; // three frames of two bands
  near(maths.meanColumn(picture, 2, 0, 3), [4, 20]);
  near(maths.meanColumn(picture, 2, 0.5, 2), [(0 * 0.5 + 4) / 1.5, (10 * 0.5 + 20) / 1.5]);
  near(maths.meanColumn(picture, 2, 1.25, 1.75), [4, 20]);
});

test("tones are the lesson's, and fold where the formula says", () => {
  for (const { frequency, values } of golden.tones) near(values.map((_, t) => maths.cosineAt(frequency, golden.toneFrames, t)), values);
  near([maths.fold(0.2, 4), maths.fold(0.25, 4), maths.fold(0.1, 4)], [0.2, 0, 0.4]);
});

test("a tone is downsampled as by the layers", () => {
  for (const { signal, first, weights, out } of golden.downsampled) near(maths.downsampleTone(signal, first, weights), out);
});

test("transforms are the library's", () => {
  for (const { signal, fourier, cosines, shorter } of golden.spectra) {
    near(maths.transform(signal, true), fourier);
    near(maths.transform(signal, false), cosines.map((each) => [each, 0]));
    near(maths.transformBack(maths.transform(signal, false).slice(0, shorter.length), shorter.length, signal.length, false), shorter);
  }
});

test("what is transformed comes back", () => {
  for (const { signal } of golden.spectra) {
    for (const fourier of [true, false]) {
      near(maths.transformBack(maths.transform(signal, fourier), signal.length, signal.length, fourier), signal);
    }
  }
});

test("masks, their gradients and what comes through are the library's", () => {
  for (const { kind, stride, smoothness, signal, mask, slope, out } of golden.masks) {
    const found = maths.spectralMask(signal.length, { kind, stride, smoothness }), path = `${kind}, stride ${stride}, R ${smoothness}`;
    near(found.mask, mask, 1e-7, path);
    near(found.slope, slope, 1e-7, path);
    assert.equal(found.frames, out.length, path);
    const spectrum = maths.transform(signal, found.fourier).slice(0, found.kept).map((bin, n) => bin.map((part) => part * found.mask[n]));
    near(maths.transformBack(spectrum, found.frames, signal.length, found.fourier), out, 1e-7, path);
  }
});

test("the mask falls where its stride says", () => {
  for (const fourier of [true, false]) near(64 / (fourier ? 2 : 1) / maths.strideOfMask(9, 64, fourier) + 1, 9);
});

test("masks over vertical frequencies are the library's", () => {
  for (const { height, stride, above, below } of golden.verticalMasks) {
    const found = axes.verticalMask(height, stride, 4);
    near(found.above, above, 1e-7, `height ${height}, stride ${stride}`);
    near(found.below, below, 1e-7, `height ${height}, stride ${stride}`);
  }
});

test("pictures become smaller as by the library, along one axis after the other and in the spectrum", () => {
  for (const { settings, picture, out, matrices } of golden.axes) {
    const path = JSON.stringify(settings);
    if (settings.method === "diffstride") {
      const [H, W] = [picture.length, picture[0].length];
      near(axes.diffStride(axes.spectrumOf(picture), H, W, { ...settings, smoothness: 4 }).out, out, 1e-7, path);
      continue;
    }
    const { rows, columns } = axes.alignments(picture, settings);
    near(rows.weights, matrices[0], 1e-7, path);
    near(columns.weights, matrices[1], 1e-7, path);
    near(axes.outer(rows, columns, picture), out, 1e-7, path);
    for (const { weights, edges } of [rows, columns]) near([edges[0], edges.at(-1)], [0, weights[0].length]);
  }
});

test("a longer sound costs a whole matrix four times as much, and windows about twice", () => {
  const { width, costs: [dense, windows, nearest] } = maths.multiplications({ channels: 64, stride: 2, sigma: 0.447, tail: 18 });
  near(dense(2000) / dense(1000), 4);
  near(nearest(2000) / nearest(1000), 2);
  assert.ok(windows(2000) / windows(1000) < 2.1);
  assert.equal(width(3), 3, "no window is wider than the sound");
});
