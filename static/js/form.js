// Sends a form in the background and shows the page that comes back. The server renders every result and every error, so the page is
// the same with and without JavaScript.

export const main = document.getElementById("main");
const status = document.getElementById("status");

/** Announce `text` to screen readers. */
export function announce(text) {
  status.textContent = text;
}

export function setBusy(busy) {
  main.classList.toggle("busy", busy);
  main.setAttribute("aria-busy", String(busy));
  for (const button of main.querySelectorAll("button")) button.disabled = busy;
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

/** Send `body` to the action of `form`; `progress` is announced, and `onResult(body)` is called when the result is on the page. */
export async function send(form, body, progress, onResult) {
  const file = body.get("file");
  const limit = Number(form.dataset.maxBytes);
  if (file instanceof File && file.size > limit) {
    const detail = `This file has ${Math.ceil(file.size / 2 ** 20)} MB; the limit is ${Math.floor(limit / 2 ** 20)} MB. It was not sent.`;
    return showProblem(form, clientProblem("File too large", detail));
  }
  setBusy(true);
  announce(progress);
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    setBusy(false);
    if (page.getElementById("headline")) {
      showPage(page);
      return onResult(body);
    }
    const detail = `The server answered with status ${response.status}. Try again in a moment.`;
    showProblem(form, page.getElementById("problem") ?? clientProblem("Something went wrong", detail));
  } catch {
    setBusy(false);
    showProblem(form, clientProblem("No response", "The server could not be reached. Check the connection and try again."));
  }
}

function showPage(page) {
  document.title = page.title;
  main.replaceChildren(...page.getElementById("main").childNodes);
  document.getElementById("headline").focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}
