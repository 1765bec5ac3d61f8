"""Static hosts: deployments behind HTTP caches, several sites on one host, and a network that does not answer."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from scripts.release.static_site import write_site

from .test_offline import CALL, install, script_address, wait_until

pytestmark = pytest.mark.slow

OLD, NEW = "0" * 12, "1" * 12
"""Versions of the static files."""
CACHES = "async () => (await caches.keys()).sort()"
UPDATE = "async () => { await (await navigator.serviceWorker.getRegistration()).update(); }"
WAITS = "async () => (await navigator.serviceWorker.getRegistration()).waiting !== null"
MODELS = """async ([address, site, action]) => {
  const { ModelFiles } = await import(address);
  const files = new ModelFiles(`${site}models/`);
  const { models } = await files.manifest();
  const entries = models.filter(({ bytes }) => bytes < 5e5);
  if (action === "download") await files.download(entries);
  if (action === "removeOthers") await files.removeOthers([]);
  if (action === "remove") await files.remove();
  const cache = await caches.open("emotion-detector-models");
  const isManifestKept = Boolean(await cache.match(`${site}models/manifest.json`));
  return { missing: (await files.missing(entries)).length, entries: entries.length, isManifestKept };
}"""


class Host(SimpleHTTPRequestHandler):
    """A host that lets browsers keep everything for ten minutes, as GitHub Pages does. It answers while `answers` is set."""

    answers = threading.Event()

    def do_GET(self) -> None:
        self.answers.wait()
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=600")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    write_site(folder)
    return folder


@pytest.fixture
def host(tmp_path) -> Iterator[tuple[str, Path]]:
    """Address of a host, and its folder."""
    Host.answers.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", tmp_path
    Host.answers.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def context(browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


def deploy(written: Path, folder: Path, version: str) -> None:
    """Publish the site as one whose static files have this version, in place of an earlier one."""
    (now,) = (path.name for path in (written / "static").iterdir())
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(written, folder)
    (folder / "static" / now).rename(folder / "static" / f"@{version}")
    for path in [*folder.glob("*.html"), *folder.glob("*.webmanifest"), folder / "service-worker.js"]:
        path.write_text(path.read_text(encoding="utf-8").replace(now.removeprefix("@"), version), encoding="utf-8")


def open_page(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    return page


def looks_right(page: Page) -> bool:
    return page.evaluate("document.styleSheets[0].cssRules.length > 10")


def test_after_a_deployment_behind_an_http_cache_all_pages_are_new(context, host, written):
    """The HTTP cache still has pages of before it, which name files that the new service worker removes."""
    address, folder = host
    deploy(written, folder, OLD)
    page = open_page(context, address)
    install(page)
    page.goto(f"{address}about.html")
    deploy(written, folder, NEW)
    page.evaluate(UPDATE)
    wait_until(page, WAITS)
    page.close()  # the new service worker waits until no page uses the old one
    page = open_page(context, address)
    wait_until(page, f"async () => (await ({CACHES})()).every((name) => name.endsWith('{NEW}'))")
    for is_offline in (False, True):
        context.set_offline(is_offline)
        for name in ("", "index.html", "about.html"):
            page.goto(address + name)
            assert f"/@{NEW}/" in script_address(page, "app.js") and looks_right(page)


def test_pages_of_another_version_are_not_kept(context, host, written):
    """A network of servers may send the new service worker and, for a while, the old pages."""
    address, folder = host
    deploy(written, folder, OLD)
    page = open_page(context, address)
    install(page)
    deploy(written, folder, NEW)
    about = (folder / "about.html").read_text(encoding="utf-8")
    (folder / "about.html").write_text(about.replace(NEW, OLD), encoding="utf-8")
    states = page.evaluate(
        """async () => {
          const registration = await navigator.serviceWorker.getRegistration();
          const ended = new Promise((resolve) => registration.addEventListener("updatefound", () => {
            const { installing } = registration;
            installing.addEventListener("statechange", () => resolve(installing.state));
          }));
          await registration.update();
          return [await ended, registration.active.state];
        }"""
    )
    assert states == ["redundant", "activated"]
    context.set_offline(True)
    page.goto(f"{address}about.html")
    assert looks_right(page)


def test_sites_of_one_host_do_not_remove_each_other_s_files(context, host, written):
    address, folder = host
    sites = [f"{address}a/", f"{address}b/"]
    for site, version in zip(sites, (OLD, NEW), strict=True):
        deploy(written, folder / site[-2], version)
        page = open_page(context, site)
        install(page)
        found = page.evaluate(MODELS, [script_address(page, "device/model-files.js"), site, "download"])
        assert found == {"missing": 0, "entries": found["entries"], "isManifestKept": True} and found["entries"] > 2
    caches = page.evaluate(CACHES)
    assert caches == ["emotion-detector /a/ " + OLD, "emotion-detector /b/ " + NEW, "emotion-detector-models"]
    for action in ("removeOthers", "remove"):
        found = page.evaluate(MODELS, [script_address(page, "device/model-files.js"), sites[1], action])
        assert found["missing"] == found["entries"]
        found = page.evaluate(MODELS, [script_address(page, "device/model-files.js"), sites[0], ""])
        assert found["missing"] == 0 and found["isManifestKept"]
    page.evaluate(CALL, [script_address(page, "site.js"), "forgetOffline"])
    assert page.evaluate(CACHES) == [caches[0], caches[2]]
    context.set_offline(True)
    page.goto(sites[0])
    assert looks_right(page)


def test_a_network_that_does_not_answer_is_not_waited_for(context, host, written):
    """Such as one whose access point has no connection."""
    address, folder = host
    deploy(written, folder, OLD)
    page = open_page(context, address)
    install(page)
    page.evaluate(MODELS, [script_address(page, "device/model-files.js"), address, "download"])
    Host.answers.clear()
    page.goto(f"{address}about.html", timeout=10_000)
    assert looks_right(page)
    found = page.evaluate(
        """async ([address, site]) => {
          const { ModelFiles } = await import(address);
          const files = new ModelFiles(`${site}models/`);
          const late = new Promise((_, reject) => setTimeout(() => reject(new Error("it waits")), 8000));
          const { models } = await Promise.race([files.manifest(), late]);
          const abort = new AbortController();
          const ended = files.manifest(abort.signal).catch(({ message }) => message);
          abort.abort(new Error("stopped"));
          return { models: models.length, ended: await ended };
        }""",
        [script_address(page, "device/model-files.js"), address],
    )
    assert found["models"] > 5 and found["ended"] == "stopped"


def test_an_answer_that_is_no_manifest_is_not_kept(context, host, written):
    address, folder = host
    deploy(written, folder, OLD)
    page = open_page(context, address)
    script = script_address(page, "device/model-files.js")
    page.evaluate(MODELS, [script, address, ""])
    (folder / "models/manifest.json").write_text("<html>Log in to this network", encoding="utf-8")
    for _ in range(2):
        assert page.evaluate(MODELS, [script, address, ""])["entries"] > 2
