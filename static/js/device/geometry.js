// Small geometric and numeric functions that alignment, landmarks and detection share.

import { CONSTANTS } from "./constants.js";

const { RIGHT_EYE, LEFT_EYE } = CONSTANTS["face.alignment"];

/** Round to the nearest integer, halves to the even one, as Python's round() and OpenCV's cvRound() do. */
export function roundHalfEven(value) {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return fraction < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Limit a value to low..high; where low is above high, the result is high, as in numpy.clip. */
export function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** Rotate a point around the origin by quarter turns clockwise, as the viewer sees it. Returns [x, y]. */
export function turnPoint(x, y, turns) {
  for (let turn = 0; turn < ((turns % 4) + 4) % 4; turn++) [x, y] = [-y, x];
  return [x, y];
}

/**
 * Return the midpoint between the eyes, and the angle in radians from the person's right eye to the left one.
 *
 * @param {Float32Array} points landmarks of Face Mesh in pixels, `stride` values each, x and y first
 * @param {number} [stride]
 * @returns {{x: number, y: number, angle: number}}
 */
export function eyeLine(points, stride = 3) {
  const [rightX, rightY] = cornerMean(points, stride, RIGHT_EYE);
  const [leftX, leftY] = cornerMean(points, stride, LEFT_EYE);
  const angle = Math.fround(Math.atan2(Math.fround(leftY - rightY), Math.fround(leftX - rightX)));
  return { x: Math.fround((rightX + leftX) / 2), y: Math.fround((rightY + leftY) / 2), angle };
}

function cornerMean(points, stride, [outer, inner]) {
  return [0, 1].map((axis) => Math.fround((points[outer * stride + axis] + points[inner * stride + axis]) / 2));
}
