"""What POST /api/v1/text takes and gives."""

from __future__ import annotations

from typing import Any

from apiflask.fields import Boolean, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf

from emotions import EMOTIONS
from emotions.text.classifier import MAX_TEXT, MOST_EXPLAINED
from emotions.text.results import REASONS

from .schemas import Model, Open, Probabilities, Strict

MOST_TEXTS = 1000
MOST_EXPLAINED_TEXTS = 20
"""Texts of a request whose words are looked at: each word costs a reading."""
REASON = (
    "Why no emotion is told, or null: `empty` (neither letters nor digits, emoji or emoticons), `other_language` (not in "
    "English as far as its script and words tell)."
)


class OneOrMany(Field):
    """A string, or a list of at least one."""

    default_error_messages = {"invalid": "Must be a string, or a list of at least one string."}

    def __init__(self, **options: Any) -> None:
        one = {"type": "string"}
        many = {"type": "array", "items": one, "minItems": 1}
        told = f"One text of at most {MAX_TEXT:,} characters, or up to {MOST_TEXTS:,} of them."  # more is 413, as for files
        example = "I can't believe you did that for me, thank you!"
        super().__init__(metadata={"oneOf": [one, many], "description": told, "example": example}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str | list[str]:
        if isinstance(value, str) or (isinstance(value, list) and value and all(isinstance(one, str) for one in value)):
            return value
        raise self.make_error("invalid")


class JsonSwitch(Boolean):
    """true or false, and nothing else: marshmallow takes "off" and 1 as well."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class TextRequest(Strict):
    text = OneOrMany(required=True)
    explain = JsonSwitch(
        load_default=False,
        metadata={
            "description": "Also give `words`: how much each carried the answer, found by reading the text without it. For the "
            f"first {MOST_EXPLAINED_TEXTS} texts, and at most {MOST_EXPLAINED} words of each, of its strongest sentences."
        },
    )
    sentences = JsonSwitch(load_default=False, metadata={"description": "Also give the answer for each sentence."})


class Told(Open):
    emotion = String(
        required=True,
        allow_none=True,
        validate=OneOf(EMOTIONS),
        metadata={"description": "the likeliest of `emotions`, of all seven where that is empty; null where `reason` is not"},
    )
    emotions = List(
        String(validate=OneOf(EMOTIONS)), required=True, metadata={"description": "all above their thresholds, likeliest first"}
    )
    probabilities = Nested(Probabilities, required=True, metadata={"description": "each by itself; they need not add up to 1"})
    reason = String(required=True, allow_none=True, validate=OneOf(REASONS), metadata={"description": REASON})


class Carrier(Open):
    word = String(required=True)
    start = Integer(required=True, metadata={"description": "first character (Unicode code points)"})
    end = Integer(required=True, metadata={"description": "character behind the last"})
    weight = Float(required=True, metadata={"description": "what the probability of `emotion` loses without the word, -1 to 1"})


class Sentence(Told):
    text = String(required=True)
    start = Integer(required=True)
    end = Integer(required=True)


class TextReading(Told):
    words = List(
        Nested(Carrier),
        metadata={"description": f"with explain, for the first {MOST_EXPLAINED_TEXTS} texts: in the order of the text"},
    )
    sentences = List(Nested(Sentence), metadata={"description": "with sentences: in the order of the text"})


class TextTiming(Open):
    read = Float(required=True)


class TextAnswer(Open):
    """Texts longer than the network reads at once are read by the sentence; the whole is the mean, weighted by length."""

    results = List(Nested(TextReading), required=True, metadata={"description": "one for each text, in their order"})
    model = Nested(Model, required=True)
    timing_ms = Nested(TextTiming, required=True, metadata={"description": "milliseconds"})
