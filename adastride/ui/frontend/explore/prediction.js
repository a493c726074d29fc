// @ts-check
// What the network answers, beside the picture: a headline, bars, and the outlines of a pinned answer.

import { write } from "../view.js";

/**
 * @typedef {{ label: string, share: number, text: string }} Bar
 * @typedef {{ headline: string, detail: string, barsTitle: string, bars: Bar[], lanes: any[] }} Prediction
 */

const LONGEST = 14; // letters of a label; longer ones are cut, and whole when hovered

/** The place of the longest bar, -1 where there is none. @param {Bar[]} bars */
export const best = (bars) => bars.reduce((most, bar, i) => (most < 0 || bar.share > bars[most].share ? i : most), -1);

/** The headline in words. @param {Prediction} prediction */
export const spoken = ({ headline, detail }) => `${headline}${detail ? `, ${detail}` : ""}. `;

/**
 * Shows an answer. pinned: the shares of the one to compare with.
 * @param {HTMLElement} host @param {Prediction} prediction @param {Bar[] | null} pinned
 */
export function showPrediction(host, { headline, detail, barsTitle, bars }, pinned) {
  const rows = syncRows(host.querySelector(".bars"), bars.map((bar) => bar.label)), longest = best(bars);
  bars.forEach((bar, i) => showBar(rows[i], bar, i === longest, pinned?.find(({ label }) => label === bar.label)));
  write(host.querySelector(".heading"), barsTitle || "Answer");
  write(host.querySelector(".top b"), headline);
  host.querySelector(".top").classList.toggle("sentence", headline.length > LONGEST);
  write(host.querySelector(".top span"), detail);
  host.querySelector(".bars").setAttribute("aria-label", `${barsTitle}: ${bars.map(({ label, text }) => `${label} ${text}`).join(", ")}`);
  /** @type {HTMLElement} */ (host.querySelector(".bars")).hidden = !bars.length;
  /** @type {HTMLElement} */ (host.querySelector(".pinned-note")).hidden = !pinned;
}

/** Rows for labels; they are made again only for other labels. @param {HTMLElement} host @param {string[]} labels */
function syncRows(host, labels) {
  const key = labels.join("\n");
  if (host.dataset.labels !== key) {
    host.dataset.labels = key;
    const longest = Math.min(LONGEST, Math.max(0, ...labels.map((each) => each.length)));
    host.style.setProperty("--longest", `${0.8 + 0.5 * longest}em`); // all bars begin at one place
    host.replaceChildren(...labels.map(makeRow));
  }
  return /** @type {HTMLElement[]} */ ([...host.children]);
}

/** @param {string} label */
function makeRow(label) {
  const row = document.createElement("div");
  row.className = "bar-row";
  row.innerHTML = '<span class="name"></span><span class="rail"><i class="fill"></i><i class="ghost" hidden></i></span>'
    + '<span class="value"></span>';
  const name = /** @type {HTMLElement} */ (row.querySelector(".name"));
  name.textContent = name.title = label;
  return row;
}

/** @param {HTMLElement} row @param {Bar} bar @param {boolean} longest @param {Bar} [pinned] */
function showBar(row, { share, text }, longest, pinned) {
  const fill = /** @type {HTMLElement} */ (row.querySelector(".fill")), ghost = /** @type {HTMLElement} */ (row.querySelector(".ghost"));
  row.classList.toggle("best", longest);
  fill.style.setProperty("--share", String(share)); // another width would have the page laid out again
  write(row.querySelector(".value"), text);
  ghost.hidden = !pinned;
  if (pinned) ghost.style.width = `${100 * pinned.share}%`;
}
