"""Static files: one version of all of them in their addresses, long-lived caching, and compression.

The version is a digest of the whole folder and a part of the path, so that modules and style sheets that name each other
relatively are always of one version: a page of before a deployment gets no script of after it, but 404.
"""

from __future__ import annotations

import gzip
import mimetypes
import threading
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, current_app, request, send_file
from werkzeug.utils import safe_join

from .problems import Problem, respond
from .security import WASM_POLICY

IMMUTABLE, SHORT_LIVED = "public, max-age=31536000, immutable", "public, max-age=600"
COMPRESSED = frozenset((".css", ".js", ".svg", ".json", ".webmanifest", ".txt", ""))
"""Suffixes of the files that are worth compressing; `` is that of licences."""
MIN_COMPRESSED = 500
"""Bytes of the smallest file that is compressed."""
UNVERSIONED = frozenset((".webmanifest",))
"""Suffixes of files that keep their address: an installed app asks for its manifest again."""
PRECOMPRESSED = frozenset((".wasm",))
"""Suffixes of large files that are stored as `.gz` only: they are neither compressed nor held in memory by the server."""
TYPES = {".woff2": "font/woff2", ".webmanifest": "application/manifest+json", ".wasm": "application/wasm"}
"""Media types that not every Python knows."""
WASM_WORKERS = frozenset(("js/device/worker.js", "vendor/litert/litert_wasm_threaded_internal.js"))
"""Scripts of the workers that compile WebAssembly."""
PIECE = 1 << 16
"""Bytes of a file that are expanded at a time."""
ROOT_FILES = {"favicon.ico": "icons/favicon.ico", "robots.txt": "robots.txt"}
"""Files that are asked for at the root of the site."""

_compressing = threading.Lock()


def register(app: Flask) -> None:
    """Serve the static folder of `app`, which has no route of its own."""
    app.add_url_rule("/static/<path:filename>", "static", static_file)
    app.add_url_rule("/static/@<version>/<path:filename>", "static", static_file)
    for address, filename in ROOT_FILES.items():
        app.add_url_rule(f"/{address}", address, lambda filename=filename: static_file(filename))
    app.url_defaults(add_version)
    app.after_request(check_precondition)


def add_version(endpoint: str, values: dict[str, Any]) -> None:
    """Add the version to the addresses of static files, so that browsers may cache them indefinitely."""
    if endpoint == "static" and "version" not in values and Path(values["filename"]).suffix not in UNVERSIONED:
        values["version"] = folder_version(static_folder())


def check_precondition(response: Response) -> Response:
    """Replace the answer to a request whose `If-Match` fails: Werkzeug sends the file with 412, and takes `*` for no match."""
    if response.status_code != HTTPStatus.PRECONDITION_FAILED or "ETag" not in response.headers:
        return response
    if request.if_match.star_tag:
        response.status_code = HTTPStatus.OK
        return response
    response.close()
    return respond(Problem("precondition_failed", "The file has changed.", status=HTTPStatus.PRECONDITION_FAILED))


def static_folder() -> str:
    """Return the path of the static folder."""
    return str(current_app.static_folder)


@cache
def folder_version(folder: str) -> str:
    """Return the first digits of a SHA-256 over the names and contents of all files of a folder. It is read once."""
    digest = sha256()
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def static_file(filename: str, version: str | None = None) -> Response:
    """Return a static file, compressed where the client takes that. Another version than that of the folder is not found."""
    folder = static_folder()
    path = safe_join(folder, filename)
    if path is None or version not in (None, folder_version(folder)):
        abort(404)
    kind = TYPES.get(Path(path).suffix) or mimetypes.guess_type(path)[0] or "text/plain"
    if Path(path).suffix in PRECOMPRESSED:
        response = _precompressed(f"{path}.gz", kind)
    elif _is_file(path):
        response = _file(path, kind)
    else:
        abort(404)
    if Path(path).suffix in COMPRESSED | PRECOMPRESSED:
        response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = IMMUTABLE if version else SHORT_LIVED
    if filename in WASM_WORKERS:
        response.headers["Content-Security-Policy"] = WASM_POLICY
    return response


def _file(path: str, kind: str) -> Response:
    """Return a file, compressed if its suffix is in COMPRESSED and the client accepts that."""
    compressed = None
    if Path(path).suffix in COMPRESSED and "Range" not in request.headers:
        compressed = _compressed(path) if request.accept_encodings["gzip"] > 0 else None
    if compressed is None:
        return send_file(path, kind, conditional=True)
    response = Response(compressed, mimetype=kind, headers={"Content-Encoding": "gzip"})
    response.set_etag(sha256(compressed).hexdigest()[:32])
    response.make_conditional(request)
    return response


def _precompressed(path: str, kind: str) -> Response:
    """Return a file that is stored compressed; for a client that does not accept that it is expanded piece by piece."""
    if not _is_file(path):
        abort(404)
    if request.accept_encodings["gzip"] > 0:
        response = send_file(path, kind, conditional=False)
        response.headers["Content-Encoding"] = "gzip"
        response.make_conditional(request)
        return response
    return Response(_expanded(path), mimetype=kind)


def _expanded(path: str) -> Iterator[bytes]:
    with gzip.open(path) as file:
        while piece := file.read(PIECE):
            yield piece


def _is_file(path: str) -> bool:
    """Return True for a file; a name may be longer than the file system permits."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def _compressed(path: str) -> bytes | None:
    """Return the compressed content of a file, None if that is not worth it. Each is compressed once, by one thread."""
    with _compressing:
        return _compress(path)


@cache
def _compress(path: str) -> bytes | None:
    content = Path(path).read_bytes()
    compressed = gzip.compress(content, 9, mtime=0)
    return compressed if len(content) >= MIN_COMPRESSED and len(compressed) < 0.9 * len(content) else None
