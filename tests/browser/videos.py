"""Video files of a moving face."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from scripts.deploy.traffic import SIZE


def write_video(path: Path, frames: Iterable[Image.Image], codec: str, rate: int = 15) -> Path:
    """Encode `frames` at `rate` frames per second with PyAV; the container follows from the name."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.bit_rate = 4_000_000  # a file much larger than a single frame
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
