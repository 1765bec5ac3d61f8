// The switch "On this device": where it is on, this browser analyzes with the server's models, and no picture is sent.

import { hasServer, keepOffline, modelsUrl } from "./site.js";

const CHOICE = "on-device"; // key of the visitor's choice in the local storage

const at = (id) => document.getElementById(id);
const megabytes = (bytes) => Math.ceil(bytes / 1e6);
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1).replace(/\.?$/, ".")}`;

let client = null; // of device/client.js, which is loaded when it is needed
let isOn = false;
let starting = null; // {abort: AbortController, done: promise} while models are downloaded and loaded
let isLoaded = false; // the models are on this device, as far as this page knows
let isPossible = false; // false until prepareDevice, and where the browser cannot

const choice = {
  get: () => { try { return localStorage.getItem(CHOICE); } catch { return null; } },
  set: (value) => { try { localStorage.setItem(CHOICE, value); } catch { /* storage is refused: the choice ends with the page */ } },
};

/** True if pictures are analyzed on this device: from the moment at which the switch is turned on, so that none is sent meanwhile. */
export const isOnDevice = () => isOn || starting !== null || !hasServer;

/** Return the client of the library once it is ready. Throws an error if it cannot be made, or the switch is turned off meanwhile. */
export async function deviceClient() {
  await starting?.done;
  if (!isOn) throw new Error(hasServer ? "the models are not loaded" : "this site has no server; turn on “On this device” first");
  return client;
}

function show({ hint, progress = null }) {
  if (!at("on-device")) return; // a page of a problem
  at("on-device").hidden = false;
  at("device-hint").textContent = hint;
  at("device-switch").checked = isOn || starting !== null;
  at("device-progress").hidden = at("device-cancel").hidden = progress === null;
  if (progress !== null) at("device-progress").value = progress;
  at("device-remove").hidden = !isOn;
}

/** Show the state on the page as it is now: pages of results have switches of their own. `reason`: why it could not be turned on. */
export function showDevice(reason = "") {
  if (!isPossible || !at("on-device") || starting) return;
  const { what, bytes } = at("on-device").dataset;
  const offer = hasServer ? `Analyze in this browser, and ${what} are not sent` : "This site has no server: turn this on to analyze in the browser";
  const size = isLoaded ? "." : `: ${megabytes(bytes)} MB are downloaded once.`;
  show({ hint: isOn ? `This browser analyzes: ${what} are not sent.` : reason || `${offer}${size}` });
}

/** Change the state: pages listen to the event `device`. */
function become(on, reason) {
  [isOn, starting] = [on, null];
  showDevice(reason);
  announceState();
}

function announceState() {
  for (const text of document.querySelectorAll("[data-way]")) text.hidden = (text.dataset.way === "device") !== isOnDevice();
  document.dispatchEvent(new CustomEvent("device"));
}

/** Turn the switch on: download what is missing, and load the models. */
function turnOn() {
  const abort = new AbortController();
  starting = { abort, done: start(abort.signal) };
  show({ hint: "Loading …", progress: 0 });
  announceState();
}

async function start(signal) {
  try {
    await load();
    const onProgress = ({ loaded, total }) => {
      if (total && !signal.aborted) show({ hint: `${megabytes(loaded)} of ${megabytes(total)} MB`, progress: loaded / total });
    };
    await client.download({ signal, onProgress });
    if (signal.aborted) return;
    isLoaded = true;
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
  become(false, reason);
}

async function removeFiles() {
  await client.removeFiles();
  isLoaded = false;
  turnOff("The files were removed from this device.");
}

/** Load the library. Throws an error whose message says why this browser cannot analyze. */
async function load() {
  if (client) return;
  const library = await import("./device/client.js");
  const reason = library.unsupportedReason();
  if (reason) throw new Error(reason);
  client = library.createClient({ modelsUrl });
}

/**
 * Show the switch where a page has one and the browser may be able to. It is on where the visitor turned it on before. The library is
 * not loaded before that, so that the page is not heavier for those who do not use it.
 */
export function prepareDevice() {
  const able = window.Worker && window.WebAssembly && window.OffscreenCanvas;
  if (!at("on-device") || (!able && hasServer)) return;
  isPossible = true;
  document.addEventListener("change", ({ target }) => {
    if (target.id === "device-switch") (target.checked ? turnOn : turnOff)();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.id === "device-cancel") turnOff();
    if (target.id === "device-remove") removeFiles();
  });
  if (choice.get() === "on") turnOn(); // downloads the files of a new manifest
  else showDevice();
}
