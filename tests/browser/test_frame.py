"""The frame of all pages, and what the home page weighs."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

PATHS = ("/", "/live", "/video", "/text", "/speech", "/about", "/about/models", "/docs", "/nothing-here")
MAX_BYTES = 120_000
"""Bytes of the home page over the wire, headers included."""


@pytest.mark.parametrize(
    "viewport", [pytest.param((1366, 768), marks=pytest.mark.slow), (390, 844), pytest.param((320, 640), marks=pytest.mark.slow)]
)
def test_header_is_as_high_on_all_pages_and_fits(visit, viewport):
    width, height = viewport
    page = visit(viewport={"width": width, "height": height})
    heights = set()
    for path in PATHS:
        page.goto(page.url.rstrip("/") + path if path == PATHS[0] else page.evaluate("location.origin") + path)
        heights.add(page.locator("header.top").bounding_box()["height"])
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        for link in page.locator("header.top a").all():
            box = link.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width, (path, link.inner_text())
    assert len(heights) == 1


def loaded(page: Page) -> dict[str, int]:
    """Return the bytes over the wire of everything that the home page loads, by address."""
    page.wait_for_load_state("networkidle")  # or requests of the first visit would end while those of the next are counted
    session = page.context.new_cdp_session(page)
    addresses: dict[str, str] = {}
    sizes: dict[str, int] = {}
    session.on("Network.requestWillBeSent", lambda event: addresses.update({event["requestId"]: event["request"]["url"]}))
    session.on("Network.loadingFinished", lambda event: sizes.update({addresses[event["requestId"]]: event["encodedDataLength"]}))
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(page.url)
    page.mouse.wheel(0, 3000)  # pictures below the fold are loaded when they come near
    page.wait_for_load_state("networkidle")
    return sizes


def test_the_home_page_is_light_and_of_one_version(visit):
    sizes = loaded(visit())
    assert any("/js/form.js" in address for address in sizes) and any(".woff2" in address for address in sizes)
    assert sum(sizes.values()) <= MAX_BYTES, sorted(sizes.items(), key=lambda pair: -pair[1])
    files = [address for address in sizes if "/static/" in address and not address.endswith(".webmanifest")]
    assert len({address.split("/static/")[1].split("/")[0] for address in files}) == 1, "modules carry the version too"


def test_the_font_is_our_own(visit):
    page = visit()
    page.evaluate("document.fonts.ready.then(() => true)")
    assert page.evaluate("document.fonts.check('600 16px \"Source Sans 3\"')")
    assert page.locator("h1").evaluate("heading => getComputedStyle(heading).fontFamily").startswith('"Source Sans 3"')
