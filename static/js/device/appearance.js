// Appearance descriptor of a face in 48 bytes: colors of hair, face and clothes, to keep tracks of several people apart. As
// emotions/video/appearance.py. It is no means of identification: other clothes or other light change it.

import { CONSTANTS } from "./constants.js";
import { roundHalfEven } from "./geometry.js";
import { toLab } from "./lab.js";
import { warpCrop } from "./pixels.js";

const { CELLS, CELL_SIZE, FACE, GRID, GRID_CENTER, HEAD, HIDDEN, OTHER_BODY, OTHER_HEAD } = CONSTANTS["video.appearance"];
const { COLOUR_WEIGHT, LIGHTNESS_WEIGHT, MIN_SHARED_CELLS, TAU } = CONSTANTS["video.appearance"];
const SAMPLES = 6; // pixels a side of a cell that are averaged, which are enough

/**
 * Compute the appearance descriptors of the faces of one image: the mean CIELAB color, 8 bits a channel, of 16 cells around the
 * face. Cells that another face's head or body may cover are HIDDEN, except those of the face itself.
 *
 * @param {{data: Uint8Array, width: number, height: number}} image RGB
 * @param {object[]} boxes face boxes in pixels of the image
 * @returns {{descriptor: Uint8Array, occluded: boolean}[]} 48 bytes for each face, and whether another one may cover part of the
 *   head
 */
export function describe(image, boxes) {
  const bounded = boxes.map((box) => ({ ...box, width: Math.max(box.width, 1), height: Math.max(box.height, 1) }));
  return bounded.map((box, index) => {
    const side = Math.sqrt(box.width * box.height);
    const step = CELL_SIZE * side;
    const reach = ((CELL_SIZE * GRID) / 2) * side;
    const corner = [box.left + box.width / 2 - reach, box.top + GRID_CENTER * side - reach];
    const positions = CELLS.map(([row, column]) => [(column + 0.5) * step + corner[0], (row + 0.5) * step + corner[1]]);
    const others = bounded.filter((_, other) => other !== index);
    const covered = positions.map((position) => others.some((other) => mayCover(other, position)));
    const isHidden = (cell) => (covered[cell] && !(cell >= FACE[0] && cell < FACE[1])) || !isInside(image, positions[cell]);
    return { descriptor: colors(image, corner, step, isHidden), occluded: covered.slice(...HEAD).includes(true) };
  });
}

const isInside = ({ width, height }, [x, y]) => x >= 0 && y >= 0 && x < width && y < height;

/** Return whether another face's head or body may cover a position. */
function mayCover(box, [x, y]) {
  const beside = Math.abs(x - box.left - box.width / 2) / box.width - 0.5;
  const below = (y - box.top) / box.height;
  return [OTHER_HEAD, OTHER_BODY].some(([aside, top, bottom]) => beside < aside && below >= top && below < bottom);
}

function colors(image, corner, step, isHidden) {
  const grid = cellMeans(image, corner, step);
  const descriptor = new Uint8Array(3 * CELLS.length).fill(HIDDEN);
  CELLS.forEach(([row, column], cell) => {
    if (isHidden(cell)) return;
    const [lightness, a, b] = toLab(grid, 3 * (row * GRID + column));
    descriptor.set([Math.max(lightness, HIDDEN + 1), a, b], 3 * cell);
  });
  return descriptor;
}

/**
 * Average GRID x GRID cells of `step` pixels from `corner` on, each from about SAMPLES x SAMPLES of its pixels. Returns RGB
 * values.
 */
function cellMeans(image, corner, step) {
  const stride = Math.max(1, Math.trunc(step / SAMPLES));
  const scale = step / stride;
  return warpCrop(strided(image, stride), [scale, 0, corner[0] / stride, 0, scale, corner[1] / stride], GRID).data;
}

/** Take each `stride`-th pixel of each `stride`-th row of an RGB image. */
function strided(image, stride) {
  if (stride === 1) return image;
  const [width, height] = [Math.ceil(image.width / stride), Math.ceil(image.height / stride)];
  const data = new Uint8Array(3 * width * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, from = 3 * y * stride * image.width; x < width; x++, from += 3 * stride) {
      data[at++] = image.data[from];
      data[at++] = image.data[from + 1];
      data[at++] = image.data[from + 2];
    }
  }
  return { data, width, height };
}

/**
 * Compute the distance of two descriptors: root mean square over the cells that are visible in both. A difference in lightness
 * that all cells share is due to the light or the camera, and is ignored.
 *
 * @param {Uint8Array} one
 * @param {Uint8Array} other
 * @returns {number} NaN where too few cells are visible in both
 */
export function distance(one, other) {
  const shared = CELLS.map((_, cell) => 3 * cell).filter((at) => one[at] > HIDDEN && other[at] > HIDDEN);
  if (shared.length < MIN_SHARED_CELLS) return NaN;
  const lighter = shared.reduce((sum, at) => sum + one[at] - other[at], 0) / shared.length;
  let squares = 0;
  for (const at of shared) {
    squares += LIGHTNESS_WEIGHT * (one[at] - other[at] - lighter) ** 2;
    squares += COLOUR_WEIGHT * ((one[at + 1] - other[at + 1]) ** 2 + (one[at + 2] - other[at + 2]) ** 2);
  }
  return Math.sqrt(squares / shared.length);
}

/**
 * Move a track's descriptor towards an observed one; cells that are HIDDEN in that keep their value.
 *
 * @param {Uint8Array} descriptor of the track
 * @param {Uint8Array} observed in the new frame
 * @param {number} seconds since the track's last observation
 * @returns {Uint8Array}
 */
export function update(descriptor, observed, seconds) {
  const weight = 1 - Math.exp(-seconds / TAU);
  return descriptor.map((old, index) => {
    const lightness = 3 * Math.trunc(index / 3);
    if (observed[lightness] <= HIDDEN) return old;
    return descriptor[lightness] <= HIDDEN ? observed[index] : roundHalfEven(old + weight * (observed[index] - old));
  });
}
