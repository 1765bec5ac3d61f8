// The library on the thread of its caller: analysis without the worker of client.js, and a tracker for frames.

import { FaceAnalyzer } from "./analyzer.js";
import { headOf, ModelFiles } from "./model-files.js";
import { ModelRegistry } from "./registry.js";
import { loadRuntime } from "./runtime.js";

export { FaceAnalyzer } from "./analyzer.js";
export { CONSTANTS } from "./constants.js";
export { imageJson } from "./results.js";
export { FaceTracker } from "./tracker.js";
export { TrackerStateError } from "./tracker-state.js";

const analyzers = new Map(); // settings -> promise of the analyzer of analyze()

/**
 * Make an analyzer; its model files are downloaded on first use.
 *
 * @param {object} settings
 * @param {string | URL} settings.modelsUrl folder with manifest.json and the model files
 * @param {string | URL} [settings.wasmUrl] folder of LiteRT's WebAssembly; by default that of the project
 * @param {string} [settings.head] name of the expression head; by default the one that the manifest names
 * @param {number} [settings.threads] threads of the networks; by default as many as are useful
 * @param {"wasm" | "webgpu"} [settings.accelerator] "webgpu": the graphics card where there is one. The WebAssembly is loaded once:
 *   the first analyzer of a page decides on threads and accelerator
 * @returns {Promise<FaceAnalyzer>}
 * @throws {Error} if the browser cannot run it, or a file cannot be read
 */
export async function createAnalyzer({ modelsUrl, wasmUrl = new URL("../../vendor/litert/", import.meta.url), head, threads, accelerator }) {
  const files = new ModelFiles(modelsUrl);
  const [manifest] = await Promise.all([files.manifest(), loadRuntime({ wasmUrl, threads, accelerator })]);
  return new FaceAnalyzer(new ModelRegistry(manifest, (entry) => files.bytes(entry)), headOf(manifest, head));
}

/**
 * Analyze an image. The analyzer of the first call is used again by later calls with the same settings.
 *
 * @param {ImageBitmap | ImageData} image upright
 * @param {object} options the settings of createAnalyzer(), and the options of FaceAnalyzer.analyze()
 * @returns {Promise<object>} the JSON of POST /api/v1/image
 */
export async function analyze(image, { modelsUrl, wasmUrl, head, threads, accelerator, ...options }) {
  const key = JSON.stringify([modelsUrl, wasmUrl, head, threads, accelerator]);
  if (!analyzers.has(key)) {
    const analyzer = createAnalyzer({ modelsUrl, wasmUrl, head, threads, accelerator });
    analyzers.set(key, analyzer);
    analyzer.catch(() => analyzers.delete(key)); // the next call tries again
  }
  return (await analyzers.get(key)).analyze(image, options);
}
