// Sends a form in the background and shows the page that comes back. The server renders every result and every error, so the page is
// the same with and without JavaScript.

import { addResult } from "./history.js";

export const main = document.getElementById("main");
const status = document.getElementById("status");

/** Announce `text` to screen readers. */
export function announce(text) {
  status.textContent = text;
}

/** Disable the buttons of the page while a request is under way, but those that cancel it and those of the switch "On this device". */
function setBusy(busy) {
  main.classList.toggle("busy", busy);
  main.setAttribute("aria-busy", String(busy));
  for (const button of main.querySelectorAll("button:not([data-cancel], .on-device *)")) button.disabled = busy;
  for (const button of main.querySelectorAll("[data-cancel]")) button.hidden = !busy;
  for (const button of main.querySelectorAll("[data-busy]")) {
    const { dataset } = button;
    if (busy) dataset.idle ??= button.textContent; // a request may take the place of another
    button.textContent = (busy ? dataset.busy : dataset.idle) ?? button.textContent;
    if (!busy) delete dataset.idle;
  }
}

/** Show `problem` (an element) at the top of its form, which keeps the chosen file. */
export function showProblem(form, problem) {
  main.querySelectorAll("form .problem").forEach((old) => old.remove());
  form.prepend(problem);
  const title = problem.querySelector("h1");
  title.focus();
  announce(title.textContent);
}

/** Create the element of a problem that the server did not report: out of reach, or nothing was sent. */
export function clientProblem(title, detail) {
  const section = document.createElement("section");
  section.className = "problem";
  const heading = document.createElement("h1");
  heading.tabIndex = -1;
  heading.textContent = title;
  const text = document.createElement("p");
  text.textContent = detail;
  section.append(heading, text);
  return section;
}

let current = null; // controller of the request under way

/** Cancel the request under way. */
export function cancel() {
  current?.abort();
}

/**
 * Run `work(signal)`, which returns an object and throws nothing, while the page is busy; a newer one takes the place of an older one.
 * Returns null where that happened, else the object with `aborted` added.
 */
export async function runBusy(work, progress) {
  cancel();
  const controller = (current = new AbortController());
  setBusy(true);
  announce(progress);
  const outcome = await work(controller.signal);
  if (controller !== current) return null;
  current = null;
  setBusy(false);
  return { ...outcome, aborted: controller.signal.aborted };
}

/** Post `body` to `url` and parse the page that comes back: `{page, status, aborted}` as runBusy; `page` is null where none came back. */
export function post(url, body, progress) {
  return runBusy(async (signal) => {
    let status = 0;
    try {
      const response = await fetch(url, { method: "POST", body, headers: { Accept: "text/html" }, signal });
      status = response.status;
      return { page: new DOMParser().parseFromString(await response.text(), "text/html"), status };
    } catch {
      return { page: null, status }; // out of reach, or cancelled
    }
  }, progress);
}

/** Add a button to a problem that tries again: the body may be gone elsewhere, as that of a snapshot is. */
export function addRetry(problem, again, text = "Try again") {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-outline-secondary";
  button.textContent = text;
  button.addEventListener("click", again);
  problem.append(button);
  return problem;
}

/** Show a result, and add it to the history of the browser. */
export function showResult(title, nodes, body, onResult) {
  showPage(title, nodes);
  addResult(title, main.innerHTML, body);
  return onResult(body);
}

/** Say that a request was cancelled; `again()` repeats it. */
export function showCancelled(form, again) {
  showProblem(form, addRetry(clientProblem("Cancelled", "Nothing was analyzed."), again));
}

/**
 * Send `body` to the action of `form`; `progress` is announced, and `onResult(body)` is called when the result is on the page.
 * `again()` tries again where it failed.
 */
export async function send(form, body, progress, onResult, again = () => send(form, body, progress, onResult)) {
  const file = body.get("file");
  const limit = Number(form.dataset.maxBytes);
  if (file instanceof File && file.size > limit) {
    const detail = `This file has ${Math.ceil(file.size / 2 ** 20)} MB; the limit is ${Math.floor(limit / 2 ** 20)} MB. It was not sent.`;
    return showProblem(form, clientProblem("File too large", detail));
  }
  main.querySelectorAll("form > .problem").forEach((old) => old.remove());
  const answer = await post(form.action, body, progress);
  if (!answer) return;
  const { page, status, aborted } = answer;
  if (page?.getElementById("headline")) {
    return showResult(page.title, [...page.getElementById("main").childNodes], body, onResult);
  }
  if (aborted) return showCancelled(form, again);
  if (!page) {
    const problem = clientProblem("No response", "The server could not be reached. Check the connection and try again.");
    return showProblem(form, addRetry(problem, again));
  }
  const detail = `The server answered with status ${status}. Try again in a moment.`;
  const problem = page.getElementById("problem") ?? clientProblem("Something went wrong", detail);
  showProblem(form, status === 429 || status >= 500 ? addRetry(problem, again) : problem);
}

/** Replace the content of the page and move the focus to its headline. */
export function showPage(title, nodes) {
  document.title = title;
  main.replaceChildren(...nodes);
  const headline = document.getElementById("headline") ?? main;
  headline.focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}
