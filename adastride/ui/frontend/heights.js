// @ts-check
// How high panels are, so that a picture of many panels is seen in one view: they share the height that a window leaves them.

/**
 * Each kind of panel: the least at which its labels stand apart, what it has where the page scrolls anyway, the most that it gains
 * from, all in CSS pixels, and its share of the height that is left when every panel has its least.
 * @type {Record<string, { least: number, usual: number, most: number, share: number }>}
 */
const KINDS = {
  wave: { least: 28, usual: 46, most: 96, share: 1 },
  mel: { least: 48, usual: 104, most: 240, share: 3 },
  ticks: { least: 12, usual: 12, most: 12, share: 0 },
  layer: { least: 54, usual: 112, most: 320, share: 4 },
  profile: { least: 24, usual: 50, most: 90, share: 1.5 },
  segments: { least: 28, usual: 32, most: 44, share: 0.5 },
  picture: { least: 48, usual: 84, most: 160, share: 2 },
  curve: { least: 40, usual: 64, most: 120, share: 1.5 },
  axis: { least: 20, usual: 20, most: 20, share: 0 },
  clip: { least: 46, usual: 92, most: 170, share: 1.5 }, // this one and those below: rows of the Compare page
  strip: { least: 44, usual: 62, most: 90, share: 0.5 },
  pen: { least: 68, usual: 68, most: 120, share: 1 }, // a strip that is drawn on
  out: { least: 68, usual: 96, most: 240, share: 2.5 },
  align: { least: 98, usual: 150, most: 400, share: 4 },
  rec: { least: 68, usual: 96, most: 240, share: 2.5 },
  err: { least: 68, usual: 96, most: 240, share: 2.5 },
};

/**
 * The height of each panel, in whole CSS pixels; panels of one kind are equally high.
 * @param {number | null} available what all panels may fill together; null where the page scrolls anyway. Where it is too little,
 *   every panel has its least.
 * @param {string[]} kinds @param {number} [scale] of the type, by which panels need more
 */
export function panelHeights(available, kinds, scale = 1) {
  const panels = kinds.map((kind) => scaled(KINDS[kind], scale));
  if (available === null) return panels.map(({ usual }) => Math.floor(usual));
  const level = fillLevel(panels, available);
  return panels.map(({ least, most, share }) => Math.floor(Math.min(most, least + level * share) + 1e-9));
}

/** @param {typeof KINDS[string]} kind @param {number} scale */
const scaled = ({ least, usual, most, share }, scale) => ({ least: least * scale, usual: usual * scale, most: most * scale, share });

/**
 * The height of each row, where the last ones may be left to those who scroll: they share what is available if it is enough for the
 * usual heights of all rows, and otherwise they are as high as the row above them.
 * @param {number | null} available as for panelHeights @param {string[]} kinds @param {number} optional how many rows may be left
 * @param {number} [scale] as for panelHeights
 */
export function rowHeights(available, kinds, optional, scale = 1) {
  const usual = panelHeights(null, kinds, scale), sum = usual.reduce((a, b) => a + b, 0);
  if (available === null || available >= sum) return panelHeights(available, kinds, scale);
  const heights = panelHeights(available, kinds.slice(0, kinds.length - optional), scale);
  return [...heights, ...usual.slice(-optional).map((height) => Math.min(height, heights[heights.length - 1]))];
}

/**
 * How much a panel with a share of 1 gets beyond its least, if what panels with a small "most" cannot take goes to the others.
 * @param {{ least: number, most: number, share: number }[]} panels @param {number} available
 */
function fillLevel(panels, available) {
  let growing = panels.filter(({ share }) => share > 0);
  let rest = available - panels.reduce((sum, { least }) => sum + least, 0);
  if (rest <= 0) return 0;
  while (growing.length) {
    const level = rest / growing.reduce((sum, { share }) => sum + share, 0);
    const full = growing.filter(({ least, most, share }) => least + level * share > most);
    if (!full.length) return level;
    rest -= full.reduce((sum, { least, most }) => sum + most - least, 0);
    growing = growing.filter((panel) => !full.includes(panel));
  }
  return Number.MAX_SAFE_INTEGER;
}

/**
 * The height that a window leaves below a place on the page before anybody scrolls; if that place lies in its lower half, or below
 * it, the height that is left when the page is scrolled to it.
 * @param {{ window: number, place: number, covered: number }} sizes the window's height, how far from the page's top the place is,
 *   and what of the window is covered above it when it is scrolled to; all in CSS pixels
 */
export const heightBelow = ({ window, place, covered }) => window - (place < window / 2 ? place : covered);

/**
 * Of labels along an axis those that have room, so that none lies on another one. The first one stays.
 * @param {[string, number][]} labels text and place, in CSS pixels @param {number} room between two of them
 */
export function apart(labels, room) {
  /** @type {[string, number][]} */
  const kept = [];
  for (const label of labels) if (kept.every(([, place]) => Math.abs(place - label[1]) >= room)) kept.push(label);
  return kept;
}
