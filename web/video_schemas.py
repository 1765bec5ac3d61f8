"""What POST /api/v1/video takes and gives, as marshmallow schemas."""

from __future__ import annotations

import re
from typing import Any

from apiflask.fields import Boolean, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf

from emotions.face.detector import DETECTORS
from emotions.video.reader import FPS, LEAST_FPS, MOST_FPS

from .schemas import Face, Model, Open, Probabilities, Strict, Switch


class Rate(Field):
    """Pictures a second in a form or a query: float() takes "nan", "1_0" and other scripts' digits."""

    default_error_messages = {"invalid": f"Must be a number from {LEAST_FPS:g} to {MOST_FPS:g}."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if not re.fullmatch(r"[0-9]{1,30}(\.[0-9]{1,30})?", value) or not LEAST_FPS <= float(value) <= MOST_FPS:
            raise self.make_error("invalid")
        return float(value)


class VideoOptions(Strict):
    fps = Rate(
        load_default=FPS,
        metadata={
            "type": "number",
            "minimum": LEAST_FPS,
            "maximum": MOST_FPS,
            "default": FPS,
            "description": "Pictures a second that are read, where the video has as many.",
        },
    )
    detector = String(load_default="auto", validate=OneOf(DETECTORS), metadata={"description": "as for a picture"})
    landmarks = Switch(metadata={"description": "Also give the 468 points of Face Mesh for each face, where it finds them."})
    annotated = String(
        validate=OneOf(["mp4"]),
        metadata={
            "description": "`mp4`: the answer is the film with every face framed and named instead (H.264, at most 1,024 px and "
            "30 frames a second, boxes held between the pictures that are read, no sound, at most about 30 MB: what is longer "
            "gets coarser). It comes when all is read; a header `X-Partial` says why it is not the whole video, where it is not."
        },
    )


class Person(Open):
    id = Integer(required=True, metadata={"description": "as in the lines before"})
    first = Float(required=True, metadata={"description": "seconds"})
    last = Float(required=True, metadata={"description": "seconds"})
    frames = Integer(required=True, metadata={"description": "pictures in which this person was seen"})
    shares = Nested(Probabilities, required=True, metadata={"description": "share of them where each emotion was the answer"})
    mean = Nested(Probabilities, required=True, metadata={"description": "mean probabilities over these pictures"})


class Summary(Open):
    duration = Float(required=True, metadata={"description": "seconds that could be read, whatever the file says"})
    stated_duration = Float(required=True, allow_none=True, metadata={"description": "seconds that the file says it has"})
    fps = Float(required=True)
    frames = Integer(required=True, metadata={"description": "pictures that were read: as many lines came before"})
    width = Integer(required=True, allow_none=True)
    height = Integer(required=True, allow_none=True)
    partial = Boolean(required=True, metadata={"description": "whether this is less than the whole video"})
    reason = String(
        required=True,
        allow_none=True,
        metadata={"description": "why: `cut_off`, `damaged`, `video_too_long`, `internal_error`; more may come"},
    )
    detail = String(required=True, allow_none=True, metadata={"description": "the same in words"})
    detector = String(required=True, allow_none=True)
    model = Nested(Model, required=True)
    people = List(Nested(Person), required=True, metadata={"description": "in order of appearance"})


class VideoLine(Open):
    """A line of the answer: `time` and `faces` for each picture that was read, and `summary` alone in the last one."""

    time = Float(metadata={"description": "seconds since the beginning of the video"})
    faces = List(Nested(Face), metadata={"description": "followed: ids stay, probabilities are smoothed, `raw` ones beside"})
    summary = Nested(Summary)
