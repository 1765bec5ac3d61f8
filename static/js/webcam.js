// The visitor's camera: opened on request, given back at once, and its refusals in words.

const WANTED = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } }; // what is sent; more would be scaled down

const PROBLEMS = {
  insecure: ["The camera needs a safe address",
    "Browsers lend the camera only to pages over https, or on this very computer (localhost). Open this page by its https address."],
  NotAllowedError: ["The camera was not allowed",
    "Press the camera or lock symbol beside the address, allow the camera for this page, and try again. "
    + "Some systems ask for a permission of the browser too, in their own settings."],
  NotFoundError: ["No camera was found", "Connect one and try again, or read a video file or a photo instead."],
  NotReadableError: ["The camera is in use", "Another program or tab seems to hold it. Close that one and try again."],
  ended: ["The camera stopped", "It was taken out, turned off, or taken by another program."],
};
const SAME = { SecurityError: "NotAllowedError", OverconstrainedError: "NotFoundError", TrackStartError: "NotReadableError", AbortError: "NotReadableError" };

/** Title and text of why the camera does not come; `error` is what `openCamera` threw, or the name of a problem. */
export function wordsOf(error) {
  const name = error.name ?? error;
  return PROBLEMS[SAME[name] ?? name] ?? ["The camera cannot be used", error.message ?? String(error)];
}

/** A stream of the camera with the id `device`, or of the front one. Throws what the browser says, or {name: "insecure"}. */
export async function openCamera(device = "") {
  if (!window.isSecureContext) throw Object.assign(new Error(), { name: "insecure" });
  if (!navigator.mediaDevices?.getUserMedia) throw Object.assign(new Error(), { name: "NotFoundError" });
  const which = device ? { deviceId: { exact: device } } : { facingMode: "user" };
  return navigator.mediaDevices.getUserMedia({ video: { ...WANTED, ...which }, audio: false });
}

/** The cameras there are, as {id, label}; labels are known once one was allowed. */
export async function cameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "videoinput").map((device, index) => ({ id: device.deviceId, label: device.label || `Camera ${index + 1}` }));
}

/** Whether people expect to see themselves as in a mirror: always, but for a camera that looks away from them. */
export function facesVisitor(track) {
  const facing = track.getSettings().facingMode;
  return facing ? facing !== "environment" : !/\b(back|rear|environment)\b/i.test(track.label);
}

export function closeCamera(stream) {
  stream?.getTracks().forEach((track) => track.stop()); // its light goes out
}

/** Tells when a video shows a frame that was not taken yet. */
export class FrameWatch {
  #fresh = false;
  #wake = null;

  constructor(video, signal) {
    const next = video.requestVideoFrameCallback?.bind(video) ?? requestAnimationFrame.bind(window); // Firefox before 132
    const seen = () => {
      this.#fresh = true;
      this.#wake?.();
      if (!signal.aborted) next(seen);
    };
    next(seen);
  }

  /** Resolves at once where a frame came since the last call, else with the next frame. */
  async next() {
    if (!this.#fresh) await new Promise((done) => { this.#wake = done; });
    this.#fresh = false;
  }
}
