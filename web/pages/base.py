"""Blueprint of the pages, variables of every template, and the base class of the result views."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote

from flask import Blueprint, current_app, redirect, request
from werkzeug import Response

from emotions import EMOTIONS
from emotions.face.saliency import MAX_EXPLAINED
from emotions.labels import COLOURS, TITLES, ranking
from emotions.runtime.limits import SERVER

from ..http.feedback import tokens
from ..http.model_files import face_models
from ..http.static_files import static_folder
from ..inference import analyzer, text_classifier
from .model_card import reliability_of
from .samples import SAMPLES

MAX_TITLE = 80
"""Characters of a file's name that a page shows and downloads have in their names."""
WASM = "vendor/litert/litert_wasm_internal.wasm.gz"
"""WebAssembly that most browsers load to analyze on the device, below the static folder."""
MAX_OPEN_FACES = 6
"""Faces of a result whose cards are open at first."""

pages = Blueprint("pages", __name__)


class JsonResult(Protocol):
    def to_json(self) -> dict[str, Any]: ...


class Prediction(Protocol):
    @property
    def probabilities(self) -> Sequence[float]: ...


class ResultView:
    """Base of the views that templates show: a result of the library and its JSON download.

    `title`: name of the file, or of the sample, as it was uploaded.
    """

    result: JsonResult
    title: str = ""

    @property
    def stem(self) -> str:
        """Beginning of the names of downloads: that of the file without its suffix and without what file systems refuse."""
        return re.sub(r"[^\w.-]+", "-", PurePosixPath(self.title).stem).strip("-.") or "result"

    @property
    def json_link(self) -> str:
        """The result as a `data:` URI: the download needs neither JavaScript nor a copy on the server."""
        return "data:application/json," + quote(json.dumps(self.result.to_json(), indent=1))


def uploaded_name() -> str | None:
    """Return the name of the form's file without folders, at most MAX_TITLE characters; None where no file was chosen."""
    names = [file.filename for file in request.files.values() if file.filename]
    return PurePosixPath(names[0].replace("\\", "/")).name[:MAX_TITLE] if names else None


@pages.app_context_processor
def template_globals() -> dict[str, Any]:
    """Return the variables of every template; error pages need them too, since they include the photo form."""
    return {
        "colours": COLOURS,
        "emotions": EMOTIONS,
        "titles": TITLES,
        "samples": SAMPLES,
        "notice": current_app.config["NOTICE"],
        "feedback": current_app.config["FEEDBACK"],
        "feedback_token": tokens().issue,
        "max_explained": MAX_EXPLAINED,
        "max_open_faces": MAX_OPEN_FACES,
        "max_bytes": SERVER.file_bytes,
        "max_megabytes": int(SERVER.file_mb),
        "reliability_of": served_reliability,
        "text_thresholds": text_thresholds,
        "drawn_figures": drawn_figures,
        "device_bytes": device_bytes,
    }


@pages.before_app_request
def remove_trailing_slash() -> Response | None:
    """Redirect to the address without a slash at its end where there is no page with one."""
    path = request.path.rstrip("/")
    if request.routing_exception is None or not request.path.endswith("/"):
        return None
    if not current_app.url_map.bind("").test(path, request.method):
        return None
    query = request.query_string.decode("latin-1")
    return redirect(f"/{path.lstrip('/')}{'?' + query if query else ''}", 308)


@pages.app_template_filter()
def ranked(prediction: Prediction) -> list[tuple[str, float]]:
    """Return (emotion, probability) pairs, the predicted emotion first: of texts, those above their thresholds precede others."""
    probabilities = dict(zip(EMOTIONS, prediction.probabilities, strict=True))
    order = ranking(prediction.probabilities, getattr(prediction, "over_threshold", ()))
    return [(name, probabilities[name]) for name in order]


def served_reliability(confidence: float) -> dict[str, Any] | None:
    """Return the reliability bin of the served head for this confidence, measured on validation faces."""
    return reliability_of(confidence, analyzer().classifier.head_entry.reliability)


def text_thresholds() -> dict[str, float]:
    """Return the probability of each emotion from which a text counts as expressing it."""
    return dict(text_classifier().entry.thresholds)


def drawn_figures() -> dict[str, Any] | None:
    """Return the served head's figures on drawn faces of styles outside the training data; None if there are none."""
    return analyzer().classifier.head_entry.evaluation.get("dicebear_test")


def device_bytes() -> int:
    """Return the bytes that a browser downloads to analyze on the device: the models of faces and the WebAssembly."""
    return sum(entry.bytes for entry in face_models()) + (Path(static_folder()) / WASM).stat().st_size
