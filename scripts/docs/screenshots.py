"""The pictures of README: the result pages of a happy and an angry sample, as a browser shows them.

    python -m scripts.docs.screenshots            writes docs/result-happy.png and docs/result-angry.png

Needs Chromium; to be run again whenever the served model or the look of the page changes.
"""

from __future__ import annotations

import logging
import shutil
import sys
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server

from web import ROOT, create_app

PICTURES = {"collins": "result-happy.png", "angry": "result-angry.png"}
"""Sample -> file in docs/."""
VIEWPORT = {"width": 1180, "height": 920}


def take(address: str, chromium: str, folder: Path) -> None:
    """Photograph the result of each sample, without the form below it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport=VIEWPORT)
        for sample, name in PICTURES.items():
            page.goto(address)
            page.click(f"button[value={sample}]")
            page.wait_for_selector("#headline")
            page.evaluate(
                "document.querySelectorAll('.next-title, .next-forms, footer').forEach((element) => { element.hidden = true; })"
            )
            page.evaluate("scrollTo(0, 0)")  # hiding moves the page
            page.screenshot(path=folder / name)
            print(f"{name}: {page.locator('#headline').inner_text()}")
        browser.close()


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is needed.", file=sys.stderr)
        return 1
    app = create_app({"LOG_LEVEL": logging.ERROR})
    app.extensions["analyzer"].warm_up()  # the page tells its time, and loading the models is none of it
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    take(f"http://127.0.0.1:{server.server_port}/", chromium, ROOT / "docs")
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
