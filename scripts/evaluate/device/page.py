"""The app in Chromium or Firefox, whose library analyzes pictures in a page of the app."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from playwright.sync_api import Error, sync_playwright

from web import create_app

from ...common.serving import local_server
from .firefox import ScriptError, run_firefox

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BROWSERS = ("chromium", "firefox")
PATH = "/about"
"""A page whose policy lets the library's worker run."""
START = """
async () => {
  const library = new URL("device/", document.querySelector("script[src*='/js/app.js']").src);
  const { createClient } = await import(`${library}client.js`);
  window.device = createClient({ modelsUrl: new URL("/models/", location.href) });
  return window.device.download();
}
"""
ANALYZE = """
async ({ file, options }) => {
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  return window.device.analyze(new Blob([bytes]), options);
}
"""


class DeviceError(Exception):
    """The library refused a picture or failed."""


class Page(Protocol):
    """A page of a browser."""

    def evaluate(self, expression: str, argument: Any = None, /) -> Any:
        """Call a JavaScript function of one argument, and return its result or that of its promise."""


class DevicePage:
    """The library in a page of the app.

    Args:
        page: The page, open at PATH.

    Attributes:
        runtime: Build of the WebAssembly that runs, and its threads.
    """

    def __init__(self, page: Page) -> None:
        """Download the model files and load the WebAssembly."""
        self._page = page
        self.runtime: dict[str, Any] = page.evaluate(START)

    def analyze(self, data: bytes, **options: Any) -> dict[str, Any]:
        """Analyze the bytes of a picture's file; options and answer are those of POST /api/v1/image.

        Raises DeviceError where the browser cannot read the file or the library fails.
        """
        try:
            answer: dict[str, Any] = self._page.evaluate(
                ANALYZE, {"file": base64.b64encode(data).decode("ascii"), "options": options}
            )
        except (Error, ScriptError) as error:
            raise DeviceError(str(error).splitlines()[0]) from None
        return answer


@contextmanager
def device_page(browser: str = BROWSERS[0]) -> Iterator[tuple[DevicePage, str]]:
    """Serve the app on a free port and open it in a headless browser; give the page, and name and version of the browser.

    Raises FileNotFoundError where the browser is not installed.
    """
    opened = _in_firefox if browser == "firefox" else _in_chromium
    with local_server(create_app({"LOG_LEVEL": "WARNING"})) as address, opened(f"{address}{PATH}") as (page, version):
        yield DevicePage(page), f"{browser.title()} {version}"


@contextmanager
def _in_chromium(url: str) -> Iterator[tuple[Page, str]]:
    if CHROMIUM is None:
        raise FileNotFoundError("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(service_workers="block").new_page()
        page.set_default_timeout(120_000)
        page.goto(url)
        yield page, browser.version
        browser.close()


@contextmanager
def _in_firefox(url: str) -> Iterator[tuple[Page, str]]:
    with run_firefox() as window:
        window.goto(url)
        yield window, window.version
