"""What an analysis gives: frozen dataclasses with one JSON form each. Coordinates are pixels of the full-size upright picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..labels import EMOTIONS
from .pose import Pose

if TYPE_CHECKING:  # saliency.py draws, and annotate.py draws results
    from .saliency import OcclusionMap


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: `left` and `top` may be negative and the far edges may lie outside, as faces do."""

    left: float
    top: float
    width: float
    height: float

    @property
    def area(self) -> float:
        return self.width * self.height

    def scaled(self, factor: float) -> Box:
        return Box(self.left * factor, self.top * factor, self.width * factor, self.height * factor)

    def to_json(self) -> dict[str, int]:
        return {name: round(getattr(self, name)) for name in ("left", "top", "width", "height")}


@dataclass(frozen=True)
class Face:
    """One face and its seven probabilities, in the order of EMOTIONS, summing to 1.

    `score`: how sure the detector is that this is a face, 0..1 (None where the whole picture was read as one face).
    `confidence`: the calibrated probability of `emotion`. `drawn`: probability that the face is drawn, None if the model
    set has no such head. `unsure`: None, or why the answer deserves doubt: one of doubts.UNSURE_REASONS. `landmarks`: (x, y) pairs,
    468 of them. `explanation`: what the answer rests on, where that was asked for. `pose`: how the head is turned, None where
    Face Mesh saw no face; as JSON it comes with the landmarks. `raw`: the probabilities of this picture alone, where
    `probabilities` are smoothed over the frames of a film (see video/tracker.py).
    """

    id: int
    box: Box
    score: float | None
    probabilities: tuple[float, ...]
    drawn: float | None = None
    unsure: str | None = None
    landmarks: tuple[tuple[float, float], ...] | None = None
    explanation: OcclusionMap | None = field(default=None, compare=False)  # arrays have no one truth value to compare by
    pose: Pose | None = None
    raw: tuple[float, ...] | None = None

    @property
    def emotion(self) -> str:
        return EMOTIONS[max(range(len(EMOTIONS)), key=self.probabilities.__getitem__)]

    @property
    def confidence(self) -> float:
        return max(self.probabilities)

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": self.id,
            "box": self.box.to_json(),
            "score": None if self.score is None else round(self.score, 4),
            "emotion": self.emotion,
            "confidence": round(self.confidence, 4),
            "probabilities": _by_emotion(self.probabilities),
            "drawn": None if self.drawn is None else round(self.drawn, 4),
            "unsure": self.unsure,
        }
        if self.landmarks is not None:
            body["landmarks"] = [[round(x, 1), round(y, 1)] for x, y in self.landmarks]
            if self.pose is not None:
                body["pose"] = self.pose.to_json()
        if self.raw is not None:
            body["raw"] = _by_emotion(self.raw)
        if self.explanation is not None:
            body["explanation"] = self.explanation.data_uri()
        return body


@dataclass(frozen=True)
class ImageResult:
    """The faces of one picture, largest first; `width` and `height` are those of the full-size upright picture.

    `detector`: which detector gave the boxes. `timing_ms`: milliseconds spent in `decode`, `detect`, `classify` and,
    where they were asked for, `explain` and `follow`. `thresholds`: the limits by which answers deserve doubt, see reliability.py.
    """

    width: int
    height: int
    faces: tuple[Face, ...]
    detector: str
    model: dict[str, str]
    timing_ms: dict[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "width": self.width,
            "height": self.height,
            "faces": [face.to_json() for face in self.faces],
            "detector": self.detector,
            "model": dict(self.model),
            "timing_ms": {name: round(value, 2) for name, value in self.timing_ms.items()},
        }


def _by_emotion(probabilities: tuple[float, ...]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in zip(EMOTIONS, probabilities, strict=True)}
