// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { axisOf, cellAt, inLevels, measure, middleOf, outputAt, reach } from "../../adastride/ui/frontend/images/figure.js";
import { box, grasp, spectrumEnds, strideAt } from "../../adastride/ui/frontend/images/squares.js";
import { about, span, unitsOf } from "../../adastride/ui/frontend/images/units.js";

/** Mean pooling of 8 pixels by 2. */
const halves = Float32Array.from({ length: 32 }, (_, n) => (Math.floor((n % 8) / 2) === Math.floor(n / 8) ? 0.5 : 0));
const pooling = axisOf(halves, Float32Array.of(0, 2, 4, 6, 8), 8);
/** One output row that is everything. */
const whole = axisOf(new Float32Array(8).fill(1 / 8), Float32Array.of(0, 8), 8);
const square = { width: 100, height: 100 };
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
  const frame = measure(300, 1), middle = frame.begin + frame.across / 2;
  assert.deepEqual(cellAt(frame, layer, middle, frame.begin + frame.down * 0.6, null), { row: 2, column: 0 });
  assert.deepEqual(cellAt(frame, layer, middle, 3, { row: 3, column: 0 }), { row: 3, column: 0 });
  assert.deepEqual(cellAt(frame, layer, frame.gutter - 1, frame.begin + frame.down * 0.1, null), { row: 3, column: 0 });
  assert.equal(cellAt(frame, layer, 3, 3, null), null);
  assert.equal(cellAt(frame, layer, middle, frame.height - 1, null), null);
});

test("the middle of an output pixel is a place of that pixel", () => {
  const frame = measure(300, 1, 0.64, true);
  for (const row of [0, 1, 2, 3]) {
    const { x, y } = middleOf(frame, layer, { row, column: 0 });
    assert.deepEqual(cellAt(frame, layer, x, y, null), { row, column: 0 });
    assert.ok(Math.abs(y - frame.begin - (frame.down * (2 * row + 1)) / 8) < 1e-9);
  }
});

test("sound is not called a picture", () => {
  const { title, hovering } = about(true);
  assert.doesNotMatch(title + hovering, /picture/i);
  assert.match(title, /spectrogram/);
  assert.equal(about(false).title, "A picture at every layer of a network");
  assert.match(about(false).hovering, /a pixel of the picture/);
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
    assert.deepEqual(grasp(shown, [2, 2], right, bottom, square), { height: true, width: true });
    assert.deepEqual(grasp(shown, [2, 2], right + 2, bottom - 30, square), { height: false, width: true });
    assert.deepEqual(grasp(shown, [2, 2], right - 30, bottom + 3, square), { height: true, width: false });
  }
  assert.deepEqual(grasp({ ...layer, cosine: true }, [2, 2], 1, 40, square), { height: true, width: false }, "cosines have no edge at 0");
  assert.ok(Number.isFinite(strideAt(layer, 0, 0.5625)));
});

/** Half as high as wide, with bands of 4, 3, 2 and 1 kHz. @type {any} */
const sound = {
  levels: [100, 200], decibels: [-60, -17], ticks: [[], []], hertz: [4000, 3000, 2000, 990], begin: 1.5, rate: 100,
  modulations: [[{ step: 1.33, cutOff: 0.25 }, { step: 0.0172, cutOff: 24.6 }]],
};

test("a spectrogram is as wide as its time and as high as its bands, with room for frequencies beside it", () => {
  const picture = measure(300, 1), frame = measure(300, 1, 0.64, true);
  assert.equal(picture.across, picture.down);
  assert.equal(frame.down, Math.round(0.64 * frame.across));
  assert.ok(frame.begin + frame.across + 40 < frame.width && frame.begin + frame.down < frame.height);
  const x = frame.begin + frame.across - 1, y = frame.begin + 0.6 * frame.down;
  assert.deepEqual(cellAt(frame, layer, x, y, null), { row: 2, column: 0 });
  assert.equal(cellAt(frame, layer, frame.begin + frame.across + 20, y, null), null, "frequencies are no cells");
});

test("levels of a spectrogram keep within the colours' two ends", () => {
  const ramp = Uint32Array.from({ length: 256 }, (_, n) => n);
  assert.deepEqual([...inLevels(Uint8Array.of(0, 100, 150, 200, 255), sound.levels, ramp)], [0, 0, 128, 255, 255]);
});

test("a layer of sound speaks of kHz, seconds, bands and Hz", () => {
  assert.equal(span(sound, 0, 3, 10, 39), "0.99 to 4.0 kHz, 1.6 to 1.9 s");
  assert.deepEqual(spectrumEnds(layer, sound, 0, [2, 2.03]), ["± 0.5 cycles/band", "± 50 Hz"]);
  assert.deepEqual(spectrumEnds({ ...layer, cosine: true }, null, 0, [2, 2]), ["", "0 → 0.5 cycles"]);
  const [short, full] = unitsOf(sound, 0, 1);
  assert.equal(short, "17.2 ms a column, up to 25 Hz");
  assert.equal(full, "a column every 17.2 ms, keeps modulations up to 25 Hz");
  assert.equal(unitsOf(sound, 0, 0)[1], "1.33 bands a row, keeps modulations up to 0.25 cycles a band");
});

test("the box of a mask is held at its edges on a picture that is not square, too", () => {
  const wide = { width: 200, height: 100 }, [, right, bottom] = box(layer, [2, 2]);
  assert.deepEqual(grasp(layer, [2, 2], 200 * right, 100 * bottom - 30, wide), { height: false, width: true });
  assert.deepEqual(grasp(layer, [2, 2], 200 * right - 60, 100 * bottom, wide), { height: true, width: false });
});
