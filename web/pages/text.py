"""The page /text: a text in, its emotions out, the words that carried the answer marked; without JavaScript."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint, g, render_template, request

from emotions.text.classifier import MAX_TEXT
from emotions.text.results import Part, TextResult

from ..api.text import MAX_BODY_BYTES, classify_texts
from ..http.problems import Problem

SAMPLES = {
    "thanks": "I can't believe you drove all night just to help me move. Thank you so much, you're the best!",
    "spider": "Nope nope nope, there is a huge spider above my bed and I'm not going back in there 😱",
    "mixed": "I finally got the job! I'm so happy, but honestly a bit sad to leave my old team behind. The commute will be "
    "disgusting, though. Did you know it takes two hours each way?! I was shocked.",
    "flat": "The meeting is on Tuesday at ten, room 4.",
}
"""Texts to try with one click, written for this page."""
MAX_TABLE_ROWS = 200
"""Rows of the table of sentences."""
MARKED, FAINTEST = 0.25, 0.02
"""A word is marked if it carried this share of what the strongest did, and these points of probability at least."""

text_pages = Blueprint("text_pages", __name__)


@dataclass(frozen=True)
class Segment:
    """A stretch of the text as the page shows it; `level` 0 is unmarked, 3 carried most."""

    text: str
    level: int = 0
    points: float = 0.0


@dataclass(frozen=True)
class Reading:
    """All that the page shows of a text."""

    result: TextResult
    segments: tuple[Segment, ...]
    milliseconds: float

    @property
    def marked_words(self) -> list[Segment]:
        """The marked words, strongest first."""
        return sorted((one for one in self.segments if one.level), key=lambda one: -one.points)

    @property
    def sentences(self) -> list[tuple[str, Part]]:
        """Sentences with their answers, where there are several."""
        parts = self.result.sentences or ()
        return [(self.result.text[part.start : part.end], part) for part in parts[:MAX_TABLE_ROWS]] if len(parts) > 1 else []

    @property
    def json_link(self) -> str:
        """The result as a `data:` link, so that downloading it needs neither JavaScript nor a copy on the server."""
        return "data:application/json," + quote(json.dumps(self.result.to_json(), indent=1))


@text_pages.get("/text")
def text_form() -> str:
    return render_template("text.html", reading=None, given="", text_samples=SAMPLES, max_text=MAX_TEXT)


@text_pages.post("/text")
def text_result() -> str:
    """The same page with the answer above the form."""
    request.max_content_length = request.max_form_memory_size = MAX_BODY_BYTES
    given = chosen_text()
    result = classify_texts([given], explain=True, sentences=True)[0]
    reading = Reading(result, tuple(segments(result)), g.timing_ms["read"])
    return render_template("text.html", reading=reading, given=given, text_samples=SAMPLES, max_text=MAX_TEXT)


def chosen_text() -> str:
    """The form's text, or the sample that was clicked. Raises Problem."""
    name = request.form.get("sample")
    if name is None:
        return request.form.get("text", "").replace("\r\n", "\n")
    if name not in SAMPLES:
        raise Problem("invalid_option", f"There is no sample called {name[:40]!r}.")
    return SAMPLES[name]


def segments(result: TextResult) -> list[Segment]:
    """The text cut where marks begin and end; joined, the segments are the text."""
    words = result.words or ()
    strongest = max((word.weight for word in words), default=0.0)
    found, at = [], 0
    for word in words:
        if word.weight < max(FAINTEST * bool(strongest >= FAINTEST), MARKED * strongest) or word.weight <= 0:
            continue
        level = 1 + (word.weight > 0.5 * strongest) + (word.weight > 0.8 * strongest)
        found += [Segment(result.text[at : word.start]), Segment(result.text[word.start : word.end], level, word.weight)]
        at = word.end
    return [one for one in [*found, Segment(result.text[at:])] if one.text]
