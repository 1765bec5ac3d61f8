"""Rows on standard output, each as soon as it is known: JSON lines, CSV, or a table for reading; and a progress bar."""

from __future__ import annotations

import codecs
import csv
import errno
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Any, TextIO

from ..errors import EmotionDetectorError
from . import signals

FORMATS = ("table", "jsonl", "csv")
Row = Mapping[str, Any]
REFRESH_SECONDS = 0.1
BAR_WIDTH = 24


class OutputError(EmotionDetectorError):
    """Results cannot be written to standard output or, as metadata, to a file.

    The message is empty where the reader of standard output has gone, as `head` does when it has enough.
    """


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Standard output, flushed at the end. Raises OutputError where it cannot be written; what follows is then dropped."""
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        yield sys.stdout
        sys.stdout.flush()
    except OSError as error:
        drop(sys.stdout)
        message = "" if isinstance(error, BrokenPipeError) else f"the results cannot be written: {error.strerror or error}"
        raise OutputError(message) from None


def drop(stream: TextIO | None) -> None:
    """Connect a stream to nothing, so that the flush at the end of the process does not fail again."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]


def printable(text: str) -> str:
    """Escape the characters of file names that would move the cursor or that are no text."""
    return text if text.isprintable() else "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )  # fmt: skip


def complain(message: str) -> None:
    """Write a line, none for an empty message, to standard error, if it can be written."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"emotions: {printable(message)}\n" if message else "")
            sys.stderr.flush()
    except OSError:
        drop(sys.stderr)


def accept_all_characters(stream: TextIO | None) -> None:
    """Make a text stream escape characters that its encoding lacks, such as those of file names, instead of raising."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


class Progress:
    """A progress bar on the terminal; nothing is shown where standard error is no terminal.

    Args:
        total: Number of files, or seconds of a video; None if unknown.
        unit: Unit of `total`.
    """

    def __init__(self, total: float | None, unit: str) -> None:
        self._total, self._unit = total, unit
        self._on = sys.stderr is not None and sys.stderr.isatty()
        self._shown = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, done: float, name: str) -> None:
        """Show the progress and the name of the current file, at most every REFRESH_SECONDS."""
        if not self._on or time.monotonic() - self._shown < REFRESH_SECONDS:
            return
        self._shown = time.monotonic()
        line = f"{done:.0f} {self._unit}"
        if self._total:
            share = min(done / self._total, 1.0)
            line = f"[{'#' * round(share * BAR_WIDTH):<{BAR_WIDTH}}] {done:.0f} of {self._total:.0f} {self._unit}"
        self._write(f"\r\x1b[K{line}  {printable(name[-40:])}")

    def clear(self) -> None:
        """Remove the bar, before a row is written to the same terminal and at the end."""
        if self._on:
            self._write("\r\x1b[K")
            self._shown = 0.0

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # the terminal is gone
            self._on = False
            drop(sys.stderr)


class Output:
    """Writer of rows to standard output.

    Args:
        format_name: One of FORMATS.
        columns: Columns of the CSV.
        table: Columns of the table, with their widths in characters.

    Raises:
        OutputError: Standard output cannot be written, here or in one of the methods.
    """

    def __init__(self, format_name: str, columns: Sequence[str], table: Mapping[str, int]) -> None:
        self._format, self._columns, self._table = format_name, columns, table
        with standard_output() as stream:
            # JSON can escape the characters that another encoding than UTF-8 may lack.
            self._ascii = codecs.lookup(stream.encoding or "utf-8").name != "utf-8"
            if format_name == "csv":
                csv.writer(stream, lineterminator="\n").writerow(columns)
            elif format_name == "table":
                print("  ".join(name.ljust(width) for name, width in table.items()).rstrip(), file=stream)

    def write(self, record: Row, rows: Sequence[Row]) -> None:
        """Write one result.

        Args:
            record: The result as a JSON object, for `jsonl`.
            rows: The same by columns, for `csv` and `table`; columns may be missing, and an `error` has a `message`.

        Raises:
            OutputError: Standard output cannot be written.
            Stopped: A signal has ended the run.
        """
        signals.check()  # code that turns all exceptions into results may have taken a signal's for one
        with standard_output() as stream:
            if self._format == "jsonl":
                print(json.dumps(record, ensure_ascii=self._ascii), file=stream)
            elif self._format == "csv":
                csv.writer(stream, lineterminator="\n").writerows([row.get(name) for name in self._columns] for row in rows)
            else:
                stream.writelines(f"{self._line(row)}\n" for row in rows)

    def write_lines(self, lines: Sequence[str]) -> None:
        """Write lines of text, for `table`."""
        with standard_output() as stream:
            stream.writelines(f"{line}\n" for line in lines)

    def _line(self, row: Row) -> str:
        if "error" in row:
            return printable(f"{row['file']}: {row['message']} ({row['error']})")
        return "  ".join(_cell(row.get(name), width) for name, width in self._table.items()).rstrip()


def error_record(name: str, error: Exception) -> Row:
    """Return the JSON object of a file that cannot be used, with the stable `code` that errors of this package have."""
    if isinstance(error, OSError):
        code, message = "unreadable_file", error.strerror or type(error).__name__
    elif hasattr(error, "code"):
        code, message = error.code, str(error)
    else:
        code, message = "internal_error", f"{type(error).__name__}: {error}"
    return {"file": name, "error": {"code": code, "message": message}}


def error_row(record: Row) -> Row:
    """Return an error record by columns."""
    return {"file": record["file"], "error": record["error"]["code"], "message": record["error"]["message"]}


def _cell(value: Any, width: int) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rjust(width)
    if isinstance(value, int):
        return str(value).rjust(width)
    text = "" if value is None else printable(str(value))
    return text.ljust(width) if len(text) <= width else "…" + text[1 - width :]
