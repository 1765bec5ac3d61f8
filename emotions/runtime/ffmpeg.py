"""Opening of sound and video files with FFmpeg (PyAV), whose memory and time are limited while it reads.

PyAV is imported with the first file. Its logging stays off: at any level, decoding threads wait for the GIL, which can deadlock
the process.
"""

from __future__ import annotations

import ctypes
import io
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from math import inf
from types import MappingProxyType
from typing import Any, BinaryIO

from ..errors import CodedError, MemoryBudgetError, TimeBudgetError
from .limits import get_limits
from .media_headers import EBML, MOVIE_BOXES, HeaderCost
from .memory import MB, reserved_bytes, resident_bytes
from .time_budget import active_budget, check_time

OPEN_SECONDS = 3.0
"""Processor seconds in which a file must be open; the largest ordinary ones take half a second."""
CHECK_READS = 4
"""Readings from one check to the next, once the file is open."""


class MeteredFile:
    """A binary file for FFmpeg, which ends where the work is to end.

    FFmpeg reads it in pieces of 32 kB. Before these, the time budget and the memory of the process are checked; where one is
    spent, the file appears to end, and `check` raises the error. (An exception in the middle of FFmpeg's work could be lost.)

    Args:
        file: The file, seekable.
        amount: Bytes of the memory for decoding that are reserved for it.
        offset: Where it begins.
        hidden: Offset from there -> at most four bytes that are read instead.
    """

    def __init__(self, file: BinaryIO, amount: int, offset: int = 0, hidden: Mapping[int, bytes] = MappingProxyType({})) -> None:
        self._file, self._offset, self._hidden, self._places = file, offset, hidden, sorted(hidden)
        self._error: CodedError | None = None
        self._deadline: float | None = time.thread_time() + OPEN_SECONDS
        self._amount = amount
        self._reads, self._rebase = 0, False
        self._grown, self._resident, self._others = 0, resident_bytes(), reserved_bytes() - amount
        file.seek(offset)

    def opened(self) -> None:
        """End the limit of OPEN_SECONDS."""
        self._deadline = None

    def reserved(self, amount: int) -> None:
        """Note that another amount of memory is reserved from now on."""
        self._amount = amount
        self._grown, self._resident, self._others = 0, resident_bytes(), reserved_bytes() - amount

    def check(self) -> None:
        """Raise the error that ended the file, and check the time budget."""
        if self._error:
            raise self._error
        check_time()

    def check_memory(self) -> None:
        """Check the memory of the process too, which decoding may take between two readings."""
        self.check()
        self._check_limits()

    def rebase_memory(self) -> None:
        """Count from the next reading on how much the process grows."""
        self._rebase = True

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Leave out by how much the process grows during the block, in which the caller does something else."""
        resident = resident_bytes()
        self._grown += resident - self._resident
        try:
            yield
        finally:
            self._resident = resident_bytes()
            # Less memory may be that of the file, too: the estimate stays low rather than stopping an honest file.
            self._grown = max(0, self._grown + min(0, self._resident - resident))

    def _check_limits(self) -> None:
        """Raise CodedError where time is up, or the process has grown by more than what it has reserved since."""
        check_time()
        if self._deadline is not None and time.thread_time() > self._deadline:
            raise TimeBudgetError("too_much_work", "Reading the header of this file takes too long.")
        limits = get_limits()
        # Decoders that FFmpeg tries while it opens a file vary more, and so little is reserved then that there is room.
        excess = limits.excess_mb if self._deadline is None else min(2 * limits.excess_mb, limits.decode_mb)
        if excess == inf:
            return
        others = max(0, reserved_bytes() - self._amount - self._others)
        if self._grown + resident_bytes() - self._resident > self._amount + others + excess * MB:
            raise MemoryBudgetError("too_much_memory", "Reading this file takes more memory than it may use here.")

    def read(self, count: int = -1) -> bytes:
        """Return the next `count` bytes; none once the file has ended."""
        self._reads += 1
        if self._rebase:
            self._grown, self._resident, self._rebase = 0, resident_bytes(), False
        if self._error is None and (self._deadline is not None or self._reads % CHECK_READS == 0):
            try:
                self._check_limits()
            except CodedError as error:
                self._error = error
        if self._error:
            return b""
        start = self.tell() if self._hidden else 0
        data = self._file.read(count)
        first, last = (bisect_left(self._places, place) for place in (start - 3, start + len(data)))
        for place in self._places[first:last]:
            data = _replaced(data, place - start, self._hidden[place])
        return data

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position and return it."""
        return self._file.seek(position + (self._offset if whence == io.SEEK_SET else 0), whence) - self._offset

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell() - self._offset

    def seekable(self) -> bool:
        """Return True."""
        return True


class MediaInput:
    """An open file: `container` is PyAV's, `packets` reads it; the other methods are those of `MeteredFile`."""

    def __init__(self, container: Any, file: MeteredFile) -> None:
        self.container, self._file = container, file
        self.reserved, self.check_memory, self.elsewhere = file.reserved, file.check_memory, file.elsewhere

    def packets(self, stream: Any, count_decoding: bool = False) -> Iterator[Any]:
        """Yield the packets of a stream, and last an empty one.

        Args:
            stream: The stream.
            count_decoding: Whether memory that is taken between two packets, but for that `elsewhere`, is the file's.

        Raises:
            CodedError: The time budget is spent, or reading takes too much memory.
            av.error.FFmpegError: The file is damaged.
        """
        from av.error import FFmpegError

        packets = self.container.demux(stream)
        while True:
            if not count_decoding:
                self._file.rebase_memory()
            try:
                packet = next(packets, None)
            except FFmpegError:
                self._file.check()  # which is the cause, if there is one
                raise
            self._file.check()
            if packet is None:
                return
            yield packet


def _replaced(data: bytes, start: int, new: bytes) -> bytes:
    """Return `data` with `new` at `start`, which may lie in part outside of it."""
    stop = start + len(new)
    return data[: max(0, start)] + new[max(0, -start) : len(new) - max(0, stop - len(data))] + data[max(0, stop) :]


@contextmanager
def open_media(
    file: BinaryIO, container: str | None, cost: HeaderCost, codec_options: dict[str, str], amount: int, offset: int = 0
) -> Iterator[MediaInput]:
    """Open a file; it is closed at the end of the block.

    Args:
        file: The file, seekable.
        container: FFmpeg's name of its format, or a comma-separated list of those that are allowed.
        cost: Result of `media_headers.header_cost`.
        codec_options: Options of all decoders that FFmpeg tries meanwhile.
        amount: Bytes of the memory for decoding that are reserved for this.
        offset: Where it begins.

    Raises:
        CodedError: The time budget is spent, or opening takes too much memory or time.
        av.error.FFmpegError, ValueError: It cannot be opened.
    """
    import av

    limits = get_limits()
    limit_allocations(int(limits.decode_mb * MB / 3))
    # No address and no other file is ever opened: the entries of a playlist, say, must not make a server fetch anything. Each
    # stream has a decoder of its own, which FFmpeg opens before any choice can be made.
    options = {"protocol_whitelist": "", "enable_drefs": "0", "max_streams": str(max(24, int(limits.decode_mb / 4)))}
    if container and "," in container:
        options["format_whitelist"], container = container, None
    metered = MeteredFile(file, amount, offset, cost.hidden)
    try:
        opened = av.open(metered, "r", container, codec_options, options | cost.options, metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError):
        metered.check()
        raise
    try:
        metered.check()
        metered.opened()
        yield MediaInput(opened, metered)
    finally:
        with suppress(av.error.FFmpegError):
            opened.close()


@contextmanager
def charged(threads: int) -> Iterator[None]:
    """Charge the time budget with what the threads of a decoder compute during the block.

    That is at most the time for which the caller waits, and at most what the process computes besides it.
    """
    budget = active_budget() if threads > 1 else None
    if budget is None:
        yield
        return
    own, wall, process = time.thread_time(), time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        own = time.thread_time() - own
        budget.charge(max(0.0, min(time.perf_counter() - wall, time.process_time() - process) - own))


def container_of(head: bytes) -> str | None:
    """Return FFmpeg's name of a container whose tables `media_headers` prices, by the file's first 12 bytes, else None."""
    if head[4:8] in MOVIE_BOXES:
        return "mov"
    return "matroska" if head[:4] == EBML else None


def limit_allocations(count: int) -> None:
    """Let FFmpeg take no more than `count` bytes in one piece, in all threads; it then fails as for lack of memory."""
    function = _max_alloc()
    if function is not None:
        function(count)


@cache
def _max_alloc() -> Any:
    """FFmpeg's function av_max_alloc, which PyAV does not offer; None where the library hides it."""
    import av._core

    try:
        function = ctypes.CDLL(av._core.__file__).av_max_alloc
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = [ctypes.c_size_t], None
    return function
