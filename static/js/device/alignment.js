// Face alignment: crop a face to an upright grey square, as emotions/face/alignment.py does.

import { CONSTANTS } from "./constants.js";
import { eyeLine, turnPoint } from "./geometry.js";
import { toGrey, warpCrop } from "./pixels.js";

const { AXIS_STEPS, BOX_CENTER, BOX_SIDE, EYE_CENTER, POSITION_STEPS, RMS_RADIUS } = CONSTANTS["face.alignment"];
const STRIDE = 3; // numbers of a landmark: x, y and depth

/**
 * Crop and align a face as FER2013's faces are framed.
 *
 * With landmarks the crop is rotated until the eyes are level, centered on the midpoint between the eyes and scaled by the RMS
 * radius of all landmarks. Without landmarks it is a square around the box, rotated by whole quarter turns; a box that equals the
 * whole image gives the smallest square around it.
 *
 * @param {{data: Uint8Array, width: number, height: number}} image RGB or grey
 * @param {{left: number, top: number, width: number, height: number}} box face box in pixels of the image
 * @param {Float32Array | null} landmarks 468 x 3: x, y and depth in pixels of the image
 * @param {number} size side of the crop in pixels
 * @param {number} [turns] quarter turns clockwise of the face, which count where there are no landmarks
 * @returns {Uint8Array} size * size grey values, row by row
 */
export function alignCrop(image, box, landmarks, size, turns = 0) {
  const crop = warpCrop(image, stableMatrix(alignmentMatrix(image, box, landmarks, size, turns)), size);
  return crop.data.length === size * size ? crop.data : toGrey(crop);
}

/**
 * Compute the affine matrix with which alignCrop() samples an image.
 *
 * @returns {number[]} [a, b, c, d, e, f]: crop position (x, y) shows the image at (a x + b y + c, d x + e y + f)
 */
export function alignmentMatrix(image, box, landmarks, size, turns = 0) {
  return landmarks ? landmarkMatrix(landmarks, size) : boxMatrix(box, image, size, turns);
}

/**
 * Round an affine matrix to steps far below a pixel of the crop: last digits, which differ between runtimes, hardly ever change
 * crops. The result is the matrix itself where its scale is zero or not finite, as that of a box without area is.
 */
export function stableMatrix(matrix) {
  const scale = coveredSide(matrix, 1);
  if (!(scale > 0 && scale < Infinity)) return matrix;
  const unit = 2 ** Math.floor(Math.log2(scale));
  const steps = [AXIS_STEPS / unit, AXIS_STEPS / unit, POSITION_STEPS / unit];
  return matrix.map((value, index) => Math.floor(value * steps[index % 3] + 0.5) / steps[index % 3]);
}

/** Pixels of the image that a side of a crop covers. */
export function coveredSide([a, b, , d, e], size) {
  return size * Math.sqrt(Math.abs(a * e - b * d));
}

/** Root mean square distance of landmarks from their mean, in pixels; depths are ignored. In float32 and the order of NumPy. */
export function rmsRadius(landmarks) {
  const { fround } = Math;
  const count = landmarks.length / STRIDE;
  const mean = (axis, valueOf) => {
    let sum = 0;
    for (let index = axis; index < landmarks.length; index += STRIDE) sum = fround(sum + valueOf(landmarks[index]));
    return fround(sum / count);
  };
  const [across, down] = [0, 1].map((axis) => {
    const middle = mean(axis, (value) => value);
    return mean(axis, (value) => fround(fround(value - middle) ** 2));
  });
  return fround(Math.sqrt(fround(across + down)));
}

function landmarkMatrix(landmarks, size) {
  const { x, y, angle } = eyeLine(landmarks, STRIDE);
  const scale = rmsRadius(landmarks) / (RMS_RADIUS * size);
  const [cos, sin] = [Math.cos(angle) * scale, Math.sin(angle) * scale];
  return centered([cos, -sin, sin, cos], x, y, EYE_CENTER, size);
}

function boxMatrix(box, image, size, turns) {
  const isWhole = box.left === 0 && box.top === 0 && box.width === image.width && box.height === image.height;
  const side = isWhole ? Math.max(image.width, image.height) : BOX_SIDE * Math.sqrt(box.width * box.height);
  const [right, down] = [turnPoint(1, 0, turns), turnPoint(0, 1, turns)];
  const scale = side / size;
  const axes = [right[0] * scale, down[0] * scale, right[1] * scale, down[1] * scale];
  return centered(axes, box.left + box.width / 2, box.top + box.height / 2, isWhole ? [0.5, 0.5] : BOX_CENTER, size);
}

/** Complete the matrix of `axes` such that the crop shows (x, y) at `center`, given in sides of the crop. */
function centered([a, b, d, e], x, y, center, size) {
  const [across, down] = [center[0] * size, center[1] * size];
  return [a, b, x - (a * across + b * down), d, e, y - (d * across + e * down)];
}
