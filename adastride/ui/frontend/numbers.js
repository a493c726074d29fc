// Small arithmetic, and numbers as people and links read them.

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"; // of numbers in links, the same in letters.py

export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
// A letter for each value from -limit to limit, to the nearest of so many steps.
export const encodeLetters = (values, limit, steps) => values.map((value) => LETTERS[Math.round(((value + limit) / (2 * limit)) * steps)]).join("");
export const roundHalfEven = (x) => { const r = Math.round(x); return Math.abs(x % 1) === 0.5 && r % 2 ? r - 1 : r; };
export const digits = (x, n = 3) => (x >= 1000 ? String(Math.round(x)) : x >= 100 ? x.toFixed(Math.max(0, n - 3)) : x >= 10 ? x.toFixed(n - 2) : x >= 1 ? x.toFixed(n - 1) : Number(x.toPrecision(n)).toString());
export const percent = (p) => (p >= 0.9995 ? "100 %" : p < 0.0005 ? "0 %" : `${(100 * p).toFixed(p >= 0.0995 ? 0 : 1)} %`);

export function largest(values) {
  let most = -Infinity; // Math.max(...values) takes no more arguments than fit the stack
  for (const value of values) if (value > most) most = value;
  return most;
}

export function lowerBound(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) { const mid = (low + high) >> 1; if (sorted[mid] < value) low = mid + 1; else high = mid; }
  return low;
}
