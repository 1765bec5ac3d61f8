// Service worker: opens the pages without network. OFFLINE, in a line before this one, is written by web/http/offline.py:
// {version, pages, files, prefix, data, isolate}.
//
// Pages come from the network where there is one, so that nothing old is shown after a deployment. Static files have their
// version in their addresses and come from the cache. The library in js/device/ keeps the model files itself.

const CACHE = `emotion-detector-${OFFLINE.version}`;
const absolute = (address) => new URL(address, self.location).href;
const PAGES = new Set(OFFLINE.pages.map(absolute));
const FILES = new Set(OFFLINE.files.map(absolute));
const DATA = new Set(OFFLINE.data.map(absolute));
const PREFIX = absolute(OFFLINE.prefix);
const TOGETHER = 4; // requests at a time: a small server answers no more
const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
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
  const addresses = [...PAGES, ...FILES];
  const fetchNext = async () => {
    for (let address = addresses.pop(); address; address = addresses.pop()) await cache.add(address);
  };
  await Promise.all(Array.from({ length: TOGETHER }, fetchNext));
  await Promise.allSettled([...DATA].map((address) => cache.add(address))); // they may need the page's token
}

/** Remove the files of other versions, and serve the pages that are open already. */
async function activate() {
  const names = await caches.keys();
  const old = names.filter((name) => /^emotion-detector-[0-9a-f]{12}$/.test(name) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function networkFirst(request, kept) {
  const { origin, pathname } = new URL(request.url);
  const address = origin + pathname;
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (kept === DATA && response.status === 200) await keep(cache, address, response);
    return response;
  } catch (error) {
    const cached = kept.has(address) && (await cache.match(address));
    if (cached) return cached;
    throw error;
  }
}

async function cacheFirst(request) {
  const cache = await caches.open(CACHE);
  const cached = await cache.match(request.url);
  if (cached) return cached;
  const response = await fetch(request);
  if (response.status === 200) await keep(cache, request.url, response);
  return response;
}

/** Store a copy; where the storage is full only offline use is lost. */
async function keep(cache, address, response) {
  await cache.put(address, response.clone()).catch(() => {});
}

/** Add the headers that threads in WebAssembly need, where the host of the static site cannot send them. */
function isolated(response) {
  if (response.status === 0 || response.redirected) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
