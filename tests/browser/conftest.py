"""A real server and Chromium, driven by Playwright, with a video of a face as camera."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.common.serving import local_server
from scripts.deploy.traffic import write_camera_video
from web import create_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}


# Milliseconds. On a busy machine the first use of a codec or a model takes longer than Playwright's 5 s.
expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder `browser`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """URL of the app, served on a free port."""
    with local_server(create_app()) as address:
        yield address


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Browser]]:
    """Start Chromium with these switches; all are closed at the end."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        started = []

        def start(*switches: str) -> Browser:
            started.append(playwright.chromium.launch(executable_path=CHROMIUM, args=switches))
            return started[-1]

        yield start
        for chromium in started:
            chromium.close()


@pytest.fixture(scope="session")
def browser(launch, tmp_path_factory) -> Browser:
    video = write_camera_video(tmp_path_factory.mktemp("camera") / "face.mjpeg")
    return launch(*CAMERA, f"--use-file-for-fake-video-capture={video}")


@pytest.fixture
def visit(browser, site) -> Iterator[Callable[..., Page]]:
    """Open a path in a new browser context: `visit("/", viewport=PHONE, java_script_enabled=False)`.

    `by`: another browser than the default; `expected`: text of console messages that the test provokes. At the end no page may
    have logged an error (such as a violated policy), thrown an exception, or sent a request to another host. Responses with a
    status of 4xx are no errors of the page.
    """
    contexts, errors = [], []

    def on_request(request) -> None:
        if not request.url.startswith((site, "data:", "blob:")):
            errors.append(f"request to {request.url}")

    def open_page(path: str = "/", by: Browser | None = None, expected: str = "", **options) -> Page:
        allowed = ["the server responded with a status of 4", *filter(None, [expected])]

        def on_console(message) -> None:
            if message.type in ("error", "warning") and not any(text in message.text for text in allowed):
                errors.append(message.text)

        context = (by or browser).new_context(**{"viewport": DESK} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", on_console)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", on_request)
        page.goto(site + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
