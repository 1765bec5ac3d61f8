"""Page /: the photo form, its result, and the share target of phones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flask import redirect, render_template, request, url_for
from PIL import Image
from werkzeug import Response

from emotions import ImageResult
from emotions.face.results import Box
from emotions.image.loading import LoadedImage, data_uri, encode_jpeg

from ..api.image import IMAGE_OPTIONS
from ..api.options import parse_page_options
from ..http.problems import Problem
from ..http.uploads import uploaded_photo
from ..inference import analyze_image, analyzer, annotated_uri
from .base import ResultView, pages
from .samples import sample_bytes

FORM_OPTIONS = ("detector", "explain", "landmarks")
"""Options of POST /api/v1/image that the form offers."""
THUMBNAIL_SIZE = 96
"""Side of a face's thumbnail in pixels, shown at half of it for screens of double density."""


@dataclass(frozen=True)
class PhotoView(ResultView):
    """Result of a photo as the result page shows it.

    `image` and `thumbnails` are data URIs of JPEGs; there are thumbnails only for two or more faces, in the order of the faces.
    `whole_image`: where no face was found, the result with the image as one face. The server keeps no photo, so it is computed
    at once; the page shows it on request. `with_explanations`, `with_landmarks`: options of the request. `sample`: name of the
    sample photo.
    """

    result: ImageResult
    image: str
    thumbnails: tuple[str, ...] = ()
    whole_image: PhotoView | None = None
    with_explanations: bool = False
    with_landmarks: bool = False
    sample: str | None = None

    @property
    def milliseconds(self) -> float:
        return sum(self.result.timing_ms.values())


def build_view(
    data: bytes, detector: str = "auto", explain: bool = False, landmarks: bool = False, sample: str | None = None
) -> PhotoView:
    """Analyze the bytes of a photo. Raises ImageError for bytes that cannot be decoded."""
    image, result = analyze_image(data, detector, landmarks, explain)
    annotated = annotated_uri(image, result)
    whole_image = None
    if not result.faces:
        whole_result = analyzer().analyze(image, "none", landmarks, explain)
        whole_image = PhotoView(whole_result, annotated, (), None, explain, landmarks, sample)
    thumbnails = tuple(thumbnail(image, face.box) for face in result.faces) if len(result.faces) > 1 else ()
    return PhotoView(result, annotated, thumbnails, whole_image, explain, landmarks, sample)


def thumbnail(image: LoadedImage, box: Box) -> str:
    """Return the face in `box` (pixels of the full-size upright image) as data URI of a square JPEG."""
    height, width = image.pixels.shape[:2]
    small = box.scaled(1 / image.scale)
    side = max(1.0, min(max(small.width, small.height) * 1.25, width, height))
    left = float(np.clip(small.left + (small.width - side) / 2, 0, width - side))
    top = float(np.clip(small.top + (small.height - side) / 2, 0, height - side))
    window = (left, top, left + side, top + side)
    face = Image.fromarray(image.pixels).resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.BILINEAR, box=window)
    return data_uri(encode_jpeg(np.asarray(face)))


@pages.get("/")
def home() -> str:
    return render_template("home.html")


@pages.post("/")
def result() -> str:
    """Result page of a photo or a sample."""
    sample = request.form.get("sample")
    options = parse_page_options(IMAGE_OPTIONS, FORM_OPTIONS)
    data = sample_bytes(sample) if sample else chosen_photo()
    return render_template("result.html", view=build_view(data, **{name: options[name] for name in FORM_OPTIONS}, sample=sample))


@pages.post("/share")
def share() -> str:
    """Result page of a photo from a phone's share sheet (`share_target` of the web app manifest)."""
    return render_template("result.html", view=build_view(chosen_photo()))


@pages.get("/share")
def share_without_photo() -> Response:
    """Redirect to the form: a phone that reopens its last page requests this address without the photo."""
    return redirect(url_for("pages.home"))


def chosen_photo() -> bytes:
    """Return the form's file. Raises Problem, with a text for people where none was chosen."""
    if not any(file.filename for file in request.files.values()):
        raise Problem("no_file", "No photo was chosen. Choose one, or try a sample.")
    return uploaded_photo()
