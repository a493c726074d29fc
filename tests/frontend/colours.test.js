// Colours come round again, and colour maps can be drawn. Whether they can be told apart is tests/test_colour_vision.py's business.
import assert from "node:assert/strict";
import { test } from "node:test";

import { LAYER_COLOURS, RAMPS, layerColour } from "../../adastride/ui/frontend/colours.js";

test("there are eight colours of layers, and the ninth layer has the first one's", () => {
  for (const theme of ["dark", "light"]) {
    assert.equal(new Set(LAYER_COLOURS[theme]).size, 8);
    assert.equal(layerColour(theme, 8), LAYER_COLOURS[theme][0]);
    assert.equal(layerColour(theme, 9), LAYER_COLOURS[theme][1]);
  }
});

test("a colour map is 256 opaque pixels", () => {
  for (const colours of Object.values(RAMPS)) {
    assert.equal(colours.length, 256);
    assert.ok(colours.every((pixel) => pixel >>> 24 === 255));
  }
});
