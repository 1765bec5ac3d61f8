// Types of client.js. The answers are those of POST /api/v1/image.

export type Emotion = "anger" | "disgust" | "fear" | "happy" | "neutral" | "sad" | "surprise";
export type UnsureReason = "turned" | "covered" | "small" | "blurred" | "low_confidence";

export interface Box {
  /** Pixels of the image. */
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Face {
  id: number;
  number: number;
  box: Box;
  /** Score of the detector, null with `detector: "none"`. */
  score: number | null;
  emotion: Emotion;
  confidence: number;
  probabilities: Record<Emotion, number>;
  /** Probability that the face is drawn. */
  drawn: number | null;
  unsure: UnsureReason | null;
  /** 468 points [x, y] in pixels, with the option `landmarks`; absent where they were not found. */
  landmarks?: [number, number][];
  /** Degrees, with `landmarks`. */
  pose?: { yaw: number; pitch: number; roll: number };
  /** Probabilities before smoothing, with `tracks`. */
  raw?: Record<Emotion, number>;
}

export interface Answer {
  width: number;
  height: number;
  faces: Face[];
  /** Detector that was used. */
  detector: string;
  views: number;
  model: { name: string; version: string };
  timing_ms: Record<"decode" | "detect" | "classify", number>;
  /** State of the tracker, with `tracks`: pass it with the next frame. */
  tracks?: string;
}

export interface AnalyzeOptions {
  /** "none": the whole image is one face. */
  detector?: "auto" | "blazeface" | "none";
  landmarks?: boolean;
  /** Views of each face over which the probabilities are averaged. */
  views?: 1 | 2 | 10;
  /** Track faces: "" with the first frame, then the `tracks` of the last answer. */
  tracks?: string;
  /** Seconds of the frame, with `tracks`. */
  time?: number;
  /** The image comes from a JPEG file: large ones are reduced as the server does. Known for a Blob. */
  isJpeg?: boolean;
}

export interface ClientOptions {
  /** Folder with manifest.json and the model files. */
  modelsUrl: string | URL;
  /** Folder of the files in wasm/ of @litertjs/core 2.5.3. */
  wasmUrl?: string | URL;
  /** Name of the expression head: that of the manifest by default. */
  head?: string;
  /** Threads of the networks, on pages that are cross-origin isolated. */
  threads?: number;
  /** "webgpu": the graphics card where there is one. */
  accelerator?: "wasm" | "webgpu";
}

export interface Runtime {
  build: string;
  threads: number;
  accelerator: "wasm" | "webgpu";
}

export interface Progress {
  /** Bytes. */
  loaded: number;
  total: number;
}

export const RUNTIME_BYTES: number;
/** Why this browser cannot analyze faces, as a sentence; null if it can. */
export function unsupportedReason(): string | null;
export function isSupported(): boolean;
export function createClient(options: ClientOptions): DeviceClient;

export class DeviceClient {
  private constructor();
  /** Bytes of all model files, and of those that a download would fetch. */
  sizes(signal?: AbortSignal): Promise<{ total: number; missing: number }>;
  cachedBytes(): Promise<number>;
  figures(signal?: AbortSignal): Promise<{
    reliability: { low: number; high: number; count: number; accuracy: number; [further: string]: number }[];
    drawn: { count: number; accuracy: number } | null;
  }>;
  /** Download what is missing and load the WebAssembly. */
  download(options?: { signal?: AbortSignal; onProgress?: (progress: Progress) => void }): Promise<Runtime>;
  /** Analyze an image; an ImageBitmap or VideoFrame is transferred or closed and cannot be used afterwards. */
  analyze(
    image: ImageBitmap | VideoFrame | ImageData | Blob,
    options?: AnalyzeOptions,
    control?: { signal?: AbortSignal },
  ): Promise<Answer>;
  /** Remove all files from this device. */
  removeFiles(): Promise<void>;
  /** End the worker; the next request starts another one. */
  close(): void;
}
