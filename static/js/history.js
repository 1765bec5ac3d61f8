// Results in the history of the browser: back, forward and reload bring them back, though the server keeps nothing. Their HTML stays in
// the session storage of the tab, which ends with it; the files that were sent stay in the memory of the page.

const PREFIX = "result-";
const KEPT = 5; // results

const sent = new Map(); // key of a result -> form data
const first = { title: document.title, html: document.getElementById("main").innerHTML };
let shown = { result: "first" }; // state of the page as it is

const keys = () => Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX)).sort();

function store(key, value) {
  try {
    for (const old of keys().slice(0, 1 - KEPT)) sessionStorage.removeItem(old);
    sessionStorage.setItem(key, value);
  } catch {
    try {
      for (const old of keys()) sessionStorage.removeItem(old); // full: the newest result alone
      sessionStorage.setItem(key, value);
    } catch {
      // refused: it then lasts as long as the page
    }
  }
}

/** Return the page of a state; the first one where it is not kept any more. */
function pageOf(state) {
  try {
    return JSON.parse(sessionStorage.getItem(state.result)) ?? first;
  } catch {
    return first; // storage is refused
  }
}

/** Add a result to the history: the title and the HTML of the page, and the form data to which it is the answer. */
export function addResult(title, html, body) {
  const key = PREFIX + String(Date.now()).padStart(15, "0");
  store(key, JSON.stringify({ title, html }));
  sent.set(key, body);
  while (sent.size > KEPT) sent.delete(sent.keys().next().value);
  shown = { result: key };
  window.history.pushState(shown, "");
}

/**
 * Show a result again when the browser goes back to it, or reloads it: `show(title, nodes)` puts it on the page, and `onShown(body)` is
 * called then, with the form data as far as the page still has them, else null. Returns true if a result is shown now.
 */
export function restoreResults(show, onShown) {
  const restore = (state) => {
    const page = pageOf(state);
    shown = state;
    show(page.title, [...new DOMParser().parseFromString(page.html, "text/html").body.childNodes]);
    onShown(page === first ? null : (sent.get(state.result) ?? null));
    return page !== first;
  };
  window.addEventListener("popstate", ({ state }) => {
    if (state?.result) restore(state);
    else window.history.replaceState(shown, ""); // a link to a place on this page, such as that to its content
  });
  // A link to the page's own address keeps the entry of the history, and its state, in some browsers: it loads the page again.
  const isNavigation = performance.getEntriesByType("navigation")[0]?.type === "navigate";
  const state = isNavigation ? null : window.history.state;
  if (state?.result && pageOf(state) !== first) return restore(state);
  window.history.replaceState(shown, "");
  return false;
}
