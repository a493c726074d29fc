// @ts-check
// Tables that scroll can be reached with the Tab key, and say what they are: Streamlit's own cannot.

/** @param {{ data: { names: string[] } }} component */
export default function ({ data }) {
  const reach = () => document.querySelectorAll('[data-testid="stTable"]').forEach((table, n) => {
    for (const element of [table, ...table.querySelectorAll("div")]) {
      const part = /** @type {HTMLElement} */ (element), { scrollWidth, clientWidth, scrollHeight, clientHeight } = part;
      if ((scrollWidth <= clientWidth && scrollHeight <= clientHeight) || !/auto|scroll/.test(getComputedStyle(part).overflow)) continue;
      part.tabIndex = 0;
      part.setAttribute("role", "region");
      part.setAttribute("aria-label", `Table: ${data.names[n] ?? "numbers"}`);
    }
  });
  const watch = new ResizeObserver(reach);
  watch.observe(document.body);
  const changes = new MutationObserver(reach); // tables come and go with choices
  changes.observe(document.querySelector('[data-testid="stMain"]') ?? document.body, { childList: true, subtree: true });
  return () => {
    watch.disconnect();
    changes.disconnect();
  };
}
