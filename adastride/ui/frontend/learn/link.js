// @ts-check
// Links to a step as the page's address has them; adastride/ui/learn/link.py reads them.

import { encodeLetters } from "../numbers.js";

/** @typedef {import("./controls.js").Control} Control */

const LINK_DIGITS = 6;

/** @param {Control} control @param {any} value @param {{ limit?: number, letterSteps?: number }} header */
function inLink({ kind }, value, { limit, letterSteps }) {
  if (kind === "bars") return encodeLetters(value, limit, letterSteps);
  return kind === "slider" ? String(Number(value.toPrecision(LINK_DIGITS))) : value;
}

/**
 * What is as usual is left out.
 * @param {string} address of the page @param {any} header of the step @param {Record<string, any>} settings
 */
export function lessonLink(address, header, settings) {
  const url = new URL(address);
  url.search = "";
  url.searchParams.set("step", header.number);
  for (const control of /** @type {Control[]} */ (header.controls)) {
    const value = settings[control.name];
    if (String(value) !== String(control.usual)) url.searchParams.set(control.name, inLink(control, value, header));
  }
  if (header.presenter) url.searchParams.set("presenter", "1");
  return url.href;
}
