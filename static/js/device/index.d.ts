// Types of index.js: the library on the thread of its caller.

import type { AnalyzeOptions, Answer, ClientOptions } from "./client.js";

export type * from "./client.js";

/** Image that was loaded: RGB, row by row. */
export interface Pixels {
  data: Uint8Array;
  width: number;
  height: number;
}

/** Result of FaceAnalyzer.predict(), which FaceTracker.update() takes; imageJson() makes the answer of it. */
export interface Result {
  width: number;
  height: number;
  detector: string;
  views: number;
  [further: string]: unknown;
}

export class FaceAnalyzer {
  private constructor();
  analyze(source: ImageBitmap | VideoFrame | ImageData | Pixels, options?: AnalyzeOptions): Promise<Answer>;
  predict(image: Pixels, options?: Pick<AnalyzeOptions, "detector" | "landmarks" | "views">): Promise<Result>;
}

/** Follows faces through frames and smooths their probabilities. */
export class FaceTracker {
  constructor(state?: string);
  readonly state: string;
  update(image: Pixels, result: Result, time?: number): Result;
}

export class TrackerStateError extends Error {}
export const CONSTANTS: Record<string, Record<string, unknown>>;
export function imageJson(result: Result): Answer;

/** Make an analyzer; its model files are downloaded on first use. */
export function createAnalyzer(settings: ClientOptions): Promise<FaceAnalyzer>;
/** Analyze an image; later calls with the same settings use the same analyzer. */
export function analyze(image: ImageBitmap | VideoFrame | ImageData, options: ClientOptions & AnalyzeOptions): Promise<Answer>;
