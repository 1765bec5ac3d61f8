// BlazeFace face detector: preprocessing, and passes over an image, its tiles, or parts of it.
//
// Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019. Where faces are rotated by
// quarter turns clockwise, `turns`, the model's input is rotated back, not the image. Candidates: see candidates.js.
//
// A detection is { box, score, keypoints, innerBox, turns, landmarks }:
//   box        { left, top, width, height } in pixels of the image
//   score      confidence of the detector, 0..1
//   keypoints  Float32Array(12): x and y of right eye, left eye, nose tip, mouth, right ear and left ear (right and left are the
//              person's own), in pixels; NaN where the detector gives none
//   innerBox   where `box` is the whole image, the box of the largest face that was detected in it; null otherwise
//   turns      quarter turns clockwise by which the faces that were searched for are rotated
//   landmarks  landmarks that were predicted during detection (see landmarks.js), null where they were not needed

import { fractionInside } from "./boxes.js";
import { anchorCenters, bestFirst, decode, SCORE, turnCandidates, weightedNms } from "./candidates.js";
import { CONSTANTS } from "./constants.js";
import { clip, roundHalfEven, turnPoint } from "./geometry.js";
import { crop, resize, rotatePixels } from "./pixels.js";

const { FULL_SCALE, TILE_EDGE } = CONSTANTS["face.blazeface"];
const INSIDE_KNOWN = 0.8; // share of a tile inside a known face from which it is left out
const LEVELS = Float32Array.from({ length: 256 }, (_, level) => Math.fround(level * Math.fround(1 / 127.5)) - 1);

/** Make a detection; see above. */
export function detectionOf(box, score, { keypoints = new Float32Array(12).fill(NaN), innerBox = null, turns = 0 } = {}) {
  return { box, score, keypoints, innerBox, turns, landmarks: null };
}

/**
 * Convert a candidate to a detection.
 *
 * @param {Float32Array} row candidate
 * @param {{x: number, y: number, width: number, height: number}} correction from BlazeFace's box to a tight one: shifts and
 *   sizes in sides of BlazeFace's box, along the axes of the face
 * @param {number} [turns] quarter turns clockwise of the face
 */
export function toDetection(row, correction, turns = 0) {
  const [left, top, right, bottom] = row;
  const side = right - left;
  const [shiftX, shiftY] = turnPoint(side * correction.x, side * correction.y, turns);
  const sizes = [correction.width * side, correction.height * side];
  const [width, height] = turns % 2 ? sizes.reverse() : sizes;
  const box = { left: shiftX + (left + right) / 2 - width / 2, top: shiftY + (top + bottom) / 2 - height / 2, width, height };
  return detectionOf(box, row[SCORE], { keypoints: row.slice(4, SCORE), turns });
}

/** One of the BlazeFace models. */
export class BlazeFace {
  #model;
  #centers;
  #size;

  /**
   * @param {object} entry entry of the manifest: input size, anchors, thresholds, box
   * @param {{run: (input: Float32Array) => Promise<Float32Array[]>}} model
   */
  constructor(entry, model) {
    this.entry = entry;
    this.#model = model;
    this.#centers = anchorCenters(entry.anchors);
    this.#size = entry.input.size;
  }

  /**
   * Detect faces at one or several scales, in one pass of the model.
   *
   * @param {{data: Uint8Array, width: number, height: number}} image RGB
   * @param {number} threshold minimum score 0..1
   * @param {object} [options]
   * @param {number[]} [options.scales] FULL_SCALE or PYRAMID_SCALES
   * @param {number} [options.turns] quarter turns clockwise of the faces
   * @returns {Promise<Float32Array[][]>} candidates for each scale, in pixels of the image
   */
  async detect(image, threshold, { scales = FULL_SCALE, turns = 0 } = {}) {
    return this.#levels(letterbox(image, this.#size, scales), threshold, turns);
  }

  /** Detect rotated faces, in one pass for each of `turns`. Returns candidates for each; the image is reduced once. */
  async detectTurned(image, threshold, turns) {
    const input = letterbox(image, this.#size);
    const found = [];
    for (const one of turns) found.push((await this.#levels(input, threshold, one))[0]);
    return found;
  }

  /**
   * Detect faces in square tiles that overlap by a fifth or more. A box that touches a tile's edge inside the image is cut off
   * and dropped: the neighboring tile has the whole face.
   *
   * @param {object} image RGB
   * @param {number} threshold minimum score 0..1
   * @param {number} tileSize side of the tiles in pixels
   * @param {number} turns quarter turns clockwise of the faces
   * @param {number[][]} known corners of known faces; tiles that lie for four fifths in one are left out
   * @returns {Promise<Float32Array[]>} candidates in pixels of the image
   */
  async detectTiled(image, threshold, tileSize, turns, known) {
    const found = [];
    for (const top of tileStarts(image.height, tileSize)) {
      for (const left of tileStarts(image.width, tileSize)) {
        const tile = [left, top, left + tileSize, top + tileSize];
        if (known.some((box) => fractionInside(tile, box) >= INSIDE_KNOWN)) continue;
        found.push(...(await this.#detectPart(image, threshold, left, top, tileSize, turns)));
      }
    }
    return weightedNms(found, this.#certain);
  }

  /**
   * Detect faces in square parts of an image, each around a candidate, the best-scored ones first. A candidate in the middle
   * half of a part that has been searched at about its scale needs no part of its own.
   *
   * @param {object} image RGB
   * @param {number} threshold minimum score 0..1
   * @param {Float32Array[]} around candidates in pixels of the image
   * @param {number} side side of the parts, in heights of their candidates
   * @param {number} maxPasses maximum number of parts
   * @param {number} turns quarter turns clockwise of the faces
   * @returns {Promise<Float32Array[]>} candidates in pixels of the image
   */
  async detectParts(image, threshold, around, side, maxPasses, turns) {
    const fround = Math.fround;
    const found = [];
    const looked = [];
    for (const row of bestFirst(around)) {
      const [x, y] = [0, 1].map((axis) => fround((row[axis] + row[2 + axis]) / 2));
      const length = fround(row[3] - row[1]) * side;
      const part = { x, y, length };
      if (looked.some((other) => isCoveredBy(part, other))) continue;
      if (looked.length === maxPasses) break;
      looked.push(part);
      const [left, top] = [x, y].map((center) => Math.trunc(Math.max(fround(center - fround(length / 2)), 0)));
      found.push(...(await this.#detectPart(image, threshold, left, top, Math.max(1, roundHalfEven(length)), turns)));
    }
    return weightedNms(found, this.#certain);
  }

  get #certain() {
    return this.entry.thresholds.doubtful ?? 0;
  }

  /** Run the model on what letterbox() gave, and return the candidates of each cell. */
  async #levels({ tensor, placements }, threshold, turns) {
    const size = this.#size;
    const input = turns ? rotatePixels(tensor, size, size, 3, 4 - turns, new Float32Array(tensor.length)) : tensor;
    const candidates = turnCandidates(decode(await this.#model.run(input), this.#centers, size, threshold), turns, size);
    const cells = cellsPerSide(placements);
    const levels = placements.map(() => []);
    for (const row of candidates) {
      const [column, line] = [0, 1].map((axis) => clip(((row[axis] + row[2 + axis]) * cells) / 2 / size, 0, cells - 1));
      const level = Math.trunc(line) * cells + Math.trunc(column);
      const { scale, left, top } = placements[level];
      for (let at = 0; at < SCORE; at += 2) {
        row[at] = (row[at] - left) / scale;
        row[at + 1] = (row[at + 1] - top) / scale;
      }
      levels[level].push(row);
    }
    return levels.map((rows) => weightedNms(rows, this.#certain));
  }

  /** Candidates of a square part, in pixels of the image, without those that the part's edge cuts off. */
  async #detectPart(image, threshold, left, top, side, turns) {
    const width = Math.min(side, image.width - left);
    const height = Math.min(side, image.height - top);
    if (width < 1 || height < 1) return []; // around a candidate beside the image
    const [rows] = await this.detect(crop(image, left, top, width, height), threshold, { turns });
    const edge = TILE_EDGE * side;
    const isInner = [left > 0, top > 0, image.width - left - width > 0, image.height - top - height > 0];
    const gapsOf = ([left, top, right, bottom]) => [left, top, width - right, height - bottom];
    const whole = rows.filter((row) => !gapsOf(row).some((gap, index) => isInner[index] && gap < edge));
    for (const row of whole) {
      for (let at = 0; at < SCORE; at += 2) {
        row[at] += left;
        row[at + 1] += top;
      }
    }
    return whole;
  }
}

/** Return the evenly spaced offsets of tiles that cover `length` and overlap by a fifth or more. */
export function tileStarts(length, tileSize) {
  if (length <= tileSize) return [0];
  const count = 1 + Math.ceil((length - tileSize) / (0.8 * tileSize));
  const step = (length - tileSize) / (count - 1);
  return Array.from({ length: count }, (_, index) => (index === count - 1 ? length - tileSize : Math.trunc(index * step)));
}

/**
 * Resize an image into the network's input, undistorted and centered on black. With several scales the input is divided into
 * cells, one for each level of an image pyramid.
 *
 * @param {{data: Uint8Array, width: number, height: number}} image RGB
 * @param {number} size side of the input in pixels
 * @param {number[]} [scales] longer side of the image in each cell over `size`
 * @returns {{tensor: Float32Array, placements: {scale: number, left: number, top: number}[]}} the input (size, size, 3) in
 *   -1..1, and for each cell: a position in the input is the position in the image times scale plus (left, top)
 */
export function letterbox(image, size, scales = FULL_SCALE) {
  const tensor = new Float32Array(3 * size * size).fill(-1);
  const { width, height } = image;
  const cells = cellsPerSide(scales);
  const cell = Math.floor(size / cells);
  let reduced = image;
  const placements = scales.map((relative, index) => {
    const scale = (size * relative) / Math.max(width, height);
    reduced = reduce(reduced, Math.max(1, roundHalfEven(width * scale)), Math.max(1, roundHalfEven(height * scale)));
    const left = (index % cells) * cell + Math.floor((cell - reduced.width) / 2);
    const top = Math.floor(index / cells) * cell + Math.floor((cell - reduced.height) / 2);
    const row = 3 * reduced.width;
    for (let y = 0, from = 0; y < reduced.height; y++) {
      const to = 3 * ((top + y) * size + left);
      for (let at = to; at < to + row; at++, from++) tensor[at] = LEVELS[reduced.data[from]];
    }
    return { scale, left, top };
  });
  return { tensor, placements };
}

/** Resize, halving by averaging while possible: faster than averaging in one step. */
function reduce(image, width, height) {
  while (image.width >= 2 * width && image.height >= 2 * height) {
    image = resize(image, Math.ceil(image.width / 2), Math.ceil(image.height / 2), "area");
  }
  return resize(image, width, height, "linear");
}

function cellsPerSide(levels) {
  return levels.length === 1 ? 1 : 2;
}

/** True if the center of a part lies in the middle half of another one of about its size. */
function isCoveredBy({ x, y, length }, other) {
  const isInMiddle = Math.abs(x - other.x) < other.length / 4 && Math.abs(y - other.y) < other.length / 4;
  return isInMiddle && length / other.length > 0.5 && length / other.length < 2;
}
