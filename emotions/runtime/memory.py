"""Memory budgets: bytes that the threads of a process share."""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from ..errors import MemoryBudgetError

MB = 2**20
PAGE = mmap.PAGESIZE
DECODE_MB = 2048
"""Default of the budget for decoding, as in limits.LIBRARY; a server sets its own."""
WAIT_SECONDS = 30.0
"""Seconds to wait for memory: on a third of a core (F1), some of the largest images are decoded in that time."""
POLL_SECONDS = 0.1
LARGE = 24 * MB
"""Bytes of a reservation for which the process frees what it can spare."""


class MemoryBudget:
    """Bytes shared by all threads of the process, granted in the order of the requests, so that large ones are not starved.

    Args:
        limit: Bytes that may be held at once.

    Attributes:
        elsewhere: Returns the bytes that the process holds beside this budget and that are to be taken from it, unless nothing
            else is held: one input within the limit always gets its turn.
        free_spare: Frees memory that the process can spare; called while a LARGE amount does not fit beside `elsewhere`.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.elsewhere: Callable[[], int] = int
        self.free_spare: Callable[[], object] = int
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
                until = time.monotonic() + wait_seconds
                while not self._fits(ticket, amount) and time.monotonic() < until:
                    self._changed.wait(POLL_SECONDS)  # what is held elsewhere is released without notice
                if not self._fits(ticket, amount):
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
        if self._queue[0] is not ticket:
            return False
        if amount > LARGE and self.used + amount > self.limit - self.elsewhere():
            self.free_spare()  # at every attempt: what was in use at the first one may be spared by now
        return not self.used or self.used + amount <= self.limit - self.elsewhere()


_budget = MemoryBudget(DECODE_MB * MB)


def set_decode_budget(megabytes: float) -> None:
    """Set the budget that all decoding of this process shares, in megabytes (2**20 bytes); call it before decoding starts."""
    if megabytes <= 0:
        raise ValueError(f"the decoding budget must be positive, not {megabytes}")
    _budget.limit = int(megabytes * MB)


def share_decode_budget(elsewhere: Callable[[], int], free_spare: Callable[[], object]) -> None:
    """Tell the budget for decoding about other memory of the process.

    Args:
        elsewhere: Returns bytes that are to be taken from the budget, such as those of uploads, where several inputs are decoded
            at once.
        free_spare: Frees what can be spared, such as models that are seldom used; called while a LARGE amount does not fit.
    """
    _budget.elsewhere, _budget.free_spare = elsewhere, free_spare


def reserve(amount: int) -> AbstractContextManager[None]:
    """Hold `amount` bytes of the budget for decoding. Raises MemoryBudgetError as `MemoryBudget.reserve` does."""
    return _budget.reserve(amount)


def trim_heap() -> None:
    """Return freed heap memory to the system with glibc's malloc_trim: about 10 MB after a video.

    The heap shrinks only from its end by itself, and the memory of decoders and encoders lies in the middle of it.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def mapped_ranges(path: Path) -> set[tuple[int, int]]:
    """Return the addresses (start, end) at which this process maps a file for reading, shared (Linux); elsewhere none."""
    with suppress(OSError):
        inode = path.stat().st_ino
        with open("/proc/self/maps", "rb") as maps:
            lines = [line.split() for line in maps]
        found = [line[0].split(b"-") for line in lines if line[1] == b"r--s" and int(line[4]) == inode]
        return {(int(start, 16), int(end, 16)) for start, end in found}
    return set()


def release_pages(ranges: Iterable[tuple[int, int]]) -> None:
    """Release the resident pages of mapped files (Linux); those that are read again are mapped again.

    Args:
        ranges: Addresses (start, end), as `mapped_ranges` returns them, of mappings that the caller keeps alive: memory that took
            their place would be lost.
    """
    with suppress(OSError, AttributeError):
        madvise = ctypes.CDLL(None).madvise
        for start, end in ranges:
            madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


class CodePages:
    """The resident pages of programs and libraries of this process (Linux), released from time to time.

    Starting a library touches many times what serving with it does, and kernels map the pages around as well, the more of them
    the fresher the files are: 30 to 60 MB. What runs again is mapped again from the page cache, in about two milliseconds.

    Attributes:
        GROWN_BYTES: Mapped bytes more than after the last release that make another one worth its 15 milliseconds.
        PAUSE_SECONDS: Seconds between two releases at least.
    """

    GROWN_BYTES = 24 * MB
    PAUSE_SECONDS = 1.0

    def __init__(self) -> None:
        self._mapped, self._time = 0, -self.PAUSE_SECONDS

    def release(self, grown_bytes: int = GROWN_BYTES) -> None:
        """Release them if they have grown by `grown_bytes` since the last time."""
        if time.monotonic() - self._time < self.PAUSE_SECONDS or mapped_bytes() - self._mapped < grown_bytes:
            return
        with suppress(OSError, AttributeError):
            libc = ctypes.PyDLL(None)
            for start, end in self._unchanged(_read_at_rest("/proc/self/smaps", libc)):
                libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)
        self._mapped, self._time = mapped_bytes(), time.monotonic()

    @staticmethod
    def _unchanged(smaps: bytes) -> Iterator[tuple[int, int]]:
        """Yield the addresses of executable mappings that hold nothing but what is in their files."""
        start = end = 0
        of_file = False
        for line in smaps.splitlines():
            name, *values = line.split()
            if b"-" in name and not name.endswith(b":"):
                start, end = (int(address, 16) for address in name.split(b"-"))
                of_file = values[0] == b"r-xp" and int(values[3]) > 0
            elif name == b"Anonymous:" and of_file and int(values[0]) == 0:  # a page that was changed would be anonymous
                yield start, end


def _read_at_rest(path: str, libc: ctypes.PyDLL) -> bytes:
    """Read a file of /proc without letting other threads of Python run within a call.

    A library that another thread is loading is mapped executable as a whole at first, and then its data over a part of it: what
    was read in between would call the data code.
    """
    buffer, parts = ctypes.create_string_buffer(2**20), []
    descriptor = os.open(path, os.O_RDONLY)
    try:
        while (count := libc.read(descriptor, buffer, len(buffer))) > 0:
            parts.append(buffer.raw[:count])
    finally:
        os.close(descriptor)
    return b"".join(parts)


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes, shared libraries included; 0 where /proc is missing."""
    return _statm(1)


def mapped_bytes() -> int:
    """Return the resident memory of this process that is mapped from files, in bytes; 0 where /proc is missing."""
    return _statm(2)


def _statm(field: int) -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[field]) * PAGE
    except OSError:
        return 0


def reserved_bytes() -> int:
    """Return the bytes of the budget for decoding that are held now, by all threads."""
    return _budget.used
