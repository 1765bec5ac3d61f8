"""Films of a moving face, as files."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from scripts.deploy.traffic import SIZE


def write_video(path: Path, frames: Iterable[Image.Image], codec: str, rate: int = 15) -> Path:
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
