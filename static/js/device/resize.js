// Resizing of uint8 images with the filters that the server uses, equal to OpenCV's and Pillow's to the last bit or nearly so.
//
// An image is { data: Uint8Array (height * width * channels, row-major), width, height }, with three channels (RGB) or one
// (grey).

import { roundHalfEven } from "./geometry.js";

const COEFFICIENT_BITS = 11; // of OpenCV's weights for linear interpolation
const PRECISION_BITS = 22; // of Pillow's weights
const HAMMING_SUPPORT = 1; // reach of the filter in pixels of the result
const MIN_SHARE = 1e-3; // OpenCV drops smaller parts of a pixel

/**
 * Resize an image.
 *
 * @param {{data: Uint8Array, width: number, height: number}} image
 * @param {number} width of the result, at least 1
 * @param {number} height of the result, at least 1
 * @param {"area" | "linear" | "hamming"} method cv2.INTER_AREA (only to at most the size of the image), cv2.INTER_LINEAR, or
 *   Pillow's HAMMING
 * @returns {{data: Uint8Array, width: number, height: number}} `image` itself where the size does not change
 * @throws {RangeError} for another method, or an enlargement with "area"
 */
export function resize(image, width, height, method) {
  if (width === image.width && height === image.height) return image;
  if (method === "hamming") return resizeHamming(image, width, height);
  if (method === "area") {
    if (width > image.width || height > image.height) throw new RangeError("the area filter does not enlarge");
    return resizeArea(image, width, height);
  }
  if (method !== "linear") throw new RangeError(`unknown method ${method}`);
  const isHalf = image.width === 2 * width && image.height === 2 * height; // OpenCV averages here too
  return isHalf ? resizeArea(image, width, height) : resizeLinear(image, width, height);
}

/** Number of channels of an image. */
export function channelsOf({ data, width, height }) {
  return data.length / (width * height);
}

/** Pixels of the source for each of the result, rounded as in OpenCV. */
function scaleOf(length, count) {
  return 1 / (count / length);
}

function resizeArea(image, width, height) {
  const across = scaleOf(image.width, width);
  const down = scaleOf(image.height, height);
  if (across === 2 && down === 2) return halve(image);
  if (Number.isInteger(across) && Number.isInteger(down)) return averageBlocks(image, width, height);
  return averageAreas(image, width, height);
}

/** Average blocks of 2 x 2 pixels, halves rounded up. */
function halve({ data, width, height }) {
  const channels = channelsOf({ data, width, height });
  const row = width * channels;
  const result = new Uint8Array(data.length / 4);
  for (let y = 0, at = 0; y < height; y += 2) {
    for (let x = 0, from = y * row; x < width; x += 2, from += channels) {
      for (let channel = 0; channel < channels; channel++, from++, at++) {
        result[at] = (data[from] + data[from + channels] + data[from + row] + data[from + row + channels] + 2) >> 2;
      }
    }
  }
  return { data: result, width: width / 2, height: height / 2 };
}

/** Average blocks of whole pixels, halves rounded to even. */
function averageBlocks(image, width, height) {
  const channels = channelsOf(image);
  const across = image.width / width;
  const down = image.height / height;
  const row = image.width * channels;
  const share = Math.fround(1 / (across * down));
  const sums = new Int32Array(width * channels);
  const result = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let from = y * down * row, end = from + down * row; from < end; ) {
      for (let x = 0; x < sums.length; x += channels) {
        for (let repeat = 0; repeat < across; repeat++) {
          for (let channel = 0; channel < channels; channel++) sums[x + channel] += image.data[from++];
        }
      }
    }
    for (let x = 0, at = y * sums.length; x < sums.length; x++) result[at + x] = roundHalfEven(Math.fround(sums[x] * share));
  }
  return { data: result, width, height };
}

/** Average over areas whose edges cut pixels. Sums are float32, in OpenCV's order, so that halves come out the same. */
function averageAreas(image, width, height) {
  const channels = channelsOf(image);
  const row = image.width * channels;
  const columns = areaShares(image.width, width);
  const lines = areaShares(image.height, height);
  const sums = new Float32Array(width * channels);
  const result = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let entry = lines.starts[y]; entry < lines.starts[y + 1]; entry++) {
      addRow(sums, image.data, lines.sources[entry] * row, columns, lines.shares[entry], channels);
    }
    for (let x = 0, at = y * sums.length; x < sums.length; x++) result[at + x] = roundHalfEven(sums[x]);
  }
  return { data: result, width, height };
}

/** Add a row that is narrowed to the length of `sums`, times `share`. */
function addRow(sums, data, from, { starts, sources, shares }, share, channels) {
  const fround = Math.fround;
  for (let x = 0, at = 0; x + 1 < starts.length; x++) {
    for (let channel = 0; channel < channels; channel++, at++) {
      let sum = 0;
      for (let entry = starts[x]; entry < starts[x + 1]; entry++) {
        sum = fround(sum + fround(data[from + sources[entry] * channels + channel] * shares[entry]));
      }
      sums[at] = fround(sums[at] + fround(share * sum));
    }
  }
}

/** For each of `count` equal parts of `length` pixels: the pixels in it and their shares (entries starts[n] to starts[n + 1]). */
function areaShares(length, count) {
  const scale = scaleOf(length, count);
  const starts = new Int32Array(count + 1);
  const sources = [];
  const shares = [];
  const add = (pixel, covered, size) => {
    sources.push(pixel);
    shares.push(covered / size);
  };
  for (let part = 0; part < count; part++) {
    const begin = part * scale;
    const end = begin + scale;
    const size = Math.min(scale, length - begin);
    const last = Math.min(Math.floor(end), length - 1);
    const first = Math.min(Math.ceil(begin), last);
    if (first - begin > MIN_SHARE) add(first - 1, first - begin, size);
    for (let pixel = first; pixel < last; pixel++) add(pixel, 1, size);
    if (end - last > MIN_SHARE) add(last, Math.min(end - last, 1, size), size);
    starts[part + 1] = sources.length;
  }
  return { starts, sources: Int32Array.from(sources), shares: Float32Array.from(shares) };
}

/** Interpolate between neighboring pixels with OpenCV's fixed-point weights. */
function resizeLinear(image, width, height) {
  const channels = channelsOf(image);
  const columns = linearWeights(image.width, width, true);
  const lines = linearWeights(image.height, height, false);
  const rows = [new Int32Array(width * channels), new Int32Array(width * channels)];
  const held = [-1, -1]; // numbers of the source's rows in `rows`
  const result = new Uint8Array(width * height * channels);
  for (let y = 0, at = 0; y < height; y++) {
    const upper = Math.min(Math.max(lines.sources[y], 0), image.height - 1);
    const lower = Math.min(Math.max(lines.sources[y] + 1, 0), image.height - 1);
    if (held[0] !== upper && held[1] === upper) {
      rows.reverse();
      held.reverse();
    }
    if (held[0] !== upper) interpolateRow(rows[0], image, upper, columns, channels);
    held[0] = upper;
    if (held[1] !== lower) interpolateRow(rows[1], image, lower, columns, channels);
    held[1] = lower;
    const [above, below] = rows;
    const first = lines.first[y];
    const second = lines.second[y];
    for (let x = 0; x < above.length; x++, at++) {
      result[at] = (((first * (above[x] >> 4)) >> 16) + ((second * (below[x] >> 4)) >> 16) + 2) >> 2;
    }
  }
  return { data: result, width, height };
}

function interpolateRow(target, image, y, { sources, first, second }, channels) {
  const { data, width } = image;
  const from = y * width * channels;
  for (let x = 0, at = 0; x < sources.length; x++) {
    const left = from + sources[x] * channels;
    const right = sources[x] + 1 < width ? left + channels : left;
    for (let channel = 0; channel < channels; channel++, at++) {
      target[at] = data[left + channel] * first[x] + data[right + channel] * second[x];
    }
  }
}

/** For each of `count` positions: the pixel before it, and the weights of it and of the next one. */
function linearWeights(length, count, isClipped) {
  const unit = 1 << COEFFICIENT_BITS;
  const scale = scaleOf(length, count);
  const sources = new Int32Array(count);
  const first = new Int32Array(count);
  const second = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    const position = Math.fround((index + 0.5) * scale - 0.5);
    let source = Math.floor(position);
    let fraction = Math.fround(position - source);
    if (isClipped && (source < 0 || source >= length - 1)) {
      source = source < 0 ? 0 : length - 1;
      fraction = 0;
    }
    sources[index] = source;
    first[index] = roundHalfEven(Math.fround(Math.fround(1 - fraction) * unit));
    second[index] = roundHalfEven(Math.fround(fraction * unit));
  }
  return { sources, first, second };
}

function resizeHamming(image, width, height) {
  const channels = channelsOf(image);
  const filter = new HammingRows(image.width, width, channels);
  const narrow = width === image.width ? image.data : new Uint8Array(width * image.height * channels);
  if (width !== image.width) {
    for (let y = 0; y < image.height; y++) filter.apply(image.data, y * image.width * channels, narrow, y * width * channels);
  }
  const data = height === image.height ? narrow : reduceColumns(narrow, width * channels, image.height, height);
  return { data, width, height };
}

/** Pillow's Hamming filter along rows of `length` pixels, to rows of `count` pixels. */
export class HammingRows {
  constructor(length, count, channels) {
    this.weights = hammingWeights(length, count);
    this.channels = channels;
  }

  /** Filter the row of `source` that starts at `from` into `target` at `to`. */
  apply(source, from, target, to) {
    const { starts, counts, weights, width } = this.weights;
    const { channels } = this;
    for (let x = 0; x < starts.length; x++) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 1 << (PRECISION_BITS - 1);
        let at = from + starts[x] * channels + channel;
        for (let tap = x * width, end = tap + counts[x]; tap < end; tap++, at += channels) sum += source[at] * weights[tap];
        target[to++] = Math.min(Math.max(sum >> PRECISION_BITS, 0), 255);
      }
    }
  }
}

/** Pillow's Hamming filter down columns: rows of `stride` bytes, `length` of them, to `count`. */
export function reduceColumns(source, stride, length, count) {
  const { starts, counts, weights, width } = hammingWeights(length, count);
  const sums = new Int32Array(stride);
  const result = new Uint8Array(stride * count);
  for (let y = 0; y < count; y++) {
    sums.fill(1 << (PRECISION_BITS - 1));
    for (let tap = 0; tap < counts[y]; tap++) {
      const weight = weights[y * width + tap];
      const from = (starts[y] + tap) * stride;
      for (let x = 0; x < stride; x++) sums[x] += source[from + x] * weight;
    }
    for (let x = 0, at = y * stride; x < stride; x++, at++) result[at] = Math.min(Math.max(sums[x] >> PRECISION_BITS, 0), 255);
  }
  return result;
}

/** Pillow's weights: for each of `count` positions the first pixel, the number of pixels, and their fixed-point weights. */
function hammingWeights(length, count) {
  const scale = length / count;
  const stretch = Math.max(scale, 1);
  const support = HAMMING_SUPPORT * stretch;
  const width = 2 * Math.ceil(support) + 1;
  const starts = new Int32Array(count);
  const counts = new Int32Array(count);
  const weights = new Int32Array(count * width);
  const values = new Float64Array(width);
  for (let index = 0; index < count; index++) {
    const center = (index + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const taps = Math.min(Math.trunc(center + support + 0.5), length) - start;
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) sum += values[tap] = hamming((tap + start - center + 0.5) * (1 / stretch));
    for (let tap = 0; tap < taps; tap++) {
      const weight = (values[tap] / sum) * (1 << PRECISION_BITS);
      weights[index * width + tap] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    starts[index] = start;
    counts[index] = taps;
  }
  return { starts, counts, weights, width };
}

function hamming(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= HAMMING_SUPPORT) return 0;
  const angle = x * Math.PI;
  return (Math.sin(angle) / angle) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(angle)); // float32 in Pillow
}
