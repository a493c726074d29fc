// How a view becomes a components-v2 component.

import { unpack } from "./protocol.js";

const VIEW = Symbol("view");

// The default export of a component's module. make: (parent element) -> a view with receive({header, arrays}, setStateValue)
// and dispose(). Streamlit calls it again with every answer, for the same parent, and its result when the component goes.
export const component = (make) => ({ data, parentElement, setStateValue }) => {
  const packed = unpack(data);
  if (renewed(packed.header.frontend)) return () => {};
  const view = (parentElement[VIEW] ??= make(parentElement));
  view.receive(packed, setStateValue);
  return () => { view.dispose(); delete parentElement[VIEW]; };
};

let version = null;

// Has the server been upgraded under an open page? Modules of one version must not read answers of another, so the page is loaded
// again; once, lest two servers of different versions behind one address send it round in circles.
function renewed(now) {
  version ??= now;
  if (version === now || sessionStorage.getItem("adastride-renewed") === now) return false;
  sessionStorage.setItem("adastride-renewed", now);
  location.reload();
  return true;
}
