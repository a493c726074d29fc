// Downsamplers side by side. The server runs the methods; the browser draws, keeps the time axis, and asks again.
//
// One grid: a row for each thing to compare, a column for each method, the numbers under them. Every panel shares one
// time axis in seconds and every row one colour scale. At most one request is under way and the newest values wait, so
// a drag always ends on its last value. Numbers that need many runs are asked for when nothing has moved for a moment.

import { fillAlignment, layOut, rowWeights } from "../alignment.js";
import { loadAssets } from "../assets.js";
import { RAMPS, ramp } from "../colours.js";
import { component } from "../component.js";
import { LiveView } from "../live_view.js";
import { clamp, digits, encodeLetters, lowerBound } from "../numbers.js";

const addMarkup = await loadAssets(import.meta.url, "viewer.html", "../shared.css", "viewer.css");
const ROWS = [["out", 96], ["align", 150], ["rec", 96], ["err", 96], ["axis", 32]];
const ROW_OF = { mel: 1, strip: 2, method: 4, out: 5, align: 6, rec: 7, err: 8, axis: 9 };
const TITLES = { out: "Downsampled", align: "Alignment", rec: "Reconstruction", err: "Error" };
const METHOD_COLOURS = { dark: ["#56B4E9", "#E69F00", "#2FC79B", "#CC79A7"], light: ["#0072B2", "#B86B00", "#007A5A", "#A6497E"] };
const ERRORS = { dark: ramp([[16, 20, 34], [92, 34, 52], [176, 58, 46], [236, 122, 50], [255, 214, 130]]), light: ramp([[255, 255, 255], [253, 219, 199], [244, 165, 130], [203, 62, 66], [103, 0, 31]]) };
const DRAW_STEPS = 62, DRAW_LIMIT = 3; // the same in comparison_link.py
const QUIET_MS = 220; // nothing has moved for so long: time for the slow numbers
const COMPARE_TIMEOUT_MS = 30000;

// Pixels of a picture whose columns have edges in seconds; a pixel shows the largest of the values it covers.
// low, high: the rows in view, counted from the bottom.
function fillPicture(pixels, width, height, picture, view, low, high, colours) {
  const { data, rows, edges } = picture, count = edges.length - 1;
  if (count < 1) return;
  const first = new Int32Array(height), last = new Int32Array(height);
  for (let y = 0; y < height; y++) {
    first[y] = clamp(Math.floor(low + (1 - (y + 1) / height) * (high - low) + 1e-9), 0, rows - 1);
    last[y] = clamp(Math.ceil(low + (1 - y / height) * (high - low) - 1e-9) - 1, first[y], rows - 1);
  }
  const column = new Uint8Array(rows), step = (view.to - view.from) / width;
  let a = Math.max(0, lowerBound(edges, view.from) - 1), shownA = -1, shownB = -1;
  for (let x = 0; x < width; x++) {
    const from = view.from + step * x, to = from + step;
    if (to <= edges[0] || from >= edges[count]) continue;
    while (a < count - 1 && edges[a + 1] <= from) a++;
    let b = a;
    while (b < count - 1 && edges[b + 1] < to) b++;
    if (b > a && edges[b + 1] > to && to - edges[b] < step / 2) b--; // a sliver of the next frame is not worth its colour
    if (a !== shownA || b !== shownB) {
      column.fill(0);
      for (let j = a; j <= b; j++) for (let r = 0, at = j * rows; r < rows; r++) if (data[at + r] > column[r]) column[r] = data[at + r];
      [shownA, shownB] = [a, b];
    }
    for (let y = 0; y < height; y++) {
      let value = column[first[y]];
      for (let r = first[y] + 1; r <= last[y]; r++) if (column[r] > value) value = column[r];
      pixels[y * width + x] = colours[value];
    }
  }
}

class Compare extends LiveView {
  constructor(root) {
    super(root);
    this.hover = null; // {time, column, row}
    this.audio = new Audio();
    this.playhead = 0;
    this.panels = [];
    this.listen();
  }

  dispose() {
    clearTimeout(this.timeout);
    clearTimeout(this.quiet);
    clearTimeout(this.moved);
    this.audio.pause();
    if (this.audioUrl) URL.revokeObjectURL(this.audioUrl);
    this.disposers.forEach((dispose) => dispose());
    this.root.remove();
  }

  // ------------------------------------------------------------ data in

  receive({ header, arrays }, setStateValue) {
    this.setStateValue = setStateValue;
    this.note("received", header.sequence);
    if (header.sourceData) {
      const newClip = this.source?.clip !== header.clip.id;
      this.source = { ...header.sourceData, id: header.source, clip: header.clip.id, picture: this.melPicture(header.sourceData, arrays.mel), inEdges: arrays.inEdges };
      if (newClip) {
        const { seconds, focus, linkView } = this.source, [from, to] = linkView && linkView[0] < seconds ? linkView : focus;
        this.view = { from, to: Math.min(to, seconds) };
        this.openSound(arrays.sound);
      }
    }
    if (!this.settings || header.revision !== this.revision) {
      this.revision = header.revision;
      this.settings = structuredClone(header.settings);
      this.underWay = null;
      this.waiting = false;
    }
    if (!this.source || this.source.id !== header.source) { // a new component around an old conversation: ask for the picture
      this.underWay = null;
      this.request(false);
      return;
    }
    const answered = this.underWay === null || header.sequence === this.underWay;
    if (!answered && this.header?.source === header.source && this.header.methods.join() === header.methods.join()) return; // an answer to something older
    this.header = header;
    this.columns = header.columns.map((column, k) => this.unpackColumn(column, arrays, k));
    this.delta = arrays.delta;
    const sequence = this.underWay;
    if (answered) {
      this.underWay = null;
      clearTimeout(this.timeout);
    }
    if (this.hover && this.hover.column >= this.columns.length) this.hover = null;
    this.syncGrid();
    this.refresh();
    this.redraw(Boolean(header.sourceData));
    if (sequence !== null && answered) requestAnimationFrame(() => this.note("followed", sequence)); // behind the frame that draws it
    if (this.underWay !== null) return;
    if (this.waiting) this.request(false);
    else this.settle();
  }

  unpackColumn(column, arrays, k) {
    const { inEdges } = this.source, [first, stop] = column.scope, inside = inEdges.subarray(first, stop + 1);
    const outEdges = arrays[`edges${k}`];
    const pooled = (edges, { first, count, factor }) => Float64Array.from({ length: Math.ceil(count / factor) + 1 }, (_, i) => edges[Math.min(first + i * factor, first + count)]);
    const picture = (name, edges) => ({ data: arrays[`${name}${k}`], rows: column[name].rows, edges: pooled(edges, column[name]) });
    const result = { ...column, outEdges, inEdges: inside, outFrames: outEdges.length - 1, outPicture: picture("out", outEdges), recPicture: picture("rec", inside), errPicture: picture("err", inside) };
    const u = arrays[`u${k}`], taps = arrays[`taps${k}`];
    if (u || taps) {
      const settings = { sigma: column.sigma ?? 1, stride: column.layoutStride, variant: column.hard ? "adastride-f" : "adastride" };
      result.layout = layOut({ u, taps }, inside, settings);
    } else {
      const { first: from, count, low, rows } = column.matrix;
      result.matrix = { data: arrays[`matrix${k}`], first: from, count, low, rows, edges: inside.subarray(from, from + count + 1) };
    }
    return result;
  }

  // ------------------------------------------------------------ data out

  change(values) {
    Object.assign(this.settings, values);
    this.refreshSliders();
    this.request(false);
  }

  request(settled) {
    clearTimeout(this.quiet);
    if (this.underWay !== null) { this.waiting = !settled; return; }
    this.waiting = false;
    this.underWay = ++this.sequence;
    this.note("sent", this.underWay);
    clearTimeout(this.timeout);
    this.timeout = setTimeout(() => { this.underWay = null; if (this.waiting) this.request(false); else if (this.header) this.settle(); }, COMPARE_TIMEOUT_MS);
    this.setStateValue("request", {
      sequence: this.underWay, revision: this.revision, have: this.source?.id ?? "", settled,
      view: this.view ? [this.view.from, this.view.to] : null, ...structuredClone(this.settings),
    });
  }

  // Nothing is under way and nothing waits: the address bar and screen readers get the result, the slow numbers are next.
  settle() {
    clearTimeout(this.quiet);
    const url = this.link();
    if (url !== location.href) history.replaceState(history.state, "", url);
    const text = this.header.columns.map((c) => `${c.label}: ${c.numbers.frames} frames, error ${this.amount(c.numbers.error)}.`).join(" ");
    if (this.spokenText !== text) this.one(".spoken").textContent = this.spokenText = text;
    this.describe();
    // Of a long clip, matrices come with the slow numbers: until then frames are drawn where they lie.
    if (this.header.pending || (this.header.windowed && !this.header.settled)) this.quiet = setTimeout(() => this.request(true), QUIET_MS);
    else this.note("settled", this.sequence);
  }

  link() {
    const url = new URL(location.href), { settings } = this;
    const number = (v) => String(Number(v.toPrecision(6)));
    for (const [name, value] of Object.entries(this.header.link)) if (value) url.searchParams.set(name, value); else url.searchParams.delete(name);
    url.searchParams.set("stride", number(settings.stride));
    url.searchParams.set("sigma", number(settings.sigma));
    if (this.header.scores === "drawn") url.searchParams.set("drawn", encodeDrawn(settings.drawn));
    else url.searchParams.delete("drawn");
    const pins = Object.entries(settings.pins).map(([method, pin]) =>
      [method, number(pin.stride), number(pin.sigma), pin.scores, ...(pin.scores === "drawn" ? [encodeDrawn(pin.drawn)] : [])].join("~"));
    const { from, to } = this.view, [a, b] = this.source.focus;
    if (Math.abs(from - a) + Math.abs(to - b) < 0.005) url.searchParams.delete("view"); // where everybody starts
    else url.searchParams.set("view", `${Number(from.toFixed(3))},${Number(to.toFixed(3))}`);
    if (pins.length) url.searchParams.set("pin", pins.join(","));
    else url.searchParams.delete("pin");
    return url.href;
  }

  amount(x) {
    return x == null ? "none" : `${short(x)} dB`;
  }

  // ------------------------------------------------------------ controls

  listen() {
    const { root } = this;
    this.wirePlayer(this.one(".status-text"));
    this.on(this.one(".zoom-in"), "click", () => this.zoom(0.5));
    this.on(this.one(".zoom-out"), "click", () => this.zoom(2));
    this.on(this.one(".fit"), "click", () => this.setView(0, this.source.seconds));
    this.on(this.one(".reset"), "click", () => this.change({ ...structuredClone(this.header.defaults) }));
    this.on(this.one(".link"), "click", () => this.copyLink());
    for (const slider of root.querySelectorAll(".slider")) {
      const input = slider.querySelector("input");
      this.on(input, "input", () => this.slide(slider.dataset.name, Number(input.value)));
    }
    this.on(root, "keydown", (event) => this.key(event));
    this.on(root, "transitionend", (event) => { if (event.target === root) this.redraw(); }); // the theme changed
    const observer = new ResizeObserver(() => this.redraw());
    observer.observe(root);
    this.disposers.push(() => observer.disconnect());
    this.on(window, "resize", () => this.redraw()); // a change of device pixel ratio
  }

  slide(name, value) {
    if (name === "sigma") {
      const usual = this.header.defaults.sigma, near = Math.abs(value - Math.log10(usual)) < 0.012;
      this.change({ sigma: near ? usual : Number((10 ** value).toPrecision(5)) });
    } else this.change({ stride: Math.abs(value - Math.round(value)) < 0.04 ? Math.round(value) : value });
  }

  key(event) {
    const target = event.composedPath()[0];
    if (target.matches?.("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const panel = target.panel;
    if (event.key === " " && target.matches?.("button")) return; // it presses the button
    if (event.key === " ") this.togglePlay();
    else if (event.key === "+" || event.key === "=") this.zoom(0.5);
    else if (event.key === "-") this.zoom(2);
    else if (event.key === "0") this.setView(0, this.source.seconds);
    else if (event.key === "Escape") this.setHover(null);
    else if (panel?.kind === "strip" && this.header.scores === "drawn" && event.key.startsWith("Arrow")) this.drawWithKeys(event.key);
    else if (panel && (event.key === "ArrowLeft" || event.key === "ArrowRight")) this.stepHover(panel, event.key === "ArrowRight" ? 1 : -1);
    else return;
    event.preventDefault();
  }

  stepHover(panel, by) {
    const column = panel.column ?? this.hover?.column ?? 0, { outEdges, outFrames } = this.columns[column];
    const now = this.hover?.column === column ? this.hover.row + by : lowerBound(outEdges, this.view.from);
    const row = clamp(now, 0, outFrames - 1);
    this.setHover({ column, row, time: (outEdges[row] + outEdges[row + 1]) / 2 });
    this.one(".spoken").textContent = this.one(".tip").textContent;
  }

  refreshSliders() {
    const { settings, header } = this;
    for (const slider of this.root.querySelectorAll(".slider")) {
      const name = slider.dataset.name, input = slider.querySelector("input"), value = settings[name];
      const at = name === "sigma" ? Math.log10(value) : value;
      if (this.root.getRootNode().activeElement !== input || Math.abs(Number(input.value) - at) > 0.05) input.value = at;
      const text = name === "sigma" ? `${digits(value)} output frames · σ⁻² = ${digits(value ** -2)}` : `${value.toFixed(2)} input frames into one`;
      slider.querySelector("output").textContent = text;
      input.setAttribute("aria-valuetext", text);
    }
    const plain = settings.stride === header.defaults.stride && settings.sigma === header.defaults.sigma && !Object.keys(settings.pins).length
      && settings.drawn.every((v) => v === 0);
    this.one(".reset").disabled = plain;
  }

  refresh() {
    const { header } = this;
    this.refreshSliders();
    this.one('.slider[data-name="sigma"] input').disabled = !header.columns.some((c) => c.sigma != null);
    this.one(".status-text").textContent = header.status;
    this.refreshHeads();
    this.refreshTable();
  }

  refreshHeads() {
    this.header.columns.forEach((column, k) => {
      const head = this.root.querySelectorAll(".method")[k], pinned = this.settings.pins[column.method];
      if (!head) return;
      head.classList.toggle("pinned", Boolean(pinned));
      head.querySelector("h3").textContent = column.label;
      const parts = [`${column.scope[1] - column.scope[0]} → ${column.numbers.frames} frame${column.numbers.frames === 1 ? "" : "s"}`, `stride ${digits(column.stride)}`];
      if (column.sigma != null) parts.push(`σ ${digits(column.sigma)}`);
      if (column.scoresLabel) parts.push(`Δp: ${column.scoresLabel}`);
      head.querySelector(".facts").textContent = (pinned ? "Pinned: " : "") + parts.join(" · ");
      const notes = head.querySelector(".notes");
      if (notes.dataset.text !== column.notes.join("\n")) {
        notes.dataset.text = column.notes.join("\n");
        notes.replaceChildren(...column.notes.map((text) => Object.assign(document.createElement("p"), { className: "note", textContent: text })));
      }
      const button = head.querySelector(".pin");
      button.textContent = pinned ? "Unpin" : "Pin";
      button.setAttribute("aria-pressed", String(Boolean(pinned)));
      button.setAttribute("aria-label", `${pinned ? "Unpin" : "Pin"} ${column.label}`);
    });
  }

  togglePin(method) {
    const pins = { ...this.settings.pins };
    if (pins[method]) delete pins[method];
    else pins[method] = { stride: this.settings.stride, sigma: this.settings.sigma, scores: this.header.scores, drawn: [...this.settings.drawn] };
    this.change({ pins });
  }

  // The numbers, a row for each, in the columns of the pictures above.
  refreshTable() {
    const { columns } = this.header;
    const number = (x) => (x == null ? "none" : short(x));
    const decibels = (x) => (x != null && x <= -120 ? "≤ −120" : number(x)); // EXACT in comparison.py
    // Slow numbers come later than the others; of something that never varies there are none.
    const line = (title, units, value, { show = number, slow = false, compared = true } = {}) => {
      const values = columns.map((c) => value(c.numbers));
      return [title, units, columns.map((c, k) => (slow && !c.numbers.complete ? null : show(values[k]))), compared ? values : null];
    };
    const lines = [
      line("Output frames", "", (n) => n.frames, { show: String, compared: false }),
      line("Error, whole clip", "dB re the clip’s variance", (n) => n.error, { show: decibels }),
      line("Error, loud parts", "dB", (n) => n.errorLoud, { show: decibels }),
      line("Error, quiet parts", "dB", (n) => n.errorQuiet, { show: decibels }),
      line("Aliased energy", "% of the result’s", (n) => n.aliased, { slow: true }),
      line("Shift change, mean", `%, input moved 0–${this.header.shifts} frames`, (n) => n.shiftMean, { slow: true }),
      line("Shift change, worst", "%", (n) => n.shiftWorst, { slow: true }),
      line("Time", `ms, forward on ${this.header.device}`, (n) => n.milliseconds),
      line("Peak memory", "kB held at once", (n) => n.peakBytes, { slow: true, show: (x) => digits(x / 1e3) }),
    ];
    this.syncTable(columns, lines);
    const rows = this.one(".numbers tbody").rows;
    lines.forEach(([, , texts, values], r) => {
      const known = values?.filter((v) => v != null) ?? [], best = known.length === columns.length ? texts[values.indexOf(Math.min(...known))] : null;
      texts.forEach((text, k) => {
        const cell = rows[r].cells[k + 1], shown = text ?? "…", className = text === null ? "wait" : text === best ? "best" : "";
        if (cell.textContent !== shown) cell.textContent = shown;
        if (cell.className !== className) cell.className = className;
      });
    });
    this.one(".scope-note").textContent = this.header.numbersNote;
  }

  // The table without its numbers; made again only for other methods, so that a drag changes nothing but text.
  syncTable(columns, lines) {
    const key = `${this.gridKey}|${this.header.device}`;
    if (key === this.tableKey) return;
    this.tableKey = key;
    this.one(".numbers").style.setProperty("--columns", columns.length);
    const make = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
    const head = document.createElement("tr");
    head.append(make("td", ""), ...columns.map((c, k) => {
      const cell = make("th", c.label);
      cell.scope = "col";
      cell.style.setProperty("--colour", this.colour(k));
      return cell;
    }));
    this.one(".numbers thead").replaceChildren(head);
    this.one(".numbers tbody").replaceChildren(...lines.map(([title, units]) => {
      const row = document.createElement("tr"), name = make("th", title);
      name.scope = "row";
      if (units) name.append(make("small", units));
      row.append(name, ...columns.map(() => make("td", "")));
      return row;
    }));
    this.one(".numbers colgroup").replaceChildren(...Array.from({ length: columns.length + 1 }, () => document.createElement("col")));
  }

  // ------------------------------------------------------------ sound

  openSound(bytes) {
    this.audio.pause();
    if (this.audioUrl) URL.revokeObjectURL(this.audioUrl);
    this.audio.src = this.audioUrl = URL.createObjectURL(new Blob([bytes], { type: "audio/flac" }));
    this.playhead = 0;
  }

  get seconds() { return this.source.seconds; }

  // ------------------------------------------------------------ time window

  setView(from, to) {
    const total = this.source.seconds, span = clamp(to - from, Math.min(total, 0.05), total);
    from = clamp(from, 0, total - span);
    this.view = { from, to: from + span };
    this.redraw();
    clearTimeout(this.moved); // the server sends only what is in view of a long clip, and exports what is in view of any
    this.moved = setTimeout(() => this.request(false), QUIET_MS);
  }

  zoom(factor, centre) {
    const { from, to } = this.view;
    centre ??= this.hover?.time ?? (from + to) / 2;
    this.setView(centre - (centre - from) * factor, centre + (to - centre) * factor);
  }

  // ------------------------------------------------------------ the grid

  colour(k) { return METHOD_COLOURS[this.themeName ?? "light"][k]; }

  syncGrid() {
    const key = [this.header.methods.join(), this.header.source, this.header.strip, this.header.scores].join("|");
    if (key === this.gridKey) return;
    this.gridKey = key;
    const grid = this.one(".grid"), { columns } = this.header, { unit } = this.source;
    grid.style.setProperty("--columns", columns.length);
    this.panels = [];
    const cells = [];
    cells.push(this.name("mel-name", ROW_OF.mel, "Log-mel of the clip", `${this.source.melFrames} frame${this.source.melFrames === 1 ? "" : "s"}`, null, [92, this.source.melTicks]));
    cells.push(this.panel("mel", ROW_OF.mel, null, 92, "Log-mel spectrogram of the clip"));
    if (this.header.strip) {
      const drawn = this.header.scores === "drawn";
      const name = this.name("strip-name", ROW_OF.strip, "Displacement Δp", drawn ? "relative; drag to draw" : `times its mean; ${this.header.scoresLabel}`, null, [62, [["× 20", 0.95], ["× 1", 0.5], ["÷ 20", 0.05]]]);
      cells.push(name);
      if (drawn) {
        const flat = Object.assign(document.createElement("button"), { type: "button", textContent: "Flatten", className: "flatten" });
        flat.onclick = () => this.change({ drawn: this.settings.drawn.map(() => 0) });
        name.append(flat);
      }
      cells.push(this.panel("strip", ROW_OF.strip, null, 62, "from ÷ 20 (below) to × 20 (above)"));
    }
    cells.push(this.panel("top-axis", 3, null, 32));
    cells.push(this.name("legend out-name", ROW_OF.out, "Downsampled", `${unit === "dB" ? "level" : "value"} in ${unit}`, "mel", [96, this.source.ticks]));
    cells.push(this.name("legend align-name", ROW_OF.align, "Alignment", "output frame up, input time across; dashed: a uniform stride", "align"));
    cells.push(this.name("rec-name", ROW_OF.rec, "Reconstruction", "back in input time; colours as above", null, [96, this.source.ticks]));
    cells.push(this.name("legend err-name", ROW_OF.err, "Error", `|reconstruction − source| in ${unit}`, "err", [96, this.source.ticks]));
    columns.forEach((column, k) => {
      const head = document.createElement("div");
      head.className = "cell method";
      head.style.cssText = `--row:${ROW_OF.method};--column:${k + 2}`;
      head.innerHTML = '<header><h3></h3><button type="button" class="pin"></button></header><p class="facts"></p><div class="notes"></div>';
      head.querySelector(".pin").onclick = () => this.togglePin(column.method);
      cells.push(head);
      for (const [kind, height] of ROWS) cells.push(this.panel(kind, ROW_OF[kind], k, height, TITLES[kind]));
    });
    grid.replaceChildren(...cells);
    this.setHover(null);
    this.everything = true;
  }

  name(className, row, title, text, legend, ticks) {
    const cell = document.createElement("div");
    cell.className = `cell name ${className}`;
    cell.style.cssText = `--row:${row};--column:1`;
    cell.innerHTML = `<h4></h4><p></p>${legend ? '<canvas class="ramp" width="256" height="1"></canvas><div class="ends"><span></span><span></span></div>' : ""}`;
    cell.querySelector("h4").textContent = title;
    cell.querySelector("p").textContent = text;
    if (legend) {
      cell.querySelector(".ramp").dataset.legend = legend;
      const { range, errorTop } = this.source;
      const ends = { mel: range.map(short), align: ["0", "row’s largest"], err: ["0", `≥ ${short(errorTop)}`] }[legend];
      cell.querySelectorAll(".ends span").forEach((span, i) => { span.textContent = ends[i]; });
    }
    for (const [label, share] of ticks?.[1] ?? []) {
      const tick = Object.assign(document.createElement("span"), { className: "tick", textContent: label });
      tick.style.top = `${clamp((1 - share) * ticks[0], 6, ticks[0] - 5)}px`;
      cell.append(tick);
    }
    return cell;
  }

  panel(kind, row, column, height, title) {
    const element = document.createElement("figure");
    element.className = `cell ${kind}${column === null ? " wide" : ""}${kind === "strip" && this.header.scores === "drawn" ? " drawn" : ""}`;
    element.style.cssText = `--row:${row};--column:${(column ?? 0) + 2}`;
    element.innerHTML = '<figcaption></figcaption><div class="stack"><canvas class="base"></canvas><canvas class="cover"></canvas></div>';
    const [base, cover] = element.querySelectorAll("canvas");
    base.style.height = `${height}px`;
    const axis = kind.endsWith("axis");
    if (axis) base.setAttribute("aria-hidden", "true");
    else {
      base.tabIndex = 0;
      base.setAttribute("role", "img");
      element.querySelector("figcaption").textContent = title;
    }
    cover.setAttribute("aria-hidden", "true");
    const panel = { kind, column, element, base, cover };
    base.panel = panel;
    this.panels.push(panel);
    if (kind === "strip" && this.header.scores === "drawn") this.drawing(panel);
    else if (!axis) this.pointer(panel);
    return panel.element;
  }

  pointer(panel) {
    const { base } = panel, fingers = new Map();
    let began = null;
    const spread = () => { const x = [...fingers.values()]; return x.length > 1 ? Math.abs(x[0] - x[1]) : 0; };
    base.onpointerdown = (event) => {
      if (event.button) return;
      base.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event.clientX);
      began = { x: event.clientX, view: { ...this.view }, moved: fingers.size > 1, spread: spread() };
      if (event.pointerType === "touch") this.setHover(this.pick(panel, event), event);
    };
    base.onpointermove = (event) => {
      if (!fingers.has(event.pointerId)) { this.setHover(this.pick(panel, event), event); return; }
      fingers.set(event.pointerId, event.clientX);
      const { from, to } = began.view, width = base.clientWidth;
      if (fingers.size === 2 && began.spread) {
        const span = ((to - from) * began.spread) / Math.max(8, spread()), centre = (from + to) / 2;
        this.setView(centre - span / 2, centre + span / 2);
      } else if (Math.abs(event.clientX - began.x) > 4 || began.moved) {
        began.moved = true;
        const shift = ((began.x - event.clientX) / width) * (to - from);
        this.setView(from + shift, to + shift);
      }
    };
    base.onpointerup = base.onpointercancel = (event) => {
      fingers.delete(event.pointerId);
      if (event.type === "pointerup" && began && !began.moved && !fingers.size) this.playFrom(this.timeAt(panel, event));
      if (!fingers.size) began = null;
    };
    base.onpointerleave = () => this.setHover(null);
    base.addEventListener("wheel", (event) => {
      if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(clamp(event.deltaY, -60, 60) / 120), this.timeAt(panel, event));
      else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const shift = ((event.deltaX || event.deltaY) / base.clientWidth) * (this.view.to - this.view.from);
        this.setView(this.view.from + shift, this.view.to + shift);
      } else return; // the page scrolls
      event.preventDefault();
    }, { passive: false });
  }

  // ------------------------------------------------------------ drawing displacements by hand

  drawing(panel) {
    const { base } = panel;
    let last = null;
    const point = (event) => {
      const box = base.getBoundingClientRect(), count = this.settings.drawn.length;
      const at = clamp(Math.floor((this.timeAt(panel, event) / this.source.seconds) * count), 0, count - 1);
      return { at, value: DRAW_LIMIT * clamp(1 - (2 * (event.clientY - box.top - 3)) / (box.height - 6), -1, 1) };
    };
    base.onpointerdown = (event) => {
      if (event.button) return;
      base.setPointerCapture(event.pointerId);
      last = point(event);
      this.drawTo(last, last);
    };
    base.onpointermove = (event) => {
      if (!last) { this.setHover(this.pick(panel, event), event); return; }
      const next = point(event);
      this.drawTo(last, next);
      last = next;
    };
    base.onpointerup = base.onpointercancel = () => { last = null; };
    base.onpointerleave = () => this.setHover(null);
  }

  // The pen moved from one point to another: everything between them lies on the line.
  drawTo(a, b) {
    const drawn = [...this.settings.drawn], steps = Math.abs(b.at - a.at);
    for (let n = 0; n <= steps; n++) {
      const share = steps ? n / steps : 1;
      drawn[a.at + Math.sign(b.at - a.at) * n] = snapped(a.value + share * (b.value - a.value));
    }
    this.change({ drawn });
    this.redraw();
  }

  drawWithKeys(key) {
    const count = this.settings.drawn.length;
    this.pen = clamp((this.pen ?? Math.floor(count / 2)) + ({ ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0), 0, count - 1);
    const up = { ArrowUp: 1, ArrowDown: -1 }[key];
    if (up) {
      const value = snapped(clamp(this.settings.drawn[this.pen] + (up * 4 * DRAW_LIMIT) / DRAW_STEPS * 2, -DRAW_LIMIT, DRAW_LIMIT));
      this.drawTo({ at: this.pen, value }, { at: this.pen, value });
    }
    this.one(".spoken").textContent = `Δp at ${((this.pen + 0.5) / count * this.source.seconds).toFixed(2)} s: ${digits(Math.exp(this.settings.drawn[this.pen]), 2)} times`;
    this.redraw();
  }

  // ------------------------------------------------------------ hovering

  timeAt(panel, event) {
    const box = panel.base.getBoundingClientRect();
    return clamp(this.view.from + ((event.clientX - box.left) / box.width) * (this.view.to - this.view.from), 0, this.source.seconds);
  }

  // What is under the pointer: an output frame by its height in an alignment, a moment elsewhere.
  pick(panel, event) {
    const time = this.timeAt(panel, event), column = panel.column;
    if (column === null) return { time, column: null, row: null };
    const { outEdges, outFrames } = this.columns[column];
    if (panel.kind !== "align") return { time, column, row: this.rowAt(column, time) };
    const box = panel.base.getBoundingClientRect(), { low, high } = this.rows(column);
    const row = clamp(Math.floor(low + (1 - (event.clientY - box.top) / box.height) * (high - low)), 0, outFrames - 1);
    return { time: (outEdges[row] + outEdges[row + 1]) / 2, column, row };
  }

  rowAt(column, time) {
    const { outEdges, outFrames } = this.columns[column];
    return clamp(lowerBound(outEdges, time) - 1, 0, outFrames - 1);
  }

  setHover(hover, event) {
    this.hover = hover;
    const tip = this.one(".tip");
    tip.hidden = !hover;
    if (hover) {
      const lines = this.columns.map((column, k) => {
        if (hover.time < column.outEdges[0] || hover.time > column.outEdges[column.outFrames]) return `${column.label}: not run here`;
        const row = k === hover.column ? hover.row : this.rowAt(k, hover.time), span = column.outEdges[row + 1] - column.outEdges[row];
        return `${column.label}: frame ${row}, ${Math.round(1000 * span)} ms`;
      });
      tip.textContent = [`${hover.time.toFixed(2)} s`, ...lines].join("\n");
      const box = this.root.getBoundingClientRect();
      const x = event ? event.clientX - box.left : 150, y = event ? event.clientY - box.top : 60;
      const width = tip.offsetWidth, right = x + 16 + width < box.width;
      tip.style.left = `${Math.max(0, right ? x + 16 : x - 16 - width)}px`;
      tip.style.top = `${y + 18}px`;
    }
    this.cover();
  }

  // Output frames of a column that the time window shows: all of them for the whole clip.
  rows(column) {
    const { outEdges, outFrames } = this.columns[column], { from, to } = this.view;
    if (from <= outEdges[0] + 1e-9 && to >= outEdges[outFrames] - 1e-9) return { low: 0, high: outFrames };
    const low = clamp(lowerBound(outEdges, from) - 1, 0, outFrames - 1), high = clamp(lowerBound(outEdges, to), low + 1, outFrames);
    const margin = 0.04 * (high - low);
    return { low: Math.max(0, low - margin), high: Math.min(outFrames, high + margin) };
  }

  // Weights of one output frame over its column's input frames: {start, weights}.
  weights(column, row) {
    const { layout, matrix, inEdges, outEdges } = this.columns[column];
    if (layout) return rowWeights(layout, row);
    if (row < matrix.low || row >= matrix.low + matrix.rows) {
      const start = lowerBound(inEdges, outEdges[row] + 1e-6) - 1, stop = lowerBound(inEdges, outEdges[row + 1]);
      return { start: Math.max(0, start), weights: new Float64Array(Math.max(1, stop - start)).fill(1) };
    }
    return { start: matrix.first, weights: Float64Array.from({ length: matrix.count }, (_, j) => matrix.data[j * matrix.rows + row - matrix.low]) };
  }

  // ------------------------------------------------------------ drawing

  // everything: the window, the size, the theme or the source changed; otherwise only columns that are new are drawn.
  redraw(everything = true) {
    this.everything ||= everything;
    if (!this.columns || this.drawingFrame) return;
    this.drawingFrame = requestAnimationFrame(() => { this.drawingFrame = null; this.draw(); });
  }

  theme() {
    const style = getComputedStyle(this.root), probe = style.backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
    const light = 0.3 * probe[0] + 0.6 * probe[1] + 0.1 * probe[2] > 128, ink = light ? "30,36,48" : "240,243,250";
    return { name: light ? "light" : "dark", font: style.fontFamily, back: `rgb(${probe.slice(0, 3).join(",")})`, accent: style.getPropertyValue("--st-primary-color"), ink: (alpha) => `rgba(${ink},${alpha})` };
  }

  draw() {
    if (!this.columns || !this.root.isConnected || !this.root.clientWidth) return;
    const { everything } = this, theme = (this.colours = everything || !this.colours ? this.theme() : this.colours);
    this.everything = false;
    if (everything) this.paint(theme);
    for (const panel of this.panels) {
      const { clientWidth: width, clientHeight: height } = panel.base, column = this.columns[panel.column];
      const shows = panel.kind === "strip" ? this.delta : column ? column.version : "";
      if (!everything && panel.shows === shows && !(panel.kind === "strip" && this.header.scores === "drawn")) continue;
      panel.shows = shows;
      const context = this.prepare(panel.base);
      if (panel.kind.endsWith("axis")) this.drawAxis(context, width, theme);
      else if (panel.kind === "strip") this.drawStrip(context, width, height, theme);
      else if (panel.kind === "align") this.drawAlignment(context, width, height, theme, panel.column);
      else {
        const picture = panel.kind === "mel" ? this.source.picture : column[`${panel.kind}Picture`];
        const colours = panel.kind === "err" ? ERRORS[theme.name] : RAMPS.mel;
        this.pixels(context, width, height, (pixels, w, h) => fillPicture(pixels, w, h, picture, this.view, 0, picture.rows, colours));
        if (column) this.blank(context, width, height, theme, column);
        if (panel.kind === "err") this.frame(context, width, height, theme);
      }
    }
    if (everything || this.hover || this.playhead > 0) this.drawCover();
  }

  // Colours of everything that is not a panel.
  paint(theme) {
    this.themeName = theme.name;
    this.root.querySelectorAll(".method, .numbers thead th").forEach((head, k) => head.style.setProperty("--colour", this.colour(k % this.columns.length)));
    for (const canvas of this.root.querySelectorAll(".ramp")) this.paintRamp(canvas, { mel: RAMPS.mel, align: RAMPS[theme.name], err: ERRORS[theme.name] }[canvas.dataset.legend]);
  }

  // The clip's mel. Frame j is centred on j hops, so it spans half a hop to either side.
  melPicture({ melFrames, melBands, framesPerSecond, seconds }, data) {
    const edges = Float64Array.from({ length: melFrames + 1 }, (_, j) => clamp((j - 0.5) / framesPerSecond, 0, seconds));
    return { data, rows: melBands, edges };
  }

  pixels(context, width, height, fill) {
    const ratio = window.devicePixelRatio || 1, w = Math.round(width * ratio), h = Math.round(height * ratio);
    const image = context.createImageData(w, h);
    fill(new Uint32Array(image.data.buffer), w, h);
    context.putImageData(image, 0, 0);
  }

  frame(context, width, height, theme) {
    context.strokeStyle = theme.ink(0.25);
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, width - 1, height - 1);
  }

  text(context, theme, text, x, y, align = "center", rim = false) {
    context.font = `12px ${theme.font}`;
    context.textAlign = align;
    context.textBaseline = "middle";
    if (rim) {
      context.lineWidth = 3;
      context.lineJoin = "round";
      context.strokeStyle = theme.back;
      context.strokeText(text, x, y);
    }
    context.fillStyle = theme.ink(rim ? 0.9 : 0.7);
    context.fillText(text, x, y);
  }

  x(width, time) { return ((time - this.view.from) / (this.view.to - this.view.from)) * width; }

  drawAlignment(context, width, height, theme, k) {
    const column = this.columns[k], { low, high } = this.rows(k), { layout, matrix } = column;
    this.pixels(context, width, height, (pixels, w, h) => {
      if (layout) fillAlignment(pixels, w, h, layout, this.view, low, high, RAMPS[theme.name]);
      else {
        pixels.fill(RAMPS[theme.name][0]);
        fillPicture(pixels, w, h, matrix, this.view, low - matrix.low, high - matrix.low, RAMPS[theme.name]);
      }
    });
    this.blank(context, width, height, theme, column);
    this.uniform(context, width, height, theme, column, low, high);
    this.frame(context, width, height, theme);
    this.text(context, theme, `frame ${Math.round(high) - 1}`, 5, 9, "left", true);
    this.text(context, theme, `frame ${Math.floor(low)}`, width - 5, height - 8, "right", true);
  }

  // What a method was not run on is hatched.
  blank(context, width, height, theme, { scope, inEdges }) {
    const parts = [[0, scope[0] > 0 ? this.x(width, inEdges[0]) : 0], [scope[1] < this.source.inEdges.length - 1 ? this.x(width, inEdges.at(-1)) : width, width]];
    for (const [left, right] of parts.map((ends) => ends.map((x) => clamp(x, 0, width)))) {
      if (right - left < 1) continue;
      context.save();
      context.beginPath();
      context.rect(left, 0, right - left, height);
      context.clip();
      context.fillStyle = theme.back;
      context.fillRect(left, 0, right - left, height);
      context.beginPath();
      for (let x = left - height; x < right; x += 8) { context.moveTo(x, height); context.lineTo(x + height, 0); }
      context.lineWidth = 1;
      context.strokeStyle = theme.ink(0.15);
      context.stroke();
      context.restore();
      if (right - left > 76) this.text(context, theme, "not run here", (left + right) / 2, height / 2, "center", true);
    }
  }

  // Where a uniform stride of the input frames would lie, to see an adaptive one bend; only for those, the others lie there.
  uniform(context, width, height, theme, column, low, high) {
    const { inEdges, outFrames } = column, T = inEdges.length - 1, step = Math.max(1, Math.floor(T / 512));
    if (!column.adaptive || outFrames < 2) return;
    context.beginPath();
    for (let j = 0; j < T + step; j += step) {
      const at = Math.min(j, T);
      context.lineTo(this.x(width, inEdges[at]), height * (1 - ((at / T) * outFrames - low) / (high - low)));
    }
    context.setLineDash([5, 5]);
    context.lineWidth = 3;
    context.strokeStyle = theme.back;
    context.stroke();
    context.lineWidth = 1;
    context.strokeStyle = theme.ink(0.85);
    context.stroke();
    context.setLineDash([]);
  }

  drawStrip(context, width, height, theme) {
    const drawn = this.header.scores === "drawn", pad = 3, middle = height / 2, scale = (height / 2 - pad) / DRAW_LIMIT;
    context.fillStyle = theme.ink(0.05);
    context.fillRect(0, 0, width, height);
    context.strokeStyle = theme.ink(0.3);
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(0, middle);
    context.lineTo(width, middle);
    context.stroke();
    context.setLineDash([]);
    context.strokeStyle = theme.name === "dark" ? "#F0E442" : "#8A5A00";
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.beginPath();
    if (drawn) {
      const { drawn: values } = this.settings, { seconds } = this.source;
      const points = values.map((v, n) => [((n + 0.5) / values.length) * seconds, v]);
      for (const [time, v] of [[0, values[0]], ...points, [seconds, values.at(-1)]]) context.lineTo(this.x(width, time), middle - scale * v);
    } else {
      const { delta } = this, { inEdges } = this.source, factor = this.header.deltaFactor;
      for (let j = 0; j < delta.length; j++) {
        const first = inEdges[Math.min(j * factor, inEdges.length - 1)], last = inEdges[Math.min((j + 1) * factor, inEdges.length - 1)];
        context.lineTo(this.x(width, (first + last) / 2), middle - scale * clamp(delta[j], -DRAW_LIMIT, DRAW_LIMIT));
      }
    }
    context.stroke();
    if (drawn && this.pen !== undefined) {
      const x = this.x(width, ((this.pen + 0.5) / this.settings.drawn.length) * this.source.seconds), y = middle - scale * this.settings.drawn[this.pen];
      context.fillStyle = theme.ink(0.9);
      context.beginPath();
      context.arc(x, y, 4, 0, 2 * Math.PI);
      context.fill();
    }
    this.frame(context, width, height, theme);
  }

  drawAxis(context, width, theme) {
    const { from, to } = this.view, power = 10 ** Math.floor(Math.log10((to - from) / 100));
    const decimals = (s) => Math.max(0, -Math.floor(Math.log10(s) + 1e-9));
    const step = [1, 2, 5, 10, 20, 50, 100].map((m) => m * power).find((s) => (s / (to - from)) * width > 7 * to.toFixed(decimals(s)).length + 20) ?? 200 * power;
    const places = decimals(step);
    context.strokeStyle = theme.ink(0.4);
    context.lineWidth = 1;
    for (let n = Math.ceil(from / step - 1e-9); n * step <= to + 1e-9; n++) {
      const x = this.x(width, n * step), text = (n * step).toFixed(places);
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, 5);
      context.stroke();
      const half = 3.5 * text.length;
      this.text(context, theme, text, clamp(x, half, width - half), 12);
    }
    this.text(context, theme, "time, s", width / 2, 26);
  }

  describe() {
    for (const panel of this.panels) {
      const column = this.columns[panel.column];
      let text = null;
      if (panel.kind === "mel") text = `Log-mel spectrogram of ${this.header.clip.title}, ${this.source.seconds.toFixed(2)} seconds. Left and right arrow keys step through output frames.`;
      else if (panel.kind === "strip") text = `Displacement of each frame, ${this.header.scoresLabel}.` + (this.header.scores === "drawn" ? " Left and right arrow keys choose a point, up and down move it." : "");
      else if (column) {
        const { numbers, label } = column, where = `${label}: ${column.scope[1] - column.scope[0]} input frames, ${numbers.frames} output frames`;
        text = {
          out: `Downsampled result. ${where}. Left and right arrow keys step through output frames.`, align: `Alignment matrix. ${where}.`,
          rec: `Reconstruction. ${where}.`, err: `Error. ${where}; root mean square ${this.amount(numbers.error)}, loud parts ${this.amount(numbers.errorLoud)}, quiet parts ${this.amount(numbers.errorQuiet)}.`,
        }[panel.kind] ?? null;
        const caption = { out: `Downsampled result: ${numbers.frames} frames, ${this.source.bandsCaption}`, align: "Alignment: output frame up, input time across", rec: `Reconstruction, ${this.source.bandsCaption}`, err: `Error in ${this.source.unit}, ${this.source.bandsCaption}` }[panel.kind];
        if (caption) panel.element.querySelector("figcaption").textContent = caption;
      }
      if (text && panel.base.getAttribute("aria-label") !== text) panel.base.setAttribute("aria-label", text);
    }
  }

  // ------------------------------------------------------------ the spotlight

  cover() {
    if (!this.columns || this.covering) return;
    this.covering = requestAnimationFrame(() => { this.covering = null; this.drawCover(); });
  }

  drawCover() {
    if (!this.columns || !this.colours || !this.root.isConnected) return;
    const { hover, colours: theme } = this;
    for (const panel of this.panels) {
      if (panel.kind.endsWith("axis")) continue;
      const context = this.prepare(panel.cover), { clientWidth: width, clientHeight: height } = panel.base;
      const mark = (time, half, colour) => {
        const x = this.x(width, time);
        context.fillStyle = theme.back;
        context.fillRect(x - half - 1, 0, 2 * half + 2, height);
        context.fillStyle = colour;
        context.fillRect(x - half, 0, 2 * half, height);
      };
      const k = hover ? panel.column ?? hover.column : null;
      if (k !== null && this.covers(k, hover.time)) {
        const row = k === hover.column ? hover.row : this.rowAt(k, hover.time), column = this.columns[k];
        const beam = panel.kind === "out" ? { edges: column.outEdges, start: row, weights: [1] } : { edges: column.inEdges, ...this.weights(k, row) };
        this.drawBeam(context, width, height, theme, beam);
        if (panel.kind === "align") this.drawRow(context, width, height, theme, k, row);
      }
      if (hover) mark(hover.time, 0.5, theme.ink(0.95));
      if (this.playhead > 0) mark(this.playhead, 0.75, theme.accent);
    }
  }

  covers(k, time) {
    const { outEdges, outFrames } = this.columns[k];
    return time >= outEdges[0] && time <= outEdges[outFrames];
  }

  drawBeam(context, width, height, theme, { edges, start, weights }) {
    let top = 1e-9;
    for (const weight of weights) if (weight > top) top = weight;
    const share = new Float64Array(Math.ceil(width) + 1);
    for (let n = 0; n < weights.length; n++) {
      if (weights[n] < 1e-3 * top) continue;
      const x0 = Math.floor(this.x(width, edges[start + n])), x1 = Math.ceil(this.x(width, edges[start + n + 1]));
      for (let x = Math.max(0, x0); x < Math.min(share.length, Math.max(x1, x0 + 1)); x++) share[x] = Math.max(share[x], weights[n] / top);
    }
    context.fillStyle = theme.back;
    for (let x = 0; x < width; ) { // the dark around the beam, in runs of equal strength
      const level = Math.round(8 * (1 - Math.sqrt(share[x])));
      let end = x + 1;
      while (end < width && Math.round(8 * (1 - Math.sqrt(share[end]))) === level) end++;
      if (level) { context.globalAlpha = (0.6 * level) / 8; context.fillRect(x, 0, Math.min(end, width) - x, height); }
      x = end;
    }
    context.globalAlpha = 1;
  }

  drawRow(context, width, height, theme, k, row) {
    const { low, high } = this.rows(k), y = height * (1 - (row + 0.5 - low) / (high - low));
    if (y < 0 || y > height) return;
    context.strokeStyle = theme.ink(0.9);
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(width, y);
    context.stroke();
  }
}

// A short number: 12.3, 4.56, 0.0123; smaller than a thousandth is as good as none.
const short = (x) => (Math.abs(x) < 1e-3 ? "0" : Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 10 ? x.toFixed(1) : Number(x.toPrecision(3)).toString()).replace("-", "−");
const snapped = (value) => (Math.round(((value + DRAW_LIMIT) / (2 * DRAW_LIMIT)) * DRAW_STEPS) / DRAW_STEPS) * 2 * DRAW_LIMIT - DRAW_LIMIT;
const encodeDrawn = (values) => encodeLetters(values, DRAW_LIMIT, DRAW_STEPS);

export default component((parent) => new Compare(addMarkup(parent)));
