// What was read, kept in the page alone: as CSV and JSON with the server's columns and fields, and summed up for each person.

const MOST_ROWS = 100_000; // readings of a face; beyond, every second frame is kept: the page must not grow without bound
const BOX = ["left", "top", "width", "height"];
const NOT_KEPT = ["landmarks", "explanation"]; // pictures and points, which would make the record many times as long

const round = (value, digits) => Number(value.toFixed(digits));

export class Record {
  frames = []; // {time, faces}
  model = null;
  #emotions;
  #people = new Map(); // id -> what the summary needs, counted over all frames, kept or not
  #rows = 0;
  #seen = 0;
  #every = 1;

  constructor(emotions) {
    this.#emotions = emotions;
  }

  /** Frames read, whether kept or not. */
  get length() {
    return this.#seen;
  }

  /** Of how many frames one is kept. */
  get every() {
    return this.#every;
  }

  /** Add the faces of the frame at `time` seconds. */
  add(time, faces, model = this.model) {
    this.model = model;
    for (const face of faces) this.#count(time, face);
    if (this.#seen++ % this.#every) return;
    this.frames.push({ time: round(time, 3), faces: faces.map(kept) });
    this.#rows += Math.max(1, faces.length);
    if (this.#rows > MOST_ROWS) this.#thin();
  }

  #count(time, face) {
    let person = this.#people.get(face.id);
    if (!person) {
      const zeros = () => Object.fromEntries(this.#emotions.map((name) => [name, 0]));
      this.#people.set(face.id, (person = { first: time, last: time, frames: 0, answers: zeros(), sums: zeros() }));
    }
    person.last = time;
    person.frames += 1;
    if (face.emotion) person.answers[face.emotion] += 1;
    for (const name of this.#emotions) person.sums[name] += face.probabilities[name];
  }

  #thin() {
    this.#every *= 2;
    this.frames = this.frames.filter((_, index) => index % 2 === 0);
    this.#rows = this.frames.reduce((sum, frame) => sum + Math.max(1, frame.faces.length), 0);
  }

  /** As in the last line of the server's answer to a video. `partial`: the film was left before its end; `duration`: its seconds. */
  summary({ partial = false, duration = this.#span() } = {}) {
    const people = [...this.#people].sort(([a], [b]) => a - b).map(([id, person]) => {
      const mean = (sums) => Object.fromEntries(this.#emotions.map((name) => [name, round(sums[name] / person.frames, 4)]));
      const { first, last, frames } = person;
      return { id, first: round(first, 3), last: round(last, 3), frames, shares: mean(person.answers), mean: mean(person.sums) };
    });
    return { duration: round(duration, 3), frames: this.#seen, partial, people };
  }

  #span() {
    return this.frames.length ? this.frames.at(-1).time - this.frames[0].time : 0;
  }

  json(options) {
    return JSON.stringify({ model: this.model, frames: this.frames, summary: this.summary(options) });
  }

  csv() {
    const head = ["time", "id", ...BOX, "emotion", "confidence", ...this.#emotions, "unsure"];
    const row = (time, face) => [time, face.id, ...BOX.map((name) => face.box[name]), face.emotion ?? "", face.confidence,
      ...this.#emotions.map((name) => face.probabilities[name]), face.unsure ?? ""];
    const rows = this.frames.flatMap(({ time, faces }) => faces.map((face) => row(time, face).join(",")));
    return [head.join(","), ...rows, ""].join("\r\n"); // RFC 4180; no value holds a comma or a quote
  }
}

const kept = (face) => Object.fromEntries(Object.entries(face).filter(([name]) => !NOT_KEPT.includes(name)));

/** Hand `content` (text or Blob) to the visitor as a file. */
export function download(content, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the download must have begun
}

export const stamp = () => new Date().toISOString().slice(0, 19).replaceAll(":", "-");
