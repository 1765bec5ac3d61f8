// Boxes { left, top, width, height } in pixels of the image, and lists of detections; see blazeface.js for a detection.

import { CONSTANTS } from "./constants.js";

const { MAX_FACES, NESTED } = CONSTANTS["face.detector"];
const MAX_EYES_AND_NOSE = 3; // of blazeface's six keypoints

/** Area of a box in square pixels. */
export function areaOf({ width, height }) {
  return width * height;
}

/** Corners [left, top, right, bottom] of a box. */
export function cornersOf({ left, top, width, height }) {
  return [left, top, left + width, top + height];
}

/**
 * Return the intersection over union of two boxes.
 *
 * @param {ArrayLike<number>} first left, top, right, bottom; further values are ignored
 * @param {ArrayLike<number>} second in the same order
 */
export function iou(first, second) {
  const intersection = intersectionOf(first, second);
  return intersection / Math.max(cornersArea(first) + cornersArea(second) - intersection, 1e-9);
}

/** Return the fraction of the area of a box that lies in `frame`; both are left, top, right, bottom. */
export function fractionInside(box, frame) {
  return intersectionOf(box, frame) / Math.max(cornersArea(box), 1e-9);
}

function intersectionOf(first, second) {
  const width = Math.min(first[2], second[2]) - Math.max(first[0], second[0]);
  const height = Math.min(first[3], second[3]) - Math.max(first[1], second[1]);
  return Math.max(width, 0) * Math.max(height, 0);
}

function cornersArea([left, top, right, bottom]) {
  return (right - left) * (bottom - top);
}

/** Candidates that are not for the greater part inside one of the detections `faces`. */
export function beside(rows, faces) {
  const boxes = faces.map((face) => cornersOf(face.box));
  return rows.filter((row) => !boxes.some((box) => fractionInside(row, box) >= 0.5));
}

/** Keep one detection a face, largest first: of two nested boxes with the same eyes and nose the better-scored. */
export function oneEach(faces) {
  const kept = [];
  for (const face of [...faces].sort((first, second) => second.score - first.score)) {
    if (!kept.some((other) => areOneFace(face, other))) kept.push(face);
  }
  return largestFirst(kept);
}

/** Sort detections, and keep as many as are returned. */
export function largestFirst(faces) {
  return [...faces].sort((first, second) => areaOf(second.box) - areaOf(first.box)).slice(0, MAX_FACES);
}

function areOneFace(first, second) {
  const [small, large] = areaOf(second.box) < areaOf(first.box) ? [second, first] : [first, second];
  const box = cornersOf(small.box);
  if (fractionInside(box, cornersOf(large.box)) < NESTED) return false;
  const points = large.keypoints.subarray(0, 2 * MAX_EYES_AND_NOSE); // a face in front of another one has eyes of its own
  if (points.some(Number.isNaN)) return true;
  return points.every((value, index) => value > box[index % 2] && value < box[2 + (index % 2)]);
}
