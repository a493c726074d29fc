// @ts-check
// What every view is: an element, listeners that one signal ends, and drawing once a frame.

import { typeScale } from "./colours.js";
import { heightBelow } from "./heights.js";

const HEADER = 44; // CSS pixels at the usual size of type: 2.75rem in page.css

/**
 * Tests and benchmarks set globalThis.adastrideLog to an array; otherwise nothing is kept.
 * @param {string} kind @param {unknown} [value]
 */
export function note(kind, value) {
  /** @type {any} */ (globalThis).adastrideLog?.push([kind, performance.now(), value]);
}

/** Calls `draw` once in the next frame, however often it is asked. @param {() => void} draw @returns {() => void} */
export function onceAFrame(draw) {
  /** @type {number | null} */
  let asked = null;
  return () => { asked ??= requestAnimationFrame(() => { asked = null; draw(); }); };
}

/**
 * Calls `act` when it has not been asked for so many milliseconds.
 * @param {() => void} act @param {number} quiet @param {AbortSignal} signal
 */
export function whenQuiet(act, quiet, signal) {
  /** @type {any} */
  let timer = null;
  const stop = () => clearTimeout(timer);
  signal.addEventListener("abort", stop);
  return { ask() { stop(); timer = setTimeout(act, quiet); }, stop };
}

/**
 * Writes a text where it is another. A text that is set again, or whose node is replaced, has the browser lay out what is around it:
 * a millisecond for each answer of a drag.
 * @param {HTMLElement} element @param {string} text
 */
export function write(element, text) {
  const node = element.firstChild;
  if (!(node instanceof Text) || node.nextSibling) element.textContent = text;
  else if (node.data !== text) node.data = text;
}

/**
 * A row of buttons of which one is chosen. Buttons that are there already stay, and with them the focus.
 * @param {HTMLElement} host @param {any[][]} options value and label of each @param {any} current @param {(value: any) => void} choose
 */
export function segments(host, options, current, choose) {
  while (host.childElementCount > options.length) host.lastChild.remove();
  options.forEach(([value, label], n) => {
    const button = /** @type {HTMLButtonElement} */ (host.children[n] ?? host.appendChild(document.createElement("button")));
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(value === current));
    write(button, label);
    button.onclick = () => choose(value);
  });
}

export class View {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.ending = new AbortController();
    this.signal = this.ending.signal;
  }

  dispose() {
    this.ending.abort();
    this.root.remove();
  }

  /** @param {string} selector @returns {any} */
  one(selector) { return this.root.querySelector(selector); }

  /** @param {EventTarget} target @param {string} type @param {(event: any) => void} handler @param {AddEventListenerOptions} [options] */
  on(target, type, handler, options) { target.addEventListener(type, handler, { ...options, signal: this.signal }); }

  /**
   * Calls `redraw` when the size, the resolution or the theme has changed, and when what stands above has moved the view, which
   * changes the height that the window leaves it.
   * @param {() => void} redraw
   */
  onLook(redraw) {
    this.on(this.root, "transitionend", (event) => { if (event.target === this.root) redraw(); }); // shared.css: the theme's end of change
    this.on(window, "resize", redraw); // a change of the device pixel ratio, too
    let place = placeOnPage(this.root);
    const observer = new ResizeObserver((entries) => {
      const now = placeOnPage(this.root), moved = now !== place;
      place = now;
      if (moved || entries.some(({ target }) => target === this.root)) redraw();
    });
    observer.observe(this.root);
    const around = containerOf(this.root);
    if (around) observer.observe(around);
    this.signal.addEventListener("abort", () => observer.disconnect());
  }

  /**
   * Puts a tip beside the pointer, or another place of the window, on the side that has room; without one, where it covers little.
   * @param {HTMLElement} tip @param {{ clientX: number, clientY: number } | null} [place]
   * @param {HTMLElement} [within] whose right edge it does not cross where there is room on the other side; the view's is the usual one
   */
  placeTip(tip, place, within = this.root) {
    const box = this.root.getBoundingClientRect(), x = place ? place.clientX - box.left : 150, y = place ? place.clientY - box.top : 60;
    const width = tip.offsetWidth, right = x + 16 + width < within.getBoundingClientRect().right - box.left;
    Object.assign(tip.style, { left: `${Math.max(0, right ? x + 16 : x - 16 - width)}px`, top: `${y + 18}px` });
  }

  /** Puts an address into the address bar. @param {string} url */
  writeAddress(url) {
    if (url !== location.href) history.replaceState(history.state, "", url);
  }

  /** @param {HTMLElement} button @param {string} url */
  async copyLink(button, url) {
    this.writeAddress(url);
    try {
      await navigator.clipboard.writeText(url);
      button.textContent = "Link copied";
    } catch { // no clipboard without HTTPS
      button.textContent = "Link is in the address bar";
    }
    whenQuiet(() => { button.textContent = "Copy link"; }, 2000, this.signal).ask();
  }

  /** Says something to those who hear the page; the same thing once. @param {string} text */
  say(text) {
    write(this.one(".spoken"), text);
  }
}

/**
 * CSS pixels that the window leaves from the top of an element down, below the page's first line and what stands over the element,
 * both of which stay when the page is scrolled.
 * @param {HTMLElement} element @param {HTMLElement} root of the view
 */
export function roomBelow(element, root) {
  const page = pageOf();
  const above = element.getBoundingClientRect().top - root.getBoundingClientRect().top;
  return heightBelow({ window: page.clientHeight, place: placeOnPage(element), covered: HEADER * typeScale() + above });
}

/** How far below the page's top an element is, however far the page is scrolled, in CSS pixels. @param {HTMLElement} element */
function placeOnPage(element) {
  const page = pageOf();
  return element.getBoundingClientRect().top + page.scrollTop - page.getBoundingClientRect().top;
}

/** The block of the page that holds everything, a view and what stands above it. @param {HTMLElement} root of the view */
function containerOf(root) {
  const within = root.getRootNode();
  return (within instanceof ShadowRoot ? within.host : root).closest("[data-testid=stMainBlockContainer]");
}

const pageOf = () => /** @type {HTMLElement} */ (document.querySelector(".stMain") ?? document.documentElement);

/**
 * A panel's canvases: what is drawn, and what lies over it.
 * @param {HTMLElement} element @param {number} height CSS pixels @param {boolean} silent not for screen readers or keys
 */
export function canvases(element, height, silent) {
  const [base, cover] = /** @type {HTMLCanvasElement[]} */ ([...element.querySelectorAll("canvas")]);
  base.style.height = `${height}px`;
  cover.setAttribute("aria-hidden", "true");
  if (silent) base.setAttribute("aria-hidden", "true");
  else {
    base.tabIndex = 0;
    base.setAttribute("role", "img");
  }
  return { base, cover };
}

/** Names a canvas for screen readers. @param {HTMLElement} canvas @param {string | null} text */
export function describe(canvas, text) {
  if (text && canvas.getAttribute("aria-label") !== text) canvas.setAttribute("aria-label", text);
}
