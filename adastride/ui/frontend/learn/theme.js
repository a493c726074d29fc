// @ts-check
// The colours and the type of the lesson's pictures in the page's theme.

import { LAYER_COLOURS, readTheme } from "../colours.js";

const BAD_COLOUR = { dark: "#FF7B6B", light: "#B3261E" }; // of what is lost: cuts, empty frames, jumps
// Of the four methods beside each other: none is the colour of the term in play.
export const FOUR_COLOURS = { dark: ["#CC79A7", "#E3D2FF", "#56B4E9", "#46E4B4"], light: ["#A6497E", "#5A4499", "#0277C7", "#007A5A"] };
const PRESENTERS_INK = { dark: "255,255,255", light: "0,0,0" };
const PRESENTERS_STRENGTH = 1.35; // a projector in a bright room makes half tones vanish

/** @typedef {import("../colours.js").Theme & { play: string, bad: string, layers: string[], four: string[] }} Theme */

/**
 * @param {Element} element whose theme is meant
 * @param {Record<"dark" | "light", string>} playColours of the term in play, and of what it moves in a picture
 * @param {boolean} presenter black or white in place of half tones
 * @returns {Theme}
 */
export function readLessonTheme(element, playColours, presenter) {
  const theme = readTheme(element), { name } = theme;
  if (presenter) theme.ink = (alpha) => `rgba(${PRESENTERS_INK[name]},${Math.min(1, alpha * PRESENTERS_STRENGTH)})`;
  return { ...theme, play: playColours[name], bad: BAD_COLOUR[name], layers: LAYER_COLOURS[name], four: FOUR_COLOURS[name] };
}
