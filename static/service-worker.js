// Service worker: opens the pages without network. OFFLINE, in a line before this one, is written by web/http/offline.py:
// {version, pages, files, prefix, data, isolate, share}.
//
// Pages come from the network where there is one, so that nothing old is shown after a deployment. Static files have their
// version in their addresses and come from the cache. js/offline.js adds the WebAssembly to it and removes it; the library in
// js/device/ keeps the model files itself. Photos from a phone's share sheet are handed to the photo page, js/shared-photo.js.

const absolute = (address) => new URL(address, self.location).href;
const { pathname: ROOT } = new URL(absolute("./"));
const SITE = `emotion-detector ${ROOT} `; // one host may have several sites; as in js/offline.js
const SHARED = `emotion-detector-shared ${ROOT}`; // as in js/shared-photo.js; a new version does not remove it
const CACHE = SITE + OFFLINE.version;
const PAGES = new Set(OFFLINE.pages.map(absolute));
const FILES = new Set(OFFLINE.files.map(absolute));
const DATA = new Set(OFFLINE.data.map(absolute));
const PREFIX = absolute(OFFLINE.prefix);
const RUNTIME = /\/(vendor\/litert\/[^/]+)$/;
const TOGETHER = 4; // requests at a time: a small server answers no more
const PATIENCE = 4000; // ms: a network without connection to the server does not always fail at once
const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => event.waitUntil(installAgain(event.data, event.ports[0])));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "POST" && OFFLINE.share && request.url === absolute(OFFLINE.share)) return event.respondWith(handOver(request));
  const answer = request.method === "GET" && !request.headers.has("Range") && answerOf(request);
  if (answer) event.respondWith(OFFLINE.isolate ? answer.then(isolated) : answer);
});

/** The answer to a request; nothing for those that the browser sends itself. */
function answerOf(request) {
  if (request.mode === "navigate") return networkFirst(request, PAGES);
  if (DATA.has(request.url)) return networkFirst(request, DATA);
  if (FILES.has(request.url) || request.url.startsWith(PREFIX)) return cacheFirst(request);
}

/** Fetch all pages and files. If one is missing the installation fails, and the browser tries again with the next visit. */
async function install() {
  const cache = await caches.open(CACHE);
  const addresses = [...PAGES, ...FILES, ...(await earlierRuntime())];
  const fetchNext = async () => {
    for (let address = addresses.pop(); address; address = addresses.pop()) await add(cache, address);
  };
  await Promise.all(Array.from({ length: TOGETHER }, fetchNext));
  await Promise.allSettled([...DATA].map((address) => add(cache, address))); // they may need the page's token
}

/** Answer js/offline.js, whose cache is missing. If the page has another version, its own service worker installs that. */
async function installAgain({ version }, port) {
  try {
    if (version === OFFLINE.version) await install();
    port.postMessage({});
  } catch (error) {
    port.postMessage({ error: error.message });
  }
}

/** Addresses of the WebAssembly that an earlier version kept, in this version: of three builds a device uses one. */
async function earlierRuntime() {
  const names = (await caches.keys()).filter((name) => name.startsWith(SITE) && name !== CACHE);
  const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
  const found = requests.flat().map(({ url }) => url.match(RUNTIME)?.[1]).filter(Boolean);
  return new Set(found.map((name) => PREFIX + name));
}

/** Fetch and store a file. Throws Error if it cannot be fetched, or is a page of another version. */
async function add(cache, address) {
  const isVersioned = address.startsWith(PREFIX); // others may be old in the browser's own cache, which gets them too
  const response = await fetch(address, { cache: isVersioned ? "default" : "reload" });
  if (response.status === 404 && RUNTIME.test(address)) return; // a name that only the earlier version had
  if (!response.ok) throw new Error(`${address}: status ${response.status}`);
  if (!PAGES.has(address)) return cache.put(address, response);
  const text = await response.text();
  if (!text.includes(`/@${OFFLINE.version}/`)) throw new Error(`${address} is a page of another version`);
  await cache.put(address, new Response(text, { headers: response.headers })); // without a redirect, which no page may come from
}

/** Remove the files of other versions, and serve the pages that are open already. */
async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith(SITE) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

/** Hand a shared photo to the photo page, which sends it only where "On this device" is off. */
async function handOver(request) {
  const page = absolute("./?shared");
  const file = (await request.formData().catch(() => null))?.get("file");
  if (!(file instanceof File) || !(file.name || file.size)) return Response.redirect(absolute("./"), 303);
  const headers = { "Content-Type": file.type, "Content-Disposition": encodeURIComponent(file.name) };
  const cache = await caches.open(SHARED);
  await cache.put(page, new Response(file, { headers })).catch(() => {}); // the storage is full: the page says so
  return Response.redirect(page, 303);
}

async function networkFirst(request, kept) {
  const { origin, pathname } = new URL(request.url);
  const address = origin + pathname;
  const cached = kept.has(address) && (await find(address));
  const fromNetwork = fetch(request);
  try {
    const response = await (cached ? Promise.race([fromNetwork, failAfter(PATIENCE)]) : fromNetwork);
    if (kept === DATA && response.status === 200) await keep(address, response);
    return response;
  } catch (error) {
    if (cached) return cached;
    throw error;
  }
}

async function failAfter(milliseconds) {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  throw new Error("no answer in time");
}

async function cacheFirst(request) {
  const cached = await find(request.url);
  if (cached) return cached;
  const response = await fetch(request);
  if (response.status === 200) await keep(request.url, response);
  return response;
}

function find(address) {
  return caches.match(address, { cacheName: CACHE });
}

/** Store a copy, unless the visitor removed the cache. Where the storage is full only offline use is lost. */
async function keep(address, response) {
  if (!(await caches.has(CACHE))) return;
  const copy = response.clone();
  await caches.open(CACHE).then((cache) => cache.put(address, copy)).catch(() => {});
}

/** Add the headers that threads in WebAssembly need, where the host of the static site cannot send them. */
function isolated(response) {
  if (response.status === 0 || response.redirected) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
