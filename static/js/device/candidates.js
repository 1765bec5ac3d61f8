// Candidates of BlazeFace: decoding of the raw output and non-maximum suppression.
//
// A candidate is a Float32Array of 17 values: left, top, right, bottom, six keypoints (x, y), score 0..1.

import { iou } from "./boxes.js";
import { CONSTANTS } from "./constants.js";
import { turnPoint } from "./geometry.js";

const { LOGIT_LIMIT, NMS_IOU } = CONSTANTS["face.blazeface"];
export const SCORE = 16; // index of the score in a candidate
const REGRESSORS = 16;

/**
 * Return the centers of the anchors, x and y of each, 0..1, in the order of the network's output.
 *
 * @param {number[][]} grids [cells a side, anchors a cell] for each feature map
 * @returns {Float32Array} (N, 2)
 */
export function anchorCenters(grids) {
  const centers = [];
  for (const [cells, count] of grids) {
    for (let y = 0; y < cells; y++) {
      for (let x = 0; x < cells; x++) {
        for (let anchor = 0; anchor < count; anchor++) centers.push((x + 0.5) / cells, (y + 0.5) / cells);
      }
    }
  }
  return Float32Array.from(centers);
}

/**
 * Decode the raw outputs of the network.
 *
 * @param {Float32Array[]} outputs regressors (A, 16) and logits (A), in either order
 * @param {Float32Array} centers of the anchors, see anchorCenters()
 * @param {number} size side of the network's input in pixels
 * @param {number} threshold minimum score 0..1
 * @returns {Float32Array[]} candidates in pixels of the input
 */
export function decode(outputs, centers, size, threshold) {
  const [logits, regressors] = outputs[0].length < outputs[1].length ? outputs : [outputs[1], outputs[0]];
  const candidates = [];
  const minScore = Math.fround(threshold);
  for (let anchor = 0; anchor < logits.length; anchor++) {
    const logit = Math.min(Math.max(logits[anchor], -LOGIT_LIMIT), LOGIT_LIMIT);
    const score = Math.fround(1 / (1 + Math.exp(-logit)));
    if (score >= minScore) candidates.push(decodeOne(regressors, anchor, centers, size, score));
  }
  return candidates;
}

function decodeOne(regressors, anchor, centers, size, score) {
  const raw = regressors.subarray(REGRESSORS * anchor, REGRESSORS * (anchor + 1));
  const row = new Float32Array(SCORE + 1);
  for (let axis = 0; axis < 2; axis++) {
    const origin = Math.fround(centers[2 * anchor + axis] * size);
    const center = Math.fround(raw[axis] + origin);
    row[axis] = center - raw[2 + axis] / 2;
    row[2 + axis] = center + raw[2 + axis] / 2;
    for (let point = 4 + axis; point < REGRESSORS; point += 2) row[point] = raw[point] + origin;
  }
  row[SCORE] = score;
  return row;
}

/** Rotate candidates by quarter turns clockwise, together with the input of `size` pixels around them. */
export function turnCandidates(candidates, turns, size) {
  if (!turns) return candidates;
  return candidates.map((row) => {
    const turned = row.slice();
    for (let at = 0; at < SCORE; at += 2) {
      const [x, y] = turnPoint(row[at] - size / 2, row[at + 1] - size / 2, turns);
      turned[at] = x + size / 2;
      turned[at + 1] = y + size / 2;
    }
    for (const axis of [0, 1]) {
      const [low, high] = [Math.min(turned[axis], turned[2 + axis]), Math.max(turned[axis], turned[2 + axis])];
      turned[axis] = low;
      turned[2 + axis] = high;
    }
    return turned;
  });
}

/** Sort candidates, best score first; of equal ones the earlier comes first. */
export function bestFirst(candidates) {
  return [...candidates].sort((first, second) => second[SCORE] - first[SCORE]);
}

/**
 * Group candidates by the best-scored one that they overlap by more than `minIou`.
 *
 * @returns {Float32Array[][]} the best group and its best member first
 */
export function overlapGroups(candidates, minIou = NMS_IOU) {
  const groups = [];
  for (let rest = bestFirst(candidates); rest.length; ) {
    const [best] = rest;
    const isSame = rest.map((row, index) => !index || iou(best, row) > minIou); // a box without area does not overlap itself
    groups.push(rest.filter((_, index) => isSame[index]));
    rest = rest.filter((_, index) => !isSame[index]);
  }
  return groups;
}

/**
 * Apply weighted non-maximum suppression: merge overlapping candidates, best score first. Candidates with a score below `certain`
 * have no weight beside one above it.
 */
export function weightedNms(candidates, certain = 0) {
  const minScore = Math.fround(certain);
  return overlapGroups(candidates).map((group) => {
    const isCertain = group[0][SCORE] >= minScore;
    return weightedMean(isCertain ? group.filter((row) => row[SCORE] >= minScore) : group);
  });
}

/** Average candidates of one face, sorted by score and weighted by it; the result keeps the best score. */
export function weightedMean(candidates) {
  const mean = new Float32Array(SCORE + 1);
  const weight = candidates.reduce((sum, row) => sum + row[SCORE], 0);
  for (let at = 0; at < SCORE; at++) mean[at] = candidates.reduce((sum, row) => sum + row[at] * row[SCORE], 0) / weight;
  mean[SCORE] = candidates[0][SCORE];
  return mean;
}
