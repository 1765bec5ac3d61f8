"""Results of text classification: frozen dataclasses with one JSON form each. Positions are characters of the text as given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..labels import EMOTIONS, by_emotion, ranking
from ..tables import data_frame

REASONS = ("empty", "other_language")
"""Codes for a text without a prediction: nothing but white space, punctuation and code, or not (enough) English."""

COLUMNS = ("text", "start", "end", "emotion", *EMOTIONS, "reason")
"""Columns of a result as a table."""


@dataclass(frozen=True)
class WordAttribution:
    """Contribution of the word `text[start:end]` to the prediction.

    Attributes:
        start: First character.
        end: End, exclusive.
        weight: Drop of the probability of `emotion` without the word, -1 to 1; negative where the word speaks against it.
    """

    start: int
    end: int
    weight: float

    def to_json(self, text: str) -> dict[str, Any]:
        """Return the attribution as a JSON object, with the word itself; `text` is the classified text."""
        return {"word": text[self.start : self.end], "start": self.start, "end": self.end, "weight": round(self.weight, 4)}


@dataclass(frozen=True)
class TextSpan:
    """Prediction for a text or one of its sentences, `text[start:end]`.

    Attributes:
        start: First character.
        end: End, exclusive.
        probabilities: Seven independent probabilities in the order of EMOTIONS; they need not sum to 1.
        over_threshold: Which of them reach their thresholds.
        reason: None, or one of REASONS if no emotion is predicted; the probabilities are then still present.
    """

    start: int
    end: int
    probabilities: tuple[float, ...]
    over_threshold: tuple[bool, ...]
    reason: str | None = None

    @property
    def emotions(self) -> tuple[str, ...]:
        """All emotions over their thresholds, most likely first; none where `reason` is set."""
        return () if self.reason else tuple(self.ranking[: sum(self.over_threshold)])

    @property
    def ranking(self) -> list[str]:
        """All seven emotions: first those over their thresholds, then the others, each most likely first."""
        return ranking(self.probabilities, self.over_threshold)

    @property
    def emotion(self) -> str | None:
        """The most likely of `emotions`; of all seven if none is over its threshold; None where `reason` is set."""
        return None if self.reason else self.ranking[0]

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as a JSON object, without its position."""
        return {
            "emotion": self.emotion,
            "emotions": list(self.emotions),
            "probabilities": by_emotion(self.probabilities),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class TextResult:
    """Prediction for a text.

    Attributes:
        text: The classified text.
        whole: Prediction for the whole text.
        model: Name and version of the model.
        sentences: A prediction for each sentence, None unless requested.
        words: Word attributions in the order of the text, of the strongest sentences only in long texts; None unless requested.
    """

    text: str
    whole: TextSpan
    model: dict[str, str]
    sentences: tuple[TextSpan, ...] | None = None
    words: tuple[WordAttribution, ...] | None = None

    @property
    def emotion(self) -> str | None:
        """The most likely emotion of the whole text, see `TextSpan.emotion`."""
        return self.whole.emotion

    @property
    def emotions(self) -> tuple[str, ...]:
        """All emotions of the whole text over their thresholds, most likely first."""
        return self.whole.emotions

    @property
    def reason(self) -> str | None:
        """None, or one of REASONS if no emotion is predicted."""
        return self.whole.reason

    def to_json(self) -> dict[str, Any]:
        """Return the result as the API's JSON object."""
        body = self.whole.to_json()
        if self.words is not None:
            body["words"] = [word.to_json(self.text) for word in self.words]
        if self.sentences is not None:
            body["sentences"] = [
                {"text": self.text[span.start : span.end], "start": span.start, "end": span.end, **span.to_json()}
                for span in self.sentences
            ]
        return body

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row of COLUMNS for each sentence if they were requested, else one for the whole text."""
        spans = self.sentences if self.sentences is not None else (self.whole,)
        found = [{"text": self.text[one.start : one.end], "start": one.start, "end": one.end, **one.to_json()} for one in spans]
        return [{name: (one | one["probabilities"])[name] for name in COLUMNS} for one in found]

    def to_pandas(self) -> Any:
        """Return `to_rows()` as a pandas.DataFrame. Raises MissingPackageError where pandas is not installed."""
        return data_frame(self.to_rows(), COLUMNS)
