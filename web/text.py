"""POST /api/v1/text: the emotions of one text or many. Texts are never logged."""

from __future__ import annotations

import time
from collections.abc import Sequence

from flask import Response, current_app, g, jsonify

from emotions.text.classifier import MAX_TEXT, TextModel
from emotions.text.results import TextResult

from .api import api, json_body
from .problems import Problem
from .text_schemas import MOST_EXPLAINED_TEXTS, MOST_TEXTS, TextAnswer, TextRequest

MOST_BYTES = 2 * 2**20
MOST_CHARACTERS = 3 * MAX_TEXT
"""Characters of all texts of a request together: seconds of work, not minutes."""
TEXT_PROBLEMS = ("invalid_json", "invalid_body", "body_too_large", "text_too_long", "too_many_texts", "unsupported_media_type")

api.record_once(lambda state: state.app.extensions.setdefault("text", TextModel(state.app.extensions["analyser"].artefacts)))


@api.post("/text")
@json_body(MOST_BYTES)
@api.input(TextRequest, arg_name="body")
@api.output(TextAnswer)
@api.doc(summary="Read the emotions of texts", operation_id="readText", extensions={"x-problems": TEXT_PROBLEMS})
def text(body: dict) -> Response:
    """One text or a list of up to 1,000, in English; `results` are in their order. Nothing of a text is kept or logged.

    The seven probabilities are independent of each other: a text may express several emotions, or none strongly. Where a text
    says nothing or is not in English, `emotion` is null and `reason` says why.
    """
    texts = [body["text"]] if isinstance(body["text"], str) else body["text"]
    results = read_texts(texts, body["explain"], body["sentences"])
    return jsonify({"results": [result.to_json() for result in results], "model": results[0].model, "timing_ms": g.timing_ms})


def read_texts(texts: Sequence[str], explain: bool, sentences: bool) -> list[TextResult]:
    """Each text read, the time noted for the answer's headers and the log. Raises Problem and TextError."""
    if len(texts) > MOST_TEXTS:
        raise Problem("too_many_texts", f"The request carries {len(texts):,} texts; send at most {MOST_TEXTS:,} at once.")
    if (total := sum(map(len, texts))) > MOST_CHARACTERS:
        raise Problem(
            "text_too_long", f"The texts have {total:,} characters together; at most {MOST_CHARACTERS:,} are read at once."
        )
    model: TextModel = current_app.extensions["text"]
    begun = time.perf_counter()
    results = [
        model.read(text, words=explain and number < MOST_EXPLAINED_TEXTS, parts=sentences) for number, text in enumerate(texts)
    ]
    g.timing_ms = {"read": round((time.perf_counter() - begun) * 1e3, 2)}
    return results
