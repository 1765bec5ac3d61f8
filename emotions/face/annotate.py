"""A picture and its result -> the annotated picture. STYLE is the one table of its look; the browser's canvas reads it too."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..image.loading import LoadedImage, encode_jpeg
from ..labels import COLOURS, TITLES
from .results import Face, ImageResult

STYLE: dict[str, Any] = {
    "colours": COLOURS,
    "max_side": 1600,  # the annotated picture is for looking at, not for keeping
    "line": {"share": 0.004, "min": 2, "max": 6},  # width of a frame: share of the picture's longer side, in pixels
    "corner": {"share": 0.06, "max": 16},  # radius of a frame's corners: share of the face's width
    "label": {"share": 0.028, "min": 13, "max": 30, "padding": 0.35, "gap": 2},  # height of the text; padding in heights
    "unsure": "?",  # behind a confidence that deserves doubt
    "text": {"dark": "#111111", "light": "#ffffff"},
    "halo": "#00000099",  # a thin dark edge keeps yellow visible on skin and sky
    "point": {"share": 0.0012, "min": 1, "colour": "#ffffffcc"},
    # Seven bars beside a face of a moving picture, which the browser alone draws: height of a row; all else in rows.
    "bars": {
        "share": 0.025,
        "min": 13,
        "max": 30,
        "padding": 0.5,
        "names": 3.5,
        "track": 4,
        "ground": "#0d1116b3",
        "trough": "#ffffff33",
    },
}


def annotate(picture: LoadedImage, result: ImageResult) -> np.ndarray:
    """Frame and name every face; gives (H, W, 3) uint8 RGB with no side over STYLE["max_side"]."""
    image = Image.fromarray(picture.pixels)
    image.thumbnail((STYLE["max_side"], STYLE["max_side"]), Image.Resampling.BICUBIC, reducing_gap=2.0)
    draw = ImageDraw.Draw(image, "RGBA")
    scale = image.width / result.width
    longer = max(image.size)
    line = _clamped(longer, STYLE["line"])
    for face in result.faces:
        _frame(draw, face, scale, line)
        for x, y in face.landmarks or ():
            radius = _clamped(longer, STYLE["point"])
            draw.ellipse(
                (x * scale - radius, y * scale - radius, x * scale + radius, y * scale + radius), STYLE["point"]["colour"]
            )
    for face in reversed(result.faces):  # labels last and the largest face's on top, so that no frame hides a name
        _label(draw, face, scale, line, image.size)
    return np.asarray(image)


def annotated_jpeg(picture: LoadedImage, result: ImageResult) -> bytes:
    """The annotated picture as JPEG bytes."""
    return encode_jpeg(annotate(picture, result))


def text_colour(background: str) -> str:
    """Dark or light text, whichever contrasts more with `background` (#rrggbb; WCAG 2.2 relative luminance)."""
    channels = [int(background[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return str(STYLE["text"]["dark" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "light"])


def _clamped(longer: int, rule: dict[str, float]) -> int:
    return round(min(max(longer * rule["share"], rule["min"]), rule.get("max", longer)))


def _frame(draw: ImageDraw.ImageDraw, face: Face, scale: float, line: int) -> None:
    box = face.box.scaled(scale)
    left, top, right, bottom = box.left, box.top, box.left + box.width, box.top + box.height
    radius = min(box.width * STYLE["corner"]["share"], STYLE["corner"]["max"])
    halo = max(1, line // 2)
    outer = (left - halo, top - halo, right + halo, bottom + halo)
    draw.rounded_rectangle(outer, radius + halo, outline=STYLE["halo"], width=line + 2 * halo)
    draw.rounded_rectangle((left, top, right, bottom), radius, outline=COLOURS[face.emotion], width=line)


def _label(draw: ImageDraw.ImageDraw, face: Face, scale: float, line: int, size: tuple[int, int]) -> None:
    """Name and confidence, with a question mark where it is unsure, on a plate above the frame, below it where there is no room, and always inside the picture."""
    height = _clamped(max(size), STYLE["label"])
    padding = height * STYLE["label"]["padding"]
    text = f"{TITLES[face.emotion]} {face.confidence:.0%}{STYLE['unsure'] if face.unsure else ''}"
    box = face.box.scaled(scale)
    width, plate = draw.textlength(text, _font(height)) + 2 * padding, height + 2 * padding
    gap = line + STYLE["label"]["gap"]
    top = box.top - plate - gap
    if top < 0:
        top = min(box.top + box.height + gap, size[1] - plate)
    left = min(max(box.left - line, 0), max(size[0] - width, 0))
    draw.rounded_rectangle((left, top, left + width, top + plate), padding, fill=COLOURS[face.emotion])
    fill = text_colour(COLOURS[face.emotion])
    draw.text((left + padding, top + plate / 2), text, fill, _font(height), anchor="lm")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # Aileron, which Pillow carries: no font file of the system's is needed
