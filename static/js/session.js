// Camera session from start to stop, and the meter of frame rate and latency.

import { closeCamera, isFrontCamera } from "./webcam.js";

const SMOOTHING = 0.1; // weight of the newest value in the moving averages

export class Session {
  stop = new AbortController();
  paused = false;
  #wake = null;

  constructor(stream) {
    this.stream = stream;
    this.mirrored = isFrontCamera(stream.getVideoTracks()[0]);
  }

  /** True while nothing may be sent: paused, or in a hidden tab. */
  get idle() {
    return this.paused || document.hidden;
  }

  /** Resolve when the session is not idle. */
  ready() {
    return this.idle && !this.stop.signal.aborted ? new Promise((resolve) => { this.#wake = resolve; }) : null;
  }

  /** Call this when `paused` or the visibility of the page changed. */
  update() {
    if (!this.idle || this.stop.signal.aborted) this.#wake?.();
  }

  end() {
    this.stop.abort();
    closeCamera(this.stream);
    this.update();
  }
}

/** Moving averages: `latency`, milliseconds of a round trip, and `frameRate`, responses per second; 0 while unknown. */
export class SpeedMeter {
  latency = 0;
  #interval = 0;
  #last = 0;

  get frameRate() {
    return this.#interval && 1000 / this.#interval;
  }

  add(roundTrip) {
    const now = performance.now();
    const average = (old, value) => (old ? old + SMOOTHING * (value - old) : value);
    this.latency = average(this.latency, roundTrip);
    if (this.#last) this.#interval = average(this.#interval, now - this.#last);
    this.#last = now;
  }

  /** Leave a pause out of the frame rate. */
  skipInterval() {
    this.#last = 0;
  }
}
