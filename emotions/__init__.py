"""Seven emotion probabilities for every face of a picture; usable alone:

    >>> import emotions
    >>> result = emotions.read_photo("portrait.jpg")
    >>> result.faces[0].emotion, result.faces[0].confidence

A shown expression is not a felt emotion: see the limits of use in README.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .errors import ImageError, ModelFileError
from .face.analyzer import FaceAnalyzer
from .face.annotate import annotate
from .face.classifier import DEFAULT_HEAD
from .face.results import Face, ImageResult
from .image.loading import open_image
from .labels import EMOTIONS
from .runtime.manifest import ModelRegistry
from .video.tracker import FaceTracker

__all__ = [
    "EMOTIONS", "FaceAnalyzer", "ModelFileError", "ModelRegistry", "Face", "FaceTracker", "ImageError", "annotate", "open_image", "read_photo",
]  # fmt: skip


def read_photo(
    source: bytes | Path | str, detector: str = "auto", landmarks: bool = False, explain: bool = False
) -> ImageResult:
    """Read every face of a photo (path, or the bytes of a file) with the bundled models, loaded at the first call.

    The options are those of `FaceAnalyzer.analyze`.
    """
    picture = open_image(source if isinstance(source, bytes) else Path(source))
    return _analyzer().analyze(picture, detector, landmarks, explain)


@cache
def _analyzer() -> FaceAnalyzer:
    return FaceAnalyzer(head=DEFAULT_HEAD)
