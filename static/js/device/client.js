// Client of the worker: analysis of faces on this device, with the options and answers of POST /api/v1/image.

import { headOf, ModelFiles, neededEntries } from "./model-files.js";
import { hasSimd } from "./runtime.js";

/** Compressed size of the WebAssembly, which is downloaded beside the model files; bytes. */
export const RUNTIME_BYTES = 2_900_000;
const WASM = new URL("../../vendor/litert/", import.meta.url);
const TRANSFERRED = ["ImageBitmap", "VideoFrame"];

/** Return why this browser cannot analyze faces, as a sentence for users; null if it can. */
export function unsupportedReason() {
  if (typeof Worker !== "function") return "This browser has no web workers.";
  const draws = typeof OffscreenCanvas === "function" && typeof createImageBitmap === "function";
  if (!draws) return "This browser cannot draw in a web worker.";
  if (!hasSimd()) return "This browser has no WebAssembly with SIMD, or it is turned off.";
  return null;
}

/** True where faces can be analyzed on this device. */
export function isSupported() {
  return unsupportedReason() === null;
}

/**
 * Make a client; it starts its worker when that is first needed.
 *
 * @param {object} options
 * @param {string | URL} options.modelsUrl folder with manifest.json and the model files
 * @param {string | URL} [options.wasmUrl] folder of LiteRT's WebAssembly; by default that of the project
 * @param {string} [options.head] name of the expression head; by default the one that the manifest names
 * @param {number} [options.threads] threads of the networks; by default as many as are useful
 * @param {"wasm" | "webgpu"} [options.accelerator] "webgpu": the graphics card where there is one; the first answer takes longer
 * @returns {DeviceClient}
 */
export function createClient({ modelsUrl, wasmUrl = WASM, head, threads, accelerator }) {
  const absolute = (url) => new URL(url, document.baseURI).href;
  return new DeviceClient({ modelsUrl: absolute(modelsUrl), wasmUrl: absolute(wasmUrl), head, threads, accelerator });
}

/** Analyzes images in a worker, one after the other. */
export class DeviceClient {
  #options;
  #files;
  #worker = null;
  #started = null;
  #requests = new Map(); // id -> {resolve, reject, onProgress}
  #nextId = 1;

  /** Use createClient(). */
  constructor(options) {
    this.#options = options;
    this.#files = new ModelFiles(options.modelsUrl);
  }

  /**
   * Sizes in bytes: `total` of all model files, `missing` of those that a download would fetch. The WebAssembly is not counted.
   *
   * @param {AbortSignal} [signal]
   * @returns {Promise<{total: number, missing: number}>}
   */
  async sizes(signal) {
    const manifest = await this.#files.manifest(signal);
    const entries = neededEntries(manifest, headOf(manifest, this.#options.head));
    const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    return { total, missing: total - (await this.#files.cachedBytes(entries)) };
  }

  /**
   * Measured figures of the expression head: `reliability`, bins of {low, high, count, confidence, accuracy}, and `drawn`,
   * {count, accuracy} on drawn faces or null. Empty where the manifest has none: the server adds them. They are those of the
   * manifest that the worker has read, so that a result does not wait for the network.
   *
   * @param {AbortSignal} [signal]
   */
  async figures(signal) {
    const head = await this.#start(signal);
    return { reliability: head.reliability ?? [], drawn: head.drawn_faces ?? null };
  }

  /** Bytes of the model files that are kept on this device. */
  async cachedBytes() {
    const { total, missing } = await this.sizes();
    return total - missing;
  }

  /**
   * Download the model files that are missing and load the WebAssembly.
   *
   * @param {object} [options]
   * @param {AbortSignal} [options.signal] cancels; complete files are kept
   * @param {(progress: {loaded: number, total: number}) => void} [options.onProgress] bytes
   * @returns {Promise<{build: string, threads: number, accelerator: string}>} which build of the WebAssembly runs, and how
   */
  async download({ signal, onProgress } = {}) {
    await this.#start(signal);
    return this.#request("download", {}, { signal, onProgress });
  }

  /**
   * Analyze an image; files that are missing are downloaded first.
   *
   * @param {ImageBitmap | VideoFrame | ImageData | Blob} image the first two are transferred or closed: they cannot be used
   *   afterwards
   * @param {object} [options] fields of POST /api/v1/image: `detector`, `landmarks`, `views`, and `tracks`, `time` for frames
   * @param {object} [control]
   * @param {AbortSignal} [control.signal] rejects at once; a network that runs already ends first
   * @returns {Promise<object>} the JSON of POST /api/v1/image
   * @throws {Error} for options that only the server has, an image that the browser cannot read, and files that are missing
   */
  async analyze(image, options = {}, { signal } = {}) {
    const transfer = TRANSFERRED.some((name) => globalThis[name] && image instanceof globalThis[name]) ? [image] : [];
    try {
      await this.#start(signal);
      return await this.#request("analyze", { image, options }, { signal, transfer });
    } finally {
      for (const each of transfer) each.close(); // one that was not sent; the others are closed by the worker
    }
  }

  /** Remove all files from this device. */
  async removeFiles() {
    if (this.#started) await this.#request("remove", {}, {});
    await this.#files.remove();
  }

  /** End the worker and free its memory; requests that run are rejected. The next request starts another worker. */
  close() {
    this.#worker?.terminate();
    this.#worker = this.#started = null;
    for (const { reject } of this.#requests.values()) reject(new DOMException("the client was closed", "AbortError"));
    this.#requests.clear();
  }

  /** Start the worker, once. Returns the manifest's entry of the head. */
  #start(signal) {
    if (!this.#started) {
      const reason = unsupportedReason();
      if (reason) return Promise.reject(new Error(reason));
      this.#worker = new Worker(new URL("./worker.js", import.meta.url)); // classic: see there
      this.#worker.addEventListener("message", ({ data }) => this.#receive(data));
      this.#worker.addEventListener("error", (event) => this.#fail(event));
      this.#started = this.#request("start", this.#options, {});
      this.#started.catch(() => this.close()); // the next request tries again
    }
    return signal ? orAborted(this.#started, signal) : this.#started;
  }

  #request(action, values, { signal, onProgress, transfer = [] }) {
    const id = this.#nextId++;
    const answer = new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const stop = () => {
        this.#requests.delete(id);
        this.#worker?.postMessage({ id, action: "abort" });
        reject(signal.reason);
      };
      const settle = (settled) => (value) => {
        signal?.removeEventListener("abort", stop);
        settled(value);
      };
      signal?.addEventListener("abort", stop, { once: true });
      this.#requests.set(id, { resolve: settle(resolve), reject: settle(reject), onProgress });
    });
    try {
      if (this.#requests.has(id)) this.#worker.postMessage({ id, action, ...values }, transfer);
    } catch (error) {
      this.#requests.get(id).reject(error); // a value that cannot be sent, such as an image that was transferred before
      this.#requests.delete(id);
    }
    return answer;
  }

  #receive({ id, result, error, progress }) {
    const request = this.#requests.get(id);
    if (!request) return; // it was aborted
    if (progress) return void request.onProgress?.(progress);
    this.#requests.delete(id);
    if (error) request.reject(Object.assign(new Error(error.message), { name: error.name }));
    else request.resolve(result);
  }

  /** The worker's script cannot be read, or it ran out of memory. */
  #fail(event) {
    const error = new Error(event.message || "the worker cannot be started");
    for (const { reject } of this.#requests.values()) reject(error);
    this.#requests.clear();
    this.close();
  }
}

/** Wait for a promise until `signal` aborts. The signal of a camera lasts for many requests: it keeps no listener of one that ended. */
async function orAborted(promise, signal) {
  let stop;
  const aborted = new Promise((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
