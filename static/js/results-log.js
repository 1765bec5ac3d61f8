// Results of all frames, kept in the page only: CSV and JSON with the server's columns and fields, and a summary for each person.

const MAX_ROWS = 100_000; // rows of a face in a frame; beyond, every second frame is dropped to bound the memory of the page
const BOX = ["left", "top", "width", "height"];
const OMITTED = ["landmarks", "explanation"]; // they would make the log many times larger

const round = (value, digits) => Number(value.toFixed(digits));

export class ResultsLog {
  frames = []; // {time, faces}
  model = null;
  people = null; // of the server's summary, which counts the seconds of each frame, see setPeople; null where this page counts
  #emotions;
  #people = new Map(); // track id -> sums over all frames, logged or dropped
  #rows = 0;
  #count = 0;
  #stride = 1;

  constructor(emotions) {
    this.#emotions = emotions;
  }

  /** Number of frames added, logged or dropped. */
  get length() {
    return this.#count;
  }

  /** One in `stride` frames is logged. */
  get stride() {
    return this.#stride;
  }

  /** Add the faces of the frame at `time` seconds. */
  add(time, faces, model = this.model) {
    this.model = model;
    for (const face of faces) this.#addToSummary(time, face);
    if (this.#count++ % this.#stride) return;
    this.frames.push({ time: round(time, 3), faces: faces.map(withoutOmitted) });
    this.#rows += Math.max(1, faces.length);
    if (this.#rows > MAX_ROWS) this.#thin();
  }

  /** Take over the people of the server's summary: faces of all tracks of a person get the person's id. */
  setPeople(people) {
    this.people = people;
    const ids = new Map(people.flatMap((person) => person.ids.map((id) => [id, person.id])));
    for (const { faces } of this.frames) for (const face of faces) setId(face, ids.get(face.id) ?? face.id);
  }

  #addToSummary(time, face) {
    let person = this.#people.get(face.id);
    if (!person) {
      const zeros = () => Object.fromEntries(this.#emotions.map((name) => [name, 0]));
      this.#people.set(face.id, (person = { first: time, last: time, frames: 0, predictions: zeros(), sums: zeros() }));
    }
    person.last = time;
    person.frames += 1;
    if (face.emotion) person.predictions[face.emotion] += 1;
    for (const name of this.#emotions) person.sums[name] += face.probabilities[name];
  }

  #thin() {
    this.#stride *= 2;
    this.frames = this.frames.filter((_, index) => index % 2 === 0);
    this.#rows = this.frames.reduce((sum, frame) => sum + Math.max(1, frame.faces.length), 0);
  }

  /** Return the summary as in the last line of POST /api/v1/video. `partial`: not the whole video; `duration`: its seconds. */
  summary({ partial = false, duration = this.#span() } = {}) {
    const people = this.people ?? [...this.#people].sort(([a], [b]) => a - b).map(([id, person]) => {
      const mean = (sums) => Object.fromEntries(this.#emotions.map((name) => [name, round(sums[name] / person.frames, 4)]));
      const { first, last, frames } = person;
      return { id, number: id + 1, first: round(first, 3), last: round(last, 3), frames, shares: mean(person.predictions), mean: mean(person.sums) };
    });
    return { duration: round(duration, 3), frames: this.#count, partial, people };
  }

  #span() {
    return this.frames.length ? this.frames.at(-1).time - this.frames[0].time : 0;
  }

  json(options) {
    return JSON.stringify({ model: this.model, frames: this.frames, summary: this.summary(options) });
  }

  csv() {
    const head = ["time", "id", ...BOX, "emotion", "confidence", ...this.#emotions, "unsure", "number"];
    const empty = head.slice(1).fill("");
    const row = (time, face) => [time, face.id, ...BOX.map((name) => face.box[name]), face.emotion ?? "", face.confidence,
      ...this.#emotions.map((name) => face.probabilities[name]), face.unsure ?? "", face.number];
    const rows = this.frames.flatMap(({ time, faces }) => (faces.length ? faces.map((face) => row(time, face)) : [[time, ...empty]]));
    return [...[head, ...rows].map((cells) => cells.join(",")), ""].join("\r\n"); // RFC 4180; no value contains a comma or a quote
  }
}

const setId = (face, id) => Object.assign(face, { id, number: id + 1 });

const withoutOmitted = (face) => Object.fromEntries(Object.entries(face).filter(([name]) => !OMITTED.includes(name)));

/** Download `content` (text or Blob) as a file. */
export function download(content, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // only after the download has started
}

export const timestamp = () => new Date().toISOString().slice(0, 19).replaceAll(":", "-");
