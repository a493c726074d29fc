// @ts-check
// What a view asks, and where: on its line to the server while there is one, else through Streamlit.

import { read, reload } from "./component.js";
import { Line, Requests, lineAddress } from "./protocol.js";

/** @typedef {NonNullable<ReturnType<typeof read>>} Packed */

export class Conversation extends Requests {
  /**
   * @param {(what: any, sequence: number) => object} compose a request
   * @param {object} options
   * @param {(packed: Packed) => void} options.received an answer that came on the line
   * @param {() => string} options.link to what is shown, for a server that has begun anew
   * @param {number} options.timeout milliseconds after which an answer is no longer waited for
   * @param {() => void} options.expired called then, if nothing waits
   * @param {(what: any) => boolean} [options.forLine] whether the line has an answer to this at all
   */
  constructor(compose, { received, link, timeout, expired, forLine = () => true }) {
    super((what, sequence) => this.carry(compose(what, sequence), forLine(what)), {
      timeout, expired: () => { this.line.close(); expired(); },
    });
    this.line = new Line({
      received: (answer) => { const packed = read(answer); if (packed) received(packed); },
      failed: () => this.askThePage(),
      forgotten: () => beginAgain(link()),
    });
    /** @type {any} what is under way on the line */
    this.asked = null;
    /** @type {string | null} */
    this.channel = null;
    this.serial = 0;
    /** @type {(name: string, value: unknown) => void} */
    this.setStateValue = () => {};
  }

  /**
   * Takes note of an answer; false for one that Streamlit hands over again.
   * @param {{ channel: string, serial: number, live: string | null }} header
   * @param {(name: string, value: unknown) => void} [setStateValue] where it came through Streamlit
   */
  isNew({ channel, serial, live }, setStateValue) {
    if (setStateValue) this.setStateValue = setStateValue;
    if (channel === this.channel && serial <= this.serial) return false;
    if (this.channel !== null && channel !== this.channel) this.forget(); // the server has begun anew: nothing is under way
    [this.channel, this.serial] = [channel, serial];
    this.line.open(live && lineAddress(live, import.meta.url));
    return true;
  }

  /** @param {any} request @param {boolean} forLine */
  carry(request, forLine) {
    this.asked = forLine && this.line.ready ? request : null;
    if (this.asked) this.line.send(request);
    else this.setStateValue("request", request);
  }

  /** The line has no answer to what was asked there: the page has one. */
  askThePage() {
    const { asked } = this;
    this.asked = null;
    if (asked && this.underWay === asked.sequence) this.setStateValue("request", asked);
  }

  answered() {
    this.asked = null;
    return super.answered();
  }

  dispose() {
    super.dispose();
    this.line.close();
  }
}

/**
 * A line on which nothing is asked: it tells when the server has begun anew.
 * @param {() => string} link to what is shown
 */
export const watch = (link) => new Line({ received() {}, failed() {}, forgotten: () => beginAgain(link()) });

/**
 * The server has been started again, or has forgotten this session: a visit to the link of what is shown brings it back.
 * @param {string} link
 */
function beginAgain(link) {
  if (link !== location.href) history.replaceState(history.state, "", link);
  reload();
}
