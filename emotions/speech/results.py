"""Results of speech classification: frozen dataclasses with one JSON form each. Times are seconds from the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..labels import EMOTIONS, by_emotion
from ..tables import data_frame

REASONS = ("too_short", "silence", "not_speech", "narrow_band", "noisy")
"""Codes for a recording or segment without a prediction."""

COLUMNS = ("start", "end", "emotion", "confidence", *EMOTIONS, "reason")
"""Columns of a result as a table."""


class _Prediction:
    """Emotion and confidence of a set of probabilities; both are None where `reason` is set."""

    probabilities: tuple[float, ...]
    reason: str | None

    @property
    def emotion(self) -> str | None:
        """The most likely emotion, None where `reason` is set."""
        return None if self.reason else EMOTIONS[max(range(len(EMOTIONS)), key=self.probabilities.__getitem__)]

    @property
    def confidence(self) -> float | None:
        """Calibrated probability of `emotion`, None where `reason` is set."""
        return None if self.reason else max(self.probabilities)

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as a JSON object."""
        return {
            "emotion": self.emotion,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "reason": self.reason,
            "probabilities": by_emotion(self.probabilities),
        }


@dataclass(frozen=True)
class SpeechSegment(_Prediction):
    """Prediction for a segment of a recording.

    Attributes:
        start: Start of the segment in seconds.
        end: End of the segment in seconds.
        probabilities: Seven probabilities in the order of EMOTIONS, with sum 1.
        reason: None, or one of REASONS if the segment contains no speech; the probabilities are then meaningless.
    """

    start: float
    end: float
    probabilities: tuple[float, ...]
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the segment as a JSON object."""
        return {"start": round(self.start, 2), "end": round(self.end, 2), **super().to_json()}


@dataclass(frozen=True)
class SpeechResult(_Prediction):
    """Prediction for a recording: the mean over its segments that contain speech.

    Attributes:
        seconds: Decoded duration.
        probabilities: Seven probabilities in the order of EMOTIONS, with sum 1.
        segments: Predictions over time, without the silence at both ends.
        model: Name and version of the model.
        reason: None, or one of REASONS if there is no prediction; the probabilities are then meaningless.
        partial: True if the recording is truncated or damaged and only its beginning was decoded.
        timing_ms: Milliseconds of `decode` (with the spectrogram) and `classify`.
        envelope: (N,) float32 peak amplitude of every 20 ms, full scale 1.
    """

    seconds: float
    probabilities: tuple[float, ...]
    segments: tuple[SpeechSegment, ...]
    model: dict[str, str]
    reason: str | None = None
    partial: bool = False
    timing_ms: dict[str, float] = field(default_factory=dict)
    # excluded from ==: NumPy arrays have no single truth value
    envelope: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32), compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the result as the API's JSON object."""
        return {
            **super().to_json(),
            "seconds": round(self.seconds, 2),
            "partial": self.partial,
            "segments": [segment.to_json() for segment in self.segments],
            "model": dict(self.model),
            "timing_ms": {name: round(value, 2) for name, value in self.timing_ms.items()},
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row of COLUMNS for each segment, one for the whole recording where there is none."""
        whole = {"start": 0.0, "end": round(self.seconds, 2), **super().to_json()}
        found = [segment.to_json() for segment in self.segments] or [whole]
        return [{name: (one | one["probabilities"])[name] for name in COLUMNS} for one in found]

    def to_pandas(self) -> Any:
        """Return `to_rows()` as a pandas.DataFrame. Raises MissingPackageError where pandas is not installed."""
        return data_frame(self.to_rows(), COLUMNS)
