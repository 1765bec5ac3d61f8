"""Pages for people: the photo page and its result, the phone's share target, feedback without JavaScript, and the model card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from flask import Response, redirect, render_template, request, url_for
from marshmallow import ValidationError
from PIL import Image
from werkzeug import Response as BaseResponse

from emotions import ImageResult
from emotions.face.detector import DETECTORS
from emotions.face.results import Box
from emotions.image.loading import LoadedImage, data_uri, encode_jpeg

from ..api import schemas
from ..api.image import Feedback
from ..http.logging import record_feedback
from ..http.problems import Problem, invalid
from ..http.uploads import uploaded_photo
from ..inference import analyze_image, analyzer, annotated_uri
from .base import pages
from .samples import sample_bytes

# A photo's bytes -> all that a page shows of it: result, annotated picture, a small picture of each face, JSON link.

THUMBNAIL = 96
"""Side of a face's small picture in pixels: shown at half of it, for screens of double density."""


@dataclass(frozen=True)
class Reading:
    """`image` and `thumbnails` are data URIs of JPEGs (thumbnails only where there are several faces, in their order).

    `explained`: whether it was asked what the answers rest on. `sample`: name of the sample that was read, if one was.
    `pointed`: whether it was asked for the points of each face and how the head is turned.
    `whole`: where no face was found, what it says if the whole picture is one face. The server keeps nothing, so this second
    reading is made at once; the page shows it only when asked.
    """

    result: ImageResult
    image: str
    thumbnails: tuple[str, ...] = ()
    whole: Reading | None = None
    explained: bool = False
    sample: str | None = None
    pointed: bool = False

    @property
    def milliseconds(self) -> float:
        return sum(self.result.timing_ms.values())

    @property
    def json_link(self) -> str:
        """The result as a `data:` link, so that downloading it needs neither JavaScript nor a copy on the server."""
        return "data:application/json," + quote(json.dumps(self.result.to_json(), indent=1))


def read(
    photo: bytes, detector: str = "auto", explain: bool = False, sample: str | None = None, landmarks: bool = False
) -> Reading:
    """Read the bytes of a photo. Raises ImageError for bytes that are no usable picture, ValueError for an unknown detector."""
    picture, result = analyze_image(photo, detector, landmarks, explain)
    image = annotated_uri(picture, result)
    if not result.faces:
        again = analyzer().analyze(picture, "none", landmarks, explain)
        whole = Reading(again, image, explained=explain, sample=sample, pointed=landmarks)
        return Reading(result, image, whole=whole, explained=explain, sample=sample, pointed=landmarks)
    several = len(result.faces) > 1
    thumbnails = tuple(thumbnail(picture, face.box) for face in result.faces) if several else ()
    return Reading(result, image, thumbnails, explained=explain, sample=sample, pointed=landmarks)


def thumbnail(picture: LoadedImage, box: Box) -> str:
    """The face in `box` (pixels of the upright full-size picture) as data URI of a square JPEG."""
    height, width = picture.pixels.shape[:2]
    small = box.scaled(1 / picture.scale)
    side = max(1.0, min(max(small.width, small.height) * 1.25, width, height))
    left = float(np.clip(small.left + (small.width - side) / 2, 0, width - side))
    top = float(np.clip(small.top + (small.height - side) / 2, 0, height - side))
    window = (left, top, left + side, top + side)
    face = Image.fromarray(picture.pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, box=window)
    return data_uri(encode_jpeg(np.asarray(face)))


@pages.get("/")
def home() -> str:
    """The form: choose, drop, paste or take a photo, or try a sample."""
    return render_template("home.html")


@pages.post("/")
def result() -> str:
    """The result page for a photo or a sample."""
    name = request.form.get("sample")
    photo = sample_bytes(name) if name else chosen_photo()
    reading = read(photo, chosen_detector(), chosen_switch("explain"), name, chosen_switch("landmarks"))
    return render_template("result.html", reading=reading)


@pages.post("/share")
def share() -> str:
    """What a phone's share sheet sends to (`share_target` of the web app manifest)."""
    return render_template("result.html", reading=read(chosen_photo()))


@pages.get("/share")
def shared_before() -> BaseResponse:
    """A phone that reopens its last page asks for this address without the photo."""
    return redirect(url_for("pages.home"))


@pages.post("/feedback")
def feedback() -> str:
    """The answer to "was this right?" from a browser without JavaScript."""
    record_feedback(given_feedback())
    return render_template("thanks.html")


def chosen_photo() -> bytes:
    """The form's file, with a word for people where none was chosen. Raises Problem."""
    if not any(file.filename for file in request.files.values()):
        raise Problem("no_file", "No photo was chosen. Choose one, or try a sample.")
    return uploaded_photo()


def chosen_detector() -> str:
    """The form's way of finding faces. Raises Problem for one that does not exist."""
    detector = request.form.get("detector", "auto")
    if detector not in DETECTORS:
        raise Problem("invalid_option", f"The detector must be one of {', '.join(DETECTORS)}.")
    return detector


def chosen_switch(name: str) -> bool:
    """Whether the form asks for `explain` or `landmarks`. Raises Problem for a value that is no switch's."""
    value = request.form.get(name, "false")
    if value not in schemas.BOOLEANS:
        raise Problem("invalid_option", f"The option {name!r} must be true, false, 1 or 0.")
    return schemas.BOOLEANS[value]


def given_feedback() -> dict[str, Any]:
    """The form's fields as the API would take them. Raises Problem."""
    fields: dict[str, Any] = request.form.to_dict()
    try:
        fields["confidence"] = float(fields.get("confidence", ""))
        return Feedback().load(fields)
    except ValidationError as error:
        raise invalid("invalid_body", error.messages) from None
    except ValueError:
        raise Problem("invalid_body", "The confidence must be a number.") from None
