// Arrays that Python wrote (test_frontend.py), named by their file.
import { readFileSync } from "node:fs";

export const golden = JSON.parse(readFileSync(process.env.GOLDEN ?? new URL("../../build/golden.json", import.meta.url), "utf8"));

// The largest difference between two lists of numbers.
export const difference = (a, b) => {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
};

// A list of {start, weights} written out over `size` places.
export const spread = ({ start, weights }, size) => {
  const all = new Array(size).fill(0);
  weights.forEach((weight, n) => { all[start + n] = weight; });
  return all;
};
