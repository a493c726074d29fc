// @ts-check
// A component's markup and style sheets are files beside its module. They are fetched once a page, before the module counts as
// loaded, so that nothing is ever seen without its style, and no answer of the server carries them.

/** @param {URL} url */
const fetchText = async (url) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} could not be loaded: ${response.status}`);
  return response.text();
};

/**
 * Gives a function that puts the markup into a component's parent and returns its element.
 * @param {string} base the module's import.meta.url @param {string} markup @param {...string} styles paths from there
 */
export async function loadAssets(base, markup, ...styles) {
  const [html, ...texts] = await Promise.all([markup, ...styles].map((path) => fetchText(new URL(path, base))));
  const sheets = texts.map((text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    return sheet;
  });
  return (/** @type {ShadowRoot} */ parent) => {
    parent.adoptedStyleSheets = sheets; // the parent is the shadow root that Streamlit made for this component alone
    const element = /** @type {HTMLElement} */ (document.createRange().createContextualFragment(html).firstElementChild);
    parent.append(element);
    return element;
  };
}
