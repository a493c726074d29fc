// @ts-check
// The colours and the type of the lesson's pictures in the page's theme.

import { LAYER_COLOURS } from "../colours.js";

const BAD_COLOUR = { dark: "#FF7B6B", light: "#B3261E" }; // of what is lost: cuts, empty frames, jumps
// Of the four methods beside each other: none is the colour of the term in play.
const FOUR_COLOURS = { dark: ["#CC79A7", "#B8A5E8", "#56B4E9", "#2FC79B"], light: ["#A6497E", "#6A51A3", "#0072B2", "#007A5A"] };
const INKS = { dark: "240,243,250", light: "30,36,48" };
const PRESENTERS_INKS = { dark: "255,255,255", light: "0,0,0" };
const PRESENTERS_STRENGTH = 1.35; // a projector in a bright room makes half tones vanish

/**
 * @typedef {object} Theme
 * @property {"dark" | "light"} name
 * @property {string} font
 * @property {(alpha: number) => string} ink the colour of type and axes
 * @property {string} play of the term in play, and of what it moves
 * @property {string} bad
 * @property {string[]} layers
 * @property {string[]} four
 */

/**
 * @param {Element} element whose theme is meant
 * @param {Record<"dark" | "light", string>} playColours what the formula beside the picture is marked with
 * @param {boolean} presenter black or white in place of half tones
 * @returns {Theme}
 */
export function readTheme(element, playColours, presenter) {
  const style = getComputedStyle(element), name = isLight(style.backgroundColor) ? "light" : "dark";
  const ink = (presenter ? PRESENTERS_INKS : INKS)[name], strength = presenter ? PRESENTERS_STRENGTH : 1;
  return {
    name, font: style.fontFamily, play: playColours[name], bad: BAD_COLOUR[name], layers: LAYER_COLOURS[name], four: FOUR_COLOURS[name],
    ink: (alpha) => `rgba(${ink},${presenter ? Math.min(1, alpha * strength) : alpha})`,
  };
}

/** @param {string} colour as computed styles have it */
function isLight(colour) {
  const [red, green, blue] = colour.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
  return 0.3 * red + 0.6 * green + 0.1 * blue > 128;
}
