// Client of POST /api/v1/image for frames: scales and encodes them, carries the tracker state, retries with back-off.

import { apiHeaders } from "./api-token.js";

const ENDPOINT = "/api/v1/image";
const MAX_SIDE = 640; // the detector's input has 192 pixels; face crops gain nothing from more
const QUALITY = 0.8;
const TIMEOUT = 30_000; // milliseconds for a response: a stopped server takes some seconds to start
const MIN_WAIT = 0.5; // seconds after a failure, doubled after each further one up to MAX_WAIT
const MAX_WAIT = 30;

/** Captures frames of a <video>; `canvas` holds the latest one. */
export class FrameGrabber {
  canvas = document.createElement("canvas");
  #context = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true }); // encoding reads it back

  /** Capture the current frame of `video`, scaled to at most MAX_SIDE pixels; false where there is none. */
  capture(video) {
    const [width, height] = [video.videoWidth, video.videoHeight];
    if (!width || !height) return false;
    const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
    const size = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    this.#context.drawImage(video, 0, 0, ...size);
    return true;
  }

  /**
   * Encode the frame as JPEG. toBlob is the usual way, but Chromium defers it until the page is idle: median 17 ms instead of 2.
   */
  encode() {
    const letters = atob(this.canvas.toDataURL("image/jpeg", QUALITY).split(",")[1]);
    const bytes = new Uint8Array(letters.length);
    for (let index = 0; index < bytes.length; index++) bytes[index] = letters.charCodeAt(index); // Uint8Array.from is 2 ms slower
    return new Blob([bytes], { type: "image/jpeg" });
  }
}

/** A failed request; `status` is 0 where the server could not be reached. */
export class RequestError extends Error {
  constructor(status, title, detail, waitSeconds = 0) {
    super(title);
    Object.assign(this, { status, title, detail, waitSeconds });
  }

  /** True where the same request may succeed later. */
  get isTemporary() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Sends frame after frame and carries the tracker state from response to request. */
export class FrameClient {
  #failures = 0;

  /** `onError(error, seconds)`: called before each wait. `tracks`: state of the tracker to begin with. */
  constructor(onError, tracks = "") {
    this.onError = onError;
    this.tracks = tracks;
  }

  /**
   * Analyze the frame that `grabber` holds, of `time` seconds. Returns {response, roundTrip} (milliseconds), or null after a failure and a wait that
   * grows with each failure: try again with this frame or a newer one. Throws when `signal` aborts.
   */
  async analyze(grabber, time, signal, landmarks = false) {
    const start = performance.now();
    try {
      const response = await this.#request(grabber.encode(), time, signal, landmarks);
      this.tracks = response.tracks;
      this.#failures = 0;
      return { response, roundTrip: performance.now() - start };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RequestError)) throw error;
      const stale = error.status === 400 && this.tracks; // written by another version of the server: start new tracks
      if (stale) this.tracks = "";
      else await this.#wait(error, signal);
      return null;
    }
  }

  async #wait(error, signal) {
    const seconds = Math.min(Math.max(error.waitSeconds, MIN_WAIT * 2 ** this.#failures++), MAX_WAIT);
    this.onError(error, seconds);
    await sleep(1000 * seconds, signal);
  }

  async #request(frame, time, signal, landmarks) {
    const body = new FormData();
    body.set("file", frame, "frame.jpg");
    body.set("tracks", this.tracks);
    body.set("time", time.toFixed(3));
    if (landmarks) body.set("landmarks", "1");
    let response;
    try {
      const either = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]);
      response = await fetch(ENDPOINT, { method: "POST", body, headers: apiHeaders(), signal: either });
      if (response.ok) return await response.json();
    } catch {
      throw new RequestError(0, "No response", "The server could not be reached.");
    }
    throw await toRequestError(response);
  }
}

/** Make a RequestError of an error response, with the API's texts where it has any. */
export async function toRequestError(response) {
  const problem = await response.json().catch(() => ({}));
  const detail = problem.detail ?? `The server answered with status ${response.status}.`;
  return new RequestError(response.status, problem.title ?? "No response", detail, Number(response.headers.get("Retry-After")) || 0);
}

/** Wait; rejects when `signal` aborts. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}
