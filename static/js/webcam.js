// Access to the webcam: streams, devices, error texts, and new frames.

const CONSTRAINTS = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } }; // frames are sent at this size

const PROBLEMS = {
  insecure: ["The camera needs a safe address",
    "Browsers allow the camera only on https pages and on localhost. Open this page by its https address."],
  NotAllowedError: ["The camera was not allowed",
    "Press the camera, lock or settings symbol in the address bar, set Camera to Allow, then press Try again; if the browser asks to "
    + "reload the page, do so. The settings of the operating system may also have to allow the browser to use the camera."],
  unanswered: ["The camera was not allowed", "The browser asked and got no permission. Press Try again and allow the camera when it asks."],
  NotFoundError: ["No camera was found", "Connect one and try again, or analyze a video file or a photo instead."],
  NotReadableError: ["The camera is in use", "Another program or tab seems to use it. Close that one and try again."],
  ended: ["The camera stopped", "It was disconnected, turned off, or taken over by another program."],
};
const ALIASES = { SecurityError: "NotAllowedError", OverconstrainedError: "NotFoundError", TrackStartError: "NotReadableError", AbortError: "NotReadableError" };

/** Return title and text for an error of `openCamera`, or for the name of a problem; `permission`: see cameraPermission. */
export function cameraErrorText(error, permission = "") {
  let name = error.name ?? error;
  name = ALIASES[name] ?? name;
  if (name === "NotAllowedError" && permission === "prompt") name = "unanswered";
  return PROBLEMS[name] ?? ["The camera cannot be used", error.message ?? String(error)];
}

/** Return the state of the page's permission, "granted", "denied" or "prompt" (it will ask); "" where the browser does not tell. */
export async function cameraPermission() {
  try {
    return (await navigator.permissions.query({ name: "camera" })).state;
  } catch {
    return ""; // Firefox has no such permission
  }
}

/**
 * Open the camera with the id `device`, or the one that faces `facing`: "user", the default, or "environment". Throws the browser's
 * error, or {name: "insecure"}.
 */
export async function openCamera({ device = "", facing = "user" } = {}) {
  if (!window.isSecureContext) throw Object.assign(new Error(), { name: "insecure" });
  if (!navigator.mediaDevices?.getUserMedia) throw Object.assign(new Error(), { name: "NotFoundError" });
  const which = device ? { deviceId: { exact: device } } : { facingMode: facing };
  return navigator.mediaDevices.getUserMedia({ video: { ...CONSTRAINTS, ...which }, audio: false });
}

/** List the cameras as {id, label}; labels are available once access was granted. */
export async function cameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "videoinput").map((device, index) => ({ id: device.deviceId, label: device.label || `Camera ${index + 1}` }));
}

/** True unless this is a rear camera; people expect a mirrored image of the front camera. */
export function isFrontCamera(track) {
  const facing = track.getSettings().facingMode;
  return facing ? facing !== "environment" : !/\b(back|rear|environment)\b/i.test(track.label);
}

/** Return what `openCamera` takes for another camera than that of `track`: the other side of a phone, or the next of `devices`. */
export function otherCamera(track, devices) {
  const { facingMode, deviceId } = track.getSettings();
  if (facingMode || devices.length < 2) return { facing: facingMode === "environment" ? "user" : "environment" };
  const place = devices.findIndex((device) => device.id === deviceId);
  return { device: devices[(place + 1) % devices.length].id };
}

export function closeCamera(stream) {
  stream?.getTracks().forEach((track) => track.stop()); // turns the camera off
}

/** Waits for new frames of a <video>. */
export class FrameWatch {
  #fresh = false;
  #wake = null;

  constructor(video, signal) {
    const next = video.requestVideoFrameCallback?.bind(video) ?? requestAnimationFrame.bind(window); // Firefox before 132
    const onFrame = () => {
      this.#fresh = true;
      this.#wake?.();
      if (!signal.aborted) next(onFrame);
    };
    next(onFrame);
  }

  /** Resolve immediately if there was a frame since the last call, else with the next frame. */
  async next() {
    if (!this.#fresh) await new Promise((resolve) => { this.#wake = resolve; });
    this.#fresh = false;
  }
}
