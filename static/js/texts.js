// Texts about files and times.

import { formatTime } from "./style.js";

/** Beginning of the names of downloads for a file named `name`, as in web/pages/base.py. */
export const stemOf = (name) => name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_.-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "") || "result";

/** Size of a file. */
export const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;

/** Time since `start` (milliseconds of performance.now()). */
export function elapsedText(start) {
  const seconds = (performance.now() - start) / 1000;
  return seconds < 60 ? `${seconds.toFixed(1)} seconds` : `${formatTime(seconds)} minutes`;
}
