// @ts-check
// Takes the sidebar away when somebody begins to present, and brings back afterwards what it took away. Streamlit's own setting does
// so for those alone who have never moved the sidebar by hand.

const AWAY = '[data-testid="stSidebarCollapseButton"] button[aria-expanded="true"]';
const BACK = '[data-testid="stExpandSidebarButton"]';

let presented = false, taken = false;

/** @param {{ data: { presenting: boolean } }} component */
export default function ({ data: { presenting } }) {
  if (presenting === presented) return;
  presented = presenting;
  const button = presenting || taken ? /** @type {HTMLElement | null} */ (document.querySelector(presenting ? AWAY : BACK)) : null;
  taken = presenting && button !== null;
  button?.click();
}
