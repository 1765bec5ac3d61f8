"""Pictures and clips of the parity report."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image

from emotions import FaceAnalyzer
from emotions.image.loading import LoadedImage
from emotions.video.reader import VideoReader

from ..tracking.sequences import cast_of
from ..tracking.synthetic_video import CAMERA, SCENES, render, scenes

SUFFIXES = frozenset((".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
FRAMES = 40
"""Frames of a clip at most."""
SEED = 50_000


@dataclass(frozen=True)
class Clip:
    """Frames of a video or of a rendered scene.

    Attributes:
        name: Name of the file, or description of the scene.
        frames: Time in seconds and image of each frame.
    """

    name: str
    frames: Sequence[tuple[float, LoadedImage]]


def pictures(folder: Path, limit: int) -> list[Path]:
    """List at most `limit` pictures of a folder and those below, spread evenly over their paths in order."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in SUFFIXES)
    step = max(1.0, len(found) / limit)
    return [found[int(index * step)] for index in range(min(limit, len(found)))]


def png(image: LoadedImage) -> bytes:
    """Encode the pixels of an image without loss."""
    file = io.BytesIO()
    Image.fromarray(image.pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def file_clips(paths: Sequence[Path], fps: float) -> Iterator[Clip]:
    """Read the first FRAMES frames of videos, `fps` a second."""
    for path in paths:
        with VideoReader(path, fps=fps) as reader:
            sampled = (frame for frame in reader.frames() if frame.sampled)
            yield Clip(path.name, [(frame.time, frame.image) for frame in islice(sampled, FRAMES)])


def rendered_clips(analyzer: FaceAnalyzer, photos: Path, count: int) -> Iterator[Clip]:
    """Render scenes with the people of a folder of photos, the kinds of scenes in turn; see scripts/evaluate/tracking."""
    cast = cast_of(analyzer, photos, choosing=False)
    kinds = list(SCENES.values())
    for number in range(count):
        make = kinds[number % len(kinds)]
        for scene in scenes(make, cast, 1, SEED + number):
            frames = render(scene.actors, scene.times, CAMERA, scene.seed)
            yield Clip(f"rendered, {make.__name__} {number + 1}", [(one.time, one.image) for one in islice(frames, FRAMES)])
