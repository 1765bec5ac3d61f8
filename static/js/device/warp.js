// Affine crops of uint8 images, equal to those of OpenCV's warpAffine with linear interpolation and replicated borders.

import { clip, roundHalfEven } from "./geometry.js";
import { channelsOf, resize } from "./resize.js";

const POSITION_BITS = 10; // OpenCV's fixed-point positions
const FRACTION_BITS = 5; // interpolation is between 32 positions a pixel
const STEPS = 1 << FRACTION_BITS;

/** Return a part of an image, in an array of its own. The part has to lie inside the image. */
export function crop(image, left, top, width, height) {
  if (width === image.width && height === image.height) return image;
  const channels = channelsOf(image);
  const row = width * channels;
  const data = new Uint8Array(row * height);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * channels;
    data.set(image.data.subarray(from, from + row), y * row);
  }
  return { data, width, height };
}

/**
 * Sample a square crop with an affine transform, without aliasing.
 *
 * Where the crop is smaller than its part of the image, that part is averaged over areas first. Outside the image the border is
 * replicated.
 *
 * @param {{data: Uint8Array, width: number, height: number}} image with one or three channels
 * @param {number[]} matrix [a, b, c, d, e, f]: crop position (x, y) shows the image at (a x + b y + c, d x + e y + f); both are
 *   in pixels and measured from the corner of the first pixel
 * @param {number} size side of the crop in pixels
 * @returns {{data: Uint8Array, width: number, height: number}} with the channels of the image
 */
export function warpCrop(image, [a, b, c, d, e, f], size) {
  const scale = Math.sqrt(Math.abs(a * e - b * d));
  const margin = 2 * Math.max(scale, 1);
  const xs = [c, a * size + c, b * size + c, (a + b) * size + c];
  const ys = [f, d * size + f, e * size + f, (d + e) * size + f];
  const left = clip(Math.floor(Math.min(...xs) - margin), 0, image.width - 1);
  const top = clip(Math.floor(Math.min(...ys) - margin), 0, image.height - 1);
  const right = clip(Math.ceil(Math.max(...xs) + margin), left + 1, image.width);
  const bottom = clip(Math.ceil(Math.max(...ys) + margin), top + 1, image.height);
  let region = crop(image, left, top, right - left, bottom - top);
  let across = 1;
  let down = 1;
  if (scale > 1) {
    const width = Math.max(1, roundHalfEven((right - left) / scale));
    const height = Math.max(1, roundHalfEven((bottom - top) / scale));
    region = resize(region, width, height, "area");
    across = width / (right - left);
    down = height / (bottom - top);
  }
  // OpenCV's origin is the center of the first pixel, here it is the pixel's corner.
  const horizontal = [a * across, b * across, (c - left) * across];
  const vertical = [d * down, e * down, (f - top) * down];
  for (const row of [horizontal, vertical]) row[2] += row[0] * 0.5 + row[1] * 0.5 - 0.5;
  return sample(region, horizontal, vertical, size);
}

function sample(image, horizontal, vertical, size) {
  const { data, width, height } = image;
  const channels = channelsOf(image);
  const result = new Uint8Array(size * size * channels);
  const unit = 1 << POSITION_BITS;
  const shift = POSITION_BITS - FRACTION_BITS;
  const rounding = unit / STEPS / 2;
  const alongX = Int32Array.from({ length: size }, (_, x) => roundHalfEven(horizontal[0] * x * unit));
  const alongY = Int32Array.from({ length: size }, (_, x) => roundHalfEven(vertical[0] * x * unit));
  for (let y = 0, at = 0; y < size; y++) {
    const startX = roundHalfEven((horizontal[1] * y + horizontal[2]) * unit) + rounding;
    const startY = roundHalfEven((vertical[1] * y + vertical[2]) * unit) + rounding;
    for (let x = 0; x < size; x++) {
      const positionX = (startX + alongX[x]) >> shift;
      const positionY = (startY + alongY[x]) >> shift;
      const column = positionX >> FRACTION_BITS;
      const row = positionY >> FRACTION_BITS;
      const fractionX = positionX & (STEPS - 1);
      const fractionY = positionY & (STEPS - 1);
      const left = (column < 0 ? 0 : column < width ? column : width - 1) * channels;
      const right = (column < -1 ? 0 : column + 1 < width ? column + 1 : width - 1) * channels;
      const upper = (row < 0 ? 0 : row < height ? row : height - 1) * width * channels;
      const lower = (row < -1 ? 0 : row + 1 < height ? row + 1 : height - 1) * width * channels;
      for (let channel = 0; channel < channels; channel++, at++) {
        const above = data[upper + left + channel] * (STEPS - fractionX) + data[upper + right + channel] * fractionX;
        const below = data[lower + left + channel] * (STEPS - fractionX) + data[lower + right + channel] * fractionX;
        result[at] = (above * (STEPS - fractionY) + below * fractionY + STEPS * STEPS / 2) >> (2 * FRACTION_BITS);
      }
    }
  }
  return { data: result, width: size, height: size };
}
