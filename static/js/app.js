// Photo page: a photo is sent in the background (form.js) as soon as it is chosen; occlusion maps are loaded on request.

import { sendFeedback } from "./feedback.js";
import { addRetry, announce, cancel, clientProblem, main, post, runBusy, send, showCancelled, showPage, showProblem, showResult } from "./form.js";
import { restoreResults } from "./history.js";
import { deviceClient, isOnDevice, prepareDevice, sentence, showDevice } from "./on-device.js";
import { acceptPhotos, choosePhoto, keepPhoto } from "./photo-input.js";
import { listenToResults, prepareResult } from "./result.js";
import { hasServer } from "./site.js";

let sentBody = null; // form data of the result on the page: the server keeps no photo
let pendingBody = null; // form data of the request under way

async function analyze(form, body) {
  const name = body.get("file")?.name;
  const progress = name ? `Analyzing ${name} …` : "Analyzing the photo …";
  pendingBody = body;
  if (isOnDevice()) await analyzeHere(form, body, progress);
  else await send(form, body, progress, onResult, () => analyze(form, body));
  if (pendingBody === body) pendingBody = null;
}

/** Analyze a photo in this browser: nothing is sent, unless the visitor says so where the browser cannot read it. */
async function analyzeHere(from, body, progress) {
  const form = document.getElementById("photo-form");
  main.querySelectorAll("form > .problem").forEach((old) => old.remove());
  const answer = await runBusy(async (signal) => {
    try {
      const { analyzePhoto } = await import("./device-photo.js");
      return { page: await analyzePhoto(form, body, await deviceClient(signal), signal) };
    } catch (error) {
      return { error };
    }
  }, progress);
  if (!answer) return;
  const { page, error, aborted } = answer;
  if (aborted) return showCancelled(from, () => analyze(from, body));
  if (page) return showResult(page.title, page.nodes(), body, onResult);
  const isTurnedOff = error.name === "AbortError" && !isOnDevice(); // the library says that its client was closed
  const problem = clientProblem("Not analyzed", isTurnedOff ? "“On this device” was turned off." : sentence(error.message));
  if (hasServer) addRetry(problem, () => send(from, body, progress, onResult, () => analyze(from, body)), "Send it to the server");
  showProblem(from, problem);
}

function onResult(body) {
  sentBody = body;
  const file = body.get("file");
  if (file instanceof File) keepPhoto(file);
  enhance();
  announce(`${document.getElementById("headline").textContent}. ${main.querySelector(".photo img").alt}`);
}

/** Request the result again with occlusion maps, and insert them into the page, which is otherwise unchanged. */
async function explain(form) {
  const places = [...main.querySelectorAll(".explanation")];
  const body = sentBody ?? new FormData(form); // the form of a sample has its name
  body.set("explain", "1");
  const answer = await post(form.action, body, "Computing the occlusion map …");
  if (!answer) return;
  if (answer.aborted) return announce("Cancelled");
  const explanations = [...(answer.page?.querySelectorAll(".explanation") ?? [])];
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

/** Analyze the photo of the result, or the one under way, again with the options as they are now. */
function analyzeAgain(form) {
  const [body, source] = [new FormData(form), pendingBody ?? sentBody];
  for (const name of ["file", "sample"]) {
    body.delete(name);
    if (source.has(name)) body.set(name, source.get(name));
  }
  analyze(form, body);
}

function refuse(file) {
  const detail = `${file.name} is not a photo that can be read: JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP and TIFF are. It was not sent.`;
  showProblem(document.getElementById("photo-form"), clientProblem("Not a photo", detail));
}

/** Analyze a photo from the phone's share sheet, which the service worker kept. */
async function takeUpShared() {
  const { takeShared } = await import("./shared-photo.js");
  const file = await takeShared();
  if (file) choosePhoto(file);
  else showProblem(document.getElementById("photo-form"), clientProblem("No photo", "The shared photo could not be kept. Choose it here."));
}

/** Let the scripted form take the place of the one that works without: a photo is sent once it is chosen. */
function enhanceForm() {
  const form = document.getElementById("photo-form");
  if (!form || form.matches(".scripted")) return;
  form.classList.add("scripted");
  const button = form.querySelector("[type=submit]");
  button.type = "button";
  button.textContent = button.dataset.choose;
  button.classList.add("choose");
  form.querySelector("#file").tabIndex = -1; // the button opens its dialog
}

/** Take a photo with the camera. */
async function takePhoto(button) {
  try {
    const { openCamera } = await import("./camera.js");
    await openCamera(choosePhoto);
  } catch {
    button.textContent = "No camera, or it was not allowed";
    button.disabled = true;
  }
}

function enhance() {
  for (const element of main.querySelectorAll("[data-js]")) element.hidden = false;
  enhanceForm();
  const camera = document.getElementById("camera");
  if (camera) camera.hidden = !navigator.mediaDevices?.getUserMedia;
  prepareResult();
  showDevice();
  limitOptions();
}

/** Only the server makes occlusion maps. Without its photo, after a reload or from a phone's share sheet, a result cannot be changed. */
function limitOptions() {
  const isFixed = !sentBody && document.getElementById("headline") !== null;
  for (const option of main.querySelectorAll(".options input")) option.disabled = isFixed || (option.id === "explain" && isOnDevice());
  for (const form of main.querySelectorAll(".explain-form")) form.hidden = isOnDevice() || !(sentBody || form.elements.sample);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("#photo-form, .samples")) {
    event.preventDefault();
    const body = new FormData(form, event.submitter);
    if (form.matches(".samples")) for (const { name, value } of document.querySelectorAll(".options input:checked")) body.set(name, value);
    analyze(form, body);
  } else if (form.matches(".explain-form")) {
    event.preventDefault();
    explain(form);
  } else if (form.matches(".feedback")) {
    event.preventDefault();
    sendFeedback(form, event.submitter, announce);
  }
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.matches("[data-cancel]")) cancel();
  if (button?.id === "camera") takePhoto(button);
  if (button?.matches(".choose")) {
    const input = document.getElementById("file");
    input.value = ""; // or choosing the same photo again would be no change
    input.click();
  }
});
document.addEventListener("change", (event) => {
  if ((pendingBody ?? sentBody) && event.target.matches(".options input")) analyzeAgain(event.target.form);
});
acceptPhotos((file) => {
  announce(`${file.name} chosen`);
  const form = document.getElementById("photo-form");
  analyze(form, new FormData(form));
}, refuse);
listenToResults(announce);
let wasOnDevice = false;
document.addEventListener("device", () => {
  if (isOnDevice() && !wasOnDevice) cancel(); // or the photo would still be sent
  wasOnDevice = isOnDevice();
  limitOptions();
  if (isOnDevice()) import("./device-photo.js").then(({ prepare }) => prepare()).catch(() => {}); // the network may be gone later
});

/** Take up a result of the history. */
function onRestored(body) {
  cancel();
  const form = document.getElementById("photo-form");
  sentBody = body;
  if (!body && form.dataset.sample) {
    sentBody = new FormData();
    sentBody.set("sample", form.dataset.sample);
  }
  if (body?.get("file") instanceof File) keepPhoto(body.get("file"));
  enhance();
}

if (!document.getElementById("photo-form") || !restoreResults(showPage, onRestored)) enhance();
if (document.getElementById("on-device")) prepareDevice();
if (location.search === "?shared") takeUpShared();
