// Frames of the camera and of videos, analyzed in this browser or by the server, as the switch says.

import { FrameClient, sleep } from "./frames.js";
import { deviceClient, isOnDevice } from "./on-device.js";

const WAIT = 1; // seconds after a failure

/** As FrameClient, with the library of this browser in place of the server. */
class DeviceFrameClient {
  constructor(onError, tracks) {
    this.onError = onError;
    this.tracks = tracks;
  }

  /** See FrameClient.analyze. */
  async analyze(grabber, time, signal, landmarks = false) {
    const start = performance.now();
    try {
      const client = await deviceClient();
      const frame = await createImageBitmap(grabber.canvas);
      const response = await client.analyze(frame, { tracks: this.tracks, time, landmarks }, { signal });
      this.tracks = response.tracks;
      return { response, roundTrip: performance.now() - start };
    } catch (error) {
      signal.throwIfAborted();
      this.onError({ title: "Not analyzed", detail: `${error.message}.` }, WAIT);
      await sleep(1000 * WAIT, signal);
      return null;
    }
  }
}

/** Make a client for frames; `onError(error, seconds)` is called before each wait. `tracks`: those of the client before it. */
export function frameClient(onError, tracks = "") {
  return isOnDevice() ? new DeviceFrameClient(onError, tracks) : new FrameClient(onError, tracks);
}
