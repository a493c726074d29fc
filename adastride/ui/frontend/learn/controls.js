// @ts-check
// A step's sliders and choices above the picture, and the buttons under it.

import { clamp, digits } from "../numbers.js";

/** @typedef {import("./lesson.js").Lesson} Lesson */
/** @typedef {import("./steps/index.js").Button} Button */
/** @typedef {{ element: HTMLElement, show: (value: any) => void }} Widget */

/**
 * A control as Python describes it (lesson/controls.py).
 * @typedef {object} Control
 * @property {"slider" | "choice" | "bars"} kind
 * @property {string} name
 * @property {string} label
 * @property {any} usual
 * @property {string} term what it moves in the formula
 * @property {number} [low]
 * @property {number} [high]
 * @property {number} [step]
 * @property {string} [unit]
 * @property {boolean} [log]
 * @property {boolean} [whole]
 * @property {Record<string, string>} [options]
 */

const NEAR = 0.6; // steps: a thumb that close to a value stands on it
const LOG_DIGITS = 4; // of a value that a logarithmic slider gives

/**
 * @param {string} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
 * @returns {any}
 */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** @param {string} className @param {string} text @param {() => void} press @returns {HTMLButtonElement} */
function makeButton(className, text, press) {
  const button = make("button", className ? { class: className } : {}, text);
  button.addEventListener("click", press);
  return button;
}

/** @param {Control} control @param {number} value */
function valueText({ name, unit, whole }, value) {
  const inverse = name === "sigma" ? ` · σ⁻² = ${digits(value ** -2)}` : ""; // what stands in the formula
  return `${whole ? Math.round(value) : digits(value)} ${unit}${inverse}`;
}

/** What a slider's place means: the usual value need not be on the grid, but can be met. @param {Control} control @param {number} place */
function valueAt({ low, high, step, usual, log }, place) {
  if (log && Math.abs(Math.log10(usual) - place) < step * NEAR) return usual;
  return clamp(log ? Number((10 ** place).toPrecision(LOG_DIGITS)) : place, low, high);
}

/** @param {Control} control @param {Lesson} lesson @returns {Widget} */
function makeSlider(control, lesson) {
  const { name, label, low, high, step, term, log } = control;
  const output = make("output"), input = make("input", { type: "range" });
  /** @param {number} value */
  const placeOf = (value) => (log ? Math.log10(value) : value);
  Object.assign(input, { min: placeOf(low), max: placeOf(high), step });
  input.addEventListener("input", () => {
    lesson.mover.stop();
    lesson.change({ [name]: valueAt(control, Number(input.value)) }, term);
  });
  return {
    element: make(
      "label", { class: "slider", "data-name": name },
      make("span", { class: "caption" }, make("b", {}, label), " ", output), input,
    ),
    show(value) {
      const place = placeOf(value), text = valueText(control, value);
      if (Math.abs(input.value - place) > step * NEAR) input.value = place; // a hand may be on it
      output.textContent = text;
      input.setAttribute("aria-valuetext", text);
    },
  };
}

/** @param {Control} control @param {Lesson} lesson @returns {Widget} */
function makeChoice({ name, label, options, term }, lesson) {
  const buttons = Object.entries(options).map(([key, text]) => {
    const button = makeButton("", text, () => lesson.change({ [name]: key }, term));
    button.dataset.value = key;
    return button;
  });
  return {
    element: make(
      "div", { class: "choice", "data-name": name, role: "group", "aria-label": label },
      make("span", {}, label), make("span", { class: "segments" }, ...buttons),
    ),
    show(value) { for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === value)); },
  };
}

/** The widgets of a step but its bars, by the name of their control. @param {Control[]} controls @param {Lesson} lesson */
export function makeWidgets(controls, lesson) {
  /** @type {Record<string, Widget>} */
  const widgets = {};
  for (const control of controls) {
    if (control.kind === "slider") widgets[control.name] = makeSlider(control, lesson);
    else if (control.kind === "choice") widgets[control.name] = makeChoice(control, lesson);
  }
  return widgets;
}

/**
 * One of the picture's own buttons, which shows what pressing it would do now.
 * @param {Button} described @param {Lesson} lesson @returns {Widget}
 */
function makeOwnButton({ name, text, stop, primary, disabled }, lesson) {
  const button = makeButton(primary ? "primary" : "", "", () => lesson.picture.press(name, lesson));
  button.dataset.action = name;
  return {
    element: button,
    show() {
      const words = typeof text === "string" ? text : text(lesson);
      button.textContent = stop && lesson.mover.moving ? stop : words;
      button.disabled = Boolean(disabled?.(lesson));
    },
  };
}

/** Everything under the picture. @param {Button[]} described @param {Lesson} lesson */
export function makeActions(described, lesson) {
  const own = described.map((button) => makeOwnButton(button, lesson));
  const link = makeButton("link", "Copy link", () => lesson.copyLink(link, lesson.link()));
  const refresh = () => { for (const { show } of own) show(null); };
  refresh();
  return { elements: [...own.map(({ element }) => element), makeButton("reset", "Reset", () => lesson.reset()), link], refresh };
}
