// @ts-check
// Codes in a person's hands: segments that are dragged longer, given another code or taken out, and the codebook as a map. What is
// edited here the server decodes; its mel and its sound come with the viewer's answers.

import { fillPicture } from "../alignment.js";
import { frame, label, moment, paintPixels, paintRamp, prepare } from "../canvas.js";
import { RAMPS } from "../colours.js";
import { clamp } from "../numbers.js";
import { Player, wavBlob } from "../player.js";
import { Timeline, timeTicks, zoomWithKey } from "../timeline.js";
import { describe, onceAFrame, whenQuiet, write } from "../view.js";
import { CodeMap } from "./codemap.js";
import { number } from "../lanes.js";

/**
 * @typedef {{ codes: number[], durations: number[] }} Coding durations in mel frames
 * @typedef {Coding & { key: string, low: number, high: number, bands: number }} Edited
 * @typedef {object} Described as viewer.py describes a workbench
 * @property {number[]} codes @property {number[]} durations as the network made them
 * @property {string} book names the codebook @property {number} known how many codes it has
 * @property {number} framesPerSecond @property {number} mostSeconds
 * @property {[string, string][]} [paints] @property {number} [explained]
 * @property {Edited} [edited] @property {number} [rate] @property {string} [problem]
 * @typedef {{ stretch?: number, like?: Coding }} Then what the server does to durations
 */

const GRIP = 6; // CSS pixels around an edge that is dragged
const CLICK = 4; // CSS pixels: what moves further is a drag
const HEARD_MS = 350; // nothing has been edited for so long: time to make the sound of it
const MOST_PAST = 200; // edits that can be undone
const SLOWER = 1.5;
// Rows of the picture, in CSS pixels at the usual size of type: top and bottom.
const ROWS = { before: [0, 22], now: [28, 68], mel: [74, 166], axis: [168, 186] };
const GUTTER = 46, RIGHT = 6;
const HINT = "Drag the edge of a code to make it last longer, click one to hear it. Click a code of the map to hear where it occurs.";

const total = (/** @type {number[]} */ numbers) => numbers.reduce((sum, each) => sum + each, 0);

const reduced = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** @param {Coding} one @param {Coding} other */
const sameCoding = (one, other) => one.codes.join() === other.codes.join() && one.durations.join() === other.durations.join();

/** The player of the edited sound, which may have to be made first. */
class EditedPlayer extends Player {
  /**
   * @param {Bench} bench @param {Timeline} timeline @param {ConstructorParameters<typeof Player>[1]} shown @param {AbortSignal} signal
   */
  constructor(bench, timeline, shown, signal) {
    super(timeline, shown, signal);
    this.bench = bench;
  }

  toggle() {
    if (!this.audio.paused) super.toggle();
    else this.bench.whenMade(() => super.toggle());
  }
}

export class Bench {
  /** @param {import("./viewer.js").Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    this.host = /** @type {HTMLElement} */ (explorer.one(".bench"));
    this.strips = this.element(".strips");
    /** @type {HTMLCanvasElement} */ this.base = this.strips.querySelector("canvas.base");
    /** @type {HTMLCanvasElement} */ this.cover = this.strips.querySelector("canvas.cover");
    /** @type {Described | null} */
    this.described = null;
    /** @type {Coding | null} as the network made it */
    this.encoded = null;
    /** @type {Coding} in hand */
    this.now = { codes: [], durations: [] };
    /** @type {Coding[]} what was before, the latest last */
    this.past = [];
    /** @type {Then | null} is to be done to what is in hand */
    this.then = null;
    /** @type {(() => void)[]} what somebody does before the server has done that */
    this.later = [];
    /** @type {{ data: Uint8Array, coding: Coding, key: string, bands: number } | null} what the server made of it */
    this.made = null;
    /** @type {{ title: string, book: string, coding: Coding } | null} durations that somebody keeps for another recording */
    this.kept = null;
    this.selected = -1; // a place
    this.chosen = -1; // a code
    this.asking = false; // somebody looks at the bench or edits on it
    this.inView = false;
    this.wanting = false;
    this.heardOnce = false;
    this.sounding = ""; // the key of the sound in the player
    /** @type {(() => void) | null} to be done when the sound is there */
    this.waiting = null;
    /** @type {{ place: number, x: number, duration: number, pushed: boolean } | null} */
    this.drag = null;
    this.problem = "";
    this.timeline = new Timeline(() => this.drawSoon());
    this.player = new EditedPlayer(this, this.timeline, {
      button: this.element(".bench-play"), moved: () => this.coverSoon(), failed: (message) => this.say(message),
    }, explorer.signal);
    paintRamp(this.element(".bench-foot .ramp"), RAMPS.mel);
    this.map = new CodeMap(this, this.element(".map"));
    this.drawSoon = onceAFrame(() => this.draw());
    this.coverSoon = onceAFrame(() => this.drawCover());
    this.hearSoon = whenQuiet(() => this.hear(), HEARD_MS, explorer.signal);
    this.listen();
  }

  /** @param {string} selector @returns {any} */
  element(selector) { return this.host.querySelector(selector); }

  // ------------------------------------------------------------ data in and out

  /** @param {Described | undefined} described @param {Record<string, any>} arrays */
  take(described, arrays) {
    this.host.hidden = !described;
    /** @type {HTMLElement} */ (this.explorer.one(".to-bench")).hidden = !described;
    if (!described) {
      this.described = this.encoded = this.made = null;
      this.past = [];
      return;
    }
    const paints = described.paints ?? this.described?.paints, explained = described.explained ?? this.described?.explained;
    this.described = { ...described, paints, explained };
    if (arrays.bookPoints) this.map.take(arrays.bookPoints);
    const { codes, durations } = described;
    if (!this.encoded || !sameCoding(this.encoded, { codes, durations })) this.begin({ codes, durations });
    else this.takeEdited(described, arrays);
    this.refresh();
  }

  /** Other codes lie on the bench. @param {Coding} encoded */
  begin(encoded) {
    this.problem = this.past.length ? "These are other codes: what was edited is gone." : "";
    this.encoded = this.now = encoded;
    this.past = [];
    this.then = this.made = this.waiting = this.drag = null;
    this.later = [];
    this.selected = this.chosen = -1;
    this.asking = false;
    this.player.audio.pause();
    this.open();
  }

  /** @param {Described} described @param {Record<string, any>} arrays */
  takeEdited({ edited, problem, rate }, arrays) {
    if (problem) {
      this.now = this.past.pop() ?? this.encoded;
      this.problem = problem;
      this.then = this.waiting = this.drag = null; // a drag ends here, or it would go on from what it has lost
      this.later = [];
      this.open();
      if (!this.made || !sameCoding(this.made.coding, this.now)) this.ask();
    }
    if (!edited) return;
    const coding = { codes: edited.codes, durations: edited.durations };
    if (this.then) {
      this.now = coding;
      this.then = null;
      this.open();
      while (this.later.length && !this.then) this.later.shift()();
    }
    if (!sameCoding(coding, this.now)) return; // an answer to an edit on the way
    this.made = { data: arrays.editedMel, coding, key: edited.key, bands: edited.bands };
    write(this.element(".bench-low"), `mel ${number(edited.low)}`);
    write(this.element(".bench-high"), `${number(edited.high)} dB`);
    if (arrays.editedSound) this.takeSound(arrays.editedSound, rate, edited.key);
  }

  /** @param {Int16Array<ArrayBuffer>} samples @param {number} rate @param {string} key */
  takeSound(samples, rate, key) {
    const { waiting } = this;
    if (key !== this.sounding) this.player.open(wavBlob(samples, rate)); // one that was asked for twice may be playing already
    this.sounding = key;
    this.waiting = null;
    waiting?.();
  }

  /** What a request says besides the settings. */
  get asked() {
    const { described, now, then, wanting, made } = this;
    if (!described) return { book: "", edit: null, hear: [] };
    const edit = this.asking ? { ...now, ...then } : null;
    this.wanting = false;
    return { book: described.paints ? described.book : "", edit, hear: wanting && made && !then ? [made.key] : [] };
  }

  /** Everything is as the server has it: what lies on the bench may be decoded, and heard. */
  settled() {
    if (!this.described) return;
    if (!this.made && this.inView) this.ask();
    else if (this.waiting) this.hear();
    else if (this.heardOnce && this.made && this.sounding !== this.made.key) this.hearSoon.ask();
  }

  ask() {
    this.asking = true;
    this.explorer.requests.ask();
  }

  // ------------------------------------------------------------ the sound

  /** Does something with the sound of what is in hand, as soon as there is one. @param {() => void} act */
  whenMade(act) {
    this.heardOnce = true;
    if (this.made && this.sounding === this.made.key && sameCoding(this.made.coding, this.now)) return act();
    this.waiting = act;
    this.say("Making the sound …");
    if (this.made && sameCoding(this.made.coding, this.now)) this.hear();
    else this.ask();
  }

  hear() {
    if (!this.made || this.sounding === this.made.key) return;
    this.wanting = true;
    this.ask();
  }

  /** @param {number} place */
  playPlace(place) {
    const [from, to] = this.spanOf(place);
    this.whenMade(() => { this.player.playFrom(from, to); this.refresh(); });
  }

  // ------------------------------------------------------------ edits

  /** @param {Coding} next @param {Then | null} [then] what the server does to it */
  edit(next, then = null) {
    this.past.push(this.now);
    if (this.past.length > MOST_PAST) this.past.shift();
    this.change(next, then);
  }

  /** @param {Coding} next @param {Then | null} [then] */
  change(next, then = null) {
    this.now = next;
    this.then = then;
    this.problem = "";
    this.selected = Math.min(this.selected, next.codes.length - 1);
    if (!this.drag) this.open();
    this.refresh();
    this.ask();
  }

  /** Edits what is in hand, which the server may be at work on: one thing after the other. @param {() => void} act */
  inTurn(act) {
    if (this.then) this.later.push(act);
    else act();
  }

  undo() {
    if (this.past.length) this.change(this.past.pop());
  }

  /** @param {number} by mel frames */
  lengthen(by) {
    const { now, selected } = this, duration = Math.max(1, now.durations[selected] + by);
    if (selected >= 0 && duration !== now.durations[selected]) this.edit({ ...now, durations: now.durations.with(selected, duration) });
  }

  remove() {
    const { now: { codes, durations }, selected } = this;
    if (selected < 0 || codes.length < 2) return;
    this.edit({ codes: codes.toSpliced(selected, 1), durations: durations.toSpliced(selected, 1) });
  }

  put() {
    const { now, selected, chosen } = this;
    if (selected >= 0 && chosen >= 0 && now.codes[selected] !== chosen) this.edit({ ...now, codes: now.codes.with(selected, chosen) });
  }

  /** @param {number} place */
  select(place) {
    this.selected = clamp(place, -1, this.now.codes.length - 1);
    this.problem = "";
    this.refresh();
  }

  /** @param {number} code */
  choose(code) {
    this.chosen = code;
    this.problem = "";
    this.refresh();
    const place = this.now.codes.indexOf(code);
    if (place >= 0) this.playPlace(place);
  }

  keep() {
    this.kept = { title: this.explorer.clip.title, book: this.described.book, coding: this.now };
    this.refresh();
  }

  // ------------------------------------------------------------ time

  /** @param {Coding} [coding] */
  secondsOf(coding = this.now) { return total(coding.durations) / this.described.framesPerSecond; }

  /** Shows all of what is in hand and of what was. */
  open() {
    if (this.described) this.timeline.open(Math.max(this.secondsOf(), this.secondsOf(this.encoded), 0.01));
  }

  /** When codes begin, and when the last one ends, in seconds: frame j is centred on j hops. @param {Coding} coding */
  edgesOf({ durations }) {
    let frames = 0;
    return [0, ...durations.map((duration, n) => {
      frames += duration;
      return (frames - (n < durations.length - 1 ? 0.5 : 0)) / this.described.framesPerSecond;
    })];
  }

  /** @param {number} place @returns {[number, number]} */
  spanOf(place) {
    const edges = this.edgesOf(this.now);
    return [edges[place], edges[place + 1]];
  }

  // ------------------------------------------------------------ controls

  listen() {
    const { explorer } = this, press = (selector, act) => explorer.on(this.element(selector), "click", act);
    const edits = {
      ".slower": () => this.edit(this.now, { stretch: SLOWER }), ".faster": () => this.edit(this.now, { stretch: 1 / SLOWER }),
      ".undo": () => this.undo(), ".restore": () => this.edit(this.encoded), ".keep": () => this.keep(),
      ".take": () => this.edit(this.now, { like: this.kept.coding }), ".shorter": () => this.lengthen(-1),
      ".longer": () => this.lengthen(1), ".remove": () => this.remove(), ".put": () => this.put(),
    };
    for (const [selector, act] of Object.entries(edits)) press(selector, () => this.inTurn(act));
    explorer.on(explorer.one(".to-bench"), "click", () => {
      this.host.scrollIntoView({ block: "nearest", behavior: reduced() ? "instant" : "smooth" });
      this.base.focus({ preventScroll: true });
    });
    explorer.on(this.host, "keydown", (event) => { if (this.key(event)) { event.preventDefault(); event.stopPropagation(); } });
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave"]) {
      explorer.on(this.base, type, (event) => this.point(event));
    }
    explorer.on(this.base, "wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      this.timeline.zoom(Math.exp(clamp(event.deltaY, -60, 60) / 120), this.timeline.time(this.shareAt(event)));
      event.preventDefault();
    }, { passive: false });
    const seen = new IntersectionObserver(([{ isIntersecting }]) => {
      this.inView = isIntersecting;
      if (isIntersecting && explorer.root.dataset.state === "settled") this.settled();
    });
    seen.observe(this.host);
    explorer.signal.addEventListener("abort", () => seen.disconnect());
  }

  /** Gives whether the key meant something. @param {KeyboardEvent} event */
  key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") { this.inTurn(() => this.undo()); return true; }
    if (event.target instanceof HTMLButtonElement) return false;
    if (event.key === " ") { this.player.toggle(); return true; }
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.target === this.map.canvas) return this.map.key(event.key);
    if (event.target !== this.base) return false;
    const act = {
      ArrowRight: () => this.select(this.selected + 1), ArrowLeft: () => this.select(Math.max(0, this.selected - 1)),
      ArrowUp: () => this.inTurn(() => this.lengthen(1)), ArrowDown: () => this.inTurn(() => this.lengthen(-1)),
      Delete: () => this.inTurn(() => this.remove()), Backspace: () => this.inTurn(() => this.remove()),
      Enter: () => { if (this.selected >= 0) this.playPlace(this.selected); },
    }[event.key];
    act?.();
    return Boolean(act) || zoomWithKey(event.key, this.timeline);
  }

  // ------------------------------------------------------------ pointers

  /** @param {PointerEvent | WheelEvent} event */
  shareAt(event) { return (event.clientX - this.base.getBoundingClientRect().left - this.box.x) / this.box.width; }

  /** Where the pointer is: a row, the place of a code in it, and whether it is on that code's end. @param {PointerEvent} event */
  at(event) {
    const y = (event.clientY - this.base.getBoundingClientRect().top) / this.scale, share = this.shareAt(event);
    const row = Object.keys(ROWS).find((name) => y <= ROWS[name][1]) ?? "axis";
    const edges = this.edgesOf(row === "before" ? this.encoded : this.now), { from, to } = this.timeline, time = from + share * (to - from);
    const away = (/** @type {number} */ n) => Math.abs(this.timeline.share(edges[n]) - share) * this.box.width;
    const inside = edges.findIndex((edge, n) => n + 1 < edges.length && time >= edge && time < edges[n + 1]);
    const near = [inside, inside < 0 ? edges.length - 2 : inside - 1].find((n) => n >= 0 && away(n + 1) < GRIP);
    return { row, place: inside, time, edge: row === "now" && near !== undefined ? near : -1 };
  }

  /** @param {PointerEvent} event */
  point(event) {
    if (!this.described) return;
    const { drag } = this;
    if (event.type === "pointermove" && drag) return this.pull(event);
    if (event.type === "pointerleave") return this.refresh();
    const found = this.at(event);
    if (event.type === "pointermove") {
      this.base.style.cursor = found.edge >= 0 ? "ew-resize" : "pointer";
      if (found.place >= 0 && (found.row === "now" || found.row === "before")) this.say(this.placeNamed(found.row, found.place));
    } else if (event.type === "pointerdown" && !event.button) {
      this.base.setPointerCapture(event.pointerId);
      const place = found.edge >= 0 ? found.edge : -1;
      this.drag = { place, x: event.clientX, duration: this.now.durations[place] ?? 0, pushed: false };
    } else if (drag) this.release(event, found);
  }

  /** The end of a code follows the pointer. @param {PointerEvent} event */
  pull(event) {
    const { drag, now, timeline, box } = this, moved = event.clientX - drag.x;
    if (drag.place < 0 || this.then || (!drag.pushed && Math.abs(moved) < 2)) return;
    const frames = (moved / box.width) * (timeline.to - timeline.from) * this.described.framesPerSecond;
    const next = { ...now, durations: now.durations.with(drag.place, Math.max(1, Math.round(drag.duration + frames))) };
    this.selected = drag.place;
    if (sameCoding(next, now)) return;
    if (drag.pushed) this.change(next);
    else this.edit(next);
    drag.pushed = true;
  }

  /** @param {PointerEvent} event @param {ReturnType<Bench["at"]>} found */
  release(event, found) {
    const { drag } = this;
    this.drag = null;
    if (drag.pushed) { this.open(); return this.refresh(); }
    if (event.type !== "pointerup" || Math.abs(event.clientX - drag.x) > CLICK) return;
    if (found.row === "now" && found.place >= 0) {
      this.select(found.place);
      this.playPlace(found.place);
    } else if (found.time < this.secondsOf()) this.whenMade(() => { this.player.playFrom(found.time); this.refresh(); });
  }

  // ------------------------------------------------------------ in words

  /** @param {string} text */
  say(text) { write(this.element(".bench-words"), text); }

  /** @param {string} row @param {number} place */
  placeNamed(row, place) {
    const coding = row === "before" ? this.encoded : this.now, edges = this.edgesOf(coding), frames = coding.durations[place];
    const lasting = `${frames} mel frame${frames === 1 ? "" : "s"}, ${Math.round((1000 * frames) / this.described.framesPerSecond)} ms`;
    return `Place ${place}: code ${coding.codes[place]}, ${lasting}, from ${edges[place].toFixed(2)} s.`;
  }

  /** @param {number} code */
  codeNamed(code) {
    const { codes, durations } = this.now, places = codes.flatMap((each, n) => (each === code ? [n] : []));
    if (!places.length) return `Code ${code} does not occur here.`;
    const seconds = total(places.map((n) => durations[n])) / this.described.framesPerSecond;
    return `Code ${code}: ${places.length === 1 ? "once" : `${places.length} times`}, ${seconds.toFixed(2)} s in all.`;
  }

  refresh() {
    const { described, encoded, now, selected, chosen, kept } = this;
    if (!described) return;
    const one = selected >= 0, put = this.element(".put"), takes = this.element(".take");
    this.element(".undo").disabled = !this.past.length;
    this.element(".restore").disabled = sameCoding(now, encoded);
    this.element(".shorter").disabled = !one || now.durations[selected] < 2;
    this.element(".longer").disabled = !one;
    this.element(".remove").disabled = !one || now.codes.length < 2;
    put.disabled = !one || chosen < 0 || now.codes[selected] === chosen;
    write(put, put.disabled ? "Put another code here" : `Put code ${chosen} here`);
    takes.hidden = !kept || kept.book !== described.book || sameCoding(kept.coding, now);
    if (kept) write(takes, `Take the durations of “${kept.title}”`);
    const said = [one ? this.placeNamed("now", selected) : "", chosen >= 0 ? this.codeNamed(chosen) : ""].filter(Boolean).join(" ");
    this.say(this.problem || said || HINT);
    this.element(".bench-words").classList.toggle("problem", Boolean(this.problem));
    const before = this.secondsOf(encoded).toFixed(2), length = this.secondsOf().toFixed(2);
    write(this.element(".bench-clock"), `${now.codes.length} codes, ${length} s${before === length ? "" : `, before ${before} s`}`);
    const keys = "Left and right arrow keys choose one, up and down change how long it lasts.";
    describe(this.base, `${now.codes.length} codes in ${length} seconds. ${keys}`);
    this.map.refresh();
    this.drawSoon();
  }

  // ------------------------------------------------------------ drawing

  get scale() { return this.explorer.theme?.scale ?? 1; }

  get box() {
    const x = GUTTER * this.scale, width = this.base.clientWidth;
    return { x, width: Math.max(10, width - x - RIGHT), height: ROWS.axis[1] * this.scale };
  }

  draw() {
    const { explorer, base, described } = this;
    if (!described || !explorer.theme || this.host.hidden) return;
    const { box } = this, size = { width: base.clientWidth, height: box.height };
    base.style.height = `${size.height}px`;
    const context = prepare(base, size);
    this.drawRow(context, "before", this.encoded, 0.75);
    this.drawRow(context, "now", this.now, 1);
    this.drawMel(context);
    this.drawAxis(context);
    this.map.draw();
    this.drawCover();
  }

  /** @param {CanvasRenderingContext2D} context @param {"before" | "now"} row @param {Coding} coding @param {number} strength */
  drawRow(context, row, coding, strength) {
    const { explorer: { theme }, timeline, box, chosen, selected, described, scale } = this, edges = this.edgesOf(coding);
    const [top, bottom] = ROWS[row].map((y) => y * scale), shade = theme.name === "light" ? 0 : 1, seen = coding.codes.includes(chosen);
    label(context, theme, row === "now" ? "Now" : "Before", box.x - 6, (top + bottom) / 2);
    context.save();
    context.beginPath();
    context.rect(box.x, top, box.width, bottom - top);
    context.clip();
    coding.codes.forEach((code, n) => {
      const left = box.x + timeline.share(edges[n]) * box.width, right = box.x + timeline.share(edges[n + 1]) * box.width;
      if (right < box.x || left > box.x + box.width) return;
      context.globalAlpha = seen && code !== chosen ? 0.25 : strength;
      context.fillStyle = described.paints[code][shade];
      context.fillRect(left, top, Math.max(1, right - left - 1), bottom - top);
      context.globalAlpha = 1;
      context.font = `${12 * scale}px ${theme.font}`;
      if (row === "now" && context.measureText(String(code)).width + 4 < right - left) {
        label(context, theme, String(code), (left + right) / 2, (top + bottom) / 2, { align: "center", alpha: 0.95, size: 12 });
      }
      if (row === "now" && n === selected) {
        context.strokeStyle = theme.ink(1);
        context.lineWidth = 2;
        context.strokeRect(left + 1, top + 1, Math.max(1, right - left - 3), bottom - top - 2);
      }
    });
    context.restore();
  }

  /** @param {CanvasRenderingContext2D} context */
  drawMel(context) {
    const { explorer: { theme }, box, made, timeline, scale, described } = this, [top, bottom] = ROWS.mel.map((y) => y * scale);
    label(context, theme, "Mel", box.x - 6, (top + bottom) / 2);
    if (!made) return;
    const frames = made.data.length / made.bands, height = Math.round(bottom - top);
    const begins = (/** @type {number} */ n) => Math.max(0, n - (n === frames ? 0 : 0.5)) / described.framesPerSecond;
    const edges = Float64Array.from({ length: frames + 1 }, (_, n) => begins(n));
    const sheet = document.createElement("canvas"), ratio = devicePixelRatio || 1; // pixels are painted from the top of a canvas
    const inner = prepare(sheet, { width: box.width, height });
    paintPixels(inner, { x: 0, width: box.width, height }, (pixels, width, rows) => {
      fillPicture(pixels, width, rows, { data: made.data, rows: made.bands, edges }, timeline.view, 0, made.bands, RAMPS.mel);
    });
    context.globalAlpha = sameCoding(made.coding, this.now) ? 1 : 0.4; // of what was: the answer is on its way
    context.drawImage(sheet, 0, 0, sheet.width, sheet.height, box.x, top, sheet.width / ratio, sheet.height / ratio);
    context.globalAlpha = 1;
    context.save();
    context.translate(0, top);
    frame(context, { ...box, height }, theme);
    context.restore();
  }

  /** @param {CanvasRenderingContext2D} context */
  drawAxis(context) {
    const { explorer: { theme }, box, timeline, scale } = this, y = (ROWS.axis[0] + ROWS.axis[1]) / 2 * scale;
    context.font = `${11 * scale}px ${theme.font}`;
    const { times, places } = timeTicks(timeline.view, box.width, (text) => context.measureText(`${text} s`).width + 24);
    for (const time of times) {
      const x = box.x + timeline.share(time) * box.width, text = `${time.toFixed(places)} s`, half = context.measureText(text).width / 2;
      label(context, theme, text, clamp(x, box.x + half, box.x + box.width - half), y, { align: "center" });
    }
  }

  drawCover() {
    const { explorer: { theme }, cover, box, player, timeline } = this;
    if (!this.described || !theme) return;
    const context = prepare(cover, { width: this.base.clientWidth, height: box.height }), share = timeline.share(player.playhead);
    if (player.playhead <= 0 || share < 0 || share > 1) return;
    moment(context, theme, box.x + share * box.width, ROWS.mel[1] * this.scale, theme.accent);
  }
}
