// LiteRT.js: loads the WebAssembly once per worker or page and runs models of float32 tensors.
//
// The bindings of the WebAssembly are used directly: LiteRT's own wrapper cannot be imported without a bundler. Of the npm
// package @litertjs/core the folder wasm/ is needed.

import { availableThreads, buildFor, supports } from "./builds.js";
import { fixBatch } from "./flatbuffer.js";
import { requestDevice, Tensors } from "./tensors.js";

const MIN_THREADED_BYTES = 2e6; // of a file that gains from threads: face mesh and backbone, as on the server
const THREADED_MODELS = 2; // models that use threads at a time: so many threads are started beforehand
const MIN_CARD_BYTES = 1e6; // of a file that gains from a graphics card: the way there takes longer than a smaller network
const KEPT_LINES = 20; // of what the runtime printed, for error messages

let loading = null;
const printed = [];

/** True where WebAssembly with SIMD can run, without which the networks would be too slow. */
export function hasSimd() {
  return supports("simd");
}

/**
 * Load the WebAssembly; later calls wait for the first one.
 *
 * @param {object} options
 * @param {string | URL} options.wasmUrl folder of the files of @litertjs/core's folder wasm/
 * @param {number} [options.threads] threads of a model, as availableThreads() by default
 * @param {"wasm" | "webgpu"} [options.accelerator] "webgpu": run large models on the graphics card where there is one
 * @returns {Promise<{build: string, threads: number, accelerator: string}>} what runs
 * @throws {Error} if the browser cannot run it, or a file cannot be read
 */
export async function loadRuntime({ wasmUrl, threads = availableThreads(), accelerator = "wasm" }) {
  loading ??= load(new URL(wasmUrl, globalThis.location?.href), Math.min(threads, availableThreads()), accelerator);
  try {
    const { build, threads: used, device } = await loading;
    return { build, threads: used, accelerator: device ? "webgpu" : "wasm" };
  } catch (error) {
    loading = null; // a later call tries again
    throw error;
  }
}

async function load(folder, threads, accelerator) {
  if (!hasSimd()) throw new Error("this browser has no WebAssembly with SIMD");
  const build = buildFor(threads);
  const script = new URL(`${build}.js`, folder).href;
  await runScript(script);
  const create = globalThis.ModuleFactory;
  globalThis.ModuleFactory = undefined; // a variable of the script
  if (threads > 1) limitPool(THREADED_MODELS * (threads - 1));
  const locateFile = (name) => new URL(name, folder).href;
  const wasm = await create({ locateFile, mainScriptUrlOrBlob: script, print: keep, printErr: keep });
  delete navigator.hardwareConcurrency; // as it was before limitPool
  wasm.setupLogging();
  const device = accelerator === "webgpu" ? await requestDevice() : null;
  return { wasm, environment: wasm.LiteRtEnvironment.create(device), device, build, threads, threaded: 0 };
}

/** Messages of the runtime are information about its delegates; they are shown only in errors. */
function keep(line) {
  printed.push(line);
  if (printed.length > KEPT_LINES) printed.shift();
}

/** Run a classic script, which the runtime's files are. */
async function runScript(url) {
  if (typeof document === "undefined") return importScripts(url); // only classic workers may
  const script = document.createElement("script");
  script.src = url;
  try {
    await new Promise((resolve, reject) => {
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => reject(new Error(`${url} cannot be read`)));
      document.head.append(script);
    });
  } finally {
    script.remove();
  }
}

/**
 * The runtime starts as many workers as the machine has processors. Fewer are needed, or on small machines more: one that is
 * started later waits until this thread is idle, and a model that is deleted before that waits for it for ever.
 */
function limitPool(workers) {
  Object.defineProperty(navigator, "hardwareConcurrency", { value: workers, configurable: true });
}

/** A model that takes and returns float32 tensors, one at a time. Free its memory with delete(). */
export class Model {
  #parts; // of compile()
  #runtime;
  #tensors;
  #inputs;

  /** Use Model.load(). */
  constructor(runtime, parts, tensors) {
    this.#runtime = runtime;
    this.#parts = parts;
    this.#tensors = tensors;
    this.#inputs = tensors.inputsOf(parts.model);
  }

  /**
   * Load a model after loadRuntime().
   *
   * @param {Uint8Array} bytes a `.tflite` file; a batch of any size in it becomes a batch of one
   * @returns {Promise<Model>}
   * @throws {Error} if the file is damaged or the runtime cannot run it
   */
  static async load(bytes) {
    if (!loading) throw new Error("call loadRuntime() first");
    const runtime = await loading;
    const fixed = fixBatch(bytes);
    if (runtime.device && bytes.length >= MIN_CARD_BYTES) {
      const parts = await compile(runtime, fixed, "webgpu").catch(() => null);
      if (parts?.compiled.isFullyAccelerated()) return new Model(runtime, parts, new Tensors(runtime, runtime.device));
      if (parts) free(runtime, parts);
    }
    return new Model(runtime, await compile(runtime, fixed, "wasm"), new Tensors(runtime));
  }

  /** Sizes of the input tensors, such as [[1, 48, 48, 1]]. */
  get inputShapes() {
    return this.#inputs.map(({ shape }) => shape);
  }

  /**
   * Run the model.
   *
   * @param {...Float32Array} inputs one for each input tensor, row-major
   * @returns {Promise<Float32Array[]>} the outputs in the file's order
   * @throws {Error} if the number or the lengths of the inputs are not the model's
   */
  async run(...inputs) {
    if (!this.#inputs) throw new Error("the model was deleted");
    const count = this.#inputs.length;
    if (inputs.length !== count) throw new Error(`the model has ${count} inputs, not ${inputs.length}`);
    this.#inputs.forEach(({ shape, length }, index) => {
      const found = inputs[index].length;
      if (found !== length) throw new Error(`input ${index} has ${found} values, not ${shape.join(" x ")}`);
    });
    this.#inputs.forEach((input, index) => input.write(inputs[index]));
    let outputs;
    try {
      outputs = await this.#parts.compiled.run(0, this.#inputs.map(({ buffer }) => buffer));
    } catch (error) {
      throw withReason(error);
    }
    try {
      return await Promise.all(outputs.map((buffer) => this.#tensors.read(buffer)));
    } finally {
      for (const buffer of outputs) buffer.delete();
    }
  }

  /** Free the memory; the model cannot be used afterwards. */
  delete() {
    if (!this.#inputs) return;
    for (const input of this.#inputs) input.delete();
    this.#inputs = null;
    free(this.#runtime, this.#parts);
  }
}

/**
 * Load a file into the runtime. Returns {model, compiled, bytes, isThreaded}: LiteRT's objects, and the address of the file,
 * whose weights LiteRT reads where they are. Throws Error.
 */
async function compile(runtime, file, accelerator) {
  const { wasm, environment } = runtime;
  const isThreaded = runtime.threads > 1 && file.length >= MIN_THREADED_BYTES && runtime.threaded < THREADED_MODELS;
  const parts = { bytes: wasm._malloc(file.length), model: null, compiled: null, isThreaded };
  if (isThreaded) runtime.threaded++;
  const cpuOptions = { numThreads: isThreaded ? runtime.threads : 1 };
  const options = { environment, accelerator, cpuOptions, gpuOptions: { precision: "fp32" }, webNNOptions: {} };
  try {
    wasm.HEAPU8.set(file, parts.bytes);
    parts.model = wasm.loadModel(environment, parts.bytes, file.length);
    parts.compiled = await wasm.compileModel(environment, parts.model, options);
    return parts;
  } catch (error) {
    free(runtime, parts);
    throw withReason(error);
  }
}

function free(runtime, { bytes, model, compiled, isThreaded }) {
  compiled?.delete();
  model?.delete();
  runtime.wasm._free(bytes);
  if (isThreaded) runtime.threaded--;
}

/** Add what the runtime printed to an error, which otherwise is a number. */
function withReason(error) {
  return new Error(`the model cannot be run: ${error?.message ?? error}\n${printed.join("\n")}`, { cause: error });
}
