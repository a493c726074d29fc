// @ts-check
// What is shown, in words; of a spectrogram, what its strides and places mean: milliseconds, mel bands, Hz.

import { digits, short } from "../numbers.js";

/** @typedef {import("./figure.js").Sound} Sound */

/** What the view is called for those who hear it, and what it says of the pointer. @param {boolean} sound */
export const about = (sound) => ({
  title: `${sound ? "A spectrogram of sound" : "A picture"} at every layer of a network`,
  hovering: `Hover an output pixel, or a ${sound ? "place of the spectrogram" : "pixel of the picture"}: what belongs together lights up. `
    + "Arrow keys step from cell to cell.",
});

/**
 * A layer's stride along frequency (axis 0) or time (1), in short and in full.
 * @param {Sound} sound @param {number} layer @param {number} axis
 */
export function unitsOf({ modulations }, layer, axis) {
  const { step, cutOff } = modulations[layer][axis];
  if (axis) {
    const every = `${digits(1000 * step)} ms`, most = `${digits(cutOff, 2)} Hz`;
    return [`${every} a column, up to ${most}`, `a column every ${every}, keeps modulations up to ${most}`];
  }
  const every = `${digits(step)} bands a row`, most = digits(cutOff, 2);
  return [`${every}, to ${most} cycles/band`, `${every}, keeps modulations up to ${most} cycles a band`];
}

/**
 * Rows and columns of a spectrogram as frequencies and times.
 * @param {import("./figure.js").Sound} sound @param {number} top @param {number} bottom @param {number} left @param {number} right
 */
export function span({ hertz, begin, rate }, top, bottom, left, right) {
  const [from, to] = [hertz[bottom], hertz[top]].map((frequency) => digits(frequency / 1000, 2));
  const [since, until] = [left, right + 1].map((column) => short(begin + column / rate));
  return `${from} to ${to} kHz, ${since} to ${until} s`;
}
