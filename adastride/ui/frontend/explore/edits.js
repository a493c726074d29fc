// @ts-check
// How one sequence of units differs from another, by the fewest insertions, deletions and substitutions.

/** @typedef {["equal" | "substitute" | "insert" | "delete", string, string]} Pair what happens, the unit before and the unit after */

/**
 * The pairs in order. Where several are as short, the earliest difference is a substitution.
 * @param {string[]} before @param {string[]} after @returns {Pair[]}
 */
export function edits(before, after) {
  const width = after.length + 1, costs = new Uint32Array((before.length + 1) * width);
  for (let i = before.length; i >= 0; i--) {
    for (let j = after.length; j >= 0; j--) {
      const at = i * width + j;
      if (i === before.length || j === after.length) costs[at] = before.length - i + after.length - j;
      else if (before[i] === after[j]) costs[at] = costs[at + width + 1];
      else costs[at] = 1 + Math.min(costs[at + width + 1], costs[at + width], costs[at + 1]);
    }
  }
  /** @type {Pair[]} */
  const pairs = [];
  for (let i = 0, j = 0; i < before.length || j < after.length;) {
    const at = i * width + j, both = i < before.length && j < after.length;
    if (both && before[i] === after[j]) pairs.push(["equal", before[i++], after[j++]]);
    else if (both && costs[at] === 1 + costs[at + width + 1]) pairs.push(["substitute", before[i++], after[j++]]);
    else if (i < before.length && (j === after.length || costs[at] === 1 + costs[at + width])) pairs.push(["delete", before[i++], ""]);
    else pairs.push(["insert", "", after[j++]]);
  }
  return pairs;
}
