"""What the API gives for a recording."""

from __future__ import annotations

from apiflask.fields import Boolean, Float, List, Nested, String
from apiflask.validators import OneOf
from flask import Response, current_app, g, jsonify, request

from emotions import EMOTIONS
from emotions.speech.classifier import SpeechReader
from emotions.speech.results import REASONS, SpeechResult

from ..http.problems import Problem
from ..http.uploads import uploaded_recording
from ..inference import analyzer
from .blueprint import api
from .schemas import UNIT_RANGE, Model, OutputSchema, Probabilities

REASON = (
    "Why nothing can be told, or null: `too_short` (too little sound), `silence`, `not_speech` (noise, tones, music). `emotion` and "
    "`confidence` are null then; the probabilities stay, and mean nothing."
)


class SpeechPredictionSchema(OutputSchema):
    emotion = String(required=True, allow_none=True, validate=OneOf(EMOTIONS))
    confidence = Float(
        required=True, allow_none=True, metadata=UNIT_RANGE | {"description": "calibrated probability of `emotion`"}
    )
    reason = String(required=True, allow_none=True, validate=OneOf(REASONS), metadata={"description": REASON})
    probabilities = Nested(Probabilities, required=True, metadata={"description": "they sum to 1"})


class SpeechSegment(SpeechPredictionSchema):
    """About 1.6 seconds of the recording; what is said of them rests on 3.2 seconds around."""

    start = Float(required=True, metadata={"description": "seconds from the beginning"})
    end = Float(required=True, metadata={"description": "seconds"})


class SpeechTiming(OutputSchema):
    decode = Float(required=True)
    classify = Float(required=True)


class SpeechResponse(SpeechPredictionSchema):
    """The mean of all segments that hold speech."""

    seconds = Float(required=True, metadata={"description": "length of what was read"})
    partial = Boolean(  # type: ignore[assignment]  # Schema has an option of this name
        required=True, metadata={"description": "whether the recording is cut off or damaged: only its beginning counts"}
    )
    segments = List(
        Nested(SpeechSegment), required=True, metadata={"description": "in order; the silence at both ends is left out"}
    )
    model = Nested(Model, required=True)
    timing_ms = Nested(SpeechTiming, required=True, metadata={"description": "milliseconds"})


SPEECH_PROBLEMS = (
    "unknown_option", "no_file", "wrong_field", "too_many_files", "file_too_large", "body_too_large", "sound_too_long",
    "unsupported_media_type", "unsupported_sound", "empty_file", "not_a_sound", "no_sound_track", "truncated_sound", "busy",
)  # fmt: skip


def speech_classifier() -> SpeechReader:
    """Made when the first recording comes: a server that only sees photos holds no model for voices."""
    return current_app.extensions.setdefault("speech", SpeechReader(analyzer().registry))


def classify_recording() -> SpeechResult:
    """Read the request's recording. Raises Problem and AudioError, which the error handlers turn into a problem."""
    result = speech_classifier().read(uploaded_recording())
    g.timing_ms = dict(result.timing_ms)
    return result


@api.post("/speech")
@api.output(SpeechResponse)
@api.doc(summary="Read the voice in a recording", operation_id="readSpeech", extensions={"x-problems": SPEECH_PROBLEMS})
def recording() -> Response:
    """Silence, noise and music are answers (200, `emotion: null`, with a `reason`). There are no options."""
    names = [*request.args, *(name for name in request.form if name != "file")]
    if names:
        raise Problem("unknown_option", f"There is no option {names[0][:40]!r}; this address takes none.")
    return jsonify(classify_recording().to_json())
