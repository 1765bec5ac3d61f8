"""What the API takes and gives, as marshmallow schemas: validation, and the source of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import Dict, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf
from marshmallow import INCLUDE, RAISE

from emotions import EMOTIONS
from emotions.face.reliability import UNSURE_REASONS

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
UNIT_RANGE = {"minimum": 0, "maximum": 1}
UNSURE = (
    "Why to doubt the answer, or null: `turned` (the head is turned far to a side), `small` (few pixels), `blurred`, "
    "`low_confidence` (no emotion stands out); the first that applies, in this order. `emotion` stays given. The limits are "
    "the `thresholds` of the head that answers (`/api/v1/models`): beyond them answers were at least one and a half times as often "
    "wrong as usual, or more often wrong than right."
)


class BooleanOption(Field):
    """true, false, 1 or 0 in a form or a query, and nothing else: `bool("false")` is true in too many services."""

    default_error_messages = {"invalid": "Must be true, false, 1 or 0."}

    def __init__(self, **options: Any) -> None:
        options["metadata"] = {"type": "string", "enum": list(BOOLEANS), "default": "false"} | options["metadata"]
        super().__init__(load_default=False, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if value not in BOOLEANS:
            raise self.make_error("invalid")
        return BOOLEANS[value]


class InputSchema(Schema):
    """A schema of input: a field that it does not list is an error."""

    class Meta:
        unknown = RAISE


class OutputSchema(Schema):
    """A schema of output, to which fields may be added without a new version of the API."""

    class Meta:
        unknown = INCLUDE


class Box(OutputSchema):
    left = Integer(required=True, metadata={"description": "may be negative: a face may begin outside of the picture"})
    top = Integer(required=True)
    width = Integer(required=True)
    height = Integer(required=True)


Probabilities = OutputSchema.from_dict(
    {name: Float(required=True, metadata=UNIT_RANGE) for name in EMOTIONS}, name="Probabilities"
)


class Pose(OutputSchema):
    """Degrees, all 0 for a head that faces the camera upright; turned in the order pitch, yaw, roll."""

    yaw = Float(required=True, metadata={"description": "positive where it faces the right of the picture"})
    pitch = Float(required=True, metadata={"description": "positive where it faces up"})
    roll = Float(required=True, metadata={"description": "positive where it leans clockwise as seen"})


class Face(OutputSchema):
    id = Integer(
        required=True, metadata={"description": "with `tracks`: the same for a person through all frames, never used again"}
    )
    box = Nested(Box, required=True)
    score = Float(
        required=True, allow_none=True, metadata=UNIT_RANGE | {"description": "of the detector; null with detector=none"}
    )
    emotion = String(required=True, allow_none=True, validate=OneOf(EMOTIONS))
    confidence = Float(required=True, metadata=UNIT_RANGE | {"description": "calibrated probability of `emotion`"})
    probabilities = Nested(Probabilities, required=True)
    drawn = Float(required=True, allow_none=True, metadata=UNIT_RANGE | {"description": "how likely it is drawn, or null"})
    unsure = String(required=True, allow_none=True, validate=OneOf(UNSURE_REASONS), metadata={"description": UNSURE})
    raw = Nested(Probabilities, metadata={"description": "with `tracks`: this frame's own probabilities, before smoothing"})
    landmarks = List(List(Float()), metadata={"description": "[x, y] pairs, with landmarks=true, where they were found"})
    pose = Nested(Pose, metadata={"description": "how the head is turned, together with the landmarks"})
    explanation = String(
        metadata={
            "description": "With explain=true, for the largest faces: the aligned crop as data: URI of a JPEG, tinted from dark blue "
            "(covering this place changed nothing, or helped) to yellow (covering it made `emotion` least likely)."
        }
    )


class Model(OutputSchema):
    name = String(required=True)
    version = String(required=True)


class Status(OutputSchema):
    status = String(required=True)


class Problem(OutputSchema):
    """RFC 9457; `code` is stable, `type` points to its meaning in the OpenAPI document."""

    type = String(required=True)
    title = String(required=True)
    status = Integer(required=True)
    detail = String(required=True)
    code = String(required=True)
    request_id = String(required=True)
    errors = Dict(keys=String(), values=String(), metadata={"description": "field or option -> what is wrong with it"})
