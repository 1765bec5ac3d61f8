"""Video analysis: the faces of each sampled frame, tracked over time, and a summary at the end.

Example:
    >>> from emotions.video.analyzer import VideoAnalyzer
    >>> with VideoAnalyzer("tests/data/av1.webm", fps=1) as video:
    ...     for frame in video:
    ...         print(frame.time, [face.emotion for face in frame.result.faces])
    0.0 ['happy']
    1.0 ['happy']
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..face.analyzer import FaceAnalyzer
from ..face.annotate import annotate
from ..face.defaults import DEFAULT_VIEWS
from ..face.results import ImageResult
from ..face.views import check_views
from ..image.loading import LoadedImage
from ..sources import Source
from .reader import FPS, VideoReader
from .timeline import Timeline
from .tracker import FaceTracker

PARTIAL_DETAILS = {
    "cut_off": "The file is cut off: this is what could be decoded.",
    "damaged": "Parts of the file are damaged and were skipped.",
    "video_too_long": "The video is longer than the limit: this is its beginning.",
}
"""Reason for which only a part of a video was read -> sentence for people."""


@dataclass(frozen=True)
class FrameResult:
    """A frame of a video and its faces.

    Attributes:
        time: Seconds since the beginning of the video.
        image: The frame.
        result: Its faces, tracked; for a frame that was not sampled, those of the last one that was.
        sampled: True if this frame itself was analyzed.
    """

    time: float
    image: LoadedImage
    result: ImageResult
    sampled: bool

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of the API."""
        return {"time": round(self.time, 3), "faces": [face.to_json() for face in self.result.faces]}

    def annotated(self) -> np.ndarray:
        """Return the annotated frame (H, W, 3) uint8 RGB, see `annotate`."""
        return annotate(self.image, self.result)


class VideoAnalyzer:
    """Analyzes a video once, from its beginning to its end.

    Close it, use it in `with`, or iterate to the end: an open video holds memory and a file.

    Args:
        source: Path, bytes of a file, binary file object, or an open `VideoReader`.
        fps: Frames to analyze a second; an open reader has its own.
        detector: As for `FaceAnalyzer.analyze`.
        landmarks: As for `FaceAnalyzer.analyze`.
        analyzer: Analyzer of the frames; by default one with the models that ship with the package.
        views: As for `FaceAnalyzer.analyze`.

    Attributes:
        reader: The open video.
        timeline: Statistics of the frames that were analyzed so far.

    Raises:
        VideoError: The file is no video or cannot be decoded.
        OSError: The file cannot be opened.
        TypeError: `source` is of another type.
        ValueError: `fps` is out of range, or `views` has another value.

    Example:
        >>> from emotions import VideoAnalyzer
        >>> with VideoAnalyzer("tests/data/av1.webm", fps=1) as video:
        ...     [(frame.time, frame.result.faces[0].emotion) for frame in video]
        [(0.0, 'happy'), (1.0, 'happy')]
        >>> video.summary()["people"][0]["shares"]["happy"]
        1.0
    """

    def __init__(
        self,
        source: Source | VideoReader,
        fps: float = FPS,
        detector: str = "auto",
        landmarks: bool = False,
        analyzer: FaceAnalyzer | None = None,
        views: int = DEFAULT_VIEWS,
    ) -> None:
        """Open the video; nothing is decoded yet."""
        check_views(views)
        self.reader = source if isinstance(source, VideoReader) else VideoReader(source, fps)
        self.timeline = Timeline(self.reader.fps)
        self._analyzer = analyzer or FaceAnalyzer()
        self._detector, self._landmarks, self._views = detector, landmarks, views
        self._last: ImageResult | None = None

    def __enter__(self) -> VideoAnalyzer:
        """Return the analyzer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the video."""
        self.close()

    def close(self) -> None:
        """Close the video."""
        self.reader.close()

    def __iter__(self) -> Iterator[FrameResult]:
        """Yield the sampled frames, each as soon as it is analyzed."""
        return self.results()

    def results(self, every_frame: bool = False) -> Iterator[FrameResult]:
        """Yield the sampled frames, and with `every_frame` those between (at most 30 a second) with the faces of the last one.

        Raises:
            VideoError: Not a single frame can be decoded.
        """
        tracker = FaceTracker()
        with self.reader as reader:
            for frame in reader.frames(every_frame):
                if frame.sampled:
                    result = self._analyzer.analyze(frame.image, self._detector, self._landmarks, views=self._views)
                    self._last = tracker.update(frame.image, result, frame.time)
                    self.timeline.add(frame.time, self._last.faces)
                # The first frame is always sampled, so that there is a last result.
                yield FrameResult(frame.time, frame.image, cast(ImageResult, self._last), frame.sampled)

    def summary(self) -> dict[str, Any]:
        """Return the summary of the frames so far, as the API's JSON object; `people` as in `Timeline.to_json`."""
        reader, last = self.reader, self._last
        return {
            "duration": round(reader.duration, 3),
            "stated_duration": None if reader.declared_duration is None else round(reader.declared_duration, 3),
            "fps": reader.fps,
            "frames": self.timeline.frames,
            "width": last.width if last else None,
            "height": last.height if last else None,
            "partial": reader.reason is not None,
            "reason": reader.reason,
            "detail": PARTIAL_DETAILS.get(reader.reason) if reader.reason else None,
            "detector": last.detector if last else None,
            "views": self._views,
            "model": dict(last.model) if last else dict(self._analyzer.classifier.description),
            "people": self.timeline.to_json(),
        }
