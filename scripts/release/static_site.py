"""Write the site as a folder of files that any static host serves: faces are analyzed on the visitor's device, without a server.

    python -m scripts.release.static_site --out build/static      # make static

The pages are those of the web app, rendered with its templates; their addresses become relative, so that the folder works at any
path. Texts, speech and the API need a server: links to them are left out. docs/on-device.md says how to publish the folder.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from web import create_app
from web.http import offline
from web.http.model_files import analyzer, device_manifest
from web.http.security import CONTENT_SECURITY_POLICY
from web.http.static_files import PRECOMPRESSED, folder_version

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"/": "index.html", "/live": "live.html", "/video": "video.html", "/about": "about.html", "/about/models": "models.html"}
"""Address on the server -> file of the static site."""
OFFLINE_PAGES = ("./", "index.html", "live.html", "video.html", "about.html")
FOLDERS = ("css", "icons", "js", "samples", "vendor/bootstrap", "vendor/litert", "vendor/source-sans-3")
"""Folders of static/ that the pages use."""
LEFT_OUT = frozenset((".flac",))
"""Suffixes of files that only the pages of the server use."""
ROOT_FILES = {"icons/favicon.ico": "favicon.ico", "robots.txt": "robots.txt"}
STYLE = "style.json"
LICENSES = ("LICENSE.md", "LICENSE-APACHE-2.0", "NOTICE.md")
"""Files of models/ that go with the model files."""


class StaticSiteError(RuntimeError):
    """A page has an address that does not work without the server, or the output folder is in use."""


def write_site(folder: Path) -> None:
    """Write the site into an empty or new folder, or over an earlier site. Raises StaticSiteError."""
    _prepare(folder)
    app = create_app({"STATIC_SITE": True, "API_KEYS": ()})
    version = folder_version(str(app.static_folder))
    client = app.test_client()
    for address, name in PAGES.items():
        (folder / name).write_text(rewrite(_read(client, address)), encoding="utf-8")
    (folder / STYLE).write_text(_read(client, "/api/v1/style"), encoding="utf-8")
    files = folder / "static" / f"@{version}"
    copy_static_files(Path(str(app.static_folder)), files)
    for source, name in ROOT_FILES.items():
        shutil.copy(Path(str(app.static_folder)) / source, folder / name)
    (folder / ".nojekyll").touch()  # GitHub Pages then publishes all files as they are
    _write_app_manifest(Path(str(app.static_folder)), folder, version)
    with app.test_request_context():
        write_models(folder / "models")
        _write_service_worker(app, folder, version)


def _read(client: FlaskClient, address: str) -> str:
    """Return what the app answers. Raises StaticSiteError if that is an error."""
    response = client.get(address)
    if response.status_code != 200:
        raise StaticSiteError(f"{address}: status {response.status_code}")
    return response.text


def _prepare(folder: Path) -> None:
    """Make the folder, or empty it if it holds an earlier site. Raises StaticSiteError if it holds anything else."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / offline.SCRIPT).is_file():
            raise StaticSiteError(f"{folder} is neither empty nor an earlier static site")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)


def rewrite(page: str) -> str:
    """Return a page of the server as one of the static site.

    Raises StaticSiteError if an address is left that begins at the root of the host.
    """
    policy = "; ".join(part for part in CONTENT_SECURITY_POLICY.split("; ") if not part.startswith("frame-ancestors"))
    page = page.replace("<html ", '<html data-server="none" ', 1)
    # A policy in the page itself cannot set frame-ancestors.
    page = page.replace(
        '<meta charset="utf-8">',
        f'<meta charset="utf-8">\n  <meta http-equiv="Content-Security-Policy" content="{policy}">',
        1,
    )
    page = re.sub(r'\s*<a href="(?!#)([^"]*)"[^>]*>[^<]*</a>', _navigation, page)
    page = page.replace('"/static/app.webmanifest"', '"app.webmanifest"')
    page = re.sub(r'="/(static|models)/', r'="\1/', page)
    page = re.sub(r'((?:href|action|data-[a-z]+)=)"(/[^"#]*)(#[^"]*)?"', _page_address, page)
    if left := re.findall(r'[a-z-]+="/[^"]*"', page):
        raise StaticSiteError(f"addresses that need the server: {', '.join(sorted(set(left)))}")
    return page


def _navigation(match: re.Match[str]) -> str:
    """Drop a link to what only the server has; within a sentence its text stays."""
    address = match[1].partition("#")[0]
    if not address.startswith("/") or address.startswith("/static/") or address in PAGES:
        return match[0]
    in_list = match.string[: match.start()].rstrip().endswith(("</a>", '<nav aria-label="Main">'))
    return "" if in_list else re.sub(r"</?a\b[^>]*>", "", match[0])


def _page_address(match: re.Match[str]) -> str:
    attribute, address, fragment = match[1], match[2], match[3] or ""
    if address not in PAGES:
        return match[0]
    return f'{attribute}"{"./" if address == "/" else PAGES[address]}{fragment}"'


def copy_static_files(source: Path, target: Path) -> None:
    """Copy what the pages use; what is stored compressed is expanded, since static hosts compress by themselves."""
    for path in sorted(path for name in FOLDERS for path in (source / name).rglob("*") if path.is_file()):
        if path.suffix in LEFT_OUT:
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".gz" and Path(path.stem).suffix in PRECOMPRESSED:
            place.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        else:
            shutil.copy(path, place)


def write_models(folder: Path) -> None:
    """Write the manifest, the model files and their licences. Needs an app context."""
    registry, manifest = analyzer().registry, device_manifest()
    for entry in manifest["models"]:
        place = folder / entry["path"]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(registry.folder / entry["file"], place)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    for name in LICENSES:
        if (registry.folder / name).is_file():
            shutil.copy(registry.folder / name, folder / name)


def _write_app_manifest(source: Path, folder: Path, version: str) -> None:
    """Write the web app manifest; a static host takes no photos from a phone's share sheet."""
    manifest: dict[str, Any] = json.loads((source / offline.MANIFEST).read_text(encoding="utf-8"))
    manifest |= {"id": "./", "start_url": "./", "scope": "./"}
    del manifest["share_target"]
    manifest["icons"] = [{**icon, "src": f"static/@{version}/{icon['src']}"} for icon in manifest["icons"]]
    (folder / offline.MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _write_service_worker(app: Flask, folder: Path, version: str) -> None:
    prefix = f"static/@{version}/"
    names = [name for name in offline.offline_files(str(app.static_folder)) if name != offline.MANIFEST]
    script = offline.script(
        version=version,
        pages=list(OFFLINE_PAGES),
        files=[offline.MANIFEST, *(prefix + name for name in names)],
        prefix=prefix,
        data=[STYLE],
        isolate=True,
    )
    (folder / offline.SCRIPT).write_text(script, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "static", help="folder of the site (build/static)")
    options = parser.parse_args(arguments)
    logging.disable()  # the app logs each request
    try:
        write_site(options.out)
    except StaticSiteError as error:
        parser.exit(1, f"{error}\n")
    files = [path for path in options.out.rglob("*") if path.is_file()]
    print(f"{options.out}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
