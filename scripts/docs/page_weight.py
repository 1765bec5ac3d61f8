"""Measure what a page weighs and when it is first painted, in Chromium on a throttled line.

    python -m scripts.docs.page_weight                  # serves the tree and loads / as on a desktop and on a phone
    python -m scripts.docs.page_weight --path /live

The line is that of Lighthouse's "slow 4G", formerly "fast 3G": 1.6 Mbit/s, 150 ms. Bytes are those over the wire, headers
included.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from dataclasses import dataclass

from playwright.sync_api import Browser, sync_playwright

from web import create_app

from ..common.markdown import table
from ..common.serving import local_server

VIEWPORTS = {"desktop": (1366, 768), "phone": (390, 844)}
BITS_PER_SECOND, LATENCY_MS = 1.6e6, 150


@dataclass(frozen=True)
class Weight:
    """Bytes and number of the responses, and milliseconds until the first paint."""

    bytes: int
    responses: int
    first_paint_ms: float


def measure(browser: Browser, address: str, viewport: tuple[int, int]) -> Weight:
    """Load a page with an empty cache."""
    context = browser.new_context(viewport={"width": viewport[0], "height": viewport[1]})
    page = context.new_page()
    session = context.new_cdp_session(page)
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    session.send("Network.enable")
    line = {"downloadThroughput": BITS_PER_SECOND / 8, "uploadThroughput": BITS_PER_SECOND / 8, "latency": LATENCY_MS}
    session.send("Network.emulateNetworkConditions", {"offline": False, **line})
    page.goto(address)
    page.mouse.wheel(0, 3000)  # pictures below the fold are loaded when they come near
    page.wait_for_load_state("networkidle")
    [paint] = page.evaluate("performance.getEntriesByName('first-paint').map((entry) => entry.startTime)")
    context.close()
    return Weight(sum(sizes), len(sizes), paint)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", default="/", help="path of the page (default /)")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is needed.", file=sys.stderr)
        return 1
    with local_server(create_app({"LOG_LEVEL": logging.ERROR})) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        measured = {name: measure(browser, address + options.path, viewport) for name, viewport in VIEWPORTS.items()}
        browser.close()
    rows = [(name, f"{one.bytes / 1e3:.1f}", one.responses, f"{one.first_paint_ms:.0f}") for name, one in measured.items()]
    print(table(["window", "kB", "responses", "first paint, ms"], "r", rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
