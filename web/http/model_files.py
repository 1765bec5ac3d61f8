"""Model files for browsers that analyze photos themselves (static/js/device): the manifest, and each file under its SHA-256.

The addresses do not depend on a version of the page: a file stays the same as long as its digest does, and is cached for ever.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, jsonify, request, send_file

from emotions.face.analyzer import FaceAnalyzer
from emotions.runtime.manifest import ModelEntry

from .static_files import IMMUTABLE, SHORT_LIVED

ROLES = frozenset(("detector", "landmarks", "expression-base", "expression-head", "drawn-head", "covered-head", "face-check"))
"""Roles of the models that read faces; those of texts and speech run on the server alone."""
DIGITS = 12
"""Hexadecimal digits of a file's SHA-256 in its address."""

model_files = Blueprint("model_files", __name__)


def register(app: Flask) -> None:
    app.register_blueprint(model_files)


def analyzer() -> FaceAnalyzer:
    """Return the analyzer of the app."""
    found: FaceAnalyzer = current_app.extensions["analyzer"]
    return found


def face_models() -> list[ModelEntry]:
    """List the entries of the models that read faces, one head among them: the one that is served."""
    served = analyzer().classifier.head_entry
    entries = [entry for entry in analyzer().registry.entries() if entry.role in ROLES]
    return [entry for entry in entries if entry.role != served.role or entry == served]


def device_manifest() -> dict[str, Any]:
    """Make the manifest for browsers.

    Its entries are those of models/manifest.json with `path`, the file's place beside this manifest. The head's also has what
    pages show: `reliability`, the bins of its reliability diagram, and `drawn_faces`, `count` and `accuracy` on drawn faces.
    """
    file = analyzer().registry.folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    served = {(entry.role, entry.name): path_of(entry) for entry in face_models()}
    entries = [{**entry, "path": path} for entry in manifest["models"] if (path := served.get((entry["role"], entry["name"])))]
    head = analyzer().classifier.head_entry
    for entry in entries:
        if (entry["role"], entry["name"]) == (head.role, head.name):
            drawn = head.evaluation.get("dicebear_test")
            entry["reliability"] = head.reliability
            entry["drawn_faces"] = drawn and {name: drawn[name] for name in ("count", "accuracy")}
    return {"schema": manifest["schema"], "head": head.name, "models": entries}


def path_of(entry: ModelEntry) -> str:
    """Return the place of an entry's file below /models/."""
    return f"{entry.sha256[:DIGITS]}/{entry.file}"


@model_files.get("/models/manifest.json")
def manifest() -> Response:
    """The manifest; browsers ask for it again after ten minutes."""
    response = jsonify(device_manifest())
    response.headers["Cache-Control"] = SHORT_LIVED
    response.add_etag()
    response.make_conditional(request)
    return response


@model_files.get("/models/<digest>/<name>")
def model_file(digest: str, name: str) -> Response:
    """A model file. It was checked when the server started, and the browser checks it again."""
    for entry in face_models():
        if path_of(entry) == f"{digest}/{name}":
            response = send_file(analyzer().registry.folder / entry.file, "application/octet-stream", etag=entry.sha256)
            response.headers["Cache-Control"] = IMMUTABLE
            return response
    abort(404)
