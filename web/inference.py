"""Models of the app and the calls that its API and pages share."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, current_app, g

from emotions import FaceAnalyzer, FaceTracker, ImageResult, ModelFileError, ModelRegistry, open_image
from emotions.errors import TrackerStateError
from emotions.face.annotate import annotated_jpeg
from emotions.face.defaults import DEFAULT_VIEWS
from emotions.image.loading import LoadedImage, data_uri
from emotions.runtime.gcs import download_models
from emotions.runtime.memory import trim_heap
from emotions.speech.classifier import SpeechClassifier
from emotions.text.classifier import TextClassifier

from .http.logging import LOGGER
from .http.problems import Problem

ROOT = Path(__file__).resolve().parent.parent
SERVED = (("detector", "blazeface-full-range"), ("detector", "blazeface-back-camera"), ("landmarks", "face-mesh"))
"""Role and name of the models that every server needs beside the expression models; those of texts and speech may be missing."""


def register(app: Flask, registry: ModelRegistry | None = None) -> None:
    """Load the models of `registry`, else those that MODELS names. Raises ModelFileError."""
    face_analyzer = load_analyzer(app.config, registry)
    app.extensions["analyzer"] = face_analyzer
    app.extensions["text"] = TextClassifier(face_analyzer.registry)  # these two read their files on first use
    app.extensions["speech"] = SpeechClassifier(face_analyzer.registry)


def load_analyzer(config: Mapping[str, Any], registry: ModelRegistry | None = None) -> FaceAnalyzer:
    """Return the face analyzer of `registry`, else of the folder or bucket that MODELS names.

    Raises ModelFileError for missing or damaged files; for a bucket only without MODELS_FALLBACK, which allows the models of the
    tree instead.
    """
    address, head = config["MODELS"], config["EXPRESSION_HEAD"]
    if registry or not address.startswith("gs:"):
        return _verified(registry or ModelRegistry(ROOT / address), head)
    start = time.perf_counter()
    try:
        face_analyzer = _verified(ModelRegistry(download_models(address), source="bucket"), head)
    except ModelFileError as error:
        extra = {"fields": {"models": {"address": address, "error": str(error)}}}
        if not config["MODELS_FALLBACK"]:
            LOGGER.error("loading models from the bucket failed and MODELS_FALLBACK is 0: not starting", extra=extra)
            raise
        LOGGER.error("loading models from the bucket failed: using the models of the tree", extra=extra)
        return _verified(ModelRegistry(source="fallback"), head)
    seconds = round(time.perf_counter() - start, 3)
    fields = {"address": address, "set": face_analyzer.registry.fingerprint, "seconds": seconds}
    LOGGER.info("models loaded from the bucket", extra={"fields": {"models": fields}})
    return face_analyzer


def _verified(registry: ModelRegistry, head: str) -> FaceAnalyzer:
    """Check all files now: one that is damaged or missing must stop the server from starting, not fail a request."""
    registry.check()
    registry.verify()
    chosen = registry.entry("expression-head", head)  # raises for an unknown EXPRESSION_HEAD
    speech = [("speech-check", None)] if registry.entries("speech") else []
    for role, name in (("expression-base", chosen.base), *SERVED, *speech):
        registry.entry(role, name)
    return FaceAnalyzer(registry, head)


def analyzer() -> FaceAnalyzer:
    return current_app.extensions["analyzer"]


def text_classifier() -> TextClassifier:
    _require("text")
    return current_app.extensions["text"]


def speech_classifier() -> SpeechClassifier:
    _require("speech")
    return current_app.extensions["speech"]


def _require(role: str) -> None:
    """Raise the Problem `no_model` where the served set of models has none of this role, as one for own faces may."""
    if all(entry["role"] != role for entry in analyzer().registry.manifest["models"]):
        raise Problem("no_model")


def analyze_image(
    data: bytes, detector: str = "auto", landmarks: bool = False, explain: bool = False, views: int = DEFAULT_VIEWS
) -> tuple[LoadedImage, ImageResult]:
    """Decode and analyze an image file; times and counts go into the response's headers and the log.

    Raises ImageError, which the error handlers turn into a problem.
    """
    image = open_image(data)
    result = analyzer().analyze(image, detector, landmarks, explain, views)
    g.timing_ms = dict(result.timing_ms)
    g.faces = len(result.faces)
    g.detector = result.detector
    return image, result


def annotated_uri(image: LoadedImage, result: ImageResult) -> str:
    """Return the annotated image as a data: URI; the time is put into the response's headers and the log."""
    uri, g.timing_ms["annotate"] = annotate_timed(image, result)
    return uri


def annotate_timed(image: LoadedImage, result: ImageResult) -> tuple[str, float]:
    """Return the annotated image as a data: URI, and the milliseconds that it took."""
    start = time.perf_counter()
    uri = data_uri(annotated_jpeg(image, result))
    return uri, (time.perf_counter() - start) * 1e3


def load_tracker(tracks: str) -> FaceTracker:
    """Restore the tracker from the `tracks` of an earlier response, or start one where they are empty. Raises Problem."""
    try:
        return FaceTracker(tracks)
    except TrackerStateError as error:
        raise Problem("invalid_tracks", str(error)) from None


def update_tracker(tracker: FaceTracker, image: LoadedImage, result: ImageResult, time: float | None) -> ImageResult:
    """Return the result with track ids and smoothed probabilities; the time is put into the response's headers and the log."""
    result = tracker.update(image, result, time)
    g.timing_ms["follow"] = result.timing_ms["follow"]
    return result


SELDOM_USED = ("text", "speech", "speech-check")
"""Roles whose models are unloaded when memory is short, and after IDLE_SECONDS: loading them again takes a tenth of a second."""
IDLE_SECONDS = 60.0


def unload_seldom_used(app: Flask, idle_seconds: float = 0.0) -> None:
    """Free the memory of the models of SELDOM_USED that have not been used for `idle_seconds`, and trim the heap."""
    app.extensions["analyzer"].registry.unload(SELDOM_USED, idle_seconds)
    trim_heap()
