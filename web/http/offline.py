"""Service worker: pages and static files that a browser keeps so that it opens them without network.

The script is static/service-worker.js behind a line with the list of addresses. The list names the version of the static files,
so that a deployment changes the script, which makes browsers fetch the new files.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from flask import Flask, Response, request, url_for

from .static_files import folder_version, static_folder

SCRIPT = "service-worker.js"
PAGES = ("pages.home", "pages.webcam", "pages.video", "pages.about")
"""Endpoints of the pages that work without the server."""
DATA = ("api.style",)
"""Endpoints that the pages ask for data."""
SHARE = "pages.share"
"""Endpoint to which phones send photos from their share sheets."""
FOLDERS = ("css", "js", "icons", "samples/small", "vendor/bootstrap", "vendor/source-sans-3")
"""Folders of static/ that these pages use. Samples are kept when they are first used; js/offline.js adds the WebAssembly that a
browser runs."""
SUFFIXES = frozenset((".css", ".js", ".svg", ".png", ".webp", ".woff2"))
MANIFEST = "app.webmanifest"


def register(app: Flask) -> None:
    app.add_url_rule(f"/{SCRIPT}", "service_worker", service_worker)


def service_worker() -> Response:
    """Return the script; browsers ask for it with every visit."""
    response = Response(
        script(
            version=folder_version(static_folder()),
            pages=[url_for(endpoint) for endpoint in PAGES],
            files=[url_for("static", filename=name) for name in offline_files(static_folder())],
            prefix=url_for("static", filename=""),
            data=[url_for(endpoint) for endpoint in DATA],
            share=url_for(SHARE),
        ),
        mimetype="text/javascript",
    )
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def script(
    version: str, pages: list[str], files: list[str], prefix: str, data: list[str], isolate: bool = False, share: str = ""
) -> str:
    """Compose the script. Addresses are absolute or relative to it.

    Args:
        version: Of the static files: names the cache.
        pages: Pages to keep.
        files: Static files to keep.
        prefix: Beginning of the addresses of all static files, which are kept when they are first used.
        data: Addresses whose last answer is kept.
        isolate: Let the script add the headers of cross-origin isolation, for hosts that cannot send them.
        share: Address of photos from share sheets, which the script hands to the photo page; empty where there is none.
    """
    addresses = {"pages": pages, "files": files, "prefix": prefix, "data": data, "share": share}
    offline = {"version": version, "isolate": isolate, **addresses}
    return f"const OFFLINE = {json.dumps(offline)};\n" + (Path(static_folder()) / SCRIPT).read_text(encoding="utf-8")


@cache
def offline_files(folder: str) -> tuple[str, ...]:
    """Names below the static folder of the files that the pages use."""
    found = [
        Path(folder) / MANIFEST,
        *(path for name in FOLDERS for path in sorted((Path(folder) / name).rglob("*")) if path.suffix in SUFFIXES),
    ]
    return tuple(path.relative_to(folder).as_posix() for path in found)
