// Panel for each tracked person: number, current prediction, and the chart of its probabilities with their current values.

import { StripChart } from "./chart.js";
import { emotionsOf, formatTime, percent, title } from "./style.js";

const UNSURE_REASONS = { turned: "turned far to the side, up or down", small: "few pixels", blurred: "blurred", covered: "covered", low_confidence: "low confidence" };
const SPLICE_SIZE = 64; // samples are dropped in batches: moving an array for each frame is slow

export class TrackPanels {
  #panels = new Map(); // track id -> {element, samples, chart, ...}

  /** Panels are appended to `container`; `limit`: how many are shown at once, those of the largest faces first. */
  constructor(container, style, limit) {
    Object.assign(this, { container, style, limit });
  }

  /** Add a frame's faces at `time` seconds; samples older than `oldest` are dropped. */
  add(time, faces, oldest = -Infinity) {
    for (const [id, panel] of this.#panels) {
      const first = panel.samples.findIndex((sample) => sample.time >= oldest);
      if (first < 0) this.#remove(id);
      else if (first > SPLICE_SIZE) panel.samples.splice(0, first - 1);
    }
    for (const face of faces) {
      const panel = this.#panels.get(face.id) ?? this.#create(face.id);
      panel?.samples.push({ time, probabilities: face.probabilities });
    }
    for (const [id, panel] of this.#panels) panel.face = faces.find((face) => face.id === id) ?? null;
  }

  /** Draw all charts, with the values at the marker, or else of the summary or the last frame; `range`: see StripChart.draw. */
  draw(range) {
    const drawn = [...this.#panels.values()].map((panel) => [panel, panel.chart.draw(panel.samples, range)]);
    for (const [{ face, mean, values }, current] of drawn) { // after all charts: texts change the layout that charts ask for
      showValues(values, (range.marker ?? null) === null ? mean ?? face?.probabilities : current?.probabilities);
    }
  }

  /** Show the current prediction of each person. */
  showCurrent() {
    for (const { face, text, swatch } of this.#panels.values()) {
      swatch.style.backgroundColor = face ? this.style.colours[face.emotion] ?? "" : "";
      text.textContent = face ? `${title(face.emotion)} ${percent(face.confidence)}` : "not in view";
      if (face?.unsure) text.textContent += ` · unsure: ${UNSURE_REASONS[face.unsure] ?? face.unsure}`;
    }
  }

  /** Show the time range and the dominant emotion of each person of a summary; its mean values stand beside the charts. */
  showSummary(people) {
    for (const { id, first, last, shares, mean } of people) {
      const panel = this.#panels.get(id);
      if (!panel) continue;
      panel.mean = mean;
      const [name, share] = Object.entries(shares).reduce((best, next) => (next[1] > best[1] ? next : best));
      panel.swatch.style.backgroundColor = this.style.colours[name];
      panel.text.textContent = `${formatTime(first)} to ${formatTime(last)} · mostly ${title(name)}, ${percent(share)}`;
    }
  }

  clear() {
    for (const id of [...this.#panels.keys()]) this.#remove(id);
  }

  get size() {
    return this.#panels.size;
  }

  /** Return {canvas, chart} of each panel. */
  charts() {
    return [...this.#panels.values()].map(({ canvas, chart }) => ({ canvas, chart }));
  }

  #create(id) {
    if (this.#panels.size >= this.limit) return null;
    const element = document.createElement("section");
    element.className = "track-panel";
    const heading = document.createElement("h3");
    heading.textContent = `Person ${id + 1}`;
    const line = document.createElement("p");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    const text = document.createElement("span");
    line.append(swatch, text);
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Person ${id + 1}: chart of the seven probabilities over time`);
    const { list, values } = this.#createValues();
    const row = document.createElement("div");
    row.className = "strips";
    row.append(list, canvas);
    element.append(heading, line, row);
    element.dataset.person = id;
    this.container.append(element);
    const panel = { element, swatch, text, canvas, values, mean: null, samples: [], chart: new StripChart(canvas, this.style), face: null };
    this.#panels.set(id, panel);
    return panel;
  }

  /** Create the names beside the strips with the places for their values: {list, values}. */
  #createValues() {
    const list = document.createElement("dl");
    list.className = "values";
    const values = new Map();
    for (const name of emotionsOf(this.style)) {
      const [pair, term, value, swatch] = ["div", "dt", "dd", "span"].map((kind) => document.createElement(kind));
      swatch.className = "swatch";
      swatch.style.backgroundColor = this.style.colours[name];
      term.append(swatch, title(name));
      pair.append(term, value);
      list.append(pair);
      values.set(name, value);
    }
    return { list, values };
  }

  #remove(id) {
    this.#panels.get(id).element.remove();
    this.#panels.delete(id);
  }
}

/** Show the probabilities, or dashes where there are none; the largest one stands out. */
function showValues(values, probabilities) {
  const largest = probabilities && Math.max(...Object.values(probabilities));
  for (const [name, element] of values) {
    const text = probabilities ? percent(probabilities[name]) : "–";
    if (element.textContent !== text) element.textContent = text;
    element.parentElement.classList.toggle("largest", Boolean(probabilities) && probabilities[name] === largest);
  }
}
