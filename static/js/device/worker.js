// Analysis in a worker, so that the page stays smooth. client.js starts it and describes the messages.
//
// This is a classic worker: the script of the WebAssembly is loaded with importScripts, which modules do not have. Everything
// else is a module. Message to the worker: {id, action, ...}; answers: {id, result}, {id, error}, and {id, progress} before them.

const actions = { start, download, analyze, remove };
const aborts = new Map(); // id -> AbortController of a request that runs
let setup = null;
let queue = Promise.resolve();

self.addEventListener("message", async ({ data }) => {
  const { id, action, ...values } = data;
  if (action === "abort") return void aborts.get(id)?.abort();
  const abort = new AbortController();
  aborts.set(id, abort);
  try {
    const onProgress = (progress) => self.postMessage({ id, progress });
    self.postMessage({ id, result: await actions[action](values, { signal: abort.signal, onProgress }) });
  } catch (error) {
    self.postMessage({ id, error: { name: error?.name ?? "Error", message: String(error?.message ?? error) } });
  } finally {
    aborts.delete(id);
  }
});

/** Read the manifest. Called once, with the options of createClient(). Returns the manifest's entry of the head. */
async function start({ modelsUrl, wasmUrl, threads, accelerator, head }, { signal }) {
  const [{ headOf, ModelFiles, neededEntries }, { ModelRegistry }, { loadRuntime }] = await Promise.all([
    import("./model-files.js"),
    import("./registry.js"),
    import("./runtime.js"),
  ]);
  const files = new ModelFiles(modelsUrl);
  const manifest = await files.manifest(signal);
  const chosen = headOf(manifest, head);
  const registry = new ModelRegistry(manifest, (entry) => files.bytes(entry));
  const runtime = () => loadRuntime({ wasmUrl, threads, accelerator });
  setup = { files, registry, head: chosen, entries: neededEntries(manifest, chosen), runtime };
  return setup.entries.find(({ role }) => role === "expression-head");
}

/** Download what is missing, remove what an earlier manifest left, and load the WebAssembly. Returns its build and threads. */
async function download(_, { signal, onProgress }) {
  await setup.files.download(setup.entries, { signal, onProgress });
  await setup.files.removeOthers(setup.entries);
  const runtime = await setup.runtime();
  setup.analyzer ??= await createAnalyzer(); // loads its modules: the network may be gone later
  return runtime;
}

/** Analyze an image (ImageBitmap, ImageData or Blob) after those that came before. Returns the JSON of the API. */
function analyze({ image, options }, { signal }) {
  const answer = queue.then(() => analyzeNow(image, options, signal));
  queue = answer.catch(() => {});
  return answer;
}

async function analyzeNow(image, options, signal) {
  const isFile = image instanceof Blob;
  let bitmap = isFile ? null : image;
  try {
    if (signal.aborted) return null;
    await setup.runtime();
    setup.analyzer ??= await createAnalyzer();
    bitmap ??= await decode(image);
    return await setup.analyzer.analyze(bitmap, isFile ? { isJpeg: await setup.isJpeg(image), ...options } : options);
  } finally {
    bitmap?.close?.();
  }
}

async function createAnalyzer() {
  const [{ FaceAnalyzer }, { decodeFile, isJpeg }] = await Promise.all([import("./analyzer.js"), import("./decoding.js")]);
  Object.assign(setup, { decodeFile, isJpeg });
  return new FaceAnalyzer(setup.registry, setup.head);
}

async function decode(file) {
  try {
    return await setup.decodeFile(file);
  } catch (error) {
    if (error instanceof RangeError) throw error; // it is too large, and says so
    throw new Error("the browser cannot read this image", { cause: error });
  }
}

/** Forget the models: the next analysis downloads them again. */
async function remove() {
  await setup.registry.delete();
  await setup.files.remove();
  setup.analyzer = null;
}
