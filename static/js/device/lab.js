// Conversion of 8-bit RGB to 8-bit CIELAB, equal to cv2.cvtColor(..., COLOR_RGB2LAB).
//
// OpenCV computes in integers with tables: sRGB to linear light in 8 * 255 steps, and the cube root of XYZ over the white point
// D65.

import { roundHalfEven } from "./geometry.js";

const GAMMA_BITS = 3; // of the linear values beyond 8 bits
const MATRIX_BITS = 12;
const ROOT_BITS = MATRIX_BITS + GAMMA_BITS;
const WHITE = [0.950456, 1, 1.088754];
const TO_XYZ = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
].map((row, index) => row.map((value) => roundHalfEven((value / WHITE[index]) * (1 << MATRIX_BITS))));
const LIGHTNESS_SCALE = Math.trunc((116 * 255 + 50) / 100);
const LIGHTNESS_SHIFT = -Math.trunc((16 * 255 * (1 << ROOT_BITS) + 50) / 100);
const NEUTRAL = 128 * (1 << ROOT_BITS); // of a and b

const linear = Uint16Array.from({ length: 256 }, (_, index) => {
  const value = index / 255;
  return roundHalfEven(255 * (1 << GAMMA_BITS) * (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
});
const roots = Uint16Array.from({ length: (256 * 3 * (1 << GAMMA_BITS)) / 2 }, (_, index) => {
  const value = index / (255 * (1 << GAMMA_BITS));
  return roundHalfEven((1 << ROOT_BITS) * (value < 216 / 24389 ? (value * 841) / 108 + 16 / 116 : Math.cbrt(value)));
});
[roots[49], roots[628]] = [9454, 22126]; // within 2e-4 of a half, where OpenCV's cube root in float32 falls on the other side

const descale = (value, bits) => (value + (1 << (bits - 1))) >> bits;

/**
 * Convert one color.
 *
 * @param {ArrayLike<number>} rgb red, green and blue 0..255 from position `at` on
 * @param {number} [at]
 * @returns {number[]} L, a, b, each 0..255
 */
export function toLab(rgb, at = 0) {
  const [red, green, blue] = [linear[rgb[at]], linear[rgb[at + 1]], linear[rgb[at + 2]]];
  const [x, y, z] = TO_XYZ.map((row) => roots[descale(row[0] * red + row[1] * green + row[2] * blue, MATRIX_BITS)]);
  return [
    descale(LIGHTNESS_SCALE * y + LIGHTNESS_SHIFT, ROOT_BITS),
    descale(500 * (x - y) + NEUTRAL, ROOT_BITS),
    descale(200 * (y - z) + NEUTRAL, ROOT_BITS),
  ].map((value) => Math.min(Math.max(value, 0), 255));
}
