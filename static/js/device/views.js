// Views of a face crop whose predictions are averaged (test-time augmentation), as emotions/face/views.py makes them.

import { CONSTANTS } from "./constants.js";
import { roundHalfEven } from "./geometry.js";

const { VIEWS } = CONSTANTS["face.defaults"];
const { SHIFT, SHIFTS } = CONSTANTS["face.views"];

/** Throw RangeError unless `views` is a number of views that there is. */
export function checkViews(views) {
  if (!VIEWS.includes(views)) throw new RangeError(`views must be one of ${VIEWS.join(", ")}, not ${views}`);
}

/**
 * Make the views of a square crop.
 *
 * @param {Uint8Array} crop S * S grey values
 * @param {number} views 1 for the crop alone, 2 with its mirror image, 10 for the crop and four shifts, each with its mirror
 *   image
 * @returns {Uint8Array[]} those of a smaller number come first
 * @throws {RangeError} if `views` has another value
 */
export function cropViews(crop, views) {
  checkViews(views);
  if (views === 1) return [crop];
  const size = Math.sqrt(crop.length);
  const shift = roundHalfEven(size * SHIFT);
  return SHIFTS.slice(0, views / 2).flatMap(([down, across]) => {
    const view = down || across ? shifted(crop, size, shift * across, shift * down) : crop;
    return [view, mirrored(view, size)];
  });
}

/** The crop that starts `across` pixels further right and `down` further down, edges repeated. */
function shifted(crop, size, across, down) {
  const inside = (position) => Math.min(Math.max(position, 0), size - 1);
  const view = new Uint8Array(crop.length);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) view[y * size + x] = crop[inside(y + down) * size + inside(x + across)];
  }
  return view;
}

function mirrored(crop, size) {
  const view = crop.slice();
  for (let start = 0; start < crop.length; start += size) view.subarray(start, start + size).reverse();
  return view;
}
