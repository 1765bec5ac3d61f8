"""What was named on the command line -> the files to read, in a steady order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

# Files that a command writes: under names that are free, and whole or not at all.


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


STANDARD_INPUT = "-"


class InputError(Exception):
    """A file that cannot be had; `code` is stable: `file_not_found`, `no_files` (an empty folder)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)  # both, so that it can be sent to another process
        self.code, self.message = code, message

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Input:
    """A file to read, by the name that its rows bear; `path` is None for standard input. `error`: why it cannot be read."""

    name: str
    path: Path | None = None
    error: InputError | None = None

    @property
    def stem(self) -> str:
        return self.path.stem if self.path else "stdin"


def expand(names: Iterable[str], endings: frozenset[str]) -> list[Input]:
    """Folders and patterns as the files in them: in folders those with one of `endings` (lower case), else all named."""
    return [found for name in names for found in _expand(name, endings)]


def _expand(name: str, endings: frozenset[str]) -> list[Input]:
    if name == STANDARD_INPUT:
        return [Input(name)]
    path = Path(name)
    if path.is_dir():
        below = (Path(folder, file) for folder, _, files in os.walk(path) for file in files)
        found = sorted(file for file in below if file.suffix.lower() in endings)
        nothing = InputError("no_files", "This folder holds no file of a kind that is read.")
        return [Input(str(file), file) for file in found] or [Input(name, error=nothing)]
    if path.exists():
        return [Input(name, path)]
    matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []
    missing = InputError("file_not_found", "There is no such file.")
    return [one for match in matches for one in _expand(match, endings)] or [Input(name, error=missing)]
