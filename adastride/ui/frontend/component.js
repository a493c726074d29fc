// @ts-check
// How a view becomes a components-v2 component.

import { unpack } from "./protocol.js";

const VIEW = Symbol("view");

/**
 * The default export of a component's module. Streamlit calls it again with every answer, for the same parent, and its result when
 * the component goes.
 * @param {(parent: any) => { receive: (packed: any, setStateValue: any) => void, dispose: () => void }} make
 */
export const component = (make) => (/** @type {any} */ { data, parentElement, setStateValue }) => {
  const packed = read(data);
  if (!packed) return () => {};
  const view = (parentElement[VIEW] ??= make(parentElement));
  view.receive(packed, setStateValue);
  return () => {
    view.dispose();
    delete parentElement[VIEW];
  };
};

/** An answer of the server; null where the page is about to load itself again. @param {Uint8Array} data */
export function read(data) {
  const packed = unpack(data);
  return renewed(packed.header.frontend) ? null : packed;
}

const LEAST_BETWEEN_MS = 5000;

/** Loads the page again, now or, lest it be loaded again and again, some seconds after the last time. */
export function reload() {
  const last = Number(sessionStorage.getItem("adastride-reloaded")), pause = last + LEAST_BETWEEN_MS - Date.now();
  setTimeout(() => {
    sessionStorage.setItem("adastride-reloaded", String(Date.now()));
    location.reload();
  }, Math.min(Math.max(0, pause), LEAST_BETWEEN_MS));
}

/** @type {string | null} */
let version = null;

/**
 * Has the server been upgraded under an open page? Modules of one version must not read answers of another, so the page is loaded
 * again; once, lest two servers of different versions behind one address send it round in circles.
 * @param {string} now
 */
function renewed(now) {
  version ??= now;
  if (version === now || sessionStorage.getItem("adastride-renewed") === now) return false;
  sessionStorage.setItem("adastride-renewed", now);
  location.reload();
  return true;
}
