// Unreliable predictions: extreme yaw or pitch, small or blurred crop, covered face, low confidence. As
// emotions/face/reliability.py.

import { alignmentMatrix, coveredSide } from "./alignment.js";
import { CONSTANTS } from "./constants.js";
import { estimatePose } from "./pose.js";

const { MAX_PITCH, UNSURE_REASONS } = CONSTANTS["face.reliability"];

/**
 * Measure the quality of a face crop.
 *
 * @param {{width: number, height: number}} image size of the image
 * @param {object} box face box in pixels of the image
 * @param {Float32Array | null} landmarks 468 x 3 in pixels of the image
 * @param {Uint8Array} crop grey values of the square crop that alignCrop() made of them
 * @returns {{pose: object | null, side: number, sharpness: number}} head pose in degrees, pixels of the image that a side of the
 *   crop covers, and sharpness()
 */
export function measureQuality(image, box, landmarks, crop) {
  const size = Math.sqrt(crop.length);
  const side = coveredSide(alignmentMatrix(image, box, landmarks, size), size);
  return { pose: landmarks && estimatePose(landmarks), side, sharpness: sharpness(crop) };
}

/**
 * Measure the sharpness of a square grey crop at its own scale: standard deviation of the Laplacian over that of the grey levels.
 *
 * @param {Uint8Array} crop S * S grey values
 * @returns {number} around 0.45 for faces of web photos, 0 for a uniform crop
 */
export function sharpness(crop) {
  const contrast = standardDeviation(crop);
  return contrast > 1 ? standardDeviation(laplacian(crop)) / contrast : 0;
}

/** Laplacian of a square crop, its edges repeated. */
function laplacian(crop) {
  const size = Math.sqrt(crop.length);
  const found = new Float32Array(crop.length);
  for (let y = 0; y < size; y++) {
    const [row, above, below] = [y, Math.max(y - 1, 0), Math.min(y + 1, size - 1)].map((one) => one * size);
    for (let x = 0; x < size; x++) {
      const beside = crop[row + Math.max(x - 1, 0)] + crop[row + Math.min(x + 1, size - 1)];
      found[row + x] = beside + crop[above + x] + crop[below + x] - 4 * crop[row + x];
    }
  }
  return found;
}

function standardDeviation(values) {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return Math.sqrt(squares / values.length);
}

/**
 * Return the first of the reasons that applies, or null.
 *
 * @param {{pose: object | null, side: number, sharpness: number}} quality of the face's crop
 * @param {number} confidence calibrated probability of the predicted emotion
 * @param {object} thresholds limits by reason, as in a head's manifest entry; a reason without a limit never applies
 * @param {boolean} covered true where the mouth or the eyes are hidden
 */
export function unsureReason({ pose, side, sharpness: measured }, confidence, thresholds, covered = false) {
  const isLimited = pose !== null && "turned" in thresholds;
  const applies = {
    turned: isLimited && (Math.abs(pose.yaw) > thresholds.turned || Math.abs(pose.pitch) > MAX_PITCH),
    small: isBelow(side, thresholds.small),
    blurred: isBelow(measured, thresholds.blurred),
    covered,
    low_confidence: isBelow(confidence, thresholds.low_confidence),
  };
  return UNSURE_REASONS.find((name) => applies[name]) ?? null;
}

/**
 * Return the reason that applies to a face whose probabilities were smoothed over time: one that concerns the crop is kept, and
 * `low_confidence` is decided again.
 *
 * @param {string | null} reason of the current frame alone
 * @param {number} confidence smoothed probability of the predicted emotion
 * @param {object} thresholds as for unsureReason()
 */
export function unsureReasonAfterSmoothing(reason, confidence, thresholds) {
  if (reason !== null && reason !== "low_confidence") return reason;
  return isBelow(confidence, thresholds.low_confidence) ? "low_confidence" : null;
}

const isBelow = (value, limit = -Infinity) => value < limit;
