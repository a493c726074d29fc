// The lesson's view without a browser: what it says to the server, and that nothing of it is left when it is gone. The page
// below it is made of the few things that the view asks of one; what it looks like is the browser tests' business.

import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { beforeEach, test } from "node:test";

const TIMES = 1000;
setMaxListeners(0); // one signal ends all that a view began

// ---------------------------------------------------------------- a page

class Target {
  listeners = new Set();

  addEventListener(type, handler, { signal } = {}) {
    const listener = { type, handler };
    this.listeners.add(listener);
    signal?.addEventListener("abort", () => this.listeners.delete(listener), { once: true });
  }

  fire(type, event = {}) {
    const whole = { type, target: this, composedPath: () => [this], stopPropagation() {}, preventDefault() {}, ...event };
    for (const listener of [...this.listeners]) if (listener.type === type) listener.handler(whole);
  }
}

class Element extends Target {
  constructor(tag) {
    super();
    Object.assign(this, { tag, children: [], attributes: {}, dataset: {}, style: { setProperty() {} }, classList: { toggle() {} } });
    Object.assign(this, { isConnected: true, clientWidth: 600, clientHeight: 200, textContent: "", innerHTML: "" });
  }

  setAttribute(name, value) { this.attributes[name] = String(value); }
  append(...children) { this.children.push(...children); }
  replaceChildren(...children) { this.children = children; }
  querySelector(selector) { return (this.parts ??= {})[selector] ??= new Element(selector); }
  getBoundingClientRect() { return { left: 0, top: 0 }; }
  setPointerCapture() {}
  focus() { this.fire("focus"); }
  matches(selector) { return selector === this.tag; }
  getRootNode() { return this; }
  closest() { return null; }
  remove() { this.isConnected = false; }

  getContext() {
    const nothing = () => {};
    const known = {
      canvas: this,
      measureText: (text) => ({ width: 7 * text.length }),
      createImageData: (width, height) => ({ data: new Uint8Array(4 * width * height) }),
    };
    return new Proxy(known, { get: (target, name) => target[name] ?? nothing, set: () => true });
  }
}

const timers = new Map(), frames = new Map(), observed = new Set();
let named = 0, wished = ""; // what somebody has asked of every page
const page = {
  document: Object.assign(new Target(), { createElement: (tag) => new Element(tag), querySelector: () => new Element("main"), activeElement: null }),
  window: new Target(),
  location: { href: "http://localhost/learn" },
  history: { state: null, replaceState(_, __, url) { page.location.href = url; } },
  Text: class {},
  ShadowRoot: class {},
  innerHeight: 900,
  matchMedia: (query) => ({ matches: wished === query }),
  devicePixelRatio: 1,
  getComputedStyle: () => ({ backgroundColor: "rgb(255, 255, 255)", fontFamily: "sans-serif", getPropertyValue: () => "" }),
  setTimeout(act) { timers.set(++named, act); return named; },
  clearTimeout(id) { timers.delete(id); },
  requestAnimationFrame(act) { frames.set(++named, act); return named; },
  cancelAnimationFrame(id) { frames.delete(id); },
  ResizeObserver: class { observe() { observed.add(this); } disconnect() { observed.delete(this); } },
};
Object.assign(globalThis, page);
const { Lesson } = await import("../../adastride/ui/frontend/learn/lesson.js");

function pass(waiting) {
  const acts = [...waiting.values()];
  waiting.clear();
  for (const act of acts) act();
}

// ---------------------------------------------------------------- what the server sends

const stride = {
  kind: "slider", name: "stride", label: "Stride s", low: 1, high: 8, usual: 2, step: 0.05, term: "stride", unit: "frames",
  log: false, whole: false,
};
const sigma = { ...stride, name: "sigma", low: 0.05, high: 20, usual: 0.447, step: 0.02, term: "sigma", log: true };
const bars = { kind: "bars", name: "bars", label: "Scores", usual: Array(24).fill(0), term: "dp" };
const added = { ...stride, name: "added", low: 0, high: 24, usual: 24, step: 1, term: "x", whole: true };
const common = {
  presenter: false, playColours: { light: "#000000", dark: "#ffffff" }, live: false, client: "", sequence: 0, line: null,
  limit: 3, letterSteps: 60,
};
const facts = { energyBars: Array(24).fill(0.5), levels: Array(24).fill(0.5), scores: Array(24).fill(0) };

const usual = (controls) => Object.fromEntries(controls.map(({ name, usual }) => [name, structuredClone(usual)]));
const step = (key, number, controls, terms, more = {}) => ({
  header: { ...common, ...facts, step: key, number, controls, terms, settings: usual(controls), ...more }, arrays: {},
});
const positions = () => step("positions", 3, [bars, stride], ["dp", "sum", "norm", "stride"]);
const stages = { exp: "exp", softmax: "softmax" };
const stage = { kind: "choice", name: "stage", label: "Show", options: stages, usual: "softmax", term: "distance" };
const softmax = () => step("softmax", 4, [stage, sigma, stride], ["distance", "sigma", "sum"]);
const scatter = () => step("scatter", 7, [bars, added, stride, sigma], ["nearest", "sigma", "x"]);
const axes = (settings) => {
  const controls = [
    { ...stage, name: "picture", options: { face: "face" }, usual: "face", term: "outer" },
    { ...stage, name: "method", options: { adastride: "a", diffstride: "d" }, usual: "adastride", term: "box" },
    { ...stride, name: "height", usual: 4, term: "height" }, { ...stride, name: "width", usual: 3, term: "width" },
    { ...stride, name: "contrast", low: 0, high: 16, usual: 6, term: "outer" }, sigma,
  ];
  const facts = { sizes: { face: [48, 48] }, smoothness: 4, levels: 255, decibels: 80, framesPerSecond: 62.5 };
  const packed = step("axes", 11, controls, ["outer", "height", "width", "box"], facts);
  Object.assign(packed.header.settings, settings);
  return { ...packed, arrays: { face: Uint8Array.from({ length: 48 * 48 }, (_, i) => (i % 7) * 30) } };
};
const learning = () => {
  const look = { begin: 40, accuracy: 0.5, ratio: 1, position_loss: 0 };
  const packed = step("learning", 10, [{ ...stride, low: 4, high: 12, usual: 8, whole: true }], ["weight"], {
    live: true, look, trained: 1, most: 240, burst: 12, classes: 4, clips: 64, sigma: 0.447, finished: false,
  });
  const unit = Float32Array.from({ length: 96 }, (_, t) => t / 95);
  return { ...packed, arrays: { clip: new Float32Array(96), unit, losses: Float32Array.of(1), ratios: Float32Array.of(1) } };
};

function mount(packed) {
  const root = new Element("section"), lesson = new Lesson(root), sent = [];
  lesson.receive(packed, (name, value) => sent.push(value));
  return { lesson, root, sent };
}

const answer = ({ lesson, sent }, packed) => {
  const { client, sequence } = sent.at(-1);
  lesson.receive({ ...packed, header: { ...packed.header, client, sequence } }, (name, value) => sent.push(value));
};

beforeEach(() => { timers.clear(); frames.clear(); wished = ""; });

// ---------------------------------------------------------------- tests

test("a thousand lessons leave no listener, timer, frame or observer behind", () => {
  for (let n = 0; n < TIMES; n++) {
    const { lesson, root } = mount(positions());
    lesson.change({ stride: 3 }, "stride"); // a request, a frame, the settings and the address, all on their way
    root.querySelector(".bars").fire("pointerdown", { clientX: 10, clientY: 10, pointerId: 1 });
    lesson.receive(scatter(), () => {});
    lesson.picture.press("play", lesson);
    pass(frames);
    assert.ok(lesson.mover.moving);
    lesson.receive(learning(), () => {});
    lesson.picture.press("play", lesson);
    assert.ok(timers.size && observed.size === 1 && page.document.listeners.size === 2);
    lesson.dispose();
    assert.deepEqual([timers.size, frames.size, observed.size], [0, 0, 0]);
    assert.deepEqual([page.document.listeners.size, page.window.listeners.size, root.listeners.size], [0, 0, 0]);
    assert.ok(!root.isConnected);
  }
});

test("nothing happens to a lesson that is gone", () => {
  const { lesson, root, sent } = mount(learning());
  lesson.picture.press("play", lesson);
  answer({ lesson, sent }, learning());
  const before = sent.length;
  lesson.dispose();
  pass(frames);
  pass(timers);
  root.fire("keydown", { key: "ArrowUp" });
  page.document.fire("pointerdown");
  assert.equal(sent.length, before);
});

test("the server is told when a hand rests, once", () => {
  const { lesson, sent } = mount(positions());
  for (const value of [3, 4, 5]) lesson.change({ stride: value }, "dp");
  assert.equal(sent.length, 0);
  pass(timers);
  assert.deepEqual(sent.map(({ step, settings }) => [step, settings.stride]), [["positions", 5]]);
  assert.ok(page.location.href.endsWith("?step=3&stride=5"));
});

test("a link has what is not as usual, bars as letters", () => {
  const { lesson } = mount(positions());
  assert.ok(lesson.link().endsWith("/learn?step=3"));
  lesson.change({ bars: [3, ...Array(22).fill(0), -3] }, "dp");
  assert.ok(lesson.link().endsWith(`?step=3&bars=8${"e".repeat(22)}A`), lesson.link());
  lesson.reset();
  assert.ok(lesson.link().endsWith("/learn?step=3"));
});

test("while a request is under way the newest settings wait", () => {
  const { lesson, sent } = mount(learning());
  for (const value of [5, 6, 7]) lesson.change({ stride: value }, "weight");
  assert.deepEqual(sent.map(({ settings }) => settings.stride), [5]);
  answer({ lesson, sent }, learning());
  assert.deepEqual(sent.map(({ settings }) => settings.stride), [5, 7]);
});

test("an action that waits is not lost in settings that come after it, and the newest one counts", () => {
  const { lesson, sent } = mount(learning());
  for (const action of ["one", "one", "reset"]) lesson.picture.press(action, lesson);
  lesson.change({ stride: 6 }, "weight");
  answer({ lesson, sent }, learning());
  assert.deepEqual(sent.map(({ action, settings }) => [action, settings.stride]), [["one", 8], ["reset", 6]]);
});

test("what the server does not know yet of a step is told when the page is turned", () => {
  const { lesson, sent } = mount(positions());
  lesson.change({ stride: 6 }, "dp");
  lesson.receive(softmax(), (name, value) => sent.push(value));
  assert.deepEqual(sent.map(({ step, settings }) => [step, settings.stride]), [["positions", 6]]);
  lesson.receive(positions(), () => {});
  assert.equal(lesson.settings.stride, 6, "and the browser remembers it");
});

test("training goes on with every answer while it plays, a frame at a time", () => {
  const { lesson, sent } = mount(learning());
  lesson.picture.press("play", lesson);
  assert.deepEqual(sent.map(({ action }) => action), ["train"]);
  answer({ lesson, sent }, learning());
  assert.equal(sent.length, 1, "a tab nobody sees has no frames");
  pass(frames);
  assert.deepEqual(sent.map(({ action }) => action), ["train", "train"]);
  lesson.picture.press("play", lesson);
  answer({ lesson, sent }, learning());
  pass(frames);
  assert.equal(sent.length, 2, "paused");
});

test("a setting that moves by itself ends at its highest value", (context) => {
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const { lesson } = mount(scatter()), seen = [];
  lesson.picture.press("play", lesson);
  while (lesson.mover.moving) {
    now += 500;
    pass(frames);
    seen.push(lesson.settings.added);
  }
  assert.deepEqual(seen.slice(0, 3), [2, 4, 6]);
  assert.equal(seen.at(-1), 24);
});

test("a setting that moves by itself stops where the button is pressed again, or anything else is moved", (context) => {
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const { lesson } = mount(scatter());
  const ways = [() => lesson.picture.press("play", lesson), () => lesson.canvas.fire("pointerdown", {}), () => lesson.reset()];
  for (const stop of ways) {
    lesson.picture.press("play", lesson);
    now += 1000;
    pass(frames);
    stop();
    assert.ok(!lesson.mover.moving);
    const { added } = lesson.settings;
    now += 1000;
    pass(frames);
    assert.equal(lesson.settings.added, added);
  }
});

test("for those who want nothing to move, a setting is at its end at once, and at its beginning with another press", () => {
  wished = "(prefers-reduced-motion: reduce)";
  const { lesson } = mount(scatter()), seen = [];
  for (let n = 0; n < 3; n++) {
    lesson.picture.press("play", lesson);
    assert.ok(!lesson.mover.moving);
    seen.push(lesson.settings.added);
  }
  assert.deepEqual(seen, [0, 24, 0]);
});

test("what the picture shows is said when a hand rests", () => {
  const { lesson, root } = mount(positions()), spoken = root.querySelector(".spoken");
  root.querySelector(".readout").textContent = "Strides of 3";
  lesson.change({ stride: 3 }, "dp");
  assert.equal(spoken.textContent, "");
  pass(timers);
  assert.equal(spoken.textContent, "Strides of 3");
});

test("an output pixel of two axes is pointed at on the picture, over an alignment, and on the output", () => {
  const { lesson } = mount(axes({})), { picture } = lesson; // 600 pixels wide: strips of 58, pictures of 224
  picture.point(62 + 112, 86 + 112, lesson, false);
  const [k, l] = lesson.cell;
  assert.ok(k > 2 && k < 9 && l > 4 && l < 12, `${lesson.cell}`);
  picture.point(62 + 2, 50, lesson, false);
  assert.deepEqual([lesson.cell, lesson.term], [[k, 0], "width"]);
  picture.point(20, 86 + 222, lesson, false);
  assert.deepEqual([lesson.cell, lesson.term], [[11, 0], "height"]);
  picture.point(330 + 1, 86 + 1, lesson, false);
  assert.deepEqual([lesson.cell, lesson.term], [[0, 0], "outer"]);
  picture.step(1, 0, lesson);
  picture.step(0, -1, lesson);
  picture.step(0, 1, lesson);
  picture.step(0, 1, lesson);
  assert.deepEqual(lesson.cell, [0, 1], "and no further than the edge");
  for (const [x, y] of [[10, 30], [599, 20], [300, 199]]) picture.point(x, y, lesson, true);
  assert.deepEqual(lesson.cell, [0, 1], "beside it there is nothing");
});

test("an edge of the box follows the hand along its own axis over a mask, along both over the spectrum", () => {
  const { lesson } = mount(axes({ method: "diffstride" })), { picture, settings } = lesson, strides = () => [settings.height, settings.width];
  const at = (n) => ((n + 24.5) / 48) * 224; // the middle of a frequency
  picture.point(62 + at(9), 50, lesson, true);
  assert.deepEqual(strides().map((each) => each.toFixed(6)), ["4.000000", "3.000000"], "the mask's edge lies at 48 / (2 s) + 1");
  picture.point(62 + at(-13), 50, lesson, true);
  assert.deepEqual(strides().map((each) => each.toFixed(6)), ["4.000000", "2.000000"]);
  picture.point(62 + at(9), 86 + at(12), lesson, true);
  assert.deepEqual(strides().map((each) => each.toFixed(6)), ["2.000000", "3.000000"]);
  picture.point(20, 86 + at(0), lesson, true);
  assert.deepEqual(strides().map((each) => each.toFixed(6)), ["8.000000", "3.000000"]);
  picture.point(62 + at(3), 86 + at(3), lesson, false);
  picture.point(400, 150, lesson, true);
  assert.deepEqual(strides().map((each) => each.toFixed(6)), ["8.000000", "3.000000"], "only where the box is, and pressed");
  picture.step(1, 0, lesson);
  picture.step(0, 1, lesson);
  picture.step(0, -1, lesson);
  assert.deepEqual(strides(), [8, 2.95]);
});

test("keys move a bar and walk to its neighbour; a drag leaves no bar out", () => {
  const { lesson, root } = mount(positions()), box = root.querySelector(".bars");
  const key = (target, event) => root.fire("keydown", { composedPath: () => [target], ...event });
  key(box.children[11], { key: "ArrowUp" });
  key(box.children[11], { key: "ArrowDown", shiftKey: true });
  assert.equal(lesson.settings.bars[11], -0.9);
  key(box.children[11], { key: "ArrowRight" });
  assert.deepEqual([lesson.chosen, box.children[11].tabIndex, box.children[12].tabIndex], [12, -1, 0]);
  box.fire("pointerdown", { clientX: 0, clientY: 0, pointerId: 1 });
  box.fire("pointermove", { clientX: 599, clientY: 200, pointerId: 1 });
  assert.deepEqual([lesson.settings.bars[0], lesson.settings.bars[23]], [3, -3]);
  assert.ok(lesson.settings.bars.every((score, t) => t === 0 || score < lesson.settings.bars[t - 1]));
});
