"""Memory budgets: bytes that the threads of a process share."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from ..errors import MemoryBudgetError

MB = 2**20
DECODE_MB = 120
"""Default of the budget for decoding: 384 MB of App Engine's F1, less 130 for the process and its models, uploads and drawing."""
WAIT_SECONDS = 60.0
"""Seconds to wait for memory: on a third of a core (F1), a few of the largest images are decoded in that time."""


class MemoryBudget:
    """Bytes shared by all threads of the process, granted in the order of the requests, so that large ones are not starved.

    Args:
        limit: Bytes that may be held at once.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, amount: int, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
        """Hold `amount` bytes until the context ends.

        Args:
            amount: Bytes to hold.
            wait_seconds: Seconds to wait until they are free.

        Raises:
            MemoryBudgetError: `too_much_memory` at once if they can never be granted, `busy` after `wait_seconds`.
        """
        if amount > self.limit:
            need, limit = f"{amount / MB:.0f} MB", f"the limit is {self.limit / MB:.0f} MB"
            raise MemoryBudgetError("too_much_memory", f"This would take {need} of memory; {limit}.")
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                if not self._changed.wait_for(lambda: self._fits(ticket, amount), wait_seconds):
                    raise MemoryBudgetError("busy", "Other files hold the memory; try again in a moment.")
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
    """Set the budget that all decoding of this process shares, in megabytes (2**20 bytes); call it before decoding starts."""
    if megabytes <= 0:
        raise ValueError(f"the decoding budget must be positive, not {megabytes}")
    _budget.limit = int(megabytes * MB)


def reserve(amount: int) -> AbstractContextManager[None]:
    """Hold `amount` bytes of the budget for decoding. Raises MemoryBudgetError as `MemoryBudget.reserve` does."""
    return _budget.reserve(amount)
