"""Bodies of requests while they arrive: blocks of memory that are freed as they are read, and the budget that all share."""

from __future__ import annotations

import weakref
from collections import deque

BLOCK = 2**20
"""Bytes of a block: as large as MALLOC_MMAP_THRESHOLD_ in the start commands, so that freed blocks go back to the system."""


class UploadBudget:
    """Bytes of bodies that have arrived and whose requests are not finished. Used by one thread, and `release` by any.

    The bodies are not kept alive: one whose connection has ended in the middle of it is gone with the connection.

    Args:
        limit: Bytes that all bodies may have together.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._bodies: dict[int, weakref.ref[Body]] = {}

    @property
    def used(self) -> int:
        """Bytes held."""
        bodies = [reference() for reference in tuple(self._bodies.values())]
        return sum(body.received for body in bodies if body is not None)

    def __len__(self) -> int:
        """Number of bodies."""
        return len(self._bodies)

    def add(self, body: Body) -> None:
        """Count a body, from now on and as long as it exists."""
        number = id(body)
        if number not in self._bodies:
            self._bodies[number] = weakref.ref(body, lambda _: self._bodies.pop(number, None))

    def release(self, body: Body) -> None:
        """Forget a body, because its request is finished."""
        self._bodies.pop(id(body), None)


class Body:
    """Body of a request, in waitress' interface of a buffer and, for the application, of a file that is read once.

    Args:
        budget: Budget in which it counts from its first byte until `close`.
    """

    def __init__(self, budget: UploadBudget) -> None:
        self._budget = budget
        self._blocks: deque[bytearray] = deque()
        self._offset = 0  # bytes of the first block that were read
        self._kept = True
        self.received = 0

    def __len__(self) -> int:
        return self.received

    def __bool__(self) -> bool:
        return True

    def append(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self.received += len(data)
        if not self._kept:
            return
        self._budget.add(self)
        if not self._blocks or len(self._blocks[-1]) >= BLOCK:
            self._blocks.append(bytearray())
        self._blocks[-1] += data

    def discard(self) -> None:
        """Free the memory, and from now on count what arrives without keeping it."""
        self._kept = False
        self.close()

    def getfile(self) -> Body:
        """Return the file from which the application reads: the body itself."""
        return self

    def read(self, size: int | None = -1) -> bytes:
        """Read at most `size` bytes, all that are left by default; blocks are freed when they have been read."""
        wanted = -1 if size is None else size
        parts = []
        while self._blocks and wanted:
            block, start = self._blocks[0], self._offset
            end = len(block) if wanted < 0 else min(len(block), start + wanted)
            parts.append(bytes(memoryview(block)[start:end]))
            self._offset = end
            if wanted > 0:
                wanted -= end - start
            if end == len(block):
                self._blocks.popleft()
                self._offset = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readline(self, size: int | None = -1) -> bytes:
        """Read up to and with the next line feed, at most `size` bytes."""
        parts: list[bytes] = []
        wanted = -1 if size is None else size
        while self._blocks and wanted:
            block = self._blocks[0]
            end = block.find(b"\n", self._offset) + 1
            length = (end or len(block)) - self._offset
            parts.append(self.read(length if wanted < 0 else min(length, wanted)))
            wanted = wanted - len(parts[-1]) if wanted > 0 else wanted
            if parts[-1].endswith(b"\n"):
                break
        return b"".join(parts)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Read all lines that are left."""
        return list(self)

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def close(self) -> None:
        """Free the memory and leave the budget."""
        self._blocks.clear()
        self._offset = 0
        self._budget.release(self)
