"""Voices: the page /speech, with recording and upload, and POST /api/v1/speech."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, current_app, g, jsonify, render_template, request

from emotions.speech.audio import MAX_SECONDS
from emotions.speech.classifier import SpeechReader
from emotions.speech.results import SpeechResult

from .api import api
from .card import confusion_shares
from .photos import analyser
from .problems import Problem
from .speech_chart import HEIGHT, WIDTH, Chart, chart_of, clock
from .speech_schemas import SpeechAnswer
from .uploads import uploaded_sound

SOUND_PROBLEMS = (
    "unknown_option", "no_file", "wrong_field", "too_many_files", "file_too_large", "body_too_large", "sound_too_long",
    "unsupported_media_type", "unsupported_sound", "empty_file", "not_a_sound", "no_sound_track", "truncated_sound", "busy",
)  # fmt: skip
MOST_ROWS = 400
"""Rows of the page's table of segments; the JSON has them all."""

speech = Blueprint("speech", __name__)


@dataclass(frozen=True)
class SpeechReading:
    """A result as the page shows it."""

    result: SpeechResult

    @cached_property
    def chart(self) -> Chart:
        return chart_of(self.result)

    @property
    def milliseconds(self) -> float:
        return sum(self.result.timing_ms.values())

    @property
    def rows(self) -> tuple:
        return self.result.segments[:MOST_ROWS]

    @property
    def json_link(self) -> str:
        """The result as a `data:` link, so that downloading it needs neither JavaScript nor a copy on the server."""
        return "data:application/json," + quote(json.dumps(self.result.to_json(), indent=1))


def speech_reader() -> SpeechReader:
    """Made when the first recording comes: a server that only sees photos holds no model for voices."""
    return current_app.extensions.setdefault("speech", SpeechReader(analyser().artefacts))


def read_recording() -> SpeechResult:
    """Read the request's recording. Raises Problem and SoundError, which the error handlers turn into a problem."""
    result = speech_reader().read(uploaded_sound())
    g.timing_ms = dict(result.timing_ms)
    return result


@api.post("/speech")
@api.output(SpeechAnswer)
@api.doc(summary="Read the voice in a recording", operation_id="readSpeech", extensions={"x-problems": SOUND_PROBLEMS})
def recording() -> Response:
    """Silence, noise and music are answers (200, `emotion: null`, with a `reason`). There are no options."""
    names = [*request.args, *(name for name in request.form if name != "file")]
    if names:
        raise Problem("unknown_option", f"There is no option {names[0][:40]!r}; this address takes none.")
    return jsonify(read_recording().to_json())


@speech.get("/speech")
def form() -> str:
    """Record or choose a recording."""
    return page()


@speech.post("/speech")
def answer() -> str:
    """The page with the answer above the form."""
    if not any(file.filename for file in request.files.values()):
        raise Problem("no_file", "No recording was chosen. Choose one, or record your voice.")
    return page(SpeechReading(read_recording()))


def page(reading: SpeechReading | None = None) -> str:
    return render_template("speech.html", reading=reading, limit_minutes=int(MAX_SECONDS // 60))


@speech.app_context_processor
def shared() -> dict[str, Any]:
    """What the speech templates use."""
    sizes = {"chart_width": WIDTH, "chart_height": HEIGHT}
    return {**sizes, "clock": clock, "speech_card": speech_card, "shares_of": confusion_shares}


def speech_card() -> dict[str, Any] | None:
    """What /about shows of the speech model: its manifest entry; None where the model folder has none."""
    entries = analyser().artefacts.entries("speech")
    return entries[0] if entries else None
