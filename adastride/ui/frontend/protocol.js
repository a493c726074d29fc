// @ts-check
// How a view talks with the server: the packed bytes it is sent, and requests of which one at most is under way.

const UNKNOWN = 4404; // a line's close code, as live.py has it
const [SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS] = [500, 2000]; // before a line that broke is tried again
const TYPES = { f4: Float32Array, i2: Int16Array, i1: Int8Array, u1: Uint8Array };

/**
 * What component.py's pack() wrote: a header, and arrays that lie in the message itself.
 * @param {Uint8Array} bytes
 * @returns {{ header: any, arrays: Record<string, any> }}
 */
export function unpack(bytes) {
  const message = bytes.byteOffset % 4 ? bytes.slice() : bytes; // arrays of four bytes begin at multiples of four
  const size = new DataView(message.buffer, message.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(message.subarray(4, 4 + size)));
  /** @type {Record<string, any>} */
  const arrays = {};
  const described = /** @type {Record<string, { type: keyof typeof TYPES, offset: number, count: number }>} */ (header.arrays);
  for (const [name, { type, offset, count }] of Object.entries(described)) {
    arrays[name] = new TYPES[type](/** @type {ArrayBuffer} */ (message.buffer), message.byteOffset + 4 + size + offset, count);
  }
  return { header, arrays };
}

/**
 * Requests to the server. At most one is under way; while it is, what is asked for waits, and of that the newest, so a drag
 * always ends on its last value.
 */
export class Requests {
  /**
   * @param {(what: any, sequence: number) => void} send
   * @param {object} options
   * @param {number} options.timeout milliseconds after which an answer is no longer waited for
   * @param {() => void} options.expired called then, if nothing waits
   * @param {(waiting: any, asked: any) => any} [options.combine] what waits after something more is asked for
   */
  constructor(send, { timeout, expired, combine = (_, asked) => asked }) {
    this.send = send;
    this.timeout = timeout;
    this.expired = expired;
    this.combine = combine;
    this.sequence = 0;
    /** @type {number | null} the request the server is working on */
    this.underWay = null;
    /** @type {any} what is to be asked for next; null for nothing */
    this.waiting = null;
    /** @type {any} */
    this.timer = null;
  }

  get busy() { return this.underWay !== null; }

  /** Asks the server, now or as soon as its answer is here. @param {any} [what] anything but null */
  ask(what = true) {
    if (this.busy) {
      this.waiting = this.combine(this.waiting, what);
      return;
    }
    this.waiting = null;
    this.underWay = ++this.sequence;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.expire(), this.timeout);
    this.send(what, this.underWay);
  }

  /**
   * Would this be an answer to what is under way, or to nothing? Anything else is an answer to something older.
   * @param {number} sequence
   */
  expects(sequence) { return !this.busy || sequence === this.underWay; }

  /** The answer is here. Gives the number of the request it answers, null where none was under way. */
  answered() {
    const sequence = this.underWay;
    this.underWay = null;
    clearTimeout(this.timer);
    return sequence;
  }

  /** Sends what waits; false where nothing does. */
  next() {
    if (this.busy) return true;
    if (this.waiting === null) return false;
    this.ask(this.waiting);
    return true;
  }

  expire() {
    this.underWay = null;
    if (!this.next()) this.expired();
  }

  /** Another conversation begins: what is under way and what waits belong to the last one. */
  forget() {
    this.answered();
    this.waiting = null;
  }

  dispose() { this.forget(); }
}

/**
 * The address of a line, from where a module of ours was loaded: wherever the app is served.
 * @param {string} path below the app @param {string} module its import.meta.url
 */
export function lineAddress(path, module) {
  const url = new URL(path, `${module.split("/_stcore/")[0]}/`);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/**
 * A connection to the server beside Streamlit's (adastride/ui/live.py). While there is none, its owner asks through Streamlit; one
 * that broke is tried again and again, because it also tells when the server has begun anew and knows the page no more.
 */
export class Line {
  /**
   * @param {object} owner
   * @param {(answer: Uint8Array) => void} owner.received
   * @param {() => void} owner.failed what was asked last is not answered here
   * @param {() => void} owner.forgotten the server does not know the address, and so nothing of this page
   */
  constructor({ received, failed, forgotten }) {
    this.received = received;
    this.failed = failed;
    this.forgotten = forgotten;
    /** @type {string | null} */
    this.address = null;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {any} */
    this.timer = null;
    this.pause = SHORTEST_PAUSE_MS;
  }

  get ready() { return this.socket?.readyState === WebSocket.OPEN; }

  /** Connects to an address, unless it is the one it has; null ends the connection. @param {string | null} address */
  open(address) {
    if (address === this.address) return;
    this.close();
    this.address = address;
    if (address !== null) this.connect();
  }

  connect() {
    const socket = this.socket = new WebSocket(this.address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { this.pause = SHORTEST_PAUSE_MS; };
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      if (data.byteLength) this.received(new Uint8Array(data));
      else this.failed();
    };
    socket.onclose = ({ code }) => { if (socket === this.socket) this.broke(code); };
  }

  /** @param {number} code why, as the server or the browser says */
  broke(code) {
    this.socket = null;
    this.failed();
    if (code === UNKNOWN) return this.forgotten();
    this.timer = setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
  }

  /** @param {unknown} request */
  send(request) { this.socket.send(JSON.stringify(request)); }

  close() {
    const { socket } = this;
    clearTimeout(this.timer);
    this.socket = this.address = null;
    socket?.close();
  }
}
