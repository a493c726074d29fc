// The colours of every picture: colour maps as 256 packed pixels, and the colours of layers.

export const LAYER_COLOURS = { dark: ["#56B4E9", "#E69F00", "#2FC79B"], light: ["#0072B2", "#B86B00", "#007A5A"] };
const MAGMA = [[0, 0, 4], [20, 14, 54], [59, 15, 112], [100, 26, 128], [140, 41, 129], [183, 55, 121], [222, 73, 104], [247, 112, 92], [254, 159, 109], [254, 207, 146], [252, 253, 191]];
// One direction of lightness in each theme, blue to yellow or white to navy: both read the same with any colour vision.
const WEIGHTS = {
  dark: [[16, 20, 34], [24, 52, 97], [38, 92, 140], [62, 137, 153], [120, 181, 137], [200, 215, 104], [253, 240, 120]],
  light: [[255, 255, 255], [222, 235, 247], [174, 209, 231], [106, 174, 214], [47, 126, 188], [14, 82, 151], [6, 36, 92]],
};

export function ramp(stops) {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const x = (i / 255) * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(x)), f = x - k;
    const [r, g, b] = [0, 1, 2].map((c) => Math.round(stops[k][c] * (1 - f) + stops[k + 1][c] * f));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}
export const RAMPS = { mel: ramp(MAGMA), dark: ramp(WEIGHTS.dark), light: ramp(WEIGHTS.light) };
