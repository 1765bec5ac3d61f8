// Frames of the camera and of videos, analyzed in this browser or by the server, as the switch says when each frame is analyzed.

import { FrameClient, sleep } from "./frames.js";
import { deviceClient, isOnDevice } from "./on-device.js";

const WAIT = 1; // seconds after a failure
const MAX_AGE = 500; // milliseconds that a frame may wait for the models: the camera has newer ones

const warm = new WeakSet(); // clients that have analyzed a face: the first one takes seconds, while the models are compiled

/** As FrameClient, with the library of this browser in place of the server. */
class DeviceFrameClient {
  #failures = 0;

  constructor(onError, tracks, attempts) {
    Object.assign(this, { onError, tracks, attempts });
  }

  /** See FrameClient.analyze. */
  async analyze(grabber, time, signal, landmarks = false) {
    const captured = performance.now();
    try {
      const client = await deviceClient(signal);
      const start = performance.now(); // the time of loading is no latency
      if (start - captured > MAX_AGE) return null;
      const frame = await createImageBitmap(grabber.canvas);
      const response = await client.analyze(frame, { tracks: this.tracks, time, landmarks }, { signal });
      const roundTrip = performance.now() - start;
      this.#failures = 0;
      if (response.faces.length && !warm.has(client)) {
        warm.add(client);
        if (roundTrip > MAX_AGE) return null; // people have moved on meanwhile and would get new numbers in the next frame
      }
      this.tracks = response.tracks;
      return { response, roundTrip };
    } catch (error) {
      signal.throwIfAborted();
      if (error.name === "AbortError") return null; // the switch was turned off: the next attempt says why there is no client
      if (error.name === "TrackerStateError" && this.tracks) this.tracks = ""; // of another version, or used up: start new tracks
      else await this.#wait(error, signal);
      return null;
    }
  }

  async #wait(error, signal) {
    if (++this.#failures >= this.attempts) throw error;
    this.onError({ title: "Not analyzed", detail: error.message.replace(/\.?$/, ".") }, WAIT);
    await sleep(1000 * WAIT, signal);
  }
}

/** Hands each frame to the client that the switch asks for; the tracks go on from one to the other. */
class SwitchedFrameClient {
  #client;
  #make;

  constructor(onError, tracks, attempts) {
    this.#make = (state) => (isOnDevice() ? new DeviceFrameClient(onError, state, attempts) : new FrameClient(onError, state));
    this.#client = this.#make(tracks);
  }

  get tracks() {
    return this.#client.tracks;
  }

  get #isStale() {
    return this.#client instanceof DeviceFrameClient !== isOnDevice();
  }

  /** See FrameClient.analyze. Where the switch is turned meanwhile, a request or a wait ends at once, and null is returned. */
  async analyze(grabber, time, signal, landmarks = false) {
    if (this.#isStale) this.#client = this.#make(this.tracks);
    const turned = new AbortController();
    const onTurn = () => { if (this.#isStale) turned.abort(); };
    document.addEventListener("device", onTurn);
    try {
      return await this.#client.analyze(grabber, time, AbortSignal.any([signal, turned.signal]), landmarks);
    } catch (error) {
      signal.throwIfAborted();
      if (turned.signal.aborted) return null;
      throw error;
    } finally {
      document.removeEventListener("device", onTurn);
    }
  }
}

/**
 * Make a client for frames, which follows the switch; `onError(error, seconds)` is called before each wait. `tracks`: state of the tracker
 * to begin with. `attempts`: failures in a row on this device after which analyze() throws; the server is asked until it answers.
 */
export function frameClient(onError, tracks = "", attempts = Infinity) {
  return new SwitchedFrameClient(onError, tracks, attempts);
}
