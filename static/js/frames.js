// Frames on their way to the server: scaled to what the detector needs, sent one at a time, asked again when the server is busy.

const ADDRESS = "/api/v1/image";
const LONGER_SIDE = 640; // the detector itself looks at 192 pixels; the crop of a face gains nothing from more
const QUALITY = 0.8;
const PATIENCE = 30_000; // milliseconds for one answer: a sleeping server takes some seconds to wake
const FIRST_WAIT = 0.5; // seconds after a failure; doubled after each further one, up to LONGEST_WAIT
const LONGEST_WAIT = 30;

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
    const letters = atob(this.canvas.toDataURL("image/jpeg", QUALITY).split(",")[1]);
    const bytes = new Uint8Array(letters.length);
    for (let index = 0; index < bytes.length; index++) bytes[index] = letters.charCodeAt(index); // Uint8Array.from takes 2 ms more
    return new Blob([bytes], { type: "image/jpeg" });
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
  #failures = 0;

  /** `onTrouble(trouble, seconds)`: called before each wait. */
  constructor(onTrouble) {
    this.onTrouble = onTrouble;
  }

  /**
   * The server's answer to a JPEG `frame` of `time` seconds, and the milliseconds it took; null where there is none, after a
   * wait that grows from failure to failure: ask again, with this frame or a newer one. Throws when `signal` aborts.
   */
  async read(frame, time, signal, landmarks = false) {
    const sent = performance.now();
    try {
      const answer = await this.#ask(frame, time, signal, landmarks);
      this.#tracks = answer.tracks;
      this.#failures = 0;
      return { answer, roundTrip: performance.now() - sent };
    } catch (trouble) {
      signal.throwIfAborted();
      if (!(trouble instanceof Trouble)) throw trouble;
      const stale = trouble.status === 400 && this.#tracks; // made by another version of the server: begin anew
      if (stale) this.#tracks = "";
      else await this.#wait(trouble, signal);
      return null;
    }
  }

  async #wait(trouble, signal) {
    const seconds = Math.min(Math.max(trouble.waitSeconds, FIRST_WAIT * 2 ** this.#failures++), LONGEST_WAIT);
    this.onTrouble(trouble, seconds);
    await pause(1000 * seconds, signal);
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
