// Sliding-window detector of drawn faces: windows are classified by the features of the expression backbone.
//
// Face detectors are trained on photographs: in a drawing they miss faces without an outline and report pupils as faces. A
// small head on the backbone's features verifies. Only flat-colored regions with contrast are examined, so that photographs and
// blank paper cost next to nothing. A square is [center x, center y, side] in pixels.

import { alignCrop } from "./alignment.js";
import { areaOf } from "./boxes.js";
import { CONSTANTS } from "./constants.js";
import { extremes, flatness, flatPixels } from "./flatness.js";
import { toGrey } from "./pixels.js";

const { BOX_CENTER, BOX_SIDE } = CONSTANTS["face.alignment"];
const { DUPLICATE_DISTANCE, MAX_ACROSS, MAX_FACES, MAX_REFINED, MAX_SAMPLES, MIN_CONTRAST } = CONSTANTS["face.drawn_detector"];
const { MIN_REGION, PROPOSAL_SCALES, REFINE_OFFSETS, REFINE_REACH } = CONSTANTS["face.drawn_detector"];
const { WINDOW_SCALES, WINDOW_STRIDE } = CONSTANTS["face.drawn_detector"];

/** Detector of drawn faces. */
export class DrawnFaceDetector {
  #entry;
  #model;
  #features;

  /**
   * @param {object} entry entry of the verifier in the manifest
   * @param {() => Promise<object>} model returns the verifier
   * @param {(crops: Uint8Array[]) => Promise<Float32Array[]>} features from grey crops to the backbone's features
   */
  constructor(entry, model, features) {
    this.#entry = entry;
    this.#model = model;
    this.#features = features;
  }

  /**
   * Detect drawn faces.
   *
   * @param {{data: Uint8Array, width: number, height: number}} image RGB
   * @param {object[]} proposals boxes of another detector, examined beside the sliding windows
   * @returns {Promise<{box: object, score: number}[]>} up to MAX_FACES, with the verifier's probability, best first
   */
  async detect(image, proposals) {
    if (Math.min(image.width, image.height) < MIN_REGION) return [];
    const grey = { data: toGrey(image), width: image.width, height: image.height };
    const { thresholds } = this.#entry;
    const isFlat = (box) => flatness(image, box) >= thresholds.flatness;
    const windows = flatSquares(grey, slidingWindows(image.height, image.width), thresholds.flatness);
    const squares = [...proposals.filter(isFlat).flatMap(proposalSquares), ...windows];
    const scores = await this.#scores(grey, squares);
    const order = [...scores.keys()].sort((first, second) => scores[second] - scores[first]);
    const found = [];
    const isKnown = (square) => found.some((face) => areDuplicates(square, face.square));
    let refined = 0;
    for (const index of order) {
      if (scores[index] < thresholds.possible || found.length === MAX_FACES || refined === MAX_REFINED) break;
      if (isKnown(squares[index])) continue;
      refined += 1;
      const { square, score } = await this.#refine(grey, squares[index]);
      if (score >= thresholds.face && !isKnown(square) && isFlat(boundsOf(square))) found.push({ square, score });
    }
    return found.map(({ square, score }) => ({ box: squareToBox(square), score: 1 / (1 + Math.exp(-score)) }));
  }

  /** The verifier's logits for squares of a grey image. */
  async #scores(grey, squares) {
    if (!squares.length) return [];
    const model = await this.#model();
    const crops = squares.map((square) => alignCrop(grey, squareToBox(square), null, this.#entry.crop));
    const logits = [];
    for (const features of await this.#features(crops)) logits.push((await model.run(features))[0][0]);
    return logits;
  }

  /** Average the windows around one, weighted by their odds of being a face; the score is the highest logit. */
  async #refine(grey, [x, y, side]) {
    const windows = REFINE_OFFSETS.map(([right, down, scale]) => [x + right * side, y + down * side, scale * side]);
    const scores = await this.#scores(grey, windows);
    const best = Math.max(...scores);
    const weights = scores.map((score) => Math.fround(Math.exp(Math.fround(score - best))));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const mean = (axis) => windows.reduce((total, window, index) => total + window[axis] * weights[index], 0) / sum;
    return { square: [mean(0), mean(1), mean(2)], score: best };
  }
}

/** Return the windows of an image: the smallest square around it, the largest inside it, then WINDOW_SCALES. */
export function slidingWindows(height, width) {
  const short = Math.min(height, width);
  const squares = [[width / 2, height / 2, Math.max(height, width)]];
  for (const side of [short, ...WINDOW_SCALES.map((scale) => scale * short)]) {
    for (const x of windowCenters(width, side)) squares.push(...windowCenters(height, side).map((y) => [x, y, side]));
  }
  const distinct = new Map(squares.map((square) => [square.join(), square])); // the first two are equal where the image is square
  return [...distinct.values()];
}

function windowCenters(length, side) {
  if (length <= side) return [length / 2];
  const count = Math.min(MAX_ACROSS, 1 + Math.ceil((length - side) / (WINDOW_STRIDE * side)));
  const [first, last] = [side / 2, length - side / 2];
  const step = (last - first) / (count - 1);
  return Array.from({ length: count }, (_, index) => (index === count - 1 ? last : index * step + first));
}

/** Return the box for which alignCrop() without landmarks crops exactly this square. */
function squareToBox([x, y, side]) {
  const inner = side / BOX_SIDE;
  const left = x + (BOX_CENTER[0] - 0.5) * side - inner / 2;
  return { left, top: y + (BOX_CENTER[1] - 0.5) * side - inner / 2, width: inner, height: inner };
}

function proposalSquares(box) {
  const side = BOX_SIDE * Math.sqrt(areaOf(box));
  const x = box.left + box.width / 2 - (BOX_CENTER[0] - 0.5) * side;
  const y = box.top + box.height / 2 - (BOX_CENTER[1] - 0.5) * side;
  return PROPOSAL_SCALES.map((scale) => [x, y, scale * side]);
}

/** Keep the squares that are flat enough, by one integral image of the whole image, and whose surroundings have contrast. */
function flatSquares(grey, squares, minFlatness) {
  const stride = Math.ceil(Math.max(grey.width, grey.height) / (2 * MAX_SAMPLES));
  const flat = flatPixels(...sampled(grey, stride));
  const sums = integral(flat, Math.ceil(grey.width / stride), Math.ceil(grey.height / stride));
  const kept = squares.filter((square) => {
    const box = boundsOf(square);
    const left = Math.max(0, Math.trunc(box.left / stride));
    const top = Math.max(0, Math.trunc(box.top / stride));
    const right = Math.min(sums.width, Math.trunc((box.left + box.width) / stride));
    const bottom = Math.min(sums.height, Math.trunc((box.top + box.height) / stride));
    const needed = minFlatness * (right - left) * (bottom - top);
    return needed > 0 && sums.at(right, bottom) - sums.at(right, top) - sums.at(left, bottom) + sums.at(left, top) >= needed;
  });
  return kept.length ? withContrast(grey, kept, stride) : [];
}

/** Every `stride`-th pixel of every `stride`-th row: its values, width and height. */
function sampled({ data, width, height }, stride) {
  const [across, down] = [Math.ceil(width / stride), Math.ceil(height / stride)];
  const values = new Uint8Array(across * down);
  for (let y = 0, at = 0; y < height; y += stride) {
    for (let x = 0; x < width; x += stride) values[at++] = data[y * width + x];
  }
  return [values, across, down];
}

/** Sums over the part of an image left of and above (x, y). */
function integral(values, width, height) {
  const sums = new Int32Array((width + 1) * (height + 1));
  for (let y = 1, from = 0; y <= height; y++) {
    for (let x = 1, row = 0; x <= width; x++) {
      row += values[from++];
      sums[y * (width + 1) + x] = sums[(y - 1) * (width + 1) + x] + row;
    }
  }
  return { width, height, at: (x, y) => sums[y * (width + 1) + x] };
}

/** Drop the squares around which no window has the contrast that flatness() asks for: blank paper is not classified. */
function withContrast(grey, squares, stride) {
  const { low, high, width, height } = extremes(grey.data, grey.width, grey.height, stride, stride);
  return squares.filter(([x, y, side]) => {
    const reach = REFINE_REACH * side;
    const [left, top] = [x, y].map((center) => Math.max(0, Math.trunc((center - reach) / stride)));
    const right = Math.min(width, Math.trunc((x + reach) / stride) + 1);
    const bottom = Math.min(height, Math.trunc((y + reach) / stride) + 1);
    let [min, max] = [255, 0];
    for (let row = top; row < bottom; row++) {
      for (let at = row * width + left; at < row * width + right; at++) {
        if (low[at] < min) min = low[at];
        if (high[at] > max) max = high[at];
      }
    }
    return max - min >= MIN_CONTRAST;
  });
}

function areDuplicates(one, other) {
  const reach = DUPLICATE_DISTANCE * (one[2] + other[2]);
  return Math.abs(one[0] - other[0]) < reach && Math.abs(one[1] - other[1]) < reach;
}

function boundsOf([x, y, side]) {
  return { left: x - side / 2, top: y - side / 2, width: side, height: side };
}
