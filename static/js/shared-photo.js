// A photo from the phone's share sheet: the service worker keeps it until the photo page takes it.

const PREFIX = "emotion-detector-shared "; // as in service-worker.js

/** Name of the cache of a site. */
export const cacheOf = (root) => PREFIX + root.pathname;

/** Take the photo that was shared with this page: it is not kept any longer. Returns a File, or null where there is none. */
export async function takeShared() {
  const page = new URL("?shared", location.href);
  history.replaceState(history.state, "", page.pathname);
  const cache = cacheOf(new URL("./", page));
  const response = await caches.match(page.href, { cacheName: cache }).catch(() => null);
  const file = response && new File([await response.blob()], decodeURIComponent(response.headers.get("Content-Disposition")), {
    type: response.headers.get("Content-Type") ?? "",
  });
  await caches.delete(cache).catch(() => {});
  return file;
}
