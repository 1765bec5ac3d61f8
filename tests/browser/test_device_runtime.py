"""The library in static/js/device without the pages: runtime, model files and the worker, in Chromium."""

from __future__ import annotations

from base64 import b64encode

import numpy as np
import pytest
from playwright.sync_api import Page

from emotions import ModelRegistry
from web.http.model_files import ROLES

REGISTRY = ModelRegistry()
FACE_MODELS = [entry for entry in REGISTRY.entries() if entry.role in ROLES]
CLIENT = """
  const address = document.querySelector("script[src*='/js/app.js']").src;
  const folder = new URL("device/", address).href;
  const { createClient, isSupported, unsupportedReason } = await import(`${folder}client.js`);
"""
SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan")
CACHE = "emotion-detector-models"


@pytest.fixture
def page(visit) -> Page:
    return visit("/about", service_workers="block")


def call(page: Page, body: str, argument: object = None) -> object:
    """Run the body of an asynchronous function, in which createClient and the folder of the library are known."""
    return page.evaluate(f"async (argument) => {{ {CLIENT} {body} }}", argument)


def random_input(size: int, channels: int, *, is_image: bool) -> np.ndarray:
    shape = (1, size, size, channels) if is_image else (1, size)
    return np.random.default_rng(size).random(shape, np.float32)


BUILDS = {
    "simd": "WebAssembly.validate = (bytes) => bytes.length < 32;",  # the longer probe is that of relaxed SIMD
    "relaxedSimd": "",
    "threads": "",
    "webgpu": "",
}
"""Builds of the WebAssembly, and the script that makes the browser choose them."""


@pytest.fixture(scope="module", params=list(BUILDS))
def outputs(request, site, launch) -> dict[str, list[list[float]]]:
    """Outputs of all models with one build, by role and name, in a page without the policy that forbids WebAssembly."""
    build = request.param
    inputs = {f"{entry.role} {entry.name}": input_of(entry).ravel().tolist() for entry in FACE_MODELS}
    page = launch(*SOFTWARE_GPU).new_context(bypass_csp=True, service_workers="block").new_page()
    page.goto(f"{site}/about")
    options = {"threads": 2 if build == "threads" else 1, "accelerator": "webgpu" if build == "webgpu" else "wasm"}
    found = call(
        page,
        BUILDS[build]
        + """
        const { loadRuntime } = await import(`${folder}runtime.js`);
        const { ModelRegistry } = await import(`${folder}registry.js`);
        const { manifest, inputs, options } = argument;
        const runtime = await loadRuntime({ wasmUrl: new URL("../../vendor/litert/", folder), ...options });
        const load = async ({ bytes }) => Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
        const registry = new ModelRegistry(manifest, load);
        const outputs = {};
        for (const [key, values] of Object.entries(inputs)) {
          const [role, name] = key.split(" ");
          const model = await registry.model(registry.entry(name, role));
          await model.run(Float32Array.from(values, () => 0)); // nothing of an earlier run may remain
          outputs[key] = (await model.run(Float32Array.from(values))).map((output) => [...output]);
        }
        await registry.delete();
        return { runtime, outputs };
        """,
        {"inputs": inputs, "manifest": manifest_with_bytes(), "options": options},
    )
    page.context.browser.close()
    if build == "webgpu" and found["runtime"]["accelerator"] != "webgpu":
        pytest.skip("this Chromium has no WebGPU")
    if build == "threads" and found["runtime"]["threads"] == 1:
        pytest.skip("this machine has one processor")
    names = {"simd": "litert_wasm_compat_internal", "threads": "litert_wasm_threaded_internal"}
    assert found["runtime"]["build"] == names.get(build, "litert_wasm_internal")
    return found["outputs"]


def input_of(entry) -> np.ndarray:
    is_image = entry.role in ("detector", "landmarks", "expression-base")
    values = random_input(entry.input["size"], entry.input["channels"], is_image=is_image)
    return np.rint(255 * values) if entry.role == "expression-base" else values


def manifest_with_bytes() -> dict[str, object]:
    """A manifest whose entries hold their files in base64, so that also models that are not served can be loaded."""
    models = [
        {"role": entry.role, "name": entry.name, "bytes": b64encode(REGISTRY.read(entry)).decode()} for entry in FACE_MODELS
    ]
    return {"schema": 1, "models": models}


@pytest.mark.slow
@pytest.mark.parametrize("entry", FACE_MODELS, ids=lambda entry: f"{entry.role}-{entry.name}")
def test_every_model_gives_the_outputs_of_the_server(entry, outputs):
    expected = REGISTRY.model(entry)(input_of(entry))
    found = outputs[f"{entry.role} {entry.name}"]
    assert [len(values) for values in found] == [output.size for output in expected]
    # The backbone rounds activations to int8, so that a difference in the last bit now and then becomes one of a step.
    tolerance = 2e-2 if entry.role == "expression-base" else 1e-4
    for values, output in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, output.ravel(), rtol=1e-3, atol=tolerance)
        assert np.mean(np.abs(values - output.ravel())) < tolerance / 10 * max(1, np.abs(output).max())


def test_damaged_files_and_inputs_of_another_size_are_refused(site, launch):
    page = launch().new_context(bypass_csp=True, service_workers="block").new_page()
    page.goto(f"{site}/about")
    messages = call(
        page,
        """
        const { loadRuntime, Model } = await import(`${folder}runtime.js`);
        const { fixBatch } = await import(`${folder}flatbuffer.js`);
        const failure = (promise) => promise.then(() => "none", (error) => error.message.split(String.fromCharCode(10))[0]);
        const bytes = Uint8Array.from(atob(argument), (letter) => letter.charCodeAt(0));
        const early = await failure(Model.load(bytes));
        await loadRuntime({ wasmUrl: new URL("../../vendor/litert/", folder), threads: 1 });
        const model = await Model.load(bytes);
        const fixed = fixBatch(bytes);
        const deleted = await Model.load(fixed);
        deleted.delete();
        deleted.delete();
        return {
          early,
          noModel: await failure(Model.load(new Uint8Array(100))),
          cut: await failure(Model.load(bytes.slice(0, 200))),
          size: await failure(model.run(new Float32Array(3))),
          count: await failure(model.run()),
          deleted: await failure(deleted.run(new Float32Array(384))),
          isCopy: fixed !== bytes && fixBatch(fixed) === fixed,
          shapes: model.inputShapes,
        };
        """,
        b64encode(REGISTRY.read(REGISTRY.entry("expression-head", "mixed"))).decode(),
    )
    page.context.browser.close()
    assert messages == {
        "early": "call loadRuntime() first",
        "noModel": "this is no TensorFlow Lite file",
        "cut": "the TensorFlow Lite file is damaged",
        "size": "input 0 has 3 values, not 1 x 384",
        "count": "the model has 1 inputs, not 0",
        "deleted": "the model was deleted",
        "isCopy": True,
        "shapes": [[1, 384]],
    }


def test_the_worker_downloads_once_and_keeps_the_files(page):
    found = call(
        page,
        """
        const client = createClient({ modelsUrl: "/models/" });
        const progress = [];
        const before = await client.sizes();
        const runtime = await client.download({ onProgress: (each) => progress.push(each) });
        const after = await client.sizes();
        const cached = await client.cachedBytes();
        const again = [];
        client.close();
        await createClient({ modelsUrl: "/models/" }).download({ onProgress: (each) => again.push(each) });
        return { before, after, cached, progress, again, runtime, isSupported: isSupported() };
        """,
    )
    total = found["before"]["total"]
    assert found["isSupported"] and found["before"] == {"total": total, "missing": total} and total > 12e6
    assert found["after"] == {"total": total, "missing": 0} and found["cached"] == total
    loaded = [each["loaded"] for each in found["progress"]]
    assert loaded == sorted(loaded) and loaded[-1] == total and len(loaded) > 10
    assert {each["total"] for each in found["progress"]} == {total}
    assert found["again"] == [{"loaded": 0, "total": 0}]
    assert found["runtime"]["build"].startswith("litert_wasm")


def test_threads_are_used_on_the_pages_of_the_server(page):
    """They are cross-origin isolated."""
    runtime = call(page, 'return createClient({ modelsUrl: "/models/" }).download();')
    processors = page.evaluate("navigator.hardwareConcurrency")
    assert page.evaluate("crossOriginIsolated") and runtime["threads"] == min(4, processors)
    assert (runtime["build"] == "litert_wasm_threaded_internal") == (processors > 1)


# Werkzeug's server leaves the file of an aborted response to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_download_can_be_cancelled_and_resumed(page):
    found = call(
        page,
        """
        const client = createClient({ modelsUrl: "/models/" });
        const abort = new AbortController();
        const onProgress = ({ loaded }) => { if (loaded > 2e6) abort.abort(); };
        const name = await client.download({ signal: abort.signal, onProgress }).then(() => "none", (error) => error.name);
        const kept = await client.cachedBytes();
        const already = await client.download({ signal: abort.signal }).then(() => "none", (error) => error.name);
        await client.download();
        return { name, already, kept, sizes: await client.sizes() };
        """,
    )
    assert found["name"] == found["already"] == "AbortError"
    assert 1e6 < found["kept"] < 5e6 and found["sizes"]["missing"] == 0


def test_files_can_be_removed(page):
    found = call(
        page,
        """
        const client = createClient({ modelsUrl: "/models/" });
        await client.download();
        await client.removeFiles();
        const { missing, total } = await client.sizes();
        return { keys: await (await caches.open(argument)).keys().then((keys) => keys.map(({ url }) => url)), missing, total };
        """,
        CACHE,
    )
    assert found["missing"] == found["total"]
    assert [url.rsplit("/", 1)[1] for url in found["keys"]] in ([], ["manifest.json"])


def test_files_of_an_earlier_manifest_are_removed(page):
    keys = call(
        page,
        """
        const cache = await caches.open(argument);
        await cache.put("/models/sha256/0123", new Response("old"));
        await createClient({ modelsUrl: "/models/" }).download();
        return (await cache.keys()).map(({ url }) => url);
        """,
        CACHE,
    )
    assert len(keys) == 9 and not any(url.endswith("/0123") for url in keys)


def test_a_damaged_file_is_refused(page):
    """It is neither used nor kept."""
    page.route("**/models/*/face-mesh-1.tflite", lambda route: route.fulfill(body=b"\0" * 2439440))
    found = call(
        page,
        """
        const client = createClient({ modelsUrl: "/models/" });
        const message = await client.download().then(() => "none", (error) => error.message);
        return { message, keys: (await (await caches.open(argument)).keys()).length };
        """,
        CACHE,
    )
    assert found == {"message": "the model file face-mesh-1.tflite is damaged", "keys": 3}  # the manifest and two detectors


def test_without_storage_the_files_are_kept_in_memory(page):
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.route("**/js/device/worker.js", with_refused_storage)
    page.evaluate("() => { caches.open = () => Promise.reject(new DOMException('refused', 'SecurityError')); }")
    found = call(
        page,
        """
        const client = createClient({ modelsUrl: "/models/" });
        await client.download();
        const again = [];
        await client.download({ onProgress: (each) => again.push(each) });
        return again;
        """,
    )
    assert found == [{"loaded": 0, "total": 0}]
    files = [url for url in requests if url.endswith(".tflite")]
    assert len(files) == len(set(files)) == 8


def with_refused_storage(route) -> None:
    response = route.fetch()
    refuse = "self.caches.open = () => Promise.reject(new DOMException('refused', 'SecurityError'));\n"
    route.fulfill(response=response, body=refuse + response.text())


def test_an_image_is_analyzed_in_the_worker(page, portrait):
    """From a file, an ImageBitmap and ImageData, with the answer of the API."""
    photo = list(portrait.read_bytes())
    found = call(
        page,
        """
        const client = createClient({ modelsUrl: "/models/" });
        const blob = new Blob([Uint8Array.from(argument)], { type: "image/jpeg" });
        const bitmap = await createImageBitmap(blob);
        const answers = [await client.analyze(blob), await client.analyze(bitmap)];
        const refused = await client.analyze(blob, { detector: "haar" }).then(() => null, (error) => error.message);
        const unreadable = await client.analyze(new Blob(["no image"])).then(() => null, (error) => error.message);
        return { answers, isTransferred: bitmap.width === 0, refused, unreadable };
        """,
        photo,
    )
    assert [[face["emotion"] for face in answer["faces"]] for answer in found["answers"]] == [["happy"], ["happy"]]
    assert found["isTransferred"] and "haar" in found["refused"]
    assert found["unreadable"] == "the browser cannot read this image"


CLOSINGS = """
  const names = [self.ImageBitmap, self.VideoFrame].filter(Boolean);
  for (const { prototype } of names) {
    const { close } = prototype;
    prototype.close = function () { new BroadcastChannel("closings").postMessage("closed"); close.call(this); };
  }
"""
"""Script for the beginning of worker.js: report each image that is closed."""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["aborted", "without runtime"])
def test_images_are_closed_where_the_worker_does_not_analyze_them(page, portrait, way):
    """The memory of a frame is freed by the garbage collector late, and of a VideoFrame the camera waits for it."""

    def with_closings(route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=CLOSINGS + response.text())

    page.route("**/js/device/worker.js", with_closings)
    found = call(
        page,
        """
        const { photo, way } = argument;
        const blob = new Blob([Uint8Array.from(photo)]);
        let closings = 0;
        new BroadcastChannel("closings").addEventListener("message", () => { closings++; });
        const runs = way === "aborted";
        const client = createClient({ modelsUrl: "/models/", ...(runs ? {} : { wasmUrl: "/nowhere/" }) });
        if (runs) await client.download();
        const abort = new AbortController();
        const bitmaps = [await createImageBitmap(blob), await createImageBitmap(blob)];
        const signals = [undefined, runs ? abort.signal : undefined];
        const requests = bitmaps.map((bitmap, index) => client.analyze(bitmap, {}, { signal: signals[index] }));
        setTimeout(() => abort.abort(), 0); // both are in the worker
        const states = (await Promise.allSettled(requests)).map(({ status }) => status);
        await client.analyze(blob).catch(() => {}); // after both
        await new Promise((resolve) => setTimeout(resolve, 100)); // the channel has no order with the answers
        return { closings, states, widths: bitmaps.map(({ width }) => width) };
        """,
        {"photo": list(portrait.read_bytes()), "way": way},
    )
    runs = way == "aborted"
    assert found["states"] == ["fulfilled" if runs else "rejected", "rejected"]
    assert found["widths"] == [0, 0], "they were transferred"
    assert found["closings"] == 2 + runs, "with that of the file, where it is decoded"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["aborted", "no models", "not an option"])
def test_images_are_closed_where_they_are_not_sent(page, portrait, way):
    if way == "no models":
        page.route("**/models/manifest.json", lambda route: route.abort())
    found = call(
        page,
        """
        const { photo, way } = argument;
        const client = createClient({ modelsUrl: "/models/" });
        if (way === "not an option") await client.sizes();
        const bitmap = await createImageBitmap(new Blob([Uint8Array.from(photo)]));
        const options = way === "not an option" ? { detector: () => "none" } : {}; // what no message can carry
        const signal = way === "aborted" ? AbortSignal.abort() : undefined;
        const name = await client.analyze(bitmap, options, { signal }).then(() => "none", (error) => error.name);
        return { name, width: bitmap.width };
        """,
        {"photo": list(portrait.read_bytes()), "way": way},
    )
    assert found == {"name": {"aborted": "AbortError", "no models": "Error", "not an option": "DataCloneError"}[way], "width": 0}


def test_signals_keep_no_listeners_of_requests_that_ended(page, portrait):
    """That of a camera lasts for thousands of frames."""
    found = call(
        page,
        """
        const client = createClient({ modelsUrl: "/models/" });
        const { signal } = new AbortController();
        let listeners = 0;
        for (const [name, change] of [["addEventListener", 1], ["removeEventListener", -1]]) {
          signal[name] = (...values) => { listeners += change; EventTarget.prototype[name].apply(signal, values); };
        }
        const blob = new Blob([Uint8Array.from(argument)]);
        const counts = [];
        for (let frame = 0; frame < 3; frame++) {
          await client.analyze(blob, {}, { signal });
          counts.push(listeners);
        }
        await client.figures(signal);
        return [...counts, listeners];
        """,
        list(portrait.read_bytes()),
    )
    assert found == [0, 0, 0, 0]


def test_figures_do_not_wait_for_the_network(page):
    """They are those of the models that run; the answer to a photo has them."""
    held = []
    found = call(
        page, 'window.client = createClient({ modelsUrl: "/models/" }); await client.download(); return client.figures();'
    )
    page.route("**/*", lambda route: held.append(route))  # a network without answers
    again = page.evaluate("() => client.figures()")
    head = REGISTRY.entry("expression-head")
    assert found == again and held == []
    assert len(found["reliability"]) == len(head.metadata["reliability"]) and found["drawn"]["count"] > 100


def test_figures_can_be_cancelled_while_the_models_are_awaited(page):
    page.route("**/models/manifest.json", lambda route: None)
    name = call(
        page,
        """
        const abort = new AbortController();
        const figures = createClient({ modelsUrl: "/models/" }).figures(abort.signal);
        setTimeout(() => abort.abort(), 200);
        return figures.then(() => "none", (error) => error.name);
        """,
    )
    assert name == "AbortError"
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.slow
@pytest.mark.parametrize(
    "analysis",
    [
        "await (await createAnalyzer(settings)).analyze(bitmap, { detector: 'none' })",
        "await analyze(bitmap, { ...settings, detector: 'none' })",
    ],
    ids=["createAnalyzer", "analyze"],
)
def test_functions_without_worker_take_the_settings_of_a_client(site, launch, portrait, analysis):
    """In a page of its own, as the WebAssembly is loaded once, and without the policy that forbids WebAssembly."""
    page = launch(*SOFTWARE_GPU).new_context(bypass_csp=True, service_workers="block").new_page()
    page.goto(f"{site}/about")
    has_card = page.evaluate("async () => Boolean(await navigator.gpu?.requestAdapter())")
    found = call(
        page,
        f"""
        const {{ analyze, createAnalyzer }} = await import(`${{folder}}index.js`);
        const {{ loadRuntime }} = await import(`${{folder}}runtime.js`);
        const settings = {{ modelsUrl: "/models/", threads: 1, accelerator: "webgpu" }};
        const bitmap = await createImageBitmap(new Blob([Uint8Array.from(argument)]));
        const {{ faces }} = {analysis};
        const {{ accelerator, threads }} = await loadRuntime({{ wasmUrl: "/" }});
        return {{ emotion: faces[0].emotion, accelerator, threads }};
        """,
        list(portrait.read_bytes()),
    )
    page.context.browser.close()
    assert found == {"emotion": "happy", "accelerator": "webgpu" if has_card else "wasm", "threads": 1}


def test_a_browser_without_simd_says_so(visit):
    page = visit("/about", service_workers="block")
    page.evaluate("WebAssembly.validate = () => false")  # what such a browser answers
    found = call(page, """
        const client = createClient({ modelsUrl: "/models/" });
        return [isSupported(), unsupportedReason(), await client.download().then(() => null, (error) => error.message)];
    """)  # fmt: skip
    assert found[0] is False and "SIMD" in found[1] and found[1] == found[2]
