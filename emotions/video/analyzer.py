"""A film in, its faces over time out: each sampled picture read and followed, everything summed up at the end.

>>> from emotions.video.analyzer import VideoAnalyzer
>>> for moment in VideoAnalyzer("clip.mp4"):
...     print(moment.time, [face.emotion for face in moment.result.faces])
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from ..face.analyzer import FaceAnalyzer
from ..face.annotate import annotate
from ..face.results import ImageResult
from ..image.loading import LoadedImage
from .reader import FPS, VideoReader
from .timeline import Timeline
from .tracker import FaceTracker

WHY = {
    "cut_off": "The file is cut off: this is what could be read.",
    "damaged": "Parts of the file are damaged and were passed by.",
    "video_too_long": "The video is longer than is read here: this is its beginning.",
}


@dataclass(frozen=True)
class FrameResult:
    """A picture of a film with the faces seen in it. `time`: seconds since the film's beginning.

    `sampled`: whether the picture itself was read; else `result` is that of the last one that was.
    """

    time: float
    picture: LoadedImage
    result: ImageResult
    sampled: bool

    def to_json(self) -> dict[str, Any]:
        return {"time": round(self.time, 3), "faces": [face.to_json() for face in self.result.faces]}

    def annotated(self) -> np.ndarray:
        """The picture with its faces framed and named: (H, W, 3) uint8 RGB."""
        return annotate(self.picture, self.result)


class VideoAnalyzer:
    """Reads a film once, from its beginning to its end; `source` is a VideoReader, or what one is made of.

    `detector`, `landmarks` as for FaceAnalyzer.analyze. Raises VideoError as VideoReader does. Close it, or use it in `with`, or read it
    to the end: a film holds memory and an open file.
    """

    def __init__(
        self,
        source: VideoReader | bytes | Path | str | BinaryIO,
        fps: float = FPS,
        detector: str = "auto",
        landmarks: bool = False,
        analyzer: FaceAnalyzer | None = None,
    ) -> None:
        self.film = source if isinstance(source, VideoReader) else VideoReader(Path(source) if isinstance(source, str) else source, fps)
        self.timeline = Timeline(self.film.fps)
        self._analyzer = analyzer or FaceAnalyzer()
        self._detector, self._landmarks = detector, landmarks
        self._last: ImageResult | None = None

    def __enter__(self) -> VideoAnalyzer:
        return self

    def __exit__(self, *_: object) -> None:
        self.film.close()

    def __iter__(self) -> Iterator[FrameResult]:
        """The sampled pictures, each with its faces, as soon as it is read."""
        return self.results()

    def results(self, every_frame: bool = False) -> Iterator[FrameResult]:
        """As iterating; with `every_frame` also the pictures between (at most 30 a second), with the faces seen last."""
        tracker = FaceTracker()
        with self.film as film:
            for moment in film.frames(every_frame):
                if moment.sampled:
                    result = self._analyzer.analyze(moment.picture, self._detector, self._landmarks)
                    self._last = tracker.update(moment.picture, result, moment.time)
                    self.timeline.add(moment.time, self._last.faces)
                yield FrameResult(moment.time, moment.picture, cast(ImageResult, self._last), moment.sampled)  # the first one is sampled

    def summary(self) -> dict[str, Any]:
        """What was seen up to now: at the end, the summary of the film. `people`: see Timeline.to_json."""
        film, last = self.film, self._last
        return {
            "duration": round(film.duration, 3),
            "stated_duration": None if film.declared_duration is None else round(film.declared_duration, 3),
            "fps": film.fps,
            "frames": self.timeline.frames,
            "width": last.width if last else None,
            "height": last.height if last else None,
            "partial": film.reason is not None,
            "reason": film.reason,
            "detail": WHY.get(film.reason) if film.reason else None,
            "detector": last.detector if last else None,
            "model": dict(last.model) if last else dict(self._analyzer.classifier.description),
            "people": self.timeline.to_json(),
        }
