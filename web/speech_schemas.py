"""What the API gives for a recording."""

from __future__ import annotations

from apiflask.fields import Boolean, Float, List, Nested, String
from apiflask.validators import OneOf

from emotions import EMOTIONS
from emotions.speech.results import REASONS

from .schemas import SHARE, Model, Open, Probabilities

REASON = (
    "Why nothing can be told, or null: `too_short` (too little sound), `silence`, `not_speech` (noise, tones, music). `emotion` and "
    "`confidence` are null then; the probabilities stay, and mean nothing."
)


class Told(Open):
    emotion = String(required=True, allow_none=True, validate=OneOf(EMOTIONS))
    confidence = Float(required=True, allow_none=True, metadata=SHARE | {"description": "calibrated probability of `emotion`"})
    reason = String(required=True, allow_none=True, validate=OneOf(REASONS), metadata={"description": REASON})
    probabilities = Nested(Probabilities, required=True, metadata={"description": "they sum to 1"})


class SpeechSegment(Told):
    """About 1.6 seconds of the recording; what is said of them rests on 3.2 seconds around."""

    start = Float(required=True, metadata={"description": "seconds from the beginning"})
    end = Float(required=True, metadata={"description": "seconds"})


class SpeechTiming(Open):
    decode = Float(required=True)
    classify = Float(required=True)


class SpeechAnswer(Told):
    """The mean of all segments that hold speech."""

    seconds = Float(required=True, metadata={"description": "length of what was read"})
    partial = Boolean(
        required=True, metadata={"description": "whether the recording is cut off or damaged: only its beginning counts"}
    )
    segments = List(
        Nested(SpeechSegment), required=True, metadata={"description": "in order; the silence at both ends is left out"}
    )
    model = Nested(Model, required=True)
    timing_ms = Nested(SpeechTiming, required=True, metadata={"description": "milliseconds"})
