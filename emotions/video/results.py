"""Result of `analyze_video`, with one JSON form. Times are seconds since the beginning of the video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..face.results import Face
from ..tables import FACE_COLUMNS, data_frame, face_row

COLUMNS = ("time", "frame", *FACE_COLUMNS)
"""Columns of a result as a table."""


@dataclass(frozen=True)
class FrameFaces:
    """The faces of a sampled frame.

    Attributes:
        time: Seconds since the beginning of the video.
        faces: Tracked faces; `id` is that of the person, `probabilities` are smoothed over time.
        number: Number of the frame in the file, from 0.
    """

    time: float
    faces: tuple[Face, ...]
    number: int

    def to_json(self) -> dict[str, Any]:
        """Return the frame as a line of the HTTP API has it."""
        return {"time": round(self.time, 3), "frame": self.number, "faces": [face.to_json() for face in self.faces]}

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each face, and one with the time and the frame alone where there is none."""
        place = {"time": round(self.time, 3), "frame": self.number}
        return [place | face_row(face) for face in self.faces] or [place | dict.fromkeys(FACE_COLUMNS)]

    def to_pandas(self) -> Any:
        """Return `to_rows()` as a pandas.DataFrame. Raises MissingPackageError where pandas is not installed."""
        return data_frame(self.to_rows(), COLUMNS)


def with_people(frames: Iterable[FrameFaces], ids: Mapping[int, int]) -> tuple[FrameFaces, ...]:
    """Return frames with the ids of people; `ids`: id of a track -> that of its person, where they differ."""
    if not ids:
        return tuple(frames)
    return tuple(
        replace(frame, faces=tuple(replace(face, id=ids.get(face.id, face.id)) for face in frame.faces)) for frame in frames
    )


@dataclass(frozen=True)
class VideoResult:
    """The faces of a video.

    Attributes:
        frames: Faces of every sampled frame, in the order of time.
        summary: `duration` (seconds), `frames` (count), `partial` and `reason` (a damaged or long video), and `people`: for each
            person the `ids` of the tracks that were merged, the first and last time, frames and seconds, and the share of these
            seconds and the mean probability of each emotion.
    """

    frames: tuple[FrameFaces, ...]
    summary: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return frames and summary."""
        return {"frames": [frame.to_json() for frame in self.frames], "summary": self.summary}

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each face of each frame, and one with the time and the frame alone where there is no face."""
        return [row for frame in self.frames for row in frame.to_rows()]

    def to_pandas(self) -> Any:
        """Return `to_rows()` as a pandas.DataFrame. Raises MissingPackageError where pandas is not installed."""
        return data_frame(self.to_rows(), COLUMNS)
