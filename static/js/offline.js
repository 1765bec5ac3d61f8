// Offline use: the service worker, and the WebAssembly in its cache. Loaded when "On this device" is on, by then with the
// WebAssembly, so that the service worker has not seen its files.

import { availableThreads, buildFor } from "./device/builds.js";
import { cacheOf } from "./shared-photo.js";

const LITERT = new URL("vendor/litert/", new URL("../", import.meta.url));
const [, VERSION] = import.meta.url.match(/\/@([0-9a-f]{12})\//) ?? [];
const cachesOf = (root) => `emotion-detector ${root.pathname} `; // beginning of their names, as in service-worker.js

let abort = new AbortController();
let changes = Promise.resolve(); // one after the other

/**
 * Install the service worker and keep the files that it cannot know.
 *
 * @param {URL} root folder of the service worker
 * @param {boolean} isIsolated whether the pages will be cross-origin isolated: they load another build then
 * @throws {Error} if the browser refuses it, a file cannot be fetched, or forget() is called meanwhile
 */
export function keep(root, isIsolated) {
  const { signal } = abort;
  return inTurn(async () => {
    signal.throwIfAborted();
    const worker = await installed(await navigator.serviceWorker.register(new URL("service-worker.js", root)), signal);
    const name = cachesOf(root) + VERSION;
    if (!(await caches.has(name))) await Promise.race([installAgain(worker), aborted(signal)]);
    const cache = await caches.open(name);
    const builds = new Set([availableThreads(), availableThreads(isIsolated)].map(buildFor));
    for (const build of builds) {
      await add(cache, new URL(`${build}.js`, LITERT).href, signal);
      await add(cache, new URL(`${build}.wasm`, LITERT).href, signal);
    }
  });
}

/** Remove the service worker and its caches. */
export function forget(root) {
  abort.abort(new Error("the files are removed"));
  abort = new AbortController();
  return inTurn(async () => {
    const registration = await navigator.serviceWorker?.getRegistration(root);
    if (registration?.scope === root.href) await registration.unregister(); // not that of a site around this one
    const names = (await globalThis.caches?.keys()) ?? [];
    const own = names.filter((name) => name.startsWith(cachesOf(root)) || name === cacheOf(root));
    await Promise.all(own.map((name) => caches.delete(name)));
  });
}

function inTurn(change) {
  const done = changes.then(change);
  changes = done.catch(() => {});
  return done;
}

/** Return the newest service worker once it has its files and, if it is the first one, is active. */
function installed({ installing, waiting, active }, signal) {
  const worker = installing ?? waiting ?? active;
  const isDone = new Promise((resolve, reject) => {
    const check = () => {
      if (worker.state === "redundant") reject(new Error("the service worker cannot be installed"));
      if (worker.state === "activated" || (active && worker.state !== "installing")) resolve(worker);
    };
    worker.addEventListener("statechange", check);
    check();
  });
  return Promise.race([isDone, aborted(signal)]);
}

/** A promise that rejects when `signal` aborts. */
function aborted(signal) {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

/** Let the service worker fetch its files: where a page was open while it was removed, the browser takes back the same one. */
async function installAgain(worker) {
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise((resolve) => { port1.onmessage = resolve; });
  worker.postMessage({ version: VERSION }, [port2]);
  const { data } = await answer;
  if (data.error) throw new Error(data.error);
}

async function add(cache, address, signal) {
  if (await cache.match(address)) return;
  const response = await fetch(address, { signal });
  if (!response.ok) throw new Error(`${address}: status ${response.status}`);
  await cache.put(address, response);
}
