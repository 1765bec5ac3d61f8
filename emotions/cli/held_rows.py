"""Rows of a video's frames, written as soon as the ids of their people are known."""

from __future__ import annotations

import io
import pickle
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from ..video.analyzer import VideoAnalyzer
from .files import WriteError
from .output import Output, OutputError, Row

ID_COLUMNS = ("id", "face_id")
MAX_MEMORY = 2**20
"""Bytes of rows that are held in memory; the rows after them are held in a temporary file."""


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
        self._memory: list[bytes] = []
        self._free = MAX_MEMORY
        # Not a SpooledTemporaryFile, which loses what it holds where the disk is too full to move it out of memory.
        self._file: io.FileIO | None = None
        self._in_file = 0

    def __enter__(self) -> HeldRows:
        """Return the object itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the rows that are held, unless there is nobody to read them. Raises OutputError."""
        with self._file or nullcontext():
            if kind is not None and issubclass(kind, OutputError):
                return
            ids = self._video.merged_ids() if self._memory else {}
            for record, rows in self._read():
                self._output.write(record | {"faces": _with_people(record["faces"], ids)}, _with_people(rows, ids))

    def write(self, record: dict[str, Any], rows: Sequence[Row], tracks: Iterable[int]) -> None:
        """Write the row of a frame, or hold it.

        After an exception no more rows can be written; `__exit__` still writes those that were held before.

        Args:
            record: As for `Output.write`.
            rows: As for `Output.write`.
            tracks: Ids of the tracks of the frame.

        Raises:
            OutputError: Standard output cannot be written.
            WriteError: The temporary file cannot be written: the disk is full.
        """
        if not self._memory and all(map(self._video.is_settled, tracks)):
            self._output.write(record, rows)
        else:
            self._hold(pickle.dumps((record, rows)))

    def _hold(self, row: bytes) -> None:
        if self._free > 0:
            self._memory.append(row)
            self._free -= len(row)
            return
        try:
            self._append(row)
        except OSError as error:
            message = f"The temporary file for rows cannot be written: {error.strerror or error}"
            raise WriteError("output_failed", message) from None
        self._in_file += 1  # only now: a row that a full disk or Ctrl-C cuts off is not read

    def _append(self, row: bytes) -> None:
        if self._file is None:
            # Without a buffer, which on a full disk would keep rows that count as held.
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  closed by __exit__
        rest = memoryview(row)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _read(self) -> Iterator[tuple[dict[str, Any], list[Row]]]:
        yield from map(pickle.loads, self._memory)
        if self._file is not None:
            self._file.seek(0)
            with io.BufferedReader(self._file) as reader:
                for _ in range(self._in_file):
                    yield pickle.load(reader)


def _with_people(rows: Sequence[Row], ids: Mapping[int, int]) -> list[Row]:
    """Replace the ids of tracks in faces or rows by those of people."""

    def values(row: Row) -> Iterator[tuple[str, int]]:
        for name in ID_COLUMNS:
            if name in row:
                person = ids.get(row[name], row[name])
                yield name, person
                if "number" in row:
                    yield "number", person + 1

    return [dict(row) | dict(values(row)) for row in rows]
