"""API v1. Fields are only ever added."""

from __future__ import annotations

import re
from typing import Any

from apiflask import EmptySchema
from apiflask.fields import Boolean, Dict, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf, Range, Regexp
from flask import Response, jsonify

from emotions import EMOTIONS
from emotions.face.annotate import STYLE
from emotions.face.detector import DETECTORS
from emotions.face.saliency import MAX_EXPLAINED
from emotions.video.tracker_state import MAX_CLOCK, MAX_BYTES

from ..http.logging import record_feedback
from ..http.uploads import uploaded_photo
from ..inference import analyze_image, analyzer, annotated_uri, load_tracker, update_tracker
from .blueprint import api, json_body
from .options import parse_options
from .schemas import BooleanOption, Face, InputSchema, Model, OutputSchema

MAX_TIME = MAX_CLOCK // 1000


class StrictNumber(Float):
    """A JSON number: marshmallow's Float takes "0.5" and true as well."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Seconds(Field):
    """A number of seconds in a form or a query, as JSON writes numbers: float() takes "nan", "1_0" and other scripts' digits."""

    default_error_messages = {"invalid": "Must be a number of seconds from 0 to 1e9."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", value) or not 0 <= float(value) <= MAX_TIME:
            raise self.make_error("invalid")
        return float(value)


class ImageOptions(InputSchema):
    annotate = BooleanOption(
        metadata={"description": "Also give the picture with every face framed and named, at most 1,600 px."}
    )
    detector = String(
        load_default="auto",
        validate=OneOf(DETECTORS),
        metadata={
            "description": "`auto`: BlazeFace for photos, then its back-camera model if there was no face; `blazeface`: the "
            "first alone; `haar`: OpenCV's cascade; `none`: the whole picture is one face."
        },
    )
    landmarks = BooleanOption(
        metadata={"description": "Also give the 468 points of Face Mesh for each face, where it finds them."}
    )
    explain = BooleanOption(
        metadata={
            "description": f"Also give a picture of what the answer rests on, for the {MAX_EXPLAINED} largest faces: each takes as "
            "long as reading 49 faces."
        }
    )
    tracks = String(
        metadata={
            "format": "emotion-tracks",
            "pattern": r'^(\{"version":1,"clock":[^,]+,"next":[0-9]+,"tracks":\[.*\]\})?$',
            "maxLength": MAX_BYTES,
            "description": "Follow faces through frames: empty for the first, then the `tracks` of the answer to the frame before, as "
            "it is. Ids then stay, and probabilities are smoothed. Send it as a form field: addresses are cut off at 4 kB by many "
            "servers.",
        },
    )
    time = Seconds(
        metadata={
            "type": "number",
            "minimum": 0,
            "maximum": MAX_TIME,
            "description": "With `tracks`: when the frame was taken, in seconds from any beginning; without it frames are taken as "
            "1/15 s apart, as where time stands still or runs back. Running back by more than 3 s makes all faces new, with new "
            "ids. Without `tracks` it has no effect.",
        },
    )


class Feedback(InputSchema):
    shown = String(required=True, validate=OneOf(EMOTIONS), metadata={"description": "`emotion` as the answer gave it"})
    said = String(required=True, validate=OneOf(EMOTIONS), metadata={"description": "what the person says it is"})
    confidence = StrictNumber(required=True, validate=Range(0, 1), metadata={"description": "`confidence` as the answer gave it"})
    model = String(
        required=True,
        validate=Regexp(r"^[A-Za-z0-9][A-Za-z0-9._/+ -]{0,99}$(?!\n)"),  # Python's $ alone lets a last newline pass
        metadata={"description": "the answer's `model`: name, space, version", "example": "vgg16/mixed 1.0.0"},
    )


class Timing(OutputSchema):
    decode = Float(required=True)
    detect = Float(required=True)
    classify = Float(required=True)
    explain = Float(metadata={"description": "with explain=true"})
    follow = Float(metadata={"description": "with `tracks`"})


class ImageResponse(OutputSchema):
    """Coordinates and sizes are pixels of the full-size upright picture."""

    width = Integer(required=True)
    height = Integer(required=True)
    faces = List(Nested(Face), required=True, metadata={"description": "largest first; empty where no face was found"})
    detector = String(required=True, metadata={"description": "the detector that answered"})
    image = String(metadata={"description": "with annotate=true: the annotated picture as a data: URI"})
    tracks = String(metadata={"description": "with `tracks`: what to send with the next frame, at most 8,192 bytes"})
    model = Nested(Model, required=True)
    timing_ms = Nested(Timing, required=True, metadata={"description": "milliseconds"})


class ModelEntry(OutputSchema):
    name = String(required=True)
    role = String(required=True)
    version = String(required=True)
    licence = String(required=True)
    file = String(required=True)
    bytes = Integer(required=True)
    sha256 = String(required=True)
    input = Dict(required=True)
    served = Boolean(required=True, metadata={"description": "whether answers of this server come from it"})


class Models(OutputSchema):
    """Entries of the manifest, whole: fields beyond those listed depend on the role."""

    models = List(Nested(ModelEntry), required=True)
    source = String(
        required=True, validate=OneOf(("tree", "folder", "bucket", "fallback")),
        metadata={"description": "where they come from; fallback: from the tree, as the bucket's could not be had"},
    )  # fmt: skip
    set = String(required=True, metadata={"description": "changes with the manifest: start of its sha256"})


class Style(OutputSchema):
    """Colours, widths and label layout of the annotated picture, for who draws it alike."""

    colours = Dict(keys=String(), values=String(), required=True)


FEEDBACK_BYTES = 4096
SHORT_CACHE = "public, max-age=300"
IMAGE_PROBLEMS = (
    "unknown_option", "invalid_option", "invalid_tracks", "no_file", "wrong_field", "too_many_files", "file_too_large", "body_too_large",
    "too_many_pixels", "too_much_memory", "unsupported_media_type", "unsupported_image", "empty_file", "not_an_image",
    "truncated_image", "busy",
)  # fmt: skip
FEEDBACK_PROBLEMS = ("invalid_json", "invalid_body", "feedback_off", "body_too_large", "unsupported_media_type")

IMAGE_OPTIONS = ImageOptions()  # one for all requests: making a schema takes longer than a load


@api.post("/image")
@api.input(ImageOptions, location="query", arg_name="query", validation=False)  # documents; the form counts as well
@api.output(ImageResponse)
@api.doc(summary="Read the faces of a picture", operation_id="readImage", extensions={"x-problems": IMAGE_PROBLEMS})
def image(query: dict) -> Response:
    """A picture without faces is an answer (200, `faces: []`).

    Options count in the query and as form fields alike; the form's win where both have one.
    """
    options = parse_options(IMAGE_OPTIONS)
    tracker = load_tracker(options["tracks"]) if "tracks" in options else None
    picture, result = analyze_image(uploaded_photo(), options["detector"], options["landmarks"], options["explain"])
    if tracker:
        result = update_tracker(tracker, picture, result, options.get("time"))
    body = result.to_json()
    if tracker:
        body["tracks"] = tracker.state
    if options["annotate"]:
        body["image"] = annotated_uri(picture, result)
    return jsonify(body)


@api.post("/feedback")
@json_body(FEEDBACK_BYTES)
@api.input(Feedback, arg_name="feedback")
@api.output(EmptySchema, status_code=204, description="Written down as one log line")
@api.doc(summary="Say whether an answer was right", operation_id="sendFeedback", extensions={"x-problems": FEEDBACK_PROBLEMS})
def feedback(feedback: dict) -> str:
    """One log line with these four values, no picture; refused where the server runs with FEEDBACK=0."""
    record_feedback(feedback)
    return ""


@api.get("/models")
@api.output(Models)
@api.doc(summary="List the models with their licences", operation_id="listModels")
def models() -> Response:
    """The manifest's entries: name, role, version, licence, file and its sha256, temperature, thresholds, reliability."""
    expressions = analyzer().classifier
    idle = [entry.name for entry in analyzer().registry.entries("expression-head") if entry != expressions.head_entry]
    entries = [{**entry.metadata, "served": entry.name not in idle} for entry in analyzer().registry.entries()]
    registry = analyzer().registry
    return _cached({"models": entries, "source": registry.source, "set": registry.fingerprint})


@api.get("/style")
@api.output(Style)
@api.doc(summary="Give the look of annotated pictures", operation_id="getStyle")
def style() -> Response:
    """The one table of colours, widths and label layout, by which a client can draw as the server does."""
    return _cached(STYLE)


def _cached(body: dict) -> Response:
    response = jsonify(body)
    response.headers["Cache-Control"] = SHORT_CACHE
    return response
