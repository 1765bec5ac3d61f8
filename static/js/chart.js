// Stacked band chart of the seven probabilities over time; they sum to 1 and fill the height. Gaps are times without a detection.

import { FONT } from "./overlay.js";
import { bandsOf, formatTime, title } from "./style.js";

const GUTTER = 78; // pixels at the right for the labels of the bands
const AXIS = 20; // pixels below for the time axis
const LABEL_HEIGHT = 13;
const MIN_LABELLED = 0.08; // thinner bands get no label
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

export class BandChart {
  #canvas;
  #style;
  #bandOrder;

  constructor(canvas, style) {
    this.#canvas = canvas;
    this.#style = style;
    this.#bandOrder = bandsOf(style);
  }

  /** Return the time in seconds at `x`, pixels from the left of the canvas. */
  timeAt(x) {
    const { from, to, width } = this.drawn;
    return Math.min(Math.max(from + (x / width) * (to - from), from), to);
  }

  /**
   * Draw `samples` ({time, probabilities}, in order) of the seconds `from` to `to`. Samples more than `gap` seconds apart are not
   * joined. `marker`: a time to mark, whose bands are labelled at the right; without it the newest bands are labelled where they end.
   */
  draw(samples, { from, to, gap, marker = null }) {
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [this.#canvas.clientWidth, this.#canvas.clientHeight];
    if (!wide || !high) return;
    const size = [Math.round(wide * ratio), Math.round(high * ratio)];
    if (this.#canvas.width !== size[0] || this.#canvas.height !== size[1]) [this.#canvas.width, this.#canvas.height] = size;
    const context = this.#canvas.getContext("2d");
    const colours = getComputedStyle(this.#canvas);
    const [ground, edge, faint] = ["--track", "--card", "--muted"].map((name) => colours.getPropertyValue(name));
    const palette = { ink: colours.color, ground, edge, faint };
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, wide, high);
    const [width, height] = [wide - GUTTER, high - AXIS];
    this.drawn = { from, to, width };
    const x = (time) => ((time - from) / (to - from)) * width;
    context.fillStyle = palette.ground;
    context.fillRect(0, 0, width, height);
    context.save();
    context.beginPath();
    context.rect(0, 0, width, height);
    context.clip();
    const { shown, every } = thinned(samples, from, to, width);
    for (const run of splitRuns(shown, gap * every)) this.#bands(context, run, x, height, palette);
    context.restore();
    this.#times(context, from, to, x, height, palette);
    const current = marker === null ? samples.at(-1) : nearest(samples, marker, gap);
    if (marker !== null) this.#mark(context, x(marker), height, palette);
    if (current && current.time >= from) this.#labels(context, current, marker === null ? x(current.time) : width, height, palette);
  }

  #bands(context, run, x, height, palette) {
    const bottoms = run.map(() => 0);
    const alone = run.length === 1 ? 1.5 : 0; // a single sample is drawn as a thin column
    for (const name of this.#bandOrder) {
      const tops = run.map((sample, index) => bottoms[index] + sample.probabilities[name]);
      const place = (index, share, shift) => [x(run[index].time) + shift, height * (1 - Math.min(share, 1))];
      context.beginPath();
      run.forEach((_, index) => context.lineTo(...place(index, tops[index], -alone)));
      if (alone) context.lineTo(...place(0, tops[0], alone));
      for (let index = run.length - 1; index >= 0; index--) context.lineTo(...place(index, bottoms[index], alone));
      if (alone) context.lineTo(...place(0, bottoms[0], -alone));
      context.closePath();
      context.fillStyle = this.#style.colours[name];
      context.fill();
      tops.forEach((value, index) => { bottoms[index] = value; });
      if (alone) continue;
      context.beginPath();
      run.forEach((_, index) => context.lineTo(...place(index, tops[index], 0)));
      context.strokeStyle = palette.edge;
      context.lineWidth = 1;
      context.stroke();
    }
  }

  #times(context, from, to, x, height, palette) {
    const step = TICKS.find((seconds) => (to - from) / seconds <= Math.max(2, this.drawn.width / 70)) ?? TICKS.at(-1);
    context.font = `12px ${FONT}`;
    context.fillStyle = palette.faint;
    context.textBaseline = "middle";
    for (let time = Math.max(0, Math.ceil(from / step) * step); time <= to; time += step) {
      const text = formatTime(time);
      const half = context.measureText(text).width / 2;
      context.fillRect(Math.round(x(time)), height, 1, 4);
      context.fillText(text, Math.min(Math.max(x(time) - half, 0), this.drawn.width - half), height + AXIS - 7);
    }
  }

  #mark(context, x, height, palette) {
    context.fillStyle = palette.ink;
    context.fillRect(Math.min(Math.max(Math.round(x) - 1, 0), this.drawn.width - 2), 0, 2, height + 4);
  }

  /** Label the bands, moving labels apart where they would overlap. */
  #labels(context, sample, left, height, palette) {
    let bottom = 0;
    const places = [];
    for (const name of this.#bandOrder) {
      const share = sample.probabilities[name];
      if (share >= MIN_LABELLED) places.push({ name, y: height * (1 - bottom - share / 2) });
      bottom += share;
    }
    let limit = height - LABEL_HEIGHT / 2;
    for (const place of places) limit = (place.y = Math.min(place.y, limit)) - LABEL_HEIGHT;
    limit = LABEL_HEIGHT / 2;
    for (const place of places.reverse()) limit = (place.y = Math.max(place.y, limit)) + LABEL_HEIGHT;
    context.font = `12.5px ${FONT}`;
    context.textBaseline = "middle";
    for (const { name, y } of places) {
      context.fillStyle = this.#style.colours[name];
      context.fillRect(left + 4, y - 5, 4, 10);
      context.fillStyle = palette.ink;
      context.fillText(title(name), left + 13, y);
    }
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
