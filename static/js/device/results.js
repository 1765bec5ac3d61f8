// Results of an image and their JSON, the answer of POST /api/v1/image: emotions/face/results.py and web/api/image.py.
//
// A result is { width, height, faces, detector, views, model, timing, thresholds }: sizes of the full-size image, faces in order
// of their size, and milliseconds by step. A face is { id, box, score, probabilities, drawn, unsure, landmarks, pose, raw } in
// pixels of the full-size image; `score`, `drawn`, `unsure`, `landmarks` (468 pairs in one Float64Array), `pose` and `raw` may be
// null.

import { CONSTANTS } from "./constants.js";
import { roundHalfEven } from "./geometry.js";

const { EMOTIONS } = CONSTANTS.labels;

/** Return a box with all coordinates multiplied by `factor`. */
export function scaledBox({ left, top, width, height }, factor) {
  return { left: left * factor, top: top * factor, width: width * factor, height: height * factor };
}

/** Return the JSON object of a result. */
export function imageJson({ width, height, faces, detector, views, model, timing }) {
  const milliseconds = Object.fromEntries(Object.entries(timing).map(([name, value]) => [name, roundTo(value, 2)]));
  return { width, height, faces: faces.map(faceJson), detector, views, model: { ...model }, timing_ms: milliseconds };
}

function faceJson({ id, box, score, probabilities, drawn, unsure, landmarks, pose, raw }) {
  const confidence = Math.max(...probabilities);
  const body = {
    id,
    number: id + 1,
    box: Object.fromEntries(["left", "top", "width", "height"].map((name) => [name, roundHalfEven(box[name]) + 0])),
    score: rounded(score),
    emotion: EMOTIONS[probabilities.indexOf(confidence)],
    confidence: rounded(confidence),
    probabilities: byEmotion(probabilities),
    drawn: rounded(drawn),
    unsure,
  };
  if (landmarks) {
    body.landmarks = Array.from({ length: landmarks.length / 2 }, (_, index) =>
      [roundTo(landmarks[2 * index], 1), roundTo(landmarks[2 * index + 1], 1)]);
    if (pose) body.pose = Object.fromEntries(["yaw", "pitch", "roll"].map((name) => [name, roundTo(pose[name], 1)]));
  }
  if (raw) body.raw = byEmotion(raw);
  return body;
}

const rounded = (value) => (value === null ? null : roundTo(value, 4));
const byEmotion = (values) => Object.fromEntries(EMOTIONS.map((name, index) => [name, roundTo(values[index], 4)]));

/**
 * Round to a number of decimal places as Python's round() does: the exact value decides, and a half becomes the even digit. -0
 * becomes 0.
 *
 * @param {number} value
 * @param {number} digits
 * @returns {number}
 */
export function roundTo(value, digits) {
  const scaled = value * 10 ** digits;
  const twice = 2 * scaled; // an odd integer where `value` may lie in the middle between two results
  const isMiddle = Number.isInteger(twice) && twice % 2 !== 0 && twice % 5 ** digits === 0;
  const isHalf = isMiddle && twice / 5 ** digits / 2 ** (digits + 1) === value; // both divisions are exact
  return (isHalf ? roundHalfEven(scaled) / 10 ** digits : Number(value.toFixed(digits))) + 0;
}
