// Chart of the seven probabilities over time: a strip for each emotion, so that they can be distinguished without color. Gaps are
// times without a detection. The names and values beside the strips are text of the page (track-panels.js).

import { FONT } from "./overlay.js";
import { emotionsOf, formatTime } from "./style.js";

const AXIS = 20; // pixels below the strips for the time axis
const PADDING = 3; // pixels between a strip and the next
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

export class StripChart {
  #canvas;
  #style;
  #emotions;

  constructor(canvas, style) {
    this.#canvas = canvas;
    this.#style = style;
    this.#emotions = emotionsOf(style);
  }

  /** Return the time in seconds at `x`, pixels from the left of the canvas. */
  timeAt(x) {
    const { from, to, width } = this.drawn;
    return Math.min(Math.max(from + (x / width) * (to - from), from), to);
  }

  /**
   * Draw `samples` ({time, probabilities}, in order) of the seconds `from` to `to`. Samples more than `gap` seconds apart are not
   * joined. `marker`: a time to mark. Returns the sample at the marker, without one the newest; undefined where there is none.
   */
  draw(samples, { from, to, gap, marker = null }) {
    const current = marker === null ? samples.at(-1) : nearest(samples, marker, gap);
    const [width, high] = [this.#canvas.clientWidth, this.#canvas.clientHeight];
    if (!width || !high) return current;
    const context = this.#prepare(width, high);
    const colors = getComputedStyle(this.#canvas);
    const [ground, faint] = ["--track", "--muted"].map((name) => colors.getPropertyValue(name));
    const height = high - AXIS;
    this.drawn = { from, to, width };
    const x = (time) => ((time - from) / (to - from)) * width;
    const { shown, every } = thinned(samples, from, to, width);
    const runs = splitRuns(shown, gap * every);
    this.#emotions.forEach((name, index) => {
      const row = height / this.#emotions.length;
      const strip = { name, top: index * row + PADDING / 2, bottom: (index + 1) * row - PADDING / 2 };
      context.fillStyle = ground;
      context.fillRect(0, strip.top, width, strip.bottom - strip.top);
      for (const run of runs) this.#area(context, run, x, strip, colors.color);
    });
    this.#times(context, from, to, x, height, faint);
    if (marker !== null) this.#mark(context, x(marker), height, colors.color);
    return current;
  }

  #prepare(width, height) {
    const ratio = window.devicePixelRatio || 1;
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.#canvas.width !== size[0] || this.#canvas.height !== size[1]) [this.#canvas.width, this.#canvas.height] = size;
    const context = this.#canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  /** Draw the probability of an emotion: a filled area under a thin line in the color of text, which contrasts with every ground. */
  #area(context, run, x, { name, top, bottom }, ink) {
    const alone = run.length === 1 ? 1.5 : 0; // a single sample is drawn as a thin column
    const y = (sample) => bottom - Math.min(sample.probabilities[name], 1) * (bottom - top - 1);
    const line = () => {
      context.lineTo(x(run[0].time) - alone, y(run[0]));
      for (const sample of run) context.lineTo(x(sample.time), y(sample));
      context.lineTo(x(run.at(-1).time) + alone, y(run.at(-1)));
    };
    context.beginPath();
    context.moveTo(x(run[0].time) - alone, bottom);
    line();
    context.lineTo(x(run.at(-1).time) + alone, bottom);
    context.fillStyle = this.#style.colours[name];
    context.fill();
    context.beginPath();
    line();
    context.strokeStyle = ink;
    context.lineWidth = 1;
    context.stroke();
  }

  #times(context, from, to, x, height, color) {
    const step = TICKS.find((seconds) => (to - from) / seconds <= Math.max(2, this.drawn.width / 70)) ?? TICKS.at(-1);
    context.font = `12px ${FONT}`;
    context.fillStyle = color;
    context.textBaseline = "middle";
    for (let time = Math.max(0, Math.ceil(from / step) * step); time <= to; time += step) {
      const text = formatTime(time);
      const wide = context.measureText(text).width;
      context.fillRect(Math.min(Math.round(x(time)), this.drawn.width - 1), height, 1, 4);
      context.fillText(text, Math.min(Math.max(x(time) - wide / 2, 0), this.drawn.width - wide), height + AXIS - 7);
    }
  }

  #mark(context, x, height, color) {
    context.fillStyle = color;
    context.fillRect(Math.min(Math.max(Math.round(x) - 1, 0), this.drawn.width - 2), 0, 2, height + 4);
  }
}

/** Return the samples between `from` and `to` and the one before, thinned to at most two per pixel. */
function thinned(samples, from, to, width) {
  let start = samples.findIndex((sample) => sample.time >= from);
  if (start < 0) return { shown: [], every: 1 };
  const shown = samples.slice(Math.max(0, start - 1));
  const every = Math.max(1, Math.ceil(shown.length / Math.max(1, 2 * width)));
  return { shown: shown.filter((_, index) => index % every === 0), every };
}

/** Split samples into runs without a gap. */
function splitRuns(samples, gap) {
  const found = [];
  let last = null;
  for (const sample of samples) {
    if (last === null || sample.time - last > gap) found.push([]);
    found.at(-1).push(sample);
    last = sample.time;
  }
  return found;
}

/** Return the sample nearest to `time`, undefined where it is more than `gap` seconds away. */
export function nearest(samples, time, gap) {
  let [low, high] = [0, samples.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (samples[middle].time < time) low = middle + 1;
    else high = middle;
  }
  const found = [samples[low - 1], samples[low]].filter(Boolean).sort((a, b) => Math.abs(a.time - time) - Math.abs(b.time - time))[0];
  return found && Math.abs(found.time - time) <= gap ? found : undefined;
}
