// A film read frame by frame: while the server reads one, the browser looks for the next.

import { Unplayable, showMoment } from "./film.js";
import { Grabber } from "./frames.js";

/**
 * Read the film in `video`, `duration` seconds long, every `step` seconds, by `reader`. Gives {time, answer, canvas, share} for
 * each frame: seconds, the server's answer, the frame itself (until the next is asked for), and the share of the film that was
 * read. Throws Unplayable, and the signal's reason when it aborts.
 */
export async function* readings(video, { duration, step, reader, signal }) {
  const grabber = new Grabber();
  const count = Math.max(1, Math.ceil(duration / step - 1e-6));
  await showMoment(video, 0);
  for (let index = 0; index < count; index++) {
    signal.throwIfAborted();
    if (!grabber.take(video)) throw new Unplayable("it shows nothing any more");
    const [time, frame] = [index * step, grabber.encode()];
    const next = index + 1 < count ? showMoment(video, time + step) : null;
    next?.catch(() => {}); // awaited below, after the answer
    let read = null;
    while (!read) read = await reader.read(frame, time, signal);
    yield { time, answer: read.answer, canvas: grabber.canvas, share: (index + 1) / count };
    await next;
  }
}
