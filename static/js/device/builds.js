// Builds of LiteRT's WebAssembly: which of them this browser runs.

/** Builds in order of preference; each needs the features named. */
const BUILDS = {
  threads: "litert_wasm_threaded_internal",
  relaxedSimd: "litert_wasm_internal",
  simd: "litert_wasm_compat_internal",
};
/** Smallest modules that use the instructions of a feature: v128 `i8x16.splat`, and `i8x16.relaxed_swizzle`. */
const PROBES = {
  simd: [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11],
  relaxedSimd: [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128,
    2, 11,
  ],
};
const MAX_THREADS = 4; // more gain nothing with networks of this size

/** True where WebAssembly has a feature, "simd" or "relaxedSimd". */
export function supports(feature) {
  return typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(PROBES[feature]));
}

/** Number of threads that can be used in a page: 1 unless it is cross-origin isolated. */
export function availableThreads(isIsolated = globalThis.crossOriginIsolated) {
  if (!isIsolated || !supports("relaxedSimd")) return 1;
  return Math.max(1, Math.min(MAX_THREADS, navigator.hardwareConcurrency ?? 1));
}

/** Name of the build for a number of threads: its files end with `.js` and `.wasm`. */
export function buildFor(threads) {
  return BUILDS[threads > 1 ? "threads" : supports("relaxedSimd") ? "relaxedSimd" : "simd"];
}
