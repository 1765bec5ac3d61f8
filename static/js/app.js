// The photo page: its forms are sent in the background (sending.js), and an answer can be asked what it rests on.

import { prepareCamera } from "./camera.js";
import { sendFeedback } from "./feedback.js";
import { acceptPictures, choosePicture } from "./picture.js";
import { main, say, send, setBusy } from "./sending.js";

let read = null; // what was sent for the result on the page: the server keeps no photo

function shown(body) {
  read = body;
  enhance();
  say(`${document.getElementById("answer").textContent}. ${main.querySelector(".photo img").alt}`);
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
    send(form, new FormData(form, event.submitter), "Reading the photo …", shown);
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
