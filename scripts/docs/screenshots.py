"""Screenshots of README: result pages of a happy and an angry sample.

    python -m scripts.docs.screenshots            writes docs/result-happy.png and docs/result-angry.png

Needs Chromium. Run it again after changes of the served model or of the page's style.
"""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from web import create_app
from web.app import ROOT

from ..common.serving import local_server

IMAGES = {"collins": "result-happy.png", "angry": "result-angry.png"}
"""Sample -> file in docs/."""
VIEWPORT = {"width": 1180, "height": 920}


def take(address: str, chromium: str, folder: Path) -> None:
    """Take a screenshot of each sample's result, without the form below it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport=VIEWPORT)
        for sample, name in IMAGES.items():
            page.goto(address)
            page.click(f"button[value={sample}]")
            page.wait_for_selector("#headline")
            page.evaluate(
                "document.querySelectorAll('.samples, .compact, footer').forEach((element) => { element.hidden = true; })"
            )
            page.evaluate("scrollTo(0, 0)")  # hiding elements scrolls the page
            page.screenshot(path=folder / name)
            print(f"{name}: {page.locator('#headline').inner_text()}")
        browser.close()


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is needed.", file=sys.stderr)
        return 1
    app = create_app({"LOG_LEVEL": logging.ERROR})
    app.extensions["analyzer"].warm_up()  # the page shows the analysis time, which must not include loading
    with local_server(app) as address:
        take(f"{address}/", chromium, ROOT / "docs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
