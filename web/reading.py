"""A photo's bytes -> all that a page shows of it: result, annotated picture, a small picture of each face, JSON link."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
from PIL import Image

from emotions import ImageResult
from emotions.face.results import Box
from emotions.image.loading import Picture, data_uri, encode_jpeg

from .photos import analyser, annotated_uri, read_photo

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
    picture, result = read_photo(photo, detector, landmarks, explain)
    image = annotated_uri(picture, result)
    if not result.faces:
        again = analyser().analyse(picture, "none", landmarks, explain)
        whole = Reading(again, image, explained=explain, sample=sample, pointed=landmarks)
        return Reading(result, image, whole=whole, explained=explain, sample=sample, pointed=landmarks)
    several = len(result.faces) > 1
    thumbnails = tuple(thumbnail(picture, face.box) for face in result.faces) if several else ()
    return Reading(result, image, thumbnails, explained=explain, sample=sample, pointed=landmarks)


def thumbnail(picture: Picture, box: Box) -> str:
    """The face in `box` (pixels of the upright full-size picture) as data URI of a square JPEG."""
    height, width = picture.pixels.shape[:2]
    small = box.scaled(1 / picture.scale)
    side = max(1.0, min(max(small.width, small.height) * 1.25, width, height))
    left = float(np.clip(small.left + (small.width - side) / 2, 0, width - side))
    top = float(np.clip(small.top + (small.height - side) / 2, 0, height - side))
    window = (left, top, left + side, top + side)
    face = Image.fromarray(picture.pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, box=window)
    return data_uri(encode_jpeg(np.asarray(face)))
