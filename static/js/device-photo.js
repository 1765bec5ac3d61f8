// Photos that this browser analyzes itself: decoding, analysis in the worker, and the view from which the result is made.

import { CONSTANTS } from "./device/constants.js";
import { decodeFile, isJpeg } from "./device/decoding.js";
import { headline, resultSection } from "./device-result.js";
import { drawFaces } from "./overlay.js";
import { loadStyle } from "./style.js";
import { stemOf } from "./texts.js";

const THUMBNAIL = 96; // pixels, shown at half of it
const QUALITY = 0.85;
const COLUMNS = CONSTANTS.tables.FACE_COLUMNS;

/** Load what an analysis needs beside the models. */
export const prepare = loadStyle;

async function sourceOf(body, signal) {
  const name = body.get("sample");
  if (!name) return { blob: body.get("file"), title: body.get("file").name, stem: stemOf(body.get("file").name) };
  const button = document.querySelector(`.samples [value="${name}"]`);
  const response = await fetch(button.dataset.url, { signal });
  return { blob: await response.blob(), title: button.textContent.trim(), stem: name };
}

async function decode(blob) {
  try {
    return await decodeFile(blob);
  } catch (error) {
    if (error instanceof RangeError) throw error; // it is too large, and says so
    throw new Error("the browser cannot read this photo", { cause: error });
  }
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  return [canvas, canvas.getContext("2d", { alpha: false })];
}

/** Draw the picture with its faces. Returns a data URI: it can be kept with the result, which an address of a blob cannot. */
function annotated(bitmap, faces, style) {
  const scale = Math.min(1, style.max_side / Math.max(bitmap.width, bitmap.height));
  const [canvas, context] = canvasOf(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  drawFaces(context, faces, style, { scale });
  return canvas.toDataURL("image/jpeg", QUALITY);
}

/** A square picture of a face, as `thumbnail` of web/pages/photo.py makes it. */
function thumbnail(bitmap, { left, top, width, height }) {
  const side = Math.max(1, Math.min(Math.max(width, height) * 1.25, bitmap.width, bitmap.height));
  const within = (start, size, room) => Math.min(Math.max(start + (size - side) / 2, 0), room - side);
  const [canvas, context] = canvasOf(THUMBNAIL, THUMBNAIL);
  context.drawImage(bitmap, within(left, width, bitmap.width), within(top, height, bitmap.height), side, side, 0, 0, THUMBNAIL, THUMBNAIL);
  return canvas.toDataURL("image/jpeg", QUALITY);
}

function csvOf(faces) {
  const row = (face) => ({ ...face, ...face.box, ...face.probabilities, ...face.pose });
  const lines = faces.map((face) => COLUMNS.map((name) => row(face)[name] ?? "").join(","));
  return [COLUMNS.join(","), ...lines, ""].join("\n"); // no value contains a comma or a quote
}

/** The answer as the API gives it: the pose comes with the landmarks. */
function asRequested(result, withLandmarks) {
  const faces = result.faces.map(({ landmarks, pose, ...face }) => (withLandmarks && landmarks ? { ...face, landmarks, pose } : face));
  return { ...result, faces };
}

function viewOf(result, { image, stem, options, isFaceless = false }) {
  const shown = asRequested(result, options.landmarks);
  const total = Object.values(result.timing_ms).reduce((sum, value) => sum + value, 0);
  return {
    result: shown, image, stem, thumbnails: [], isFaceless, withLandmarks: options.landmarks, milliseconds: total,
    csvLink: `data:text/csv;charset=utf-8,${encodeURIComponent(csvOf(result.faces))}`,
    jsonLink: `data:application/json,${encodeURIComponent(JSON.stringify(shown, null, 1))}`,
  };
}

/**
 * Analyze the photo of `body` (the form's data) with `client` of device/client.js. Returns {title, nodes} of the result page; `nodes()`
 * makes its elements and places `form` among them. Throws an error if the browser cannot
 * read the photo, the signal's reason, and errors of the client.
 */
export async function analyzePhoto(form, body, client, signal) {
  const [source, style] = await Promise.all([sourceOf(body, signal), loadStyle()]);
  const bitmap = await decode(source.blob);
  let view;
  try {
    view = await analyzeBitmap(bitmap, body, { source, style, client, signal });
  } finally {
    bitmap.close();
  }
  const { reliability, drawn } = await client.figures(signal);
  Object.assign(view, { reliability, drawn, aboutUrl: form.dataset.about });
  const samples = document.querySelector("form.samples");
  const nodes = () => [resultSection(view, style, compact(form, source.title, body)), samples];
  return { title: `${headline(view)} · Emotion Detector`, nodes };
}

/** Analyze the decoded photo with the options of `body`. Returns its view, as resultSection() takes it, without the model's figures. */
async function analyzeBitmap(bitmap, body, { source, style, client, signal }) {
  const options = { detector: body.get("detector") ?? "auto", landmarks: body.has("landmarks") };
  const fromJpeg = await isJpeg(source.blob);
  const analyze = async (detector) => client.analyze(await createImageBitmap(bitmap), { detector, landmarks: true, isJpeg: fromJpeg }, { signal });
  const result = await analyze(options.detector);
  const isFaceless = options.detector === "none" && !(await analyze("auto")).faces.length;
  const image = annotated(bitmap, isFaceless ? [] : asRequested(result, options.landmarks).faces, style);
  const common = { image, stem: source.stem, options };
  const view = viewOf(result, { ...common, isFaceless });
  if (!result.faces.length) view.wholeImage = viewOf(await analyze("none"), { ...common, isFaceless: true });
  if (result.faces.length > 1) view.thumbnails = result.faces.map((face) => thumbnail(bitmap, face.box));
  return view;
}

/** Make the form small, as it is beside a result of the server. */
function compact(form, name, body) {
  form.classList.add("compact");
  form.querySelector("#preview").hidden = true;
  form.querySelector("#preview").removeAttribute("src"); // the address of a blob, which the history cannot keep
  form.querySelector(".form-title").textContent = "Choose another photo";
  form.querySelector(".choose, [type=submit]").textContent = "Change";
  let line = form.querySelector("#file-name");
  if (!line) {
    line = document.createElement("p");
    Object.assign(line, { className: "file-name", id: "file-name" });
    form.querySelector(".form-title").before(line);
  }
  line.textContent = name;
  if (body.get("sample")) form.dataset.sample = body.get("sample");
  else delete form.dataset.sample;
  return form;
}
