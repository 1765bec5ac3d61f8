"""Result classes of face analysis: frozen dataclasses with one JSON form each.

Coordinates are pixels of the full-size upright image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..labels import EMOTIONS, by_emotion
from ..tables import FACE_COLUMNS, data_frame, face_row
from .pose import Pose
from .saliency import OcclusionMap


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels. Faces may reach beyond the image: `left` and `top` may be negative."""

    left: float
    top: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    def scaled(self, factor: float) -> Box:
        """Return the box with all coordinates multiplied by `factor`."""
        return Box(self.left * factor, self.top * factor, self.width * factor, self.height * factor)

    def to_json(self) -> dict[str, int]:
        """Return the box rounded to pixels, as the API gives it."""
        return {name: round(getattr(self, name)) for name in ("left", "top", "width", "height")}


@dataclass(frozen=True)
class Face:
    """One face and the probabilities of its seven emotions.

    Attributes:
        id: Number of the face in the image, or of the track in a video.
        box: Face box.
        score: Confidence of the detector that this is a face, 0..1; None where the whole image was taken as one face.
        probabilities: Calibrated probabilities (7,) in the order of EMOTIONS; they sum to 1.
        drawn: Probability that the face is drawn; None if the models have no such head.
        unsure: Why the prediction is unreliable, one of reliability.UNSURE_REASONS, or None.
        landmarks: 468 pairs (x, y), if they were asked for and Face Mesh found the face.
        explanation: Occlusion map, if it was asked for.
        pose: Head pose, None where Face Mesh found no face. Its JSON comes with the landmarks.
        raw: Probabilities of this frame alone, where `probabilities` are smoothed over the frames of a video (video/tracker.py).
        crop: Aligned face (S, S) uint8 grey that was classified; None in the results of videos.
    """

    id: int
    box: Box
    score: float | None
    probabilities: tuple[float, ...]
    drawn: float | None = None
    unsure: str | None = None
    landmarks: tuple[tuple[float, float], ...] | None = None
    explanation: OcclusionMap | None = field(default=None, compare=False)  # numpy arrays have no single truth value
    pose: Pose | None = None
    raw: tuple[float, ...] | None = None
    crop: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def emotion(self) -> str:
        """The most probable emotion."""
        return EMOTIONS[max(range(len(EMOTIONS)), key=self.probabilities.__getitem__)]

    @property
    def confidence(self) -> float:
        """Calibrated probability of `emotion`."""
        return max(self.probabilities)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of the API."""
        body: dict[str, Any] = {
            "id": self.id,
            "number": self.id + 1,
            "box": self.box.to_json(),
            "score": None if self.score is None else round(self.score, 4),
            "emotion": self.emotion,
            "confidence": round(self.confidence, 4),
            "probabilities": by_emotion(self.probabilities),
            "drawn": None if self.drawn is None else round(self.drawn, 4),
            "unsure": self.unsure,
        }
        if self.landmarks is not None:
            body["landmarks"] = [[round(x, 1), round(y, 1)] for x, y in self.landmarks]
            if self.pose is not None:
                body["pose"] = self.pose.to_json()
        if self.raw is not None:
            body["raw"] = by_emotion(self.raw)
        if self.explanation is not None:
            body["explanation"] = self.explanation.data_uri()
        return body


@dataclass(frozen=True)
class ImageResult:
    """The faces of one image.

    Attributes:
        width: Width of the full-size upright image.
        height: Height of the full-size upright image.
        faces: The faces, largest first.
        detector: Detector that gave the boxes.
        model: Name and version of the expression classifier.
        timing_ms: Milliseconds of `decode`, `detect`, `classify` and, where they were asked for, `explain` and `follow`.
        thresholds: Limits beyond which a prediction is unreliable, see reliability.py.
        views: Views of each face over which its probabilities are averaged, see views.py.
    """

    width: int
    height: int
    faces: tuple[Face, ...]
    detector: str
    model: dict[str, str]
    timing_ms: dict[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    views: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of the API."""
        return {
            "width": self.width,
            "height": self.height,
            "faces": [face.to_json() for face in self.faces],
            "detector": self.detector,
            "views": self.views,
            "model": dict(self.model),
            "timing_ms": {name: round(value, 2) for name, value in self.timing_ms.items()},
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row of FACE_COLUMNS (tables.py) for each face."""
        return [face_row(face) for face in self.faces]

    def to_pandas(self) -> Any:
        """Return `to_rows()` as a pandas.DataFrame. Raises MissingPackageError where pandas is not installed."""
        return data_frame(self.to_rows(), FACE_COLUMNS)
