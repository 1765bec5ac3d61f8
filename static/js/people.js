// A block for each followed face: who, what is read now, and the chart of its probabilities.

import { BandChart } from "./chart.js";
import { clock, percent, title } from "./look.js";

const DOUBTS = { turned: "turned far to the side", small: "few pixels", blurred: "blurred", low_confidence: "no emotion stands out" };

export class People {
  #people = new Map(); // id -> {element, samples, chart, ...}

  /** Blocks go into `place`; `most`: how many are shown at once, the largest faces first served. */
  constructor(place, style, most) {
    Object.assign(this, { place, style, most });
  }

  /** Add a frame's faces at `time` seconds; what lies before `oldest` is dropped. */
  add(time, faces, oldest = -Infinity) {
    for (const [id, person] of this.#people) {
      const first = person.samples.findIndex((sample) => sample.time >= oldest);
      if (first < 0) this.#remove(id);
      else if (first > 64) person.samples.splice(0, first - 1); // in lots: moving an array for each frame is waste
    }
    for (const face of faces) {
      const person = this.#people.get(face.id) ?? this.#create(face.id);
      person?.samples.push({ time, probabilities: face.probabilities });
    }
    for (const [id, person] of this.#people) person.face = faces.find((face) => face.id === id) ?? null;
  }

  /** Draw all charts; `range` as BandChart.draw takes it. */
  draw(range) {
    for (const { chart, samples } of this.#people.values()) chart.draw(samples, range);
  }

  /** Write what is read now. */
  tell() {
    for (const { face, now, swatch } of this.#people.values()) {
      swatch.style.backgroundColor = face ? this.style.colours[face.emotion] ?? "" : "";
      now.textContent = face ? `${title(face.emotion)} ${percent(face.confidence)}` : "not in view";
      if (face?.unsure) now.textContent += ` · unsure: ${DOUBTS[face.unsure] ?? face.unsure}`;
    }
  }

  /** Write from when to when each person of a summary was seen, and what they showed most. */
  tellRange(summed) {
    for (const { id, first, last, shares } of summed) {
      const person = this.#people.get(id);
      if (!person) continue;
      const [name, share] = Object.entries(shares).reduce((best, next) => (next[1] > best[1] ? next : best));
      person.swatch.style.backgroundColor = this.style.colours[name];
      person.now.textContent = `${clock(first)} to ${clock(last)} · mostly ${title(name)}, ${percent(share)}`;
    }
  }

  clear() {
    for (const id of [...this.#people.keys()]) this.#remove(id);
  }

  get size() {
    return this.#people.size;
  }

  /** Every canvas with the chart on it, for who wants to listen to its pointer. */
  charts() {
    return [...this.#people.values()].map(({ canvas, chart }) => ({ canvas, chart }));
  }

  #create(id) {
    if (this.#people.size >= this.most) return null;
    const element = document.createElement("section");
    element.className = "person";
    const heading = document.createElement("h3");
    heading.textContent = `Person ${id + 1}`;
    const line = document.createElement("p");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    const now = document.createElement("span");
    line.append(swatch, now);
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Person ${id + 1}: chart of the seven probabilities over time`);
    element.append(heading, line, canvas);
    element.dataset.person = id;
    this.place.append(element);
    const person = { element, swatch, now, canvas, samples: [], chart: new BandChart(canvas, this.style), face: null };
    this.#people.set(id, person);
    return person;
  }

  #remove(id) {
    this.#people.get(id).element.remove();
    this.#people.delete(id);
  }
}
