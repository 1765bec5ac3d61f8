"""The app in Chromium, whose library analyzes pictures in a page of the app."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Error, Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from web import create_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATH = "/about"
"""A page whose policy lets the library's worker run."""
START = """
async () => {
  const library = new URL("device/", document.querySelector("script[src*='/js/app.js']").src);
  const { createClient } = await import(`${library}client.js`);
  globalThis.device = createClient({ modelsUrl: new URL("/models/", location.href) });
  return device.download();
}
"""
ANALYZE = """
async ({ file, options }) => {
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  return device.analyze(new Blob([bytes]), options);
}
"""


class DeviceError(Exception):
    """The library refused a picture or failed."""


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
        except Error as error:
            raise DeviceError(error.message.splitlines()[0]) from None
        return answer


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def device_page() -> Iterator[tuple[DevicePage, str]]:
    """Serve the app on a free port and open it in headless Chromium; give the page and the version of the browser.

    Raises FileNotFoundError where there is no Chromium.
    """
    if CHROMIUM is None:
        raise FileNotFoundError("Chromium is not installed")
    server = make_server("127.0.0.1", 0, create_app({"LOG_LEVEL": "WARNING"}), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_context(service_workers="block").new_page()
            page.set_default_timeout(120_000)
            page.goto(f"http://127.0.0.1:{server.server_port}{PATH}")
            yield DevicePage(page), browser.version
            browser.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
