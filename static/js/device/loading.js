// Decoded images to RGB: transparency becomes white, and large images are reduced as the server reduces them.
//
// The browser has decoded the file. Its pixels are read strip by strip, so that beside them only the result is held.

import { CONSTANTS } from "./constants.js";
import { roundHalfEven } from "./geometry.js";
import { HammingRows, reduceColumns } from "./resize.js";

const { MAX_SIDE } = CONSTANTS["image.loading"];
const { LONGEST_SIDE } = CONSTANTS["image.formats"];
const { megapixels: MAX_MEGAPIXELS } = CONSTANTS["runtime.limits"].LIBRARY;
const { MIN_DRAFT } = CONSTANTS["image.codecs.jpeg"];
const DRAFT_SCALES = [8, 4, 2]; // in which libjpeg reduces while it decodes
const STRIP_PIXELS = 2 ** 19;
const MAX_CANVAS_SIDE = 8192; // browsers differ in the largest canvas
const OPAQUE = 255;

let canvas = null; // used again by the next image of this size, such as the next frame of a video

/**
 * Convert a decoded image to RGB and reduce it to a longer side of at most `maxSide` pixels.
 *
 * @param {ImageBitmap | ImageData | OffscreenCanvas | VideoFrame} source upright image
 * @param {number} [maxSide] in pixels
 * @param {object} [options]
 * @param {boolean} [options.isJpeg] true for the picture of a JPEG file: the server's decoder reduces these by whole factors, to
 *   between 7/8 of `maxSide` and all of it
 * @returns {{data: Uint8Array, width: number, height: number}} (height, width, 3)
 * @throws {RangeError} if the image has no pixels, or more than the library's limit
 */
export function fromImageBitmap(source, maxSide = MAX_SIDE, { isJpeg = false } = {}) {
  const [fullWidth, fullHeight] = sizeOf(source);
  checkSize(fullWidth, fullHeight);
  const longer = Math.max(fullWidth, fullHeight);
  const draft = (isJpeg && DRAFT_SCALES.find((scale) => longer / scale >= MIN_DRAFT * maxSide)) || 1;
  const drafted = { width: Math.ceil(fullWidth / draft), height: Math.ceil(fullHeight / draft) };
  const [width, height] = fit(drafted, maxSide);
  if (width === fullWidth && height === fullHeight) return { data: readRgb(source, 0, fullHeight), width, height };
  const filter = width === drafted.width ? null : new HammingRows(drafted.width, width, 3);
  const narrow = new Uint8Array(3 * width * drafted.height);
  const rows = draft * Math.max(1, Math.floor(STRIP_PIXELS / fullWidth / draft));
  for (let top = 0, to = 0; top < fullHeight; top += rows) {
    const strip = averageBlocks(readRgb(source, top, Math.min(rows, fullHeight - top)), fullWidth, draft);
    for (let from = 0; from < strip.length; from += 3 * drafted.width, to += 3 * width) {
      if (filter) filter.apply(strip, from, narrow, to);
      else narrow.set(strip.subarray(from, from + 3 * width), to);
    }
  }
  return { data: height === drafted.height ? narrow : reduceColumns(narrow, 3 * width, drafted.height, height), width, height };
}

/** Throw RangeError unless an image of this size has pixels, and no more than the library's limits. */
export function checkSize(width, height) {
  if (width < 1 || height < 1) throw new RangeError(`this picture has no pixels: ${width} x ${height}`);
  if (width * height > MAX_MEGAPIXELS * 1e6) {
    throw new RangeError(`this picture has ${width} x ${height} pixels; the limit is ${MAX_MEGAPIXELS} megapixels`);
  }
  if (Math.max(width, height) > LONGEST_SIDE) {
    throw new RangeError(`this picture has ${width} x ${height} pixels; the limit is ${LONGEST_SIDE} a side`);
  }
}

function sizeOf(source) {
  return [source.displayWidth ?? source.width, source.displayHeight ?? source.height]; // the first of a VideoFrame
}

function fit({ width, height }, maxSide) {
  const factor = Math.min(1, maxSide / Math.max(width, height));
  return [Math.max(1, roundHalfEven(width * factor)), Math.max(1, roundHalfEven(height * factor))];
}

/** Read whole rows as RGB. */
function readRgb(source, top, rows) {
  const [width] = sizeOf(source);
  const result = new Uint8Array(3 * width * rows);
  if (source.data) {
    copyRgb(source.data.subarray(4 * width * top, 4 * width * (top + rows)), width, result, width, 0);
    return result;
  }
  for (let first = 0; first < rows; first += MAX_CANVAS_SIDE) {
    const height = Math.min(MAX_CANVAS_SIDE, rows - first);
    for (let left = 0; left < width; left += MAX_CANVAS_SIDE) {
      const columns = Math.min(MAX_CANVAS_SIDE, width - left);
      const pixels = drawPart(source, left, top + first, columns, height);
      copyRgb(pixels, columns, result, width, first * width + left);
    }
  }
  return result;
}

/** Draw a part of an image on white, and return its RGBA. */
function drawPart(source, left, top, width, height) {
  if (canvas?.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, left, top, width, height, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** Copy rows of `columns` RGBA pixels over white to RGB rows of `width` pixels, beginning at pixel `to`. */
function copyRgb(pixels, columns, result, width, to) {
  for (let from = 0; from < pixels.length; to += width) {
    for (let at = 3 * to, end = 3 * (to + columns); at < end; at += 3, from += 4) {
      const alpha = pixels[from + 3];
      for (let channel = 0; channel < 3; channel++) {
        const value = pixels[from + channel];
        result[at + channel] = alpha === OPAQUE ? value : overWhite(value, alpha);
      }
    }
  }
}

/** Pillow's rounding of value * alpha + 255 * (1 - alpha). */
function overWhite(value, alpha) {
  const sum = value * alpha + OPAQUE * (OPAQUE - alpha) + 128;
  return ((sum >> 8) + sum) >> 8;
}

/** Average blocks of `side` x `side` pixels of RGB rows; those at the right and the lower edge may be smaller. */
function averageBlocks(data, width, side) {
  if (side === 1) return data;
  const height = data.length / 3 / width;
  const across = Math.ceil(width / side);
  const down = Math.ceil(height / side);
  const sums = new Int32Array(3 * across);
  const result = new Uint8Array(3 * across * down);
  for (let y = 0; y < down; y++) {
    const rows = Math.min(side, height - y * side);
    sums.fill(0);
    for (let row = 0, from = 3 * width * side * y; row < rows; row++) {
      for (let x = 0; x < width; x++, from += 3) {
        const at = 3 * Math.floor(x / side);
        sums[at] += data[from];
        sums[at + 1] += data[from + 1];
        sums[at + 2] += data[from + 2];
      }
    }
    for (let x = 0, at = 3 * across * y; x < sums.length; x++, at++) {
      const columns = Math.min(side, width - Math.floor(x / 3) * side);
      result[at] = Math.floor(sums[x] / (rows * columns) + 0.5);
    }
  }
  return result;
}
