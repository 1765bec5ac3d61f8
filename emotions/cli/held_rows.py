"""Rows of a video's frames, written as soon as the ids of their people are known."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..video.analyzer import VideoAnalyzer
from .output import Output, OutputError, Row

ID_COLUMNS = ("id", "face_id")
MAX_MEMORY = 2**20
"""Bytes of rows that are held in memory; more are held in a temporary file."""


class HeldRows:
    """Writes the rows of frames with the ids of people instead of those of tracks.

    Whether a track shows somebody who was seen before is known when the video ends. Rows are written at once as long as all
    tracks are settled (see `VideoAnalyzer.is_settled`), which they are where nobody comes back or takes turns; from the first
    row that is not, they are held until the end, or until the analysis stops.

    Args:
        output: Where the rows go.
        video: The video that is analyzed.
    """

    def __init__(self, output: Output, video: VideoAnalyzer) -> None:
        """Hold nothing yet."""
        self._output, self._video = output, video
        self._file = tempfile.SpooledTemporaryFile(MAX_MEMORY)  # noqa: SIM115  closed by __exit__
        self._held = 0

    def __enter__(self) -> HeldRows:
        """Return the object itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the rows that are held, unless there is nobody to read them."""
        with self._file:
            if kind is not None and issubclass(kind, OutputError):
                return
            self._file.seek(0)
            ids = self._video.merged_ids() if self._held else {}
            for record, rows in self._read():
                self._output.write(record | {"faces": _with_people(record["faces"], ids)}, _with_people(rows, ids))

    def write(self, record: dict[str, Any], rows: Sequence[Row], tracks: Iterable[int]) -> None:
        """Write the row of a frame, or hold it; arguments as for `Output.write`, and the ids of its tracks."""
        if not self._held and all(map(self._video.is_settled, tracks)):
            self._output.write(record, rows)
        else:
            self._held += 1
            pickle.dump((record, rows), self._file)

    def _read(self) -> Iterator[tuple[dict[str, Any], list[Row]]]:
        for _ in range(self._held):
            yield pickle.load(self._file)


def _with_people(rows: Sequence[Row], ids: Mapping[int, int]) -> list[Row]:
    """Replace the ids of tracks in faces or rows by those of people."""
    return [dict(row) | {name: ids.get(row[name], row[name]) for name in ID_COLUMNS if name in row} for row in rows]
