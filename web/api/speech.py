"""POST /api/v1/speech: response schema and view."""

from __future__ import annotations

from apiflask.fields import Boolean, Float, List, Nested, String
from apiflask.validators import OneOf
from flask import Response, g, jsonify, request

from emotions import EMOTIONS
from emotions.speech.results import REASONS, SpeechResult

from ..http.problems import Problem
from ..http.uploads import uploaded_recording
from ..inference import speech_classifier
from .blueprint import api
from .schemas import UNIT_RANGE, Model, OutputSchema, Probabilities

REASON = (
    "Why there is no prediction, or null: `too_short` (too little sound), `silence`, `not_speech` (noise, tones, music), "
    "`narrow_band` (no frequencies above 2.2 kHz, less than over a telephone), "
    "`noisy` (background less than 22 dB below the voice). "
    "`emotion` and `confidence` are null then; the probabilities are still present, but meaningless."
)


class SpeechPredictionSchema(OutputSchema):
    emotion = String(required=True, allow_none=True, validate=OneOf(EMOTIONS))
    confidence = Float(
        required=True, allow_none=True, metadata=UNIT_RANGE | {"description": "calibrated probability of `emotion`"}
    )
    reason = String(required=True, allow_none=True, validate=OneOf(REASONS), metadata={"description": REASON})
    probabilities = Nested(Probabilities, required=True, metadata={"description": "they sum to 1"})


class SpeechSegment(SpeechPredictionSchema):
    """About 1.6 seconds of the recording, classified by the 3.2 seconds around them."""

    start = Float(required=True, metadata={"description": "seconds from the start"})
    end = Float(required=True, metadata={"description": "seconds"})


class SpeechTiming(OutputSchema):
    decode = Float(required=True)
    classify = Float(required=True)


class SpeechResponse(SpeechPredictionSchema):
    """The prediction for the recording: the mean over all segments that contain speech."""

    seconds = Float(required=True, metadata={"description": "duration that was decoded"})
    partial = Boolean(  # type: ignore[assignment]  # Schema has an option of this name
        required=True,
        metadata={"description": "true if the recording is truncated or damaged and only its beginning was classified"},
    )
    segments = List(Nested(SpeechSegment), required=True, metadata={"description": "in order; silence at both ends is trimmed"})
    model = Nested(Model, required=True)
    timing_ms = Nested(SpeechTiming, required=True, metadata={"description": "milliseconds"})


SPEECH_PROBLEMS = (
    "unknown_option", "no_file", "wrong_field", "too_many_files", "file_too_large", "body_too_large", "sound_too_long",
    "unsupported_media_type", "no_model", "unsupported_sound", "empty_file", "not_a_sound", "no_sound_track", "truncated_sound",
    "busy", "too_much_memory", "too_much_work", "shutting_down",
)  # fmt: skip


def classify_recording(data: bytes | None = None) -> SpeechResult:
    """Classify the request's recording, or that in `data`.

    Raises Problem and AudioError, which the error handlers turn into a problem.
    """
    result = speech_classifier().predict(uploaded_recording() if data is None else data)
    g.timing_ms = dict(result.timing_ms)
    return result


@api.post("/speech")
@api.output(SpeechResponse)
@api.doc(
    summary="Classify the emotion of the speech in a recording",
    operation_id="readSpeech",
    extensions={"x-problems": SPEECH_PROBLEMS},
)
def speech() -> Response:
    """Silence, noise and music are no errors (200, `emotion: null`, with a `reason`). There are no options."""
    names = [*request.args, *(name for name in request.form if name != "file")]
    if names:
        raise Problem("unknown_option", f"There is no option {names[0][:40]!r}; this address takes none.")
    return jsonify(classify_recording().to_json())
