// @ts-check
// The bar above the picture: which layers the sliders move, the sliders themselves, and the variant.

import { clamp, digits, roundHalfEven } from "../numbers.js";
import { segments, write } from "../view.js";
import { sameSettings } from "./layers.js";

/** @typedef {import("./layers.js").Settings} Settings */

const SNAP = 0.0051; // of a slider: the trained value need not be on its grid
const VARIANTS = [["adastride", "AdaStride"], ["adastride-f", "AdaStride-F"]];

/**
 * The value that a slider stands for.
 * @param {string} name @param {number} value @param {number} usual as trained @param {boolean} whole
 */
export function valueOf(name, value, usual, whole) {
  if (name === "sigma") return Math.abs(value - Math.log10(usual)) < SNAP ? usual : Number((10 ** value).toPrecision(5));
  if (Math.abs(value - usual) < SNAP) return usual;
  return whole ? Math.max(1, roundHalfEven(value)) : value;
}

/** @param {string} name @param {number} value */
const placeOf = (name, value) => (name === "sigma" ? Math.log10(value) : value);

export class Controls {
  /** @param {import("./viewer.js").Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    /** @type {"all" | number} */
    this.scope = "all";
    /** @type {string | null} */
    this.built = null;
    for (const slider of explorer.root.querySelectorAll(".slider")) {
      const input = slider.querySelector("input"), { name } = /** @type {HTMLElement} */ (slider).dataset;
      explorer.on(input, "input", () => explorer.slide(name, Number(input.value)));
    }
  }

  /** The layers that the sliders move. @returns {number[]} */
  get chosen() { return this.scope === "all" ? this.explorer.settings.map((_, k) => k) : [this.scope]; }

  refresh() {
    const { explorer, chosen } = this, { settings, header } = explorer;
    const key = JSON.stringify([this.scope, chosen.map((k) => settings[k].variant), header.revision, settings.length]);
    if (key !== this.built) this.build(chosen); // only when they change, so that focus stays where it is during a drag
    this.built = key;
    for (const slider of explorer.root.querySelectorAll(".bar .slider")) this.refreshSlider(/** @type {HTMLElement} */ (slider), chosen);
    this.refreshRate(explorer.one('.slider[data-name="rate"]'));
    explorer.one(".reset").disabled = settings.every((each, k) => sameSettings(each, header.trained[k]));
  }

  /** @param {number[]} chosen */
  build(chosen) {
    const { explorer } = this, { settings } = explorer;
    for (const slider of explorer.root.querySelectorAll(".bar .slider")) {
      const { name } = /** @type {HTMLElement} */ (slider).dataset, [low, high] = explorer.header.ranges[name];
      Object.assign(slider.querySelector("input"), { min: String(placeOf(name, low)), max: String(placeOf(name, high)) });
    }
    const scopes = [["all", "All layers"], ...settings.map((_, k) => [k, `${k + 1}`])];
    const variants = new Set(chosen.map((k) => settings[k].variant).filter((each) => each != null));
    segments(explorer.one(".scope"), scopes, this.scope, (scope) => this.choose(scope));
    explorer.one(".variant").hidden = !variants.size;
    segments(explorer.one(".variant"), VARIANTS, variants.size === 1 ? [...variants][0] : null, (variant) => {
      explorer.change(this.chosen, "variant", () => variant);
    });
  }

  /** @param {"all" | number} scope */
  choose(scope) {
    this.scope = scope;
    if (scope !== "all") this.explorer.tickLayer = scope;
    this.built = null;
    this.explorer.panels.sync();
    this.refresh();
    this.explorer.redraw();
  }

  /** Another network may have fewer layers. @param {number} layers */
  limit(layers) {
    if (this.scope !== "all" && this.scope >= layers) this.scope = "all";
  }

  /** @param {HTMLElement} slider @param {number[]} chosen */
  refreshSlider(slider, chosen) {
    const { settings, header } = this.explorer, { name } = slider.dataset, moved = chosen.filter((k) => settings[k][name] != null);
    const input = slider.querySelector("input"), output = slider.querySelector("output");
    slider.classList.toggle("without", !moved.length);
    input.disabled = !moved.length;
    if (!moved.length) {
      write(output, withoutIt(chosen.map((k) => header.layers[k].label)));
      return;
    }
    // Layers that take whole strides round the slider's value, which stands where the others are.
    const whole = name === "stride" ? moved.filter((k) => header.layers[k].wholeStrides) : [];
    const free = moved.filter((k) => !whole.includes(k)), leading = free.length ? free : moved;
    this.placeThumb(input, name, settings[leading[0]][name], free.length ? "0.01" : "1");
    const words = this.words(name, { chosen, moved, whole, free, leading });
    write(output, words);
    input.setAttribute("aria-valuetext", words);
    const usual = header.trained[leading[0]][name];
    markTrained(slider, input, placeOf(name, usual), value(name, usual, !free.length));
  }

  /** What the stride of the uppermost layer divides, where there is such a number. @param {HTMLElement} slider */
  refreshRate(slider) {
    const { settings, header } = this.explorer, { rate } = header.prediction, top = settings.length - 1;
    slider.hidden = !rate || settings[top].stride == null;
    if (slider.hidden) return;
    const input = slider.querySelector("input"), { undivided, title, unit } = rate, [low, high] = header.ranges.stride;
    Object.assign(input, { min: String(undivided / high), max: String(undivided / low) });
    input.setAttribute("aria-label", `${title}, ${unit}, by the stride of layer ${top + 1}`);
    write(slider.querySelector("b"), title);
    const words = `${Math.round(undivided / settings[top].stride)} ${unit}`;
    write(slider.querySelector("output"), words);
    input.setAttribute("aria-valuetext", words);
    this.placeThumb(input, "rate", undivided / settings[top].stride, "any");
    const usual = undivided / header.trained[top].stride;
    markTrained(slider, input, usual, `${Math.round(usual)} ${unit}`);
  }

  /** @param {HTMLInputElement} input @param {string} name @param {number} setting @param {string} step */
  placeThumb(input, name, setting, step) {
    const at = placeOf(name, setting), root = /** @type {ShadowRoot} */ (this.explorer.root.getRootNode());
    input.step = step;
    if (root.activeElement !== input || Math.abs(Number(input.value) - at) > 0.05) input.value = String(at);
  }

  /** What stands beside a slider's name. @param {string} name @param {Record<string, number[]>} layers */
  words(name, { chosen, moved, whole, free, leading }) {
    const { settings } = this.explorer, values = [...new Set(leading.map((k) => settings[k][name]))];
    const differs = `differs by layer: ${values.map((each) => digits(each)).join(", ")}`;
    const parts = [values.length > 1 ? differs : value(name, values[0], !free.length)];
    if (!free.length) parts.push("whole strides only");
    else if (whole.length) {
      const strides = new Set(whole.map((k) => settings[k].stride));
      parts.push(`whole strides in ${layersNamed(whole)}: ${[...strides].join(", ")}`);
    }
    if (moved.length < chosen.length) parts.push(`${layersNamed(moved)} only`);
    return parts.join(" · ");
  }
}

/** A value with its unit. @param {string} name @param {number} value @param {boolean} whole */
function value(name, value, whole) {
  if (name === "sigma") return `${digits(value)} output frames · σ⁻² = ${digits(value ** -2)}`;
  return `${whole ? value : value.toFixed(2)} input frames per output frame`;
}

/** @param {number[]} some */
const layersNamed = (some) => `layer${some.length > 1 ? "s" : ""} ${some.map((k) => k + 1).join(", ")}`;

/** @param {string[]} labels */
function withoutIt(labels) {
  const different = [...new Set(labels)];
  return `${different.join(" and ")} ${different.length > 1 ? "have" : "has"} none`;
}

/** @param {HTMLElement} slider @param {HTMLInputElement} input @param {number} at @param {string} words */
function markTrained(slider, input, at, words) {
  const mark = /** @type {HTMLElement} */ (slider.querySelector(".trained")), low = Number(input.min), high = Number(input.max);
  mark.style.left = `calc(8px + ${clamp((at - low) / (high - low), 0, 1)} * (100% - 16px))`;
  mark.title = `trained: ${words}`;
}
