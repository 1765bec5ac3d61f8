"""What a reading of a recording gives: frozen dataclasses with one JSON form each. Times are seconds from its beginning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..labels import EMOTIONS

REASONS = ("too_short", "silence", "not_speech")
"""Why nothing can be told, in the order in which it is looked for."""


class _Told:
    """What one set of probabilities says: `emotion` None where `reason` is given, the probabilities stay."""

    probabilities: tuple[float, ...]
    reason: str | None

    @property
    def likeliest(self) -> str:
        return EMOTIONS[max(range(len(EMOTIONS)), key=self.probabilities.__getitem__)]

    @property
    def emotion(self) -> str | None:
        return None if self.reason else self.likeliest

    @property
    def confidence(self) -> float | None:
        return None if self.reason else max(self.probabilities)

    def told(self) -> dict[str, Any]:
        return {
            "emotion": self.emotion,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "reason": self.reason,
            "probabilities": {name: round(value, 4) for name, value in zip(EMOTIONS, self.probabilities, strict=True)},
        }


@dataclass(frozen=True)
class SpeechSegment(_Told):
    """A piece of a recording from `start` to `end`, its seven probabilities (order of EMOTIONS, sum 1), and one of REASONS
    where it holds no speech."""

    start: float
    end: float
    probabilities: tuple[float, ...]
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"start": round(self.start, 2), "end": round(self.end, 2), **self.told()}


@dataclass(frozen=True)
class SpeechResult(_Told):
    """The answer for a whole recording: the mean of its segments that hold speech.

    `confidence` is the calibrated probability of `emotion`; both are None where `reason`, one of REASONS, says why nothing can
    be told. `seconds`: length of what was read. `partial`: whether the recording broke off there, being cut off or damaged.
    `envelope` (N,) float32: the largest absolute sample of every 20 ms. `timing_ms`: milliseconds of `decode` (with the
    spectrogram) and `classify`.
    """

    seconds: float
    probabilities: tuple[float, ...]
    segments: tuple[SpeechSegment, ...]
    model: dict[str, str]
    reason: str | None = None
    partial: bool = False
    timing_ms: dict[str, float] = field(default_factory=dict)
    envelope: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32), compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        return {
            **self.told(),
            "seconds": round(self.seconds, 2),
            "partial": self.partial,
            "segments": [segment.to_json() for segment in self.segments],
            "model": dict(self.model),
            "timing_ms": {name: round(value, 2) for name, value in self.timing_ms.items()},
        }
