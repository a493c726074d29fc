// What the Learn page stands on until it is divided; the other pages use view.js and protocol.js.

// A component that talks with the server: at most one request is under way, and the newest values wait.
export class LiveView {
  constructor(root) {
    this.root = root;
    this.one = (selector) => root.querySelector(selector);
    this.sequence = 0;
    this.underWay = null; // sequence number of the request the server is working on
    this.waiting = false; // the settings have moved on since it was sent
    this.disposers = [];
  }

  on(target, type, handler, options) {
    target.addEventListener(type, handler, options);
    this.disposers.push(() => target.removeEventListener(type, handler, options));
  }

  note(kind, value) {
    globalThis.adastrideLog?.push([kind, performance.now(), value]); // tests and benchmarks set this array; otherwise nothing is kept
  }

  async copyLink() {
    const button = this.one(".link"), url = this.link();
    history.replaceState(history.state, "", url);
    try { await navigator.clipboard.writeText(url); button.textContent = "Link copied"; }
    catch { button.textContent = "Link is in the address bar"; } // no clipboard without HTTPS
    setTimeout(() => { button.textContent = "Copy link"; }, 2000);
  }

  prepare(canvas) {
    const ratio = window.devicePixelRatio || 1, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }
}
