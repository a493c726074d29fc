// @ts-check
// Small arithmetic, and numbers as people and links read them.

/** @typedef {ArrayLike<number> & Iterable<number>} Numbers */

// The alphabet of numbers in links, the same in letters.py.
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** @type {(x: number, low: number, high: number) => number} */
export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

/** To the nearest whole number, and from halfway to the even one, as torch rounds. @param {number} x */
export function roundHalfEven(x) {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** Math.max(...values) takes no more arguments than fit the stack. @param {Numbers} values */
export function largest(values) {
  let most = -Infinity;
  for (const value of values) if (value > most) most = value;
  return most;
}

/** The first place of a rising list whose number is at least `value`. @param {ArrayLike<number>} sorted @param {number} value */
export function lowerBound(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Have two lists the same numbers? @param {ArrayLike<number> | undefined} a @param {ArrayLike<number> | undefined} b */
export function sameNumbers(a, b) {
  if (a === b) return true;
  if (!a || !b || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * A letter for each value from -limit to limit, to the nearest of so many steps.
 * @type {(values: number[], limit: number, steps: number) => string}
 */
export const encodeLetters = (values, limit, steps) =>
  values.map((value) => LETTERS[Math.round(((value + limit) / (2 * limit)) * steps)]).join("");

/** A number with about n digits. @param {number} x @param {number} [n] */
export function digits(x, n = 3) {
  if (x >= 1000) return String(Math.round(x));
  if (x >= 100) return x.toFixed(Math.max(0, n - 3));
  if (x >= 10) return x.toFixed(n - 2);
  if (x >= 1) return x.toFixed(n - 1);
  return Number(x.toPrecision(n)).toString();
}

/** A share as a percentage. @param {number} p */
export function percent(p) {
  if (p >= 0.9995) return "100 %";
  return p < 0.0005 ? "0 %" : `${(100 * p).toFixed(p >= 0.0995 ? 0 : 1)} %`;
}

/** A short number with a true minus: 12.3, −4.56, 0.0123; smaller than a thousandth is as good as none. @param {number} x */
export function short(x) {
  const size = Math.abs(x);
  if (size < 1e-3) return "0";
  const text = size >= 100 ? x.toFixed(0) : size >= 10 ? x.toFixed(1) : Number(x.toPrecision(3)).toString();
  return text.replace("-", "−");
}

/** A whole number with a true minus: 12, −4. @param {number} x */
export const whole = (x) => x.toFixed(0).replace("-", "−");
