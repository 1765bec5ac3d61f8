"""One line on the terminal that says how far the work is; nothing where standard error is no terminal."""

from __future__ import annotations

import sys
import time

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
