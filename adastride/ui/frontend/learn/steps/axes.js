// @ts-check
// Step 11: a picture, an alignment or a mask for each of its axes, and the smaller picture.

import { RAMPS } from "../../colours.js";
import { clamp, digits, largest, lowerBound, percent } from "../../numbers.js";
import { alignments, diffStride, maskOf, outer, product, spectrumOf, turned } from "../axes.js";
import { indices, strideOfMask, total } from "../maths.js";
import { drawColourBar } from "../parts.js";
import { signed, sub } from "../words.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */
/** @typedef {import("../axes.js").Rows} Rows */
/** @typedef {import("../axes.js").Axis} Axis */
/** @typedef {ReturnType<typeof look>} Scene */
/** @typedef {ReturnType<typeof placesOf>} Places */

const TOP = 24, STRIP = 58, SMALL_STRIP = 40, BETWEEN = 4, APART = 22, LEGEND = 72, LARGEST = 224; // CSS pixels
const NARROW = 480; // a picture of that width has smaller strips
const BRIGHT = 0.5; // of the largest value there can be
const FAINTEST = 0.03; // of a pixel's largest weight: what is lighter is not marked
const QUIETEST = 60; // dB below the largest magnitude of a spectrum
const GRID = "rgba(255,255,255,0.5)"; // on a picture that is dark in both themes

// ---------------------------------------------------------------- what there is to see

/** @type {WeakMap<object, { picture: Rows, spectrum: import("../axes.js").Complex[], decibels: Rows }>} by the array that was sent */
const known = new WeakMap();

/** A picture as rows from 0 to 1, and its spectrum, which are the same however one drags. @param {Lesson} lesson */
function read({ settings, header, arrays }) {
  const array = arrays[settings.picture], [H, W] = header.sizes[settings.picture];
  if (!known.has(array)) {
    const values = Array.from(array, (/** @type {number} */ level) => level / header.levels);
    const picture = indices(H).map((i) => values.slice(i * W, (i + 1) * W)), spectrum = spectrumOf(picture);
    known.set(array, { picture, spectrum, decibels: decibelsOf(spectrum, H, W) });
  }
  return known.get(array);
}

/**
 * The magnitudes of a spectrum in dB below the largest, with frequency 0 in the middle.
 * @param {import("../axes.js").Complex[]} spectrum @param {number} H @param {number} W @returns {Rows}
 */
function decibelsOf(spectrum, H, W) {
  const magnitudes = spectrum.map(({ real, imaginary }) => Array.from(real, (x, m) => Math.hypot(x, imaginary[m])));
  const most = largest(magnitudes.flat());
  return indices(H).map((i) => indices(W).map((j) => {
    const n = j - Math.floor(W / 2), m = (i - Math.floor(H / 2)) * (n < 0 ? -1 : 1); // what is left of the middle mirrors what is right
    return 20 * Math.log10(Math.max(magnitudes[Math.abs(n)][(m + H) % H], 1e-9) / most);
  }));
}

/** @param {Lesson} lesson */
function look(lesson) {
  const { settings, header, cell } = lesson, { picture, spectrum, decibels } = read(lesson), H = picture.length, W = picture[0].length;
  const common = { ...settings, picture, decibels, H, W, header, word: settings.picture === "word" };
  if (settings.method === "diffstride") {
    const box = diffStride(spectrum, H, W, { ...settings, smoothness: header.smoothness });
    return { ...common, box, out: box.out, rows: null, columns: null, cell: null };
  }
  const { rows, columns } = alignments(picture, settings), out = outer(rows, columns, picture);
  return { ...common, box: null, out, rows, columns, cell: chosenCell(cell, out) };
}

/** The output pixel that somebody points at, before that the brightest one. @param {[number, number] | null} cell @param {Rows} out */
function chosenCell(cell, out) {
  const h = out.length, w = out[0].length;
  if (cell) return [Math.min(cell[0], h - 1), Math.min(cell[1], w - 1)];
  const all = out.flat(), brightest = all.indexOf(largest(all));
  return [Math.floor(brightest / w), brightest % w];
}

/**
 * What share of the picture and of the output pixels is bright, and what share of the latter lies where rows and columns with
 * something bright cross.
 * @param {Scene} scene
 */
function shares({ picture, rows, columns, H, W }) {
  const bright = picture.map((row) => row.map((value) => Number(value >= BRIGHT)));
  const inRows = bright.map((row) => [Math.max(...row)]), inColumns = turned(bright).map((column) => [Math.max(...column)]);
  /** @param {Rows} values */
  const mean = (values) => total(values.flat()) / values.flat().length;
  return {
    before: total(bright.flat()) / (H * W), after: mean(outer(rows, columns, bright)),
    crossing: mean(product(rows.weights, inRows)) * mean(product(columns.weights, inColumns)),
  };
}

// ---------------------------------------------------------------- where it is drawn

/** The sides of the pictures at a width, in CSS pixels at the usual size. @param {number} width */
function sizesAt(width) {
  const strip = width < NARROW ? SMALL_STRIP : STRIP;
  return { strip, side: Math.floor(Math.min(LARGEST, (width - strip - BETWEEN - APART) / 2)) };
}

/** Strip, picture and output on the canvas. @param {Pen} pen */
function placesOf({ k, width }) {
  const sizes = sizesAt(width / k), strip = sizes.strip * k, side = sizes.side * k;
  const x = strip + BETWEEN * k, y = TOP * k + strip + BETWEEN * k;
  return { strip, side, x, y, top: TOP * k, right: Math.min(width - side, x + side + 2 * APART * k) };
}

/** The output's pixels are squares, so that its shape says what both strides are. @param {Places} places @param {Rows} out */
function outputPlace({ side, right, y }, out) {
  const h = out.length, w = out[0].length, pixel = side / Math.max(h, w);
  return { x: right, y, width: w * pixel, height: h * pixel, pixel };
}

/**
 * Rows of values from 0 to 1, from above.
 * @param {Pen} pen @param {{ x: number, y: number, width: number, height: number }} place @param {Rows} rows @param {Uint32Array} colours
 */
function drawRows(pen, { x, y, width, height }, rows, colours) {
  const h = rows.length, w = rows[0].length;
  pen.pixels(x, y, width, height, (pixels, across, down) => {
    for (let py = 0; py < down; py++) {
      const indexes = rows[Math.floor((py * h) / down)].map((value) => Math.round(255 * clamp(value, 0, 1)));
      for (let px = 0; px < across; px++) pixels[py * across + px] = colours[indexes[Math.floor((px * w) / across)]];
    }
  });
}

// ---------------------------------------------------------------- alignments

/** Weights as shares of their row's largest. @param {Rows} weights */
const relative = (weights) => weights.map((row) => {
  const most = largest(row);
  return row.map((weight) => (most ? weight / most : 0));
});

/** The alignments, output row and column 0 next to the picture. @param {Pen} pen @param {Scene} scene @param {Places} places */
function drawAlignments(pen, { rows, columns, H, W, cell: [k, l] }, { strip, side, x, y, top }) {
  const { theme } = pen, h = rows.weights.length, w = columns.weights.length;
  drawRows(pen, { x, y: top, width: side, height: strip }, relative(columns.weights).reverse(), RAMPS[theme.name]);
  drawRows(pen, { x: 0, y, width: strip, height: side }, turned(relative(rows.weights).reverse()), RAMPS[theme.name]);
  const across = top + strip * (1 - (l + 0.5) / w), down = strip * (1 - (k + 0.5) / h);
  pen.line([[x, across], [x + side, across]], theme.play, 1.5);
  pen.line([[down, y], [down, y + side]], theme.play, 1.5);
  for (const edge of Array.from(rows.edges)) pen.line([[x, y + (edge / H) * side], [x + side, y + (edge / H) * side]], GRID, 0.8);
  for (const edge of Array.from(columns.edges)) pen.line([[x + (edge / W) * side, y], [x + (edge / W) * side, y + side]], GRID, 0.8);
}

/**
 * What the chosen output pixel is made of: the outer product of a row of each alignment.
 * @param {Pen} pen @param {Scene} scene @param {Places} places
 */
function drawChosen(pen, { rows, columns, H, W, out, cell: [k, l] }, places) {
  const { context, theme } = pen, a = relative(rows.weights)[k], b = relative(columns.weights)[l], { side, x, y } = places;
  a.forEach((weight, i) => b.forEach((other, j) => {
    if (weight * other < FAINTEST) return;
    context.globalAlpha = 0.8 * weight * other;
    pen.box(x + (j / W) * side, y + (i / H) * side, side / W, side / H, theme.play);
  }));
  context.globalAlpha = 1;
  const { x: left, y: top, pixel } = outputPlace(places, out);
  pen.outline(left + l * pixel, top + k * pixel, pixel, pixel, theme.play);
}

// ---------------------------------------------------------------- a box in the spectrum

/** The spectrum, dimmed where nothing passes, and the masks beside it. @param {Pen} pen @param {Scene} scene @param {Places} places */
function drawBox(pen, { box, H, W, decibels }, { strip, side, x, y, top }) {
  const { context, theme } = pen, { down, across, above, below, kept } = box, middle = { x: Math.floor(W / 2), y: Math.floor(H / 2) };
  drawRows(pen, { x, y, width: side, height: side }, decibels.map((row) => row.map((level) => 1 + level / QUIETEST)), RAMPS.mel);
  /** @param {number} n */
  const xAt = (n) => x + Math.round((clamp(n + middle.x + 0.5, 0, W) / W) * side);
  /** @param {number} m */
  const yAt = (m) => y + Math.round((clamp(m + middle.y + 0.5, 0, H) / H) * side);
  const left = xAt(0.5 - kept), right = xAt(kept - 0.5), high = yAt(-below - 0.5), low = yAt(above - 0.5);
  context.globalAlpha = 0.72;
  pen.box(x, y, side, high - y, theme.back);
  pen.box(x, low, side, y + side - low, theme.back);
  pen.box(x, high, left - x, low - high, theme.back);
  pen.box(right, high, x + side - right, low - high, theme.back);
  context.globalAlpha = 1;
  drawFrame(pen, [left, high], [right, low], theme.bad, 2, [5, 4]);
  drawFrame(pen, [xAt(-across.passed), yAt(-down.passed - 1)], [xAt(across.passed), yAt(down.passed - (H % 2))], theme.play, 2);
  const downMask = indices(H).map((i) => maskOf(down, i - middle.y));
  const acrossMask = indices(W).map((j) => across.mask[Math.abs(j - middle.x)]);
  pen.polygon(stairs(acrossMask).map(([share, mask]) => [x + share * side, top + strip * (1 - mask)]), `${theme.play}99`);
  pen.polygon(stairs(downMask).map(([share, mask]) => [strip * (1 - mask), y + share * side]), `${theme.play}99`);
}

/**
 * The outline of bars beside each other: shares of the way along them, and their heights.
 * @param {number[]} bars @returns {[number, number][]}
 */
function stairs(bars) {
  const n = bars.length;
  /** @type {[number, number][]} */
  const tops = bars.flatMap((bar, i) => [[i / n, bar], [(i + 1) / n, bar]]);
  return [[0, 0], ...tops, [1, 0]];
}

/**
 * @param {Pen} pen @param {[number, number]} corner @param {[number, number]} opposite @param {string} colour @param {number} thick
 * @param {number[]} [dash]
 */
function drawFrame(pen, [left, top], [right, bottom], colour, thick, dash = []) {
  pen.line([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]], colour, thick, dash);
}

// ---------------------------------------------------------------- words

/** @param {Pen} pen @param {Scene} scene @param {Places} places */
function drawWords(pen, { box, out, H, W, word, header }, { side, right, y }) {
  const { k, theme } = pen, { decibels, framesPerSecond } = header, line = y + side + 14 * k;
  pen.title(box ? "Spectrum of x, a mask for each axis, and their box (drag it)" : "x, and an alignment for each axis", 10 * k);
  pen.text(`y: ${out.length} × ${out[0].length} pixels`, right, y - 12 * k, { bold: true, colour: theme.ink(0.95) });
  pen.text(box ? "frequencies: 0 in the middle, ½ cycle per pixel at the edges"
    : word ? `${H} mel bands, 8 kHz at the top × ${W} frames, ${digits(W / framesPerSecond)} s` : `${H} rows × ${W} columns`, 0, line);
  drawColourBar(pen, line + 20 * k, RAMPS.mel, word ? { low: signed(-decibels), high: "0 dB", words: "mel level" }
    : { low: "0", high: "1", words: "brightness" });
  drawColourBar(pen, line + 40 * k, box ? RAMPS.mel : RAMPS[theme.name], box ? { low: signed(-QUIETEST), high: "0 dB", words: "spectrum" }
    : { low: "0", high: "1", words: "share of the row’s largest weight" });
}

/** @param {Scene} scene */
function sentence(scene) {
  const { box, out, H, W, height, width, rows, columns, cell, header } = scene, h = out.length, w = out[0].length;
  if (box) {
    return `<i>H</i>/${sub("s", "h")} × <i>W</i>/${sub("s", "w")} = ${digits(H / height)} × ${digits(W / width)}, but `
      + `<em>${h} × ${w}</em> pixels come out: both masks take R = ${header.smoothness} more bins to fall. `
      + `The box holds ${box.above + box.below} × ${box.kept} of ${H} × ${Math.floor(W / 2) + 1} frequencies.`;
  }
  const { before, after, crossing } = shares(scene), [k, l] = cell;
  /** @param {Axis} axis @param {number} i */
  const span = ({ edges }, i) => digits(edges[i + 1] - edges[i], 2);
  return `${H} × ${W} pixels become <em>${h} × ${w}</em>, ${digits((H * W) / (h * w), 2)} times fewer. ${percent(before)} of the `
    + `picture is bright; of what comes out <em>${percent(after)}</em> is, and ${percent(crossing)} lies where bright rows and columns `
    + `cross. ${sub("y", `${k},${l}`)}: ${span(rows, k)} × ${span(columns, l)} pixels.`;
}

// ---------------------------------------------------------------- hands

/** The place of `value` among rising edges. @param {ArrayLike<number>} edges @param {number} value */
const between = (edges, value) => clamp(lowerBound(edges, value) - 1, 0, edges.length - 2);

/** @type {import("./index.js").Picture} */
export const axes = {
  height(width) {
    const { strip, side } = sizesAt(width);
    return TOP + strip + BETWEEN + side + LEGEND;
  },
  draw(pen, lesson) {
    const scene = look(lesson), { box, picture, out, rows, columns } = scene, places = placesOf(pen), { strip, side, x, y, top } = places;
    drawRows(pen, { x: 0, y: top, width: strip, height: strip }, picture, RAMPS.mel);
    const shown = outputPlace(places, out), line = pen.theme.ink(0.35);
    drawRows(pen, shown, out, RAMPS.mel);
    drawFrame(pen, [shown.x, shown.y], [shown.x + shown.width, shown.y + shown.height], line, 1);
    if (box) drawBox(pen, scene, places);
    else {
      drawRows(pen, { x, y, width: side, height: side }, picture, RAMPS.mel);
      drawAlignments(pen, scene, places);
      drawChosen(pen, scene, places);
    }
    drawFrame(pen, [x, y], [x + side, y + side], line, 1);
    drawWords(pen, scene, places);
    lesson.explain(sentence(scene));
    return { h: out.length, w: out[0].length, out, rows: rows?.weights, columns: columns?.weights };
  },
  point(px, py, lesson, pressed) {
    const scene = look(lesson), { box, out, rows, columns, H, W, cell } = scene, places = placesOf(lesson.pen), { side, x, y } = places;
    const right = (px - x) / side, down = (py - y) / side; // of the picture
    if (right > 1 || down > 1) {
      const { x: left, y: top, width, height, pixel } = outputPlace(places, out);
      const [k, l] = [Math.floor((py - top) / pixel), Math.floor((px - left) / pixel)];
      if (!box && px >= left && px < left + width && py >= top && py < top + height) pointAt(lesson, [k, l], "outer");
      return;
    }
    if (box) {
      if (pressed) dragBox(lesson, right, down, H, W);
      return;
    }
    if (right < 0 && down < 0) return;
    pointAt(
      lesson, [down < 0 ? cell[0] : between(rows.edges, down * H), right < 0 ? cell[1] : between(columns.edges, right * W)],
      right < 0 ? "height" : down < 0 ? "width" : "outer",
    );
  },
  step(right, up, lesson) {
    const { box, out, cell } = look(lesson);
    if (box) {
      const name = right ? "width" : "height", { low, high, step } = lesson.control(name);
      lesson.change({ [name]: clamp(Number((lesson.settings[name] - (right || up) * step).toFixed(2)), low, high) }, name);
      return;
    }
    const moved = [clamp(cell[0] - up, 0, out.length - 1), clamp(cell[1] + right, 0, out[0].length - 1)];
    pointAt(lesson, moved, "outer", true);
  },
};

/** @param {Lesson} lesson @param {number[]} cell @param {string} term @param {boolean} [spoken] */
function pointAt(lesson, [k, l], term, spoken = false) {
  lesson.cell = [k, l];
  lesson.choose(null, term, spoken);
}

/**
 * An edge of the box follows the hand: over the masks one axis, over the spectrum both.
 * @param {Lesson} lesson @param {number} right @param {number} down @param {number} H @param {number} W
 */
function dragBox(lesson, right, down, H, W) {
  /** @type {Record<string, number>} */
  const strides = {};
  /** @param {string} name @param {number} share @param {number} T @param {number} first the place of frequency 0 */
  const follow = (name, share, T, first) => {
    const { low, high } = lesson.control(name), n = Math.abs(share * T - Math.floor(T / 2) - 0.5);
    strides[name] = clamp(strideOfMask(n + first, T, true), low, high);
  };
  if (right >= 0) follow("width", right, W, 0);
  if (down >= 0) follow("height", down, H, 1);
  lesson.change(strides, "box");
}
