"""Files that a command writes: under names that are free, and whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path


class Folder:
    """Gives out names in a folder, which is made where it is not there. No file that exists is ever written over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._given: set[Path] = set()
        path.mkdir(parents=True, exist_ok=True)

    def free(self, stem: str, ending: str) -> Path:
        """`stem` + `ending`, or with -2, -3, ... between where that name is taken or was given out."""
        names = (self.path / f"{stem}{'' if number == 1 else f'-{number}'}{ending}" for number in count(1))
        chosen = next(path for path in names if path not in self._given and not path.exists())
        self._given.add(chosen)
        return chosen


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name to write to; the file comes to `path` when all is written, and goes when something fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
