// Head pose (yaw, pitch, roll) from the three-dimensional landmarks of Face Mesh, as emotions/face/pose.py computes it.

import { CONSTANTS } from "./constants.js";

const { CHIN, FOREHEAD, LEFT, NEUTRAL_PITCH, RIGHT } = CONSTANTS["face.pose"];
const DEGREES = 180 / Math.PI;

/**
 * Estimate the head pose.
 *
 * The x axis of the face is the mean direction from landmarks on the person's right to their counterparts on the left; the y axis
 * is the part of the line from forehead to chin that is orthogonal to it. Their matrix is decomposed into Tait-Bryan angles
 * (z-y'-x'').
 *
 * @param {Float32Array} landmarks 468 x 3: x to the right, y down, z away from the camera, all in the same unit
 * @returns {{yaw: number, pitch: number, roll: number}} degrees; all 0 where the head faces the camera upright
 */
export function estimatePose(landmarks) {
  const point = (index) => landmarks.subarray(3 * index, 3 * index + 3);
  const xAxis = unit([0, 1, 2].map((axis) =>
    LEFT.reduce((sum, left, index) => sum + (point(left)[axis] - point(RIGHT[index])[axis]), 0) / LEFT.length));
  const line = [0, 1, 2].map((axis) => point(CHIN)[axis] - point(FOREHEAD)[axis]);
  const along = dot(line, xAxis);
  const yAxis = unit(line.map((value, axis) => value - xAxis[axis] * along));
  const depth = xAxis[0] * yAxis[1] - xAxis[1] * yAxis[0]; // z of the cross product
  return {
    yaw: Math.asin(Math.min(Math.max(xAxis[2], -1), 1)) * DEGREES,
    pitch: Math.atan2(-yAxis[2], depth) * DEGREES - NEUTRAL_PITCH,
    roll: Math.atan2(xAxis[1], xAxis[0]) * DEGREES,
  };
}

const dot = (one, other) => one[0] * other[0] + one[1] * other[1] + one[2] * other[2];

function unit(vector) {
  const length = Math.max(Math.sqrt(dot(vector, vector)), 1e-9);
  return vector.map((value) => value / length);
}
