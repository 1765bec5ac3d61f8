// Page /speech: sends its forms in the background (form.js) and records from the microphone. Files and the sample need no JavaScript.

import { announce, cancel, clientProblem, main, send, showPage, showProblem } from "./form.js";
import { restoreResults } from "./history.js";
import { startRecording } from "./recorder.js";

const MAX_SECONDS = 120; // seconds of a recording
let recording = null;

/** Turn the microphone off without sending what was recorded, as where another recording is sent or the page changes. */
function abandon() {
  const current = recording;
  recording = null;
  current?.stop();
  if (current) showRecording(false);
}

function analyze(form, body) {
  abandon();
  send(form, body, "Analyzing the recording …", () => {
    enhance();
    announce(document.getElementById("headline").textContent);
  });
}

function showLevel(seconds, level) {
  document.getElementById("elapsed").textContent = `${Math.floor(seconds)} s`;
  document.getElementById("level").value = level;
  if (seconds >= MAX_SECONDS) stop();
}

function showRecording(on) {
  document.getElementById("speech-form").classList.toggle("recording", on);
  document.getElementById("level-line").hidden = !on;
  document.getElementById("record-label").textContent = on ? "Stop and analyze" : "Record your voice";
}

async function start() {
  const button = document.getElementById("record");
  const hadFocus = document.activeElement === button;
  button.disabled = true;
  try {
    recording = await startRecording(showLevel);
    showRecording(true);
    announce("Recording");
  } catch (error) {
    const denied = error.name === "NotAllowedError" || error.name === "SecurityError";
    const [title, detail] = denied
      ? ["The microphone was not allowed", "Allow it in the browser's address bar and press again, or choose a recording below."]
      : ["No microphone", "The browser found no usable microphone. Choose a recording below."];
    showProblem(document.getElementById("speech-form"), clientProblem(title, detail));
  }
  button.disabled = false;
  if (hadFocus && [document.body, button].includes(document.activeElement)) button.focus(); // lost while the button was disabled
}

async function stop() {
  if (!recording) return;
  const current = recording;
  recording = null;
  showRecording(false);
  const file = await current.stop();
  const body = new FormData();
  body.set("file", file);
  analyze(document.getElementById("speech-form"), body);
}

function enhance() {
  const canRecord = navigator.mediaDevices?.getUserMedia && window.MediaRecorder;
  for (const element of main.querySelectorAll("[data-js]")) element.hidden = !canRecord;
  document.getElementById("record")?.addEventListener("click", () => (recording ? stop() : start()));
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches(".speech-form, .speech-sample")) return;
  event.preventDefault();
  analyze(event.target, new FormData(event.target, event.submitter));
});
document.addEventListener("change", (event) => {
  if (event.target.id !== "sound") return;
  document.querySelector("#speech-form > .problem")?.remove();
  announce(event.target.files[0] ? `${event.target.files[0].name} chosen` : "No recording chosen");
});
window.addEventListener("pagehide", abandon);
const show = (title, nodes) => {
  abandon();
  cancel();
  showPage(title, nodes);
};
if (!restoreResults(show, enhance)) enhance();
