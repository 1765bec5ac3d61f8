// Frames on their way to the server: scaled to what the detector needs, sent one at a time, asked again when the server is busy.

const ADDRESS = "/api/v1/image";
const LONGER_SIDE = 640; // the detector itself looks at 192 pixels; the crop of a face gains nothing from more
const QUALITY = 0.8;
const PATIENCE = 30_000; // milliseconds for one answer: a sleeping server takes some seconds to wake
const FIRST_WAIT = 500; // milliseconds before the second try; doubled after each, up to LONGEST_WAIT
const LONGEST_WAIT = 15_000;

/** Takes frames from a <video>; `canvas` holds the last one until the next is taken. */
export class Grabber {
  canvas = document.createElement("canvas");
  #context = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true }); // encoding reads it back each time

  /** Copy the frame that `video` shows, at most LONGER_SIDE pixels long; false where it shows none. */
  take(video) {
    const [width, height] = [video.videoWidth, video.videoHeight];
    if (!width || !height) return false;
    const scale = Math.min(1, LONGER_SIDE / Math.max(width, height));
    const size = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    this.#context.drawImage(video, 0, 0, ...size);
    return true;
  }

  /**
   * The frame as a JPEG. toBlob would be the usual way, but Chromium lets it wait until the page is idle: 17 ms in the median
   * where this takes 2.
   */
  encode() {
    const [, text] = this.canvas.toDataURL("image/jpeg", QUALITY).split(",");
    return new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], { type: "image/jpeg" });
  }
}

/** Why an answer did not come; `status` is 0 where the server could not be reached. */
export class Trouble extends Error {
  constructor(status, title, detail, waitSeconds = 0) {
    super(title);
    Object.assign(this, { status, title, detail, waitSeconds });
  }
}

/** Asks for one frame after the other, and carries what the server's tracker remembers from answer to answer. */
export class Reader {
  #tracks = "";

  /** `onTrouble(trouble, seconds)`: called before each further try. */
  constructor(onTrouble = () => {}) {
    this.onTrouble = onTrouble;
  }

  /** The server's answer to a JPEG `frame` of `time` seconds, and the milliseconds it took; asked until it comes or `signal` aborts. */
  async read(frame, time, signal, landmarks = false) {
    for (let tries = 0; ; tries++) {
      const sent = performance.now();
      try {
        const answer = await this.#ask(frame, time, signal, landmarks);
        this.#tracks = answer.tracks;
        return { answer, roundTrip: performance.now() - sent };
      } catch (trouble) {
        signal.throwIfAborted();
        if (!(trouble instanceof Trouble)) throw trouble;
        if (trouble.status === 400 && this.#tracks) { // made by an older server, mostly: begin anew
          this.#tracks = "";
          continue;
        }
        const seconds = Math.max(trouble.waitSeconds, Math.min(FIRST_WAIT * 2 ** tries, LONGEST_WAIT) / 1000);
        this.onTrouble(trouble, Math.min(seconds, 4 * LONGEST_WAIT / 1000));
        await pause(seconds * 1000, signal);
      }
    }
  }

  async #ask(frame, time, signal, landmarks) {
    const body = new FormData();
    body.set("file", frame, "frame.jpg");
    body.set("tracks", this.#tracks);
    body.set("time", time.toFixed(3));
    if (landmarks) body.set("landmarks", "1");
    let response;
    try {
      response = await fetch(ADDRESS, { method: "POST", body, signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]) });
      if (response.ok) return await response.json();
    } catch {
      throw new Trouble(0, "No answer", "The server could not be reached.");
    }
    throw await troubleOf(response);
  }
}

/** What a response that is no answer says, in the API's own words where it has any. */
export async function troubleOf(response) {
  const problem = await response.json().catch(() => ({}));
  const detail = problem.detail ?? `The server answered with status ${response.status}.`;
  return new Trouble(response.status, problem.title ?? "No answer", detail, Number(response.headers.get("Retry-After")) || 0);
}

/** Wait; rejects at once when `signal` aborts. */
export function pause(milliseconds, signal) {
  return new Promise((done, failed) => {
    const stop = () => {
      clearTimeout(timer);
      failed(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      done();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}
