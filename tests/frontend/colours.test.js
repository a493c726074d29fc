// Colours of layers and segments can be told apart with any colour vision, and stand out from the background.
import assert from "node:assert/strict";
import { test } from "node:test";

import { LAYER_COLOURS, RAMPS, layerColour } from "../../adastride/ui/frontend/colours.js";

const BACKGROUND = { dark: "#0F121A", light: "#FFFFFF" };
// Viénot, Brettel and Mollon (1999) by way of Machado, Oliveira and Fernandes (2009), for linear RGB.
const VISIONS = {
  usual: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};
const LMS = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]];
const LAB = [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]];

const times = (matrix, vector) => matrix.map((row) => row.reduce((sum, m, i) => sum + m * vector[i], 0));
const linear = (hex) => [1, 3, 5].map((at) => { const c = parseInt(hex.slice(at, at + 2), 16) / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
const oklab = (rgb) => times(LAB, times(LMS, rgb.map((c) => Math.min(1, Math.max(0, c)))).map(Math.cbrt));
const distance = (a, b, vision) => 100 * Math.hypot(...oklab(times(VISIONS[vision], linear(a))).map((v, i) => v - oklab(times(VISIONS[vision], linear(b)))[i]));
const luminance = (hex) => times([[0.2126, 0.7152, 0.0722]], linear(hex))[0];

for (const theme of ["dark", "light"]) {
  test(`eight colours, ${theme}`, () => {
    const colours = LAYER_COLOURS[theme];
    assert.equal(new Set(colours).size, 8);
    for (let later = 3; later < 8; later++) { // the first three have been those of the layers from the beginning
      for (let other = 0; other < later; other++) {
        for (const vision of Object.keys(VISIONS)) {
          assert.ok(distance(colours[later], colours[other], vision) > 9, `${colours[later]} and ${colours[other]}, ${vision}`);
        }
      }
    }
    for (const colour of colours) {
      const [low, high] = [luminance(colour), luminance(BACKGROUND[theme])].sort((a, b) => a - b);
      assert.ok((high + 0.05) / (low + 0.05) >= 2.95, colour);
    }
    assert.equal(layerColour(theme, 9), colours[1]);
  });
}

test("a colour map is 256 opaque pixels", () => {
  for (const colours of Object.values(RAMPS)) {
    assert.equal(colours.length, 256);
    assert.ok(colours.every((pixel) => pixel >>> 24 === 255));
  }
});
