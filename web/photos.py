"""What the pages and the API do alike: bytes in, a reading out, its times noted for the answer's headers and the log."""

from __future__ import annotations

import time

from flask import current_app, g

from emotions import Analyser, ImageResult, open_image
from emotions.face.annotate import annotated_jpeg
from emotions.image.loading import Picture, data_uri


def analyser() -> Analyser:
    return current_app.extensions["analyser"]


def read_photo(
    photo: bytes, detector: str = "auto", landmarks: bool = False, explain: bool = False
) -> tuple[Picture, ImageResult]:
    """Open and read the bytes of a picture. Raises ImageError, which the error handlers turn into a problem."""
    picture = open_image(photo)
    result = analyser().analyse(picture, detector, landmarks, explain)
    g.timing_ms = dict(result.timing_ms)
    g.faces = len(result.faces)
    g.detector = result.detector
    return picture, result


def annotated_uri(picture: Picture, result: ImageResult) -> str:
    """The annotated picture as a data: URI."""
    begun = time.perf_counter()
    uri = data_uri(annotated_jpeg(picture, result))
    g.timing_ms["annotate"] = (time.perf_counter() - begun) * 1e3
    return uri
