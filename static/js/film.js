// A video file as this browser plays it: opened, asked how long it is, and shown at one moment after the other.

const FAR = 1e7; // seconds beyond any film: files of MediaRecorder tell their length only at their end
const OPENING = 20_000; // milliseconds
const SEEKING = 20_000;

/** The browser cannot play the file, or no further. */
export class Unplayable extends Error {}

/** Load `file` into `video`; gives the seconds it lasts. Throws Unplayable. Revoke with `closeFilm`. */
export async function openFilm(video, file) {
  closeFilm(video);
  video.src = URL.createObjectURL(file);
  video.load();
  await event(video, "loadeddata", OPENING);
  if (!video.videoWidth) throw new Unplayable("there is no picture in it");
  if (Number.isFinite(video.duration)) return video.duration;
  video.currentTime = FAR;
  await event(video, "seeked", SEEKING);
  const duration = Number.isFinite(video.duration) ? video.duration : video.currentTime;
  await showMoment(video, 0);
  return duration;
}

/** Show the frame at `time` seconds. Throws Unplayable. */
export async function showMoment(video, time) {
  video.currentTime = time;
  await event(video, "seeked", SEEKING);
}

export function closeFilm(video) {
  if (!video.src) return;
  URL.revokeObjectURL(video.src);
  video.removeAttribute("src");
  video.load(); // lets go of the decoder
}

function event(video, name, patience) {
  return new Promise((done, failed) => {
    const end = new AbortController();
    const fail = (why) => {
      end.abort();
      failed(new Unplayable(why));
    };
    const timer = setTimeout(() => fail("it does not go on"), patience);
    end.signal.addEventListener("abort", () => clearTimeout(timer));
    video.addEventListener("error", () => fail(video.error?.message ?? ""), { signal: end.signal });
    video.addEventListener(name, () => {
      end.abort();
      done();
    }, { signal: end.signal });
  });
}
