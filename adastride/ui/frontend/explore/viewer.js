// The linked viewer. The server sends each layer's normalised positions; everything drawn here follows from them.
//
// Every panel shares one time axis in seconds. An upper layer's input frames are the output frames of the layer below,
// so they are drawn as wide as the time they stand for. Dragging sigma or a stride redraws a layer at once, because its
// positions depend on neither; the layers above follow when the server has run the network again, and so does a layer
// without positions, of which the server sends a picture. At most one request is under way, and the newest values wait,
// so a drag always ends on its last value.

import { composeDown, fillAlignment, fillMatrix, layOut, layOutPicture, rowWeights, visibleMax } from "../alignment.js";
import { loadAssets } from "../assets.js";
import { LAYER_COLOURS, RAMPS } from "../colours.js";
import { component } from "../component.js";
import { LiveView } from "../live_view.js";
import { clamp, digits, largest, lowerBound, percent, roundHalfEven } from "../numbers.js";

const addMarkup = await loadAssets(import.meta.url, "viewer.html", "../shared.css", "viewer.css");
const GUTTER = 46, RIGHT = 6;
const ANSWER_TIMEOUT_MS = 20000;
const QUIET_MS = 150; // the window has not moved for so long: time to ask for a finer picture of it
const LAYER_HEIGHT = 112; // CSS pixels of an alignment

class Viewer extends LiveView {
  constructor(root) {
    super(root);
    this.scope = "all";
    this.tickLayer = 0;
    this.view = null;
    this.hover = null; // {layer, row}
    this.pinned = null;
    this.audio = new Audio();
    this.listen();
  }

  dispose() {
    this.audio.pause();
    if (this.audioUrl) URL.revokeObjectURL(this.audioUrl);
    clearTimeout(this.timeout);
    clearTimeout(this.lateTimer);
    clearTimeout(this.quiet);
    this.disposers.forEach((dispose) => dispose());
    this.root.remove();
  }

  // ------------------------------------------------------------ data in

  receive({ header, arrays }, setStateValue) {
    this.setStateValue = setStateValue;
    if (header.clipData) {
      const again = this.clip?.id === header.clip.id;
      this.clip = { ...header.clip, ...header.clipData, wave: arrays.wave, mel: arrays.mel };
      if (!again) this.openClip(arrays.audio);
      if (arrays.mel.byteLength > 500000) queueMicrotask(() => this.request()); // says "I have it", so that it is not sent again
    }
    if (!this.clip || this.clip.id !== header.clip.id) { // a new picture frame around an old conversation: ask for the clip
      this.clip = null;
      this.settings ??= header.settings.map((s) => ({ ...s }));
      this.revision ??= header.revision;
      this.underWay = null;
      this.request();
      return;
    }
    const adopt = header.revision !== this.revision;
    if (adopt) {
      this.revision = header.revision;
      this.settings = header.settings.map((s) => ({ ...s }));
      this.pinned = null;
      this.underWay = null;
      this.waiting = false;
    }
    const answered = this.underWay === null || header.sequence === this.underWay;
    if (!answered && this.header?.clip.id === header.clip.id) return; // an answer to something older
    this.header = header;
    this.server = this.layOutAll(header.layers.map((layer, k) => {
      const picture = layer.picture && { ...layer.picture, data: arrays[`matrix${k}`], columns: arrays[`columns${k}`] };
      return { ...layer, u: arrays[`u${k}`], taps: arrays[`taps${k}`], edges: arrays[`edges${k}`], picture };
    }));
    if (this.underWay !== null) {
      const sequence = this.underWay;
      requestAnimationFrame(() => this.note("followed", sequence));
    }
    this.underWay = null;
    clearTimeout(this.timeout);
    this.syncPanels();
    this.follow();
    this.refreshProbabilities();
    if (this.waiting) this.request();
    else this.settle();
  }

  openClip(encoded) {
    const { clip } = this;
    this.view = { from: 0, to: clip.seconds };
    this.everything = true; // nothing that is drawn now is of this clip
    this.hover = null;
    this.pinned = null;
    this.audio.pause();
    if (this.audioUrl) URL.revokeObjectURL(this.audioUrl);
    this.audioUrl = URL.createObjectURL(encoded ? new Blob([encoded], { type: "audio/flac" }) : wavBlob(clip.wave, clip.sampleRate));
    this.audio.src = this.audioUrl;
    this.playhead = 0;
  }

  // The layers as the server ran them. Mel frame j is centred on j hops, so it spans half a hop to either side.
  layOutAll(layers) {
    const seconds = this.clip.seconds, rate = this.clip.framesPerSecond;
    let edges = Float64Array.from({ length: this.clip.melFrames + 1 }, (_, j) => clamp((j - 0.5) / rate, 0, seconds));
    if (same(this.melEdges, edges)) edges = this.melEdges;
    this.melEdges = edges;
    return layers.map((layer, k) => {
      const before = this.server?.[k], settings = this.header.settings[k];
      // What has not moved keeps its layout, and with it its drawing: a drag repaints only what follows it.
      const kept = before && before.layout.inEdges === edges && sameSettings(before.layout, settings) && same(before.u, layer.u) && same(before.taps, layer.taps)
        && before.picture?.version === layer.picture?.version && same(before.edges, layer.edges);
      const layout = kept ? before.layout : layer.picture ? layOutPicture(layer.edges, layer.picture, edges, settings) : layOut(layer, edges, settings);
      edges = layout.outEdges;
      return { ...layer, layout };
    });
  }

  // Draws what the settings in hand mean now: exact for the lowest changed layer, from last positions above it. A picture
  // waits for the server.
  follow() {
    const first = this.settings.findIndex((s, k) => !sameSettings(s, this.header.settings[k]));
    this.layers = this.server.map((layer, k) =>
      sameSettings(this.settings[k], this.header.settings[k]) || layer.picture ? layer : { ...layer, layout: layOut(layer, layer.layout.inEdges, this.settings[k]) });
    this.firstStale = first < 0 ? Infinity : this.server[first].picture ? first : first + 1;
    if (first < 0) {
      clearTimeout(this.lateTimer);
      this.lateTimer = null;
      this.markLate();
    } else this.lateTimer ??= setTimeout(() => { this.lateTimer = null; this.markLate(); }, 250); // a quick answer makes no label flicker
    if (this.hover) this.writeTip();
    this.refreshControls();
    this.redraw(false);
  }

  markLate() {
    this.panels?.forEach((panel) => panel.element.classList.toggle("catching-up", panel.kind === "layer" && panel.layer >= this.firstStale));
    this.one(".side").classList.toggle("catching-up", this.firstStale < Infinity);
  }

  // ------------------------------------------------------------ data out

  // choose: the value for a layer, given its number.
  change(layers, name, choose) {
    for (const k of layers) if (this.settings[k][name] != null) this.settings[k][name] = choose(k);
    this.follow();
    this.request();
  }

  // What the server should draw for: the window in view, null for all of the clip, and the device pixels of a layer's plot.
  screen() {
    const { view, clip } = this, panel = this.panels?.find((each) => each.kind === "layer"), ratio = window.devicePixelRatio || 1;
    const whole = !view || !clip || (view.from <= 0 && view.to >= clip.seconds - 1e-9);
    const width = panel?.base.clientWidth ? this.plotWidth(panel) : 1024;
    return { view: whole ? null : [view.from, view.to], pixels: [Math.round(width * ratio), Math.round(LAYER_HEIGHT * ratio)] };
  }

  // Asks for other pictures if what is in view needs them: another window, or more pixels.
  sharpen() {
    const parts = this.header?.layers.some((layer) => layer.picture && !layer.picture.whole);
    if (!parts || !this.clip || this.header.clip.id !== this.clip.id) return;
    const { view, pixels } = this.screen(), shown = this.header;
    const near = (a, b) => Math.abs(a - b) < 1e-6;
    const seen = view === null || shown.view === null ? view === shown.view : near(view[0], shown.view[0]) && near(view[1], shown.view[1]);
    if (!seen || Math.min(pixels[0], 2048) > 1.1 * shown.pixels[0]) this.request();
  }

  request() {
    if (this.underWay !== null) { this.waiting = true; return; }
    this.waiting = false;
    this.underWay = ++this.sequence;
    this.root.dataset.state = "following";
    this.note("sent", this.underWay);
    clearTimeout(this.timeout);
    this.timeout = setTimeout(() => { this.underWay = null; if (this.waiting || this.firstStale < Infinity) this.request(); }, ANSWER_TIMEOUT_MS);
    this.setStateValue("request", {
      sequence: this.underWay, revision: this.revision, have: this.clip?.id ?? "", settings: this.settings.map((s) => ({ ...s })), ...this.screen(),
    });
  }

  // Nothing is under way and nothing waits: the address bar and screen readers get the result.
  settle() {
    const url = this.link();
    if (url !== location.href) history.replaceState(history.state, "", url);
    const best = this.best();
    const text = `${this.header.labels[best]}, ${percent(this.header.probabilities[best])}. ` +
      this.layers.map((l, k) => `Layer ${k + 1}: ${l.layout.T} to ${l.layout.L} frames.`).join(" ");
    if (this.spokenText !== text) this.one(".spoken").textContent = this.spokenText = text;
    this.describe();
    this.root.dataset.state = "settled";
  }

  link() {
    const url = new URL(location.href);
    const { clip, checkpoint } = this.header.link;
    const trained = this.header.trained;
    const short = (name, format) => {
      const values = this.settings.map((s) => (s[name] == null ? "" : format(s[name])));
      url.searchParams.delete(name);
      if (this.settings.every((s, k) => s[name] === trained[k][name])) return;
      url.searchParams.set(name, values.every((v) => v === values[0]) ? values[0] : values.join(","));
    };
    url.searchParams.set("clip", clip);
    url.searchParams.set("checkpoint", checkpoint);
    short("sigma", (v) => String(Number(v.toPrecision(6))));
    short("stride", (v) => String(Number(v.toPrecision(6))));
    short("variant", (v) => v);
    return url.href;
  }

  best() {
    return this.header.probabilities.indexOf(Math.max(...this.header.probabilities));
  }

  // ------------------------------------------------------------ controls

  listen() {
    const { root } = this;
    this.wirePlayer(this.one(".status"));
    this.on(this.one(".zoom-in"), "click", () => this.zoom(0.5));
    this.on(this.one(".zoom-out"), "click", () => this.zoom(2));
    this.on(this.one(".fit"), "click", () => this.setView(0, this.clip.seconds));
    this.on(this.one(".reset"), "click", () => { this.settings = this.header.trained.map((s) => ({ ...s })); this.follow(); this.request(); });
    this.on(this.one(".pin"), "click", () => this.togglePin());
    this.on(this.one(".link"), "click", () => this.copyLink());
    for (const slider of root.querySelectorAll(".slider")) {
      const input = slider.querySelector("input"), name = slider.dataset.name;
      this.on(input, "input", () => this.slide(name, Number(input.value)));
    }
    this.on(root, "keydown", (event) => this.key(event));
    this.on(root, "transitionend", () => this.redraw()); // the theme changed: background-color has a 1 ms transition
    this.on(this.audio, "seeked", () => { this.playhead = this.audio.currentTime; this.cover(); });
    const observer = new ResizeObserver(() => this.redraw());
    observer.observe(root);
    this.disposers.push(() => observer.disconnect());
    this.on(window, "resize", () => this.redraw()); // a change of device pixel ratio
  }

  slide(name, value) {
    const began = performance.now(), { trained, layers } = this.header;
    this.change(this.chosen(), name, (k) => { // the trained value need not be on the slider's grid
      const usual = trained[k][name];
      if (name === "sigma") return Math.abs(value - Math.log10(usual)) < 0.0051 ? usual : Number((10 ** value).toPrecision(5));
      if (Math.abs(value - usual) < 0.0051) return usual;
      return layers[k].wholeStrides ? Math.max(1, roundHalfEven(value)) : value;
    });
    requestAnimationFrame(() => this.note("local", performance.now() - began));
  }

  chosen() {
    return this.scope === "all" ? this.settings.map((_, k) => k) : [this.scope];
  }

  key(event) {
    const typing = event.composedPath()[0].matches?.("input, button, select");
    const panel = event.composedPath().find((node) => node.classList?.contains("base"))?.panel;
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === " " && !event.composedPath()[0].matches?.("button")) this.togglePlay();
    else if (typing) return;
    else if (event.key === "+" || event.key === "=") this.zoom(0.5);
    else if (event.key === "-") this.zoom(2);
    else if (event.key === "0") this.setView(0, this.clip.seconds);
    else if (event.key === "Escape") this.setHover(null);
    else if (event.key === "Enter" && panel) this.playFrom(this.hover ? this.layers[this.hover.layer].layout.outEdges[this.hover.row] : this.view.from);
    else if (step) {
      const first = this.chosen().find((k) => this.settings[k].sigma != null);
      if (first === undefined) return;
      this.slide("sigma", clamp(Math.log10(this.settings[first].sigma) + 0.05 * step, -2, 2));
    } else if (panel && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      const layer = panel.layer ?? this.tickLayer, { L } = this.layers[layer].layout;
      const row = this.hover?.layer === layer ? this.hover.row + (event.key === "ArrowRight" ? 1 : -1) : 0;
      this.setHover({ layer, row: clamp(row, 0, L - 1) });
    } else return;
    event.preventDefault();
  }

  segments(host, options, current, choose) {
    while (host.childElementCount > options.length) host.lastChild.remove();
    options.forEach(([value, label, disabled], n) => { // buttons that are there already stay, and with them the focus
      const button = host.children[n] ?? host.appendChild(document.createElement("button"));
      button.type = "button";
      button.setAttribute("role", "radio");
      button.setAttribute("aria-checked", String(value === current));
      button.textContent = label;
      button.disabled = Boolean(disabled);
      button.onclick = () => choose(value);
    });
  }

  refreshControls() {
    const { settings, header } = this;
    const chosen = this.chosen(), trained = header.trained;
    const key = JSON.stringify([this.scope, chosen.map((k) => settings[k].variant), header.revision]);
    if (key !== this.controlsKey) { // rebuilt only when they change, so that focus stays where it is during a drag
      this.controlsKey = key;
      this.segments(this.one(".scope"), [["all", "All layers"], ...settings.map((_, k) => [k, `${k + 1}`])], this.scope, (scope) => {
        this.scope = scope;
        if (scope !== "all") this.tickLayer = scope;
        this.controlsKey = null;
        this.syncPanels();
        this.refreshControls();
        this.redraw();
      });
      const variants = new Set(chosen.map((k) => settings[k].variant).filter((variant) => variant != null));
      this.one(".variant").hidden = !variants.size;
      this.segments(this.one(".variant"), [["adastride", "AdaStride"], ["adastride-f", "AdaStride-F"]], variants.size === 1 ? [...variants][0] : null,
        (variant) => { this.change(this.chosen(), "variant", () => variant); });
    }
    for (const slider of this.root.querySelectorAll(".slider")) this.refreshSlider(slider, slider.dataset.name, chosen);
    this.one(".reset").disabled = settings.every((s, k) => sameSettings(s, trained[k]));
  }

  refreshSlider(slider, name, chosen) {
    const { settings, header } = this, { layers } = header, trained = header.trained;
    const input = slider.querySelector("input"), output = slider.querySelector("output"), mark = slider.querySelector(".trained");
    const moved = chosen.filter((k) => settings[k][name] != null);
    slider.classList.toggle("without", !moved.length);
    input.disabled = !moved.length;
    if (!moved.length) {
      const labels = [...new Set(chosen.map((k) => layers[k].label))];
      output.textContent = `${labels.join(" and ")} ${labels.length > 1 ? "have" : "has"} none`;
      return;
    }
    // Layers that take whole strides round the slider's value, which stands where the others are.
    const whole = name === "stride" ? moved.filter((k) => layers[k].wholeStrides) : [], free = moved.filter((k) => !whole.includes(k));
    const leading = free.length ? free : moved, values = [...new Set(leading.map((k) => settings[k][name]))];
    const toSlider = (v) => (name === "sigma" ? Math.log10(v) : v), at = toSlider(values[0]);
    input.step = free.length ? "0.01" : "1";
    if (this.root.getRootNode().activeElement !== input || Math.abs(Number(input.value) - at) > 0.05) input.value = at;
    const text = (v) => (name === "sigma" ? `${digits(v)} output frames · σ⁻² = ${digits(v ** -2)}` : `${free.length ? v.toFixed(2) : v} input frames per output frame`);
    const named = (some) => `layer${some.length > 1 ? "s" : ""} ${some.map((k) => k + 1).join(", ")}`;
    const parts = [values.length > 1 ? `differs by layer: ${values.map((v) => digits(v)).join(", ")}` : text(values[0])];
    if (!free.length) parts.push("whole strides only");
    else if (whole.length) parts.push(`whole strides in ${named(whole)}: ${[...new Set(whole.map((k) => settings[k].stride))].join(", ")}`);
    if (moved.length < chosen.length) parts.push(`${named(moved)} only`);
    output.textContent = parts.join(" · ");
    input.setAttribute("aria-valuetext", output.textContent);
    const usual = trained[leading[0]][name], share = clamp((toSlider(usual) - input.min) / (input.max - input.min), 0, 1);
    mark.style.left = `calc(8px + ${share} * (100% - 16px))`;
    mark.title = `trained: ${text(usual)}`;
  }

  refreshProbabilities() {
    const { labels, probabilities } = this.header, best = this.best(), bars = this.one(".bars");
    bars.style.setProperty("--longest", `${0.8 + 0.5 * Math.min(14, Math.max(...labels.map((label) => label.length)))}em`); // all bars begin at one place
    if (bars.childElementCount !== labels.length || this.barLabels !== labels.join("\n")) {
      this.barLabels = labels.join("\n");
      bars.replaceChildren(...labels.map((label) => {
        const row = document.createElement("div");
        row.className = "bar-row";
        row.innerHTML = '<span class="name"></span><span class="rail"><i class="fill"></i><i class="ghost" hidden></i></span><span class="value"></span>';
        row.querySelector(".name").textContent = row.querySelector(".name").title = label;
        return row;
      }));
    }
    [...bars.children].forEach((row, i) => {
      row.classList.toggle("best", i === best);
      row.querySelector(".fill").style.width = `${100 * probabilities[i]}%`;
      row.querySelector(".value").textContent = percent(probabilities[i]);
      const ghost = row.querySelector(".ghost");
      ghost.hidden = !this.pinned;
      if (this.pinned) ghost.style.width = `${100 * this.pinned.probabilities[i]}%`;
    });
    this.one(".top b").textContent = labels[best];
    this.one(".top span").textContent = percent(probabilities[best]);
    bars.setAttribute("aria-label", `Class probabilities: ${labels.map((l, i) => `${l} ${percent(probabilities[i])}`).join(", ")}`);
    this.one(".pinned-note").hidden = !this.pinned;
    this.one(".pin").setAttribute("aria-pressed", String(Boolean(this.pinned)));
    this.one(".pin").textContent = this.pinned ? "Unpin" : "Pin";
    this.one(".status").textContent = this.header.status;
    this.one(".mel-low").textContent = this.clip.melRange[0].toFixed(0);
    this.one(".mel-high").textContent = this.clip.melRange[1].toFixed(0);
  }

  togglePin() {
    this.pinned = this.pinned ? null : { probabilities: [...this.header.probabilities], layers: this.layers.map(({ layout }) => layout) };
    this.refreshProbabilities();
    this.redraw();
  }

  get seconds() { return this.clip.seconds; }

  // ------------------------------------------------------------ time window

  setView(from, to) {
    const total = this.clip.seconds, span = clamp(to - from, Math.min(total, 0.05), total);
    from = clamp(from, 0, total - span);
    this.view = { from, to: from + span };
    this.redraw();
  }

  zoom(factor, centre) {
    const { from, to } = this.view;
    centre ??= this.hoverTime ?? (this.playhead > from && this.playhead < to ? this.playhead : (from + to) / 2);
    this.setView(centre - (centre - from) * factor, centre + (to - centre) * factor);
  }

  // ------------------------------------------------------------ panels

  syncPanels() {
    const host = this.one(".panels"), count = this.header.layers.length;
    if (!this.panels || this.panels.filter((p) => p.kind === "layer").length !== count) {
      this.panels?.forEach((panel) => panel.element.remove());
      this.panels = [this.addPanel(host, "wave", 46), this.addPanel(host, "mel", 104), this.addPanel(host, "ticks", 12)];
      for (let k = 0; k < count; k++) this.panels.push(this.addPanel(host, "layer", LAYER_HEIGHT, k), this.addPanel(host, "profile", 50, k));
      this.panels.push(this.addPanel(host, "axis", 34));
    }
    const heads = `${this.clip.id} ${this.tickLayer} ${count}`;
    if (heads === this.heads) return;
    this.heads = heads;
    for (const panel of this.panels) {
      const head = panel.element.querySelector("header");
      if (panel.kind === "mel") {
        if (!head.firstChild) {
          head.innerHTML = '<b>Log-mel spectrogram</b> <span class="frames"></span><span class="segments-label">marks: output frames of layer</span>' +
            '<span class="segments" role="radiogroup" aria-label="Layer whose output frames are marked on the mel"></span>';
        }
        head.querySelector(".frames").textContent = `${this.clip.melFrames} frames`;
        this.segments(head.querySelector(".segments"), this.header.layers.map((_, k) => [k, `${k + 1}`]), this.tickLayer, (k) => { this.tickLayer = k; this.syncPanels(); this.redraw(); });
      } else if (panel.kind === "wave") {
        head.innerHTML = "<b></b> <span></span>";
        head.querySelector("b").textContent = this.clip.title;
        head.querySelector("span").textContent = `${this.clip.details} · amplitude, 1 is full scale`;
      }
    }
  }

  addPanel(host, kind, height, layer) {
    const element = document.createElement("figure");
    element.className = `panel ${kind}`;
    element.innerHTML = `${["profile", "ticks", "axis"].includes(kind) ? "" : "<header></header>"}<div class="stack"><canvas class="base"></canvas><canvas class="cover"></canvas></div>`;
    const [base, cover] = element.querySelectorAll("canvas");
    base.style.height = `${height}px`;
    if (kind === "axis" || kind === "ticks") base.setAttribute("aria-hidden", "true");
    else { base.tabIndex = 0; base.setAttribute("role", "img"); }
    cover.setAttribute("aria-hidden", "true");
    const panel = { kind, layer, element, base, cover };
    base.panel = panel;
    this.pointer(panel);
    host.append(element);
    return panel;
  }

  pointer(panel) {
    const { base } = panel, fingers = new Map();
    let began = null;
    this.on(base, "pointerdown", (event) => {
      if (event.button) return;
      base.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event.clientX);
      began = { x: event.clientX, view: { ...this.view }, moved: fingers.size > 1, spread: this.spread(fingers) };
    });
    this.on(base, "pointermove", (event) => {
      const time = this.timeAt(panel, event);
      this.hoverTime = time;
      if (!fingers.has(event.pointerId)) { this.setHover(this.pick(panel, event, time), event); return; }
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size === 2 && began.spread) {
        const { from, to } = began.view, span = (to - from) * began.spread / Math.max(8, this.spread(fingers));
        const centre = (from + to) / 2;
        this.setView(centre - span / 2, centre + span / 2);
      } else if (Math.abs(event.clientX - began.x) > 4 || began.moved) {
        began.moved = true;
        const shift = ((began.x - event.clientX) / this.plotWidth(panel)) * (began.view.to - began.view.from);
        this.setView(began.view.from + shift, began.view.to + shift);
      }
    });
    const end = (event) => {
      if (!fingers.delete(event.pointerId)) return;
      if (event.type === "pointerup" && !began.moved && !fingers.size) this.playFrom(this.timeAt(panel, event));
    };
    this.on(base, "pointerup", end);
    this.on(base, "pointercancel", end);
    this.on(base, "pointerleave", () => { this.hoverTime = undefined; this.setHover(null); });
    this.on(base, "wheel", (event) => {
      if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(clamp(event.deltaY, -60, 60) / 120), this.timeAt(panel, event));
      else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const shift = ((event.deltaX || event.deltaY) / this.plotWidth(panel)) * (this.view.to - this.view.from);
        this.setView(this.view.from + shift, this.view.to + shift);
      } else return; // the page scrolls
      event.preventDefault();
    }, { passive: false });
  }

  spread(fingers) {
    const x = [...fingers.values()];
    return x.length > 1 ? Math.abs(x[0] - x[1]) : 0;
  }

  gutter() { return this.root.clientWidth < 560 ? 40 : GUTTER; }
  plotWidth(panel) { return Math.max(10, panel.base.clientWidth - this.gutter() - RIGHT); }
  timeAt(panel, event) {
    const x = event.clientX - panel.base.getBoundingClientRect().left - this.gutter();
    return clamp(this.view.from + (x / this.plotWidth(panel)) * (this.view.to - this.view.from), 0, this.clip.seconds);
  }

  // The output frame under the pointer: by height in an alignment, by time elsewhere.
  pick(panel, event, time) {
    if (panel.kind === "axis") return null;
    const layer = panel.layer ?? this.tickLayer, { layout } = this.layers[layer];
    if (panel.kind === "layer") {
      const box = panel.base.getBoundingClientRect(), { low, high } = this.rows(layout);
      return { layer, row: clamp(Math.floor(low + (1 - (event.clientY - box.top) / box.height) * (high - low)), 0, layout.L - 1) };
    }
    return { layer, row: clamp(lowerBound(layout.outEdges, time) - 1, 0, layout.L - 1) };
  }

  setHover(hover, event) {
    if (hover?.layer === this.hover?.layer && hover?.row === this.hover?.row) { if (hover && event) this.moveTip(event); return; }
    this.hover = hover;
    this.one(".tip").hidden = !hover;
    if (hover) {
      this.writeTip();
      if (event) this.moveTip(event);
      else Object.assign(this.one(".tip").style, { left: `${this.gutter()}px`, top: "0px" });
    }
    this.cover();
  }

  writeTip() {
    const { layer, row } = this.hover, { layout } = this.layers[layer], { picture } = layout;
    if (row >= layout.L) return;
    const from = layout.outEdges[row], to = layout.outEdges[row + 1], { weights } = rowWeights(layout, row), least = 0.01 * largest(weights);
    const coarse = picture && (picture.rows < picture.high - picture.low || picture.columns.length <= picture.columns.at(-1) - picture.columns[0]);
    const made = coarse ? "zoom in for its weights" : weights.length ? `weights over ${weights.filter((w) => w > least).length} input frames` : "no frame is nearest to it: zero";
    this.one(".tip").textContent = `Layer ${layer + 1}, output frame ${row}: stands for ${digits(layout.strides[row], 2)} input frames, ${from.toFixed(2)}–${to.toFixed(2)} s (${Math.round(1000 * (to - from))} ms); ${made}.`;
  }

  moveTip(event) {
    const tip = this.one(".tip"), box = this.root.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    tip.style.left = `${clamp(x + 16, 0, Math.max(0, box.width - 270))}px`;
    tip.style.top = `${y + 18}px`;
  }

  // ------------------------------------------------------------ drawing

  // everything: the clip, the window, the size or the theme changed; otherwise only layouts that are new are drawn.
  redraw(everything = true) {
    this.everything ||= everything;
    if (everything) {
      clearTimeout(this.quiet);
      this.quiet = setTimeout(() => this.sharpen(), QUIET_MS);
    }
    if (!this.layers || this.drawing) return;
    this.drawing = requestAnimationFrame(() => { this.drawing = null; this.draw(); });
  }

  theme() {
    const style = getComputedStyle(this.root), probe = style.backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
    const light = 0.3 * probe[0] + 0.6 * probe[1] + 0.1 * probe[2] > 128;
    const ink = light ? "30,36,48" : "240,243,250";
    return {
      name: light ? "light" : "dark", font: style.fontFamily, back: `rgb(${probe.slice(0, 3).join(",")})`, probe,
      ink: (alpha) => `rgba(${ink},${alpha})`, accent: style.getPropertyValue("--st-primary-color").trim() || "#d33",
    };
  }

  draw() {
    if (!this.layers || !this.root.isConnected || !this.root.clientWidth) return;
    const { everything } = this, theme = (this.colours = everything || !this.colours ? this.theme() : this.colours);
    this.everything = false;
    if (everything) {
      this.paintRamp(this.one(".alignment-ramp"), RAMPS[theme.name]);
      this.paintRamp(this.one(".mel-ramp"), RAMPS.mel);
    }
    for (const panel of this.panels) {
      const layer = this.layers[panel.kind === "ticks" ? this.tickLayer : panel.layer];
      if (panel.kind === "layer") this.headLayer(panel, layer, theme);
      if (!everything && panel.drawn === layer?.layout) continue;
      panel.drawn = layer?.layout;
      const context = this.prepare(panel.base), box = { x: this.gutter(), width: this.plotWidth(panel), height: panel.base.clientHeight };
      if (panel.kind === "wave") this.drawWave(context, box, theme);
      else if (panel.kind === "mel") this.drawMel(context, box, theme);
      else if (panel.kind === "layer") this.drawLayer(context, box, theme, panel);
      else if (panel.kind === "profile") this.drawProfile(context, box, theme, panel);
      else if (panel.kind === "ticks") this.drawTicks(context, { ...box, y: 1, height: box.height - 2 }, theme);
      else this.drawAxis(context, box, theme);
    }
    if (everything || this.hover) this.cover();
  }

  label(context, theme, text, x, y, align = "right", alpha = 0.7) {
    context.font = `11px ${theme.font}`;
    context.fillStyle = theme.ink(alpha);
    context.textAlign = align;
    context.textBaseline = "middle";
    context.fillText(text, x, y);
  }

  // Paints device pixels of the plot area: fill(pixels, width, height).
  pixels(context, box, fill) {
    const ratio = window.devicePixelRatio || 1, width = Math.round(box.width * ratio), height = Math.round(box.height * ratio);
    const image = context.createImageData(width, height);
    fill(new Uint32Array(image.data.buffer), width, height);
    context.putImageData(image, Math.round(box.x * ratio), 0);
  }

  x(box, time) { return box.x + ((time - this.view.from) / (this.view.to - this.view.from)) * box.width; }

  drawWave(context, box, theme) {
    const { wave, waveStep, sampleRate, peak } = this.clip, { from, to } = this.view, middle = box.height / 2, scale = (middle - 2) / peak;
    const level = digits(peak / 32768, 2);
    this.label(context, theme, level, box.x - 6, 7);
    this.label(context, theme, `−${level}`, box.x - 6, box.height - 7);
    context.fillStyle = theme.ink(0.75);
    const ratio = window.devicePixelRatio || 1, columns = Math.round(box.width * ratio), perSecond = sampleRate / waveStep;
    const count = waveStep > 1 ? wave.length / 2 : wave.length;
    let previous = null;
    for (let c = 0; c < columns; c++) {
      const a = (from + ((to - from) * c) / columns) * perSecond, b = (from + ((to - from) * (c + 1)) / columns) * perSecond;
      let low = Infinity, high = -Infinity;
      for (let n = Math.floor(a); n < Math.max(b, Math.floor(a) + 1) && n < count; n++) {
        const lowest = waveStep > 1 ? wave[2 * n] : wave[n], highest = waveStep > 1 ? wave[2 * n + 1] : wave[n];
        if (lowest < low) low = lowest;
        if (highest > high) high = highest;
      }
      if (low > high) continue;
      if (previous) { low = Math.min(low, previous.high); high = Math.max(high, previous.low); } // no gaps between columns
      previous = { low, high };
      const top = middle - high * scale, bottom = middle - low * scale;
      context.fillRect(box.x + c / ratio, top, 1 / ratio, Math.max(1 / ratio, bottom - top));
    }
  }

  drawMel(context, box, theme) {
    const { mel, melBands, melFrames, framesPerSecond, melTicks } = this.clip, { from, to } = this.view;
    this.pixels(context, box, (pixels, width, height) => {
      const band = Int32Array.from({ length: height }, (_, y) => clamp(Math.floor((1 - (y + 0.5) / height) * melBands), 0, melBands - 1));
      const column = new Uint8Array(melBands);
      for (let x = 0; x < width; x++) {
        const first = clamp(Math.round((from + ((to - from) * x) / width) * framesPerSecond), 0, melFrames - 1);
        const last = clamp(Math.round((from + ((to - from) * (x + 1)) / width) * framesPerSecond), first, melFrames - 1);
        column.fill(0);
        for (let j = first; j <= Math.max(first, last - 1); j++) for (let m = 0; m < melBands; m++) if (mel[j * melBands + m] > column[m]) column[m] = mel[j * melBands + m];
        for (let y = 0; y < height; y++) pixels[y * width + x] = RAMPS.mel[column[band[y]]];
      }
    });
    for (const [text, share] of melTicks) {
      const y = clamp((1 - share) * box.height, 6, box.height - 5);
      this.label(context, theme, text, box.x - 6, y);
    }
  }

  // Where the output frames of one layer end and the next begin; where they are denser than pixels, as a tint.
  drawTicks(context, box, theme) {
    const { outEdges, L } = this.layers[this.tickLayer].layout, ratio = window.devicePixelRatio || 1;
    const columns = Math.round(box.width * ratio), hits = new Uint16Array(columns + 1);
    for (let i = 0; i <= L; i++) {
      const x = Math.round(((outEdges[i] - this.view.from) / (this.view.to - this.view.from)) * columns);
      if (x >= 0 && x <= columns) hits[x]++;
    }
    context.fillStyle = LAYER_COLOURS[theme.name][this.tickLayer % 3];
    const densest = hits.reduce((a, b) => Math.max(a, b), 1), crowded = L > columns / 3;
    for (let x = 0; x <= columns; x++) {
      if (!hits[x]) continue;
      if (crowded) context.globalAlpha = 0.15 + 0.85 * (hits[x] / densest) ** 2;
      context.fillRect(box.x + x / ratio - 0.5, box.y, Math.max(1, 1 / ratio), box.height);
    }
    context.globalAlpha = 1;
  }

  // Output frames the time window shows: all of them for the whole clip.
  rows(layout) {
    const { from, to } = this.view, { outEdges, L } = layout;
    if (from <= 0 && to >= this.clip.seconds - 1e-9) return { low: 0, high: L };
    const low = clamp(lowerBound(outEdges, from) - 1, 0, L - 1), high = clamp(lowerBound(outEdges, to), low + 1, L);
    const margin = 0.04 * (high - low);
    return { low: Math.max(0, low - margin), high: Math.min(L, high + margin) };
  }

  drawLayer(context, box, theme, panel) {
    const layer = this.layers[panel.layer], { layout } = layer, { low, high } = this.rows(layout);
    const fill = layout.picture ? fillMatrix : fillAlignment;
    this.pixels(context, box, (pixels, width, height) => fill(pixels, width, height, layout, this.view, low, high, RAMPS[theme.name]));
    context.strokeStyle = theme.ink(0.25);
    context.lineWidth = 1;
    context.strokeRect(box.x - 0.5, 0.5, box.width + 1, box.height - 1);
    const y = (row) => box.height * (1 - (row - low) / (high - low)), total = this.clip.seconds;
    // A line for comparison, where strides could differ from it; others would only lie under it.
    if (this.layers.slice(0, panel.layer + 1).some((each) => each.adaptive)) {
      context.save();
      context.beginPath();
      context.rect(box.x, 0, box.width, box.height);
      context.clip();
      context.beginPath();
      context.moveTo(this.x(box, 0), y(0));
      context.lineTo(this.x(box, total), y(layout.L));
      context.setLineDash([6, 5]);
      context.lineWidth = 3.5; // a rim in the background's colour: the line crosses both ends of the colour map
      context.strokeStyle = theme.back;
      context.stroke();
      context.lineWidth = 1.25;
      context.strokeStyle = theme.ink(0.9);
      context.stroke();
      context.restore();
    }
    this.label(context, theme, String(Math.round(high) - 1), box.x - 6, 7);
    this.label(context, theme, String(Math.floor(low)), box.x - 6, box.height - 7);
    if (this.gutter() >= GUTTER) {
      this.label(context, theme, "output", box.x - 6, box.height / 2 - 6, "right", 0.55);
      this.label(context, theme, "frame", box.x - 6, box.height / 2 + 6, "right", 0.55);
    }
  }

  headLayer(panel, layer, theme) {
    const { layout } = layer, exact = panel.layer < this.firstStale;
    const head = panel.element.querySelector("header");
    const numbers = [`${layout.T} → ${layout.L} frames`, layout.sigma == null ? null : `σ = ${digits(layout.sigma)}`, `stride ${digits(layout.stride)}`];
    if (layer.u) numbers.push(`position loss ${exact && this.firstStale === Infinity ? digits(layer.positionLoss, 2) : "…"}`);
    numbers.push(`${layer.milliseconds.toFixed(1)} ms`);
    if (!head.firstChild) head.innerHTML = '<b><i class="swatch"></i><span class="name"></span></b><span class="numbers"></span><span class="late">catching up …</span>';
    head.querySelector(".swatch").style.background = LAYER_COLOURS[theme.name][panel.layer % 3];
    head.querySelector(".name").textContent = `Layer ${panel.layer + 1} · ${layout.variant == null ? layer.label : layout.hard ? "AdaStride-F" : "AdaStride"}`;
    const text = numbers.filter(Boolean).join(" · ");
    if (panel.numbers !== text) head.querySelector(".numbers").textContent = panel.numbers = text;
  }

  drawProfile(context, box, theme, panel) {
    const { layout } = this.layers[panel.layer], pinned = this.pinned?.layers[panel.layer];
    const colour = LAYER_COLOURS[theme.name][panel.layer % 3], top = 15, floor = box.height - 3;
    const largest = Math.max(2 * layout.stride, visibleMax(layout, this.view), pinned ? visibleMax(pinned, this.view) : 0) * 1.05;
    const y = (stride) => floor - (Math.min(stride, largest) / largest) * (floor - top);
    context.fillStyle = context.strokeStyle = colour;
    context.globalAlpha = 0.28;
    this.steps(box, layout, (x0, x1, low, high) => context.fillRect(x0, y(high), x1 - x0, floor - y(high)));
    context.globalAlpha = 1;
    this.steps(box, layout, (x0, x1, low, high) => context.fillRect(x0, y(high) - 0.75, x1 - x0, Math.max(1.5, y(low) - y(high))));
    if (pinned) {
      context.strokeStyle = theme.ink(0.95);
      context.lineWidth = 1.25;
      context.setLineDash([2, 2]);
      context.beginPath();
      this.steps(box, pinned, (x0, x1, low, high) => { context.lineTo(x0, y(high)); context.lineTo(x1, y(low)); });
      context.stroke();
    }
    context.setLineDash([6, 5]);
    context.lineWidth = 1;
    context.strokeStyle = theme.ink(0.7);
    context.beginPath();
    context.moveTo(box.x, y(layout.stride));
    context.lineTo(box.x + box.width, y(layout.stride));
    context.stroke();
    context.setLineDash([]);
    const middle = y(layout.stride);
    this.label(context, theme, digits(layout.stride, 2), box.x - 6, middle);
    if (middle > top + 13) this.label(context, theme, digits(largest, 2), box.x - 6, top + 4);
    if (floor - middle > 11) this.label(context, theme, "0", box.x - 6, floor - 2);
    this.label(context, theme, "stride: input frames per output frame", box.x + box.width - 2, 7, "right", 0.7);
  }

  // Calls paint(x0, x1, lowest, highest stride) for runs of a step curve, merging what is finer than a pixel.
  steps(box, layout, paint) {
    const { outEdges, strides, L } = layout, right = box.x + box.width;
    let x0 = null, x1 = null, low = Infinity, high = -Infinity;
    for (let i = Math.max(0, lowerBound(outEdges, this.view.from) - 1); i < L; i++) {
      const a = Math.max(box.x, this.x(box, outEdges[i])), b = Math.min(right, this.x(box, outEdges[i + 1]));
      if (a >= right) break;
      if (b <= a) continue;
      x0 ??= a;
      x1 = b;
      low = Math.min(low, strides[i]);
      high = Math.max(high, strides[i]);
      if (x1 - x0 >= 1) { paint(x0, x1, low, high); x0 = null; low = Infinity; high = -Infinity; }
    }
    if (x0 !== null && x1 > x0) paint(x0, x1, low, high);
  }

  drawAxis(context, box, theme) {
    const { from, to } = this.view, rough = (to - from) / Math.max(3, box.width / 110), power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough), places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    context.strokeStyle = theme.ink(0.4);
    for (let n = Math.ceil(from / step - 1e-9); n * step <= to + 1e-9; n++) {
      const x = this.x(box, n * step);
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, 5);
      context.stroke();
      this.label(context, theme, (n * step).toFixed(places), clamp(x, box.x + 6, box.x + box.width - 10), 13, "center");
    }
    this.label(context, theme, "time, s", box.x + box.width / 2, 27, "center");
  }

  describe() {
    for (const panel of this.panels) {
      if (panel.kind === "axis" || panel.kind === "ticks") continue;
      const layer = this.layers[panel.layer]?.layout;
      let text = `Waveform of ${this.clip.title}, ${this.clip.seconds.toFixed(2)} seconds`;
      if (panel.kind === "mel") text = `Log-mel spectrogram, ${this.clip.melFrames} frames of ${this.clip.melBands} bands`;
      if (layer) {
        let small = 0, large = 0;
        for (let i = 1; i < layer.L; i++) { if (layer.strides[i] < layer.strides[small]) small = i; if (layer.strides[i] > layer.strides[large]) large = i; }
        const at = (i) => `${digits(layer.strides[i], 2)} frames at ${((layer.outEdges[i] + layer.outEdges[i + 1]) / 2).toFixed(2)} s`;
        text = panel.kind === "layer"
          ? `Alignment of layer ${panel.layer + 1}: ${layer.T} input frames to ${layer.L} output frames. Smallest stride ${at(small)}, largest ${at(large)}. Left and right arrow keys step through output frames${layer.sigma == null ? "" : ", up and down change sigma"}.`
          : `Stride profile of layer ${panel.layer + 1}: smallest ${at(small)}, largest ${at(large)}.`;
      }
      if (panel.base.getAttribute("aria-label") !== text) panel.base.setAttribute("aria-label", text);
    }
  }

  // ------------------------------------------------------------ what lies over the panels: spotlight and playhead

  cover() {
    if (!this.layers || this.covering) return;
    this.covering = requestAnimationFrame(() => { this.covering = null; this.drawCover(); });
  }

  drawCover() {
    if (!this.layers || !this.colours || !this.root.isConnected) return;
    const { hover, colours: theme } = this, beams = hover && hover.row < this.layers[hover.layer].layout.L ? this.beams(hover) : null;
    for (const panel of this.panels) {
      const lit = beams && panel.kind !== "axis" && Boolean(beams[panel.layer ?? 0]), played = this.playhead > 0;
      if (!lit && !played && !panel.covered) continue; // nothing lies over it and nothing did
      panel.covered = lit || played;
      const context = this.prepare(panel.cover), box = { x: this.gutter(), width: this.plotWidth(panel), height: panel.base.clientHeight };
      if (lit) this.drawBeam(context, box, theme, panel, beams);
      const x = this.x(box, this.playhead);
      if (played && x >= box.x - 1 && x <= box.x + box.width + 1) {
        context.fillStyle = theme.back;
        context.fillRect(x - 1.75, 0, 3.5, box.height);
        context.fillStyle = theme.accent;
        context.fillRect(x - 0.75, 0, 1.5, box.height);
      }
    }
    this.one(".clock").textContent = `${this.playhead.toFixed(2)} / ${this.clip.seconds.toFixed(2)} s`;
  }

  // For the hovered layer and every one below: weights over its input frames, and over its output frames.
  beams({ layer, row }) {
    const beams = [];
    let weights = rowWeights(this.layers[layer].layout, row), rows = { start: row, weights: Float64Array.of(1) };
    for (let k = layer; k >= 0; k--) {
      beams[k] = { rows, weights };
      if (!k) break;
      const below = this.layers[k - 1].layout.L === this.layers[k].layout.T ? this.layers[k - 1].layout : this.server[k - 1].layout;
      rows = weights;
      weights = composeDown(below, weights);
    }
    return beams;
  }

  drawBeam(context, box, theme, panel, beams) {
    const k = panel.layer ?? 0, beam = beams[k];
    const edges = this.layers[k].layout.inEdges, { start, weights } = beam.weights, top = Math.max(largest(weights), 1e-9);
    const share = new Float64Array(Math.ceil(box.width) + 1);
    for (let n = 0; n < weights.length; n++) {
      const x0 = Math.floor(this.x(box, edges[start + n]) - box.x), x1 = Math.ceil(this.x(box, edges[start + n + 1]) - box.x);
      for (let x = Math.max(0, x0); x < Math.min(share.length, Math.max(x1, x0 + 1)); x++) share[x] = Math.max(share[x], weights[n] / top);
    }
    context.fillStyle = theme.back;
    for (let x = 0; x < box.width; ) { // the dark around the beam, in runs of equal strength
      const level = Math.round(8 * (1 - Math.sqrt(share[x])));
      let end = x + 1;
      while (end < box.width && Math.round(8 * (1 - Math.sqrt(share[end]))) === level) end++;
      if (level) { context.globalAlpha = (0.68 * level) / 8; context.fillRect(box.x + x, 0, Math.min(end, box.width) - x, box.height); }
      x = end;
    }
    context.globalAlpha = 1;
    if (panel.kind !== "layer") return;
    const { low, high } = this.rows(this.layers[k].layout), colour = LAYER_COLOURS[theme.name][k % 3];
    const y = (row) => box.height * (1 - (row - low) / (high - low)), best = Math.max(largest(beam.rows.weights), 1e-9);
    context.fillStyle = colour;
    beam.rows.weights.forEach((w, n) => { // the output frames that take part, beside the axis
      const row = beam.rows.start + n;
      context.globalAlpha = Math.sqrt(w / best);
      context.fillRect(box.x - 5, y(row + 1), 5, Math.max(1.5, y(row) - y(row + 1)));
    });
    context.globalAlpha = 1;
    if (beam.rows.weights.length === 1) {
      const middle = y(beam.rows.start + 0.5);
      context.strokeStyle = theme.ink(0.9);
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(box.x, middle);
      context.lineTo(box.x + box.width, middle);
      context.stroke();
    }
  }
}

function sameSettings(a, b) {
  return a.sigma === b.sigma && a.stride === b.stride && a.variant === b.variant;
}

function same(a, b) {
  return a === b || (a?.length === b?.length && a !== undefined && a.every((x, i) => x === b[i]));
}

function wavBlob(samples, rate) {
  const header = new DataView(new ArrayBuffer(44)), text = (at, s) => [...s].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
  const bytes = samples.length * 2;
  text(0, "RIFF"); header.setUint32(4, 36 + bytes, true); text(8, "WAVEfmt "); header.setUint32(16, 16, true); header.setUint16(20, 1, true); header.setUint16(22, 1, true);
  header.setUint32(24, rate, true); header.setUint32(28, rate * 2, true); header.setUint16(32, 2, true); header.setUint16(34, 16, true); text(36, "data"); header.setUint32(40, bytes, true);
  return new Blob([header, samples], { type: "audio/wav" });
}

export default component((parent) => new Viewer(addMarkup(parent)));
