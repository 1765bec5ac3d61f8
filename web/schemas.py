"""What the API takes and gives, as marshmallow schemas: validation, and the source of the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf, Range, Regexp
from marshmallow import INCLUDE, RAISE

from emotions import EMOTIONS
from emotions.face.detector import DETECTORS
from emotions.face.reliability import DOUBTS
from emotions.face.saliency import MOST_FACES
from emotions.video.tracker_state import LATEST, MOST_BYTES

SWITCHES = {"true": True, "1": True, "false": False, "0": False}
MOST_SECONDS = LATEST // 1000
SHARE = {"minimum": 0, "maximum": 1}
UNSURE = (
    "Why to doubt the answer, or null: `turned` (the head is turned far to a side), `small` (few pixels), `blurred`, "
    "`low_confidence` (no emotion stands out); the first that applies, in this order. `emotion` stays given. The limits are "
    "the `thresholds` of the head that answers (`/api/v1/models`): beyond them answers were at least one and a half times as often "
    "wrong as usual, or more often wrong than right."
)


class Switch(Field):
    """true, false, 1 or 0 in a form or a query, and nothing else: `bool("false")` is true in too many services."""

    default_error_messages = {"invalid": "Must be true, false, 1 or 0."}

    def __init__(self, **options: Any) -> None:
        options["metadata"] = {"type": "string", "enum": list(SWITCHES), "default": "false"} | options["metadata"]
        super().__init__(load_default=False, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if value not in SWITCHES:
            raise self.make_error("invalid")
        return SWITCHES[value]


class Number(Float):
    """A JSON number: marshmallow's Float takes "0.5" and true as well."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Seconds(Field):
    """A number of seconds in a form or a query, as JSON writes numbers: float() takes "nan", "1_0" and other scripts' digits."""

    default_error_messages = {"invalid": "Must be a number of seconds from 0 to 1e9."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if (
            not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", value)
            or not 0 <= float(value) <= MOST_SECONDS
        ):
            raise self.make_error("invalid")
        return float(value)


class Strict(Schema):
    """A schema of input: a field that it does not list is an error."""

    class Meta:
        unknown = RAISE


class Open(Schema):
    """A schema of output, to which fields may be added without a new version of the API."""

    class Meta:
        unknown = INCLUDE


class ImageOptions(Strict):
    annotate = Switch(metadata={"description": "Also give the picture with every face framed and named, at most 1,600 px."})
    detector = String(
        load_default="auto",
        validate=OneOf(DETECTORS),
        metadata={
            "description": "`auto`: BlazeFace for photos, then its back-camera model if there was no face; `blazeface`: the "
            "first alone; `haar`: OpenCV's cascade; `none`: the whole picture is one face."
        },
    )
    landmarks = Switch(metadata={"description": "Also give the 468 points of Face Mesh for each face, where it finds them."})
    explain = Switch(
        metadata={
            "description": f"Also give a picture of what the answer rests on, for the {MOST_FACES} largest faces: each takes as "
            "long as reading 49 faces."
        }
    )
    tracks = String(
        metadata={
            "format": "emotion-tracks",
            "pattern": r'^(\{"version":1,"clock":[^,]+,"next":[0-9]+,"tracks":\[.*\]\})?$',
            "maxLength": MOST_BYTES,
            "description": "Follow faces through frames: empty for the first, then the `tracks` of the answer to the frame before, as "
            "it is. Ids then stay, and probabilities are smoothed. Send it as a form field: addresses are cut off at 4 kB by many "
            "servers.",
        },
    )
    time = Seconds(
        metadata={
            "type": "number",
            "minimum": 0,
            "maximum": MOST_SECONDS,
            "description": "With `tracks`: when the frame was taken, in seconds from any beginning; without it frames are taken as "
            "1/15 s apart, as where time stands still or runs back. Running back by more than 3 s makes all faces new, with new "
            "ids. Without `tracks` it has no effect.",
        },
    )


class Feedback(Strict):
    shown = String(required=True, validate=OneOf(EMOTIONS), metadata={"description": "`emotion` as the answer gave it"})
    said = String(required=True, validate=OneOf(EMOTIONS), metadata={"description": "what the person says it is"})
    confidence = Number(required=True, validate=Range(0, 1), metadata={"description": "`confidence` as the answer gave it"})
    model = String(
        required=True,
        validate=Regexp(r"^[A-Za-z0-9][A-Za-z0-9._/+ -]{0,99}$(?!\n)"),  # Python's $ alone lets a last newline pass
        metadata={"description": "the answer's `model`: name, space, version", "example": "vgg16/mixed 1.0.0"},
    )


class Box(Open):
    left = Integer(required=True, metadata={"description": "may be negative: a face may begin outside of the picture"})
    top = Integer(required=True)
    width = Integer(required=True)
    height = Integer(required=True)


Probabilities = Open.from_dict({name: Float(required=True, metadata=SHARE) for name in EMOTIONS}, name="Probabilities")


class Pose(Open):
    """Degrees, all 0 for a head that faces the camera upright; turned in the order pitch, yaw, roll."""

    yaw = Float(required=True, metadata={"description": "positive where it faces the right of the picture"})
    pitch = Float(required=True, metadata={"description": "positive where it faces up"})
    roll = Float(required=True, metadata={"description": "positive where it leans clockwise as seen"})


class Face(Open):
    id = Integer(
        required=True, metadata={"description": "with `tracks`: the same for a person through all frames, never used again"}
    )
    box = Nested(Box, required=True)
    score = Float(required=True, allow_none=True, metadata=SHARE | {"description": "of the detector; null with detector=none"})
    emotion = String(required=True, allow_none=True, validate=OneOf(EMOTIONS))
    confidence = Float(required=True, metadata=SHARE | {"description": "calibrated probability of `emotion`"})
    probabilities = Nested(Probabilities, required=True)
    drawn = Float(required=True, allow_none=True, metadata=SHARE | {"description": "how likely it is drawn, or null"})
    unsure = String(required=True, allow_none=True, validate=OneOf(DOUBTS), metadata={"description": UNSURE})
    raw = Nested(Probabilities, metadata={"description": "with `tracks`: this frame's own probabilities, before smoothing"})
    landmarks = List(List(Float()), metadata={"description": "[x, y] pairs, with landmarks=true, where they were found"})
    pose = Nested(Pose, metadata={"description": "how the head is turned, together with the landmarks"})
    explanation = String(
        metadata={
            "description": "With explain=true, for the largest faces: the aligned crop as data: URI of a JPEG, tinted from dark blue "
            "(covering this place changed nothing, or helped) to yellow (covering it made `emotion` least likely)."
        }
    )


class Model(Open):
    name = String(required=True)
    version = String(required=True)


class Timing(Open):
    decode = Float(required=True)
    detect = Float(required=True)
    classify = Float(required=True)
    explain = Float(metadata={"description": "with explain=true"})
    follow = Float(metadata={"description": "with `tracks`"})


class ImageAnswer(Open):
    """Coordinates and sizes are pixels of the full-size upright picture."""

    width = Integer(required=True)
    height = Integer(required=True)
    faces = List(Nested(Face), required=True, metadata={"description": "largest first; empty where no face was found"})
    detector = String(required=True, metadata={"description": "the detector that answered"})
    image = String(metadata={"description": "with annotate=true: the annotated picture as a data: URI"})
    tracks = String(metadata={"description": "with `tracks`: what to send with the next frame, at most 8,192 bytes"})
    model = Nested(Model, required=True)
    timing_ms = Nested(Timing, required=True, metadata={"description": "milliseconds"})


class ModelEntry(Open):
    name = String(required=True)
    role = String(required=True)
    version = String(required=True)
    licence = String(required=True)
    file = String(required=True)
    bytes = Integer(required=True)
    sha256 = String(required=True)
    input = Dict(required=True)
    served = Boolean(required=True, metadata={"description": "whether answers of this server come from it"})


class Models(Open):
    """Entries of the manifest, whole: fields beyond those listed depend on the role."""

    models = List(Nested(ModelEntry), required=True)
    source = String(
        required=True, validate=OneOf(("tree", "folder", "bucket", "fallback")),
        metadata={"description": "where they come from; fallback: from the tree, as the bucket's could not be had"},
    )  # fmt: skip
    set = String(required=True, metadata={"description": "changes with the manifest: start of its sha256"})


class Style(Open):
    """Colours, widths and label layout of the annotated picture, for who draws it alike."""

    colours = Dict(keys=String(), values=String(), required=True)


class Status(Open):
    status = String(required=True)


class Problem(Open):
    """RFC 9457; `code` is stable, `type` points to its meaning in the OpenAPI document."""

    type = String(required=True)
    title = String(required=True)
    status = Integer(required=True)
    detail = String(required=True)
    code = String(required=True)
    request_id = String(required=True)
    errors = Dict(keys=String(), values=String(), metadata={"description": "field or option -> what is wrong with it"})
