// @ts-check
// What a network has written, beside the picture: its text, what has changed in it since it was pinned, how it differs from what was
// said, a second reading, and what each word or letter got of the output frames.

import { whenQuiet, write } from "../view.js";
import { edits } from "./edits.js";
import { number, percent } from "../lanes.js";

/**
 * @typedef {import("./edits.js").Pair} Pair
 * @typedef {object} Transcript as viewer.py describes it
 * @property {string} unit what is counted, "words" @property {boolean} spaced whether blanks stand between tokens
 * @property {string} error the error rate's short name @property {string} rule
 * @property {string[]} tokens @property {number[]} first the output frame at which each begins @property {number[]} probabilities
 * @property {number[]} frames @property {number[]} seconds what each got
 * @property {[string, string][]} facts
 * @property {{ text: string, pairs?: Pair[], errors?: number, units?: number, rate?: number, problem?: string }} [said]
 * @property {string} [given] what was said, as far as the page knows
 * @property {[string, number][] | string} [readings]
 */

const TYPED_MS = 300; // nobody has typed for so long: time to compare
const MOST_LETTERS = 12_000; // that are sent; viewer.py takes as many
const BEAMS = [0, 2, 5, 10, 20, 50];
const MOST_TOKENS = 400; // that are written; the lane has the others

/** Is there a blank before a token? @param {string} token @param {number} place @param {boolean} spaced */
const blankBefore = (token, place, spaced) => place > 0 && spaced && !token.startsWith("##");

/** A token without the marks that word pieces have. @param {string} token */
const letters = (token) => token.replace(/^##/, "");

/** The text that tokens make. @param {string[]} tokens @param {boolean} spaced */
export const written = (tokens, spaced) =>
  tokens.map((token, n) => `${blankBefore(token, n, spaced) ? " " : ""}${letters(token)}`).join("");

/** How a text has changed, in words. @param {Pair[]} pairs */
export function changesNamed(pairs) {
  const count = (/** @type {string} */ kind) => pairs.filter(([found]) => found === kind).length;
  const named = { substitute: "changed", insert: "put in", delete: "left out" };
  const parts = Object.entries(named).filter(([kind]) => count(kind)).map(([kind, name]) => `${count(kind)} ${name}`);
  return parts.length ? parts.join(", ") : "the same text";
}

export class TranscriptView {
  /** @param {import("./viewer.js").Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    this.host = /** @type {HTMLElement} */ (explorer.one(".transcript"));
    this.said = /** @type {HTMLTextAreaElement} */ (this.host.querySelector(".said"));
    this.beams = /** @type {HTMLSelectElement} */ (this.host.querySelector(".beams select"));
    this.shown = "";
    this.beams.append(...BEAMS.map((count) => new Option(count ? `${count} beams` : "off", String(count))));
    const typed = whenQuiet(() => explorer.requests.ask(), TYPED_MS, explorer.signal);
    this.typed = false; // what the page knows counts until somebody types
    explorer.on(this.said, "input", () => { this.typed = true; this.fit(); typed.ask(); });
    explorer.on(this.beams, "change", () => explorer.requests.ask());
    this.heard = /** @type {HTMLElement} */ (explorer.one(".heard"));
    explorer.on(this.heard, "pointerover", (event) => this.point(event));
    explorer.on(this.heard, "pointerleave", () => explorer.setHover(null));
  }

  /** What a request says besides the settings; nothing of networks that write nothing. */
  get asked() {
    return this.host.hidden ? {} : { said: this.typed ? this.said.value.slice(0, MOST_LETTERS) : null, beams: Number(this.beams.value) };
  }

  /** The field is as high as its text, within bounds. */
  fit() {
    this.said.style.height = "auto";
    this.said.style.height = `${this.said.scrollHeight + 2}px`;
  }

  /** @param {Transcript | null} transcript @param {string[] | null} pinned the tokens of the pinned reference */
  show(transcript, pinned) {
    const { host, explorer } = this;
    host.hidden = this.heard.hidden = !transcript;
    /** @type {HTMLElement} */ (explorer.one(".top b")).hidden = Boolean(transcript?.tokens.length);
    if (!transcript) return;
    const shows = JSON.stringify([transcript, pinned]);
    if (shows === this.shown) return; // most answers of a drag change no letter
    this.shown = shows;
    this.showHeard(transcript, pinned);
    this.showSaid(transcript);
    this.showReadings(transcript);
    showFacts(host.querySelector(".facts"), transcript);
  }

  /** @param {Transcript} transcript @param {string[] | null} pinned */
  showHeard({ tokens, spaced, probabilities }, pinned) {
    const pairs = pinned ? edits(pinned.slice(0, MOST_TOKENS), tokens.slice(0, MOST_TOKENS)) : null;
    const changes = /** @type {HTMLElement} */ (this.host.querySelector(".changes"));
    const marked = pairs ?? tokens.slice(0, MOST_TOKENS).map((token) => /** @type {Pair} */ (["equal", token, token]));
    this.heard.replaceChildren(...markUp(marked, spaced));
    this.heard.querySelectorAll("[data-token]").forEach((element, n) => {
      /** @type {HTMLElement} */ (element).style.setProperty("--sure", String(probabilities[n]));
      /** @type {HTMLElement} */ (element).title = percent(probabilities[n]);
    });
    if (tokens.length > MOST_TOKENS) this.heard.append(` … and ${tokens.length - MOST_TOKENS} more`);
    changes.hidden = !pairs;
    if (pairs) write(changes, `Against the pinned reference: ${changesNamed(pairs)}.`);
  }

  /** @param {Transcript} transcript */
  showSaid({ said, given, error, unit, spaced }) {
    if (!this.typed && given !== undefined && this.said.value !== given) { this.said.value = given; this.fit(); }
    const host = /** @type {HTMLElement} */ (this.host.querySelector(".compared")), text = host.querySelector("p");
    host.hidden = !said;
    if (!said) return;
    const compared = said.pairs !== undefined;
    write(host.querySelector("b"), compared ? `${error} ${said.units ? `${(100 * said.rate).toFixed(0)} %` : "–"}` : "");
    write(host.querySelector("span"), compared ? `${said.errors} error${said.errors === 1 ? "" : "s"} in ${said.units} ${unit}` : "");
    text.replaceChildren(...(compared ? markUp(said.pairs, spaced) : []), ...(said.problem ? [note(said.problem)] : []));
  }

  /** @param {Transcript} transcript */
  showReadings({ readings, tokens, spaced }) {
    const host = /** @type {HTMLElement} */ (this.host.querySelector(".readings")), best = written(tokens, spaced);
    host.hidden = readings === undefined;
    if (readings === undefined) return;
    if (typeof readings === "string") return write(host, readings);
    const named = readings.map(([text, score]) => `${text === best ? "as above" : `“${text}”`}: ${number(score)} nats`);
    host.replaceChildren(...named.flatMap((line) => [line, document.createElement("br")]));
  }

  /** A token of the text is pointed at: its segment lights up. @param {PointerEvent} event */
  point(event) {
    const { explorer } = this, token = event.target instanceof HTMLElement ? event.target.closest("[data-token]") : null;
    if (!token) return;
    const first = explorer.header.transcript.first[Number(/** @type {HTMLElement} */ (token).dataset.token)];
    const item = explorer.lanes[0].segments.findIndex(({ frames }) => frames?.[0] === first);
    if (item >= 0) explorer.setHover({ lane: 0, item }, event);
  }
}

/** @param {string} sentence */
function note(sentence) {
  const element = document.createElement("span");
  element.className = "problem";
  element.textContent = ` ${sentence}`;
  return element;
}

/** Texts with what is put in and left out marked. @param {Pair[]} pairs @param {boolean} spaced */
function markUp(pairs, spaced) {
  let token = 0;
  return pairs.flatMap(([kind, before, after], n) => {
    /** @type {(string | HTMLElement)[]} */
    const nodes = blankBefore(after || before, n, spaced) ? [" "] : [];
    if (kind === "delete" || kind === "substitute") nodes.push(marked("del", before));
    if (kind === "substitute") nodes.push(" ");
    if (after) {
      const element = marked(kind === "equal" ? "span" : "ins", after);
      element.dataset.token = String(token++);
      nodes.push(element);
    }
    return nodes;
  });
}

/** @param {string} tag @param {string} text */
function marked(tag, text) {
  const element = document.createElement(tag);
  element.textContent = letters(text);
  return element;
}

/** @param {HTMLElement} host @param {Transcript} transcript */
function showFacts(host, { facts, rule }) {
  host.title = rule;
  host.replaceChildren(...facts.flatMap(([name, value]) => [["dt", name], ["dd", value]].map(([tag, text]) => {
    const element = document.createElement(tag);
    element.textContent = text;
    return element;
  })));
}
