"""Page /text: the emotions of a text, with the words that contributed to them marked. It needs no JavaScript."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flask import g, render_template, request

from emotions.runtime.limits import get_limits
from emotions.runtime.memory import reserve
from emotions.text.results import TextResult, TextSpan

from ..api.text import MAX_BODY_BYTES, classify_texts, memory_for
from ..http.problems import Problem
from .base import ResultView, pages

SAMPLES = {
    "thanks": "I can't believe you drove all night just to help me move. Thank you so much, you're the best!",
    "spider": "Nope nope nope, there is a huge spider above my bed and I'm not going back in there 😱",
    "mixed": "I finally got the job! I'm so happy, but a bit sad to leave my old team behind.",
    "furious": "Stop calling me at work. I am furious that you lied to me again!",
    "flat": "The meeting is on Tuesday at ten, room 4.",
    "sarcastic": "Oh great, my flight is cancelled again. I just love sleeping at airports.",
}
"""Sample texts, written for this page."""
SAMPLE_NOTES = {
    "sarcastic": "This text is meant sarcastically, and the result is wrong: the model reads “great” and “love” and takes them "
    "literally. It does not know what a cancelled flight means to a traveler.",
}
"""What the page says about the results of some samples."""
MAX_TABLE_ROWS = 200
"""Rows of the table of sentences."""
MAX_JSON_SENTENCES = 5000
"""Sentences in the download, which is a part of the page; the API returns more."""
MIN_RELATIVE_WEIGHT, MIN_WEIGHT = 0.25, 0.02
"""Attribution from which a word is marked: relative to the strongest word, and as drop of the probability."""
LEAST_WEIGHT = 0.0055
"""Attribution from which words are marked where none reaches MIN_WEIGHT: the page shows it as one percentage point."""


@dataclass(frozen=True)
class Segment:
    """A piece of the text; `level` 0 is unmarked, 3 marks the strongest attribution; `weight`: drop of the probability."""

    text: str
    level: int = 0
    weight: float = 0.0


@dataclass(frozen=True)
class TextView(ResultView):
    """Result of a text as the page shows it: at most MAX_JSON_SENTENCES of its `sentence_count` sentences.

    `note`: what the page says about the result of a sample.
    """

    result: TextResult
    sentence_count: int
    segments: tuple[Segment, ...]
    milliseconds: float
    note: str | None = None

    @property
    def marked_words(self) -> list[Segment]:
        """Marked words, strongest first."""
        return sorted((one for one in self.segments if one.level), key=lambda one: -one.weight)

    @property
    def sentences(self) -> list[tuple[str, TextSpan]]:
        """Sentences with their predictions, where there are several."""
        parts = self.result.sentences or ()
        return [(self.result.text[part.start : part.end], part) for part in parts[:MAX_TABLE_ROWS]] if len(parts) > 1 else []


@pages.get("/text")
def text() -> str:
    return render_template("text.html", view=None, given="", text_samples=SAMPLES, max_text=get_limits().text_characters)


@pages.post("/text")
def text_result() -> str:
    """The page with the result above the form."""
    request.max_content_length = request.max_form_memory_size = MAX_BODY_BYTES
    given = chosen_text()
    with reserve(memory_for([given], sentences=True)):
        result = classify_texts([given], explain=True, sentences=True)[0]
        parts = result.sentences or ()
        shown = replace(result, sentences=parts[:MAX_JSON_SENTENCES])
        note = SAMPLE_NOTES.get(request.form.get("sample", ""))
        view = TextView(shown, len(parts), tuple(segments(result)), g.timing_ms["read"], note)
        return render_template("text.html", view=view, given=given, text_samples=SAMPLES, max_text=get_limits().text_characters)


def chosen_text() -> str:
    """Return the form's text, or that of the chosen sample. Raises Problem."""
    name = request.form.get("sample")
    if name is None:
        return request.form.get("text", "").replace("\r\n", "\n")
    if name not in SAMPLES:
        raise Problem("invalid_option", f"There is no sample called {name[:40]!r}.")
    return SAMPLES[name]


def segments(result: TextResult) -> list[Segment]:
    """Split the text at the marked words; joined, the segments are the text."""
    words = result.words or ()
    strongest = max((word.weight for word in words), default=0.0)
    pieces, end = [], 0
    for word in words:
        if word.weight < max(MIN_WEIGHT if strongest >= MIN_WEIGHT else LEAST_WEIGHT, MIN_RELATIVE_WEIGHT * strongest):
            continue
        level = 1 + (word.weight > 0.5 * strongest) + (word.weight > 0.8 * strongest)
        pieces += [Segment(result.text[end : word.start]), Segment(result.text[word.start : word.end], level, word.weight)]
        end = word.end
    return [one for one in [*pieces, Segment(result.text[end:])] if one.text]
