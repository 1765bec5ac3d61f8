"""The static site on a plain file server, below a path, without the web app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scripts.release.static_site import write_site

from .file_server import serve_files
from .test_offline import KEPT, PHOTO, runtime_of, turn_on_and_go_offline, used_runtime

pytestmark = pytest.mark.slow

PATH = "deep/path"
STATIC_PAGES = ("", "live.html", "video.html", "about.html", "models.html")


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """Address of the site, served by `python -m http.server`."""
    root = tmp_path_factory.mktemp("host")
    write_site(root / PATH)
    with serve_files(root) as server:
        yield f"{server}/{PATH}/"


@pytest.fixture
def page(browser, address) -> Iterator[Page]:
    """A page whose context asks for nothing outside of the site, and logs no error but that a test turned the network off."""
    context, problems = browser.new_context(), []

    def on_response(response) -> None:
        if response.status > 399 or not response.url.startswith((address, "data:", "blob:")):
            problems.append(f"{response.status} {response.url}")

    def on_console(message) -> None:
        if message.type == "error" and "net::ERR_INTERNET_DISCONNECTED" not in message.text:
            problems.append(message.text)

    context.on("response", on_response)
    page = context.new_page()
    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


@pytest.mark.parametrize("name", STATIC_PAGES)
def test_pages_open_with_all_their_files(page, address, name):
    assert page.goto(address + name, wait_until="networkidle").status == 200
    assert page.evaluate("document.styleSheets.length > 1 && document.styleSheets[0].cssRules.length > 10")


def test_links_lead_from_page_to_page(page, address):
    page.goto(address)
    for name in ("Live", "Video", "About", "Photo"):
        page.click(f"nav >> text={name}")
        assert page.locator("nav [aria-current=page]").inner_text() == name
    page.click("footer >> text=Model details")
    assert page.url == f"{address}models.html"


def test_a_sample_is_analyzed_in_the_browser(page, address):
    page.goto(address)
    page.check("#device-switch")
    page.wait_for_selector("#device-remove:visible", timeout=60_000)
    page.click("button[value=collins]")
    page.wait_for_selector("#headline", timeout=60_000)
    assert page.locator("#headline").inner_text().startswith("Happy")


def test_threads_are_used_from_the_second_page_on(page, address):
    """The host sends no headers; the service worker adds them."""
    page.goto(address)
    assert not page.evaluate("crossOriginIsolated")
    script = page.locator("script[src*='/js/']").first.get_attribute("src")
    page.evaluate(
        "async (address) => { await (await import(address)).keepOffline(); }",
        str(Path(f"/{PATH}") / script).replace("app.js", "site.js"),
    )
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    page.goto(f"{address}about.html")
    assert page.evaluate("crossOriginIsolated")
    runtime = page.evaluate(
        "async (address) => (await import(address)).createClient({ modelsUrl: 'models/' }).download()",
        str(Path(f"/{PATH}") / script).replace("app.js", "device/client.js"),
    )
    assert runtime["threads"] == page.evaluate("Math.min(4, navigator.hardwareConcurrency)")


def test_the_site_works_offline_after_the_switch_was_turned_on(page, address):
    """The first page is not isolated and loads another build of LiteRT than the second one."""
    page.goto(address)
    turn_on_and_go_offline(page)
    builds = runtime_of(page.evaluate(KEPT))
    assert builds == sorted({*used_runtime(page), "litert_wasm_internal.js", "litert_wasm_internal.wasm"})
    page.goto(address)
    assert page.evaluate("crossOriginIsolated")
    page.locator("#file").set_input_files(PHOTO)
    expect(page.locator("#headline")).to_contain_text("Happy", timeout=60_000)
