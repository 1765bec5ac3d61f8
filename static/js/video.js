// Page /video: plays a video file, analyzes its frames one after the other, and shows a timeline and a summary. What the browser cannot
// play, the server reads; it makes the annotated video of it on request.

import { FrameCanvas } from "./canvas.js";
import { frameClient } from "./device-frames.js";
import { analyzedFrames } from "./frame-loop.js";
import { RequestError } from "./frames.js";
import { Replay } from "./replay.js";
import { ResultsLog, download } from "./results-log.js";
import { hasServer } from "./site.js";
import { emotionsOf, formatTime, loadStyle } from "./style.js";
import { describeSummary, fillSummary } from "./summary-table.js";
import { elapsedText, megabytes, stemOf } from "./texts.js";
import { TrackPanels } from "./track-panels.js";
import { analyzeOnServer, annotateOnServer } from "./upload.js";
import { UnplayableError, closeVideo, openVideo } from "./video-player.js";

const UPDATE_INTERVAL = 400; // milliseconds between updates of charts and texts
const MAX_PANELS = 8; // charts; the table has everybody
const ATTEMPTS = 3; // with a frame that this browser cannot analyze

const at = (id) => document.getElementById(id);
const root = at("video");
const video = at("source");

let style, frameCanvas, panels, replay, file = null;
let job = null; // current or finished analysis: {log, duration, step, partial, played, size, stop, annotated, ...}

/** True where the viewer plays the analyzed video: as the browser plays it, or as the server annotated it. */
const isPlaying = () => Boolean(job && (job.played || job.playsAnnotated));

function setState(state) {
  root.dataset.state = state;
  at("start-panel").hidden = state !== "idle" && state !== "opening";
  at("error-panel").hidden = state !== "error";
  at("ready").hidden = state !== "ready";
  at("progress-row").hidden = state !== "analyzing" && state !== "annotating";
  at("done").hidden = state !== "done";
  at("summary").hidden = state !== "done" && state !== "annotating";
  at("annotate").hidden = at("annotate-hint").hidden = !job || job.played || Boolean(job.annotated);
  at("save").hidden = !job?.annotated;
  at("frame").hidden = state !== "analyzing" || !job?.played;
  at("overlay").hidden = state !== "done" || !job.played;
  video.controls = state === "done" && isPlaying();
}

function showNote(text) {
  at("note").textContent = text;
  at("note").hidden = !text;
}

function announce(text) {
  document.getElementById("status").textContent = text;
}

function showError(title, detail, sendable = false) {
  showNote("");
  setState("error");
  const heading = at("error-panel").querySelector("h2");
  heading.textContent = title;
  at("error-panel").querySelector("p").textContent = detail;
  at("send").hidden = !sendable;
  heading.focus();
  announce(`${title}. ${detail}`);
}

/** Open a chosen or dropped file. */
async function choose(chosen) {
  job?.stop.abort();
  [file, job] = [chosen, null];
  at("viewer").style.aspectRatio = "";
  panels?.clear();
  at("no-faces").hidden = false;
  setState("opening");
  showNote("Opening the video …");
  try {
    style ??= await loadStyle();
  } catch {
    return showError("The page could not be loaded completely", "The server did not respond. Try again in a moment.");
  }
  frameCanvas ??= new FrameCanvas(at("frame"), style);
  panels ??= new TrackPanels(at("track-panels"), style, MAX_PANELS);
  replay ??= new Replay(video, at("overlay"), style, markTime);
  replay.show(null);
  try {
    const duration = await openVideo(video, file);
    if (file !== chosen) return;
    at("viewer").style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
    showNote("");
    setState("ready");
    at("analyze").dataset.duration = duration;
    at("analyze").focus();
    announce(`${file.name}, ${formatTime(duration)} long, is ready`);
  } catch (error) {
    if (file !== chosen) return;
    closeVideo(video);
    offerUpload(error);
  }
}

function offerUpload(error) {
  if (!(error instanceof UnplayableError)) throw error;
  const title = "This browser cannot play the file";
  const limit = Number(root.dataset.maxBytes);
  if (!hasServer) return showError(title, "Save it as MP4 (H.264) or WebM, and choose that.");
  if (file.size > limit) {
    const sizes = `accepts at most ${megabytes(limit)}, and this file has ${megabytes(file.size)}`;
    return showError(title, `The server could try, but ${sizes}. Save it as MP4 (H.264) or WebM, and choose that.`);
  }
  showError(title, `The server may be able to read it. The whole file (${megabytes(file.size)}) would be uploaded, processed in memory and not stored.`, true);
}

function startJob(duration, played) {
  const step = 1 / Number(at("fps").value);
  const size = played ? { width: video.videoWidth, height: video.videoHeight } : null;
  const log = new ResultsLog(emotionsOf(style));
  job = { log, duration, step, partial: true, played, size, start: performance.now(), updated: 0, stop: new AbortController() };
  panels.clear();
  replay.show(null);
  showNote("");
  setState("analyzing");
  at("cancel").focus();
  return job;
}

/** Analyze the video that this browser plays, frame by frame. */
async function analyze() {
  const current = startJob(Number(at("analyze").dataset.duration), true);
  const { signal } = current.stop;
  const showFailure = (error, wait) => showNote(`${error.title}: ${error.detail} Trying again in ${Math.ceil(wait)} s.`);
  const client = frameClient(showFailure, "", ATTEMPTS);
  try {
    for await (const { time, response, canvas, share } of analyzedFrames(video, { ...current, client, signal })) {
      current.size = { width: response.width, height: response.height };
      addFrame(current, time, response.faces, response.model, share);
      frameCanvas.show(canvas, response.faces, { bars: true });
    }
    current.partial = false;
  } catch (error) {
    const where = `after ${formatTime(current.log.frames.at(-1)?.time ?? 0)}`;
    if (!signal.aborted) current.ending = error instanceof UnplayableError ? `The browser could not play on ${where}.` : `It stopped ${where}: ${error.message.replace(/\.?$/, ".")}`;
  }
  finish(current);
}

/** Upload the video that this browser cannot play, and analyze it on the server. */
async function upload() {
  const current = startJob(0, false);
  showNote("Sending the video …");
  try {
    for await (const line of analyzeOnServer(file, 1 / current.step, current.stop.signal)) {
      if (line.summary) {
        Object.assign(current, { duration: line.summary.duration, partial: line.summary.partial, ending: line.summary.detail });
        current.log.model = line.summary.model ?? null;
        current.log.setPeople(line.summary.people);
      } else if (line.faces) {
        current.duration = Math.max(current.duration, line.time);
        addFrame(current, line.time, line.faces, null, null);
      }
    }
  } catch (error) {
    if (current !== job) return;
    if (error instanceof RequestError) return showError(error.title, error.detail, error.isTemporary);
    current.sendable = true;
    if (!current.stop.signal.aborted) current.ending = "The response ended early.";
  }
  finish(current);
}

/** Have the server make the annotated video of what it has analyzed. */
async function annotate() {
  const current = job;
  current.stop = new AbortController();
  const start = performance.now();
  const tell = () => { at("time-left").textContent = `Making the video: ${formatTime((performance.now() - start) / 1000)}`; };
  setState("annotating");
  at("progress").removeAttribute("value");
  tell();
  const timer = setInterval(tell, 1000);
  at("cancel").focus();
  announce("Making the annotated video");
  let outcome = "";
  try {
    const { video: made, partial } = await annotateOnServer(file, 1 / current.step, current.stop.signal);
    if (current !== job) return;
    current.annotated = made;
    outcome = partial ? "The annotated video is ready; it ends early, as the analysis did." : "The annotated video is ready.";
    outcome += await playAnnotated(current);
  } catch (error) {
    if (current !== job) return;
    outcome = current.stop.signal.aborted ? "Cancelled: there is no annotated video." : `There is no annotated video. ${error.detail ?? error.message}`;
  } finally {
    clearInterval(timer);
  }
  if (current !== job) return;
  setState("done");
  showNote(current.playsAnnotated ? "" : outcome);
  announce(outcome);
  at(current.annotated ? "save" : "annotate").focus();
}

/** Show the annotated video in the viewer. Returns what to add to the announcement. */
async function playAnnotated(current) {
  try {
    await openVideo(video, current.annotated);
  } catch (error) {
    if (!(error instanceof UnplayableError)) throw error;
    closeVideo(video);
    return " This browser cannot play it; download it.";
  }
  current.playsAnnotated = true;
  at("viewer").style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
  makeSeekable();
  drawCharts(0);
  return "";
}

/** Add the faces of a frame; charts and texts are updated every UPDATE_INTERVAL. */
function addFrame(current, time, faces, model, share) {
  current.log.add(time, faces, model);
  panels.add(time, faces);
  showNote("");
  const now = performance.now();
  if (now - current.updated < UPDATE_INTERVAL && share !== 1) return;
  current.updated = now;
  at("no-faces").hidden = panels.size > 0;
  const left = share ? ((now - current.start) / share) * (1 - share) / 1000 : 0;
  at("progress").toggleAttribute("value", share !== null);
  if (share !== null) at("progress").value = share;
  at("time-left").textContent = share === null ? `Analyzed up to ${formatTime(time)}` : `${formatTime(time)} of ${formatTime(current.duration)}, about ${formatTime(left + 0.5)} left`;
  panels.showCurrent();
  drawCharts();
}

function drawCharts(marker = null) {
  panels.draw({ from: 0, to: Math.max(job.duration, job.step), gap: job.step * 2.5, marker });
}

/** Mark the time that the player shows in the charts. */
function markTime(seconds) {
  if (job && root.dataset.state === "done") drawCharts(seconds);
}

function finish(current) {
  if (current !== job) return; // another video was chosen
  if (!current.log.length) {
    const reason = current.ending ?? "It was cancelled before the first frame.";
    return current.played ? offerAnalysis(reason) : showError("Nothing was analyzed", reason, current.sendable);
  }
  const { people, frames } = current.log.summary();
  showLongestTracks(current, people);
  fillSummary(at("rows"), people, style);
  const ending = current.partial ? ` ${current.ending ?? "It was cancelled: these are the results so far."}` : "";
  at("summary-text").textContent = `${frames} frames analyzed in ${elapsedText(current.start)}. ${describeSummary(people.slice(0, MAX_PANELS))}${ending}`;
  showNote(current.played ? "" : "Analyzed on the server: this browser cannot show the video, but the annotated one.");
  setState("done");
  if (current.played) replay.show(current.log.frames, current.size, current.step);
  else drawCharts();
  at("timeline-title").focus();
  announce(at("summary-text").textContent);
}

/** Show charts of the people with the most frames, in order of appearance. */
function showLongestTracks({ log }, people) {
  const longest = new Set([...people].sort((a, b) => b.frames - a.frames).slice(0, MAX_PANELS).map((person) => person.id));
  panels.clear();
  for (const { time, faces } of log.frames) panels.add(time, faces.filter((face) => longest.has(face.id)));
  panels.showSummary(people);
  if (job.played) makeSeekable();
}

/** Let a click on a chart show its time in the viewer. */
function makeSeekable() {
  for (const { canvas, chart } of panels.charts()) {
    canvas.classList.add("seekable");
    canvas.addEventListener("click", (event) => { video.currentTime = chart.timeAt(event.offsetX); });
  }
}

/** Open the sample video and analyze it at once. */
async function trySample() {
  const { url } = at("sample").dataset;
  const before = file;
  at("sample").disabled = true;
  showNote("Loading the sample …");
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(response.status);
    const sample = await response.blob();
    if (file !== before) return; // another video was chosen meanwhile
    await choose(new File([sample], "sample.mp4", { type: "video/mp4" }));
    if (root.dataset.state === "ready") analyze();
  } catch {
    if (file === before) showError("The sample could not be loaded", "The server could not be reached. Check the connection and try again.");
  } finally {
    at("sample").disabled = false;
  }
}

function chooseAnother() {
  job?.stop.abort();
  [job, file] = [null, null];
  replay?.show(null);
  panels?.clear();
  closeVideo(video);
  at("no-faces").hidden = false;
  at("viewer").style.aspectRatio = "";
  at("video-file").value = "";
  showNote("");
  setState("idle");
  at("video-file").focus();
}

/** Let the visitor analyze the open video again; `text`: why nothing was analyzed. */
function offerAnalysis(text = "") {
  setState("ready");
  showNote(text);
  announce(text);
  at("analyze").focus();
}

function analyzeAgain() {
  const { played } = job;
  job = null;
  if (played) return offerAnalysis();
  closeVideo(video); // that of the server
  at("viewer").style.aspectRatio = "";
  offerUpload(new UnplayableError());
}

const summaryOptions = () => ({ partial: job.partial, duration: job.duration });
at("without-script").remove();
at("video-file").addEventListener("change", () => { if (at("video-file").files[0]) choose(at("video-file").files[0]); });
at("analyze").addEventListener("click", analyze);
at("send").addEventListener("click", upload);
at("sample").addEventListener("click", trySample);
at("annotate").addEventListener("click", annotate);
at("save").addEventListener("click", () => download(job.annotated, `${stemOf(file.name)}-annotated.mp4`, "video/mp4"));
for (const name of ["seeked", "timeupdate"]) video.addEventListener(name, () => { if (job?.playsAnnotated) markTime(video.currentTime); });
at("cancel").addEventListener("click", () => job.stop.abort());
at("analyze-again").addEventListener("click", analyzeAgain);
at("csv").addEventListener("click", () => download(job.log.csv(), `${stemOf(file.name)}-emotions.csv`, "text/csv"));
at("json").addEventListener("click", () => download(job.log.json(summaryOptions()), `${stemOf(file.name)}-emotions.json`, "application/json"));
for (const button of root.querySelectorAll("[data-choose-another]")) button.addEventListener("click", chooseAnother);
new ResizeObserver(() => { if (job) drawCharts(root.dataset.state === "done" && isPlaying() ? video.currentTime : null); }).observe(at("track-panels"));
document.addEventListener("dragover", (event) => {
  if (event.dataTransfer.types.includes("Files")) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const dropped = [...event.dataTransfer.files][0];
  if (dropped && !["analyzing", "annotating"].includes(root.dataset.state)) choose(dropped);
});
window.addEventListener("pagehide", () => job?.stop.abort());
