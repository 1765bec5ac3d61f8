// Operations on uint8 images. An image is { data: Uint8Array, width, height }, row-major, with three channels (RGB) or one
// (grey).

import { channelsOf } from "./resize.js";

export { fromImageBitmap } from "./loading.js";
export { channelsOf, resize } from "./resize.js";
export { crop, warpCrop } from "./warp.js";

const GREY_BITS = 15; // of OpenCV's weights of red, green and blue (ITU-R BT.601)
const RED = 9798;
const GREEN = 19235;
const BLUE = 3735;

/**
 * Convert to grey (ITU-R BT.601 luma), as cv2.cvtColor does.
 *
 * @param {{data: Uint8Array, width: number, height: number}} image
 * @returns {Uint8Array} (height, width); the data itself of an image that is grey
 */
export function toGrey(image) {
  if (channelsOf(image) === 1) return image.data;
  const { data, width, height } = image;
  const result = new Uint8Array(width * height);
  for (let at = 0, from = 0; at < result.length; at++, from += 3) result[at] = luma(data, from);
  return result;
}

/** Luma 0..255 of the RGB pixel whose red is data[at]. */
export function luma(data, at) {
  return (data[at] * RED + data[at + 1] * GREEN + data[at + 2] * BLUE + (1 << (GREY_BITS - 1))) >> GREY_BITS;
}

/** Rotate an image by quarter turns clockwise; the result of 0 turns is the image itself. */
export function rotate(image, turns) {
  const quarters = ((turns % 4) + 4) % 4;
  if (!quarters) return image;
  const { width, height } = image;
  const channels = channelsOf(image);
  const data = rotatePixels(image.data, width, height, channels, quarters, new Uint8Array(image.data.length));
  return quarters % 2 ? { data, width: height, height: width } : { data, width, height };
}

/** Rotate row-major pixels by 1 to 3 quarter turns clockwise into `result`, an array of the same type, and return it. */
export function rotatePixels(data, width, height, channels, turns, result) {
  const last = width * height - 1;
  const [start, stepX, stepY] = [[last - width + 1, -width, 1], [last, -1, -width], [width - 1, width, -1]][turns - 1];
  const across = turns % 2 ? height : width;
  const down = turns % 2 ? width : height;
  for (let y = 0, at = 0; y < down; y++) {
    for (let x = 0, from = (start + y * stepY) * channels; x < across; x++, from += stepX * channels) {
      for (let channel = 0; channel < channels; channel++) result[at++] = data[from + channel];
    }
  }
  return result;
}
