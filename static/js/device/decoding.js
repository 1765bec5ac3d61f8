// Files of pictures to upright images, as the server decodes them.

import { checkSize } from "./loading.js";

const OPTIONS = { imageOrientation: "from-image", colorSpaceConversion: "none" };
const ORIENTATION_TAG = 0x0112;
const SHORT = 3; // TIFF type of an orientation
const EXIF_FLAG = 0x08; // in a WebP file's header
const CHUNK_HEADER = 8; // bytes: name and size
// A WebP file of 2 x 1 pixels whose EXIF data say that it is to be rotated to 1 x 2.
const SIDEWAYS =
  "UklGRk4AAABXRUJQVlA4WAoAAAAIAAAAAQAAAAAAVlA4TA4AAAAvAQAAAAcQEf0PRET/A0VYSUYaAAAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAA=";
// Matrices of a canvas for the orientations 2 to 8 of CIPA DC-008, given the width and the height of the picture as it is stored.
const TRANSFORMS = {
  2: (width) => [-1, 0, 0, 1, width, 0],
  3: (width, height) => [-1, 0, 0, -1, width, height],
  4: (_, height) => [1, 0, 0, -1, 0, height],
  5: () => [0, 1, 1, 0, 0, 0],
  6: (_, height) => [0, 1, -1, 0, height, 0],
  7: (width, height) => [0, -1, -1, 0, height, width],
  8: (width) => [0, -1, 1, 0, 0, width],
};

let isWebpOriented = null; // promise: this browser orients WebP files by itself

/**
 * Decode a picture's file: upright by its EXIF data, colors without conversion by a profile.
 *
 * @param {Blob} file
 * @returns {Promise<ImageBitmap>}
 * @throws {DOMException} if the browser cannot read the file
 * @throws {RangeError} if the picture is larger than the library's limits
 */
export async function decodeFile(file) {
  const bitmap = await createImageBitmap(file, OPTIONS);
  try {
    checkSize(bitmap.width, bitmap.height);
    const transform = TRANSFORMS[await webpOrientation(file)];
    const upright = !transform || (await orientsWebp()) ? bitmap : rotated(bitmap, transform);
    if (upright !== bitmap) bitmap.close();
    return upright;
  } catch (error) {
    bitmap.close();
    throw error;
  }
}

/** True for a JPEG file by its first bytes: the type of a file is only a guess from its name. */
export async function isJpeg(file) {
  const [first, second, third] = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  return first === 0xff && second === 0xd8 && third === 0xff;
}

function rotated(bitmap, transform) {
  const { width, height } = bitmap;
  const matrix = transform(width, height);
  const canvas = matrix[0] ? new OffscreenCanvas(width, height) : new OffscreenCanvas(height, width);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.setTransform(...matrix);
  context.drawImage(bitmap, 0, 0);
  return canvas.transferToImageBitmap();
}

/** True where the browser heeds the orientation of WebP files: Chromium 156 does for JPEG, PNG and AVIF alone. */
function orientsWebp() {
  isWebpOriented ??= (async () => {
    const bytes = Uint8Array.from(atob(SIDEWAYS), (letter) => letter.charCodeAt(0));
    const { width, height } = await createImageBitmap(new Blob([bytes]), OPTIONS);
    return height > width;
  })();
  isWebpOriented.catch(() => { isWebpOriented = null; }); // the next file tries again
  return isWebpOriented;
}

/** Orientation 1..8 in the EXIF data of a WebP file; 1 where there is none, it is damaged, or the file is of another format. */
async function webpOrientation(file) {
  const start = new DataView(await file.slice(0, 21).arrayBuffer());
  const isExtended = start.byteLength === 21 && nameAt(start, 0) === "RIFF" && nameAt(start, 8) === "WEBP" && nameAt(start, 12) === "VP8X";
  if (!isExtended || !(start.getUint8(20) & EXIF_FLAG)) return 1;
  const view = new DataView(await file.arrayBuffer());
  for (let at = 12; at + CHUNK_HEADER <= view.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    const body = at + CHUNK_HEADER;
    if (nameAt(view, at) === "EXIF") return orientationOf(new DataView(view.buffer, body, Math.min(size, view.byteLength - body)));
    at = body + size + (size % 2);
  }
  return 1;
}

/** Orientation in EXIF data, with or without the mark that JPEG files have before it. */
function orientationOf(exif) {
  try {
    const base = nameAt(exif, 0) === "Exif" ? 6 : 0;
    const little = exif.getUint16(base) === 0x4949;
    const directory = base + exif.getUint32(base + 4, little);
    const count = exif.getUint16(directory, little);
    for (let at = directory + 2; at < directory + 2 + 12 * count; at += 12) {
      const isOrientation = exif.getUint16(at, little) === ORIENTATION_TAG && exif.getUint16(at + 2, little) === SHORT;
      if (isOrientation) return exif.getUint16(at + 8, little);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // it ends too early
  }
  return 1;
}

/** Four letters. */
function nameAt(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((letter) => view.getUint8(at + letter)));
}
