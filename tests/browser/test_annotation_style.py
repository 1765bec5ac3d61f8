"""Annotated images: emotions/face/annotate.py on the server and overlay.js in the browser draw the same pixels."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from emotions import Face, ImageResult
from emotions.face.annotate import STYLE, annotate, text_colour
from emotions.face.results import Box
from emotions.image.loading import LoadedImage
from emotions.labels import COLOURS, EMOTIONS
from scripts.deploy.traffic import SAMPLE_PHOTO

MEAN_DIFFERENCE = 0.1
"""Of 255, over all pixels outside the texts, whose fonts differ; a canvas antialiases edges, Pillow does not."""
MEAN_ON_LINES = 4
"""The same over the pixels that the server drew."""

DRAW = """async ({source, faces, mirrored}) => {
    const {drawFaces} = await import("/static/js/overlay.js");
    const style = await (await fetch("/api/v1/style")).json();
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext("2d");
    if (mirrored) context.setTransform(-1, 0, 0, 1, image.width, 0);
    context.drawImage(image, 0, 0);
    context.resetTransform();
    drawFaces(context, faces, style, {mirrored});
    return canvas.toDataURL("image/png");
}"""


def face(number: int, emotion: str, box: tuple[int, int, int, int], confidence: float = 0.8, **more) -> Face:
    rest = (1 - confidence) / (len(EMOTIONS) - 1)
    probabilities = tuple(confidence if name == emotion else rest for name in EMOTIONS)
    return Face(number, Box(*box), 0.9, probabilities, **more)


SCENES = {
    "one": ([face(0, "happy", (120, 160, 140, 170))], 1.0),
    "several": (
        [
            face(0, "sad", (40, 200, 150, 180)),
            face(1, "anger", (300, 120, 120, 140), unsure="blurred"),
            face(2, "fear", (180, 430, 60, 70)),
        ],
        1.0,
    ),
    "at the edges": ([face(0, "surprise", (-20, 8, 130, 150)), face(1, "disgust", (290, 480, 110, 170))], 1.0),
    "points": (
        [face(0, "neutral", (120, 160, 140, 170), landmarks=tuple((130.0 + 13 * i, 180.0 + 11 * i) for i in range(10)))],
        1.0,
    ),
    "large": ([face(0, "happy", (250, 330, 290, 350))], 2.0),
}


def photo(scale: float) -> np.ndarray:
    with Image.open(SAMPLE_PHOTO) as image:
        return np.asarray(image.convert("RGB").resize((round(512 * scale), round(640 * scale))))


def as_uri(pixels: np.ndarray) -> str:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def drawn_by_browser(page, pixels: np.ndarray, faces: list[Face], mirrored: bool = False) -> np.ndarray:
    scene = {"source": as_uri(pixels), "faces": [one.to_json() for one in faces], "mirrored": mirrored}
    uri = page.evaluate(DRAW, scene)
    with Image.open(BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def clamped(longer: int, rule: dict) -> int:
    return round(min(max(longer * rule["share"], rule["min"]), rule["max"]))


def plate_of(box: Box, width: int, height: int) -> tuple[int, int, int, float]:
    """Return left, top and bottom of a label by STYLE, and its padding; the width depends on the font."""
    line, size = clamped(max(width, height), STYLE["line"]), clamped(max(width, height), STYLE["label"])
    padding = size * STYLE["label"]["padding"]
    high, gap = size + 2 * padding, line + STYLE["label"]["gap"]
    top = box.top - high - gap if box.top >= high + gap else min(box.top + box.height + gap, height - high)
    return round(max(box.left - line, 0)), round(top), round(top + high), padding


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)])


@pytest.fixture(scope="module")
def model() -> dict[str, str]:
    return {"name": "none", "version": "0"}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_server_and_canvas_draw_alike(visit, model, scene):
    faces, scale = SCENES[scene]
    pixels = photo(scale)
    height, width = pixels.shape[:2]
    server = annotate(LoadedImage(pixels, width, height, 0.0), ImageResult(width, height, tuple(faces), "none", model)).astype(
        int
    )
    browser = drawn_by_browser(visit("/live"), pixels, faces)
    assert server.shape == browser.shape
    free = np.ones((height, width), bool)
    for one in faces:
        left, top, bottom, padding = plate_of(one.box, width, height)
        assert left + 200 * scale < width, "the scene leaves room for the label"
        free[max(0, top - 1) : bottom + 2, left + round(padding) : left + round(200 * scale)] = False
    difference = np.abs(server - browser).mean(axis=2)
    lines = free & (np.abs(server - pixels).max(axis=2) > 8)
    assert lines.sum() > 500, "frames are compared"
    assert difference[free].mean() < MEAN_DIFFERENCE
    assert difference[lines].mean() < MEAN_ON_LINES
    for image in (server, browser):
        one = faces[0]  # no other label covers the largest face's
        left, top, bottom, padding = plate_of(one.box, width, height)
        middle = (top + bottom) // 2
        assert np.abs(image[middle - 4 : middle + 4, left + 2 : left + round(padding) - 2] - rgb(COLOURS[one.emotion])).max() < 12


def test_mirrored_canvas_keeps_texts_readable(visit):
    pixels = photo(1.0)
    one = face(0, "happy", (60, 200, 140, 170), landmarks=((70.0, 300.0),))
    page = visit("/live")
    straight, mirrored = drawn_by_browser(page, pixels, [one]), drawn_by_browser(page, pixels, [one], mirrored=True)
    frame = slice(200, 372), slice(54, 206)
    assert np.abs(straight[frame] - mirrored[:, ::-1][frame]).mean() < 2
    size = clamped(640, STYLE["label"])
    label = straight[200 - 2 * size : 195, 60:180]
    text = (np.abs(label - rgb(text_colour(COLOURS["happy"]))).max(axis=2) < 60).sum()
    there = mirrored[200 - 2 * size : 195, 512 - 200 - 3 : 512 - 200 - 3 + 120 + 3]
    assert text > 100 and (np.abs(there - rgb(text_colour(COLOURS["happy"]))).max(axis=2) < 60).sum() >= 0.9 * text
    plain = there[:, :, 0]
    assert (
        np.abs(plain[:, : label.shape[1]] - label[:, :, 0]).mean()
        < np.abs(plain[:, ::-1][:, : label.shape[1]] - label[:, :, 0]).mean()
    )
