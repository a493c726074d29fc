// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { apart, heightBelow, panelHeights, rowHeights } from "../../adastride/ui/frontend/heights.js";

/** @param {number} layers @param {string[]} lanes */
const kinds = (layers, lanes = []) => [
  "wave", "mel", "ticks", ...Array.from({ length: layers }, () => ["layer", "profile"]).flat(), ...lanes, "axis",
];
const sum = (/** @type {number[]} */ heights) => heights.reduce((a, b) => a + b, 0);

test("panels fill the height there is, to a pixel each, and never more", () => {
  for (const layers of [1, 2, 3, 5, 8]) {
    for (const lanes of [[], ["segments"], ["segments", "picture", "curve"]]) {
      const shown = kinds(layers, lanes), least = sum(panelHeights(0, shown)), most = sum(panelHeights(1e6, shown));
      for (let available = least; available <= most; available += 37) {
        const heights = panelHeights(available, shown);
        assert.ok(sum(heights) <= available && sum(heights) > available - shown.length, `${layers} ${lanes} ${available}: ${heights}`);
      }
    }
  }
});

test("with too little height every panel keeps its least, and no panel shrinks when there is more", () => {
  const shown = kinds(8, ["picture"]), least = panelHeights(0, shown);
  assert.deepEqual(panelHeights(300, shown), least);
  assert.ok(least.every((height) => height >= 10) && least[3] >= 54);
  let before = least;
  for (let available = 300; available < 4000; available += 13) {
    const heights = panelHeights(available, shown);
    assert.ok(heights.every((height, n) => height >= before[n]));
    before = heights;
  }
});

test("panels of one kind are equally high, whatever their number", () => {
  const shown = kinds(5), heights = panelHeights(900, shown);
  for (const kind of ["layer", "profile"]) {
    assert.equal(new Set(heights.filter((_, n) => shown[n] === kind)).size, 1);
  }
});

test("where the page scrolls anyway panels have their usual heights", () => {
  assert.deepEqual(panelHeights(null, kinds(1)), [46, 104, 12, 112, 50, 20]);
});

test("a place in the upper half of the window has what is below it, another one what is left after scrolling to it", () => {
  assert.equal(heightBelow({ window: 680, place: 170, covered: 140 }), 510);
  assert.equal(heightBelow({ window: 680, place: 900, covered: 140 }), 540);
});

test("labels that would lie on another one are left out", () => {
  assert.deepEqual(apart([["500 Hz", 50], ["1 kHz", 40], ["2 kHz", 27], ["4 kHz", 13], ["8 kHz", 6]], 12),
    [["500 Hz", 50], ["2 kHz", 27], ["4 kHz", 13]]);
});

test("rows that may be left to those who scroll are in view where there is enough for the usual heights of all", () => {
  const rows = ["clip", "strip", "axis", "out", "align", "rec", "err", "axis"], usual = rowHeights(null, rows, 2);
  const low = rowHeights(sum(usual) - 1, rows, 2), high = rowHeights(sum(usual) + 100, rows, 2);
  assert.ok(sum(low.slice(0, -2)) <= sum(usual) - 1 && sum(low) > sum(usual) - 1, "without the last two");
  assert.ok(sum(high) <= sum(usual) + 100 && sum(high) > sum(usual) + 90, "with them");
  const least = rowHeights(100, rows, 2);
  assert.deepEqual(least, [46, 44, 20, 68, 98, 68, 68, 20]);
});
