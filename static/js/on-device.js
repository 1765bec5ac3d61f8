// The switch "On this device": where it is on, this browser analyzes with the server's models, and no picture is sent.

import { forgetOffline, hasServer, keepOffline, modelsUrl } from "./site.js";

const CHOICE = "on-device"; // key of the visitor's choice in the local storage
const CACHE = "emotion-detector-models"; // that of device/model-files.js
const WASM = 3e6; // bytes of the WebAssembly, at most, which is not in that cache

const at = (id) => document.getElementById(id);
const megabytes = (bytes) => Math.ceil(bytes / 1e6);

/** Write an error's message as a sentence. */
export const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1).replace(/\.?$/, ".")}`;

const announce = (text) => { at("status").textContent = text; };

const lack = ["Worker", "WebAssembly", "OffscreenCanvas"].find((name) => !window[name]); // Safari's Lockdown Mode turns some off
let client = null; // of device/client.js, which is loaded when it is needed
let loading = null; // promise of the client
let isOn = false;
let starting = null; // {abort: AbortController, done: promise} while models are downloaded and loaded
let kept; // bytes of the model files on this device; null where the browser keeps none, undefined until look()

const choice = {
  get: () => { try { return localStorage.getItem(CHOICE); } catch { return null; } },
  set: (value) => { try { localStorage.setItem(CHOICE, value); } catch { /* storage is refused: the choice ends with the page */ } },
};

/** True if pictures are analyzed on this device: from the moment at which the switch is turned on, so that none is sent meanwhile. */
export const isOnDevice = () => isOn || starting !== null || !hasServer;

/**
 * Return the client of the library once it is ready. Throws an error if it cannot be made, or the switch is turned off meanwhile; the
 * reason of `signal` at once.
 */
export async function deviceClient(signal) {
  signal?.throwIfAborted();
  while (starting) {
    const aborted = new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
    await Promise.race([starting.done, aborted]);
  }
  if (!isOn) throw new Error(hasServer || lack ? "the models are not loaded" : "this site has no server; turn on “On this device” first");
  return client;
}

/** Find out which files are on this device, without the library. */
async function look() {
  try {
    let bytes = 0;
    const cache = (await caches.has(CACHE)) ? await caches.open(CACHE) : null;
    for (const request of (await cache?.keys()) ?? []) {
      if (request.url.startsWith(modelsUrl)) bytes += Number((await cache.match(request))?.headers.get("Content-Length")) || 1;
    }
    kept = bytes;
  } catch {
    kept = null; // there is no Cache Storage, or it is refused
  }
}

function show(hint, progress = null) {
  if (!at("on-device")) return; // a page of a problem
  const focused = document.activeElement;
  at("on-device").hidden = false;
  at("device-hint").textContent = hint;
  at("device-switch").checked = isOn || starting !== null;
  at("device-switch").disabled = Boolean(lack);
  at("device-progress").hidden = at("device-cancel").hidden = progress === null;
  if (progress !== null) at("device-progress").value = progress;
  at("device-remove").hidden = progress !== null || !(isOn || kept);
  if (focused?.matches(".on-device [hidden]")) at("device-switch").focus(); // the focus would be lost with its button
}

function hintOf(reason) {
  const { what, bytes } = at("on-device").dataset;
  const left = bytes - kept;
  const size = left < WASM ? "" : `${megabytes(left)} MB`;
  if (lack) return `This browser cannot analyze: it has no ${lack}, or it is turned off.`;
  if (isOn) return `This browser analyzes: ${what} are not sent.${size && ` It cannot keep the files: each page downloads ${size} again.`}`;
  const offer = hasServer ? `Analyze in this browser, and ${what} are not sent` : "This site has no server: turn this on to analyze in the browser";
  const times = kept === null ? "by each page, as this browser cannot keep files" : "once";
  return reason || `${offer}${size && `: ${size} are downloaded ${times}`}.`;
}

/** Show the state on the page as it is now: pages of results have switches of their own. `reason`: why it could not be turned on. */
export function showDevice(reason = "") {
  if (kept !== undefined && at("on-device") && !starting) show(hintOf(reason));
}

/** Show and announce a new state. */
async function tell(reason) {
  await look();
  showDevice(reason);
  if (at("on-device") && !starting && (isOn || reason)) announce(hintOf(reason));
}

/** Change the state: pages listen to the event `device`. */
function become(on, reason) {
  [isOn, starting] = [on, null];
  announceState();
  return tell(reason);
}

function announceState() {
  for (const text of document.querySelectorAll("[data-way]")) text.hidden = (text.dataset.way === "device") !== isOnDevice();
  document.dispatchEvent(new CustomEvent("device"));
}

/** Turn the switch on: download what is missing, and load the models. */
function turnOn() {
  const abort = new AbortController();
  starting = { abort, done: start(abort.signal) };
  show("Loading …", 0);
  announceState();
}

async function start(signal) {
  try {
    await load();
    signal.throwIfAborted(); // a client that is closed already would start another worker
    const onProgress = ({ loaded, total }) => {
      if (total && !signal.aborted) show(`${megabytes(loaded)} of ${megabytes(total)} MB`, loaded / total);
    };
    await client.download({ signal, onProgress });
    if (signal.aborted) return;
    choice.set("on");
    become(true);
    keepOffline(); // not for those who use the server: the pages' files would be loaded for nothing
  } catch (error) {
    if (!signal.aborted) become(false, `${sentence(error.message)}${hasServer ? " The server analyzes." : ""}`);
  }
}

function turnOff(reason) {
  starting?.abort.abort();
  choice.set("off");
  client?.close();
  return become(false, reason);
}

async function removeFiles() {
  let reason = "The files were removed from this device.";
  await turnOff();
  try {
    await load();
    await client.removeFiles();
    await forgetOffline();
  } catch (error) {
    reason = sentence(error.message);
  }
  tell(reason);
}

/** Load the library, once. Throws an error whose message says why this browser cannot analyze. */
function load() {
  loading ??= makeClient();
  loading.catch(() => { loading = null; }); // the next time it tries again
  return loading;
}

async function makeClient() {
  const library = await import("./device/client.js");
  const reason = library.unsupportedReason();
  if (reason) throw new Error(reason);
  client = library.createClient({ modelsUrl });
}

/**
 * Show the switch where a page has one. It is on where the visitor turned it on before. The library is not loaded before that, so that
 * the page is not heavier for those who do not use it.
 */
export function prepareDevice() {
  document.addEventListener("change", ({ target }) => {
    if (target.id !== "device-switch") return;
    if (!target.checked) return turnOff();
    turnOn();
    announce("Loading the models …");
  });
  document.addEventListener("click", ({ target }) => {
    if (target.id === "device-cancel") turnOff("The download was cancelled.");
    if (target.id === "device-remove") removeFiles();
  });
  if (!lack && choice.get() === "on") turnOn(); // downloads the files of a new manifest
  else look().then(() => showDevice());
}
