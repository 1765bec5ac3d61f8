// The page /live: camera -> one frame at a time to the server -> the answered frame with its overlay, charts and a record.

import { Grabber, Reader } from "./frames.js";
import { clock, emotionsOf, loadStyle } from "./look.js";
import { describe } from "./overlay.js";
import { People } from "./people.js";
import { Record, download, stamp } from "./record.js";
import { Session, Speed } from "./session.js";
import { Stage } from "./stage.js";
import { FrameWatch, cameras, closeCamera, openCamera, wordsOf } from "./webcam.js";

const WINDOW = 30; // seconds of the chart
const GAP = 1.5; // seconds without an answer that are not joined
const MOST_PEOPLE = 4; // charts at once
const TELL_EVERY = 400; // milliseconds between changes of the numbers, which nobody could read faster
const DRAW_EVERY = matchMedia("(prefers-reduced-motion: reduce)").matches ? 2000 : 100; // milliseconds between steps of the charts
const SPEAK_EVERY = 6000; // milliseconds between sentences for screen readers
const SLOW = 1500; // milliseconds without the first answer after which the server is said to wake

const at = (id) => document.getElementById(id);
const root = at("live");
const video = at("source");

let style, stage, people, record, reader, session = null;
let began = null; // when the record's first frame was taken, in seconds of the page's clock
let faces = [];
let speed = new Speed();

const seconds = () => performance.now() / 1000;
const elapsed = () => seconds() - (began ?? seconds());

function setState(state) {
  root.dataset.state = state;
  at("welcome").hidden = state !== "idle" && state !== "asking";
  at("refusal").hidden = state !== "problem";
  at("controls").hidden = !["running", "paused", "hidden"].includes(state);
  at("start").disabled = state === "asking";
  at("pause").textContent = state === "paused" ? "Go on" : "Pause";
}

function note(text) {
  at("note").textContent = text;
  at("note").hidden = !text;
}

function say(text) {
  document.getElementById("status").textContent = text;
}

function refuse(error) {
  end("problem");
  const [title, detail] = wordsOf(error);
  at("refusal").querySelector("h2").textContent = title;
  at("refusal").querySelector("p").textContent = detail;
  at("refusal").querySelector("h2").focus();
  say(`${title}. ${detail}`);
}

/** Stop the camera; the record stays. */
function end(state = "idle") {
  session?.end();
  session = null;
  video.srcObject = null;
  at("picture").hidden = true;
  note("");
  setState(state);
}

async function start(device = "") {
  end("asking");
  try {
    style ??= await loadStyle();
  } catch {
    return refuse({ name: "style", message: "This page could not be loaded whole: the server did not answer. Try again in a moment." });
  }
  let stream;
  try {
    stream = await openCamera(device);
  } catch (error) {
    return refuse(error);
  }
  if (root.dataset.state !== "asking") return closeCamera(stream); // left in the meantime
  prepare();
  session = new Session(stream);
  stream.getVideoTracks()[0].addEventListener("ended", () => refuse("ended"));
  video.srcObject = stream;
  video.classList.toggle("mirrored", session.mirrored);
  await video.play().catch(() => {}); // refused where the page was left meanwhile
  if (video.videoWidth) at("stage").style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
  setState("running");
  listCameras(stream);
  run(session).catch((error) => { if (error.name !== "AbortError") refuse(error); });
}

/** What is made once the look is known; a second start goes on with the same record and the same people. */
function prepare() {
  if (!stage) {
    stage = new Stage(at("picture"), style);
    people = new People(at("people"), style, MOST_PEOPLE);
    forget();
  }
}

function forget() {
  record = new Record(emotionsOf(style));
  reader = new Reader((trouble, wait) => note(`${trouble.title}: ${trouble.detail} Trying again in ${Math.ceil(wait)} s.`));
  began = null;
  faces = [];
  people.clear();
  speed = new Speed();
  tell();
}

async function listCameras(stream) {
  const found = await cameras();
  const current = stream.getVideoTracks()[0].getSettings().deviceId;
  at("device").replaceChildren(...found.map(({ id, label }) => new Option(label, id, id === current, id === current)));
  at("device").hidden = found.length < 2;
}

/** One frame after the other until the session ends. */
async function run(mine) {
  const { signal } = mine.stop;
  const grabber = new Grabber();
  const frames = new FrameWatch(video, signal);
  const waking = setTimeout(() => { if (session === mine && !at("note").textContent) note("Waking the server …"); }, SLOW);
  signal.addEventListener("abort", () => clearTimeout(waking));
  while (!signal.aborted) {
    await mine.ready();
    await frames.next();
    if (mine.resting || !grabber.take(video)) continue;
    const [time, asked] = [seconds(), reader];
    const read = await asked.read(grabber.encode(), time, signal, at("points").checked);
    if (!read || asked !== reader) continue; // it failed, or the record was begun anew meanwhile
    const { answer, roundTrip } = read;
    clearTimeout(waking);
    speed.add(roundTrip);
    if (!mine.paused) note("");
    at("picture").hidden = false;
    stage.show(grabber.canvas, answer.faces, { mirrored: mine.mirrored, bars: at("bars").checked, numbered: true });
    const { width, height, model, timing_ms: timing } = answer;
    root.dispatchEvent(new CustomEvent("reading", { detail: { time, faces: answer.faces, width, height, model, timing, roundTrip } }));
  }
}

root.addEventListener("reading", ({ detail }) => {
  faces = detail.faces;
  began ??= detail.time;
  const time = detail.time - began;
  record.add(time, faces, detail.model);
  people.add(time, faces, time - WINDOW);
});

/** Numbers, charts and words, each at a pace of its own. */
const last = { told: -Infinity, drawn: -Infinity, spoken: -Infinity };
function tick(moment) {
  requestAnimationFrame(tick);
  if (!session || session.resting) return;
  const due = (name, every) => moment - last[name] >= every && (last[name] = moment);
  if (due("told", TELL_EVERY)) tell();
  if (due("drawn", DRAW_EVERY)) draw();
  if (record.length && due("spoken", SPEAK_EVERY)) {
    stage.name(faces);
    say(describe(faces));
  }
}

function draw() {
  people.draw({ from: Math.max(0, elapsed() - WINDOW), to: Math.max(WINDOW, elapsed()), gap: GAP });
}

function tell() {
  const length = record.length;
  for (const id of ["meters", "keep"]) at(id).hidden = !length;
  at("nobody").hidden = people.size > 0;
  at("rate").textContent = speed.rate ? speed.rate.toFixed(speed.rate < 5 ? 1 : 0) : "–";
  at("trip").textContent = speed.trip ? Math.round(speed.trip) : "–";
  at("count").textContent = `${length} in ${clock(length ? record.frames.at(-1).time : 0)}`;
  if (record.every > 1) at("kept").textContent = `So long a record keeps one of ${record.every} readings, in this page alone: it is gone with it unless you download it.`;
  people.tell();
}

function pauseOrGo() {
  session.paused = !session.paused;
  setState(session.paused ? "paused" : "running");
  note(session.paused ? "Paused: nothing is sent." : "");
  say(session.paused ? "Paused" : "Going on");
  speed.rest();
  session.changed();
}

function snapshot() {
  at("picture").toBlob((blob) => download(blob, `emotions-${stamp()}.jpg`, "image/jpeg"), "image/jpeg", 0.92);
}

at("without-script").remove();
at("start").addEventListener("click", () => start());
at("again").addEventListener("click", () => start());
at("pause").addEventListener("click", pauseOrGo);
at("stop").addEventListener("click", () => { end(); at("start").focus(); say("The camera is off"); });
at("snapshot").addEventListener("click", snapshot);
at("forget").addEventListener("click", forget);
at("device").addEventListener("change", (event) => start(event.target.value));
at("csv").addEventListener("click", () => download(record.csv(), `emotions-${stamp()}.csv`, "text/csv"));
at("json").addEventListener("click", () => download(record.json(), `emotions-${stamp()}.json`, "application/json"));
document.addEventListener("visibilitychange", () => {
  if (!session) return;
  speed.rest();
  if (!session.paused) setState(document.hidden ? "hidden" : "running");
  session.changed();
});
window.addEventListener("pagehide", () => end());
requestAnimationFrame(tick);
