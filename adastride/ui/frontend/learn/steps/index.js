// @ts-check
// The pictures by the key of their step: a new step's file is added here.

import { aliasing } from "./aliasing.js";
import { axes } from "./axes.js";
import { cost } from "./cost.js";
import { learning } from "./learning.js";
import { loss } from "./loss.js";
import { pooling } from "./pooling.js";
import { positions } from "./positions.js";
import { scatter } from "./scatter.js";
import { softmax } from "./softmax.js";
import { spectral } from "./spectral.js";
import { why } from "./why.js";

/** @typedef {import("../pen.js").Pen} Pen */
/** @typedef {import("../lesson.js").Lesson} Lesson */

/**
 * A button under the picture. stop: its text while the picture moves by itself.
 * @typedef {object} Button
 * @property {string} name
 * @property {string | ((lesson: Lesson) => string)} text
 * @property {string} [stop]
 * @property {boolean} [primary]
 * @property {(lesson: Lesson) => boolean} [disabled]
 */

/**
 * What a step shows. A picture keeps nothing: everything it draws follows from the lesson's settings, numbers and choices.
 * @typedef {object} Picture
 * @property {number | ((width: number) => number)} height CSS pixels, which may follow from the picture's width
 * @property {(pen: Pen, lesson: Lesson) => object} draw gives the numbers that it shows
 * @property {Button[]} [buttons]
 * @property {(name: string, lesson: Lesson) => void} [press] a button
 * @property {(x: number, y: number, lesson: Lesson, pressed: boolean) => void} [point] somebody points at a place of the picture
 * @property {(right: number, up: number, lesson: Lesson) => void} [step] an arrow key, while the picture has the focus
 * @property {(lesson: Lesson) => void} [opened] the step has just been turned to
 * @property {(lesson: Lesson) => void} [received] an answer to a request has come
 * @property {(lesson: Lesson) => void} [reset] the settings have been put back
 */

/** @type {Record<string, Picture>} */
export const PICTURES = { why, aliasing, positions, softmax, pooling, loss, scatter, spectral, cost, learning, axes };
