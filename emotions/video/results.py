"""Result of `analyze_video`, with one JSON form. Times are seconds since the beginning of the video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..face.results import Face


@dataclass(frozen=True)
class FrameFaces:
    """The faces of a sampled frame.

    Attributes:
        time: Seconds since the beginning of the video.
        faces: Tracked faces; `id` is that of the person, `probabilities` are smoothed over time.
    """

    time: float
    faces: tuple[Face, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the frame as a line of the HTTP API has it."""
        return {"time": round(self.time, 3), "faces": [face.to_json() for face in self.faces]}


@dataclass(frozen=True)
class VideoResult:
    """The faces of a video.

    Attributes:
        frames: Faces of every sampled frame, in the order of time.
        summary: `duration` (seconds), `frames` (count), `partial` and `reason` (a damaged or long video), and `people`: for each
            person the first and last time, the count of frames, and the share and the mean probability of each emotion.
    """

    frames: tuple[FrameFaces, ...]
    summary: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return frames and summary."""
        return {"frames": [frame.to_json() for frame in self.frames], "summary": self.summary}
