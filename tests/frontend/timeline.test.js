// The window of time: its limits, and pointers that leave nothing behind.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Timeline, followPointer, timeTicks, zoomWithKey } from "../../adastride/ui/frontend/timeline.js";

const opened = (seconds) => {
  let moves = 0;
  const timeline = new Timeline(() => { moves++; });
  timeline.open(seconds);
  return { timeline, moves: () => moves };
};
const near = (a, b, tolerance = 1e-9) => assert.ok(Math.abs(a - b) < tolerance, `${a} is not ${b}`);

test("zooming keeps its centre, and neither leaves the clip nor becomes nothing", () => {
  const { timeline } = opened(5);
  assert.ok(timeline.whole);
  timeline.zoom(0.5, 2);
  near(timeline.share(2), 0.4);
  for (let n = 0; n < 50; n++) timeline.zoom(0.5, 2);
  near(timeline.to - timeline.from, 0.05);
  for (let n = 0; n < 50; n++) timeline.zoom(2, 4.9);
  assert.deepEqual(timeline.view, { from: 0, to: 5 });
});

test("panning stops at both ends", () => {
  const { timeline, moves } = opened(5);
  timeline.show(1, 2);
  timeline.pan(-3);
  assert.deepEqual(timeline.view, { from: 0, to: 1 });
  timeline.pan(100);
  near(timeline.from, 4);
  near(timeline.to, 5);
  assert.equal(moves(), 3);
});

test("a clip shorter than the shortest window is shown whole", () => {
  const { timeline } = opened(0.01);
  timeline.zoom(0.1);
  assert.deepEqual(timeline.view, { from: 0, to: 0.01 });
});

test("times and places are each other's inverse, within the clip", () => {
  const { timeline } = opened(8);
  timeline.show(2, 6);
  near(timeline.time(timeline.share(3.3)), 3.3);
  assert.equal(timeline.time(-9), 0);
  assert.equal(timeline.time(9), 8);
});

test("keys", () => {
  const { timeline } = opened(4);
  assert.ok(zoomWithKey("+", timeline, 1) && timeline.to - timeline.from === 2);
  assert.ok(zoomWithKey("-", timeline) && timeline.whole);
  timeline.show(1, 2);
  assert.ok(zoomWithKey("0", timeline) && timeline.whole);
  assert.ok(!zoomWithKey("x", timeline));
});

test("ticks are round, in view, and have room", () => {
  for (const [from, to] of [[0, 5], [1.23, 1.31], [0, 3600], [59.9, 61]]) {
    for (const width of [120, 300, 1100]) {
      const { times, step, places } = timeTicks({ from, to }, width, (text) => 7 * text.length + 20);
      assert.ok(times.every((time) => time >= from - 1e-9 && time <= to + 1e-9));
      assert.ok((step / (to - from)) * width > 20);
      assert.ok(times.length < 40);
      near(step, Number(step.toFixed(places)), 1e-12);
    }
  }
});

// An element that counts its listeners, as EventTarget does not tell.
class Element extends EventTarget {
  listeners = 0;
  addEventListener(type, handler, options) {
    super.addEventListener(type, handler, options);
    this.listeners++;
    options?.signal?.addEventListener("abort", () => { this.listeners--; }, { once: true });
  }
  getBoundingClientRect() { return { left: 0, top: 0, width: 100, height: 10 }; }
  setPointerCapture() {}
}

const pointer = (type, fields) => Object.assign(new Event(type, { cancelable: true }), { button: 0, pointerId: 1, clientX: 0, clientY: 0, ...fields });

test("a click plays, a drag pans, and Ctrl + wheel zooms", () => {
  const element = new Element(), { timeline } = opened(10), pressed = [], hovered = [], ending = new AbortController();
  const panel = { plot: () => ({ left: 0, width: 100 }), hover: (event, time) => hovered.push(event && time), press: (time) => pressed.push(time) };
  followPointer(element, timeline, panel, ending.signal);
  element.dispatchEvent(pointer("pointermove", { clientX: 30 }));
  assert.deepEqual(hovered, [3]);
  element.dispatchEvent(pointer("pointerdown", { clientX: 50 }));
  element.dispatchEvent(pointer("pointerup", { clientX: 50 }));
  assert.deepEqual(pressed, [5]);
  const wheel = pointer("wheel", { ctrlKey: true, deltaX: 0, deltaY: -120, clientX: 50 });
  element.dispatchEvent(wheel);
  assert.ok(wheel.defaultPrevented && timeline.to - timeline.from < 7);
  const { from } = timeline.view;
  element.dispatchEvent(pointer("pointerdown", { clientX: 50 }));
  element.dispatchEvent(pointer("pointermove", { clientX: 30 }));
  element.dispatchEvent(pointer("pointerup", { clientX: 30 }));
  assert.ok(timeline.from > from);
  assert.equal(pressed.length, 1); // it was no click
  const plain = pointer("wheel", { deltaX: 0, deltaY: 60 });
  element.dispatchEvent(plain);
  assert.ok(!plain.defaultPrevented); // the page scrolls
  ending.abort();
});

test("a thousand panels come and go and leave no listener", () => {
  const element = new Element(), { timeline } = opened(10);
  const panel = { plot: () => ({ left: 0, width: 100 }), hover: () => { throw new Error("a panel that is gone still listens"); }, press() {} };
  for (let n = 0; n < 1000; n++) {
    const ending = new AbortController();
    followPointer(element, timeline, panel, ending.signal);
    assert.equal(element.listeners, 6);
    ending.abort();
    assert.equal(element.listeners, 0);
  }
  element.dispatchEvent(pointer("pointermove", { clientX: 1 }));
});
