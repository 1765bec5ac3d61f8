// Face Mesh: 468 landmarks of the face in a square region of an image, and the confidence that there is a face.
//
// A landmark is x and y in pixels of the image and z, its depth in pixels of the same scale, which grows away from the camera.
//
// Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019.
//
// A region is a rotated square of an image: { x, y, side, angle }, its center and side in pixels and its rotation in radians,
// clockwise as the viewer sees it. Landmarks are { points: Float32Array(468 * 3), logit }; the score is the sigmoid of the logit.

import { stableMatrix } from "./alignment.js";
import { areaOf } from "./boxes.js";
import { CONSTANTS } from "./constants.js";
import { eyeLine } from "./geometry.js";
import { warpCrop } from "./pixels.js";

const { MARGIN, MAX_PASSES, MAX_TILT, PLAUSIBLE } = CONSTANTS["face.landmarks"];
const CHANNELS = 3;
const MAX_ANGLE = (5 * Math.PI) / 180; // changes of a region that another pass would hardly follow
const MAX_SHIFT = 0.05; // in its sides
const [MIN_GROWTH, MAX_GROWTH] = [0.9, 1.11];
const LEVELS = Float32Array.from({ length: 256 }, (_, level) => level * Math.fround(1 / 255));

/**
 * Return the region around a detector's box, rotated until the eyes are level.
 *
 * @param {{left: number, top: number, width: number, height: number}} box
 * @param {Float32Array} keypoints of the detection; with NaN the region is rotated by `turns` alone
 * @param {number} turns quarter turns clockwise of the face
 */
export function regionOfBox(box, keypoints, turns) {
  const x = Math.fround(keypoints[2] - keypoints[0]);
  const y = Math.fround(keypoints[3] - keypoints[1]);
  const hasEyes = Number.isFinite(x) && Number.isFinite(y);
  return {
    x: box.left + box.width / 2,
    y: box.top + box.height / 2,
    side: MARGIN * Math.sqrt(areaOf(box)),
    angle: hasEyes ? Math.fround(Math.atan2(y, x)) : (turns * Math.PI) / 2,
  };
}

/** Return the region around landmarks (N, 3), rotated until the eyes are level. */
export function regionOfLandmarks(points) {
  const { angle } = eyeLine(points);
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let at = 0; at < points.length; at += CHANNELS) {
    const x = points[at] * cosine + points[at + 1] * sine;
    const y = points[at + 1] * cosine - points[at] * sine;
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    if (y > bottom) bottom = y;
  }
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  const side = MARGIN * Math.max(right - left, bottom - top);
  return { x: x * cosine - y * sine, y: x * sine + y * cosine, side, angle };
}

/** Score 0..1 that landmarks are those of a face. */
export function scoreOf({ logit }) {
  return 1 / (1 + Math.exp(-logit));
}

/** True if the face has at least this logit and is within MAX_TILT of so many quarter turns clockwise. */
export function isUpright({ points, logit }, turns = 0, minLogit = PLAUSIBLE) {
  const angle = eyeLine(points).angle - (turns * Math.PI) / 2;
  return logit >= minLogit && Math.cos(angle) >= Math.cos((MAX_TILT * Math.PI) / 180);
}

/** The Face Mesh model. */
export class FaceMesh {
  #model;

  /**
   * @param {object} entry entry of the manifest: input size and threshold
   * @param {{run: (input: Float32Array) => Promise<Float32Array[]>}} model
   */
  constructor(entry, model) {
    this.entry = entry;
    this.#model = model;
  }

  /** Predict the landmarks in a region of an RGB image in one pass. */
  async predict(image, region) {
    const { size } = this.entry.input;
    const matrix = matrixOf(region, size);
    const crop = warpCrop(image, matrix, size);
    const input = new Float32Array(crop.data.length);
    for (let at = 0; at < input.length; at++) input[at] = LEVELS[crop.data[at]];
    const outputs = await this.#model.run(input);
    const [raw, logit] = outputs[0].length > outputs[1].length ? outputs : [outputs[1], outputs[0]];
    const [a, b, c, d, e, f] = matrix;
    const points = new Float32Array(raw.length);
    for (let at = 0; at < raw.length; at += CHANNELS) {
      points[at] = raw[at] * a + raw[at + 1] * b + c;
      points[at + 1] = raw[at] * d + raw[at + 1] * e + f;
      points[at + 2] = raw[at + 2] * (region.side / size);
    }
    return { points, logit: logit[0] };
  }

  /** Predict the landmarks in up to MAX_PASSES passes, each over the region of the landmarks before. */
  async predictRefined(image, region) {
    let landmarks;
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      landmarks = await this.predict(image, region);
      const refined = regionOfLandmarks(landmarks.points);
      if (isCloseTo(region, refined)) break;
      region = refined;
    }
    return landmarks;
  }

  /**
   * Try the other quarter turns of a region, one pass each, and refine the best one if its logit is higher than before.
   *
   * @param {object} image RGB
   * @param {object} region first region of the image
   * @param {object} known landmarks that predictRefined() gave for it, returned where no other turn gives better ones
   */
  async predictTurned(image, region, known) {
    let best = null;
    for (const turns of [1, 2, 3]) {
      const turned = { ...region, angle: region.angle + (turns * Math.PI) / 2 };
      const { logit } = await this.predict(image, turned);
      if (!best || logit > best.logit) best = { logit, region: turned };
    }
    return best.logit >= Math.max(PLAUSIBLE, known.logit) ? this.predictRefined(image, best.region) : known;
  }
}

/** Matrix from a crop of `size` pixels to the image; see stableMatrix() and warpCrop(). */
function matrixOf({ x, y, side, angle }, size) {
  const cosine = Math.cos(angle) * (side / size);
  const sine = Math.sin(angle) * (side / size);
  const half = size / 2;
  return stableMatrix([cosine, -sine, x - (cosine - sine) * half, sine, cosine, y - (sine + cosine) * half]);
}

/** True if another pass over `other` would hardly change the landmarks. */
function isCloseTo(region, other) {
  const turn = (((region.angle - other.angle + Math.PI) % (2 * Math.PI)) + 2 * Math.PI) % (2 * Math.PI);
  const shift = Math.max(Math.abs(region.x - other.x), Math.abs(region.y - other.y)) / region.side;
  const growth = other.side / region.side;
  return Math.abs(turn - Math.PI) < MAX_ANGLE && shift < MAX_SHIFT && growth > MIN_GROWTH && growth < MAX_GROWTH;
}
