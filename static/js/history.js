// Results in the history of the browser: back, forward and reload bring them back, though the server keeps nothing. Their HTML stays in
// the session storage of the tab, which ends with it; the files that were sent stay in the memory of the page.

const PREFIX = "result-";
const KEPT = 5; // results

const sent = new Map(); // key of a result -> form data
const first = { title: document.title, html: document.getElementById("main").innerHTML };

const keys = () => Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX)).sort();

function store(key, value) {
  try {
    for (const old of keys().slice(0, -KEPT)) sessionStorage.removeItem(old);
    sessionStorage.setItem(key, value);
  } catch {
    for (const old of keys()) sessionStorage.removeItem(old); // full or refused: the newest result alone
    try {
      sessionStorage.setItem(key, value);
    } catch {
      // it then lasts as long as the page
    }
  }
}

/** Add a result to the history: the title and the HTML of the page, and the form data to which it is the answer. */
export function addResult(title, html, body) {
  const key = PREFIX + String(Date.now()).padStart(15, "0");
  store(key, JSON.stringify({ title, html }));
  sent.set(key, body);
  while (sent.size > KEPT) sent.delete(sent.keys().next().value);
  window.history.pushState({ result: key }, "");
}

/**
 * Show a result again when the browser goes back to it, or reloads it: `show(title, nodes)` puts it on the page, and `onShown(body)` is
 * called then, with the form data as far as the page still has them, else null.
 */
export function restoreResults(show, onShown) {
  const restore = (state) => {
    let page = state?.result ? null : first;
    try {
      page ??= JSON.parse(sessionStorage.getItem(state.result));
    } catch {
      page = null; // storage is refused
    }
    if (!page) return;
    show(page.title, [...new DOMParser().parseFromString(page.html, "text/html").body.childNodes]);
    onShown(sent.get(state?.result) ?? null);
  };
  window.addEventListener("popstate", (event) => restore(event.state));
  // A link to the page's own address keeps the entry of the history, and its state, in some browsers: it asks for the page anew.
  if (performance.getEntriesByType("navigation")[0]?.type === "navigate") window.history.replaceState(null, "");
  if (window.history.state?.result) restore(window.history.state);
}
