// @ts-check
// A layer's column: its sliders, its figure, and the small pictures below it.

import { paintRamp, prepare } from "../canvas.js";
import { clamp, digits, roundHalfEven, short, whole } from "../numbers.js";
import { describe, write } from "../view.js";
import { cellAt, drawFigure, drawReach, mark, measure, middleOf, reach } from "./figure.js";
import { SOUND_TITLES, TITLES, drawSquare, grasp, spectrumEnds, strideAt } from "./squares.js";
import { span, unitsOf } from "./units.js";

/**
 * @typedef {import("./squares.js").Square} Square
 * @typedef {{ strides: number[], sigma: number | null }} Settings
 */

const AXES = { picture: [["Height", "row"], ["Width", "column"]], sound: [["Frequency", "band"], ["Time", "frame"]] };
const SNAP = 0.0051; // of a slider: the trained value need not be on its grid
const SQUARES = /** @type {Square[]} */ (["seen", "features", "kept", "spectrum"]);

const slider = (/** @type {string} */ name, /** @type {string} */ title, /** @type {string} */ words) => `
  <label class="slider" data-name="${name}">
    <span class="caption"><b>${title}</b> <output></output></span>
    <span class="track"><input type="range" step="0.01" aria-label="${words}"><i class="trained"></i></span>
    <span class="units" hidden></span>
  </label>`;
const square = (/** @type {Record<Square, string>} */ titles) => (/** @type {Square} */ name) => `
  <figure class="${name}" data-name="${name}">
    <figcaption>${titles[name]}</figcaption>
    <div class="stack"><canvas class="base" role="img"></canvas><canvas class="cover" aria-hidden="true"></canvas></div>
    <div class="ends" ${name === "seen" ? "hidden" : ""}>
      <i></i><canvas class="ramp" width="256" height="1" aria-hidden="true"></canvas><i></i>
    </div>
  </figure>`;

export class Column {
  /** @param {import("./viewer.js").Images} images @param {number} number of the layer, from 0 */
  constructor(images, number) {
    this.images = images;
    this.number = number;
    this.root = document.createElement("article");
    this.root.className = "column";
    this.root.setAttribute("aria-label", `Layer ${number + 1}`);
    const ofLayer = `of layer ${number + 1}`;
    const strides = this.axes.map(([name, unit], axis) => slider(`${axis}`, name, `${name} stride ${ofLayer}, ${unit}s to one`));
    this.root.innerHTML = `
      <h3>Layer ${number + 1} <span></span></h3>
      <div class="sliders">
        ${strides.join("")}${slider("sigma", "σ", `sigma ${ofLayer}, width of an alignment row, logarithmic`)}
      </div>
      <div class="figure stack">
        <canvas class="base" role="img" tabindex="0"></canvas><canvas class="cover" aria-hidden="true"></canvas>
      </div>
      <div class="squares">${SQUARES.map(square(this.titles)).join("")}</div>`;
    /** @type {import("./figure.js").Frame} */ this.frame = null;
    /** @type {{ height: boolean, width: boolean } | null} */ this.held = null;
    this.listen();
  }

  /** @param {string} selector @returns {any} */
  one(selector) { return this.root.querySelector(selector); }

  /** Names and units of the axes. */
  get axes() { return this.sound ? AXES.sound : AXES.picture; }

  /** What the small pictures are called. */
  get titles() { return this.sound ? { ...TITLES, ...SOUND_TITLES } : TITLES; }

  get sound() { return this.images.header.sound; }

  get layer() { return this.images.layers[this.number]; }

  /** @returns {Settings} */
  get settings() { return this.images.settings[this.number]; }

  listen() {
    const { images, number } = this, { on } = { on: images.on.bind(images) };
    for (const each of this.root.querySelectorAll(".slider")) {
      const input = each.querySelector("input"), { name } = /** @type {HTMLElement} */ (each).dataset;
      on(input, "input", () => images.slide(number, name, this.valueOf(name, Number(input.value))));
    }
    const base = this.one(".figure .base");
    on(base, "pointermove", (event) => {
      const cell = cellAt(this.frame, this.layer, event.offsetX, event.offsetY, this.cell);
      images.setHover(cell && { layer: number, ...cell }, event);
    });
    on(base, "pointerleave", () => images.setHover(null));
    on(base, "keydown", (event) => this.step(event));
    on(base, "blur", () => images.setHover(null));
    for (const name of SQUARES.slice(0, 2)) {
      const canvas = this.one(`.${name} .base`);
      on(canvas, "pointermove", (event) => images.setHover(this.outputAt(event, canvas), event));
      on(canvas, "pointerleave", () => images.setHover(null));
    }
    this.listenToSpectrum(this.one(".spectrum .base"));
  }

  /** The box of a mask is dragged: its edges are the strides. @param {HTMLCanvasElement} canvas */
  listenToSpectrum(canvas) {
    const { images } = this;
    const drag = (/** @type {PointerEvent} */ event) => {
      const { held, layer } = this, { clientWidth, clientHeight } = canvas, range = images.header.ranges.stride;
      if (!held || !layer) return;
      const shares = [event.offsetY / clientHeight, event.offsetX / clientWidth];
      [held.height, held.width].forEach((moved, axis) => {
        if (moved) images.slide(this.number, String(axis), clamp(strideAt(layer, axis, shares[axis]), range[0], range[1]));
      });
    };
    images.on(canvas, "pointerdown", (event) => {
      const size = { width: canvas.clientWidth, height: canvas.clientHeight };
      this.held = grasp(this.layer, this.settings.strides, event.offsetX, event.offsetY, size);
      canvas.setPointerCapture(event.pointerId);
      drag(event);
      event.preventDefault();
    });
    images.on(canvas, "pointermove", drag);
    for (const end of ["pointerup", "pointercancel"]) images.on(canvas, end, () => { this.held = null; });
  }

  /** The output pixel under the pointer on a small picture. @param {PointerEvent} event @param {HTMLCanvasElement} canvas */
  outputAt(event, canvas) {
    const { clientWidth, clientHeight } = canvas, [rows, columns] = this.layer.output;
    return {
      layer: this.number, row: clamp(Math.floor((event.offsetY / (clientHeight || 1)) * rows), 0, rows - 1),
      column: clamp(Math.floor((event.offsetX / (clientWidth || 1)) * columns), 0, columns - 1),
    };
  }

  /** The output pixel in hand, if it is one of this layer. */
  get cell() {
    const { hover } = this.images;
    return hover?.layer === this.number ? hover : null;
  }

  /** Where an output pixel is in the window, as an event of the pointer says it. @param {import("./figure.js").Cell} cell */
  placeOf(cell) {
    const { left, top } = this.one(".figure .base").getBoundingClientRect(), [rows, columns] = this.layer.output;
    const within = { row: Math.min(cell.row, rows - 1), column: Math.min(cell.column, columns - 1) };
    const { x, y } = middleOf(this.frame, this.layer, within);
    return { clientX: left + x, clientY: top + y };
  }

  /** @param {KeyboardEvent} event */
  step(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }, move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    const [rows, columns] = this.layer.output, cell = this.cell ?? { row: (rows >> 1) - move[0], column: (columns >> 1) - move[1] };
    const hover = { layer: this.number, row: clamp(cell.row + move[0], 0, rows - 1), column: clamp(cell.column + move[1], 0, columns - 1) };
    this.images.setHover(hover);
    this.images.say(this.words(hover));
    event.preventDefault();
  }

  // ------------------------------------------------------------ sliders

  /** The value that a slider stands for. @param {string} name @param {number} value */
  valueOf(name, value) {
    const { trained, wholeStrides } = this.images.header, usual = trained[this.number];
    if (name === "sigma") return Math.abs(value - Math.log10(usual.sigma)) < SNAP ? usual.sigma : Number((10 ** value).toPrecision(5));
    if (Math.abs(value - usual.strides[Number(name)]) < SNAP) return usual.strides[Number(name)];
    return wholeStrides ? Math.max(1, roundHalfEven(value)) : value;
  }

  refresh() {
    const { images, layer, settings, number } = this, { ranges, trained, wholeStrides } = images.header;
    write(this.one("h3 span"), `${layer.input[0]} × ${layer.input[1]} → ${layer.output[0]} × ${layer.output[1]}`);
    this.axes.forEach(([, unit], axis) => {
      const value = settings.strides[axis], stride = wholeStrides ? String(value) : value.toFixed(2);
      const units = this.sound ? unitsOf(this.sound, number, axis) : undefined;
      const words = units ? `stride ${stride}` : `${stride} ${unit}s`;
      this.place(String(axis), value, ranges.stride, wholeStrides ? "1" : "0.01", words, trained[number].strides[axis], units);
    });
    this.one('.slider[data-name="sigma"]').hidden = settings.sigma === null;
    if (settings.sigma !== null) {
      const [at, usual] = [settings, trained[number]].map(({ sigma }) => Math.log10(sigma));
      this.place("sigma", at, ranges.sigma.map(Math.log10), "0.01", `${digits(settings.sigma)} output rows`, usual);
    }
  }

  /**
   * @param {string} name @param {number} at @param {number[]} range @param {string} step @param {string} words @param {number} usual
   * @param {string[]} [units] of a stride, in short and in full
   */
  place(name, at, [low, high], step, words, usual, units) {
    const host = this.one(`.slider[data-name="${name}"]`), input = /** @type {HTMLInputElement} */ (host.querySelector("input"));
    const root = /** @type {ShadowRoot} */ (this.root.getRootNode());
    Object.assign(input, { min: String(low), max: String(Math.max(high, usual)), step });
    if (root.activeElement !== input || Math.abs(Number(input.value) - at) > 0.05) input.value = String(at);
    write(host.querySelector("output"), words);
    input.setAttribute("aria-valuetext", units ? `${words}, ${units[1]}` : name === "sigma" ? words : `${words} to one`);
    if (units) {
      const beneath = host.querySelector(".units");
      beneath.hidden = false;
      beneath.title = units[1];
      write(beneath, units[this.images.shown === null ? 0 : 1]);
    }
    const mark = host.querySelector(".trained");
    mark.style.left = `calc(8px + ${clamp((usual - low) / (Number(input.max) - low), 0, 1)} * (100% - 16px))`;
    mark.title = "as trained";
  }

  // ------------------------------------------------------------ drawing

  /** Draws everything of the layer. @param {import("../colours.js").Theme} theme @param {Uint32Array} ramp */
  draw(theme, ramp) {
    const { images, layer, settings } = this, base = this.one(".figure .base");
    const [rows, columns] = images.header.size;
    this.tall = rows / columns;
    this.frame = measure(this.one(".figure").clientWidth, theme.scale, this.tall, !!this.sound);
    base.style.height = `${this.frame.height}px`;
    drawFigure(prepare(base, this.frame), theme, this.frame, layer, images.pixels, ramp, this.sound);
    const strides = `strides ${settings.strides.map((each) => each.toFixed(2)).join(" and ")}`;
    const cells = `${layer.output[0]} × ${layer.output[1]} output pixels`;
    describe(base, `Layer ${this.number + 1}: the ${this.sound ? "spectrogram" : "picture"} under ${cells}, with the alignments of `
      + `${this.axes.map(([name]) => name.toLowerCase()).join(" and ")}, ${strides}`);
    const single = images.shown !== null;
    for (const name of SQUARES) this.drawSquare(name, theme, ramp, single);
    this.drawCover(theme);
  }

  /** @param {Square} name @param {import("../colours.js").Theme} theme @param {Uint32Array} ramp @param {boolean} single */
  drawSquare(name, theme, ramp, single) {
    const { images, layer } = this, host = this.one(`.squares .${name}`), canvas = host.querySelector(".base");
    const second = layer.spectral ? "spectrum" : "kept"; // of the two pictures that a layer of sound has room for beside the others
    host.hidden = (name === "spectrum" && !layer.spectral) || (name === "kept" && layer.spectral && !single)
      || (this.sound && !single && name !== "seen" && name !== second);
    if (host.hidden) return;
    const size = this.sizeOf(host), around = spectrumEnds(layer, this.sound, this.number, images.header.settings[this.number].strides);
    canvas.style.height = `${size.height}px`;
    const ends = drawSquare(prepare(canvas, size), name, layer, size, theme, ramp, this.settings.strides, around);
    const said = ends ? `, from ${short(ends[0])} to ${short(ends[1])}` : `, ${layer.output[0]} × ${layer.output[1]} pixels`;
    describe(canvas, `${this.titles[name]}, layer ${this.number + 1}${said}`);
    if (!ends) return;
    const [low, high] = host.querySelectorAll(".ends i");
    write(low, name === "spectrum" ? whole(ends[0]) : short(ends[0]));
    write(high, name === "spectrum" ? `${whole(ends[1])} dB` : short(ends[1]));
    paintRamp(host.querySelector(".ramp"), ramp);
  }

  /** A small picture's size. @param {HTMLElement} host */
  sizeOf(host) {
    const width = host.querySelector(".stack").clientWidth;
    return { width, height: Math.round(this.tall * width) };
  }

  /** What is under the pointer. @param {import("../colours.js").Theme} theme */
  drawCover(theme) {
    if (!this.frame) return;
    const { layer, cell } = this, context = prepare(this.one(".figure .cover"), this.frame), [rows, columns] = layer.output;
    const inside = cell && cell.row < rows && cell.column < columns;
    if (inside) drawReach(context, theme, this.frame, layer, cell);
    for (const name of SQUARES.slice(0, 2)) {
      const host = this.one(`.squares .${name}`), size = this.sizeOf(host), context = prepare(host.querySelector(".cover"), size);
      const across = size.width / columns, down = size.height / rows;
      if (inside) mark(context, theme, cell.column * across, cell.row * down, across, down);
    }
  }

  /** What is said of an output pixel. @param {import("./figure.js").Cell} cell */
  words({ row, column }) {
    const { layer } = this, [rows, columns] = layer.output, [height, width] = layer.axes;
    const [[top, bottom], [left, right]] = [reach(height, Math.min(row, rows - 1)), reach(width, Math.min(column, columns - 1))];
    const pixels = `pixel rows ${top + 1} to ${bottom + 1}, columns ${left + 1} to ${right + 1}`;
    const at = layer.features[row * columns + column];
    return `Output pixel: row ${row + 1} of ${rows}, column ${column + 1} of ${columns}\n`
      + `Looks at ${this.sound ? span(this.sound, top, bottom, left, right) : pixels}\n`
      + `Mean magnitude of its features: ${short(at)}`;
  }
}

