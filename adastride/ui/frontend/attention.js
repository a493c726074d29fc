// @ts-check
// What a token of a network of patches attends to: one row of a softmax, worked out of queries and keys with one byte a number.

/**
 * @typedef {object} Heads as adastride.tasks.attention has them
 * @property {number} layers @property {number} heads @property {number} size @property {number} tokens
 * @property {Int8Array} queries of each layer, head and token @property {Int8Array} keys
 * @property {Float32Array} scales of each layer and head
 */

/**
 * How much a token attends to each token in a layer, which is 1 together; the mean over heads where `head` is null.
 * @param {Heads} attention @param {number} token @param {number} layer @param {number | null} head
 */
export function attentionRow({ heads, size, tokens, queries, keys, scales }, token, layer, head) {
  const mean = new Float64Array(tokens), products = new Float64Array(tokens), chosen = head === null ? [...Array(heads).keys()] : [head];
  for (const h of chosen) {
    const at = layer * heads + h, begin = at * tokens * size, query = queries.subarray(begin + token * size, begin + (token + 1) * size);
    let most = -Infinity, sum = 0;
    for (let t = 0, k = begin; t < tokens; t++) {
      let product = 0;
      for (let d = 0; d < size; d++) product += query[d] * keys[k++];
      products[t] = product * scales[at];
      if (products[t] > most) most = products[t];
    }
    for (let t = 0; t < tokens; t++) sum += products[t] = Math.exp(products[t] - most);
    for (let t = 0; t < tokens; t++) mean[t] += products[t] / (sum * chosen.length);
  }
  return mean;
}

/**
 * What tokens have, as the patches of the clip lie: a column of rows after the other, the lowest row first, as a lane's picture is.
 * @param {Float64Array} values of each token @param {{ rows: number, columns: number, allColumns: number, leading: number }} patches
 */
export function patchPicture(values, { rows, columns, allColumns, leading }) {
  const picture = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) picture[column * rows + row] = values[leading + row * allColumns + column];
  }
  return picture;
}
