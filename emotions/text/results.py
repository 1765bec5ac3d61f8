"""What reading a text gives: frozen dataclasses with one JSON form each. Places are characters of the text as it was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..labels import EMOTIONS

REASONS = ("empty", "other_language")
"""Why no emotion is told: nothing but white space and punctuation, or not (enough) English."""


@dataclass(frozen=True)
class Carrier:
    """How much a word, `text[start:end]`, carried the answer: points of probability of `emotion` that were lost without it.

    Negative where the word spoke against the answer.
    """

    start: int
    end: int
    weight: float

    def to_json(self, text: str) -> dict[str, Any]:
        return {"word": text[self.start : self.end], "start": self.start, "end": self.end, "weight": round(self.weight, 4)}


@dataclass(frozen=True)
class Part:
    """A text or one of its sentences, `text[start:end]`, and seven probabilities, each by itself, in the order of EMOTIONS.

    `above`: which of them are above their thresholds. `reason`: None, or why no emotion is told, one of REASONS; the
    probabilities are given all the same.
    """

    start: int
    end: int
    probabilities: tuple[float, ...]
    above: tuple[bool, ...]
    reason: str | None = None

    @property
    def emotions(self) -> tuple[str, ...]:
        """All emotions above their thresholds, likeliest first; none where there is a reason to tell none."""
        found = [index for index, above in enumerate(self.above) if above and not self.reason]
        return tuple(EMOTIONS[index] for index in sorted(found, key=lambda index: -self.probabilities[index]))

    @property
    def emotion(self) -> str | None:
        """The likeliest of `emotions`; of all seven where none is above its threshold; None where there is a reason."""
        if self.reason:
            return None
        return (self.emotions or (EMOTIONS[max(range(len(EMOTIONS)), key=self.probabilities.__getitem__)],))[0]

    def to_json(self) -> dict[str, Any]:
        return {
            "emotion": self.emotion,
            "emotions": list(self.emotions),
            "probabilities": {name: round(value, 4) for name, value in zip(EMOTIONS, self.probabilities, strict=True)},
            "reason": self.reason,
        }


@dataclass(frozen=True)
class TextResult:
    """A text, the answer for the whole of it, and, where asked for, its words and sentences.

    `words`: how much each carried the answer, in the order of the text; in long texts those of the strongest sentences alone.
    `sentences`: an answer each.
    """

    text: str
    whole: Part
    model: dict[str, str]
    sentences: tuple[Part, ...] | None = None
    words: tuple[Carrier, ...] | None = None

    @property
    def emotion(self) -> str | None:
        return self.whole.emotion

    @property
    def emotions(self) -> tuple[str, ...]:
        return self.whole.emotions

    @property
    def reason(self) -> str | None:
        return self.whole.reason

    def to_json(self) -> dict[str, Any]:
        body = self.whole.to_json()
        if self.words is not None:
            body["words"] = [word.to_json(self.text) for word in self.words]
        if self.sentences is not None:
            body["sentences"] = [
                {"text": self.text[part.start : part.end], "start": part.start, "end": part.end, **part.to_json()}
                for part in self.sentences
            ]
        return body
