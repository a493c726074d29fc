// @ts-check
// Numbers and symbols as the sentence under a picture has them.

import { digits } from "../numbers.js";

/** @type {[name: string, size: number][]} */
const LARGE = [["", 1], [" thousand", 1e3], [" million", 1e6], [" billion", 1e9], [" trillion", 1e12]];
/** @type {[name: string, size: number][]} */
const BYTES = [["bytes", 1], ["kB", 1e3], ["MB", 1e6], ["GB", 1e9], ["TB", 1e12]];

/** The largest unit that x has one of, or else the first. @param {[name: string, size: number][]} units @param {number} x */
const unitOf = (units, x) => units.findLast(([, size]) => x >= size) ?? units[0];

/** A number with a true minus sign, a whole one without decimals. @param {number} x @param {number} [places] */
export const signed = (x, places = 3) => `${x < 0 ? "−" : ""}${Number.isInteger(x) ? Math.abs(x) : digits(Math.abs(x), places)}`;

/** @param {number} x */
export const large = (x) => {
  const [name, size] = unitOf(LARGE, x);
  return `${digits(x / size)}${name}`;
};

/** @param {number} x */
export const bytes = (x) => {
  const [name, size] = unitOf(BYTES, x);
  return `${digits(x / size)} ${name}`;
};

/** A letter with an index, in HTML. @param {string} letter @param {number | string} index */
export const sub = (letter, index) => `<i>${letter}</i><sub>${index}</sub>`;

/** A number of things: "1 jump", "2 jumps". @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${count} ${count > 1 ? many : one}`;
