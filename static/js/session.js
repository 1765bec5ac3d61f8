// One use of the camera, from start to stop, and how fast its answers come.

import { closeCamera, facesVisitor } from "./webcam.js";

const SMOOTHING = 0.1; // share of the newest value in those that are shown

export class Session {
  stop = new AbortController();
  paused = false;
  #wake = null;

  constructor(stream) {
    this.stream = stream;
    this.mirrored = facesVisitor(stream.getVideoTracks()[0]);
  }

  /** Nothing may be sent: paused, or on a page that nobody sees. */
  get resting() {
    return this.paused || document.hidden;
  }

  /** Resolves at once, or when the session rests no more. */
  ready() {
    return this.resting && !this.stop.signal.aborted ? new Promise((done) => { this.#wake = done; }) : null;
  }

  /** To be called when pause or visibility changed. */
  changed() {
    if (!this.resting || this.stop.signal.aborted) this.#wake?.();
  }

  end() {
    this.stop.abort();
    closeCamera(this.stream);
    this.changed();
  }
}

/** Smoothed: `trip`, milliseconds of a round trip, and `rate`, answers a second; 0 while unknown. */
export class Speed {
  trip = 0;
  #gap = 0;
  #last = 0;

  get rate() {
    return this.#gap && 1000 / this.#gap;
  }

  add(roundTrip) {
    const moment = performance.now();
    const mix = (old, value) => (old ? old + SMOOTHING * (value - old) : value);
    this.trip = mix(this.trip, roundTrip);
    if (this.#last) this.#gap = mix(this.#gap, moment - this.#last);
    this.#last = moment;
  }

  /** A pause begins: it is no slow answer. */
  rest() {
    this.#last = 0;
  }
}
