"""Rows on standard output, each as soon as it is known: JSON lines, CSV, or a table for reading; and a progress bar."""

from __future__ import annotations

import codecs
import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from typing import Any, TextIO

FORMATS = ("table", "jsonl", "csv")
Row = Mapping[str, Any]
REFRESH_SECONDS = 0.1
BAR_WIDTH = 24


def accept_all_characters(stream: TextIO) -> None:
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
        self._on = sys.stderr.isatty()
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
        sys.stderr.write(f"\r\x1b[K{line}  {name[-40:]}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the bar, before a row is written to the same terminal and at the end."""
        if self._on:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = 0.0


class Output:
    """Writer of rows to standard output.

    Args:
        format_name: One of FORMATS.
        columns: Columns of the CSV.
        table: Columns of the table, with their widths in characters.
    """

    def __init__(self, format_name: str, columns: Sequence[str], table: Mapping[str, int]) -> None:
        self._format, self._columns, self._table = format_name, columns, table
        # JSON can escape the characters that another encoding than UTF-8 may lack.
        self._ascii = codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"
        self._csv = csv.writer(sys.stdout, lineterminator="\n")
        if format_name == "csv":
            self._csv.writerow(columns)
        elif format_name == "table":
            print("  ".join(name.ljust(width) for name, width in table.items()).rstrip())
        sys.stdout.flush()

    def write(self, record: Row, rows: Sequence[Row]) -> None:
        """Write one result.

        Args:
            record: The result as a JSON object, for `jsonl`.
            rows: The same by columns, for `csv` and `table`; columns may be missing, and an `error` has a `message`.
        """
        if self._format == "jsonl":
            print(json.dumps(record, ensure_ascii=self._ascii))
        for row in rows:
            if self._format == "csv":
                self._csv.writerow([row.get(name) for name in self._columns])
            elif self._format == "table":
                print(self._line(row))
        sys.stdout.flush()

    def _line(self, row: Row) -> str:
        if "error" in row:
            return f"{row['file']}: {row['message']} ({row['error']})"
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
    text = "" if value is None else str(value)
    return text.ljust(width) if len(text) <= width else "…" + text[1 - width :]
