// Model files: downloaded with progress, checked, kept in Cache Storage under their SHA-256, removed on request.

import { CONSTANTS } from "./constants.js";

const CACHE = "emotion-detector-models";
const MANIFEST = "manifest.json";
const PATIENCE = 3000; // ms for a manifest of which there is a copy: a network without connection to the server may not fail
const ROLES = new Set([
  "detector", "landmarks", "expression-base", "expression-head", "drawn-head", "covered-head", "face-check",
]); // of the models that read faces

/** Name of the head that is used: `head` if given, else the one that the manifest names, else the default one. */
export function headOf(manifest, head) {
  return head ?? manifest.head ?? CONSTANTS["face.defaults"].DEFAULT_HEAD;
}

/** Entries of a manifest that reading faces needs: all models of faces, but of the heads only the one named. */
export function neededEntries(manifest, head) {
  const needed = ({ role, name }) => ROLES.has(role) && (role !== "expression-head" || name === head);
  return manifest.models.filter(needed);
}

/** The model files of one manifest. Without Cache Storage (refused, full, or a page without https) they are kept in memory. */
export class ModelFiles {
  #folder;
  #cache = null;
  #memory = new Map(); // SHA-256 -> bytes of files that could not be stored

  /** @param {string | URL} modelsUrl folder with manifest.json */
  constructor(modelsUrl) {
    this.#folder = new URL(modelsUrl, globalThis.location?.href);
    if (!this.#folder.pathname.endsWith("/")) this.#folder.pathname += "/";
  }

  /**
   * Fetch the manifest; where there is no network, or it does not answer soon, the one of the last visit.
   *
   * @param {AbortSignal} [signal]
   * @returns {Promise<object>} parsed JSON
   * @throws {Error} if it cannot be fetched and is not cached
   */
  async manifest(signal) {
    const url = new URL(MANIFEST, this.#folder);
    const cache = await this.#open();
    const cached = await cache?.match(url);
    try {
      const text = await fetchText(url, signal, cached ? PATIENCE : Infinity);
      const manifest = JSON.parse(text); // an answer that is none, such as a network's page to log in, is not kept
      const copy = new Response(text, { headers: { "Content-Type": "application/json" } });
      await cache?.put(url, copy).catch(() => {}); // the storage is full: the next visit fetches it again
      return manifest;
    } catch (error) {
      signal?.throwIfAborted();
      if (!cached) throw new Error("the list of model files cannot be fetched", { cause: error });
      return cached.json();
    }
  }

  /**
   * Return the content of an entry's file, from the cache or else downloaded.
   *
   * @param {object} entry entry of the manifest: `file`, `bytes`, `sha256`, and `path` if the file is not beside the manifest
   * @param {object} [options]
   * @param {AbortSignal} [options.signal]
   * @param {(loaded: number) => void} [options.onProgress] called with the bytes that have arrived
   * @returns {Promise<Uint8Array>}
   * @throws {Error} if the file cannot be fetched or is not the manifest's
   */
  async bytes(entry, { signal, onProgress } = {}) {
    if (this.#memory.has(entry.sha256)) return this.#memory.get(entry.sha256);
    const cache = await this.#open();
    const cached = await cache?.match(this.#key(entry));
    if (cached) return new Uint8Array(await cached.arrayBuffer());
    const bytes = await this.#download(entry, signal, onProgress);
    await check(entry, bytes);
    try {
      if (!cache) throw new Error("no Cache Storage");
      const headers = { "Content-Type": "application/octet-stream", "Content-Length": String(bytes.length) };
      await cache.put(this.#key(entry), new Response(bytes, { headers }));
    } catch {
      this.#memory.set(entry.sha256, bytes);
    }
    return bytes;
  }

  /**
   * Download the files that are not cached, one after the other. After an abort those that are complete stay.
   *
   * @param {object[]} entries entries of the manifest
   * @param {object} [options]
   * @param {AbortSignal} [options.signal]
   * @param {(progress: {loaded: number, total: number}) => void} [options.onProgress] bytes of all files together
   */
  async download(entries, { signal, onProgress } = {}) {
    const missing = await this.missing(entries);
    const total = sumOf(missing);
    let finished = 0;
    for (const entry of missing) {
      await this.bytes(entry, { signal, onProgress: (loaded) => onProgress?.({ loaded: finished + loaded, total }) });
      finished += entry.bytes;
    }
    onProgress?.({ loaded: total, total });
  }

  /** Those of the entries whose files are neither cached nor in memory. */
  async missing(entries) {
    const cache = await this.#open();
    const found = await Promise.all(entries.map((entry) => this.#memory.has(entry.sha256) || cache?.match(this.#key(entry))));
    return entries.filter((_, index) => !found[index]);
  }

  /** Bytes of the entries' files that need no download. */
  async cachedBytes(entries) {
    return sumOf(entries) - sumOf(await this.missing(entries));
  }

  /** Remove the cached files that are not the entries', such as those of an earlier manifest. */
  async removeOthers(entries) {
    const kept = new Set([...entries.map((entry) => this.#key(entry)), new URL(MANIFEST, this.#folder).href]);
    await this.#removeUnless((url) => kept.has(url));
  }

  /** Remove all cached files. */
  async remove() {
    this.#memory.clear();
    const left = await this.#removeUnless(() => false);
    this.#cache = null;
    if (left === 0) await globalThis.caches?.delete(CACHE).catch(() => {});
  }

  /** Remove files of this folder; other sites of the host keep theirs. Returns the number of files that are left of those. */
  async #removeUnless(isKept) {
    const cache = await this.#open();
    const requests = (await cache?.keys()) ?? [];
    const own = requests.filter(({ url }) => url.startsWith(this.#folder.href));
    await Promise.all(own.filter(({ url }) => !isKept(url)).map((request) => cache.delete(request)));
    return requests.length - own.length;
  }

  /** The cache, null where the browser has none or refuses it. */
  async #open() {
    this.#cache ??= await globalThis.caches?.open(CACHE).catch(() => null);
    return this.#cache ?? null;
  }

  #key(entry) {
    return new URL(`sha256/${entry.sha256}`, this.#folder).href;
  }

  async #download(entry, signal, onProgress) {
    const url = new URL(entry.path ?? entry.file, this.#folder);
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`${url.pathname}: status ${response.status}`);
    const bytes = new Uint8Array(entry.bytes);
    let loaded = 0;
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (loaded + part.value.length > bytes.length) throw damaged(entry);
      bytes.set(part.value, loaded);
      loaded += part.value.length;
      onProgress?.(loaded);
    }
    if (loaded !== bytes.length) throw damaged(entry);
    return bytes;
  }
}

/** Fetch a text that the server confirms or sends. Throws Error, also after `patience` ms. */
async function fetchText(url, signal, patience) {
  const abort = new AbortController();
  const stop = () => abort.abort();
  const timer = patience < Infinity && setTimeout(stop, patience);
  signal?.addEventListener("abort", stop);
  try {
    signal?.throwIfAborted();
    const response = await fetch(url, { signal: abort.signal, cache: "no-cache" });
    if (!response.ok) throw new Error(`${url.pathname}: status ${response.status}`);
    return await response.text();
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function sumOf(entries) {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Compare with the manifest's SHA-256; pages without https have no means to compute it. Throws Error. */
async function check(entry, bytes) {
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hexadecimal = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hexadecimal !== entry.sha256) throw damaged(entry);
}

function damaged(entry) {
  return new Error(`the model file ${entry.file} is damaged`);
}
