"""Where a batch's results lie, and how a part of them comes to be there as a whole or not at all.

    out/batch.json                                      what this batch is: a rerun must ask for the same
    out/parts/part-00012-of-00256-3fa9c1d2e0b4.jsonl    rows of the photos that fell to part 12
    out/failed/part-00012-of-00256-3fa9c1d2e0b4.jsonl   its files that could not be read, and why; absent where all could

A part is written in `unfinished/` and renamed when it is complete, the failed ones first, so that a part that is there says
that all is there. Its name holds a digest of its files' names, sizes and times: a rerun passes by a part with that very name,
and writes one whose files changed again, putting the older away. So whenever a run is killed, the next one completes it, with
nothing lost and nothing twice; and a part that two workers write at once, as Beam may ask after a fault, is the same from both.
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

from .rows import COLUMNS, flat, line_of

FORMATS = ("jsonl", "parquet")
GROUP = 1000
"""Rows of a Parquet part that are held in memory before they are written."""

File = tuple[str, int, float]
"""A file's path, size in bytes and time of its last change, in seconds since 1970 (0 where the file system tells none)."""


class OtherBatch(ValueError):
    """The folder holds the results of another batch."""


@dataclass(frozen=True)
class Results:
    """The results of a batch in the folder `path`, in so many `shards`, as one of FORMATS."""

    path: str
    format: str
    shards: int

    def place(self, *names: str) -> str:
        return FileSystems.join(self.path, *names)

    def shard_of(self, file: str) -> int:
        """The part that a file falls to, by its name alone: it stays there whatever other files come."""
        return int.from_bytes(hashlib.sha256(file.encode()).digest()[:8], "big") % self.shards

    def name(self, shard: int, files: Iterable[File]) -> str:
        """The part's name, without its ending, from its files in their order."""
        digest = hashlib.sha256(repr(list(files)).encode()).hexdigest()[:12]
        return f"{self._prefix(shard)}{digest}"

    def is_there(self, name: str) -> bool:
        return FileSystems.exists(self.place("parts", f"{name}.{self.format}"))

    def write(self, name: str, rows: Iterable[dict[str, Any]]) -> tuple[int, int]:
        """Write a part from its rows and failures; gives how many of each there were."""
        draft = self.place("unfinished", uuid.uuid4().hex)
        good = failed = 0
        with (
            _created(draft) as stream,
            _created(f"{draft}.failed") as failures,
            (_lines if self.format == "jsonl" else _table)(stream) as write,
        ):
            for row in rows:
                if "error" in row:
                    failures.write(line_of(row))
                    failed += 1
                else:
                    write(row)
                    good += 1
        if failed:
            _rename(f"{draft}.failed", self.place("failed", f"{name}.jsonl"))
        else:
            FileSystems.delete([f"{draft}.failed"])
        _rename(draft, self.place("parts", f"{name}.{self.format}"))
        return good, failed

    def put_away(self, shard: int, keep: str | None) -> None:
        """Delete every part of that shard but the one named `keep`: those of files that have changed or gone."""
        for folder in ("parts", "failed"):
            for found in _listed(self.place(folder, f"{self._prefix(shard)}*")):
                if keep is None or f"{keep}." not in found:
                    FileSystems.delete([found])

    def complete(self) -> int:
        """How many parts are there."""
        return len(_listed(self.place("parts", "part-*")))

    def begin(self, what: dict[str, Any]) -> None:
        """Make the folder and note what this batch is, or see that it is the one begun there; OtherBatch if it is not."""
        note = self.place("batch.json")
        if FileSystems.exists(note):
            with FileSystems.open(note) as stream:
                there = json.loads(stream.read())
            if other := [f"{key} {there.get(key)!r}" for key, value in what.items() if there.get(key) != value]:
                raise OtherBatch(f"{self.path} holds a batch with {', '.join(other)}: name another --output, or ask for the same")
        for folder in ("parts", "failed", "unfinished"):
            with suppress(OSError):  # it is there
                FileSystems.mkdirs(self.place(folder))
        with _created(draft := self.place("unfinished", uuid.uuid4().hex)) as stream:
            stream.write(json.dumps(what, indent=1).encode())
        _rename(draft, note)

    def end(self) -> None:
        """Delete what killed runs left unfinished."""
        if left := _listed(self.place("unfinished", "*")):
            with suppress(BeamIOError):
                FileSystems.delete(left)

    def _prefix(self, shard: int) -> str:
        return f"part-{shard:05d}-of-{self.shards:05d}-"


def _listed(pattern: str) -> list[str]:
    return [found.path for found in FileSystems.match([pattern])[0].metadata_list]


def _created(path: str) -> BinaryIO:
    return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)


def _rename(source: str, target: str) -> None:
    FileSystems.rename([source], [target])


@contextmanager
def _lines(stream: BinaryIO) -> Iterator[Any]:
    yield lambda row: stream.write(line_of(row))


@contextmanager
def _table(stream: BinaryIO) -> Iterator[Any]:
    """As `_lines`, for Parquet: GROUP rows at a time."""
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in COLUMNS.items()])
    held: list[dict[str, Any]] = []

    def add(row: dict[str, Any]) -> None:
        held.extend(flat(row))
        if len(held) >= GROUP:
            flush()

    def flush() -> None:
        writer.write_table(pyarrow.Table.from_pylist(held, schema))
        held.clear()

    with pyarrow.parquet.ParquetWriter(stream, schema) as writer:
        yield add
        if held:
            flush()
