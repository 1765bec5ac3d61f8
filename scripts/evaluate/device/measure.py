"""Analyze pictures and clips with the Python package and in the browser."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from emotions import FaceAnalyzer, FaceTracker, ImageError, open_image
from emotions.image.loading import LoadedImage

from .comparison import Comparison, compare
from .page import DeviceError, DevicePage
from .pictures import Clip, png


@dataclass
class PictureRun:
    """What the pictures of one set gave.

    Attributes:
        pixels: Comparisons where both read the same pixels.
        files: Comparisons where both decoded the file.
        refused: Names of pictures that the server reads and the browser does not.
        unreadable: Pictures that the server does not read; they are not counted.
        server_ms: Milliseconds of detection and classification on the server.
        device_ms: The same in the browser.
    """

    pixels: list[Comparison] = field(default_factory=list)
    files: list[Comparison] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unreadable: int = 0
    server_ms: list[float] = field(default_factory=list)
    device_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class ClipRun:
    """What a clip gave: a comparison for each frame, and the number of frames whose state has the same ids in the same order."""

    name: str
    frames: list[Comparison]
    same_ids: int


def measure_pictures(analyzer: FaceAnalyzer, page: DevicePage, paths: Iterable[Path]) -> PictureRun:
    """Analyze files, as they are and as PNG files of the pixels that the server decoded."""
    run = PictureRun()
    for path in paths:
        try:
            image = open_image(path)
        except ImageError:
            run.unreadable += 1
            continue
        expected = analyzer.analyze(image).to_json()
        same = open_image(image.pixels)
        found = page.analyze(png(image))
        run.pixels.append(compare(path.name, _answer(analyzer, same), found))
        run.server_ms.append(_milliseconds(expected))
        run.device_ms.append(_milliseconds(found))
        try:
            run.files.append(compare(path.name, expected, page.analyze(path.read_bytes())))
        except DeviceError:
            run.refused.append(path.name)
    return run


def measure_clip(analyzer: FaceAnalyzer, page: DevicePage, clip: Clip) -> ClipRun:
    """Track the faces of a clip, each side with its own detections and its own state."""
    tracker, tracks, same_ids = FaceTracker(), "", 0
    frames = []
    for time, image in clip.frames:
        expected = tracker.update(image, analyzer.analyze(image), time).to_json()
        found = page.analyze(png(image), tracks=tracks, time=time)
        tracks = found["tracks"]
        frames.append(compare(f"{clip.name} {time:.2f} s", expected, found))
        same_ids += _ids(tracks) == _ids(tracker.state)
    return ClipRun(clip.name, frames, same_ids)


def median_of(values: Sequence[float]) -> float:
    """Return the median, 0 of nothing."""
    return median(values) if values else 0.0


def _answer(analyzer: FaceAnalyzer, image: LoadedImage) -> dict[str, Any]:
    return analyzer.analyze(image).to_json()


def _milliseconds(answer: dict[str, Any]) -> float:
    return float(answer["timing_ms"]["detect"] + answer["timing_ms"]["classify"])


def _ids(state: str) -> list[int]:
    return [track[0] for track in json.loads(state)["tracks"]]
