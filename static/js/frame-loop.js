// Analysis of a video frame by frame: while one frame is analyzed, the browser seeks to the next.

import { UnplayableError, seekTo } from "./video-player.js";
import { FrameGrabber } from "./frames.js";

/**
 * Analyze the video in `video`, `duration` seconds long, every `step` seconds with `client`. Yields {time, response, canvas, share} for
 * each frame: seconds, the response, the frame itself (until the next is requested), and the share of the video done so far.
 * Throws UnplayableError, and the signal's reason when it aborts.
 */
export async function* analyzedFrames(video, { duration, step, client, signal }) {
  const grabber = new FrameGrabber();
  const count = Math.max(1, Math.ceil(duration / step - 1e-6));
  await seekTo(video, 0);
  for (let index = 0; index < count; index++) {
    signal.throwIfAborted();
    if (!grabber.capture(video)) throw new UnplayableError("no frame is shown");
    const time = index * step;
    const next = index + 1 < count ? seekTo(video, time + step) : null;
    next?.catch(() => {}); // awaited below, after the response
    let result = null;
    while (!result) result = await client.analyze(grabber, time, signal);
    yield { time, response: result.response, canvas: grabber.canvas, share: (index + 1) / count };
    await next;
  }
}
