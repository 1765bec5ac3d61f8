"""A line on stderr that tells how far a long loop is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

ON_A_TERMINAL, IN_A_LOG = 0.2, 15.0
"""Seconds between two reports: on a terminal one line is written over, in a log each stays."""


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Pass `items` on; `what` is the plural of one, `total` their number where it is known."""
    of_all = f"of {total} {what}" if total else what
    terminal = sys.stderr.isatty()
    pause, start, end = (ON_A_TERMINAL, "\r", "") if terminal else (IN_A_LOG, "", "\n")
    told, count = time.monotonic(), 0
    for count, item in enumerate(items, 1):
        yield item
        if (now := time.monotonic()) - told >= pause:
            print(f"{start}{count} {of_all}", end=end, file=sys.stderr, flush=True)
            told = now
    print(f"{start}{count} {what} read", file=sys.stderr)
