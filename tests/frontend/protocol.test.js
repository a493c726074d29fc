// Packed bytes, and requests: one under way, the newest waits, and nothing is waited for too long.
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Requests, unpack } from "../../adastride/ui/frontend/protocol.js";
import { golden } from "./golden.js";

test("what Python packs is unpacked, at any address", () => {
  const bytes = Uint8Array.from(golden.packed);
  for (const offset of [0, 1, 4]) {
    const placed = new Uint8Array(bytes.length + offset);
    placed.set(bytes, offset);
    const { header, arrays } = unpack(placed.subarray(offset));
    assert.equal(header.title, "σ „quoted“ 🎵");
    assert.deepEqual([...arrays.odd], [0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual([...arrays.sound], [-32768, 0, 32767]);
    assert.deepEqual([...arrays.unit], [0, 0.5, 1]);
    assert.equal(arrays.empty.length, 0);
  }
});

const conversation = (options = {}) => {
  const sent = [], expired = [];
  const requests = new Requests((what, sequence) => sent.push([what, sequence]), { timeout: 1000, expired: () => expired.push(1), ...options });
  return { sent, expired, requests };
};

test("one request is under way, and of what is asked meanwhile the last is sent", () => {
  const { sent, requests } = conversation();
  for (const value of [1, 2, 3, 4]) requests.ask(value);
  assert.deepEqual(sent, [[1, 1]]);
  assert.ok(requests.expects(1) && !requests.expects(0));
  assert.equal(requests.answered(), 1);
  assert.ok(requests.next());
  assert.deepEqual(sent, [[1, 1], [4, 2]]);
  assert.ok(!requests.expects(1));
  requests.answered();
  assert.ok(!requests.next());
  assert.equal(sent.length, 2);
});

test("a drag always ends on its last value", () => {
  const { sent, requests } = conversation();
  for (let value = 1; value <= 1000; value++) {
    requests.ask(value);
    if (value % 7 === 0) { requests.answered(); requests.next(); }
  }
  for (let n = 0; n < 3; n++) { requests.answered(); requests.next(); }
  assert.equal(sent.at(-1)[0], 1000);
  assert.ok(sent.every(([, sequence], n) => sequence === n + 1));
  requests.dispose();
});

test("what waits may be put together", () => {
  const { sent, requests } = conversation({ combine: (old, now) => now || old });
  requests.ask("");
  requests.ask("measure");
  requests.ask("");
  requests.answered();
  requests.next();
  assert.deepEqual(sent.map(([what]) => what), ["", "measure"]);
  requests.dispose();
});

test("an answer that never comes is not waited for", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { sent, expired, requests } = conversation();
  requests.ask("a");
  requests.ask("b");
  mock.timers.tick(1000);
  assert.deepEqual(sent.map(([what]) => what), ["a", "b"]); // what waited is sent
  assert.equal(expired.length, 0);
  mock.timers.tick(1000);
  assert.equal(expired.length, 1); // nothing waited: the view decides
  assert.ok(!requests.busy);
  requests.ask("c");
  requests.forget();
  mock.timers.tick(5000);
  assert.equal(expired.length, 1);
  mock.timers.reset();
});
