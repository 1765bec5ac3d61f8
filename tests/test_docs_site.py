"""Documentation site: strict build by the command of `make docs`, no requests to other hosts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LOADED = re.compile(
    r"""<(?:script|img|iframe)[^>]+src="?(https?:[^" >]+)|<link[^>]+href="?(https?:[^" >]+)|url\(["']?(https?:[^"')]+)"""
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Disable the access log."""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Site built by the command of `make docs` in a temporary folder."""
    out = tmp_path_factory.mktemp("site")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    (command,) = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "-o", ".venv-docs/.installed", "docs"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()[-1:]
    assert command.endswith(" -m mkdocs build --strict")
    done = subprocess.run(
        [sys.executable, *command.split()[1:], "--site-dir", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_all_pages_exist(site):
    pages = {path.with_suffix(".html").name for path in (ROOT / "docs").glob("*.md")}
    assert pages <= {path.name for path in site.glob("*.html")}
    assert "Keep a Changelog" in (site / "changelog.html").read_text(encoding="utf-8")
    assert (site / "benchmarks").is_dir() and list((site / "models").glob("vgg16-*.html")) and (site / "demo.gif").exists()


def test_pages_and_styles_refer_to_no_other_host(site):
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        assert not LOADED.search(path.read_text(encoding="utf-8")), path.relative_to(site)


@pytest.fixture
def address(site) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_browser_requests_no_other_host(address):
    # A thread of its own: other browser tests of the same process keep Playwright's event loop running in the main thread.
    with ThreadPoolExecutor(1) as pool:
        requested, errors, tables = pool.submit(browse, address).result()
    assert tables >= 4
    assert not [url for url in requested if not url.startswith((address, "data:", "blob:"))] and errors == []


def browse(address: str) -> tuple[list[str], list[str], int]:
    """Search the site and open a page: URLs requested, script errors, tables on the page."""
    from playwright.sync_api import sync_playwright

    requested: list[str] = []
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda request: requested.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}/index.html")
        page.wait_for_load_state("networkidle")
        page.get_by_role("textbox", name="Search").press_sequentially("tracker", delay=50)  # the page listens to keys
        page.locator(".md-search-result__item").first.wait_for()
        page.goto(f"{address}/accuracy.html")
        tables = page.locator("table").count()
        browser.close()
    return requested, errors, tables
