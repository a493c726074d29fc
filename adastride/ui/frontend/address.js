// @ts-check
// Writes the page's address: a parameter of null is taken out, and others stay.

/** @param {{ data: Record<string, string | null> }} component */
export default function ({ data }) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(data)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}
