"""Emotion recognition for faces in photos and videos, for texts and for speech.

Example:
    >>> import emotions
    >>> result = emotions.analyze_photo("tests/data/astronaut.jpg")
    >>> [(face.emotion, face.confidence > 0.9) for face in result.faces]
    [('happy', True)]

A displayed expression is not a felt emotion: README states the limits of use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    AudioError,
    EmotionDetectorError,
    ImageError,
    MemoryBudgetError,
    ModelFileError,
    SourceError,
    TextError,
    TimeBudgetError,
    TrackerStateError,
    VideoError,
)
from .labels import EMOTIONS

if TYPE_CHECKING:
    from .api import analyze_photo, analyze_speech, analyze_text, analyze_video
    from .face.analyzer import FaceAnalyzer
    from .face.annotate import annotate
    from .face.results import Box, Face, ImageResult
    from .image.loading import LoadedImage, open_image
    from .runtime.limits import Limits, set_limits
    from .runtime.manifest import ModelEntry, ModelRegistry
    from .speech.classifier import SpeechClassifier
    from .speech.results import SpeechResult, SpeechSegment
    from .text.classifier import TextClassifier
    from .text.results import TextResult, TextSpan, WordAttribution
    from .video.analyzer import FrameResult, VideoAnalyzer
    from .video.results import FrameFaces, VideoResult
    from .video.tracker import FaceTracker

__version__ = "1.0.0"

__all__ = [
    "EMOTIONS",
    "AudioError",
    "Box",
    "EmotionDetectorError",
    "Face",
    "FaceAnalyzer",
    "FaceTracker",
    "FrameFaces",
    "FrameResult",
    "ImageError",
    "ImageResult",
    "Limits",
    "LoadedImage",
    "MemoryBudgetError",
    "ModelEntry",
    "ModelFileError",
    "ModelRegistry",
    "SourceError",
    "SpeechClassifier",
    "SpeechResult",
    "SpeechSegment",
    "TextClassifier",
    "TextError",
    "TextResult",
    "TextSpan",
    "TimeBudgetError",
    "TrackerStateError",
    "VideoAnalyzer",
    "VideoError",
    "VideoResult",
    "WordAttribution",
    "__version__",
    "analyze_photo",
    "analyze_speech",
    "analyze_text",
    "analyze_video",
    "annotate",
    "open_image",
    "set_limits",
]

_MODULES = {
    "api": ("analyze_photo", "analyze_speech", "analyze_text", "analyze_video"),
    "face.analyzer": ("FaceAnalyzer",),
    "face.annotate": ("annotate",),
    "face.results": ("Box", "Face", "ImageResult"),
    "image.loading": ("LoadedImage", "open_image"),
    "runtime.limits": ("Limits", "set_limits"),
    "runtime.manifest": ("ModelEntry", "ModelRegistry"),
    "speech.classifier": ("SpeechClassifier",),
    "speech.results": ("SpeechResult", "SpeechSegment"),
    "text.classifier": ("TextClassifier",),
    "text.results": ("TextResult", "TextSpan", "WordAttribution"),
    "video.analyzer": ("FrameResult", "VideoAnalyzer"),
    "video.results": ("FrameFaces", "VideoResult"),
    "video.tracker": ("FaceTracker",),
}
"""Modules that are imported when one of their names is first used: importing the package loads neither NumPy nor OpenCV."""


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            value = getattr(import_module(f".{module}", __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
