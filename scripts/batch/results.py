"""Results of a batch: a folder of parts, each written completely or not at all.

    out/batch.json                                      settings of the batch: a rerun must have the same
    out/parts/part-00012-of-00256-3fa9c1d2e0b4.jsonl    rows of the photos of shard 12
    out/failed/part-00012-of-00256-3fa9c1d2e0b4.jsonl   errors of its files that could not be analyzed; absent if there are none

A part is written in `unfinished/` and renamed when it is complete, its errors first: a part in `parts/` is complete. Its name
contains a digest of its files' names, sizes and times. A rerun skips a part with that name; if files have changed, it writes the
part again and deletes the old one. So an interrupted run is completed by the next one without lost or duplicate rows, and a part
that two workers write, as Beam may do after a failure, is the same from both.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow
import pyarrow.parquet
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from .rows import COLUMNS, flatten, json_line

FORMATS = ("jsonl", "parquet")
ROWS_PER_GROUP = 1000
"""Rows of a Parquet row group; they are buffered in memory."""

File = tuple[str, int, float]
"""A file's path, size in bytes and time of its last change, in seconds since 1970 (0 where the file system has none)."""


class BatchMismatchError(ValueError):
    """The folder contains the results of a batch with other settings."""


@dataclass(frozen=True)
class Results:
    """Results of a batch in the folder `path`, in a number of `shards`, in one of FORMATS."""

    path: str
    format: str
    shards: int

    def path_of(self, *names: str) -> str:
        return FileSystems.join(self.path, *names)

    def shard_of(self, file: str) -> int:
        """Shard of a file. It depends on the name only, so that other files do not move it."""
        return int.from_bytes(hashlib.sha256(file.encode()).digest()[:8], "big") % self.shards

    def part_name(self, shard: int, files: Iterable[File]) -> str:
        """Name of a shard's part, without extension, for its files in their order."""
        digest = hashlib.sha256(repr(list(files)).encode()).hexdigest()[:12]
        return f"{self._prefix(shard)}{digest}"

    def has_part(self, name: str) -> bool:
        return FileSystems.exists(self.path_of("parts", f"{name}.{self.format}"))

    def write(self, name: str, rows: Iterable[dict[str, Any]]) -> tuple[int, int]:
        """Write a part from its rows and errors; return the number of each."""
        draft = self.path_of("unfinished", uuid.uuid4().hex)
        good = failed = 0
        with (
            _create(draft) as stream,
            _create(f"{draft}.failed") as failures,
            (_jsonl_writer if self.format == "jsonl" else _parquet_writer)(stream) as write,
        ):
            for row in rows:
                if "error" in row:
                    failures.write(json_line(row))
                    failed += 1
                else:
                    write(row)
                    good += 1
        if failed:
            _rename(f"{draft}.failed", self.path_of("failed", f"{name}.jsonl"))
        else:
            FileSystems.delete([f"{draft}.failed"])
        _rename(draft, self.path_of("parts", f"{name}.{self.format}"))
        return good, failed

    def delete_other_parts(self, shard: int, keep: str | None) -> None:
        """Delete all parts of a shard except `keep`: their files have changed or are gone."""
        for folder in ("parts", "failed"):
            for found in _list(self.path_of(folder, f"{self._prefix(shard)}*")):
                if keep is None or f"{keep}." not in found:
                    FileSystems.delete([found])

    def count_parts(self) -> int:
        """Number of complete parts."""
        return len(_list(self.path_of("parts", "part-*")))

    def begin(self, settings: dict[str, Any]) -> None:
        """Create the folders and store the settings. Raises BatchMismatchError if the folder has other settings."""
        settings_file = self.path_of("batch.json")
        if FileSystems.exists(settings_file):
            with FileSystems.open(settings_file) as stream:
                stored = json.loads(stream.read())
            if other := [f"{key} {stored.get(key)!r}" for key, value in settings.items() if stored.get(key) != value]:
                raise BatchMismatchError(
                    f"{self.path} holds a batch with {', '.join(other)}: name another --output, or use the same settings"
                )
        for folder in ("parts", "failed", "unfinished"):
            with suppress(OSError):  # it exists
                FileSystems.mkdirs(self.path_of(folder))
        with _create(draft := self.path_of("unfinished", uuid.uuid4().hex)) as stream:
            stream.write(json.dumps(settings, indent=1).encode())
        _rename(draft, settings_file)

    def delete_unfinished(self) -> None:
        """Delete the unfinished files of interrupted runs."""
        if left := _list(self.path_of("unfinished", "*")):
            with suppress(BeamIOError):
                FileSystems.delete(left)

    def _prefix(self, shard: int) -> str:
        return f"part-{shard:05d}-of-{self.shards:05d}-"


def _list(pattern: str) -> list[str]:
    return [found.path for found in FileSystems.match([pattern])[0].metadata_list]


def _create(path: str) -> BinaryIO:
    return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)


def _rename(source: str, target: str) -> None:
    FileSystems.rename([source], [target])


@contextmanager
def _jsonl_writer(stream: BinaryIO) -> Iterator[Any]:
    yield lambda row: stream.write(json_line(row))


@contextmanager
def _parquet_writer(stream: BinaryIO) -> Iterator[Any]:
    """Function that appends the rows of a photo; the row groups have ROWS_PER_GROUP rows."""
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in COLUMNS.items()])
    buffer: list[dict[str, Any]] = []

    def add(row: dict[str, Any]) -> None:
        buffer.extend(flatten(row))
        if len(buffer) >= ROWS_PER_GROUP:
            flush()

    def flush() -> None:
        writer.write_table(pyarrow.Table.from_pylist(buffer, schema))
        buffer.clear()

    with pyarrow.parquet.ParquetWriter(stream, schema) as writer:
        yield add
        if buffer:
            flush()
