// The pictures of the Learn page. A picture is an object with height (CSS pixels) and draw(pen, lesson), which returns the
// numbers it shows. It may have point(x, y, lesson, pressed), step(by x, by y, lesson) for arrow keys, buttons (name, text, text
// while it moves) with press(name, lesson), and opened, received and reset(lesson). Drags are drawn at once from the settings;
// what needs torch follows from the server, one request under way.

import { fillAlignment, layOut, rowWeights } from "../alignment.js";
import { loadAssets } from "../assets.js";
import { LAYER_COLOURS, RAMPS } from "../colours.js";
import { component } from "../component.js";
import { LiveView } from "../live_view.js";
import { clamp, digits, encodeLetters, percent, roundHalfEven } from "../numbers.js";

const addMarkup = await loadAssets(import.meta.url, "viewer.html", "../shared.css", "viewer.css");
const PLAY_COLOUR = { dark: "#E69F00", light: "#B86B00" }; // the same in pages/learn.py: the term in play
const BAD_COLOUR = { dark: "#FF7B6B", light: "#B3261E" };
const FOUR_COLOURS = { dark: ["#CC79A7", "#B8A5E8", "#56B4E9", "#2FC79B"], light: ["#A6497E", "#6A51A3", "#0072B2", "#007A5A"] };
const BAR_STEPS = 60; // between the letters of a link, the same in learn.py
const QUIET_MS = 250; // a step that needs no server tells it its settings when nothing has moved for so long
const LESSON_TIMEOUT_MS = 15000;
const FRAME_TAIL = 18; // e⁻¹⁸ of a row's largest weight is left out, and more of a longer signal: alignment.py
const SWEEP_SECONDS = 8;
const PRESENTER_REST = 360; // pixels of a projector's height that are not the picture's

// ---------------------------------------------------------------- maths

const signed = (x, n = 3) => `${x < 0 ? "−" : ""}${Number.isInteger(x) ? Math.abs(x) : digits(Math.abs(x), n)}`;
const large = (x) => {
  const k = [["", 1], [" thousand", 1e3], [" million", 1e6], [" billion", 1e9], [" trillion", 1e12]].findLast(([, size]) => x >= size) ?? ["", 1];
  return `${digits(x / k[1])}${k[0]}`;
};
const bytes = (x) => { const k = [["bytes", 1], ["kB", 1e3], ["MB", 1e6], ["GB", 1e9], ["TB", 1e12]].findLast(([, size]) => x >= size) ?? ["bytes", 1]; return `${digits(x / k[1])} ${k[0]}`; };

// Vector positioning (equation 3) of scores: displacements, their running sum, positions and their number of output frames.
function place(scores, stride) {
  const dp = scores.map(Math.exp), sum = [], L = Math.ceil(scores.length / stride);
  dp.reduce((total, d, t) => (sum[t] = total + d), 0);
  const way = sum.at(-1) - sum[0], u = sum.map((p) => (p - sum[0]) / way);
  return { dp, sum, u, L, p: u.map((v) => v * (L - 1)) };
}

// A written out (equation 4), and AdaStride-F's (equation 6) where `hard`: L rows of T weights, rows nobody rounds to zero.
function writeOut(p, L, sigma, hard = false) {
  return Array.from({ length: L }, (_, i) => {
    const use = p.map((v) => !hard || roundHalfEven(v) === i), squares = p.map((v) => (v - i) ** 2);
    const least = Math.min(...squares.filter((_, j) => use[j]));
    const weights = squares.map((d, j) => (use[j] ? Math.exp(-(d - least) / (sigma * sigma)) : 0));
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map((w) => (total ? w / total : 0));
  });
}

// DiffStride's mask as spectral.py has it: over which bins, where it begins to fall, its gradient, and the output's length.
function spectralMask(T, { kind, stride, smoothness: R }) {
  const fourier = kind === "diffstride", kappa = fourier ? 2 : 1, bins = fourier ? Math.floor(T / 2) + 1 : T;
  const raised = Math.max(stride, 1, T > R ? T / (T - R) : 1), shorter = Math.max(T / raised, 2), passed = shorter / kappa + 1;
  const mask = [], slope = [];
  for (let n = 0; n < bins; n++) {
    const value = (R + passed - n) / R;
    mask.push(clamp(value, 0, 1));
    slope.push(value >= 0 && value <= 1 && T / raised >= 2 ? -T / (kappa * raised * raised * R) : 0);
  }
  const kept = mask.filter((m) => m > 0).length;
  return { mask, slope, kept, passed, frames: fourier ? Math.max(2 * (kept - 1), 1) : kept, fourier, kappa };
}

// What a method makes of a tone: row i of its matrix has the same number of weights for the frames from first[i] on.
function downsampleTone(tone, first, weights) {
  const width = weights.length / first.length;
  return Array.from(first, (begin, i) => { let sum = 0; for (let j = 0; j < width; j++) sum += weights[i * width + j] * tone[begin + j]; return sum; });
}

// The transform of a short real signal: [real, imaginary] of each of Fourier's bins, or [coefficient, 0] of each cosine.
function transform(x, fourier) {
  const T = x.length;
  return Array.from({ length: fourier ? Math.floor(T / 2) + 1 : T }, (_, n) => {
    let re = 0, im = 0;
    for (let t = 0; t < T; t++) {
      const angle = fourier ? (2 * Math.PI * n * t) / T : (Math.PI * n * (t + 0.5)) / T;
      re += x[t] * Math.cos(angle);
      if (fourier) im -= x[t] * Math.sin(angle);
    }
    const scale = fourier ? 1 : Math.sqrt((n ? 2 : 1) / T);
    return [re * scale, im * scale];
  });
}

// The way back to `frames` frames, with the signal's mean kept: L / T of Fourier's, its root of the cosines'.
function transformBack(spectrum, frames, T, fourier) {
  return Array.from({ length: frames }, (_, t) => {
    let sum = 0;
    spectrum.forEach(([re, im], n) => {
      if (fourier) {
        const angle = (2 * Math.PI * n * t) / frames, twice = n === 0 || 2 * n === frames ? 1 : 2;
        sum += (twice * (re * Math.cos(angle) - im * Math.sin(angle))) / frames;
      } else sum += re * Math.cos((Math.PI * n * (t + 0.5)) / frames) * Math.sqrt((n ? 2 : 1) / frames);
    });
    return sum * (fourier ? frames / T : Math.sqrt(frames / T));
  });
}

// ---------------------------------------------------------------- drawing

// A canvas context with the theme's colours and the size of type. Heights and gutters grow with `k`.
class Pen {
  constructor(context, width, theme, k) {
    Object.assign(this, { context, width, theme, k, size: Math.round(13 * k), left: Math.round(44 * k), right: Math.round(8 * k) });
    context.textBaseline = "middle";
  }

  get inner() { return this.width - this.left - this.right; }

  x(share) { return this.left + share * this.inner; }

  // Text that never leaves the canvas. Returns its width.
  text(words, x, y, { align = "left", colour = this.theme.ink(0.8), bold = false, size = this.size } = {}) {
    const { context } = this;
    context.font = `${bold ? 600 : 400} ${size}px ${this.theme.font}`;
    const wide = context.measureText(words).width, from = x - (align === "right" ? wide : align === "center" ? wide / 2 : 0);
    context.textAlign = "left";
    context.fillStyle = colour;
    context.fillText(words, clamp(from, 0, Math.max(0, this.width - wide)), y);
    return wide;
  }

  line(points, colour, thick = 1, dash = []) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = thick * Math.sqrt(this.k);
    context.setLineDash(dash);
    context.beginPath();
    points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
    context.setLineDash([]);
  }

  box(x, y, w, h, colour) {
    this.context.fillStyle = colour;
    this.context.fillRect(x, y, w, h);
  }

  dot(x, y, radius, colour) {
    this.context.fillStyle = colour;
    this.context.beginPath();
    this.context.arc(x, y, radius * Math.sqrt(this.k), 0, 7);
    this.context.fill();
  }

  hatch(x, y, w, h, colour) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(x, y, w, h);
    context.clip();
    for (let at = -h; at < w; at += 6) this.line([[x + at, y + h], [x + at + h, y]], colour);
    context.restore();
  }

  // Device pixels: fill(pixels, width, height) in the rectangle.
  pixels(x, y, w, h, fill) {
    const { context } = this, ratio = context.canvas.width / this.width;
    const W = Math.max(1, Math.round(w * ratio)), H = Math.max(1, Math.round(h * ratio)), image = context.createImageData(W, H);
    fill(new Uint32Array(image.data.buffer), W, H);
    context.putImageData(image, Math.round(x * ratio), Math.round(y * ratio));
  }

  // A picture of bands x frames, values(frame)[band] from 0 to 255, band 0 below.
  picture(x, y, w, h, frames, bands, value, colours) {
    this.pixels(x, y, w, h, (pixels, W, H) => {
      for (let px = 0; px < W; px++) {
        const frame = Math.min(frames - 1, Math.floor((px * frames) / W));
        for (let py = 0; py < H; py++) pixels[py * W + px] = colours[value(frame, Math.min(bands - 1, Math.floor(((H - 1 - py) * bands) / H)))];
      }
    });
  }

  title(words, y, colour) { return this.text(words, 0, y, { bold: true, colour: colour ?? this.theme.ink(0.95) }); }

  // A colour bar with its ends and what it stands for, one line high.
  colourBar(y, colours, low, high, words) {
    const { k } = this, wide = Math.min(150 * k, this.inner / 3);
    let x = this.left + this.text(low, this.left, y) + 6;
    this.pixels(x, y - 5 * k, wide, 10 * k, (pixels, W, H) => { for (let i = 0; i < W * H; i++) pixels[i] = colours[Math.floor(((i % W) * 255) / Math.max(1, W - 1))]; });
    x += wide + 6;
    x += this.text(high, x, y) + 12;
    this.text(words, x, y);
  }

  // The frames of a time axis: marks at whole multiples.
  frameAxis(y, frames, words) {
    const every = [1, 2, 4, 5, 8, 10, 16, 20, 32, 50].find((n) => (frames / n) * 34 * this.k < this.inner) ?? 100;
    for (let t = 0; t < frames; t += every) this.text(String(t), this.x((t + 0.5) / frames), y, { align: "center" });
    this.text(words, this.width, y + 16 * this.k, { align: "right" });
  }

  // Bars of scores on a logarithmic axis of displacements, and where the lesson's draggable bars lie.
  scoreBars(y, h, lesson, chosen) {
    const { theme } = this, { bars } = lesson.settings, { limit } = lesson.header, middle = y + h / 2, step = this.inner / bars.length;
    for (const [score, words] of [[limit, digits(Math.exp(limit), 2)], [0, "1"], [-limit, digits(Math.exp(-limit), 1)]]) {
      const at = middle - (score / limit) * (h / 2);
      this.line([[this.left, at], [this.width - this.right, at]], theme.ink(0.16));
      this.text(words, this.left - 6, at, { align: "right" });
    }
    bars.forEach((score, t) => {
      const top = middle - (score / limit) * (h / 2), x = this.left + t * step;
      this.box(x + step * 0.12, top, step * 0.76, y + h - top, t === chosen ? theme.play : theme.layers[0]);
    });
    lesson.placeBars({ x: this.left, y, width: this.inner, height: h });
  }

  // The line 0..L-1 with frames on it and threads from where they lie in time. Returns the x of a position.
  positionLine(top, bottom, p, L, chosen) {
    const { theme } = this, at = (v) => this.left + (L > 1 ? v / (L - 1) : 0.5) * this.inner;
    p.forEach((v, t) => { if (t !== chosen) this.line([[this.x((t + 0.5) / p.length), top], [at(v), bottom]], theme.ink(0.25)); });
    this.line([[at(0), bottom], [at(L - 1), bottom]], theme.ink(0.9), 1.5);
    const every = Math.ceil((L * 26 * this.k) / this.inner);
    for (let i = 0; i < L; i++) {
      this.line([[at(i), bottom - 5], [at(i), bottom + 5]], theme.ink(0.9), 1.5);
      if (i % every === 0) this.text(String(i), at(i), bottom + 16 * this.k, { align: "center" });
    }
    p.forEach((v, t) => { if (t !== chosen) this.dot(at(v), bottom, 4, theme.layers[0]); });
    if (chosen != null && chosen < p.length) {
      this.line([[this.x((chosen + 0.5) / p.length), top], [at(p[chosen]), bottom]], theme.play, 2.5);
      this.dot(at(p[chosen]), bottom, 6, theme.play);
    }
    return at;
  }
}

const hoverFrame = (lesson, x, frames) => { const { pen } = lesson, at = Math.floor(((x - pen.left) / pen.inner) * frames); return at >= 0 && at < frames ? at : null; };
const sub = (letter, index) => `<i>${letter}</i><sub>${index}</sub>`;

// ---------------------------------------------------------------- the pictures, by step

const PICTURES = {};

PICTURES.why = {
  height: 390,
  draw(pen, lesson) {
    const { k, theme } = pen, { stride, spend } = lesson.settings, { bands, part, framesPerSecond, range } = lesson.header;
    const { mel, energy } = lesson.arrays, T = energy.length, inEdges = Float64Array.from({ length: T + 1 }, (_, t) => t);
    const u = place(Array.from(energy, (e) => (spend === "uniform" ? 0 : 4 * e)), stride).u;
    const { edges, L } = layOut({ u }, inEdges, { stride, sigma: 1, variant: "adastride" });
    const inWord = (i) => { const middle = (edges[i] + edges[i + 1]) / 2; return middle >= part[0] && middle <= part[1]; };
    const top = 24 * k, h = 120 * k, low = 250 * k, x = (t) => pen.x(t / T), y = (i) => pen.x(i / L);
    pen.title(`${T} frames in: the log-mel of “seven”`, 10 * k);
    pen.picture(pen.left, top, pen.inner, h, T, bands, (t, b) => mel[t * bands + b], RAMPS.mel);
    pen.text("8 kHz", pen.left - 5, top + 6 * k, { align: "right", size: pen.size - 1 });
    pen.text("0", pen.left - 5, top + h - 6 * k, { align: "right" });
    for (let s = 0; s <= T / framesPerSecond; s++) pen.text(`${s} s`, x(Math.min(s * framesPerSecond, T)), top + h + 12 * k, { align: s ? "center" : "left" });
    let count = 0;
    for (let i = 0; i < L; i++) {
      const word = inWord(i);
      count += word;
      if (word) {
        pen.context.beginPath();
        for (const [px, py] of [[x(edges[i]), top + h + 22 * k], [x(edges[i + 1]), top + h + 22 * k], [y(i + 1), low - 22 * k], [y(i), low - 22 * k]]) pen.context.lineTo(px, py);
        pen.context.fillStyle = `${theme.play}${i % 2 ? "55" : "88"}`;
        pen.context.fill();
      } else pen.line([[x(edges[i]), top + h + 22 * k], [y(i), low - 22 * k]], theme.ink(0.22));
    }
    pen.title(`${L} frames out`, low - 10 * k);
    const columns = Array.from({ length: L }, (_, i) => this.mean(mel, bands, edges[i], edges[i + 1]));
    pen.picture(pen.left, low, pen.inner, h * 0.7, L, bands, (i, b) => Math.round(columns[i][b]), RAMPS.mel);
    const first = Array.from({ length: L }, (_, i) => i).find(inWord) ?? 0;
    pen.box(y(first), low + h * 0.7 + 3, y(first + count) - y(first), 4 * k, theme.play);
    pen.text(`the word: ${count} of ${L}`, (y(first) + y(first + count)) / 2, low + h * 0.7 + 18 * k, { align: "center", colour: theme.play, bold: true });
    pen.colourBar(low + h * 0.7 + 42 * k, RAMPS.mel, signed(Math.round(range[0])), `${signed(Math.round(range[1]))} dB`, "mel level");
    lesson.say(`<i>L</i> = ⌈${T} / <em>${digits(stride)}</em>⌉ = ${L} output frames: ${count} for the word, which lasts ${digits((part[1] - part[0]) / framesPerSecond, 2)} s of ${digits(T / framesPerSecond, 2)} s, and ${L - count} for silence.`);
    return { L, word: count };
  },
  // The mean column of input frames from..to, parts of frames included.
  mean(mel, bands, from, to) {
    const sum = new Float64Array(bands);
    for (let t = Math.floor(from); t < Math.min(Math.ceil(to), mel.length / bands); t++) {
      const share = (Math.min(t + 1, to) - Math.max(t, from)) / Math.max(to - from, 1e-9);
      for (let b = 0; b < bands; b++) sum[b] += share * mel[t * bands + b];
    }
    return sum;
  },
};

PICTURES.aliasing = {
  height: 500,
  buttons: [["sweep", "Sweep", "Stop"]],
  draw(pen, lesson) {
    const { k, theme } = pen, { frequency: f, stride } = lesson.settings, s = Math.round(stride), { arrays, header } = lesson, T = header.toneFrames;
    const top = 24 * k, h = 120 * k, x = (v) => pen.x(v / 0.5), y = (v) => top + h - (v / 1.1) * h, limit = 1 / (2 * s);
    pen.title("How much of a tone comes through", 10 * k);
    pen.box(x(limit), top, x(0.5) - x(limit), h, theme.ink(0.07));
    for (const v of [0, 0.5, 1]) { pen.line([[pen.left, y(v)], [x(0.5), y(v)]], theme.ink(0.14)); pen.text(String(v), pen.left - 6, y(v), { align: "right" }); }
    for (const v of [0, 0.1, 0.2, 0.3, 0.4, 0.5]) pen.text(String(v), x(v), top + h + 12 * k, { align: "center" });
    pen.text("f, cycles per input frame", pen.width, top + h + 28 * k, { align: "right" });
    pen.line([[x(limit), top], [x(limit), top + h]], theme.ink(0.8), 1.5, [5, 4]);
    pen.text(`limit 1/(2s) = ${digits(limit)}`, x(0.5) - 6, top + h * 0.32, { align: "right" });
    const gains = header.methods.map((_, m) => arrays[`gain${s}-${m}`]);
    gains.forEach((gain, m) => pen.line(Array.from(gain, (g, i) => [x((0.5 * i) / (gain.length - 1)), y(Math.min(g, 1.1))]), theme.four[m], 2.2));
    pen.line([[x(f), top], [x(f), top + h]], theme.play, 2);
    const folded = Math.abs(f * s - roundHalfEven(f * s)), time = (t) => pen.x((t + 0.5) / T), cosine = (t) => Math.cos(2 * Math.PI * f * (t - T / 2) + 1);
    const tone = Array.from({ length: T }, (_, t) => cosine(t)), values = header.methods.map((_, m) => downsampleTone(tone, arrays[`first${s}-${m}`], arrays[`weights${s}-${m}`]));
    const left = gains.map((gain) => gain[Math.round((f / 0.5) * (gain.length - 1))]);
    header.methods.forEach((name, m) => {
      const row = (190 + 76 * m) * k, middle = row + 40 * k, swing = 24 * k, wave = [];
      const wide = pen.title(name, row, theme.four[m]);
      pen.text(`${percent(left[m])} of it left`, wide + 12, row);
      for (let t = 0; t <= T - 1; t += 0.2) wave.push([time(t), middle - swing * cosine(t)]);
      pen.line(wave, theme.ink(0.28));
      const times = arrays[`times${s}-${m}`], points = values[m].map((v, i) => [time(times[i]), middle - swing * clamp(v, -1.2, 1.2)]);
      pen.line(points, theme.four[m], 2);
      points.forEach(([px, py]) => pen.dot(px, py, 3, theme.four[m]));
    });
    const beyond = f > limit + 1e-9;
    lesson.say(`<i>f s</i> = ${digits(f)} · ${s} = <em>${digits(f * s)}</em> cycles per output frame, ${beyond ? `beyond 1/2: what is left comes back as <em>${digits(folded)}</em>.` : "at most 1/2: it stays what it is."}`);
    return { folded, left, values, frequency: f, stride: s };
  },
  point(x, y, lesson, pressed) {
    if (pressed && y < 160 * lesson.pen.k) lesson.change({ frequency: Math.round(clamp(((x - lesson.pen.left) / lesson.pen.inner) * 0.5, 0, 0.5) * 200) / 200 }, "frequency");
  },
  press(name, lesson) { lesson.animate("frequency", 0.5, SWEEP_SECONDS); },
};

PICTURES.positions = {
  height: 440,
  buttons: [["equal", "All equal"], ["energy", "From a word’s energy"], ["usual", "An event"]],
  draw(pen, lesson) {
    const { k, theme } = pen, { bars, stride } = lesson.settings, found = place(bars, stride), { dp, sum, p, L } = found, T = bars.length;
    const chosen = lesson.chosen ?? null;
    pen.title("Δp: how far to the next frame (drag, logarithmic)", 10 * k);
    pen.scoreBars(24 * k, 120 * k, lesson, chosen);
    const top = 184 * k, h = 80 * k, step = pen.inner / T, y = (v) => top + h - (v / sum.at(-1)) * h;
    pen.title("p: their running sum, only ever rising", top - 14 * k);
    pen.text(digits(sum.at(-1)), pen.left - 6, y(sum.at(-1)) + 4, { align: "right" });
    pen.text("0", pen.left - 6, top + h - 4, { align: "right" });
    sum.forEach((v, t) => pen.box(pen.left + t * step + step * 0.12, y(v), step * 0.76, top + h - y(v), t === chosen ? theme.play : theme.layers[2]));
    pen.frameAxis(top + h + 12 * k, T, "frame t");
    pen.title("p*: stretched onto the output frames 0 to L − 1", top + h + 44 * k);
    pen.positionLine(top + h + 60 * k, 400 * k, p, L, chosen);
    pen.text("output frame", pen.width, 430 * k, { align: "right" });
    const t = chosen ?? 11, term = (name, text) => (lesson.term === name ? `<em>${text}</em>` : text);
    lesson.say(`Frame ${t}: ${sub("Δp", t)} = exp(${signed(bars[t])}) = ${term("dp", digits(dp[t]))} · ${sub("p", t)} = ${term("sum", digits(sum[t]))} · ${sub("p*", t)} = ${term("norm", `(${digits(sum[t])} − ${digits(sum[0])})`)} / (${digits(sum.at(-1))} − ${digits(sum[0])}) · ${term("stride", L - 1)} = ${digits(p[t])}`);
    return { dp, sum, p, L };
  },
  point(x, y, lesson) {
    const T = lesson.settings.bars.length, { k } = lesson.pen;
    lesson.choose(hoverFrame(lesson, x, T), y < 160 * k ? "dp" : y < 275 * k ? "sum" : "norm");
  },
  press(name, lesson) {
    const { usual } = lesson.control("bars");
    lesson.change({ bars: name === "equal" ? usual.map(() => 0) : name === "energy" ? [...lesson.header.energyBars] : [...usual] }, "dp");
  },
};

PICTURES.softmax = {
  height: 440,
  draw(pen, lesson) {
    const { k, theme } = pen, { stage, sigma, stride } = lesson.settings, { scores } = lesson.header, { p, L } = place(scores, stride), T = p.length;
    const A = writeOut(p, L, sigma), square = (i, j) => (p[j] - i) ** 2, weigh = (i, j) => Math.exp(-square(i, j) / (sigma * sigma));
    const most = (L - 1) ** 2 || 1, value = { distance: square, exp: weigh, softmax: (i, j) => A[i][j] }[stage];
    const top = 24 * k, h = 230 * k, cell = h / L, step = pen.inner / T, highest = stage === "distance" ? most : 1;
    const [row, column] = lesson.cell ?? [Math.min(L - 1, 5), 9].map((v, n) => Math.min(v, (n ? T : L) - 1));
    const i = Math.min(row, L - 1), j = column;
    pen.title({ distance: "(p* − i)²: how far frame j is from output frame i", exp: "exp(−σ⁻² (p* − i)²): near frames count", softmax: "A: every row divided by its total" }[stage], 10 * k);
    pen.picture(pen.left, top, pen.inner, h, T, L, (t, n) => Math.round(255 * clamp(value(n, t) / highest, 0, 1)), RAMPS[theme.name]);
    this.area = { top, h, L, T };
    const every = Math.ceil((L * 18 * k) / h);
    for (let n = 0; n < L; n += every) pen.text(String(n), pen.left - 6, top + h - (n + 0.5) * cell, { align: "right" });
    const y = top + h - (i + 1) * cell;
    pen.context.strokeStyle = theme.play;
    pen.context.lineWidth = 2;
    pen.context.strokeRect(pen.left, y, pen.inner, cell);
    pen.context.strokeRect(pen.left + j * step, y, step, cell);
    pen.frameAxis(top + h + 12 * k, T, "input frame j; upwards: output frame i");
    pen.colourBar(top + h + 46 * k, RAMPS[theme.name], "0", digits(highest), { distance: "squared output frames", exp: "before the softmax", softmax: "weight" }[stage]);
    const base = 430 * k, high = 84 * k, values = p.map((_, t) => value(i, t)), scale = Math.max(...values, 1e-9);
    pen.title(`Row ${i}${stage === "softmax" ? `: weights that sum to ${digits(A[i].reduce((a, b) => a + b, 0))}` : ""}`, base - high - 14 * k, theme.play);
    pen.text(digits(scale, 2), pen.left - 6, base - high + 4, { align: "right" });
    pen.text("0", pen.left - 6, base - 4, { align: "right" });
    values.forEach((v, t) => pen.box(pen.left + (t + 0.12) * step, base - (v / scale) * high, step * 0.76, (v / scale) * high, t === j ? theme.play : theme.layers[0]));
    pen.line([[pen.left, base], [pen.width - pen.right, base]], theme.ink(0.5));
    const sum = p.reduce((total, _, t) => total + weigh(i, t), 0), term = (name, text) => (lesson.term === name ? `<em>${text}</em>` : text);
    const total = sum >= 1e-6 ? `${digits(weigh(i, j))} / ${term("sum", digits(sum))}` : "underflow, so the library takes the nearest frame’s distance off first";
    lesson.say(`${sub("a", `${i},${j}`)} = exp(−${term("sigma", digits(sigma ** -2))} · ${term("distance", `(${digits(p[j])} − ${i})²`)}) / ${term("sum", "Σ")} = ${total} = <b>${digits(A[i][j])}</b>`);
    return { A, p, L, weight: A[i][j] };
  },
  point(x, y, lesson) {
    const { top, h, L, T } = this.area, j = hoverFrame(lesson, x, T);
    if (j == null || y < top) return;
    const i = y < top + h ? clamp(Math.floor(((top + h - y) / h) * L), 0, L - 1) : (lesson.cell?.[0] ?? 5);
    lesson.cell = [i, j];
    lesson.choose(null, y < top + h ? "distance" : "sum");
  },
  step(dx, dy, lesson) {
    const { L, T } = this.area, [i, j] = lesson.cell ?? [5, 9];
    lesson.cell = [clamp(i + dy, 0, L - 1), clamp(j + dx, 0, T - 1)];
    lesson.choose(null, "distance", true);
  },
};

PICTURES.pooling = {
  height: 500,
  draw(pen, lesson) {
    const { k, theme } = pen, { contrast, stride, sigma } = lesson.settings, { bands, part, range } = lesson.header;
    const from = Math.max(0, part[0] - 28), T = 96, energy = Array.from(lesson.arrays.energy.slice(from, from + T)), mel = lesson.arrays.mel.subarray(from * bands, (from + T) * bands);
    const { u } = place(energy.map((e) => contrast * e), stride), inEdges = Float64Array.from({ length: T + 1 }, (_, t) => t);
    const layout = layOut({ u }, inEdges, { stride, sigma, variant: "adastride" }), { L } = layout;
    const rows = Array.from({ length: L }, (_, i) => rowWeights(layout, i));
    const Y = rows.map(({ start, weights }) => { const sum = new Float64Array(bands); weights.forEach((w, n) => { for (let b = 0; b < bands; b++) sum[b] += w * mel[(start + n) * bands + b]; }); return sum; });
    const chosen = Math.min(lesson.chosen ?? Math.floor(L / 2), L - 1), top = 24 * k, h = 96 * k, middle = 146 * k, tall = 160 * k, low = 334 * k;
    this.area = { middle, tall, low, h, L };
    pen.title(`X: ${T} mel frames`, 10 * k);
    pen.picture(pen.left, top, pen.inner, h, T, bands, (t, b) => mel[t * bands + b], RAMPS.mel);
    pen.title(`A: ${L} rows, one for each output frame`, middle - 12 * k);
    pen.pixels(pen.left, middle, pen.inner, tall, (pixels, W, H) => fillAlignment(pixels, W, H, layout, { from: 0, to: T }, 0, L, RAMPS[theme.name]));
    pen.title(`Y = A X: ${L} frames, drawn ${digits(T / L, 2)} times as wide`, low - 12 * k);
    pen.picture(pen.left, low, pen.inner, h, L, bands, (i, b) => Math.round(clamp(Y[i][b], 0, 255)), RAMPS.mel);
    const { start, weights } = rows[chosen], best = Math.max(...weights), y = middle + tall - ((chosen + 0.5) / L) * tall;
    weights.forEach((w, n) => {
      if (w < 0.02 * best) return;
      pen.context.globalAlpha = 0.15 + 0.6 * (w / best);
      pen.box(pen.x((start + n) / T), top + h + 1, pen.inner / T, 6 * k, theme.play);
      pen.context.globalAlpha = 1;
    });
    pen.line([[pen.left, y], [pen.x(1), y]], theme.play, 1.5);
    pen.context.strokeStyle = theme.play;
    pen.context.lineWidth = 2;
    pen.context.strokeRect(pen.x(chosen / L), low, Math.max(2, pen.inner / L), h);
    pen.text("8 kHz", pen.left - 5, top + 6 * k, { align: "right", size: pen.size - 1 });
    pen.text("8 kHz", pen.left - 5, low + 6 * k, { align: "right", size: pen.size - 1 });
    for (const at of [top, low]) pen.text("0", pen.left - 5, at + h - 6 * k, { align: "right" });
    pen.text(String(L - 1), pen.left - 5, middle + 7 * k, { align: "right" });
    pen.text("0", pen.left - 5, middle + tall - 7 * k, { align: "right" });
    pen.colourBar(low + h + 18 * k, RAMPS.mel, signed(Math.round(range[0])), `${signed(Math.round(range[1]))} dB`, "mel level");
    pen.colourBar(low + h + 42 * k, RAMPS[theme.name], "0", "1", "share of the row’s largest weight");
    const places = Array.from(weights, (w, n) => [w, start + n]).sort((a, b) => b[0] - a[0]).slice(0, 3).filter(([w]) => w > 0.005);
    lesson.say(`${sub("y", chosen)} = ${places.map(([w, j]) => `<em>${digits(w)}</em> · ${sub("x", j)}`).join(" + ")}${weights.length > places.length && places.reduce((a, [w]) => a + w, 0) < 0.995 ? " + …" : ""} · it stands for ${digits(layout.strides[chosen])} input frames`);
    return { L, p: Array.from(layout.p), strides: Array.from(layout.strides), Y: Y.map((column) => Array.from(column)) };
  },
  point(x, y, lesson) {
    const { middle, tall, low, h, L } = this.area;
    if (y >= low && y < low + h) lesson.choose(hoverFrame(lesson, x, L), "sigma");
    else if (y >= middle && y < middle + tall) lesson.choose(clamp(Math.floor(((middle + tall - y) / tall) * L), 0, L - 1), "A");
    else if (y < middle) lesson.choose(lesson.chosen, "X");
  },
  step(dx, dy, lesson) { lesson.choose(clamp((lesson.chosen ?? Math.floor(this.area.L / 2)) + (dx || dy), 0, this.area.L - 1), "sigma", true); },
};

PICTURES.loss = {
  height: 430,
  buttons: [["equal", "All equal"], ["usual", "One jump"], ["energy", "From a word’s energy"]],
  draw(pen, lesson) {
    const { k, theme } = pen, { bars, stride } = lesson.settings, { p, L } = place(bars, stride), T = p.length;
    const excess = p.slice(1).map((v, t) => Math.max(v - p[t] - 1, 0)), sum = excess.reduce((a, b) => a + b, 0), loss = sum / (T - 1);
    pen.title("Δp (drag, logarithmic)", 10 * k);
    pen.scoreBars(24 * k, 110 * k, lesson, lesson.chosen);
    pen.frameAxis(146 * k, T, "frame t");
    pen.title("p*: jumps beyond one output frame", 184 * k);
    const bottom = 280 * k, at = pen.positionLine(200 * k, bottom, p, L, lesson.chosen);
    excess.forEach((e, t) => {
      if (e <= 1e-9) return;
      pen.line([[at(p[t]), bottom], [at(p[t + 1]), bottom]], theme.bad, 5);
      pen.text(`+${digits(e, 2)}`, (at(p[t]) + at(p[t + 1])) / 2, bottom - 15 * k, { align: "center", colour: theme.bad, bold: true });
    });
    const nearest = Array.from({ length: L }, (_, i) => p.reduce((best, v, j) => (Math.abs(v - i) < Math.abs(p[best] - i) ? j : best), 0));
    const alone = nearest.map((j, i) => Math.abs(p[j] - i) > 0.5 + 1e-9), low = 346 * k, wide = pen.inner / L, counts = Array(L).fill(0);
    p.forEach((v) => counts[roundHalfEven(v)]++);
    pen.title("Input frames that each output frame has of its own", low - 16 * k);
    counts.forEach((n, i) => {
      const x = pen.left + i * wide;
      if (alone[i]) { pen.box(x + 1, low, wide - 2, 34 * k, theme.bad + "33"); pen.hatch(x + 1, low, wide - 2, 34 * k, theme.bad); } else pen.box(x + 1, low, wide - 2, 34 * k, theme.layers[0] + "44");
      if (wide > 14 * k) pen.text(String(n), x + wide / 2, low + 17 * k, { align: "center", bold: alone[i], colour: theme.ink(1) });
    });
    const every = Math.ceil((L * 26 * k) / pen.inner);
    for (let i = 0; i < L; i += every) pen.text(String(i), pen.left + (i + 0.5) * wide, low + 46 * k, { align: "center" });
    pen.text("output frame", pen.width, low + 64 * k, { align: "right" });
    const hurt = alone.filter(Boolean).length, jumps = excess.filter((e) => e > 1e-9).length;
    lesson.say(`<i>L</i><sub>pos</sub> = <em>${digits(sum)}</em> / ${T - 1} = <b>${digits(loss)}</b> output frames: ${jumps ? `${jumps} jump${jumps > 1 ? "s" : ""} beyond 1` : "no jump beyond 1"}${hurt ? `; ${hurt} output frame${hurt > 1 ? "s have" : " has"} no input frame within half a step and repeat${hurt > 1 ? "" : "s"} what others have.` : "."}`);
    return { p, L, loss, alone: hurt };
  },
  point(x, y, lesson) { lesson.choose(hoverFrame(lesson, x, lesson.settings.bars.length), "excess"); },
  press(name, lesson) { PICTURES.positions.press(name, lesson); },
};

PICTURES.scatter = {
  height: 440,
  buttons: [["play", "Add frame by frame", "Stop"]],
  draw(pen, lesson) {
    const { k, theme } = pen, { bars, stride, sigma, added } = lesson.settings, { p, L } = place(bars, stride), T = p.length;
    const A = writeOut(p, L, sigma, true), to = p.map(roundHalfEven), w = p.map((_, j) => A[to[j]][j]), xs = lesson.header.energyBars.map((v) => v / 3 + 0.5);
    const many = Math.round(added), y = Array(L).fill(0);
    for (let j = 0; j < many; j++) y[to[j]] += w[j] * xs[j];
    pen.title("Δp (drag, logarithmic)", 10 * k);
    pen.scoreBars(24 * k, 80 * k, lesson, lesson.chosen);
    const step = pen.inner / T, top = 196 * k, low = 396 * k, wide = pen.inner / L, high = 56 * k, last = lesson.chosen ?? many - 1;
    pen.title("x: one number a frame here", 128 * k);
    xs.forEach((v, j) => pen.box(pen.left + (j + 0.12) * step, top - v * 50 * k, step * 0.76, Math.max(1, v * 50 * k), j === last ? theme.play : j < many ? theme.layers[0] : theme.ink(0.25)));
    pen.frameAxis(top + 10 * k, T, "");
    for (let j = 0; j < T; j++) pen.line([[pen.left + (j + 0.5) * step, top + 20 * k], [pen.left + (to[j] + 0.5) * wide, low - high - 24 * k]], j === last ? theme.play : j < many ? theme.layers[0] : theme.ink(0.16), 0.8 + 3 * w[j]);
    pen.title("y: what scatter_add has put together", low - high - 12 * k);
    const used = new Set(to), every = Math.ceil((L * 26 * k) / pen.inner);
    y.forEach((v, i) => {
      const x = pen.left + i * wide;
      pen.box(x + 1, low - high, wide - 2, high, theme.ink(0.06));
      if (!used.has(i)) pen.hatch(x + 1, low - high, wide - 2, high, theme.bad);
      pen.box(x + wide * 0.1, low - Math.min(v, 1) * high, wide * 0.8, Math.min(v, 1) * high, i === to[last] ? theme.play : theme.layers[2]);
      if (i % every === 0) pen.text(String(i), x + wide / 2, low + 12 * k, { align: "center" });
    });
    pen.text("1", pen.left - 6, low - high + 5, { align: "right" });
    pen.text("0", pen.left - 6, low - 5, { align: "right" });
    pen.text(`output frame${used.size < L ? "; hatched: empty, stays 0" : ""}`, pen.width, low + 30 * k, { align: "right" });
    const t = Math.max(0, last), peers = to.filter((i) => i === to[t]).length;
    lesson.say(`round(${sub("p*", t)}) = round(${digits(p[t])}) = <em>${to[t]}</em>, one of ${peers} frame${peers > 1 ? "s" : ""} there: ${sub("y", to[t])} += ${sub("w", t)} · ${sub("x", t)} = ${digits(w[t])} · ${digits(xs[t])} · ${L - used.size} of ${L} output frames are empty.`);
    return { p, L, w, y, empty: L - used.size };
  },
  point(x, y, lesson) { lesson.choose(hoverFrame(lesson, x, lesson.settings.bars.length), y < 190 * lesson.pen.k ? "nearest" : "sigma"); },
  press(name, lesson) { lesson.animate("added", 24, 6, 1); },
};

PICTURES.spectral = {
  height: 510,
  draw(pen, lesson) {
    const { k, theme } = pen, { settings } = lesson, signal = lesson.arrays.signal, T = signal.length, found = spectralMask(T, settings);
    const { mask, slope, kept, passed, frames, fourier } = found, bins = mask.length, spectrum = transform(signal, fourier);
    const size = spectrum.map(([re, im]) => Math.hypot(re, im)), most = Math.max(...size), top = 24 * k, h = 150 * k, step = pen.inner / bins, x = (n) => pen.left + (n + 0.5) * step;
    const y = (v) => top + h - v * h * 0.95;
    this.area = { bins, T, fourier };
    pen.title(`${fourier ? "Fourier" : "Cosine"} spectrum of ${T} frames, and the mask (drag it)`, 10 * k);
    pen.box(pen.left, top, kept * step, h, theme.ink(0.05));
    size.forEach((v, n) => pen.box(pen.left + (n + 0.15) * step, y(v / most), step * 0.7, top + h - y(v / most), n < kept ? theme.layers[0] : theme.ink(0.25)));
    pen.line(Array.from({ length: 201 }, (_, i) => { const n = (i / 200) * (bins - 1); return [x(n), y(clamp((settings.smoothness + passed - n) / settings.smoothness, 0, 1))]; }), theme.play, 2.5);
    for (const v of [0, 0.5, 1]) pen.text(String(v), pen.left - 6, y(v), { align: "right" });
    const cut = pen.left + kept * step;
    pen.line([[cut, top], [cut, top + h]], theme.bad, 1.5, [5, 4]);
    pen.text(`cut: ${kept} of ${bins} stay`, cut + 6 > pen.width * 0.68 ? cut - 6 : cut + 6, top + 10 * k, { align: cut + 6 > pen.width * 0.68 ? "right" : "left", colour: theme.bad });
    pen.frameAxis(top + h + 12 * k, bins, fourier ? "bin n" : "coefficient n");
    const low = 236 * k, deep = 56 * k, steepest = Math.max(...slope.map(Math.abs), 1e-9);
    pen.title("∂m/∂s: bins on the slope tell s where to go", low - 14 * k);
    slope.forEach((v, n) => pen.box(pen.left + (n + 0.15) * step, low, step * 0.7, (Math.abs(v) / steepest) * deep, theme.play));
    pen.line([[pen.left, low], [pen.width - pen.right, low]], theme.ink(0.5));
    pen.text("0", pen.left - 6, low, { align: "right" });
    if (slope.some(Boolean)) pen.text(`−${digits(steepest, 2)}`, pen.left - 4, low + deep, { align: "right", size: pen.size - 2 });
    const masked = spectrum.slice(0, kept).map(([re, im], n) => [re * mask[n], im * mask[n]]), out = transformBack(masked, frames, T, fourier);
    const middle = 410 * k, swing = 60 * k, range = Math.max(...Array.from(signal, Math.abs)), time = (t) => pen.x((t + 0.5) / T);
    pen.title(`Out: ${frames} frames of ${T}`, 328 * k);
    pen.line(Array.from(signal, (v, t) => [time(t), middle - (v / range) * swing]), theme.ink(0.45), 1.5);
    const points = out.map((v, i) => [time(fourier ? (i * T) / frames : ((i + 0.5) * T) / frames - 0.5), middle - clamp(v / range, -1.3, 1.3) * swing]);
    pen.line(points, theme.layers[2], 2);
    points.forEach(([px, py]) => pen.dot(px, py, 2.6, theme.layers[2]));
    pen.text("grey: the energy of a word, without its mean", pen.width, 492 * k, { align: "right" });
    lesson.say(`<i>T</i>/<i>s</i> = ${T} / ${digits(settings.stride)} = ${digits(T / settings.stride)}, but <em>${frames}</em> frames come out: ${fourier ? `2 · (${kept} − 1), because the mask’s slope lets R = ${digits(settings.smoothness)} more bins through` : `one for each coefficient that stays, R = ${digits(settings.smoothness)} of them on the slope`}.`);
    return { mask, slope, kept, frames, out, signal: Array.from(signal) };
  },
  point(px, y, lesson, pressed) {
    const { bins, T, fourier } = this.area;
    if (!pressed || y > 190 * lesson.pen.k) return;
    const n = ((px - lesson.pen.left) / lesson.pen.inner) * bins - 0.5;
    lesson.change({ stride: clamp(T / ((fourier ? 2 : 1) * Math.max(n - 1, 0.5)), 1, 8) }, "stride");
  },
};

PICTURES.cost = {
  height: 500,
  buttons: [["measure", "Measure again"]],
  opened(lesson) { if (!lesson.header.timings.length) lesson.request("measure"); },
  draw(pen, lesson) {
    const { k, theme } = pen, { frames, channels, stride, sigma } = lesson.settings, T = Math.round(frames), D = Math.round(channels), L = Math.ceil(T / stride);
    const wide = (t) => Math.min(t, 2 * sigma * stride * Math.sqrt(FRAME_TAIL + Math.log(t))), costs = [(t) => (t * t * D) / stride, (t) => (t / stride) * Math.max(1, wide(t)) * D, (t) => t * D];
    const names = ["whole matrix", "windows", "AdaStride-F"], top = 24 * k, h = 190 * k, low = Math.log10(100 * 8), high = Math.log10(1e12 * 512);
    const x = (t) => pen.x((Math.log10(t) - 2) / 4), y = (v) => top + h - ((Math.log10(v) - low) / (high - low)) * h;
    pen.title("Multiplications, by the frames of the sound", 10 * k);
    for (const [many, words] of [[1e4, "10⁴"], [1e6, "10⁶"], [1e8, "10⁸"], [1e10, "10¹⁰"], [1e12, "10¹²"], [1e14, "10¹⁴"]]) {
      pen.line([[pen.left, y(many)], [x(1e6), y(many)]], theme.ink(0.12));
      pen.text(words, pen.left - 6, y(many), { align: "right" });
    }
    for (const [t, words] of [[100, "100"], [1e3, "1000"], [1e4, "10 000"], [1e5, "100 000"], [1e6, "1 million"]]) pen.text(words, x(t), top + h + 12 * k, { align: "center" });
    pen.line([[x(T), top], [x(T), top + h]], theme.play, 1.5);
    costs.forEach((cost, n) => {
      pen.line(Array.from({ length: 41 }, (_, i) => { const t = 10 ** (2 + i / 10); return [x(t), y(cost(t))]; }), theme.layers[n], 2.2);
      pen.dot(x(T), y(cost(T)), 5, theme.layers[n]);
    });
    names.forEach((name, n) => { const at = top + (14 + 18 * n) * k; pen.line([[pen.left + 8, at], [pen.left + 26 * k, at]], theme.layers[n], 3); pen.text(name, pen.left + 32 * k, at); });
    const { timings } = lesson.header, begin = 300 * k, tall = 150 * k;
    pen.title(timings.length ? `Measured on this machine, in ms (D = ${lesson.header.measured.channels}, s = ${digits(lesson.header.measured.stride)}, σ = ${digits(lesson.header.measured.sigma)})` : "Measured on this machine", begin - 16 * k);
    if (timings.length) {
      const all = timings.flatMap((each) => [each.dense, each.windows, each.nearest]), floor = 10 ** Math.floor(Math.log10(Math.min(...all))), roof = 10 ** Math.ceil(Math.log10(Math.max(...all)));
      const at = (t) => pen.x(0.04 + (0.9 * Math.log2(t / timings[0].frames)) / Math.log2(timings.at(-1).frames / timings[0].frames)), ms = (v) => begin + tall - (Math.log(v / floor) / Math.log(roof / floor)) * tall;
      for (let v = floor; v <= roof * 1.01; v *= 10) { pen.line([[pen.left, ms(v)], [pen.x(1), ms(v)]], theme.ink(0.12)); pen.text(String(Number(v.toPrecision(1))), pen.left - 6, ms(v), { align: "right" }); }
      timings.forEach((each) => pen.text(`T = ${each.frames}`, at(each.frames), begin + tall + 14 * k, { align: "center" }));
      ["dense", "windows", "nearest"].forEach((key, n) => {
        const points = timings.map((each) => [at(each.frames), ms(each[key])]);
        pen.line(points, theme.layers[n], 2);
        points.forEach(([px, py], i) => { pen.dot(px, py, 4, theme.layers[n]); if (i === points.length - 1) pen.text(`${digits(timings[i][key], 2)} ms`, px + 8, py + [-14, -11, 12][n] * k, { align: "right", colour: theme.layers[n], bold: true }); });
      });
    } else pen.text("Measuring …", pen.left, begin + 20 * k);
    const elements = L * T;
    lesson.say(`<i>T</i> = ${T} frames (${digits(T / 62.5 / 60, 2)} minutes): all of <i>A</i> is ${L} × ${T} = ${large(elements)} numbers, ${bytes(4 * elements)}, and <em>${large(costs[0](T))}</em> multiplications. Windows of about ${digits(wide(T), 2)} frames need <em>${large(costs[1](T))}</em>: ${digits(costs[0](T) / costs[1](T), 2)} times fewer.`);
    return { L, costs: costs.map((cost) => cost(T)), timings };
  },
  press(name, lesson) { lesson.request("measure"); },
};

PICTURES.learning = {
  height: 520,
  buttons: [["play", "Train"], ["one", "One step"]],
  reset: (lesson) => lesson.picture.press("reset", lesson),
  draw(pen, lesson) {
    const { k, theme } = pen, { look, trained, most, burst } = lesson.header, { clip, unit, losses, ratios } = lesson.arrays, T = unit.length, stride = Math.round(lesson.settings.stride);
    const inEdges = Float64Array.from({ length: T + 1 }, (_, t) => t), layout = layOut({ u: unit }, inEdges, { stride, sigma: 5 ** -0.5, variant: "adastride" }), { L } = layout;
    const x = (t) => pen.x(t / T), begin = x(look.begin), end = x(look.begin + burst), top = 24 * k, h = 76 * k;
    pen.title("A clip it has never seen: silence and a burst", 10 * k);
    pen.box(begin, top, end - begin, h, theme.play + "33");
    pen.line(Array.from({ length: T }, (_, t) => [pen.x((t + 0.5) / T), top + h / 2 - clip[t] * h * 0.36]), theme.layers[0], 1.8);
    pen.text("1", pen.left - 6, top + h * 0.14, { align: "right" });
    pen.text("−1", pen.left - 6, top + h * 0.86, { align: "right" });
    pen.text("the burst", (begin + end) / 2, top + h + 11 * k, { align: "center", colour: theme.play, bold: true });
    const middle = 146 * k, tall = 110 * k, low = 266 * k;
    pen.title("Its alignment", middle - 14 * k);
    pen.pixels(pen.left, middle, pen.inner, tall, (pixels, W, H) => fillAlignment(pixels, W, H, layout, { from: 0, to: T }, 0, L, RAMPS[theme.name]));
    pen.line([[pen.left, middle + tall], [pen.x(1), middle]], theme.ink(0.8), 1.2, [5, 4]);
    pen.text(String(L - 1), pen.left - 6, middle + 7 * k, { align: "right" });
    pen.text("0", pen.left - 6, middle + tall - 7 * k, { align: "right" });
    for (let i = 0; i < L; i++) {
      const centre = (layout.edges[i] + layout.edges[i + 1]) / 2, inside = centre >= look.begin && centre <= look.begin + burst;
      pen.box(x(layout.edges[i]) + 1, low, Math.max(1, x(layout.edges[i + 1]) - x(layout.edges[i]) - 1.5), 16 * k, inside ? theme.play : theme.layers[0] + "88");
    }
    pen.frameAxis(low + 28 * k, T, "blocks: the input frames each output frame stands for");
    const plot = (from, values, colour, words, roof, mark) => {
      const high = 62 * k, y = (v) => from + high - (clamp(v, 0, roof) / roof) * high;
      pen.title(words, from - 13 * k, colour);
      pen.line([[pen.left, from + high], [pen.x(1), from + high]], theme.ink(0.4));
      pen.text(digits(roof, 2), pen.left - 6, from + 5, { align: "right" });
      pen.text("0", pen.left - 6, from + high - 4, { align: "right" });
      if (mark) pen.line([[pen.left, y(mark)], [pen.x(1), y(mark)]], theme.ink(0.5), 1, [3, 4]);
      pen.line(Array.from(values, (v, i) => [pen.x((i + 1) / most), y(v)]), colour, 2);
      if (values.length) pen.dot(pen.x(values.length / most), y(values.at(-1)), 3.5, colour);
    };
    plot(340 * k, losses, theme.layers[1], "Loss (cross-entropy + position loss)", 1.6, Math.log(4));
    plot(430 * k, ratios, theme.layers[2], "Stride in silence ÷ stride in the burst", Math.max(4, Math.ceil(Math.max(0, ...ratios.slice(-200)))), 1);
    for (let step = 0; step <= most; step += 60) pen.text(String(step), pen.x(step / most), 504 * k, { align: "center" });
    lesson.say(`Step <em>${trained}</em> of ${most}: ${percent(look.accuracy)} of 64 new clips right · strides in the burst are <em>${digits(Math.max(look.ratio, 0.01), 2)}</em> times smaller than in silence · position loss ${digits(look.position_loss, 2)}`);
    const button = lesson.one('[data-action="play"]');
    if (button) { button.textContent = lesson.playing ? "Pause" : lesson.header.finished ? "Trained" : trained ? "Go on" : "Train"; button.disabled = lesson.header.finished; lesson.one('[data-action="one"]').disabled = lesson.header.finished || lesson.playing; }
    return { trained, ratio: look.ratio, accuracy: look.accuracy };
  },
  press(name, lesson) {
    if (name === "play") {
      lesson.playing = !lesson.playing;
      if (lesson.playing) lesson.request("train");
      lesson.draw();
      return;
    }
    lesson.playing = false;
    lesson.setTerm("weight");
    lesson.request(name);
  },
  received(lesson) {
    if (lesson.playing) requestAnimationFrame(() => { if (lesson.playing && lesson.underWay === null) lesson.request("train"); }); // a tab nobody sees stops
  },
};

// ---------------------------------------------------------------- the component

class Lesson extends LiveView {
  constructor(root) {
    super(root);
    this.client = Math.random().toString(36).slice(2);
    this.canvas = this.one(".picture");
    this.barsBox = this.one(".bars");
    this.remembered = {}; // settings of steps seen before
    this.waiting = this.quiet = null;
    this.listen();
  }

  dispose() {
    this.playing = false;
    this.stopAnimation();
    for (const timer of [this.quiet, this.timeout, this.addressing]) clearTimeout(timer);
    this.disposers.forEach((dispose) => dispose());
    this.root.remove();
  }

  get picture() { return PICTURES[this.header.step]; }

  control(name) { return this.header.controls.find((each) => each.name === name); }

  // ------------------------------------------------------------ data in and out

  receive({ header, arrays }, setStateValue) {
    this.setStateValue = setStateValue;
    const before = this.header?.step, changed = header.step !== before;
    const answered = header.client === this.client && header.sequence === this.underWay;
    Object.assign(this, { header, arrays });
    this.note("received", header.sequence);
    if (changed) {
      this.stopAnimation();
      if (this.quiet !== null || this.waiting !== null) this.send(before, ""); // what the server does not know yet would be lost on another page
      Object.assign(this, { playing: false, chosen: null, cell: null, term: header.terms[0] });
      this.settings = this.remembered[header.step] ?? header.settings;
      this.build();
      this.writeAddress();
    }
    this.remembered[header.step] = this.settings;
    if (header.finished) this.playing = false;
    if (answered) { this.underWay = null; clearTimeout(this.timeout); }
    // Streamlit's shortcuts rest while a switch has the focus: after a click there (not a key) arrows should turn pages.
    if (this.byHand && document.activeElement?.matches('[type="checkbox"]')) document.activeElement.blur();
    this.root.classList.toggle("presenter", header.presenter);
    this.refresh();
    this.draw();
    if (!changed && header.presenter !== this.presented) this.writeAddress();
    this.presented = header.presenter;
    if (changed) this.picture.opened?.(this);
    if (answered) this.picture.received?.(this);
    if (this.underWay === null && this.waiting !== null) this.request(this.waiting);
  }

  // action: what to do beyond following the settings. While a request is under way the newest waits.
  request(action = "") {
    clearTimeout(this.quiet);
    this.quiet = null;
    if (this.underWay !== null) this.waiting = action || this.waiting || "";
    else this.send(this.header.step, action);
  }

  send(step, action) {
    clearTimeout(this.quiet);
    this.quiet = this.waiting = null;
    this.underWay = ++this.sequence;
    this.note("sent", this.underWay);
    clearTimeout(this.timeout);
    this.timeout = setTimeout(() => { this.underWay = null; if (this.waiting !== null) this.request(this.waiting); }, LESSON_TIMEOUT_MS);
    this.setStateValue("request", { client: this.client, sequence: this.underWay, step, settings: structuredClone(this.settings), term: this.term, action });
  }

  change(values, term) {
    const began = performance.now();
    Object.assign(this.settings, values);
    this.refresh();
    this.draw();
    requestAnimationFrame(() => this.note("painted", performance.now() - began));
    clearTimeout(this.quiet);
    if (this.header.live) this.request();
    else this.quiet = setTimeout(() => this.request(), QUIET_MS);
    this.setTerm(term);
    clearTimeout(this.addressing);
    this.addressing = setTimeout(() => this.writeAddress(), QUIET_MS);
  }

  setTerm(term) {
    if (!term || term === this.term || !this.header.terms.includes(term)) return;
    this.term = term;
    this.request();
  }

  // What somebody points at. spoken: also said aloud, because it was chosen with a key.
  choose(index, term, spoken = false) {
    this.chosen = index;
    this.setTerm(term);
    this.draw();
    if (spoken) this.one(".spoken").textContent = this.one(".readout").textContent;
  }

  say(html) {
    const readout = this.one(".readout");
    if (readout.innerHTML !== html) readout.innerHTML = html; // numbers and our own words alone
  }

  link() {
    const url = new URL(location.href);
    url.search = "";
    url.searchParams.set("step", this.header.number);
    for (const { name, kind, usual } of this.header.controls) {
      const value = this.settings[name];
      if (String(value) === String(usual)) continue;
      url.searchParams.set(name, kind === "bars" ? encodeBars(value, this.header.limit) : kind === "slider" ? String(Number(value.toPrecision(6))) : value);
    }
    if (this.header.presenter) url.searchParams.set("presenter", "1");
    return url.href;
  }

  writeAddress() {
    const url = this.link();
    if (url !== location.href) history.replaceState(history.state, "", url);
  }

  // ------------------------------------------------------------ controls

  build() {
    const box = this.one(".controls");
    box.replaceChildren(...this.header.controls.filter(({ kind }) => kind !== "bars").map((control) => (control.kind === "slider" ? this.buildSlider(control) : this.buildChoice(control))));
    const button = (className, text, press) => { const made = Object.assign(document.createElement("button"), { className, textContent: text }); made.addEventListener("click", press); return made; };
    const own = (this.picture.buttons ?? []).map(([name, text, stop]) => { const made = button(name === "play" || name === "sweep" ? "primary" : "", text, () => this.picture.press(name, this)); made.dataset.action = name; if (stop) Object.assign(made.dataset, { text, stop }); return made; });
    const usual = () => { this.stopAnimation(); this.change(structuredClone(Object.fromEntries(this.header.controls.map((each) => [each.name, each.usual]))), this.header.terms[0]); this.picture.reset?.(this); };
    this.one(".actions").replaceChildren(...own, button("reset", "Reset", usual), button("link", "Copy link", () => this.copyLink()));
    const bars = this.control("bars");
    this.barsBox.hidden = !bars;
    this.barsBox.replaceChildren(...(bars ? bars.usual : []).map((_, t) => {
      const bar = document.createElement("i");
      bar.setAttribute("role", "slider");
      bar.setAttribute("aria-orientation", "vertical");
      bar.setAttribute("aria-label", `Displacement of frame ${t}`);
      bar.setAttribute("aria-valuemin", -this.header.limit);
      bar.setAttribute("aria-valuemax", this.header.limit);
      bar.tabIndex = t === 11 ? 0 : -1;
      bar.addEventListener("focus", () => this.choose(t, this.header.controls[0].term));
      return bar;
    }));
    this.canvas.tabIndex = this.picture.step ? 0 : -1;
    this.canvas.classList.toggle("pointed", Boolean(this.picture.point));
  }

  buildSlider(control) {
    const label = document.createElement("label"), log = (v) => (control.log ? Math.log10(v) : v);
    label.className = "slider";
    label.dataset.name = control.name;
    label.innerHTML = '<span class="caption"><b></b> <output></output></span><input type="range">';
    label.querySelector("b").textContent = control.label;
    const input = label.querySelector("input");
    Object.assign(input, { min: log(control.low), max: log(control.high), step: control.step });
    input.addEventListener("input", () => {
      this.stopAnimation();
      const value = control.log ? Number((10 ** input.value).toPrecision(4)) : Number(input.value), near = control.log && Math.abs(log(control.usual) - input.value) < control.step * 0.6;
      this.change({ [control.name]: near ? control.usual : clamp(value, control.low, control.high) }, control.term);
    });
    return label;
  }

  buildChoice(control) {
    const group = document.createElement("div");
    group.className = "choice";
    group.dataset.name = control.name;
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", control.label);
    group.innerHTML = '<span></span><span class="segments"></span>';
    group.firstChild.textContent = control.label;
    for (const [key, text] of Object.entries(control.options)) {
      const button = Object.assign(document.createElement("button"), { textContent: text });
      button.dataset.value = key;
      button.addEventListener("click", () => this.change({ [control.name]: key }, control.term));
      group.lastChild.append(button);
    }
    return group;
  }

  refresh() {
    for (const control of this.header.controls) {
      const value = this.settings[control.name], box = this.root.querySelector(`[data-name="${control.name}"]`);
      if (control.kind === "slider") {
        const input = box.querySelector("input"), at = control.log ? Math.log10(value) : value, { whole } = control;
        if (Math.abs(input.value - at) > control.step * 0.6) input.value = at;
        const extra = control.name === "sigma" ? ` · σ⁻² = ${digits(value ** -2)}` : "", text = `${whole ? Math.round(value) : digits(value)} ${control.unit}${extra}`;
        box.querySelector("output").textContent = text;
        input.setAttribute("aria-valuetext", text);
      } else if (control.kind === "choice") for (const button of box.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.value === value));
      else [...this.barsBox.children].forEach((bar, t) => { bar.setAttribute("aria-valuenow", value[t].toFixed(1)); bar.setAttribute("aria-valuetext", `${digits(Math.exp(value[t]))}, score ${value[t].toFixed(1)}`); });
    }
  }

  placeBars({ x, y, width, height }) {
    Object.assign(this.barsBox.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    const step = 100 / this.barsBox.children.length;
    [...this.barsBox.children].forEach((bar, t) => Object.assign(bar.style, { left: `${t * step}%`, width: `${step}%` }));
  }

  listen() {
    this.on(this.root, "keydown", (event) => this.key(event));
    for (const type of ["pointerdown", "keydown"]) this.on(document, type, () => {
      this.byHand = type === "pointerdown";
      if (this.quiet !== null) this.request(); // the press may lead to another page
    }, true);
    this.on(this.root, "transitionend", (event) => { if (event.target === this.root) this.draw(); }); // the theme changed
    const observer = new ResizeObserver(() => this.draw());
    observer.observe(this.root);
    this.disposers.push(() => observer.disconnect());
    const at = (event, element) => { const box = element.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    let pressed = false, last = null;
    this.on(this.canvas, "pointerdown", (event) => { pressed = true; this.canvas.setPointerCapture(event.pointerId); this.stopAnimation(); this.picture.point?.(...at(event, this.canvas), this, true); });
    this.on(this.canvas, "pointermove", (event) => this.picture.point?.(...at(event, this.canvas), this, pressed));
    for (const type of ["pointerup", "pointercancel"]) this.on(this.canvas, type, () => { pressed = false; });
    this.on(this.barsBox, "pointerdown", (event) => {
      this.barsBox.setPointerCapture(event.pointerId);
      event.preventDefault();
      last = this.drawBars(...at(event, this.barsBox), null);
    });
    this.on(this.barsBox, "pointermove", (event) => {
      if (last) last = this.drawBars(...at(event, this.barsBox), last);
      else this.choose(this.barAt(at(event, this.barsBox)[0]), this.header.controls[0].term);
    });
    for (const type of ["pointerup", "pointercancel"]) this.on(this.barsBox, type, () => { last = null; });
  }

  barAt(x) { const { length } = this.settings.bars; return clamp(Math.floor((x / this.barsBox.clientWidth) * length), 0, length - 1); }

  // Sets the bars from the last place of the pointer to this one, as a pen draws.
  drawBars(x, y, last) {
    const { limit } = this.header, bars = [...this.settings.bars], score = (1 - y / this.barsBox.clientHeight) * 2 * limit - limit, t = this.barAt(x);
    const from = last ?? [t, score], count = Math.abs(t - from[0]);
    for (let n = 0; n <= count; n++) {
      const share = count ? n / count : 1, value = from[1] + (score - from[1]) * share;
      bars[from[0] + Math.sign(t - from[0]) * n] = Math.round(clamp(value, -limit, limit) * 10) / 10;
    }
    this.chosen = t;
    this.change({ bars }, this.header.controls[0].term);
    return [t, score];
  }

  // Arrow keys belong to whatever has the focus in here; elsewhere they turn the lesson's pages.
  key(event) {
    const target = event.composedPath()[0], arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches("input")) { if (arrow) event.stopPropagation(); return; }
    if (!arrow) return;
    const t = [...this.barsBox.children].indexOf(target);
    if (t >= 0) {
      if (arrow[0]) {
        const next = this.barsBox.children[clamp(t + arrow[0], 0, this.barsBox.children.length - 1)];
        target.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      } else {
        const { limit } = this.header, bars = [...this.settings.bars];
        bars[t] = Math.round(clamp(bars[t] + arrow[1] * (event.shiftKey ? 1 : 0.1), -limit, limit) * 10) / 10;
        this.change({ bars }, this.header.controls[0].term);
      }
    } else if (target === this.canvas && this.picture.step) this.picture.step(...arrow, this);
    else return;
    event.stopPropagation();
    event.preventDefault();
  }

  // Moves a setting to `to` in so many seconds, from the lowest; pressed again, it stops.
  animate(name, to, seconds, grain = 0.005) {
    if (this.animation) { this.stopAnimation(); this.draw(); return; }
    const { low } = this.control(name), began = performance.now();
    const tick = () => {
      const share = Math.min(1, (performance.now() - began) / (1000 * seconds)), value = Math.round((low + share * (to - low)) / grain) * grain;
      if (Math.abs(value - this.settings[name]) > grain / 2) this.change({ [name]: Number(value.toPrecision(6)) }, this.control(name).term);
      this.animation = share < 1 ? requestAnimationFrame(tick) : null;
      if (share === 1) this.draw();
    };
    this.animation = requestAnimationFrame(tick);
  }

  stopAnimation() {
    cancelAnimationFrame(this.animation);
    this.animation = null;
  }

  // ------------------------------------------------------------ painting

  theme() {
    const style = getComputedStyle(this.root), back = style.backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
    const name = 0.3 * back[0] + 0.6 * back[1] + 0.1 * back[2] > 128 ? "light" : "dark", strong = this.header.presenter;
    const ink = name === "light" ? (strong ? "0,0,0" : "30,36,48") : strong ? "255,255,255" : "240,243,250";
    this.root.style.setProperty("--play", PLAY_COLOUR[name]);
    return { name, font: style.fontFamily, ink: (alpha) => `rgba(${ink},${strong ? Math.min(1, alpha * 1.35) : alpha})`, play: PLAY_COLOUR[name], bad: BAD_COLOUR[name], layers: LAYER_COLOURS[name], four: FOUR_COLOURS[name] };
  }

  draw() {
    if (!this.header || !this.root.isConnected || !this.root.clientWidth) return;
    const k = this.header.presenter && this.root.clientWidth > 700 ? clamp((innerHeight - PRESENTER_REST) / this.picture.height, 1.25, 1.8) : 1;
    this.canvas.style.height = `${Math.round(this.picture.height * k)}px`;
    const theme = this.theme();
    this.pen = new Pen(this.prepare(this.canvas), this.canvas.clientWidth, theme, k);
    const numbers = this.picture.draw(this.pen, this), mover = this.one(".actions [data-stop]");
    if (mover) mover.textContent = this.animation ? mover.dataset.stop : mover.dataset.text;
    this.canvas.setAttribute("aria-label", this.one(".readout").textContent);
    this.note("drawn", { step: this.header.step, ...numbers });
  }
}

const encodeBars = (values, limit) => encodeLetters(values, limit, BAR_STEPS);

export default component((parent) => new Lesson(addMarkup(parent)));
