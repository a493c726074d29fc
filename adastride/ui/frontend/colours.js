// @ts-check
// The colours of every picture: colour maps of 256 packed pixels, the colours of layers and methods, and the page's theme.

/**
 * @typedef {"dark" | "light"} ThemeName
 * @typedef {object} Theme what a canvas needs to know of the page's theme
 * @property {ThemeName} name
 * @property {string} font
 * @property {number} scale of the type: 1 at the browser's usual size
 * @property {string} back the background
 * @property {string} accent
 * @property {(alpha: number) => string} ink the text's colour
 */

// Of layers and segments, and of methods. Any two of a row differ by a CIEDE2000 of 10 and more, whatever the colour vision.
export const LAYER_COLOURS = {
  dark: ["#56B4E9", "#E69F00", "#46E4B4", "#994C00", "#5252CC", "#808080", "#B7F1F4", "#CC751F"],
  light: ["#0277C7", "#B86B00", "#007A5A", "#293866", "#66250F", "#2693FF", "#6802FF", "#D800A0"],
};
export const METHOD_COLOURS = {
  dark: ["#56B4E9", "#E69F00", "#46E4B4", "#CC79A7"],
  light: ["#0277C7", "#B86B00", "#007A5A", "#A6497E"],
};

/** @param {ThemeName} theme @param {number} index of a layer or a segment's colour */
export const layerColour = (theme, index) => LAYER_COLOURS[theme][index % LAYER_COLOURS[theme].length];

/** A colour map of 256 pixels (bytes R, G, B, A in memory) through colours at equal distances. @param {number[][]} stops */
export function ramp(stops) {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const x = (i / 255) * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(x)), f = x - k;
    const [r, g, b] = [0, 1, 2].map((c) => Math.round(stops[k][c] * (1 - f) + stops[k + 1][c] * f));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

// One direction of lightness in each theme, from the background to yellow or navy or red: they read the same with any colour vision.
export const RAMPS = {
  mel: ramp([
    [0, 0, 4], [20, 14, 54], [59, 15, 112], [100, 26, 128], [140, 41, 129], [183, 55, 121],
    [222, 73, 104], [247, 112, 92], [254, 159, 109], [254, 207, 146], [252, 253, 191],
  ]),
  dark: ramp([[16, 20, 34], [24, 52, 97], [38, 92, 140], [62, 137, 153], [120, 181, 137], [200, 215, 104], [253, 240, 120]]),
  light: ramp([[255, 255, 255], [222, 235, 247], [174, 209, 231], [106, 174, 214], [47, 126, 188], [14, 82, 151], [6, 36, 92]]),
};
export const ERROR_RAMPS = {
  dark: ramp([[16, 20, 34], [92, 34, 52], [176, 58, 46], [236, 122, 50], [255, 214, 130]]),
  light: ramp([[255, 255, 255], [253, 219, 199], [244, 165, 130], [203, 62, 66], [103, 0, 31]]),
};

/** How much larger than usual the page's type is, which it is for a room. */
export const typeScale = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;

/** The theme that an element has now. @param {Element} element @returns {Theme} */
export function readTheme(element) {
  const style = getComputedStyle(element), [r, g, b] = style.backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
  const light = 0.3 * r + 0.6 * g + 0.1 * b > 128, ink = light ? "30,36,48" : "240,243,250";
  return {
    name: light ? "light" : "dark", font: style.fontFamily, scale: typeScale(), back: `rgb(${r},${g},${b})`,
    accent: style.getPropertyValue("--st-primary-color").trim() || "#d33", ink: (alpha) => `rgba(${ink},${alpha})`,
  };
}
