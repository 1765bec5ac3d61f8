// The page for voices: sends the form in the background and shows the page that comes back, and puts recordings into it. Without
// JavaScript the form sends a file just the same.

import { startRecording } from "./recorder.js";

const LONGEST = 120; // seconds of a recording
const main = document.getElementById("main");
const status = document.getElementById("status");
let recording = null;

function say(text) {
  status.textContent = text;
}

function problem(title, detail) {
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

/** Show `section` at the head of the form, which keeps the chosen file. */
function showProblem(section) {
  const form = document.getElementById("speech-form");
  form.querySelectorAll(".problem").forEach((old) => old.remove());
  form.prepend(section);
  const title = section.querySelector("h1");
  title.focus();
  say(title.textContent);
}

function setBusy(busy) {
  main.classList.toggle("busy", busy);
  main.setAttribute("aria-busy", String(busy));
  for (const button of main.querySelectorAll("button")) button.disabled = busy;
}

async function send(form, body) {
  const file = body.get("file");
  const limit = Number(form.dataset.maxBytes);
  if (file.size > limit) {
    const detail = `This file has ${Math.ceil(file.size / 2 ** 20)} MB; the limit is ${Math.floor(limit / 2 ** 20)} MB. It was not sent.`;
    return showProblem(problem("File too large", detail));
  }
  setBusy(true);
  say("Reading the voice …");
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    setBusy(false);
    if (page.getElementById("answer")) return showPage(page);
    const told = page.getElementById("problem");
    showProblem(told ?? problem("Something went wrong", `The server answered with status ${response.status}. Try again in a moment.`));
  } catch {
    setBusy(false);
    showProblem(problem("No answer", "The server could not be reached. Check the connection and try again."));
  }
}

function showPage(page) {
  document.title = page.title;
  main.replaceChildren(...page.getElementById("main").childNodes);
  enhance();
  const answer = document.getElementById("answer");
  answer.focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
  say(answer.textContent);
}

function showTime(seconds, loudness) {
  document.getElementById("elapsed").textContent = `${Math.floor(seconds)} s`;
  document.getElementById("level").value = loudness;
  if (seconds >= LONGEST) stop();
}

function showRecording(on) {
  document.getElementById("speech-form").classList.toggle("recording", on);
  document.getElementById("level-line").hidden = !on;
  document.getElementById("record-label").textContent = on ? "Stop and read" : "Record your voice";
}

async function start() {
  const button = document.getElementById("record");
  button.disabled = true;
  try {
    recording = await startRecording(showTime);
    showRecording(true);
    say("Recording");
  } catch (error) {
    const denied = error.name === "NotAllowedError" || error.name === "SecurityError";
    const [title, detail] = denied
      ? ["The microphone was not allowed", "Allow it in the browser's address bar and press again, or choose a recording below."]
      : ["No microphone", "The browser found none that it can use. Choose a recording below."];
    showProblem(problem(title, detail));
  }
  button.disabled = false;
}

async function stop() {
  if (!recording) return;
  const current = recording;
  recording = null;
  showRecording(false);
  const file = await current.stop();
  const body = new FormData();
  body.set("file", file);
  send(document.getElementById("speech-form"), body);
}

function enhance() {
  const able = navigator.mediaDevices?.getUserMedia && window.MediaRecorder;
  for (const element of main.querySelectorAll("[data-js]")) element.hidden = !able;
  document.getElementById("record")?.addEventListener("click", () => (recording ? stop() : start()));
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches(".speech-form")) return;
  event.preventDefault();
  send(event.target, new FormData(event.target));
});
document.addEventListener("change", (event) => {
  if (event.target.id !== "sound") return;
  document.querySelector("#speech-form > .problem")?.remove();
  say(event.target.files[0] ? `${event.target.files[0].name} chosen` : "No recording chosen");
});
window.addEventListener("pagehide", () => recording?.stop()); // the microphone's light goes out
enhance();
