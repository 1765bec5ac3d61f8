"""Annotated images: boxes, emotions and landmarks drawn over an image.

STYLE is the one table of colours and sizes; the browser's canvas (static/js) uses it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..image.loading import ImageSource, encode_jpeg, open_image
from ..labels import COLOURS, TITLES
from .results import Face, ImageResult

Rectangle: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""

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
MAX_HIDDEN = 0.1
"""Share of a label that may lie over boxes, where there are several faces."""
NUMBER_SHARE = 0.3
"""Height of a label that is a number alone, as a share of the height of its box."""


def annotate(image: ImageSource, result: ImageResult) -> np.ndarray:
    """Draw the box, emotion and confidence of every face, its number (id + 1) where there are several, and its landmarks if any.

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
    labels = _place_labels(draw, result.faces, scale, line, canvas.size)
    for face, label in reversed([*zip(result.faces, labels, strict=True)]):  # labels last, the largest face's on top
        _draw_label(draw, label, COLOURS[face.emotion])
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


@dataclass(frozen=True)
class _Label:
    """A text of `height` pixels on a plate."""

    text: str
    height: int
    plate: Rectangle


def _place_labels(
    draw: ImageDraw.ImageDraw, faces: Sequence[Face], scale: float, line: int, size: tuple[int, int]
) -> list[_Label]:
    """Return the label of each face, inside the image and where it hides least; the largest face chooses first.

    Where a label would hide another one, or more than MAX_HIDDEN of it would lie over boxes, it is the number of the face alone.
    """
    height = _relative_size(max(size), STYLE["label"])
    boxes = [face.box.scaled(scale) for face in faces]
    areas = [(box.left, box.top, box.left + box.width, box.top + box.height) for box in boxes]
    labels: list[_Label] = []
    for face, area in zip(faces, areas, strict=True):
        number = str(face.id + 1)
        text = f"{TITLES[face.emotion]} {face.confidence:.0%}{STYLE['unsure'] if face.unsure else ''}"
        taken = [label.plate for label in labels]
        label = _place_label(draw, f"{number} · {text}" if faces[1:] else text, height, area, areas, taken, line, size)
        hidden = _overlap(label.plate, areas) / _size(label.plate)
        if faces[1:] and (_overlap(label.plate, taken) or hidden > MAX_HIDDEN):
            small = round(min(height, max(STYLE["label"]["min"], NUMBER_SHARE * (area[3] - area[1]))))
            label = _place_label(draw, number, small, area, areas, taken, line, size)
        labels.append(label)
    return labels


def _place_label(
    draw: ImageDraw.ImageDraw,
    text: str,
    height: int,
    area: Rectangle,
    areas: Sequence[Rectangle],
    taken: Sequence[Rectangle],
    line: int,
    size: tuple[int, int],
) -> _Label:
    """Place a label above the box `area`, below it, beside it or inside.

    It stands where it hides least of the labels `taken` and of all boxes `areas`. Above comes first, below where there is no room
    above.
    """
    left, top, right, bottom = area
    padding, gap = height * STYLE["label"]["padding"], line + STYLE["label"]["gap"]
    width, plate = draw.textlength(text, _font(height)) + 2 * padding, height + 2 * padding
    above, below = top - plate - gap, min(bottom + gap, size[1] - plate)
    rows = [above, below] if above >= 0 else [below]
    places = [(column, row) for column in (left - line, right + line - width) for row in rows]
    places += [(column, max(top, 0)) for column in (right + gap, left - gap - width)]
    places += [(left + line, max(top + line, 0)), (left + line, bottom - line - plate)]
    starts = [(min(max(column, 0), max(size[0] - width, 0)), row) for column, row in places]
    plates = [(column, row, column + width, row + plate) for column, row in starts]
    # min() returns the first of equal places: the usual one unless it hides something.
    return _Label(text, height, min(plates, key=lambda one: (_overlap(one, taken), _overlap(one, areas))))


def _overlap(area: Rectangle, others: Sequence[Rectangle]) -> float:
    """Return the pixels of `area` that `others` cover, those covered twice counted twice."""
    corners = np.array(others, np.float64).reshape(-1, 4)
    sides = np.minimum(corners[:, 2:], area[2:]) - np.maximum(corners[:, :2], area[:2])
    return float(np.maximum(sides, 0).prod(axis=1).sum())


def _size(area: Rectangle) -> float:
    return (area[2] - area[0]) * (area[3] - area[1])


def _draw_label(draw: ImageDraw.ImageDraw, label: _Label, colour: str) -> None:
    left, top, _, bottom = label.plate
    padding = label.height * STYLE["label"]["padding"]
    draw.rounded_rectangle(label.plate, padding, fill=colour)
    draw.text((left + padding, (top + bottom) / 2), label.text, text_colour(colour), _font(label.height), anchor="lm")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # Aileron, which Pillow contains: no system font is needed
