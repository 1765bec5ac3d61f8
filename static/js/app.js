// Sends a form in the background and shows the page that comes back. The server renders every result and every error, so what
// a reader without JavaScript gets and what is shown here cannot differ.

import { prepareCamera } from "./camera.js";
import { sendFeedback } from "./feedback.js";
import { acceptPictures, choosePicture } from "./picture.js";

const main = document.getElementById("main");
const status = document.getElementById("status");
let read = null; // what was sent for the result on the page: the server keeps no photo

function say(text) {
  status.textContent = text;
}

function setBusy(busy) {
  main.classList.toggle("busy", busy);
  main.setAttribute("aria-busy", String(busy));
  for (const button of main.querySelectorAll("button")) button.disabled = busy;
}

/** Show `problem` (an element) at the head of the form it is about, which keeps the chosen file. */
function showProblem(form, problem) {
  main.querySelectorAll("form .problem").forEach((old) => old.remove());
  form.prepend(problem);
  const title = problem.querySelector("h1");
  title.focus();
  say(title.textContent);
}

/** A problem that the server could not word itself, being out of reach or not asked. */
function ownProblem(title, detail) {
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

function showPage(page) {
  document.title = page.title;
  main.replaceChildren(...page.getElementById("main").childNodes);
  enhance();
  const answer = document.getElementById("answer");
  answer.focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
  say(`${answer.textContent}. ${main.querySelector(".photo img").alt}`);
}

async function send(form, body) {
  const file = body.get("file");
  const limit = Number(form.dataset.maxBytes);
  if (file instanceof File && file.size > limit) {
    const detail = `This file has ${Math.ceil(file.size / 2 ** 20)} MB; the limit is ${Math.floor(limit / 2 ** 20)} MB. It was not sent.`;
    return showProblem(form, ownProblem("File too large", detail));
  }
  setBusy(true);
  say("Reading the photo …");
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    setBusy(false);
    const problem = page.getElementById("problem");
    if (page.getElementById("answer")) {
      read = body;
      showPage(page);
    } else showProblem(form, problem ?? ownProblem("Something went wrong", `The server answered with status ${response.status}. Try again in a moment.`));
  } catch {
    setBusy(false);
    showProblem(form, ownProblem("No answer", "The server could not be reached. Check the connection and try again."));
  }
}

/** Ask the server again, this time for what the answers rest on, and put that into the page, which stays as it is. */
async function explain(form) {
  const places = [...main.querySelectorAll(".why")];
  const body = read ?? new FormData(form); // a sample's form says which
  body.set("explain", "1");
  setBusy(true);
  say("Covering one spot after the other …");
  let found = [];
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
    found = [...new DOMParser().parseFromString(await response.text(), "text/html").querySelectorAll(".why")];
  } catch {
    // the server could not be reached: said below
  }
  setBusy(false);
  if (found.length !== places.length) {
    form.querySelector(".note")?.remove();
    const note = document.createElement("p");
    note.className = "note";
    note.textContent = "That could not be answered; try again in a moment.";
    form.append(note);
    return say(note.textContent);
  }
  const asked = places.indexOf(form.closest(".why"));
  places.forEach((place, index) => place.replaceWith(found[index]));
  const title = found[asked].querySelector(".why-title");
  title.focus({ preventScroll: true });
  found[asked].scrollIntoView({ block: "nearest" });
  say(`${title.textContent}: ${found[asked].querySelector(".why-title + p").textContent.trim().replace(/\s+/g, " ")}`);
}

function enhance() {
  if (read) for (const form of main.querySelectorAll(".ask-why")) form.hidden = false;
  for (const element of main.querySelectorAll("[data-js]")) element.hidden = false;
  prepareCamera(choosePicture);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches(".reader, .samples")) {
    event.preventDefault();
    send(form, new FormData(form, event.submitter));
  } else if (form.matches(".ask-why")) {
    event.preventDefault();
    explain(form);
  } else if (form.matches(".feedback")) {
    event.preventDefault();
    sendFeedback(form, event.submitter, say);
  }
});
acceptPictures(say);
enhance();
