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

from ..errors import MemoryBudgetError, TimeBudgetError
from ..face.analyzer import FaceAnalyzer
from ..face.annotate import annotate
from ..face.defaults import DEFAULT_VIEWS
from ..face.results import ImageResult
from ..face.views import check_views
from ..image.loading import LoadedImage
from ..runtime.time_budget import check_time
from ..sources import Source
from .clock import held_seconds
from .people import PeopleMerger
from .reader import FPS, VideoReader
from .results import FrameFaces
from .timeline import Timeline
from .tracker import FaceTracker

PARTIAL_DETAILS = {
    "cut_off": "The file is cut off: this is what could be decoded.",
    "damaged": "Parts of the file are damaged and were skipped.",
    "video_too_long": "The video is longer than the limit: this is its beginning.",
    "time_limit": "The video takes more processor time than the limit: this is its beginning.",
    "too_much_memory": "The video takes more memory than the limit: this is its beginning.",
    "shutting_down": "The server was being stopped: this is the beginning of the video.",
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
        number: Number of the frame in the file, from 0.
        until: Seconds at which the next frame of the file replaces it.
    """

    time: float
    image: LoadedImage
    result: ImageResult
    sampled: bool
    number: int
    until: float

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of the API."""
        return self._faces.to_json()

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each face, and one with the time and the frame alone where there is none."""
        return self._faces.to_rows()

    def to_pandas(self) -> Any:
        """Return `to_rows()` as a pandas.DataFrame. Raises MissingPackageError where pandas is not installed."""
        return self._faces.to_pandas()

    @property
    def _faces(self) -> FrameFaces:
        return FrameFaces(self.time, self.result.faces, self.number)

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
        start: Seconds from which the video is analyzed, 0 for its beginning; an open reader has its own.
        end: Seconds at which that ends, None for the end of the video; an open reader has its own.
        merge: Merge tracks of the same person at the end, see people.py: the ids of frames are those of tracks, `merged_ids` and
            the summary tell whose they are.

    Attributes:
        reader: The open video.
        timeline: Statistics of the tracks in the frames that were analyzed so far.

    Raises:
        VideoError: The file is no video or cannot be decoded.
        OSError: The file cannot be opened.
        TypeError: `source` is of another type.
        ValueError: `fps` is out of range, `views` has another value, or `start` and `end` are no part of a video.

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
        start: float = 0.0,
        end: float | None = None,
        merge: bool = True,
    ) -> None:
        """Open the video; nothing is decoded yet."""
        check_views(views)
        self.reader = source if isinstance(source, VideoReader) else VideoReader(source, fps, start=start, end=end)
        self.timeline = Timeline(self.reader.fps, self.reader.start)
        self._analyzer = analyzer or FaceAnalyzer()
        self._detector, self._landmarks, self._views = detector, landmarks, views
        self._last: ImageResult | None = None
        self._people = PeopleMerger() if merge else None

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

        Where the time budget is spent or the server is being stopped after the first frame, they end, with the reason in the
        summary.

        Raises:
            VideoError: Not a single frame can be decoded.
            TimeBudgetError: The time budget is spent before the first frame, or the client has gone.
            MemoryBudgetError: The first frame takes too much memory.
        """
        with self.reader as reader:
            try:
                yield from self._tracked(every_frame)
            except (MemoryBudgetError, TimeBudgetError) as error:
                if self._last is None or error.code == "client_gone":
                    raise
                reader.reason = "time_limit" if error.code == "too_much_work" else error.code

    def _tracked(self, every_frame: bool) -> Iterator[FrameResult]:
        tracker = FaceTracker()
        for frame in self.reader.frames(every_frame):
            check_time()
            if frame.sampled:
                result = self._analyzer.analyze(frame.image, self._detector, self._landmarks, views=self._views)
                held = held_seconds(frame.until - frame.time, self.reader.fps)
                self._last = tracker.update(frame.image, result, frame.time, held)
                self.timeline.add(frame.time, self._last.faces, frame.until)
                if self._people:
                    pairs = zip(self._last.faces, result.faces, strict=True)
                    crops = {face.id: found.crop for face, found in pairs if found.crop is not None}
                    self._people.add(self._last.faces, crops, tracker.appearances)
            # The first frame is always sampled, so that there is a last result.
            last = cast(ImageResult, self._last)
            yield FrameResult(frame.time, frame.image, last, frame.sampled, frame.number, frame.until)

    def is_settled(self, number: int) -> bool:
        """Return whether it is known before the end that the id of a track is that of its person: then `merged_ids` lacks it."""
        return self._people is None or self._people.is_settled(number)

    def merged_ids(self) -> dict[int, int]:
        """Return the tracks of the frames so far that show a person seen before: track id -> id of that person's first track."""
        return self._people.merged_ids() if self._people else {}

    def people(self) -> Timeline:
        """Return the statistics of the people in the frames so far: `timeline` with the tracks of each person merged."""
        self.timeline.extend(self.reader.duration)
        return self.timeline.merged(self.merged_ids())

    def summary(self) -> dict[str, Any]:
        """Return the summary of the frames so far, as the API's JSON object; `people` as in `Timeline.to_json`."""
        reader, last = self.reader, self._last
        return {
            "duration": round(max(0.0, reader.duration - reader.start), 3),
            "stated_duration": None if reader.declared_duration is None else round(reader.declared_duration, 3),
            "start": reader.start,
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
            "people": self.people().to_json(),
        }
