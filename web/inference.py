"""The models that answer: those of the folder or the bucket that MODELS names, or, where allowed, the tree's instead."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import current_app, g

from emotions import FaceAnalyzer, FaceTracker, ImageResult, ModelFileError, ModelRegistry, open_image
from emotions.errors import TrackerStateError
from emotions.face.annotate import annotated_jpeg
from emotions.image.loading import LoadedImage, data_uri
from emotions.runtime.gcs import download_models

from .http.logging import LOGGER
from .http.problems import Problem

ROOT = Path(__file__).resolve().parent.parent


def load_analyzer(config: Mapping[str, Any], registry: ModelRegistry | None = None) -> FaceAnalyzer:
    """The models of `registry`, else of MODELS. Raises ModelFileError; for a bucket only without MODELS_FALLBACK."""
    address, head = config["MODELS"], config["EXPRESSION_HEAD"]
    if registry or not address.startswith("gs:"):
        return _checked(registry or ModelRegistry(ROOT / address), head)
    begun = time.perf_counter()
    try:
        found = _checked(ModelRegistry(download_models(address), source="bucket"), head)
    except ModelFileError as error:
        told: dict[str, Any] = {"extra": {"fields": {"models": {"address": address, "error": str(error)}}}}
        if not config["MODELS_FALLBACK"]:
            LOGGER.error("models of the bucket cannot be had, and MODELS_FALLBACK is 0: no start", **told)
            raise
        LOGGER.error("models of the bucket cannot be had: those in the tree answer", **told)
        return _checked(ModelRegistry(source="fallback"), head)
    seconds = round(time.perf_counter() - begun, 3)
    fields = {"address": address, "set": found.registry.fingerprint, "seconds": seconds}
    LOGGER.info("models of the bucket are here", extra={"fields": {"models": fields}})
    return found


def _checked(registry: ModelRegistry, head: str) -> FaceAnalyzer:
    """Every file is checked: a damaged one must stop the start, not a visitor's request."""
    registry.verify()
    registry.entry("expression-head", head)  # raises where EXPRESSION_HEAD names none of the manifest
    return FaceAnalyzer(registry, head)


# What the pages and the API do alike: bytes in, a reading out, its times noted for the answer's headers and the log.


def analyzer() -> FaceAnalyzer:
    return current_app.extensions["analyzer"]


def analyze_image(
    photo: bytes, detector: str = "auto", landmarks: bool = False, explain: bool = False
) -> tuple[LoadedImage, ImageResult]:
    """Open and read the bytes of a picture. Raises ImageError, which the error handlers turn into a problem."""
    picture = open_image(photo)
    result = analyzer().analyze(picture, detector, landmarks, explain)
    g.timing_ms = dict(result.timing_ms)
    g.faces = len(result.faces)
    g.detector = result.detector
    return picture, result


def annotated_uri(picture: LoadedImage, result: ImageResult) -> str:
    """The annotated picture as a data: URI."""
    begun = time.perf_counter()
    uri = data_uri(annotated_jpeg(picture, result))
    g.timing_ms["annotate"] = (time.perf_counter() - begun) * 1e3
    return uri


# Faces followed through the frames that a client sends: what is remembered travels with them, the server keeps nothing.


def load_tracker(tracks: str) -> FaceTracker:
    """The tracker that goes on from an earlier answer's `tracks`; anew where they are empty. Raises Problem."""
    try:
        return FaceTracker(tracks)
    except TrackerStateError as error:
        raise Problem("invalid_tracks", str(error)) from None


def update_tracker(tracker: FaceTracker, picture: LoadedImage, result: ImageResult, time: float | None) -> ImageResult:
    """The result with followed ids and smoothed probabilities, its time noted for the answer's headers and the log."""
    result = tracker.update(picture, result, time)
    g.timing_ms["follow"] = result.timing_ms["follow"]
    return result


# Memory that large requests leave behind in the C library's heap.


def trim_heap() -> None:
    """Give freed memory back to the system, where the C library can (glibc): after a film some 10 MB in a few milliseconds.

    The heap only shrinks from its end by itself, and what a decoder and an encoder freed lies in its middle.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
