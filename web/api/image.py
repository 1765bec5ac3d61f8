"""POST /api/v1/image: options, response schema and view. Response fields are only ever added."""

from __future__ import annotations

from apiflask.fields import Float, Integer, List, Nested, String
from apiflask.validators import OneOf
from flask import Response, jsonify

from emotions.face.detector import DETECTORS
from emotions.face.saliency import MAX_EXPLAINED
from emotions.video.tracker_state import MAX_BYTES, MAX_CLOCK

from ..http.uploads import uploaded_photo
from ..inference import analyze_image, annotated_uri, load_tracker, update_tracker
from .blueprint import api
from .options import parse_options
from .schemas import BooleanOption, Face, InputSchema, Model, NumberOption, OutputSchema, ViewsOption

MAX_TIME = MAX_CLOCK // 1000


class ImageOptions(InputSchema):
    annotate = BooleanOption(
        metadata={"description": "Also return the annotated image: every face framed and labelled, at most 1,600 px."}
    )
    detector = String(
        load_default="auto",
        validate=OneOf(DETECTORS),
        metadata={
            "description": "`auto`: BlazeFace full-range, then its back-camera model if no face was detected; `blazeface`: the "
            "full-range model alone; `haar`: OpenCV's cascade; `none`: the whole image is one face."
        },
    )
    landmarks = BooleanOption(
        metadata={"description": "Also return the 468 Face Mesh landmarks of each face, where they are found."}
    )
    explain = BooleanOption(
        metadata={
            "description": f"Also return an occlusion map for each of the {MAX_EXPLAINED} largest faces; each takes as long as "
            "classifying the face 49 times."
        }
    )
    views = ViewsOption()
    tracks = String(
        metadata={
            "format": "emotion-tracks",
            "pattern": r'^(\{"version":1,"clock":[^,]+,"next":[0-9]+,"tracks":\[.*\]\})?$',
            "maxLength": MAX_BYTES,
            "description": "Track faces through frames: empty for the first frame, then the `tracks` of the previous response, "
            "unchanged. Ids then persist, and probabilities are smoothed. Send it as a form field: many servers limit URLs to "
            "4 kB.",
        },
    )
    time = NumberOption(
        0,
        MAX_TIME,
        "With `tracks`: capture time of the frame in seconds, from any origin. Where it is missing, does not advance or runs "
        "back, frames count as 1/15 s apart. Running back by more than 3 s starts new tracks with new ids. Without `tracks` "
        "it has no effect.",
    )


class Timing(OutputSchema):
    decode = Float(required=True)
    detect = Float(required=True)
    classify = Float(required=True)
    explain = Float(metadata={"description": "with explain=true"})
    follow = Float(metadata={"description": "with `tracks`"})


class ImageResponse(OutputSchema):
    """Coordinates and sizes are pixels of the full-size upright image."""

    width = Integer(required=True)
    height = Integer(required=True)
    faces = List(Nested(Face), required=True, metadata={"description": "largest first; empty where no face was found"})
    detector = String(required=True, metadata={"description": "the detector that was used"})
    views = Integer(required=True, metadata={"description": "views of each face over which its probabilities are averaged"})
    image = String(metadata={"description": "with annotate=true: the annotated image as a data: URI"})
    tracks = String(metadata={"description": "with `tracks`: what to send with the next frame, at most 8,192 bytes"})
    model = Nested(Model, required=True)
    timing_ms = Nested(Timing, required=True, metadata={"description": "milliseconds"})


IMAGE_PROBLEMS = (
    "unknown_option", "invalid_option", "invalid_tracks", "no_file", "wrong_field", "too_many_files", "file_too_large",
    "body_too_large", "too_many_pixels", "too_much_memory", "unsupported_media_type", "unsupported_image", "empty_file",
    "not_an_image", "truncated_image", "busy", "too_much_work", "shutting_down",
)  # fmt: skip

ANALYSIS_OPTIONS = ("detector", "landmarks", "explain", "views")
"""Options that go to `analyze_image` as they are."""
IMAGE_OPTIONS = ImageOptions()  # shared by all requests: building a schema takes longer than loading with it


@api.post("/image")
@api.input(ImageOptions, location="query", arg_name="query", validation=False)  # for OpenAPI alone: see parse_options
@api.output(ImageResponse)
@api.doc(
    summary="Detect the faces of an image and classify their expressions",
    operation_id="readImage",
    extensions={"x-problems": IMAGE_PROBLEMS},
)
def image(query: dict) -> Response:
    """An image without faces is no error (200, `faces: []`).

    Options are query parameters or form fields; one that is given in both must have the same value.
    """
    options = parse_options(IMAGE_OPTIONS)
    tracker = load_tracker(options["tracks"]) if "tracks" in options else None
    chosen = {name: options[name] for name in ANALYSIS_OPTIONS}
    loaded, result = analyze_image(uploaded_photo(), **chosen)
    if tracker:
        result = update_tracker(tracker, loaded, result, options.get("time"))
    body = result.to_json()
    if tracker:
        body["tracks"] = tracker.state
    if options["annotate"]:
        body["image"] = annotated_uri(loaded, result)
    return jsonify(body)
