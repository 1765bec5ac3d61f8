"""The memory budget that all threads of the process share."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from ..errors import ImageError

MB = 2**20
DECODE_MB = 120
"""Default budget: 384 MB of App Engine's F1, less 130 for the process and its models, and what is uploaded and drawn."""
WAIT_SECONDS = 60.0
"""Seconds to wait for memory: on a third of a core (F1), a few of the largest pictures pass in turn in that time."""


class MemoryBudget:
    """Bytes shared by all threads of the process. Whoever asks first is served first, so that large pictures get their turn."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def take(self, amount: int, patience: float = WAIT_SECONDS) -> Iterator[None]:
        """Hold `amount` bytes. ImageError `too_much_memory` at once if they never fit, `busy` after `patience` seconds."""
        if amount > self.limit:
            need, limit = f"{amount / MB:.0f} MB", f"the limit is {self.limit / MB:.0f} MB"
            raise ImageError("too_much_memory", f"Decoding this picture would take {need} of memory; {limit}. Save it smaller.")
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                if not self._changed.wait_for(lambda: self._fits(ticket, amount), patience):
                    raise ImageError("busy", "Other pictures are being decoded; try again in a moment.")
                self.used += amount
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self.used -= amount
                self._changed.notify_all()

    def _fits(self, ticket: object, amount: int) -> bool:
        return self._queue[0] is ticket and self.used + amount <= self.limit


_budget = MemoryBudget(DECODE_MB * MB)


def set_decode_budget(megabytes: float) -> None:
    """Let all decoding of this process together take `megabytes` (of 2**20 bytes); for start-up, before pictures come."""
    if megabytes <= 0:
        raise ValueError(f"the decoding budget must be positive, not {megabytes}")
    _budget.limit = int(megabytes * MB)


def reserve(amount: int) -> AbstractContextManager[None]:
    """Hold `amount` bytes of the same budget, for decoders elsewhere (video/reader.py). Raises ImageError as `open_image` does."""
    return _budget.take(amount)
