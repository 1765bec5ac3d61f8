"""The static site: complete, with relative addresses only."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest

from scripts.release import static_site

BASE = "http://host/deep/path/"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("static") / "site"
    static_site.write_site(folder)
    return folder


def place_of(site: Path, address: str) -> Path:
    """The file that an address below BASE names."""
    path = urlsplit(urldefrag(address)[0]).path.removeprefix("/deep/path/")
    return site / (path or "index.html")


def test_all_addresses_of_the_pages_are_files_of_the_site(site):
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        addresses = re.findall(r'\b(?:href|src|action|data-url|data-about)="([^"]*)"', text)
        assert len(addresses) > 10
        for address in addresses:
            if address.startswith(("http://", "https://", "data:")):
                assert urlsplit(address).netloc != "host"
                continue
            assert place_of(site, urljoin(BASE + page.name, address)).is_file(), f"{page.name}: {address}"


def test_pages_say_that_there_is_no_server_and_have_a_policy(site):
    assert {page.name for page in site.glob("*.html")} == {"index.html", "live.html", "video.html", "about.html", "models.html"}
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert text.count('<html data-server="none"') == 1
        policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
        assert policy and policy[1].startswith("default-src 'self'; ") and "unsafe" not in policy[1]
        assert text.index(policy[0]) < min(text.index(tag) for tag in ("<script", "<link", "<img"))
        assert "api-token" not in text and 'href="text' not in text and "/docs" not in text


def test_modules_and_sheets_name_files_of_the_site(site):
    (folder,) = (site / "static").iterdir()
    for path in [*folder.rglob("js/**/*.js"), *folder.rglob("css/*.css")]:
        for name in re.findall(r'(?:from |import\(|url\()"?(\.[^")]*)', path.read_text(encoding="utf-8")):
            assert (path.parent / name).is_file(), f"{path.name}: {name}"


def test_models_are_those_of_the_manifest(site):
    manifest = json.loads((site / "models/manifest.json").read_text(encoding="utf-8"))
    for entry in manifest["models"]:
        assert hashlib.sha256((site / "models" / entry["path"]).read_bytes()).hexdigest() == entry["sha256"]
    assert (site / "models/LICENSE.md").is_file() and (site / "models/NOTICE.md").is_file()


def test_webassembly_is_expanded(site):
    files = list(site.rglob("*.wasm"))
    assert len(files) == 3 and all(file.read_bytes().startswith(b"\0asm") for file in files) and not list(site.rglob("*.gz"))


def test_the_service_worker_keeps_files_of_the_site(site):
    line = (site / "service-worker.js").read_text(encoding="utf-8").partition("\n")[0]
    listed = json.loads(line.removeprefix("const OFFLINE = ").removesuffix(";"))
    for address in [*listed["pages"], *listed["files"], *listed["data"]]:
        assert place_of(site, urljoin(BASE, address)).is_file(), address
    assert listed["isolate"] is True and (site / listed["prefix"]).is_dir()


def test_the_app_can_be_installed(site):
    manifest = json.loads((site / "app.webmanifest").read_text(encoding="utf-8"))
    assert manifest["start_url"] == manifest["scope"] == "./" and "share_target" not in manifest
    assert all((site / icon["src"]).is_file() for icon in manifest["icons"])


def test_an_earlier_site_is_replaced_and_another_folder_is_not(site, tmp_path):
    (site / "old.html").touch()
    static_site.write_site(site)
    assert not (site / "old.html").exists() and (site / "index.html").is_file()
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(static_site.StaticSiteError, match="neither empty nor an earlier static site"):
        static_site.write_site(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_addresses_that_need_the_server_are_refused():
    page = '<html lang="en"><meta charset="utf-8"><p>See <a href="/text#top">texts</a>.</p><a href="/about#limits">Limits</a>'
    assert static_site.rewrite(page).endswith('<p>See texts.</p><a href="about.html#limits">Limits</a>')
    with pytest.raises(static_site.StaticSiteError, match='src="/pictures/a.png"'):
        static_site.rewrite('<img src="/pictures/a.png">')
