"""Files of the command line: the inputs that its arguments name, and the outputs, written atomically under unused names."""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from ..errors import CodedError
from ..sources import check_kind
from .kinds import HEAD_BYTES
from .output import complain
from .patterns import entries_of, has_pattern, is_folder, matches

STANDARD_INPUT = "-"
STANDARD_INPUT_FILES = {"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}
"""Names of the file that standard input is; it may be a socket, which cannot be opened by its name."""
COMPANION = "._"
"""How the names of AppleDouble files begin, which macOS writes beside files on other systems' disks and into archives."""
LINKED = "linked folder"
"""What links to folders below a folder are called where files that are passed over are counted."""
MAX_NAMED = 5
"""Suffixes of files passed over that are named."""


class InputError(CodedError):
    """A file that cannot be read. Codes: `file_not_found`, `no_files` (an empty folder), `not_text`."""


class FolderError(CodedError):
    """A folder for output files that cannot be made. Code: `unusable_folder`."""


class WriteError(CodedError):
    """An output file that cannot be written. Code: `output_failed`."""


@dataclass(frozen=True)
class Input:
    """A file to analyze.

    Attributes:
        name: Name in the rows of the output.
        path: Path, None for standard input.
        error: Error with which the file is reported instead of being analyzed.
        is_stream: True for standard input and pipes, which can be read only once and by one process.
    """

    name: str
    path: Path | None = None
    error: CodedError | OSError | None = None
    is_stream: bool = False

    @property
    def stem(self) -> str:
        """File name without suffix, for the names of output files."""
        return self.path.stem if self.path else "stdin"


def expand(names: Iterable[str], suffixes: frozenset[str], recognize: Callable[[bytes], bool] | None = None) -> list[Input]:
    """Expand the arguments of a command to files, in a reproducible order.

    What folders hold beside them is counted in one line on standard error.

    Args:
        names: Files, folders, patterns, and - for standard input.
        suffixes: Lower-case suffixes of the files that are taken from folders.
        recognize: Returns True for the first HEAD_BYTES of other files that are taken from folders too.

    Returns:
        The files. From folders and patterns only regular files are taken and links to them, so that no pipe is waited for; links
        to folders below them are not followed, so that loops end. A pipe that is named itself is read.
    """
    walk = _Walk(suffixes, recognize)
    found = [one for name in names for one in walk.expand(name)]
    complain(walk.report())
    return found


class _Walk:
    """Files that the arguments of a command name.

    Args:
        suffixes: As for `expand`.
        recognize: As for `expand`.
    """

    def __init__(self, suffixes: frozenset[str], recognize: Callable[[bytes], bool] | None) -> None:
        self._suffixes, self._recognize = suffixes, recognize
        self._passed = dict[Path, str]()

    def expand(self, name: str) -> list[Input]:
        """Return the files of an argument, or an error in their place."""
        if name == STANDARD_INPUT:
            return [Input(name, is_stream=True)]
        found = self._named(name)
        if not found and has_pattern(name):
            # What matches is no pattern again, nor standard input: a broken link can be called "a*", and a file "-".
            paths = [path for path in matches(name) if os.path.isdir(path) or _may_be_file(path)]
            files = [one for path in paths for one in self._named(path) or [_missing(path)]]
            found = [*{one.name: one for one in files}.values()]  # a folder that matches holds files that may match too
        return found or [_missing(name)]

    def report(self) -> str:
        """Return the number of files passed over and their suffixes, the most frequent ones first; "" if there are none."""
        if not self._passed:
            return ""
        kinds = Counter(self._passed.values()).most_common()
        named = [f"{count} {kind}{'s' * (kind == LINKED and count > 1)}" for kind, count in kinds[:MAX_NAMED]]
        rest = sum(count for _, count in kinds[MAX_NAMED:])
        total = len(self._passed)
        counts = ", ".join([*named, *([f"{rest} others"] if rest else [])])
        return f"{total} file{'s' * (total > 1)} in folders passed over, which are not of a kind that is read here: {counts}"

    def _named(self, name: str) -> list[Input]:
        """The file of this very name or those below the folder, or an error in their place; none if there is no such file."""
        if name in STANDARD_INPUT_FILES:
            return [Input(name, is_stream=True)]
        try:
            mode = os.stat(name).st_mode
        except FileNotFoundError:
            return []
        except OSError as error:
            return [Input(name, error=error)]
        if not stat.S_ISDIR(mode):
            return [Input(name, Path(name), is_stream=stat.S_ISFIFO(mode))]
        nothing = InputError("no_files", "This folder holds no file of a kind that is read.")
        return self._below(name) or [Input(name, error=nothing)]

    def _below(self, folder: str) -> list[Input]:
        """The files below a folder, and an error for each folder that cannot be listed."""
        errors, files, waiting = list[OSError](), list[Path](), [folder]
        while waiting:  # os.walk of Python 3.11 is recursive: folders can be nested deeper than its stack
            parent = waiting.pop()
            try:
                entries = entries_of(parent)
            except OSError as error:
                errors.append(error)
                continue
            for entry in entries:
                path = os.path.join(parent, entry.name)
                if is_folder(entry):
                    waiting.append(path)
                elif is_folder(entry, links=True):
                    self._passed[Path(path)] = LINKED
                else:
                    files.append(Path(path))
        paths = [path for path in sorted(files) if self._takes(path)]
        return [Input(str(path), path) for path in paths] + [Input(str(error.filename), error=error) for error in errors]

    def _takes(self, path: Path) -> bool:
        """Return True for a file that is to be read, and note the others."""
        companion, suffix = path.name.startswith(COMPANION), path.suffix.lower()
        kind = f"{COMPANION}*" if companion else suffix or "without suffix"
        if not _may_be_file(path):
            kind = "special"
        elif (suffix in self._suffixes and not companion) or (self._recognize and self._recognize(_head(path))):
            return True
        self._passed[path] = kind
        return False


def _missing(name: str) -> Input:
    return Input(name, error=InputError("file_not_found", "There is no such file."))


def _head(path: Path) -> bytes:
    """The first bytes of a file, none of one that cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _may_be_file(path: Path | str) -> bool:
    """Return False for what is certainly no file; a broken link is to be reported when it is opened."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def open_stream(source: Input) -> AbstractContextManager[BinaryIO]:
    """Open standard input or a file of any kind but devices for reading once. Raises OSError, InputError and SourceError."""
    if source.path is not None:
        check_kind(source.path)
        return open(source.path, "rb")
    if sys.stdin is None:
        raise InputError("file_not_found", "Standard input is closed.")
    return nullcontext(sys.stdin.buffer)


class OutputFolder:
    """A folder for output files, made where it does not exist. Existing files are never overwritten.

    Args:
        path: Path of the folder.

    Raises:
        FolderError: The folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._used: set[Path] = set()
        self._numbers: dict[tuple[str, str], Iterator[int]] = {}
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FolderError("unusable_folder", f"cannot make the folder {path}: {error.strerror}") from None

    def unused_path(self, stem: str, suffix: str) -> Path:
        """Return the path for `stem` + `suffix`, with -2, -3, ... between where that name exists or was returned before."""
        # Each name goes on with the number after its last one: from 1 again, many files of one name would take quadratic time.
        numbers = self._numbers.setdefault((stem, suffix), count(1))
        names = (self.path / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}" for number in numbers)
        chosen = next(path for path in names if path not in self._used and not os.path.lexists(path))
        self._used.add(chosen)
        return chosen


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; it is renamed to `path` at the end, or removed after an exception.

    For processes that are not killed; others write into a folder of `unfinished_files`.

    Raises:
        WriteError: An OSError ended the context: the disk is full, the folder is gone.
    """
    temporary = path.with_name(f".{os.getpid()}.part")
    try:
        with write_errors(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Raise a WriteError for `path` in place of an OSError."""
    try:
        yield
    except OSError as error:
        raise WriteError("output_failed", f"{path.name} cannot be written: {error.strerror or error}") from None


@contextmanager
def unfinished_files(folder: OutputFolder) -> Iterator[Path]:
    """Make a hidden folder in `folder` for files that worker processes write, and remove it at the end with what is left in it.

    A worker process can be killed at any time; the process that started it renames what was written completely.

    Yields:
        Path of the folder.

    Raises:
        FolderError: The folder cannot be made.
    """
    try:
        hidden = TemporaryDirectory(prefix=".", suffix=".part", dir=folder.path, ignore_cleanup_errors=True)
    except OSError as error:
        raise FolderError("unusable_folder", f"cannot write into the folder {folder.path}: {error.strerror}") from None
    with hidden:
        yield Path(hidden.name)
