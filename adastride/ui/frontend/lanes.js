// @ts-check
// Lanes: what a network answers over time, on the axis of the layers. A kind of lane says how it is drawn, which of its items lies
// at a moment, and how an item reads; it knows no task.

import { fillPicture } from "./alignment.js";
import { dashedLine, frame, label, labelPlace, paintPixels } from "./canvas.js";
import { RAMPS, layerColour } from "./colours.js";
import { apart } from "./heights.js";
import { clamp, digits, lowerBound } from "./numbers.js";
import { listedFrames } from "./sheet.js";

/**
 * @typedef {import("./canvas.js").Box} Box
 * @typedef {import("./colours.js").Theme} Theme
 * @typedef {import("./timeline.js").Timeline} Timeline
 * @typedef {{ start: number, end: number, text: string, colour: number, strength: number, frames?: [number, number],
 *   paint?: [string, string] }} Segment paint: its own colours on a light and on a dark page
 * @typedef {{ from: number, to: number, text: string, frames?: [number, number] }} Item seconds, the words of the tip, and the first and
 *   the last output frame of the uppermost layer that it is made of
 *
 * @typedef {object} Lane as viewer.py describes it, with its arrays
 * @property {"segments" | "picture" | "curve"} kind
 * @property {string} title
 * @property {string} version of all its numbers
 * @property {string} unit
 * @property {boolean} whole false: only what is in view was sent
 * @property {number} low @property {number} high the ends of the scale
 * @property {Segment[]} segments @property {string} strength what theirs is, "probability" for instance; "" for nothing
 * @property {boolean} sequential @property {number} rows @property {[string, number][]} ticks
 * @property {boolean} [patches] is it a picture of the patches, which can be pointed at?
 * @property {boolean} [attends] is it what one of them attends to?
 * @property {Uint8Array} data @property {Float32Array} edges
 * @property {Float32Array} times @property {Float32Array} values
 * @property {string} [ink] the colour of whose curve it is, where there are several
 */

/** A number of an axis or a scale, with a true minus. @param {number} x */
export const number = (x) => `${x < 0 ? "−" : ""}${Math.abs(x) < 1000 ? Number(Math.abs(x).toPrecision(3)) : Math.round(Math.abs(x))}`;

/** @param {number} x @param {string} unit */
const withUnit = (x, unit) => `${number(x)}${unit ? ` ${unit}` : ""}`;

/** A stretch of time in words. @param {number} from @param {number} to */
export const span = (from, to) => `${from.toFixed(2)}–${to.toFixed(2)} s (${Math.round(1000 * (to - from))} ms)`;

/** A probability. @param {number} share */
export const percent = (share) => (share > 0.999 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`);

/** @param {[number, number]} frames */
const framesNamed = ([first, last]) => (first === last ? `output frame ${first}` : `output frames ${first}–${last}`);

/** Its arrays come beside the header. @param {any[]} described @param {Record<string, any>} arrays @returns {Lane[]} */
export function unpackLanes(described, arrays) {
  return described.map((lane, n) => ({
    ...lane, data: arrays[`laneData${n}`], edges: arrays[`laneEdges${n}`], times: arrays[`laneTimes${n}`], values: arrays[`laneValues${n}`],
  }));
}

/** @param {Lane} lane */
export const colourMap = (lane, /** @type {Theme} */ theme) => (lane.sequential ? RAMPS.mel : RAMPS[theme.name]);

// ---------------------------------------------------------------- segments

const MOST_SPOKEN = 40; // segments that a screen reader is told
const PADDING = 4; // CSS pixels between a segment's edge and its text
const LABEL_ROOM = 12; // CSS pixels from a label to the next one under it

/** @param {CanvasRenderingContext2D} context @param {Box} box @param {Theme} theme @param {Timeline} timeline @param {Lane} lane */
function drawSegments(context, box, theme, timeline, lane) {
  lane.segments.forEach(({ start, end, text, colour, strength, paint }, n) => {
    const left = clamp(box.x + timeline.share(start) * box.width, box.x, box.x + box.width);
    const right = clamp(box.x + timeline.share(end) * box.width, box.x, box.x + box.width);
    if (right <= left) return;
    context.fillStyle = paint ? paint[theme.name === "light" ? 0 : 1] : layerColour(theme.name, colour);
    context.globalAlpha = paint ? 1 : 0.12 + 0.5 * strength;
    context.fillRect(left, 1, Math.max(1, right - left - 1), box.height - 2);
    context.globalAlpha = 1;
    if (!paint) context.fillRect(left, box.height - 3, Math.max(1, right - left - 1), 2);
    context.font = `${13 * theme.scale}px ${theme.font}`;
    const needed = context.measureText(text).width + 2 * PADDING, next = lane.segments[n + 1];
    const free = next ? Math.min(box.x + box.width, box.x + timeline.share(next.start) * box.width) : box.x + box.width;
    // A text without room stands behind its segment, or where there is none either, is there when the segment is hovered.
    if (needed <= right - left) label(context, theme, text, (left + right) / 2, box.height / 2, { align: "center", alpha: 0.95, size: 13 });
    else if (needed <= free - right) label(context, theme, text, right + PADDING, box.height / 2, { align: "left", alpha: 0.95, size: 13 });
  });
}

const segments = {
  draw: drawSegments,
  count: (/** @type {Lane} */ lane) => lane.segments.length,
  /** @param {Lane} lane @param {number} time */
  at(lane, time) { return lane.segments.findIndex(({ start, end }) => time >= start && time < end); },
  /** @param {Lane} lane @param {number} item @returns {Item} */
  item({ segments, strength: name }, item) {
    const { start, end, text, strength, frames } = segments[item];
    const sure = name && `${name} ${name === "probability" ? percent(strength) : digits(strength, 2)}`;
    const words = [`“${text}”`, span(start, end), sure, frames && framesNamed(frames)];
    return { from: start, to: end, text: words.filter(Boolean).join(", "), frames };
  },
  /** @param {Lane} lane */
  describe({ segments }) {
    const words = segments.slice(0, MOST_SPOKEN).map(({ text }) => text).join(" ");
    return `${segments.length} segment${segments.length === 1 ? "" : "s"}: ${words}`;
  },
};

// ---------------------------------------------------------------- pictures

/** @param {CanvasRenderingContext2D} context @param {Box} box @param {Theme} theme @param {Timeline} timeline @param {Lane} lane */
function drawPicture(context, box, theme, timeline, lane) {
  const { data, rows, edges } = lane, colours = colourMap(lane, theme);
  paintPixels(context, box, (pixels, width, height) => {
    if (!lane.sequential) pixels.fill(colours[0]);
    fillPicture(pixels, width, height, { data, rows, edges }, timeline.view, 0, rows, colours);
  });
  frame(context, box, theme);
  /** @type {[string, number][]} */
  const ticks = lane.ticks.map(([text, row]) => [text, labelPlace(box, 1 - (row + 0.5) / rows, theme.scale)]);
  for (const [text, y] of apart(ticks, LABEL_ROOM * theme.scale)) label(context, theme, text, box.x - 6, y, { most: box.x - 8 });
}

const picture = {
  draw: drawPicture,
  count: (/** @type {Lane} */ lane) => lane.edges.length - 1,
  /** @param {Lane} lane @param {number} time */
  at({ edges }, time) {
    const beside = time < edges[0] || time >= edges[edges.length - 1];
    return beside ? -1 : clamp(lowerBound(edges, time + 1e-9) - 1, 0, edges.length - 2);
  },
  /** @param {Lane} lane @param {number} item @param {number} [height] share of the lane's height @returns {Item} */
  item({ edges, data, rows, low, high, unit }, item, height) {
    const from = edges[item], to = edges[item + 1], column = data.subarray(item * rows, (item + 1) * rows);
    const value = (/** @type {number} */ byte) => withUnit(low + (byte / 255) * (high - low), unit);
    if (height === undefined) return { from, to, text: `${span(from, to)}: at most ${value(column.reduce((a, b) => Math.max(a, b), 0))}` };
    const row = clamp(Math.floor(height * rows), 0, rows - 1);
    return { from, to, text: `${span(from, to)}, row ${row} of ${rows}: ${value(column[row])}` };
  },
  /** @param {Lane} lane */
  describe: ({ edges, rows, low, high, unit }) => `${edges.length - 1} frames of ${rows} rows, ${number(low)} to ${withUnit(high, unit)}`,
};

// ---------------------------------------------------------------- curves

/** @param {CanvasRenderingContext2D} context @param {Box} box @param {Theme} theme @param {Timeline} timeline @param {Lane} lane */
function drawCurve(context, box, theme, timeline, { times, values, low, high, ink }) {
  const y = (/** @type {number} */ value) => 5 + (1 - (value - low) / (high - low)) * (box.height - 10);
  label(context, theme, number(high), box.x - 6, 7 * theme.scale, { most: box.x - 8 });
  label(context, theme, number(low), box.x - 6, box.height - 7 * theme.scale, { most: box.x - 8 });
  frame(context, box, theme);
  context.save();
  context.beginPath();
  context.rect(box.x, 0, box.width, box.height);
  context.clip();
  if (low < 0 && high > 0) dashedLine(context, theme, () => { context.moveTo(box.x, y(0)); context.lineTo(box.x + box.width, y(0)); });
  context.strokeStyle = ink ?? layerColour(theme.name, 0);
  context.lineWidth = 1.75;
  context.lineJoin = "round";
  context.beginPath();
  let drawn = false; // where there is nothing, the curve is interrupted
  for (let n = Math.max(0, lowerBound(times, timeline.from) - 1); n < times.length; n++) {
    const x = box.x + timeline.share(times[n]) * box.width, known = !Number.isNaN(values[n]);
    if (known && drawn) context.lineTo(x, y(values[n]));
    else if (known) context.moveTo(x, y(values[n]));
    drawn = known;
    if (times[n] > timeline.to) break;
  }
  context.stroke();
  context.restore();
}

const curve = {
  draw: drawCurve,
  count: (/** @type {Lane} */ lane) => lane.times.length,
  /** The point nearest to a moment. @param {Lane} lane @param {number} time */
  at({ times }, time) {
    const after = clamp(lowerBound(times, time), 0, times.length - 1), before = Math.max(0, after - 1);
    return time - times[before] < times[after] - time ? before : after;
  },
  /** @param {Lane} lane @param {number} item @returns {Item} */
  item({ times, values, unit }, item) {
    const text = `${times[item].toFixed(2)} s: ${Number.isNaN(values[item]) ? "none" : withUnit(values[item], unit)}`;
    return { from: times[item], to: times[item], text };
  },
  /** @param {Lane} lane */
  describe: ({ times, low, high, unit }) => `a curve of ${times.length} points, between ${number(low)} and ${withUnit(high, unit)}`,
};

/** @type {Record<Lane["kind"], { draw: any, count: (lane: Lane) => number, at: (lane: Lane, time: number) => number,
 *   item: (lane: Lane, item: number, height?: number) => Item, describe: (lane: Lane) => string }>} */
export const LANES = { segments, picture, curve };

/**
 * The item after or before another one, or the first in view.
 * @param {Lane} lane @param {number | undefined} item @param {number} by @param {number} time
 */
export function stepItem(lane, item, by, time) {
  const kind = LANES[lane.kind];
  return clamp(item === undefined ? Math.max(0, kind.at(lane, time)) : item + by, 0, kind.count(lane) - 1);
}

/** What a lane is called, with its unit. @param {Lane} lane */
export const laneTitle = ({ title, unit, kind }) => (kind === "curve" && unit ? `${title}, ${unit}` : title);

/** @param {Lane} lane @param {{ from: number, to: number }} view @returns {import("./sheet.js").Table} */
export function laneTable(lane, view) {
  const { count, item } = LANES[lane.kind], all = Array.from({ length: count(lane) }, (_, n) => item(lane, n));
  const { first, stop, words } = listedFrames([...all.map(({ from }) => from), all.at(-1)?.to ?? 0], view);
  const rows = all.slice(first, stop).map(({ text }, n) => [`${first + n}`, text]);
  return { caption: `${laneTitle(lane)}: ${words}`, heads: ["Place", "What is there"], rows };
}
