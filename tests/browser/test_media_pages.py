"""Pages /live, /video, /speech and /text with content: axe finds nothing and the page has no horizontal scroll bar."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from scripts.deploy.traffic import moving_face
from tests.browser.conftest import DESK, PHONE
from tests.browser.videos import write_video

SMALL = {"width": 320, "height": 640}
PATHS = {
    "camera": "/live",
    "sample video": "/video",
    "uploaded video": "/video",
    "sample recording": "/speech",
    "sarcasm": "/text",
}


@pytest.fixture(scope="module")
def unplayable(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("videos") / "face.avi", moving_face(15), "mpeg4")


def fill(page: Page, content: str, unplayable) -> None:
    """Bring the page into the state that `content` names."""
    if content == "camera":
        page.get_by_role("button", name="Start the camera").click()
        expect(page.locator(".track-panel")).to_be_visible()
        page.get_by_role("button", name="Pause").click()
    elif content == "sample video":
        page.get_by_role("button", name="Try a sample video").click()
        expect(page.locator("#summary")).to_be_visible(timeout=60_000)
    elif content == "uploaded video":
        page.locator("#video-file").set_input_files(unplayable)
        page.get_by_role("button", name="Send it to the server").click()
        expect(page.get_by_role("button", name="Make the annotated video")).to_be_visible(timeout=60_000)
    elif content == "sample recording":
        page.get_by_role("button", name="Analyze the sample").click()
        expect(page.locator(".speech-chart")).to_be_visible(timeout=60_000)
    else:
        assert content == "sarcasm"
        page.locator("button[value=sarcastic]").click()
        expect(page.locator("#headline")).to_be_visible(timeout=60_000)


def check(page: Page, viewport: dict[str, int]) -> None:
    page.set_viewport_size(viewport)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], viewport
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], node["target"]) for rule in found for node in rule["nodes"]] == [], (viewport, scheme)


@pytest.mark.slow
@pytest.mark.parametrize("content", list(PATHS))
def test_axe_finds_nothing(visit, unplayable, content):
    page = visit(PATHS[content], expected="Failed to load resource")
    page.wait_for_timeout(1200)  # until the text for browsers without JavaScript would have appeared
    check(page, DESK)
    fill(page, content, unplayable)
    for viewport in (DESK, PHONE, SMALL):
        check(page, viewport)
