// @ts-check
// The bar above the picture: which layers the sliders move, the sliders themselves, and the variant.

import { clamp, digits, roundHalfEven } from "../numbers.js";
import { segments, write } from "../view.js";
import { sameSettings } from "./layers.js";

/** @typedef {import("./layers.js").Settings} Settings */

const LAYER_SLIDERS = ["sigma", "stride"];
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

  /** The sliders that move layers. @returns {HTMLElement[]} */
  get ofLayers() { return LAYER_SLIDERS.map((name) => this.explorer.one(`.bar .slider[data-name="${name}"]`)); }

  refresh() {
    const { explorer, chosen } = this, { settings, header } = explorer;
    const key = JSON.stringify([this.scope, chosen.map((k) => settings[k].variant), header.revision, settings.length]);
    if (key !== this.built) this.build(chosen); // only when they change, so that focus stays where it is during a drag
    this.built = key;
    for (const slider of this.ofLayers) this.refreshSlider(slider, chosen);
    this.refreshRate(explorer.one('.slider[data-name="rate"]'));
    this.refreshHearing();
    const { seconds, resolution } = explorer.hearing, asTrained = settings.every((each, k) => sameSettings(each, header.trained[k]));
    explorer.one(".reset").disabled = asTrained && seconds === null && resolution === 1;
  }

  /** @param {number[]} chosen */
  build(chosen) {
    const { explorer } = this, { settings } = explorer;
    for (const slider of this.ofLayers) {
      const { name } = slider.dataset, [low, high] = explorer.header.ranges[name];
      Object.assign(slider.querySelector("input"), { min: String(placeOf(name, low)), max: String(placeOf(name, high)) });
    }
    const scopes = [["all", "All layers"], ...settings.map((_, k) => [k, `${k + 1}`])];
    const variants = new Set(chosen.map((k) => settings[k].variant).filter((each) => each != null));
    explorer.one(".scope").hidden = !settings.length;
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
    slider.hidden = !settings.length;
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

  /** How much of the clip the network hears, and how finely, where that may be chosen. */
  refreshHearing() {
    const { explorer } = this, { hearing, clip, header: { heard } } = explorer, { ranges, shift } = heard;
    const length = explorer.one('.slider[data-name="length"]'), resolution = explorer.one('.slider[data-name="resolution"]');
    length.hidden = resolution.hidden = !ranges;
    if (!ranges) return;
    const seconds = hearing.seconds ?? clip.seconds, frames = `${digits(shift * hearing.resolution)} ms a frame`;
    const whole = `all ${clip.seconds.toFixed(2)} s`;
    const heardOf = hearing.seconds === null ? whole : `the first ${seconds.toFixed(2)} of ${clip.seconds.toFixed(2)} s`;
    const words = [heardOf, `${frames} · × ${hearing.resolution.toFixed(1)}`];
    [length, resolution].forEach((slider, n) => {
      const input = slider.querySelector("input"), name = n ? "resolution" : "length", [low, high] = ranges[name];
      Object.assign(input, { min: String(low), max: String(high), disabled: low >= high }); // a clip may be as short as the least length
      this.placeThumb(input, name, n ? hearing.resolution : seconds, n ? "0.1" : "0.01");
      write(slider.querySelector("output"), words[n]);
      input.setAttribute("aria-valuetext", words[n]);
      markTrained(slider, input, n ? 1 : clip.seconds, n ? `${digits(shift)} ms a frame` : whole);
    });
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
