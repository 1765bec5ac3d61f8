// Sends a form in the background and shows the page that comes back. The server renders every result and every error, so what
// a reader without JavaScript gets and what is shown here cannot differ.

export const main = document.getElementById("main");
const status = document.getElementById("status");

/** Tell those who hear the page. */
export function say(text) {
  status.textContent = text;
}

export function setBusy(busy) {
  main.classList.toggle("busy", busy);
  main.setAttribute("aria-busy", String(busy));
  for (const button of main.querySelectorAll("button")) button.disabled = busy;
}

/** Show `problem` (an element) at the head of the form it is about, which keeps the chosen file. */
export function showProblem(form, problem) {
  main.querySelectorAll("form .problem").forEach((old) => old.remove());
  form.prepend(problem);
  const title = problem.querySelector("h1");
  title.focus();
  say(title.textContent);
}

/** A problem that the server could not word itself, being out of reach or not asked. */
export function ownProblem(title, detail) {
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

/** Send `body` to where the form goes, saying `doing` meanwhile; `shown(body)` is called when the answer stands on the page. */
export async function send(form, body, doing, shown) {
  const file = body.get("file");
  const limit = Number(form.dataset.maxBytes);
  if (file instanceof File && file.size > limit) {
    const detail = `This file has ${Math.ceil(file.size / 2 ** 20)} MB; the limit is ${Math.floor(limit / 2 ** 20)} MB. It was not sent.`;
    return showProblem(form, ownProblem("File too large", detail));
  }
  setBusy(true);
  say(doing);
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    setBusy(false);
    if (page.getElementById("answer")) {
      showPage(page);
      return shown(body);
    }
    const again = `The server answered with status ${response.status}. Try again in a moment.`;
    showProblem(form, page.getElementById("problem") ?? ownProblem("Something went wrong", again));
  } catch {
    setBusy(false);
    showProblem(form, ownProblem("No answer", "The server could not be reached. Check the connection and try again."));
  }
}

function showPage(page) {
  document.title = page.title;
  main.replaceChildren(...page.getElementById("main").childNodes);
  document.getElementById("answer").focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}
