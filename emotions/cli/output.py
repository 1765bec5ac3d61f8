"""Rows on standard output, each as soon as it is known: JSON lines, CSV, or a table for reading."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

# One line on the terminal that says how far the work is; nothing where standard error is no terminal.

EVERY = 0.1  # seconds
BAR = 24


class Progress:
    """`total` counts files, or seconds of a film; None where it is not known."""

    def __init__(self, total: float | None, unit: str) -> None:
        self._total, self._unit = total, unit
        self._on = sys.stderr.isatty()
        self._shown = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, done: float, name: str) -> None:
        if not self._on or time.monotonic() - self._shown < EVERY:
            return
        self._shown = time.monotonic()
        line = f"{done:.0f} {self._unit}"
        if self._total:
            share = min(done / self._total, 1.0)
            line = f"[{'#' * round(share * BAR):<{BAR}}] {done:.0f} of {self._total:.0f} {self._unit}"
        sys.stderr.write(f"\r\x1b[K{line}  {name[-40:]}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Before a row is written to the same terminal, and at the end."""
        if self._on:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = 0.0


FORMATS = ("table", "jsonl", "csv")
Row = Mapping[str, Any]


class Output:
    """Writes records in one format. `columns`: of a CSV row; `table`: column -> its width in the table."""

    def __init__(self, form: str, columns: Sequence[str], table: Mapping[str, int]) -> None:
        self._format, self._columns, self._table = form, columns, table
        self._csv = csv.writer(sys.stdout, lineterminator="\n")
        if form == "csv":
            self._csv.writerow(columns)
        elif form == "table":
            print("  ".join(name.ljust(width) for name, width in table.items()).rstrip())
        sys.stdout.flush()

    def write(self, record: Row, rows: Sequence[Row]) -> None:
        """`record` is the JSON line; `rows` are the same by columns (a missing one is empty), an `error` with its `message`."""
        if self._format == "jsonl":
            print(json.dumps(record, ensure_ascii=False))
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
    """The JSON line of a file that could not be read: errors of this library and of `inputs` bear a stable `code`."""
    if isinstance(error, OSError):
        code, message = "unreadable_file", error.strerror or type(error).__name__
    elif hasattr(error, "code"):
        code, message = error.code, str(error)
    else:
        code, message = "internal_error", f"{type(error).__name__}: {error}"
    return {"file": name, "error": {"code": code, "message": message}}


def error_row(record: Row) -> Row:
    """The same by columns."""
    return {"file": record["file"], "error": record["error"]["code"], "message": record["error"]["message"]}


def _cell(value: Any, width: int) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rjust(width)
    if isinstance(value, int):
        return str(value).rjust(width)
    text = "" if value is None else str(value)
    return text.ljust(width) if len(text) <= width else "…" + text[1 - width :]
