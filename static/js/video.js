// The page /video: a film opened in the browser, its frames read one after the other, a timeline at the end.

import { Unplayable, closeFilm, openFilm } from "./film.js";
import { Reader, Trouble } from "./frames.js";
import { clock, emotionsOf, loadStyle } from "./look.js";
import { People } from "./people.js";
import { readings } from "./reading.js";
import { Record, download, stamp } from "./record.js";
import { Replay } from "./replay.js";
import { fillShares, tellShares } from "./shares.js";
import { Stage } from "./stage.js";
import { readOnServer } from "./upload.js";

const TELL_EVERY = 400; // milliseconds between changes of charts and numbers
const MOST_PEOPLE = 8; // charts; the table has everybody

const at = (id) => document.getElementById(id);
const root = at("film");
const video = at("source");

let style, stage, people, replay, file = null;
let film = null; // what is being read or was: {record, duration, step, partial, played, size, stop}

function setState(state) {
  root.dataset.state = state;
  at("welcome").hidden = state !== "idle" && state !== "opening";
  at("refusal").hidden = state !== "refused";
  at("ready").hidden = state !== "ready";
  at("working").hidden = state !== "reading";
  at("done").hidden = at("shares").hidden = state !== "done";
  at("picture").hidden = state !== "reading" || !film?.played;
  at("overlay").hidden = state !== "done" || !film.played;
  video.controls = state === "done" && film.played;
}

function note(text) {
  at("note").textContent = text;
  at("note").hidden = !text;
}

function say(text) {
  document.getElementById("status").textContent = text;
}

function refuse(title, detail, sendable = false) {
  note("");
  setState("refused");
  const heading = at("refusal").querySelector("h2");
  heading.textContent = title;
  at("refusal").querySelector("p").textContent = detail;
  at("send").hidden = !sendable;
  heading.focus();
  say(`${title}. ${detail}`);
}

/** The time since `began`, in words. */
function lasted(began) {
  const seconds = (performance.now() - began) / 1000;
  return seconds < 60 ? `${seconds.toFixed(1)} seconds` : `${clock(seconds)} minutes`;
}

const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;

/** A film was chosen or dropped. */
async function choose(chosen) {
  film?.stop.abort();
  [file, film] = [chosen, null];
  people?.clear();
  at("nobody").hidden = false;
  setState("opening");
  note("Opening the video …");
  try {
    style ??= await loadStyle();
  } catch {
    return refuse("This page could not be loaded whole", "The server did not answer. Try again in a moment.");
  }
  stage ??= new Stage(at("picture"), style);
  people ??= new People(at("people"), style, MOST_PEOPLE);
  replay ??= new Replay(video, at("overlay"), style, mark);
  replay.show(null);
  try {
    const duration = await openFilm(video, file);
    if (file !== chosen) return;
    at("stage").style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
    note("");
    setState("ready");
    at("read").dataset.duration = duration;
    at("read").focus();
    say(`${file.name}, ${clock(duration)} long, can be read`);
  } catch (error) {
    if (file !== chosen) return;
    closeFilm(video);
    offerServer(error);
  }
}

function offerServer(error) {
  if (!(error instanceof Unplayable)) throw error;
  const title = "This browser cannot play the file";
  const most = Number(root.dataset.maxBytes);
  if (file.size > most) {
    const sizes = `takes at most ${megabytes(most)}, and this file has ${megabytes(file.size)}`;
    return refuse(title, `The server could try, but ${sizes}. Save it as MP4 (H.264) or WebM, and choose that.`);
  }
  refuse(title, `The server may be able to read it. The whole file (${megabytes(file.size)}) would then be uploaded, read in memory and forgotten.`, true);
}

function begin(duration, played) {
  const step = 1 / Number(at("fps").value);
  const size = played ? { width: video.videoWidth, height: video.videoHeight } : null;
  film = { record: new Record(emotionsOf(style)), duration, step, partial: true, played, size, began: performance.now(), told: 0, stop: new AbortController() };
  people.clear();
  replay.show(null);
  setState("reading");
  at("cancel").focus();
  return film;
}

/** Read the film here, frame by frame. */
async function read() {
  const mine = begin(Number(at("read").dataset.duration), true);
  const { signal } = mine.stop;
  const reader = new Reader((trouble, wait) => note(`${trouble.title}: ${trouble.detail} Trying again in ${Math.ceil(wait)} s.`));
  try {
    for await (const { time, answer, canvas, share } of readings(video, { ...mine, reader, signal })) {
      mine.size = { width: answer.width, height: answer.height };
      take(mine, time, answer.faces, answer.model, share);
      stage.show(canvas, answer.faces, { bars: true, numbered: true });
    }
    mine.partial = false;
  } catch (error) {
    const where = `after ${clock(mine.record.frames.at(-1)?.time ?? 0)}`;
    if (!signal.aborted) mine.ending = error instanceof Unplayable ? `The browser could not play on ${where}.` : `It stopped ${where}: ${error.message}.`;
  }
  finish(mine);
}

/** Let the server read the film that this browser cannot play. */
async function send() {
  const mine = begin(0, false);
  note("Sending the video …");
  try {
    for await (const line of readOnServer(file, 1 / mine.step, mine.stop.signal)) {
      if (line.summary) {
        Object.assign(mine, { duration: line.summary.duration, partial: line.summary.partial, ending: line.summary.detail });
        mine.record.model = line.summary.model ?? null;
      } else if (line.faces) {
        mine.duration = Math.max(mine.duration, line.time);
        take(mine, line.time, line.faces, null, null);
      }
    }
  } catch (error) {
    if (mine !== film) return;
    if (error instanceof Trouble) return refuse(error.title, error.detail);
    if (!mine.stop.signal.aborted) mine.ending = "The answer broke off.";
  }
  finish(mine);
}

/** Add the faces of a frame and show them, charts and numbers at a pace that can be read. */
function take(mine, time, faces, model, share) {
  mine.record.add(time, faces, model);
  people.add(time, faces);
  note("");
  const moment = performance.now();
  if (moment - mine.told < TELL_EVERY && share !== 1) return;
  mine.told = moment;
  at("nobody").hidden = people.size > 0;
  const left = share ? ((moment - mine.began) / share) * (1 - share) / 1000 : 0;
  at("progress").toggleAttribute("value", share !== null);
  if (share !== null) at("progress").value = share;
  at("left").textContent = share === null ? `Read up to ${clock(time)}` : `${clock(time)} of ${clock(mine.duration)}, about ${clock(left + 0.5)} left`;
  people.tell();
  draw();
}

function draw(marker = null) {
  people.draw({ from: 0, to: Math.max(film.duration, film.step), gap: film.step * 2.5, marker });
}

/** A moment of the film is shown again: mark it in the charts. */
function mark(seconds) {
  if (film && root.dataset.state === "done") draw(seconds);
}

function finish(mine) {
  if (mine !== film) return; // another film was chosen
  if (!mine.record.length) {
    if (mine.played) return setState("ready");
    return refuse("Nothing was read", mine.ending ?? "It was cancelled before the first frame.");
  }
  const { people: everybody, frames } = mine.record.summary();
  showLongest(mine, everybody);
  fillShares(at("rows"), everybody, style);
  const ending = mine.partial ? ` ${mine.ending ?? "It was cancelled: this is what was read until then."}` : "";
  at("told").textContent = `${frames} frames read in ${lasted(mine.began)}. ${tellShares(everybody.slice(0, MOST_PEOPLE))}${ending}`;
  note(mine.played ? "" : "Read by the server: this browser cannot show the video.");
  setState("done");
  if (mine.played) replay.show(mine.record.frames, mine.size, mine.step);
  else draw();
  at("people-title").focus();
  say(at("told").textContent);
}

/** Charts of those who are seen longest, in order of appearance. */
function showLongest({ record }, everybody) {
  const longest = new Set([...everybody].sort((a, b) => b.frames - a.frames).slice(0, MOST_PEOPLE).map((person) => person.id));
  people.clear();
  for (const { time, faces } of record.frames) people.add(time, faces.filter((face) => longest.has(face.id)));
  people.tellRange(everybody);
  for (const { canvas, chart } of people.charts()) {
    if (!film.played) continue;
    canvas.classList.add("seekable");
    canvas.addEventListener("click", (event) => { video.currentTime = chart.timeAt(event.offsetX); });
  }
}

function another() {
  film?.stop.abort();
  [film, file] = [null, null];
  replay?.show(null);
  people?.clear();
  closeFilm(video);
  at("nobody").hidden = false;
  at("stage").style.aspectRatio = "";
  at("movie").value = "";
  note("");
  setState("idle");
  at("movie").focus();
}

const summed = () => ({ partial: film.partial, duration: film.duration });
at("without-script").remove();
at("movie").addEventListener("change", () => { if (at("movie").files[0]) choose(at("movie").files[0]); });
at("read").addEventListener("click", read);
at("send").addEventListener("click", send);
at("cancel").addEventListener("click", () => film.stop.abort());
at("more").addEventListener("click", () => {
  const { played } = film;
  film = null;
  if (played) setState("ready");
  else offerServer(new Unplayable());
});
at("csv").addEventListener("click", () => download(film.record.csv(), `film-${stamp()}.csv`, "text/csv"));
at("json").addEventListener("click", () => download(film.record.json(summed()), `film-${stamp()}.json`, "application/json"));
for (const button of root.querySelectorAll("[data-another]")) button.addEventListener("click", another);
new ResizeObserver(() => { if (film) draw(root.dataset.state === "done" && film.played ? video.currentTime : null); }).observe(at("people"));
document.addEventListener("dragover", (event) => {
  if (event.dataTransfer.types.includes("Files")) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const dropped = [...event.dataTransfer.files][0];
  if (dropped && root.dataset.state !== "reading") choose(dropped);
});
window.addEventListener("pagehide", () => film?.stop.abort());
