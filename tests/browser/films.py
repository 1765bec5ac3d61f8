"""Films made of a sample photo: a face that moves about, with a mark that moves along."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
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


def write_film(path: Path, frames: Iterable[Image.Image], codec: str, rate: int = 15) -> Path:
    """A film of `frames` at `rate` a second, by PyAV; the container follows from the name."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.bit_rate = 4_000_000  # a file that is much larger than one frame of it
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = index, Fraction(1, rate)
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return path
