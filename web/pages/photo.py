"""Page /: the photo form, its result, and the share target of phones."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass, replace
from urllib.parse import quote

import numpy as np
from flask import redirect, render_template, request, url_for
from PIL import Image
from werkzeug import Response

from emotions import ImageResult
from emotions.face.results import Box
from emotions.image.loading import LoadedImage, data_uri, encode_jpeg
from emotions.tables import FACE_COLUMNS, face_row

from ..api.image import IMAGE_OPTIONS
from ..api.options import parse_page_options
from ..http.problems import Problem
from ..http.uploads import uploaded_photo
from ..inference import analyze_image, analyzer, annotated_uri
from .base import ResultView, pages, uploaded_name
from .samples import find_sample, sample_bytes

FORM_OPTIONS = ("detector", "explain", "landmarks")
"""Options of POST /api/v1/image that the form offers."""
THUMBNAIL_SIZE = 96
"""Side of a face's thumbnail in pixels, shown at half of it for screens of double density."""


@dataclass(frozen=True)
class PhotoView(ResultView):
    """Result of a photo as the result page shows it.

    Attributes:
        image: The annotated image, a data URI of a JPEG; without annotation where no face was found.
        title: Name of the photo's file, or title of the sample.
        thumbnails: Data URIs of JPEGs in the order of the faces, for two or more of them.
        whole_image: Where no face was found, the result with the image as one face. The server keeps no photo, so it is computed
            at once; the page shows it on request.
        is_faceless: True where the whole image was read as one face though no face was found in it.
        options: Names of the options that were chosen.
        sample: Name of the sample photo.
    """

    result: ImageResult
    image: str
    title: str
    thumbnails: tuple[str, ...] = ()
    whole_image: PhotoView | None = None
    is_faceless: bool = False
    options: tuple[str, ...] = ()
    sample: str | None = None

    @property
    def with_explanations(self) -> bool:
        return "explain" in self.options

    @property
    def with_landmarks(self) -> bool:
        return "landmarks" in self.options

    @property
    def stem(self) -> str:
        return self.sample or super().stem

    @property
    def csv_link(self) -> str:
        """The faces as a `data:` URI of a CSV file with FACE_COLUMNS."""
        stream = io.StringIO()
        table = csv.DictWriter(stream, FACE_COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(face_row(face) for face in self.result.faces)
        return "data:text/csv;charset=utf-8," + quote(stream.getvalue())

    @property
    def milliseconds(self) -> float:
        return sum(self.result.timing_ms.values())


def build_view(
    data: bytes, title: str, detector: str = "auto", explain: bool = False, landmarks: bool = False, sample: str | None = None
) -> PhotoView:
    """Analyze the bytes of a photo. Raises ImageError for bytes that cannot be decoded."""
    image, result = analyze_image(data, detector, landmarks, explain)
    options = tuple(name for name, on in (("detector", detector == "none"), ("explain", explain), ("landmarks", landmarks)) if on)
    is_faceless = detector == "none" and not analyzer().analyze(image).faces
    annotated = annotated_uri(image, replace(result, faces=()) if is_faceless else result)
    whole_image = None
    if not result.faces:
        whole_result = analyzer().analyze(image, "none", landmarks)
        whole_image = PhotoView(whole_result, annotated, title, (), None, True, options, sample)
    thumbnails = tuple(thumbnail(image, face.box) for face in result.faces) if len(result.faces) > 1 else ()
    return PhotoView(result, annotated, title, thumbnails, whole_image, is_faceless, options, sample)


def show_result(data: bytes, title: str, sample: str | None = None, options: Collection[str] = FORM_OPTIONS) -> str:
    """Return the result page of a photo; `options` of the form are obeyed."""
    chosen = parse_page_options(IMAGE_OPTIONS, options)
    return render_template("result.html", view=build_view(data, title, **{name: chosen[name] for name in options}, sample=sample))


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
    if name := request.form.get("sample"):
        return show_result(sample_bytes(name), find_sample(name).title, name)
    return show_result(*chosen_photo())


@pages.post("/share")
def share() -> str:
    """Result page of a photo from a phone's share sheet (`share_target` of the web app manifest)."""
    return show_result(*chosen_photo(), options=())


@pages.get("/share")
def share_without_photo() -> Response:
    """Redirect to the form: a phone that reopens its last page requests this address without the photo."""
    return redirect(url_for("pages.home"))


def chosen_photo() -> tuple[bytes, str]:
    """Return the form's file and its name. Raises Problem, with a text for people where none was chosen."""
    name = uploaded_name()
    if name is None:
        raise Problem("no_file", "No photo was chosen. Choose one, or try a sample.")
    return uploaded_photo(), name
