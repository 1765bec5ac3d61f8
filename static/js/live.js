// Page /live: analyzes one camera frame at a time, on the server or in this browser; shows the analyzed frame with its overlay, charts and a results log.

import { FrameCanvas } from "./canvas.js";
import { frameClient } from "./device-frames.js";
import { FrameGrabber } from "./frames.js";
import { isOnDevice } from "./on-device.js";
import { describe } from "./overlay.js";
import { ResultsLog, download, timestamp } from "./results-log.js";
import { Session, SpeedMeter } from "./session.js";
import { emotionsOf, formatTime, loadStyle } from "./style.js";
import { TrackPanels } from "./track-panels.js";
import { FrameWatch, cameraErrorText, cameraPermission, cameras, closeCamera, openCamera, otherCamera } from "./webcam.js";

const CHART_SECONDS = 30; // seconds of the charts
const MAX_GAP = 1.5; // seconds without a result after which the chart is interrupted
const MAX_PANELS = 4; // charts shown at once
const TEXT_INTERVAL = 400; // milliseconds between updates of texts
const DRAW_INTERVAL = matchMedia("(prefers-reduced-motion: reduce)").matches ? 2000 : 100; // milliseconds between updates of charts
const ANNOUNCE_INTERVAL = 6000; // milliseconds between announcements to screen readers
const FIRST_ANNOUNCEMENT = 2000; // milliseconds until the first of them: "The camera is on" is read before it
const SLOW_START = 1500; // milliseconds without a first response after which the page says what it waits for

const at = (id) => document.getElementById(id);
const root = at("live");
const video = at("source");

let style, frameCanvas, panels, log, client, session = null;
let shown = null; // {frame, faces, mirrored} of the canvas; null once the frame's pixels are replaced by those of the next one
let startTime = null; // capture time of the first frame, in seconds of performance.now()
let faces = [];
let meter = new SpeedMeter();
let slowStart; // timer of SLOW_START

const seconds = () => performance.now() / 1000;
const elapsed = () => seconds() - (startTime ?? seconds());

function setState(state) {
  root.dataset.state = state;
  at("start-panel").hidden = state !== "idle" && state !== "requesting";
  at("error-panel").hidden = state !== "error";
  at("controls").hidden = !["running", "paused", "hidden"].includes(state);
  at("start").disabled = state === "requesting";
  at("pause").textContent = state === "paused" ? "Resume" : "Pause";
}

function showNote(text) {
  at("note").textContent = text;
  at("note").hidden = !text;
}

function announce(text) {
  document.getElementById("status").textContent = text;
}

async function showError(error) {
  end("error");
  const [title, detail] = cameraErrorText(error, await cameraPermission());
  if (root.dataset.state !== "error") return; // started again in the meantime
  at("error-panel").querySelector("h2").textContent = title;
  at("error-panel").querySelector("p").textContent = detail;
  at("error-panel").querySelector("h2").focus();
  announce(`${title}. ${detail}`);
}

/** Stop the camera; the log is kept. */
function end(state = "idle") {
  session?.end();
  session = shown = null;
  clearTimeout(slowStart);
  video.srcObject = null;
  at("frame").hidden = true;
  at("viewer").style.aspectRatio = "";
  showNote("");
  setState(state);
}

/** Start the camera that `which` names, see openCamera. */
async function start(which = {}) {
  const pressed = document.activeElement; // it is hidden or disabled while the camera opens
  end("requesting");
  try {
    style ??= await loadStyle();
  } catch {
    return showError({ name: "style", message: "The page could not be loaded completely: the server did not respond. Try again in a moment." });
  }
  let stream;
  try {
    stream = await openCamera(which);
  } catch (error) {
    return showError(error);
  }
  if (root.dataset.state !== "requesting") return closeCamera(stream); // stopped in the meantime
  prepare();
  session = new Session(stream);
  stream.getVideoTracks()[0].addEventListener("ended", () => showError("ended"));
  video.srcObject = stream;
  video.classList.toggle("mirrored", session.mirrored);
  await video.play().catch(() => {}); // rejected if the page was left in the meantime
  if (video.videoWidth) at("viewer").style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
  setState("running");
  if ([document.body, pressed].includes(document.activeElement)) (at("controls").contains(pressed) ? pressed : at("pause")).focus();
  announce("The camera is on");
  last.announcement = performance.now() + FIRST_ANNOUNCEMENT - ANNOUNCE_INTERVAL;
  listCameras(stream);
  run(session).catch((error) => { if (error.name !== "AbortError") showError(error); });
}

/** Create what needs the style; a second start continues the same log and panels. */
function prepare() {
  if (!frameCanvas) {
    frameCanvas = new FrameCanvas(at("frame"), style);
    panels = new TrackPanels(at("track-panels"), style, MAX_PANELS);
    reset();
  }
}

const showFailure = (error, wait) => showNote(`${error.title}: ${error.detail} Trying again in ${Math.ceil(wait)} s.`);

function reset() {
  log = new ResultsLog(emotionsOf(style));
  client = frameClient(showFailure);
  startTime = null;
  faces = [];
  panels.clear();
  meter = new SpeedMeter();
  updateTexts();
}

async function listCameras(stream) {
  const devices = await cameras();
  const currentDevice = stream.getVideoTracks()[0].getSettings().deviceId;
  at("device").replaceChildren(...devices.map(({ id, label }) => new Option(label, id, id === currentDevice, id === currentDevice)));
  at("device").hidden = devices.length < 2;
  at("switch").hidden = devices.length < 2 && !matchMedia("(pointer: coarse)").matches; // a phone may list its rear camera later
}

async function switchCamera() {
  if (session) start(otherCamera(session.stream.getVideoTracks()[0], await cameras()));
}

/** Say what the page waits for where the first response, of the server or of this browser, takes long. */
function awaitFirst() {
  clearTimeout(slowStart);
  const say = () => { if (!at("note").textContent) showNote(isOnDevice() ? "Loading the models …" : "Starting the server …"); };
  slowStart = setTimeout(say, SLOW_START);
}

/** The switch was turned, or its models are ready: what the note said of the other way no longer holds. */
function onDevice() {
  if (!session || session.paused) return;
  showNote("");
  awaitFirst();
}

/** Analyze frame after frame until the session ends. */
async function run(current) {
  const { signal } = current.stop;
  const grabber = new FrameGrabber();
  const frames = new FrameWatch(video, signal);
  awaitFirst();
  while (!signal.aborted) {
    await current.ready();
    await frames.next();
    if (current.idle || !grabber.capture(video)) continue;
    shown = null;
    const [time, usedClient] = [seconds(), client];
    const result = await usedClient.analyze(grabber, time, signal, at("landmarks").checked);
    if (!result || usedClient !== client) continue; // failed, or reset in the meantime
    const { response, roundTrip } = result;
    clearTimeout(slowStart);
    meter.add(roundTrip);
    if (!current.paused) showNote("");
    at("frame").hidden = false;
    shown = { frame: grabber.canvas, faces: response.faces, mirrored: current.mirrored };
    drawFrame();
    const { width, height, model, timing_ms: timing } = response;
    root.dispatchEvent(new CustomEvent("result", { detail: { time, faces: response.faces, width, height, model, timing, roundTrip } }));
  }
}

/** Draw the analyzed frame, again where a switch has changed while the camera is paused. */
function drawFrame() {
  if (shown) frameCanvas.show(shown.frame, shown.faces, { mirrored: shown.mirrored, bars: at("bars").checked });
}

root.addEventListener("result", ({ detail }) => {
  faces = detail.faces;
  startTime ??= detail.time;
  const time = detail.time - startTime;
  log.add(time, faces, detail.model);
  panels.add(time, faces, time - CHART_SECONDS);
});

/** Update texts, charts and announcements, each at its own interval. */
const last = { texts: -Infinity, charts: -Infinity, announcement: -Infinity };
function tick(now) {
  requestAnimationFrame(tick);
  if (!session || session.idle) return;
  const due = (name, interval) => now - last[name] >= interval && (last[name] = now);
  if (due("texts", TEXT_INTERVAL)) updateTexts();
  if (due("charts", DRAW_INTERVAL)) drawCharts();
  if (log.length && due("announcement", ANNOUNCE_INTERVAL)) {
    frameCanvas.setLabel(faces);
    announce(describe(faces));
  }
}

function drawCharts() {
  panels.draw({ from: Math.max(0, elapsed() - CHART_SECONDS), to: Math.max(CHART_SECONDS, elapsed()), gap: MAX_GAP });
}

function updateTexts() {
  const length = log.length;
  for (const id of ["metrics", "downloads"]) at(id).hidden = !length;
  at("no-faces").hidden = panels.size > 0;
  at("frame-rate").textContent = meter.frameRate ? meter.frameRate.toFixed(meter.frameRate < 5 ? 1 : 0) : "–";
  at("latency").textContent = meter.latency ? Math.round(meter.latency) : "–";
  at("count").textContent = `${length} in ${formatTime(length ? log.frames.at(-1).time : 0)}`;
  if (log.stride > 1) at("log-note").textContent = `This long log keeps one in ${log.stride} frames, in this page only; download it before you close the page.`;
  panels.showCurrent();
}

function togglePause() {
  session.paused = !session.paused;
  setState(session.paused ? "paused" : "running");
  showNote(session.paused ? "Paused: nothing is sent." : "");
  announce(session.paused ? "Paused" : "Resumed");
  meter.skipInterval();
  session.update();
}

function snapshot() {
  at("frame").toBlob((blob) => download(blob, `emotions-${timestamp()}.jpg`, "image/jpeg"), "image/jpeg", 0.92);
}

at("without-script").remove();
at("start").addEventListener("click", () => start());
at("retry").addEventListener("click", () => start());
at("pause").addEventListener("click", togglePause);
at("stop").addEventListener("click", () => { end(); at("start").focus(); announce("The camera is off"); });
at("snapshot").addEventListener("click", snapshot);
at("reset").addEventListener("click", () => {
  reset();
  at(session ? "pause" : at("error-panel").hidden ? "start" : "retry").focus(); // the button is hidden until there are results
  announce("The results were removed");
});
at("device").addEventListener("change", (event) => start({ device: event.target.value }));
at("switch").addEventListener("click", switchCamera);
document.addEventListener("device", onDevice);
at("bars").addEventListener("change", drawFrame);
at("csv").addEventListener("click", () => download(log.csv(), `emotions-${timestamp()}.csv`, "text/csv"));
at("json").addEventListener("click", () => download(log.json(), `emotions-${timestamp()}.json`, "application/json"));
document.addEventListener("visibilitychange", () => {
  if (!session) return;
  meter.skipInterval();
  if (!session.paused) setState(document.hidden ? "hidden" : "running");
  session.update();
});
window.addEventListener("pagehide", () => end());
requestAnimationFrame(tick);
