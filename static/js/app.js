// Photo page: sends its forms in the background (form.js) and loads occlusion maps on request.

import { prepareCamera } from "./camera.js";
import { sendFeedback } from "./feedback.js";
import { announce, main, send, setBusy } from "./form.js";
import { acceptPhotos, choosePhoto } from "./photo-input.js";

let sentBody = null; // form data of the result on the page: the server keeps no photo

function onResult(body) {
  sentBody = body;
  enhance();
  announce(`${document.getElementById("headline").textContent}. ${main.querySelector(".photo img").alt}`);
}

/** Request the result again with occlusion maps, and insert them into the page, which is otherwise unchanged. */
async function explain(form) {
  const places = [...main.querySelectorAll(".explanation")];
  const body = sentBody ?? new FormData(form); // the form of a sample has its name
  body.set("explain", "1");
  setBusy(true);
  announce("Computing the occlusion map …");
  let explanations = [];
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
    explanations = [...new DOMParser().parseFromString(await response.text(), "text/html").querySelectorAll(".explanation")];
  } catch {
    // the server could not be reached: reported below
  }
  setBusy(false);
  if (explanations.length !== places.length) {
    form.querySelector(".note")?.remove();
    const note = document.createElement("p");
    note.className = "note";
    note.textContent = "The explanation failed; try again in a moment.";
    form.append(note);
    return announce(note.textContent);
  }
  const chosen = places.indexOf(form.closest(".explanation"));
  places.forEach((place, index) => place.replaceWith(explanations[index]));
  const title = explanations[chosen].querySelector(".explanation-title");
  title.focus({ preventScroll: true });
  explanations[chosen].scrollIntoView({ block: "nearest" });
  const text = explanations[chosen].querySelector(".explanation-title + p").textContent.trim().replace(/\s+/g, " ");
  announce(`${title.textContent}: ${text}`);
}

function enhance() {
  if (sentBody) for (const form of main.querySelectorAll(".explain-form")) form.hidden = false;
  for (const element of main.querySelectorAll("[data-js]")) element.hidden = false;
  prepareCamera(choosePhoto);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("#photo-form, .samples")) {
    event.preventDefault();
    send(form, new FormData(form, event.submitter), "Analyzing the photo …", onResult);
  } else if (form.matches(".explain-form")) {
    event.preventDefault();
    explain(form);
  } else if (form.matches(".feedback")) {
    event.preventDefault();
    sendFeedback(form, event.submitter, announce);
  }
});
acceptPhotos(announce);
enhance();
