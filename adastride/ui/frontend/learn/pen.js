// @ts-check
// What pictures are drawn with: text, lines, boxes and pixels on a canvas that is as wide as the component.

import { clamp } from "../numbers.js";

/** @typedef {import("./theme.js").Theme} Theme */
/** @typedef {[x: number, y: number]} Point */
/** @typedef {{ align?: "left" | "center" | "right", colour?: string, bold?: boolean, size?: number }} TextLook */
/** @typedef {(pixels: Uint32Array, width: number, height: number) => void} Fill */

const TEXT_PIXELS = 13, LEFT_PIXELS = 44, RIGHT_PIXELS = 8; // the gutters hold the axes' numbers
const HATCH_PIXELS = 6;

export class Pen {
  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} width CSS pixels
   * @param {Theme} theme
   * @param {number} k how many times as large as usual everything is: more than 1 while presenting
   */
  constructor(context, width, theme, k) {
    this.context = context;
    this.width = width;
    this.theme = theme;
    this.k = k;
    this.size = Math.round(TEXT_PIXELS * k);
    this.left = Math.round(LEFT_PIXELS * k);
    this.right = Math.round(RIGHT_PIXELS * k);
    context.textBaseline = "middle";
  }

  /** The width between the gutters. */
  get inner() { return this.width - this.left - this.right; }

  /** The x of a share, from 0 to 1, of the width between the gutters. @param {number} share */
  x(share) { return this.left + share * this.inner; }

  /** Which of `count` columns between the gutters lies at x, or null. @param {number} x @param {number} count */
  columnAt(x, count) {
    const column = Math.floor(((x - this.left) / this.inner) * count);
    return column >= 0 && column < count ? column : null;
  }

  /**
   * Text that never leaves the canvas. Returns its width.
   * @param {string} words @param {number} x @param {number} y @param {TextLook} [look]
   */
  text(words, x, y, { align = "left", colour = this.theme.ink(0.8), bold = false, size = this.size } = {}) {
    const { context } = this;
    context.font = `${bold ? 600 : 400} ${size}px ${this.theme.font}`;
    const { width } = context.measureText(words), from = x - { left: 0, center: width / 2, right: width }[align];
    context.textAlign = "left";
    context.fillStyle = colour;
    context.fillText(words, clamp(from, 0, Math.max(0, this.width - width)), y);
    return width;
  }

  /** The heading of a part of the picture. @param {string} words @param {number} y @param {string} [colour] */
  title(words, y, colour = this.theme.ink(0.95)) { return this.text(words, 0, y, { bold: true, colour }); }

  /** A number of a vertical axis. @param {string} words @param {number} y @param {{ gap?: number, size?: number }} [look] */
  beside(words, y, { gap = 6, size = this.size } = {}) { return this.text(words, this.left - gap, y, { align: "right", size }); }

  /** @param {Point[]} points @param {string} colour @param {number} [thick] @param {number[]} [dash] */
  line(points, colour, thick = 1, dash = []) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = thick * Math.sqrt(this.k);
    context.setLineDash(dash);
    context.beginPath();
    points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
    context.setLineDash([]);
  }

  /** A horizontal line between the gutters. @param {number} y @param {string} colour @param {number} [thick] @param {number[]} [dash] */
  level(y, colour, thick = 1, dash = []) { this.line([[this.left, y], [this.width - this.right, y]], colour, thick, dash); }

  /** @param {Point[]} corners @param {string} colour */
  polygon(corners, colour) {
    const { context } = this;
    context.beginPath();
    for (const [x, y] of corners) context.lineTo(x, y);
    context.fillStyle = colour;
    context.fill();
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height @param {string} colour */
  box(x, y, width, height, colour) {
    this.context.fillStyle = colour;
    this.context.fillRect(x, y, width, height);
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height @param {string} colour */
  outline(x, y, width, height, colour) {
    this.context.strokeStyle = colour;
    this.context.lineWidth = 2;
    this.context.strokeRect(x, y, width, height);
  }

  /** @param {number} x @param {number} y @param {number} radius @param {string} colour */
  dot(x, y, radius, colour) {
    this.context.fillStyle = colour;
    this.context.beginPath();
    this.context.arc(x, y, radius * Math.sqrt(this.k), 0, 7);
    this.context.fill();
  }

  /** A line through points that can be seen as well. @param {Point[]} points @param {string} colour @param {number} radius */
  dotted(points, colour, radius) {
    this.line(points, colour, 2);
    for (const [x, y] of points) this.dot(x, y, radius, colour);
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height @param {string} colour */
  hatch(x, y, width, height, colour) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    for (let at = -height; at < width; at += HATCH_PIXELS) this.line([[x + at, y + height], [x + at + height, y]], colour);
    context.restore();
  }

  /**
   * The screen's own pixels of a rectangle.
   * @param {number} x @param {number} y @param {number} width @param {number} height @param {Fill} fill
   */
  pixels(x, y, width, height, fill) {
    const { context } = this, ratio = context.canvas.width / this.width;
    const across = Math.max(1, Math.round(width * ratio)), down = Math.max(1, Math.round(height * ratio));
    const image = context.createImageData(across, down);
    fill(new Uint32Array(image.data.buffer), across, down);
    context.putImageData(image, Math.round(x * ratio), Math.round(y * ratio));
  }

  /**
   * Frames beside each other between the gutters, each with its bands, band 0 below.
   * @param {number} y @param {number} height
   * @param {{ frames: number, bands: number, value: (frame: number, band: number) => number }} picture values from 0 to 255
   * @param {Uint32Array} colours
   */
  picture(y, height, { frames, bands, value }, colours) {
    this.pixels(this.left, y, this.inner, height, (pixels, across, down) => {
      for (let px = 0; px < across; px++) {
        const frame = Math.min(frames - 1, Math.floor((px * frames) / across));
        for (let py = 0; py < down; py++) {
          const band = Math.min(bands - 1, Math.floor(((down - 1 - py) * bands) / down));
          pixels[py * across + px] = colours[value(frame, band)];
        }
      }
    });
  }
}
