"""API v1. Fields are only ever added."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from apiflask import APIBlueprint, EmptySchema
from flask import Response, json, jsonify, request

from emotions.face.annotate import STYLE

from . import schemas
from .feedback import record_feedback
from .following import followed, follower_of
from .options import given_options
from .photos import analyser, annotated_uri, read_photo
from .problems import Problem
from .uploads import uploaded_photo

FEEDBACK_BYTES = 4096
KEPT_A_WHILE = "public, max-age=300"
PICTURE_PROBLEMS = (
    "unknown_option", "invalid_option", "invalid_tracks", "no_file", "wrong_field", "too_many_files", "file_too_large", "body_too_large",
    "too_many_pixels", "too_much_memory", "unsupported_media_type", "unsupported_image", "empty_file", "not_an_image",
    "truncated_image", "busy",
)  # fmt: skip
FEEDBACK_PROBLEMS = ("invalid_json", "invalid_body", "feedback_off", "body_too_large", "unsupported_media_type")

IMAGE_OPTIONS = schemas.ImageOptions()  # one for all requests: making a schema takes longer than a load

api = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="API v1")


@api.post("/image")
@api.input(schemas.ImageOptions, location="query", arg_name="query", validation=False)  # documents; the form counts as well
@api.output(schemas.ImageAnswer)
@api.doc(summary="Read the faces of a picture", operation_id="readImage", extensions={"x-problems": PICTURE_PROBLEMS})
def image(query: dict) -> Response:
    """A picture without faces is an answer (200, `faces: []`).

    Options count in the query and as form fields alike; the form's win where both have one.
    """
    options = given_options(IMAGE_OPTIONS)
    follower = follower_of(options["tracks"]) if "tracks" in options else None
    picture, result = read_photo(uploaded_photo(), options["detector"], options["landmarks"], options["explain"])
    if follower:
        result = followed(follower, picture, result, options.get("time"))
    body = result.to_json()
    if follower:
        body["tracks"] = follower.tracks
    if options["annotate"]:
        body["image"] = annotated_uri(picture, result)
    return jsonify(body)


def json_body(most_bytes: int) -> Callable[[Callable], Callable]:
    """Refuse a body that is long, not said to be JSON, or not JSON, each with its own code."""

    def decorate(view: Callable) -> Callable:
        @wraps(view)
        def checked(*args, **kwargs):
            request.max_content_length = most_bytes
            if not request.is_json:
                raise Problem("unsupported_media_type", "Send JSON with a Content-Type of application/json.")
            try:
                json.loads(request.get_data())
            except (ValueError, RecursionError):
                raise Problem("invalid_json") from None
            return view(*args, **kwargs)

        return checked

    return decorate


@api.post("/feedback")
@json_body(FEEDBACK_BYTES)
@api.input(schemas.Feedback, arg_name="feedback")
@api.output(EmptySchema, status_code=204, description="Written down as one log line")
@api.doc(summary="Say whether an answer was right", operation_id="sendFeedback", extensions={"x-problems": FEEDBACK_PROBLEMS})
def feedback(feedback: dict) -> str:
    """One log line with these four values, no picture; refused where the server runs with FEEDBACK=0."""
    record_feedback(feedback)
    return ""


@api.get("/models")
@api.output(schemas.Models)
@api.doc(summary="List the models with their licences", operation_id="listModels")
def models() -> Response:
    """The manifest's entries: name, role, version, licence, file and its sha256, temperature, thresholds, reliability."""
    expressions = analyser().expressions
    idle = [entry["name"] for entry in analyser().artefacts.entries("expression-head") if entry != expressions.head_entry]
    entries = [entry | {"served": entry["name"] not in idle} for entry in analyser().artefacts.entries()]
    artefacts = analyser().artefacts
    return _kept_a_while({"models": entries, "source": artefacts.source, "set": artefacts.fingerprint})


@api.get("/style")
@api.output(schemas.Style)
@api.doc(summary="Give the look of annotated pictures", operation_id="getStyle")
def style() -> Response:
    """The one table of colours, widths and label layout, by which a client can draw as the server does."""
    return _kept_a_while(STYLE)


def _kept_a_while(body: dict) -> Response:
    response = jsonify(body)
    response.headers["Cache-Control"] = KEPT_A_WHILE
    return response
