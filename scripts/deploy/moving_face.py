"""A face that moves about: what stands before the fake camera of a browser, for tests and for measuring."""

from __future__ import annotations

import math
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

PHOTO = Path(__file__).resolve().parents[2] / "static" / "samples" / "obama.jpg"
SIZE = 640, 480
MARK = (255, 0, 255)
"""A square of this colour is glued to the photo, so that a test can see where the face is without reading it."""


def moving_face(frames: int = 90, reach: int = 130) -> Iterator[Image.Image]:
    """Frames in which the face swings from side to side, `reach` pixels from the middle, and ends where it began."""
    with Image.open(PHOTO) as photo:
        person = photo.convert("RGB").crop((96, 0, 464, 440))
    person.paste(MARK, (160, 330, 200, 370))
    for index in range(frames):
        scene = Image.new("RGB", SIZE, (96, 104, 112))
        shift = reach * math.sin(2 * math.pi * index / frames)
        scene.paste(person, (round((SIZE[0] - person.width) / 2 + shift), 40))
        yield scene


def jpeg(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def camera_film(path: Path) -> Path:
    """Three seconds as motion JPEG, which Chromium plays again and again as its camera's picture, 30 frames a second."""
    path.write_bytes(b"".join(map(jpeg, moving_face())))
    return path
