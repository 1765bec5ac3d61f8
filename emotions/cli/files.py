"""Files of the command line: the inputs that its arguments name, and the outputs, written atomically under unused names."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..errors import CodedError

STANDARD_INPUT = "-"


class InputError(CodedError):
    """A file that cannot be read. Codes: `file_not_found`, `no_files` (an empty folder), `not_text`."""


@dataclass(frozen=True)
class Input:
    """A file to analyze.

    Attributes:
        name: Name in the rows of the output.
        path: Path, None for standard input.
        error: Error with which the file is reported instead of being analyzed.
    """

    name: str
    path: Path | None = None
    error: InputError | None = None

    @property
    def stem(self) -> str:
        """File name without suffix, for the names of output files."""
        return self.path.stem if self.path else "stdin"


def expand(names: Iterable[str], suffixes: frozenset[str]) -> list[Input]:
    """Expand the arguments of a command to files, in a reproducible order.

    Args:
        names: Files, folders, patterns, and - for standard input.
        suffixes: Lower-case suffixes of the files that are taken from folders.
    """
    return [found for name in names for found in _expand(name, suffixes)]


def _expand(name: str, suffixes: frozenset[str]) -> list[Input]:
    if name == STANDARD_INPUT:
        return [Input(name)]
    path = Path(name)
    if path.is_dir():
        below = (Path(folder, file) for folder, _, files in os.walk(path) for file in files)
        found = sorted(file for file in below if file.suffix.lower() in suffixes)
        nothing = InputError("no_files", "This folder holds no file of a kind that is read.")
        return [Input(str(file), file) for file in found] or [Input(name, error=nothing)]
    if path.exists():
        return [Input(name, path)]
    matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []
    missing = InputError("file_not_found", "There is no such file.")
    return [one for match in matches for one in _expand(match, suffixes)] or [Input(name, error=missing)]


class OutputFolder:
    """A folder for output files, made where it does not exist. Existing files are never overwritten.

    Args:
        path: Path of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._used: set[Path] = set()
        path.mkdir(parents=True, exist_ok=True)

    def unused_path(self, stem: str, suffix: str) -> Path:
        """Return the path for `stem` + `suffix`, with -2, -3, ... between where that name exists or was returned before."""
        names = (self.path / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}" for number in count(1))
        chosen = next(path for path in names if path not in self._used and not path.exists())
        self._used.add(chosen)
        return chosen


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; it is renamed to `path` at the end, or removed after an exception."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
