"""POST /api/v1/text: request and response schemas, and view. Texts are never logged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from apiflask.fields import Boolean, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf
from flask import Response, g, jsonify

from emotions import EMOTIONS
from emotions.runtime.limits import SERVER, get_limits
from emotions.runtime.memory import reserve
from emotions.text.classifier import MAX_EXPLAINED_WORDS
from emotions.text.results import REASONS, TextResult
from emotions.text.tokenizer import sentence_spans

from ..http.problems import Problem
from ..inference import text_classifier
from .blueprint import api, json_body
from .schemas import InputSchema, Model, OutputSchema, Probabilities

MAX_TEXTS = 1000
MAX_EXPLAINED_TEXTS = 20
"""Texts of a request for which word attributions are computed: each word costs one more prediction."""
MAX_SENTENCES = 20_000
"""Sentences in a response, of all texts together."""
SENTENCE_BYTES, CHARACTER_BYTES = 2048, 128
"""Memory that a sentence takes with its prediction and its JSON, and a character of the text that is being classified."""
REASON = (
    "Why there is no prediction, or null: `empty` (no letters, digits, emoji or emoticons outside of code), `other_language` "
    "(not English, judged by script and words)."
)


class OneOrMany(Field):
    """A string, or a non-empty list of strings."""

    default_error_messages = {"invalid": "Must be a string, or a list of at least one string."}

    def __init__(self, **options: Any) -> None:
        one = {"type": "string"}
        many = {"type": "array", "items": one, "minItems": 1}
        limit = f"{SERVER.text_characters:,} characters"
        description = f"One text of at most {limit}, or up to {MAX_TEXTS:,} of them."  # more than that is 413, as for files
        example = "I can't believe you did that for me, thank you!"
        super().__init__(metadata={"oneOf": [one, many], "description": description, "example": example}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str | list[str]:
        if isinstance(value, str) or (isinstance(value, list) and value and all(isinstance(one, str) for one in value)):
            return value
        raise self.make_error("invalid")


class StrictBoolean(Boolean):
    """A JSON boolean; marshmallow's Boolean would also accept "off" and 1."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class TextRequest(InputSchema):
    text = OneOrMany(required=True)
    explain = StrictBoolean(
        load_default=False,
        metadata={
            "description": "Also return `words`: how much each word contributed to the prediction, measured by leaving it out. "
            f"For the first {MAX_EXPLAINED_TEXTS} texts, and at most {MAX_EXPLAINED_WORDS} words of each, of its strongest "
            f"sentences; fewer where the sentences are long or the texts are many.",
        },
    )
    sentences = StrictBoolean(
        load_default=False, metadata={"description": f"Also return a prediction for each sentence, of at most {MAX_SENTENCES:,}."}
    )


class TextPredictionSchema(OutputSchema):
    emotion = String(
        required=True,
        allow_none=True,
        validate=OneOf(EMOTIONS),
        metadata={"description": "the most likely of `emotions`, of all seven where that is empty; null where `reason` is set"},
    )
    emotions = List(
        String(validate=OneOf(EMOTIONS)), required=True, metadata={"description": "all above their thresholds, most likely first"}
    )
    probabilities = Nested(
        Probabilities, required=True, metadata={"description": "independent of each other; they need not sum to 1"}
    )
    reason = String(required=True, allow_none=True, validate=OneOf(REASONS), metadata={"description": REASON})


class WordAttribution(OutputSchema):
    word = String(required=True)
    start = Integer(required=True, metadata={"description": "first character (Unicode code points)"})
    end = Integer(required=True, metadata={"description": "end, exclusive"})
    weight = Float(
        required=True, metadata={"description": "drop of the probability of `emotion` when the word is left out, -1 to 1"}
    )


class Sentence(TextPredictionSchema):
    text = String(required=True)
    start = Integer(required=True)
    end = Integer(required=True)


class TextPrediction(TextPredictionSchema):
    words = List(
        Nested(WordAttribution),
        metadata={"description": f"with explain, for the first {MAX_EXPLAINED_TEXTS} texts: in the order of the text"},
    )
    sentences = List(Nested(Sentence), metadata={"description": "with sentences: in the order of the text"})


class TextTiming(OutputSchema):
    read = Float(required=True)


class TextResponse(OutputSchema):
    """Texts over the network's maximum length are split into sentences; the prediction is their mean, weighted by length."""

    results = List(Nested(TextPrediction), required=True, metadata={"description": "one for each text, in their order"})
    model = Nested(Model, required=True)
    timing_ms = Nested(TextTiming, required=True, metadata={"description": "milliseconds"})


MAX_BODY_BYTES = 2 * 2**20
TEXT_PROBLEMS = (
    "unknown_option", "invalid_json", "invalid_body", "body_too_large", "text_too_long", "too_many_texts", "too_many_sentences",
    "too_much_work", "too_much_memory", "unsupported_media_type", "no_model", "busy", "shutting_down",
)  # fmt: skip


@api.post("/text")
@json_body(MAX_BODY_BYTES)
@api.input(TextRequest, arg_name="body")
@api.output(TextResponse)
@api.doc(summary="Classify the emotions of texts", operation_id="readText", extensions={"x-problems": TEXT_PROBLEMS})
def text(body: dict) -> Response:
    """One text or a list of up to 1,000, in English; `results` are in their order. Texts are neither stored nor logged.

    The seven probabilities are independent of each other: a text may express several emotions, or none strongly. Where a text
    is empty or not in English, `emotion` is null and `reason` says why.
    """
    texts = [body["text"]] if isinstance(body["text"], str) else body["text"]
    with reserve(memory_for(texts, body["sentences"])):
        results = classify_texts(texts, body["explain"], body["sentences"])
        return jsonify({"results": [result.to_json() for result in results], "model": results[0].model, "timing_ms": g.timing_ms})


def memory_for(texts: Sequence[str], sentences: bool) -> int:
    """Estimate the memory in bytes of classifying texts and of the response. Raises Problem for too many or too long ones."""
    if len(texts) > MAX_TEXTS:
        raise Problem("too_many_texts", f"The request carries {len(texts):,} texts; send at most {MAX_TEXTS:,} at once.")
    limit = get_limits().text_characters  # for one text or many: what a request costs
    if len(texts) > 1 and (total := sum(map(len, texts))) > limit:
        raise Problem("text_too_long", f"The texts have {total:,} characters together; at most {limit:,} are read at once.")
    counts = [sum(1 for _ in sentence_spans(text)) for text in texts]
    if sentences and sum(counts) > MAX_SENTENCES:
        detail = f"The texts have {sum(counts):,} sentences together; predictions are returned for at most {MAX_SENTENCES:,}."
        raise Problem("too_many_sentences", detail)
    return CHARACTER_BYTES * sum(map(len, texts)) + SENTENCE_BYTES * sum(counts)


def classify_texts(texts: Sequence[str], explain: bool, sentences: bool) -> list[TextResult]:
    """Classify each text; the time is put into the response's headers and the log. Raises TextError and TimeBudgetError."""
    classifier = text_classifier()
    start = time.perf_counter()
    results = classifier.predict_many(texts, MAX_EXPLAINED_TEXTS if explain else 0, sentences)
    g.timing_ms = {"read": round((time.perf_counter() - start) * 1e3, 2)}
    return results
