// @ts-check
// How each panel of the Compare page is drawn. All take the plot's box and the viewer, which has timeline, theme, source and columns.

import { fillAlignment, fillPicture } from "../alignment.js";
import { dashedLine, drawTimeAxis, frame, label, paintPixels } from "../canvas.js";
import { ERROR_RAMPS, RAMPS } from "../colours.js";
import { clamp } from "../numbers.js";
import { timeTicks } from "../timeline.js";
import { rowsInView } from "./columns.js";
import { DRAW_LIMIT } from "./strip.js";

/**
 * @typedef {import("../canvas.js").Box} Box
 * @typedef {import("./viewer.js").Compare} Compare
 * @typedef {import("./columns.js").Column} Column
 * @typedef {CanvasRenderingContext2D} Context
 * @typedef {{ kind: string, column: number | null }} Panel
 */

const LABEL_SIZE = 12, LETTER = 7, AXIS_GAP = 20; // CSS pixels
const STRIP_PAD = 3;
const STRIP_COLOUR = { dark: "#F0E442", light: "#8A5A00" };
const MOST_POINTS = 512; // of the line of a uniform stride

/** @param {Context} context @param {Box} box @param {Compare} compare @param {Panel} panel */
export function drawPanel(context, box, compare, panel) {
  const column = compare.columns[panel.column];
  if (panel.kind.endsWith("axis")) drawAxis(context, box, compare);
  else if (panel.kind === "strip") drawStrip(context, box, compare);
  else if (panel.kind === "align") drawAlignment(context, box, compare, column);
  else drawPicture(context, box, compare, panel.kind, column);
}

/** @param {Context} context @param {Box} box @param {Compare} compare @param {string} kind @param {Column} [column] */
function drawPicture(context, box, compare, kind, column) {
  const { theme, timeline } = compare, picture = kind === "mel" ? compare.source.picture : column[`${kind}Picture`];
  const colours = kind === "err" ? ERROR_RAMPS[theme.name] : RAMPS.mel;
  paintPixels(context, box, (pixels, width, height) => {
    fillPicture(pixels, width, height, picture, timeline.view, 0, picture.rows, colours);
  });
  if (column) hatchMissing(context, box, compare, column);
  if (kind === "err") frame(context, box, theme);
}

/** @param {Context} context @param {Box} box @param {Compare} compare @param {Column} column */
function drawAlignment(context, box, compare, column) {
  const { theme, timeline } = compare, { layout, matrix } = column, colours = RAMPS[theme.name];
  const { low, high } = rowsInView(column, timeline.view);
  paintPixels(context, box, (pixels, width, height) => {
    if (layout) return fillAlignment(pixels, width, height, layout, timeline.view, low, high, colours);
    pixels.fill(colours[0]);
    return fillPicture(pixels, width, height, matrix, timeline.view, low, high, colours, column.outFrames);
  });
  hatchMissing(context, box, compare, column);
  if (column.adaptive && column.outFrames > 1) drawUniform(context, box, compare, column, { low, high });
  frame(context, box, theme);
  const lowest = box.height - 8 * theme.scale, look = { rim: true, alpha: 0.9, size: LABEL_SIZE };
  label(context, theme, `frame ${Math.round(high) - 1}`, 5, 9 * theme.scale, { align: "left", ...look });
  label(context, theme, `frame ${Math.floor(low)}`, box.width - 5, lowest, look);
}

/** What a method was not run on is hatched. @param {Context} context @param {Box} box @param {Compare} compare @param {Column} column */
function hatchMissing(context, box, { theme, timeline, source }, { scope, inEdges }) {
  const x = (/** @type {number} */ time) => clamp(timeline.share(time) * box.width, 0, box.width);
  const begins = scope[0] > 0 ? x(inEdges[0]) : 0, ends = scope[1] < source.inEdges.length - 1 ? x(inEdges[inEdges.length - 1]) : box.width;
  for (const [left, right] of [[0, begins], [ends, box.width]]) if (right - left >= 1) hatch(context, box, theme, left, right);
}

/** @param {Context} context @param {Box} box @param {import("../colours.js").Theme} theme @param {number} left @param {number} right */
function hatch(context, { height }, theme, left, right) {
  context.save();
  context.beginPath();
  context.rect(left, 0, right - left, height);
  context.clip();
  context.fillStyle = theme.back;
  context.fillRect(left, 0, right - left, height);
  context.beginPath();
  for (let x = left - height; x < right; x += 8) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.lineWidth = 1;
  context.strokeStyle = theme.ink(0.15);
  context.stroke();
  context.restore();
  if (right - left > 76) {
    label(context, theme, "not run here", (left + right) / 2, height / 2, { align: "center", rim: true, alpha: 0.9, size: LABEL_SIZE });
  }
}

/**
 * Where a uniform stride of the input frames would lie, to see an adaptive one bend; others lie there anyway.
 * @param {Context} context @param {Box} box @param {Compare} compare @param {Column} column
 * @param {{ low: number, high: number }} rows
 */
function drawUniform(context, box, { theme, timeline }, { inEdges, outFrames }, { low, high }) {
  const T = inEdges.length - 1, step = Math.max(1, Math.floor(T / MOST_POINTS));
  dashedLine(context, theme, () => {
    for (let j = 0; j < T + step; j += step) {
      const at = Math.min(j, T);
      context.lineTo(timeline.share(inEdges[at]) * box.width, box.height * (1 - ((at / T) * outFrames - low) / (high - low)));
    }
  });
}

/** Displacements over their mean, on a logarithmic axis. @param {Context} context @param {Box} box @param {Compare} compare */
function drawStrip(context, box, compare) {
  const { theme, timeline } = compare, middle = box.height / 2, scale = (middle - STRIP_PAD) / DRAW_LIMIT;
  context.fillStyle = theme.ink(0.05);
  context.fillRect(0, 0, box.width, box.height);
  drawMiddle(context, box, theme);
  context.strokeStyle = STRIP_COLOUR[theme.name];
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.beginPath();
  for (const [time, value] of compare.drawn ? drawnPoints(compare) : deltaPoints(compare)) {
    context.lineTo(timeline.share(time) * box.width, middle - scale * clamp(value, -DRAW_LIMIT, DRAW_LIMIT));
  }
  context.stroke();
  if (compare.drawn && compare.pen !== undefined) drawPen(context, box, compare, middle, scale);
  frame(context, box, theme);
}

/** @param {Context} context @param {Box} box @param {import("../colours.js").Theme} theme */
function drawMiddle(context, { width, height }, theme) {
  context.strokeStyle = theme.ink(0.3);
  context.lineWidth = 1;
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(0, height / 2);
  context.lineTo(width, height / 2);
  context.stroke();
  context.setLineDash([]);
}

/** The curve drawn by hand, flat to both ends. @param {Compare} compare */
function drawnPoints({ settings: { drawn }, source: { seconds } }) {
  const points = drawn.map((/** @type {number} */ value, /** @type {number} */ n) => [((n + 0.5) / drawn.length) * seconds, value]);
  return [[0, drawn[0]], ...points, [seconds, drawn[drawn.length - 1]]];
}

/** @param {Compare} compare */
function deltaPoints({ delta, header: { deltaFactor: factor }, source: { inEdges } }) {
  const edge = (/** @type {number} */ j) => inEdges[Math.min(j * factor, inEdges.length - 1)];
  return Array.from(delta, (/** @type {number} */ value, j) => [(edge(j) + edge(j + 1)) / 2, value]);
}

/**
 * The point that keys move.
 * @param {Context} context @param {Box} box @param {Compare} compare @param {number} middle @param {number} scale
 */
function drawPen(context, box, { timeline, theme, settings: { drawn }, source, pen }, middle, scale) {
  context.fillStyle = theme.ink(0.9);
  context.beginPath();
  context.arc(timeline.share(((pen + 0.5) / drawn.length) * source.seconds) * box.width, middle - scale * drawn[pen], 4, 0, 2 * Math.PI);
  context.fill();
}

/** @param {Context} context @param {Box} box @param {Compare} compare */
function drawAxis(context, box, { theme, timeline }) {
  const ticks = timeTicks(timeline.view, box.width, (text) => (LETTER * text.length + AXIS_GAP) * theme.scale);
  drawTimeAxis(context, theme, box, ticks, (time) => timeline.share(time) * box.width, LABEL_SIZE);
}
