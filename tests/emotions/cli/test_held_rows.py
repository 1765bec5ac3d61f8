"""Rows that are held until a video ends: in order, and complete up to the one that cannot be held."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import tempfile

import pytest

from emotions.cli import held_rows
from emotions.cli.files import WriteError
from emotions.cli.held_rows import HeldRows
from emotions.cli.output import Output

ROW_BYTES = 300


class Video:
    """A video in which track 5 is the person 2, whose end is not known before it ends."""

    def is_settled(self, track: int) -> bool:
        return track != 5

    def merged_ids(self) -> dict[int, int]:
        return {5: 2}


class Interrupted:
    """Something that is interrupted while it is pickled."""

    def __reduce__(self):
        raise KeyboardInterrupt


class FailingFile(io.FileIO):
    """A file whose 8th write stops in the middle, as Ctrl-C or a full disk does."""

    error: BaseException
    writes = 0

    def write(self, data):
        self.writes += 1
        if self.writes == 8:
            super().write(bytes(data)[:100])
            raise self.error
        return super().write(data)


@pytest.fixture
def small_memory(monkeypatch):
    monkeypatch.setattr(held_rows, "MAX_MEMORY", 4 * ROW_BYTES)


def record(frame: int) -> dict:
    return {"frame": frame, "text": "x" * ROW_BYTES, "faces": [{"id": 5}, {"id": 1}]}


def written(capsys) -> list[int]:
    """The frames whose rows were written; checks that the rows are complete."""
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row in rows:
        assert row == record(row["frame"]) | {"faces": [{"id": 2}, {"id": 1}]}
    return [row["frame"] for row in rows]


def output() -> Output:
    return Output("jsonl", (), {})


@pytest.mark.parametrize("count", [0, 1, 30])
@pytest.mark.usefixtures("small_memory")
def test_held_rows_are_written_in_order(capsys, count):
    with HeldRows(output(), Video()) as rows:
        for frame in range(count):
            rows.write(record(frame), [], [5] if frame == 0 else [1])
        assert written(capsys) == []
    assert written(capsys) == [*range(count)]


def test_rows_of_settled_tracks_are_not_held(capsys):
    with HeldRows(output(), Video()) as rows:
        rows.write({"frame": 0, "faces": []}, [], [1])
        assert capsys.readouterr().out


@pytest.mark.usefixtures("small_memory")
def test_rows_are_kept_where_the_disk_is_full(capsys):
    """The limit on the size of files fails as a full disk does: the last write that succeeds is a part of a row."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    held = 0
    with pytest.raises(WriteError, match=os.strerror(errno.EFBIG)) as raised, HeldRows(output(), Video()) as rows:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10 * ROW_BYTES, limits[1]))
        try:
            while held < 100:
                rows.write(record(held), [], [5])
                held += 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert raised.value.code == "output_failed" and held > 5 and written(capsys) == [*range(held)]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))], ids=repr)
@pytest.mark.usefixtures("small_memory")
def test_rows_before_one_that_is_cut_off_are_kept(capsys, monkeypatch, tmp_path, error):
    def make(*_: object, **__: object) -> FailingFile:
        file = FailingFile(tmp_path / "rows", "w+")
        file.error = error
        return file

    monkeypatch.setattr(tempfile, "TemporaryFile", make)
    held = 0
    with pytest.raises((KeyboardInterrupt, WriteError)) as raised, HeldRows(output(), Video()) as rows:
        while held < 100:
            rows.write(record(held), [], [5])
            held += 1
    assert raised.value is error or error.strerror in str(raised.value)
    assert 7 <= held < 100 and written(capsys) == [*range(held)]


def test_an_interrupt_while_a_row_is_held_is_not_hidden(capsys):
    with pytest.raises(KeyboardInterrupt), HeldRows(output(), Video()) as rows:
        rows.write(record(0), [], [5])
        # Large enough that pickle hands over what it has before it comes to the interrupt.
        rows.write({"large": [bytes([65 + number]) * 2**17 for number in range(3)], "faces": [], "end": Interrupted()}, [], [5])
    assert written(capsys) == [0]


def test_the_temporary_file_is_closed(monkeypatch, small_memory, tmp_path):
    files = []
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: files.append(io.FileIO(tmp_path / "rows", "w+")) or files[-1])
    with HeldRows(output(), Video()) as rows:
        for frame in range(10):
            rows.write(record(frame), [], [5])
    assert len(files) == 1 and files[0].closed
