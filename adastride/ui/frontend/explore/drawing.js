// @ts-check
// How each panel of a clip and its layers is drawn. All take the plot's box and the explorer, which has timeline, theme and layers.

import { fillAlignment, fillPicture, matrixPicture, visibleMax, visibleRows } from "../alignment.js";
import { dashedLine, drawTimeAxis, frame, label, labelPlace, paintPixels } from "../canvas.js";
import { RAMPS, layerColour } from "../colours.js";
import { apart } from "../heights.js";
import { clamp, digits, lowerBound } from "../numbers.js";
import { timeTicks } from "../timeline.js";

/**
 * @typedef {import("../canvas.js").Box} Box
 * @typedef {import("./viewer.js").Explorer} Explorer
 * @typedef {import("./layers.js").Layout} Layout
 * @typedef {CanvasRenderingContext2D} Context
 */

const PROFILE_TITLE = 15; // CSS pixels that the profile's title takes, where the profile is high enough for one
const TITLED = 44, UNTITLED_TOP = 3;
const LABEL_ROOM = 12; // CSS pixels from a label to the next one under it
const UNHEARD = 0.78; // how much of what is not heard the background covers
const AXIS_ROOM = 70; // CSS pixels between two ticks beside their label

/** @param {Context} context @param {Box} box @param {Explorer} explorer */
export function drawWave(context, box, explorer) {
  const { clip, theme, timeline } = explorer;
  const middle = box.height / 2, scale = (middle - 2) / clip.peak, level = digits(clip.peak / 32768, 2), ratio = devicePixelRatio || 1;
  label(context, theme, level, box.x - 6, 7 * theme.scale);
  label(context, theme, `−${level}`, box.x - 6, box.height - 7 * theme.scale);
  context.fillStyle = theme.ink(0.75);
  let previous = null;
  for (const [column, extent] of extents(clip, timeline.view, Math.round(box.width * ratio))) {
    const low = Math.min(extent.low, previous?.high ?? Infinity), high = Math.max(extent.high, previous?.low ?? -Infinity); // no gaps
    const top = middle - high * scale;
    previous = { low, high };
    context.fillRect(box.x + column / ratio, top, 1 / ratio, Math.max(1 / ratio, (high - low) * scale));
  }
  dimUnheard(context, box, explorer);
}

/** What of the clip the network does not hear. @param {Context} context @param {Box} box @param {Explorer} explorer */
function dimUnheard(context, box, { theme, timeline, until, clip }) {
  const x = clamp(box.x + timeline.share(until) * box.width, box.x, box.x + box.width);
  if (until > clip.seconds - 1e-6 || x >= box.x + box.width) return;
  context.globalAlpha = UNHEARD;
  context.fillStyle = theme.back;
  context.fillRect(x, 0, box.x + box.width - x, box.height);
  context.globalAlpha = 1;
  context.fillStyle = theme.accent;
  context.fillRect(x - 0.75, 0, 1.5, box.height);
}

/**
 * The lowest and highest sample of each column of pixels.
 * @param {any} clip @param {{ from: number, to: number }} view @param {number} columns
 * @returns {Iterable<[number, { low: number, high: number }]>}
 */
function* extents({ wave, waveStep, sampleRate }, { from, to }, columns) {
  const pairs = waveStep > 1, perSecond = sampleRate / waveStep, count = pairs ? wave.length / 2 : wave.length;
  for (let c = 0; c < columns; c++) {
    const a = (from + ((to - from) * c) / columns) * perSecond, b = (from + ((to - from) * (c + 1)) / columns) * perSecond;
    let low = Infinity, high = -Infinity;
    for (let n = Math.floor(a); n < Math.max(b, Math.floor(a) + 1) && n < count; n++) {
      low = Math.min(low, pairs ? wave[2 * n] : wave[n]);
      high = Math.max(high, pairs ? wave[2 * n + 1] : wave[n]);
    }
    if (low <= high) yield [c, { low, high }];
  }
}

/** @param {Context} context @param {Box} box @param {Explorer} explorer */
export function drawMel(context, box, explorer) {
  const { clip, theme, timeline, header: { heard }, heardMel } = explorer, { melBands } = clip, { from, to } = timeline;
  const whole = { mel: clip.mel, melFrames: clip.melFrames, framesPerSecond: clip.framesPerSecond };
  const coarse = heardMel ? { mel: heardMel, melFrames: heard.frames, framesPerSecond: heard.framesPerSecond } : whole;
  paintPixels(context, box, (pixels, width, height) => {
    const band = Int32Array.from({ length: height }, (_, y) => clamp(Math.floor((1 - (y + 0.5) / height) * melBands), 0, melBands - 1));
    const column = new Uint8Array(melBands);
    for (let x = 0; x < width; x++) {
      const { mel, melFrames, framesPerSecond } = from + ((to - from) * (x + 0.5)) / width < heard.until ? coarse : whole;
      const first = clamp(Math.round((from + ((to - from) * x) / width) * framesPerSecond), 0, melFrames - 1);
      const last = clamp(Math.round((from + ((to - from) * (x + 1)) / width) * framesPerSecond), first, melFrames - 1);
      column.fill(0);
      for (let j = first; j <= Math.max(first, last - 1); j++) {
        for (let m = 0, at = j * melBands; m < melBands; m++) if (mel[at + m] > column[m]) column[m] = mel[at + m];
      }
      for (let y = 0; y < height; y++) pixels[y * width + x] = RAMPS.mel[column[band[y]]];
    }
  });
  explorer.patches.drawGrid(context, box);
  dimUnheard(context, box, explorer);
  /** @type {[string, number][]} */
  const ticks = clip.melTicks.map(([text, share]) => [text, labelPlace(box, 1 - share, theme.scale)]);
  for (const [text, y] of apart(ticks, LABEL_ROOM * theme.scale)) label(context, theme, text, box.x - 6, y);
}

/**
 * Where the output frames of one layer end and the next begin; where they are denser than pixels, as a tint.
 * @param {Context} context @param {Box} box @param {Explorer} explorer
 */
export function drawTicks(context, box, { layers, tickLayer, theme, timeline }) {
  const { outEdges, L } = layers[tickLayer].layout, ratio = devicePixelRatio || 1;
  const columns = Math.round(box.width * ratio), hits = new Uint16Array(columns + 1);
  for (let i = 0; i <= L; i++) {
    const x = Math.round(timeline.share(outEdges[i]) * columns);
    if (x >= 0 && x <= columns) hits[x]++;
  }
  context.fillStyle = layerColour(theme.name, tickLayer);
  const densest = hits.reduce((a, b) => Math.max(a, b), 1), crowded = L > columns / 3;
  for (let x = 0; x <= columns; x++) {
    if (!hits[x]) continue;
    if (crowded) context.globalAlpha = 0.15 + 0.85 * (hits[x] / densest) ** 2;
    context.fillRect(box.x + x / ratio - 0.5, 1, Math.max(1, 1 / ratio), box.height - 2);
  }
  context.globalAlpha = 1;
}

/** A row's height in an alignment's plot. @param {Box} box @param {{ low: number, high: number }} rows */
export const rowPlace = (box, { low, high }) => (/** @type {number} */ row) => box.height * (1 - (row - low) / (high - low));

/** @param {Context} context @param {Box} box @param {Explorer} explorer @param {{ layer: number }} panel */
export function drawLayer(context, box, explorer, { layer }) {
  const { theme, timeline, layers } = explorer, { layout } = layers[layer], rows = visibleRows(layout.outEdges, timeline.view);
  drawMatrix(context, box, explorer, layout, rows);
  frame(context, { ...box, x: box.x - 1, width: box.width + 2 }, theme);
  // A line for comparison, where strides could differ from it; others would only lie under it.
  if (layers.slice(0, layer + 1).some((each) => each.adaptive)) drawUniform(context, box, explorer, layout, rowPlace(box, rows));
}

/**
 * What stands on a layer's axis. @param {Box} box @param {Explorer} explorer @param {{ layer: number }} panel
 * @returns {[string, number, number][]} text, y, and how strong
 */
export function layerLabels({ height }, { layers, timeline, panels, theme: { scale } }, { layer }) {
  const { low, high } = visibleRows(layers[layer].layout.outEdges, timeline.view);
  /** @type {[string, number, number][]} */
  const ends = [[String(Math.round(high) - 1), 7 * scale, 0.7], [String(Math.floor(low)), height - 7 * scale, 0.7]];
  return panels.narrow ? ends : [...ends, ["output", height / 2 - 6 * scale, 0.55], ["frame", height / 2 + 6 * scale, 0.55]];
}

/**
 * @param {Context} context @param {Box} box @param {Explorer} explorer @param {Layout} layout
 * @param {{ low: number, high: number }} rows
 */
function drawMatrix(context, box, { theme, timeline }, layout, { low, high }) {
  const colours = RAMPS[theme.name];
  paintPixels(context, box, (pixels, width, height) => {
    if (!layout.picture) {
      fillAlignment(pixels, width, height, layout, timeline.view, low, high, colours);
      return;
    }
    pixels.fill(colours[0]);
    fillPicture(pixels, width, height, matrixPicture(layout), timeline.view, low, high, colours, layout.L);
  });
}

/**
 * Where a uniform stride would lie.
 * @param {Context} context @param {Box} box @param {Explorer} explorer @param {Layout} layout @param {(row: number) => number} y
 */
function drawUniform(context, box, { theme, timeline, header: { heard } }, layout, y) {
  context.save();
  context.beginPath();
  context.rect(box.x, 0, box.width, box.height);
  context.clip();
  dashedLine(context, theme, () => {
    context.moveTo(box.x + timeline.share(0) * box.width, y(0));
    context.lineTo(box.x + timeline.share(heard.until) * box.width, y(layout.L));
  });
  context.restore();
}

/** @param {Context} context @param {Box} box @param {Explorer} explorer @param {{ layer: number }} panel */
export function drawProfile(context, box, explorer, { layer }) {
  const { theme, timeline } = explorer, { layout } = explorer.layers[layer], floor = box.height - 3, top = profileTop(box, theme.scale);
  const pinned = explorer.pinned?.layers[layer];
  const most = 1.05 * Math.max(2 * layout.stride, visibleMax(layout, timeline.view), pinned ? visibleMax(pinned, timeline.view) : 0);
  const y = (/** @type {number} */ stride) => floor - (Math.min(stride, most) / most) * (floor - top);
  context.fillStyle = layerColour(theme.name, layer);
  for (const { x0, x1, low, high } of steps(box, layout, timeline)) {
    context.globalAlpha = 0.28;
    context.fillRect(x0, y(high), x1 - x0, floor - y(high));
    context.globalAlpha = 1;
    context.fillRect(x0, y(high) - 0.75, x1 - x0, Math.max(1.5, y(low) - y(high)));
  }
  if (pinned) drawPinned(context, explorer, steps(box, pinned, timeline), y);
  drawMean(context, box, explorer, y(layout.stride));
  labelProfile(context, box, explorer, { middle: y(layout.stride), floor, stride: layout.stride, most });
}

/**
 * Where a profile's curve may begin. A low one has no title: the legend beside the picture says what it is.
 * @param {Box} box @param {number} scale of the type
 */
const profileTop = ({ height }, scale) => (height < TITLED * scale ? UNTITLED_TOP : PROFILE_TITLE * scale);

/**
 * The strides of the pinned reference.
 * @param {Context} context @param {Explorer} explorer @param {ReturnType<typeof steps>} runs
 * @param {(stride: number) => number} y
 */
function drawPinned(context, { theme }, runs, y) {
  context.strokeStyle = theme.ink(0.95);
  context.lineWidth = 1.25;
  context.setLineDash([2, 2]);
  context.beginPath();
  for (const { x0, x1, low, high } of runs) {
    context.lineTo(x0, y(high));
    context.lineTo(x1, y(low));
  }
  context.stroke();
  context.setLineDash([]);
}

/** @param {Context} context @param {Box} box @param {Explorer} explorer @param {number} y */
function drawMean(context, box, { theme }, y) {
  context.setLineDash([6, 5]);
  context.lineWidth = 1;
  context.strokeStyle = theme.ink(0.7);
  context.beginPath();
  context.moveTo(box.x, y);
  context.lineTo(box.x + box.width, y);
  context.stroke();
  context.setLineDash([]);
}

/**
 * @param {Context} context @param {Box} box @param {Explorer} explorer
 * @param {{ middle: number, floor: number, stride: number, most: number }} marks
 */
function labelProfile(context, box, { theme }, { middle, floor, stride, most }) {
  const top = profileTop(box, theme.scale);
  /** @type {[string, number][]} */
  const scale = [[digits(stride, 2), middle], [digits(most, 2), top + 4], ["0", floor - 2]];
  for (const [text, y] of apart(scale, LABEL_ROOM * theme.scale)) label(context, theme, text, box.x - 6, y);
  if (top === UNTITLED_TOP) return;
  label(context, theme, "stride: input frames per output frame", box.x + box.width - 2, 7 * theme.scale);
}

/**
 * Runs of the step curve of strides; what is finer than a pixel is one run, from its lowest to its highest.
 * @param {Box} box @param {Layout} layout @param {import("../timeline.js").Timeline} timeline
 */
function steps(box, { outEdges, strides, L }, timeline) {
  const right = box.x + box.width, runs = [], x = (/** @type {number} */ time) => box.x + timeline.share(time) * box.width;
  let run = null;
  for (let i = Math.max(0, lowerBound(outEdges, timeline.from) - 1); i < L; i++) {
    const a = Math.max(box.x, x(outEdges[i])), b = Math.min(right, x(outEdges[i + 1]));
    if (a >= right) break;
    if (b <= a) continue;
    run = { x0: run?.x0 ?? a, x1: b, low: Math.min(run?.low ?? Infinity, strides[i]), high: Math.max(run?.high ?? -Infinity, strides[i]) };
    if (run.x1 - run.x0 < 1) continue;
    runs.push(run);
    run = null;
  }
  if (run) runs.push(run);
  return runs;
}

/** @param {Context} context @param {Box} box @param {Explorer} explorer */
export function drawAxis(context, box, { theme, timeline }) {
  const ticks = timeTicks(timeline.view, box.width, (text) => Math.min((AXIS_ROOM + 6 * text.length) * theme.scale, box.width / 3));
  drawTimeAxis(context, theme, box, ticks, (time) => box.x + timeline.share(time) * box.width);
}
