"""Pages without network after one visit, and after a deployment."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scripts.common.serving import local_server
from web import create_app
from web.http.offline import offline_files
from web.http.static_files import _compress, folder_version

PATHS = ("/", "/live", "/video", "/about")
PHOTO = Path(__file__).resolve().parents[2] / "static/samples/obama.jpg"
CALL = "async ([address, name]) => { await (await import(address))[name](); }"
CACHES = "async () => (await caches.keys()).filter((name) => /^emotion-detector \\/ [0-9a-f]{12}$/.test(name))"
KEPT = """async () => {
  const name = (await caches.keys()).find((name) => name.includes("/"));
  return (await (await caches.open(name)).keys()).map(({ url }) => url);
}"""
REMOVED_AT_ONCE = "async (address) => { const site = await import(address); site.keepOffline(); await site.forgetOffline(); }"
BUILDS = {True: "litert_wasm_threaded_internal", False: "litert_wasm_internal"}
"""Files of LiteRT that an isolated page loads: with threads, or on a single processor without."""


def install(page: Page) -> None:
    """Install the service worker, as the pages do."""
    page.evaluate(CALL, [script_address(page, "site.js"), "keepOffline"])
    wait_until(page, "() => navigator.serviceWorker.controller !== null")


def runtime_of(kept: list[str]) -> list[str]:
    """Names of the files of LiteRT among these addresses, sorted."""
    return sorted(url.rsplit("/", 1)[1] for url in kept if "/vendor/litert/" in url)


def used_runtime(page: Page) -> list[str]:
    build = BUILDS[page.evaluate("navigator.hardwareConcurrency > 1")]
    return [f"{build}.js", f"{build}.wasm"]


def turn_on_and_go_offline(page: Page) -> None:
    """Turn the switch on, wait until all is kept, and leave nothing in the HTTP cache."""
    page.get_by_label("On this device").check()
    expect(page.locator("#device-remove")).to_be_visible(timeout=60_000)
    page.evaluate(CALL, [script_address(page, "site.js"), "keepOffline"])  # waits for the call of the page
    page.context.new_cdp_session(page).send("Network.clearBrowserCache")
    page.context.set_offline(True)


def wait_until(page: Page, condition: str, seconds: float = 15) -> None:
    """Wait for a function to return true; wait_for_function needs `eval`, which the policy of the pages forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def script_address(page: Page, name: str) -> str:
    return page.locator("script[src*='/js/']").first.evaluate("(script, name) => new URL(name, script.src).href", name)


@pytest.fixture
def page(visit) -> Page:
    page = visit("/about", expected="net::ERR_")
    install(page)
    return page


def test_pages_open_without_network(page, site):
    page.context.set_offline(True)
    for path in PATHS:
        page.goto(site + path)
        assert page.locator("h1").first.is_visible()
        wait_until(page, "() => [...document.fonts].some(({ status }) => status === 'loaded')")
        assert page.evaluate("document.styleSheets[0].cssRules.length > 10 && crossOriginIsolated")
    assert page.goto(f"{site}/about?from=elsewhere").status == 200


def test_pages_of_the_server_alone_are_not_kept(page, site):
    page.context.set_offline(True)
    with pytest.raises(Exception, match="net::ERR_"):
        page.goto(f"{site}/text")


def test_a_photo_is_analyzed_without_network(page, site, portrait):
    address = script_address(page, "device/client.js")
    download = "async (address) => (await import(address)).createClient({ modelsUrl: '/models/' }).download()"
    page.evaluate(download, address)
    page.context.set_offline(True)
    page.goto(f"{site}/about")
    answer = page.evaluate(
        """async ([address, photo]) => {
          const { createClient } = await import(address);
          return createClient({ modelsUrl: "/models/" }).analyze(new Blob([Uint8Array.from(photo)]));
        }""",
        [address, list(portrait.read_bytes())],
    )
    assert [face["emotion"] for face in answer["faces"]] == ["happy"]


@pytest.mark.slow
def test_the_site_works_offline_after_the_switch_was_turned_on(visit, site):
    """The WebAssembly is loaded before there is a service worker."""
    page = visit("/", expected="net::ERR_")
    turn_on_and_go_offline(page)
    assert runtime_of(page.evaluate(KEPT)) == used_runtime(page), "the build that is used, and no other"
    page.goto(site)
    page.locator("#file").set_input_files(PHOTO)
    expect(page.locator("#headline")).to_contain_text("Happy", timeout=60_000)


SHARE = """async ([photo, name]) => {
  const form = Object.assign(document.createElement("form"), {
    action: "/share", method: "post", enctype: "multipart/form-data",
  });
  const input = Object.assign(document.createElement("input"), { type: "file", name: "file" });
  const list = new DataTransfer();
  if (photo) list.items.add(new File([Uint8Array.from(photo)], name, { type: "image/jpeg" }));
  input.files = list.files;
  form.append(input);
  document.body.append(form);
  form.submit();
}"""
"""What a phone does with a photo from its share sheet: it loads the page `share_target` of the manifest."""


def share(page: Page, photo: Path | None, name: str = "") -> None:
    with page.expect_navigation():
        page.evaluate(SHARE, [list(photo.read_bytes()) if photo else None, name])


@pytest.mark.slow
def test_a_shared_photo_is_not_sent_while_the_switch_is_on(visit, site):
    page = visit("/", expected="net::ERR_")
    turn_on_and_go_offline(page)
    share(page, PHOTO, "Größe 1.jpg")
    expect(page.locator("#headline")).to_contain_text("Happy", timeout=60_000)
    expect(page.locator("#file-name")).to_have_text("Größe 1.jpg")
    assert page.url == f"{site}/" and not any("shared" in name for name in page.evaluate("() => caches.keys()"))
    page.reload()
    expect(page.locator("#headline")).to_contain_text("Happy")


def test_a_shared_photo_is_sent_by_the_page_while_the_switch_is_off(page, site):
    page.goto(site)
    share(page, PHOTO, "a.jpg")
    expect(page.locator("#headline")).to_contain_text("Happy", timeout=60_000)
    expect(page.locator("#file-name")).to_have_text("a.jpg")
    assert page.url == f"{site}/"


def test_a_shared_photo_that_cannot_be_kept_is_reported(page, site):
    page.goto(f"{site}/?shared")
    expect(page.locator("main .problem")).to_contain_text("The shared photo could not be kept")
    share(page, None)
    expect(page.locator("#photo-form")).to_be_visible()
    assert page.url == f"{site}/" and page.locator(".problem").count() == 0


def test_a_shared_photo_is_removed_with_the_other_files(page):
    page.evaluate("async () => { await caches.open('emotion-detector-shared /'); }")
    page.evaluate(CALL, [script_address(page, "site.js"), "forgetOffline"])
    assert page.evaluate("() => caches.keys()") == []


def test_nothing_is_left_after_removal_and_all_is_kept_afterwards(page, site):
    kept = page.evaluate(KEPT)
    for _ in range(2):  # browsers take back a service worker that was removed while a page used it
        page.evaluate(CALL, [script_address(page, "site.js"), "forgetOffline"])
        page.evaluate("async () => { await fetch(`${document.styleSheets[0].href}?again`); }")  # by the old service worker
        assert (
            page.evaluate("() => caches.keys()") == [] and page.evaluate("() => navigator.serviceWorker.getRegistrations()") == []
        )
        install(page)
        assert sorted(page.evaluate(KEPT)) == sorted(kept)
    page.evaluate(REMOVED_AT_ONCE, script_address(page, "site.js"))
    assert page.evaluate("() => caches.keys()") == []
    page.context.set_offline(True)
    with pytest.raises(Exception, match="net::ERR_"):
        page.goto(f"{site}/about")


def test_the_network_comes_first(page, site):
    """Pages that are kept come from the server all the same, and so do its errors."""
    response = page.goto(f"{site}/about")
    assert response.status == 200 and response.from_service_worker
    assert page.goto(f"{site}/nowhere").status == 404


@pytest.fixture
def changing(tmp_path) -> Iterator[tuple[str, Path]]:
    """A server whose static files a test may change, and their folder."""
    app = create_app()
    shutil.copytree(str(app.static_folder), tmp_path / "static")
    app.static_folder = str(tmp_path / "static")
    with local_server(app) as address:
        yield address, tmp_path / "static"


@pytest.mark.slow
def test_after_a_deployment_the_new_files_are_used_and_the_old_ones_removed(browser, changing):
    address, folder = changing
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/about")
    install(page)
    (old,) = page.evaluate(CACHES)
    runtime = runtime_of(page.evaluate(KEPT))
    assert runtime == used_runtime(page)
    with (folder / "css/app.css").open("a") as sheet:
        sheet.write("\nbody { outline-color: rgb(1, 2, 3); }\n")
    for cached in (folder_version, offline_files, _compress):  # a deployment starts another process
        cached.cache_clear()
    page.goto(f"{address}/about")
    assert page.evaluate("getComputedStyle(document.body).outlineColor") == "rgb(1, 2, 3)"
    wait_until(page, "async () => (await navigator.serviceWorker.getRegistration()).waiting !== null")
    page.close()  # the new script waits until no page uses the old one
    page = context.new_page()
    page.goto(f"{address}/about")
    wait_until(page, f"async () => (await ({CACHES})()).every((name) => name !== '{old}')")
    assert runtime_of(page.evaluate(KEPT)) == runtime, "though no page has loaded it"
    context.set_offline(True)
    page.goto(f"{address}/about")
    assert page.evaluate("getComputedStyle(document.body).outlineColor") == "rgb(1, 2, 3)"
    context.close()
