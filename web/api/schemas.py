"""Marshmallow schemas that several endpoints share: they validate requests and describe the API in the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

from apiflask import Schema
from apiflask.fields import Dict, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf
from marshmallow import INCLUDE, RAISE

from emotions import EMOTIONS
from emotions.face.defaults import DEFAULT_VIEWS, REQUEST_VIEWS
from emotions.face.reliability import UNSURE_REASONS

NUMBER_SYNTAX = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
UNIT_RANGE = {"minimum": 0, "maximum": 1}
UNSURE = (
    "Why the prediction is unreliable, or null: `turned` (extreme yaw or pitch), `small` (few pixels), `blurred`, "
    "`covered` (mouth or eyes are hidden), `low_confidence`; the first that applies, in this order. `emotion` is returned all "
    "the same. The limits are the `thresholds` of the served head (`/api/v1/models`): beyond them predictions were wrong at "
    "least one and a half times as often as on average, or wrong more often than right."
)


VIEWS_DESCRIPTION = (
    "Views of each face over which the probabilities are averaged: 1 for the aligned face alone, 2 with its mirror image, which "
    "takes as long as classifying twice as many faces. `confidence`, `unsure` and `explanation` are those of the mean, `drawn` "
    "that of the face alone."
)


class BooleanOption(Field):
    """A boolean as a form or query option: only true, false, 1 and 0, since `bool("false")` is true."""

    default_error_messages = {"invalid": "Must be true, false, 1 or 0."}

    def __init__(self, default: bool = False, **options: Any) -> None:
        options["metadata"] = {"type": "boolean"} | options["metadata"]
        super().__init__(load_default=default, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if value not in BOOLEANS:
            raise self.make_error("invalid")
        return BOOLEANS[value]


class NumberOption(Field):
    """Number within limits as a form or query option, written as a JSON number; float() also accepts "nan" and "1_0"."""

    default_error_messages = {"invalid": "Must be a number from {minimum:,.10g} to {maximum:,.10g}."}

    def __init__(self, minimum: float, maximum: float, description: str, default: float | None = None) -> None:
        self.minimum, self.maximum = minimum, maximum
        metadata = {"type": "number", "minimum": minimum, "maximum": maximum, "description": description}
        super().__init__(load_default=default, metadata=metadata | ({} if default is None else {"default": default}))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if not NUMBER_SYNTAX.fullmatch(value) or not self.minimum <= float(value) <= self.maximum:
            raise self.make_error("invalid", minimum=self.minimum, maximum=self.maximum)
        return float(value)


class ViewsOption(Field):
    """Number of views as a form or query option, one of REQUEST_VIEWS; int() would also accept " 2" and "0_2"."""

    default_error_messages = {"invalid": f"Must be {' or '.join(map(str, REQUEST_VIEWS))}."}

    def __init__(self, **options: Any) -> None:
        options["metadata"] = {
            "type": "integer", "enum": list(REQUEST_VIEWS), "default": DEFAULT_VIEWS, "description": VIEWS_DESCRIPTION,
        }  # fmt: skip
        super().__init__(load_default=DEFAULT_VIEWS, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if value not in map(str, REQUEST_VIEWS):
            raise self.make_error("invalid")
        return int(value)


class InputSchema(Schema):
    """Base of the request schemas: unknown fields are errors."""

    class Meta:
        unknown = RAISE


class OutputSchema(Schema):
    """Base of the response schemas: fields may be added without a new version of the API."""

    class Meta:
        unknown = INCLUDE


class Box(OutputSchema):
    left = Integer(required=True, metadata={"description": "may be negative: a face may extend beyond the image"})
    top = Integer(required=True)
    width = Integer(required=True)
    height = Integer(required=True)


Probabilities = OutputSchema.from_dict(
    {name: Float(required=True, metadata=UNIT_RANGE) for name in EMOTIONS}, name="Probabilities"
)


NUMBER = "`id` plus one, as pages, pictures and tables for people show it: face 1 or person 1"


class Pose(OutputSchema):
    """Head pose in degrees, all 0 for an upright head that faces the camera; rotations in the order pitch, yaw, roll."""

    yaw = Float(required=True, metadata={"description": "positive towards the right of the image"})
    pitch = Float(required=True, metadata={"description": "positive upwards"})
    roll = Float(required=True, metadata={"description": "positive clockwise as seen, -180 to 180: 180 is upside down"})


class Face(OutputSchema):
    id = Integer(
        required=True,
        metadata={
            "description": "from 0, the largest face first. With `tracks`: the track id, stable through the frames and never "
            "reused"
        },
    )
    number = Integer(required=True, metadata={"description": NUMBER})
    box = Nested(Box, required=True)
    score = Float(
        required=True, allow_none=True, metadata=UNIT_RANGE | {"description": "detection score; null with detector=none"}
    )
    emotion = String(required=True, allow_none=True, validate=OneOf(EMOTIONS))
    confidence = Float(required=True, metadata=UNIT_RANGE | {"description": "calibrated probability of `emotion`"})
    probabilities = Nested(Probabilities, required=True)
    drawn = Float(
        required=True,
        allow_none=True,
        metadata=UNIT_RANGE | {"description": "probability that the face is drawn (a cartoon), or null"},
    )
    unsure = String(required=True, allow_none=True, validate=OneOf(UNSURE_REASONS), metadata={"description": UNSURE})
    raw = Nested(Probabilities, metadata={"description": "with `tracks`: this frame's probabilities before smoothing"})
    landmarks = List(List(Float()), metadata={"description": "[x, y] pairs, with landmarks=true, where they were found"})
    pose = Nested(Pose, metadata={"description": "head pose, returned together with the landmarks"})
    explanation = String(
        metadata={
            "description": "With explain=true, for the largest faces: occlusion map over the aligned crop as data: URI of a "
            "JPEG, "
            "from dark blue (covering this spot changed nothing, or raised the probability) to yellow (covering it lowered the "
            "probability of `emotion` most)."
        }
    )


class Model(OutputSchema):
    name = String(required=True)
    version = String(required=True)


class Status(OutputSchema):
    status = String(required=True)


class Problem(OutputSchema):
    """RFC 9457 problem details; `code` is stable, `type` points to its description in the OpenAPI document."""

    type = String(required=True)
    title = String(required=True)
    status = Integer(required=True)
    detail = String(required=True)
    code = String(required=True)
    request_id = String(required=True)
    errors = Dict(keys=String(), values=String(), metadata={"description": "field or option -> error message"})
