// Addresses of this site: of a server, or of a folder of static files that any host serves (make static), at any path.

/** False in the static site, where the analysis on this device is the only one. */
export const hasServer = document.documentElement.dataset.server !== "none";
const root = new URL(hasServer ? "/" : "./", document.baseURI); // all pages of the static site are in one folder

/** Folder of the manifest and model files for the library in device/. */
export const modelsUrl = new URL("models/", root).href;

/** Keep the pages on this device, so that they open without network. It may fail: private windows and old browsers refuse it. */
export const keepOffline = () => offline(({ keep }) => keep(root, !hasServer || crossOriginIsolated));

/** Remove what keepOffline() kept. */
export const forgetOffline = () => offline(({ forget }) => forget(root));

async function offline(change) {
  try {
    await change(await import("./offline.js"));
  } catch (error) {
    console.info(`Offline use: ${error.message}`);
  }
}
