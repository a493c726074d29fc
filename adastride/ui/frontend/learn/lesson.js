// @ts-check
// The view of the Learn page: it keeps the settings of the steps, draws a step's picture whenever they change, and tells the server.
// Hands are followed at once; what needs torch comes with an answer of the server, one request under way.

import { prepare } from "../canvas.js";
import { watch } from "../conversation.js";
import { clamp } from "../numbers.js";
import { Requests, lineAddress } from "../protocol.js";
import { View, note, whenQuiet } from "../view.js";
import { Bars } from "./bars.js";
import { makeActions, makeWidgets } from "./controls.js";
import { Frames, Mover } from "./frames.js";
import { followKeys, followPointer } from "./hands.js";
import { lessonLink } from "./link.js";
import { Pen } from "./pen.js";
import { PICTURES } from "./steps/index.js";
import { readLessonTheme } from "./theme.js";

/** @typedef {import("./controls.js").Control} Control */
/** @typedef {import("./controls.js").Widget} Widget */

const QUIET_MS = 250; // a step that needs no server tells it its settings when nothing has moved for so long
const ANSWER_TIMEOUT_MS = 15_000;
const PRESENTERS_REST = 360; // pixels of a projector's height that are not the picture's
const PRESENTERS_WIDTH = 700; // a narrower screen has no room for larger pictures

export class Lesson extends View {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.client = Math.random().toString(36).slice(2);
    /** @type {HTMLCanvasElement} */ this.canvas = this.one(".picture");
    /** @type {HTMLElement} */ this.readout = this.one(".readout");
    this.bars = new Bars(this, this.one(".bars"));
    /** @type {Record<string, any>} settings of steps seen before */ this.remembered = {};
    /** @type {any} */ this.header = null;
    /** @type {Record<string, any>} */ this.arrays = {};
    /** @type {any} of the step's controls by name */ this.settings = {};
    /** @type {Pen} */ this.pen = null;
    this.startStep("");
    this.unsaid = false; // settings have changed that the server has not been told
    this.byHand = false; // what somebody did last was a click, not a key
    this.requests = new Requests((action, sequence) => this.send(action, sequence), {
      timeout: ANSWER_TIMEOUT_MS, expired: () => {}, combine: (waiting, asked) => asked || waiting || "",
    });
    this.line = watch(() => this.link());
    this.tellSoon = whenQuiet(() => this.request(), QUIET_MS, this.signal);
    this.restSoon = whenQuiet(() => this.rest(), QUIET_MS, this.signal);
    this.frames = new Frames(this.signal);
    this.mover = new Mover(this);
    this.listen();
  }

  dispose() {
    this.requests.dispose();
    this.line.close();
    super.dispose();
  }

  get picture() { return PICTURES[this.header.step]; }

  /** Is a request under way? */
  get busy() { return this.requests.busy; }

  /** @param {string} name @returns {any} a Control */
  control(name) { return this.header.controls.find((/** @type {Control} */ each) => each.name === name); }

  // ------------------------------------------------------------ from the server

  /** @param {{ header: any, arrays: Record<string, any> }} packed @param {(name: string, value: unknown) => void} setStateValue */
  receive({ header, arrays }, setStateValue) {
    this.setStateValue = setStateValue;
    this.line.open(header.line && lineAddress(header.line, import.meta.url));
    note("received", header.sequence);
    const answered = header.client === this.client && header.sequence === this.requests.underWay;
    const turned = header.step !== this.header?.step, presented = header.presenter !== this.header?.presenter;
    if (answered) this.requests.answered();
    if (turned) this.leaveStep();
    Object.assign(this, { header, arrays });
    if (turned) this.openStep();
    this.remembered[header.step] = this.settings;
    if (header.finished) this.playing = false;
    this.freeArrowKeys();
    this.root.classList.toggle("presenter", header.presenter);
    this.refresh();
    this.draw();
    if (presented && !turned) this.writeAddress(this.link());
    if (turned) this.picture.opened?.(this);
    if (answered) this.picture.received?.(this);
    this.requests.next();
  }

  /** Another step has been turned to: what the server does not know of this one yet would be lost on another page. */
  leaveStep() {
    this.mover.stop();
    if (!this.unsaid && this.requests.waiting === null) return;
    this.requests.forget();
    this.request();
  }

  openStep() {
    const { header } = this, { controls, step, terms } = header;
    this.startStep(terms[0]);
    this.settings = this.remembered[step] ?? header.settings;
    this.widgets = makeWidgets(controls, this);
    this.actions = makeActions(this.picture.buttons ?? [], this);
    this.one(".controls").replaceChildren(...Object.values(this.widgets).map(({ element }) => element));
    this.one(".actions").replaceChildren(...this.actions.elements);
    this.bars.build(this.control("bars")?.usual.length ?? 0);
    this.canvas.tabIndex = this.picture.step ? 0 : -1;
    this.canvas.classList.toggle("pointed", Boolean(this.picture.point));
    this.writeAddress(this.link());
  }

  /** Nobody has pointed at anything yet. @param {string} term in play */
  startStep(term) {
    /** @type {string} */ this.term = term;
    this.playing = false;
    /** @type {number | null} the frame that somebody points at */ this.chosen = null;
    /** @type {[row: number, column: number] | null} */ this.cell = null;
  }

  /** Streamlit's shortcuts rest while a switch has the focus: after a click there (not a key) arrows should turn pages. */
  freeArrowKeys() {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    if (this.byHand && focused?.matches('[type="checkbox"]')) focused.blur();
  }

  // ------------------------------------------------------------ to the server

  /** Tells the server the settings. @param {string} [action] what it is to do beyond following them */
  request(action = "") {
    this.tellSoon.stop();
    this.unsaid = false;
    this.requests.ask(action);
  }

  /** @param {string} action @param {number} sequence */
  send(action, sequence) {
    const { client, term, header: { step } } = this;
    this.tellSoon.stop();
    this.unsaid = false;
    note("sent", sequence);
    this.setStateValue("request", { client, sequence, step, settings: structuredClone(this.settings), term, action });
  }

  /** Somebody has moved something. @param {Record<string, any>} values settings @param {string} term what they move in the formula */
  change(values, term) {
    const began = performance.now();
    Object.assign(this.settings, values);
    this.refresh();
    this.draw();
    this.frames.next(() => note("painted", performance.now() - began));
    if (this.header.live) this.request();
    else {
      this.unsaid = true;
      this.tellSoon.ask();
    }
    this.setTerm(term);
    this.restSoon.ask();
  }

  /** What was moved rests: the address bar and screen readers get what the picture shows now. */
  rest() {
    this.writeAddress(this.link());
    this.say(this.readout.textContent);
  }

  /** Puts every control back. */
  reset() {
    this.mover.stop();
    const usual = Object.fromEntries(this.header.controls.map((/** @type {Control} */ { name, usual }) => [name, usual]));
    this.change(structuredClone(usual), this.header.terms[0]);
    this.picture.reset?.(this);
  }

  /** The term that the formula marks. @param {string} term */
  setTerm(term) {
    if (!term || term === this.term || !this.header.terms.includes(term)) return;
    this.term = term;
    this.request();
  }

  /**
   * What somebody points at.
   * @param {number | null} index @param {string} term @param {boolean} [spoken] said aloud, because it was chosen with a key
   */
  choose(index, term, spoken = false) {
    this.chosen = index;
    this.setTerm(term);
    this.draw();
    if (spoken) this.say(this.readout.textContent);
  }

  link() { return lessonLink(location.href, this.header, this.settings); }

  listen() {
    followPointer(this);
    followKeys(this);
    this.onLook(() => this.draw());
    for (const type of ["pointerdown", "keydown"]) {
      this.on(document, type, () => {
        this.byHand = type === "pointerdown";
        if (this.unsaid) this.request(); // the press may lead to another page
      }, { capture: true });
    }
  }

  // ------------------------------------------------------------ painting

  /** Puts every control where its setting is. */
  refresh() {
    for (const { name, kind } of this.header.controls) {
      if (kind === "bars") this.bars.show(this.settings[name]);
      else this.widgets[name].show(this.settings[name]);
    }
  }

  draw() {
    if (!this.header || !this.root.isConnected || !this.root.clientWidth) return;
    const k = this.enlargement(), theme = readLessonTheme(this.root, this.header.playColours, this.header.presenter);
    this.root.style.setProperty("--play", theme.play);
    this.canvas.style.height = `${Math.round(this.heightAt(this.root.clientWidth / k) * k)}px`;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.pen = new Pen(prepare(this.canvas, { width, height }), width, theme, k);
    const numbers = this.picture.draw(this.pen, this);
    this.actions.refresh();
    this.canvas.setAttribute("aria-label", this.readout.textContent);
    note("drawn", { step: this.header.step, ...numbers });
  }

  /** How many times as large as usual the picture is: on a projector it fills the height. */
  enlargement() {
    if (!this.header.presenter || this.root.clientWidth <= PRESENTERS_WIDTH) return 1;
    return clamp((innerHeight - PRESENTERS_REST) / this.heightAt(this.root.clientWidth), 1.25, 1.8);
  }

  /** The height of the picture at a width, both in CSS pixels. @param {number} width */
  heightAt(width) {
    const { height } = this.picture;
    return typeof height === "number" ? height : height(width);
  }

  /** The sentence under the picture. @param {string} html numbers and our own words alone */
  explain(html) {
    if (this.readout.innerHTML !== html) this.readout.innerHTML = html;
  }

  /** Text of a sentence, marked where it is the term in play. @param {string} name @param {string | number} text */
  markTerm(name, text) { return this.term === name ? `<em>${text}</em>` : String(text); }

  /** @param {{ x: number, y: number, width: number, height: number }} place of the bars in the picture, CSS pixels */
  placeBars(place) { this.bars.place(place); }
}
