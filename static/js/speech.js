// The page for voices: sends the form in the background (sending.js), and puts recordings into it. Without JavaScript the form
// sends a file just the same.

import { startRecording } from "./recorder.js";
import { main, ownProblem, say, send, showProblem } from "./sending.js";

const LONGEST = 120; // seconds of a recording
let recording = null;

function read(form, body) {
  send(form, body, "Reading the voice …", () => {
    enhance();
    say(document.getElementById("answer").textContent);
  });
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
    showProblem(document.getElementById("speech-form"), ownProblem(title, detail));
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
  read(document.getElementById("speech-form"), body);
}

function enhance() {
  const able = navigator.mediaDevices?.getUserMedia && window.MediaRecorder;
  for (const element of main.querySelectorAll("[data-js]")) element.hidden = !able;
  document.getElementById("record")?.addEventListener("click", () => (recording ? stop() : start()));
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches(".speech-form")) return;
  event.preventDefault();
  read(event.target, new FormData(event.target));
});
document.addEventListener("change", (event) => {
  if (event.target.id !== "sound") return;
  document.querySelector("#speech-form > .problem")?.remove();
  say(event.target.files[0] ? `${event.target.files[0].name} chosen` : "No recording chosen");
});
window.addEventListener("pagehide", () => recording?.stop()); // the microphone's light goes out
enhance();
