// Flat colors, which separate drawings from photographs: the noise of a photograph seldom leaves nine neighboring pixels within
// one grey level.

import { CONSTANTS } from "./constants.js";
import { luma } from "./pixels.js";

const { MAX_SAMPLES, MIN_CONTRAST, MIN_LEVEL, MIN_REGION } = CONSTANTS["face.drawn_detector"];
const LOW_SHARE = 0.05; // percentiles between which the contrast is measured
const HIGH_SHARE = 0.95;

/**
 * Return the fraction of a region that has one flat color.
 *
 * Shadows, flat in photographs too, do not count. Large regions are read with a stride: blur is flat from pixel to pixel, but not
 * over several.
 *
 * @param {{data: Uint8Array, width: number, height: number}} image RGB
 * @param {{left: number, top: number, width: number, height: number}} box region in pixels of the image
 * @returns {number} 0..1; 0 for a region that is too small or has next to no contrast, such as sky and walls
 */
export function flatness(image, box) {
  const left = Math.max(0, Math.trunc(box.left));
  const top = Math.max(0, Math.trunc(box.top));
  const right = Math.min(image.width, Math.trunc(box.left + box.width));
  const bottom = Math.min(image.height, Math.trunc(box.top + box.height));
  if (right - left < MIN_REGION || bottom - top < MIN_REGION) return 0;
  const stride = Math.ceil(Math.max(right - left, bottom - top) / MAX_SAMPLES);
  const width = Math.ceil((right - left) / stride);
  const height = Math.ceil((bottom - top) / stride);
  const grey = new Uint8Array(width * height);
  for (let y = top, at = 0; y < bottom; y += stride) {
    for (let x = left; x < right; x += stride, at++) grey[at] = luma(image.data, 3 * (y * image.width + x));
  }
  if (percentile(grey, HIGH_SHARE) - percentile(grey, LOW_SHARE) < MIN_CONTRAST) return 0;
  return flatPixels(grey, width, height).reduce((sum, isFlat) => sum + isFlat, 0) / grey.length;
}

/** Value below which this share of grey levels lies, interpolated between neighbors. */
function percentile(grey, share) {
  const position = share * (grey.length - 1);
  const counts = new Uint32Array(256);
  for (const level of grey) counts[level]++;
  const levelAt = (rank) => {
    let level = 0;
    for (let below = counts[0]; below <= rank; below += counts[level]) level++;
    return level;
  };
  const lower = levelAt(Math.floor(position));
  return lower + (levelAt(Math.ceil(position)) - lower) * (position % 1);
}

/** Mark the pixels that are no shadow and whose neighborhood of 3 x 3 pixels is within one grey level: 1, else 0. */
export function flatPixels(grey, width, height) {
  const { low, high } = extremes(grey, width, height, 1, 1);
  return Uint8Array.from(grey, (level, at) => (high[at] - low[at] <= 1 && level >= MIN_LEVEL ? 1 : 0));
}

/**
 * Return the lowest and the highest grey level within `reach` pixels, up and down, left and right, of every `stride`-th pixel of
 * every `stride`-th row.
 *
 * @returns {{low: Uint8Array, high: Uint8Array, width: number, height: number}}
 */
export function extremes(grey, width, height, reach, stride) {
  const across = Math.ceil(width / stride);
  const down = Math.ceil(height / stride);
  const rowLow = new Uint8Array(across * height);
  const rowHigh = new Uint8Array(across * height);
  for (let y = 0; y < height; y++) scan(grey, y * width, 1, width, rowLow, rowHigh, y * across, 1, { reach, stride });
  const low = new Uint8Array(across * down);
  const high = new Uint8Array(across * down);
  for (let x = 0; x < across; x++) {
    scan(rowLow, x, across, height, low, null, x, across, { reach, stride });
    scan(rowHigh, x, across, height, null, high, x, across, { reach, stride });
  }
  return { low, high, width: across, height: down };
}

/** Write the extremes along one line of `length` values, `step` apart, to lines of `low` and `high` that are `toStep` apart. */
function scan(values, from, step, length, low, high, to, toStep, { reach, stride }) {
  for (let center = 0; center < length; center += stride, to += toStep) {
    const end = Math.min(length - 1, center + reach);
    let [min, max] = [255, 0];
    for (let at = Math.max(0, center - reach); at <= end; at++) {
      const value = values[from + at * step];
      if (value < min) min = value;
      if (value > max) max = value;
    }
    if (low) low[to] = min;
    if (high) high[to] = max;
  }
}
