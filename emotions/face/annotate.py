"""Annotated images: boxes, emotions and landmarks drawn over an image.

STYLE is the one table of colours and sizes; the browser's canvas (static/js) uses it too.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..image.loading import ImageSource, encode_jpeg, open_image
from ..labels import COLOURS, TITLES
from .results import Face, ImageResult

STYLE: dict[str, Any] = {
    "colours": COLOURS,
    "max_side": 1600,  # annotated images are for display
    "line": {"share": 0.004, "min": 2, "max": 6},  # width of a box's line: share of the image's longer side, limits in pixels
    "corner": {"share": 0.06, "max": 16},  # radius of a box's corners: share of the face's width
    "label": {"share": 0.028, "min": 13, "max": 30, "padding": 0.35, "gap": 2},  # height of the text; padding in heights of it
    "unsure": "?",  # after the confidence of an unreliable prediction
    "text": {"dark": "#111111", "light": "#ffffff"},
    "halo": "#00000099",  # a thin dark outline keeps yellow visible on skin and sky
    "point": {"share": 0.0012, "min": 1, "colour": "#ffffffcc"},
    # Seven bars beside a face of a video, which only the browser draws: height of a row; all other sizes in rows.
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


def annotate(image: ImageSource, result: ImageResult) -> np.ndarray:
    """Draw the box, emotion and confidence of every face, and its landmarks if it has any.

    Args:
        image: The image, in any form that `open_image` accepts.
        result: Its faces.

    Returns:
        Annotated copy (H, W, 3) uint8 RGB with no side over STYLE["max_side"].

    Example:
        >>> from emotions import analyze_photo, annotate
        >>> annotate("tests/data/astronaut.jpg", analyze_photo("tests/data/astronaut.jpg")).shape
        (400, 400, 3)
    """
    canvas = Image.fromarray(open_image(image).pixels)
    canvas.thumbnail((STYLE["max_side"], STYLE["max_side"]), Image.Resampling.BICUBIC, reducing_gap=2.0)
    draw = ImageDraw.Draw(canvas, "RGBA")
    scale = canvas.width / result.width
    longer = max(canvas.size)
    line = _relative_size(longer, STYLE["line"])
    for face in result.faces:
        _draw_box(draw, face, scale, line)
        for x, y in face.landmarks or ():
            radius = _relative_size(longer, STYLE["point"])
            draw.ellipse(
                (x * scale - radius, y * scale - radius, x * scale + radius, y * scale + radius), STYLE["point"]["colour"]
            )
    for face in reversed(result.faces):  # labels last and the largest face's on top, so that no box hides a label
        _draw_label(draw, face, scale, line, canvas.size)
    return np.asarray(canvas)


def annotated_jpeg(image: ImageSource, result: ImageResult) -> bytes:
    """Return the annotated image as JPEG; see `annotate`."""
    return encode_jpeg(annotate(image, result))


def text_colour(background: str) -> str:
    """Return the dark or the light text colour, whichever contrasts more (WCAG 2.2 relative luminance).

    Args:
        background: Colour as #rrggbb.
    """
    channels = [int(background[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return str(STYLE["text"]["dark" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "light"])


def _relative_size(longer: int, rule: dict[str, float]) -> int:
    """Return a size in pixels: a share of the image's longer side, within the rule's limits."""
    return round(min(max(longer * rule["share"], rule["min"]), rule.get("max", longer)))


def _draw_box(draw: ImageDraw.ImageDraw, face: Face, scale: float, line: int) -> None:
    box = face.box.scaled(scale)
    left, top, right, bottom = box.left, box.top, box.left + box.width, box.top + box.height
    radius = min(box.width * STYLE["corner"]["share"], STYLE["corner"]["max"])
    halo = max(1, line // 2)
    outer = (left - halo, top - halo, right + halo, bottom + halo)
    draw.rounded_rectangle(outer, radius + halo, outline=STYLE["halo"], width=line + 2 * halo)
    draw.rounded_rectangle((left, top, right, bottom), radius, outline=COLOURS[face.emotion], width=line)


def _draw_label(draw: ImageDraw.ImageDraw, face: Face, scale: float, line: int, size: tuple[int, int]) -> None:
    """Draw emotion and confidence on a plate above the box, or below it where there is no room, always inside the image."""
    height = _relative_size(max(size), STYLE["label"])
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
    return ImageFont.load_default(size)  # Aileron, which Pillow contains: no system font is needed
