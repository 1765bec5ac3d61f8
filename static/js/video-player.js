// A video file in a <video> element: opening it, its duration, and seeking.

const BEYOND_END = 1e7; // seconds beyond any video: files of MediaRecorder reveal their duration only when sought to the end
const LOAD_TIMEOUT = 20_000; // milliseconds
const SEEK_TIMEOUT = 20_000;

/** The browser cannot play the file, or not beyond this point. */
export class UnplayableError extends Error {}

/** Load `file` into `video` and return its duration in seconds. Throws UnplayableError. Undo with `closeVideo`. */
export async function openVideo(video, file) {
  closeVideo(video);
  video.src = URL.createObjectURL(file);
  video.load();
  await waitFor(video, "loadeddata", LOAD_TIMEOUT);
  if (!video.videoWidth) throw new UnplayableError("it has no video track");
  if (Number.isFinite(video.duration)) return video.duration;
  video.currentTime = BEYOND_END;
  await waitFor(video, "seeked", SEEK_TIMEOUT);
  const duration = Number.isFinite(video.duration) ? video.duration : video.currentTime;
  await seekTo(video, 0);
  return duration;
}

/** Seek to `time` seconds. Throws UnplayableError. */
export async function seekTo(video, time) {
  video.currentTime = time;
  await waitFor(video, "seeked", SEEK_TIMEOUT);
}

export function closeVideo(video) {
  if (!video.src) return;
  URL.revokeObjectURL(video.src);
  video.removeAttribute("src");
  video.load(); // releases the decoder
}

function waitFor(video, name, timeout) {
  return new Promise((resolve, reject) => {
    const end = new AbortController();
    const fail = (reason) => {
      end.abort();
      reject(new UnplayableError(reason));
    };
    const timer = setTimeout(() => fail("it does not respond"), timeout);
    end.signal.addEventListener("abort", () => clearTimeout(timer));
    video.addEventListener("error", () => fail(video.error?.message ?? ""), { signal: end.signal });
    video.addEventListener(name, () => {
      end.abort();
      resolve();
    }, { signal: end.signal });
  });
}
