"""File name patterns with *, ?, [...] and ** (any number of folders), as the module `glob` has them.

`glob` follows links to folders below **, so that two links to their own folder are 2**40 paths; here ** follows none.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterator

has_pattern = glob.has_magic


def matches(pattern: str) -> list[str]:
    """List the paths that match a pattern, sorted. Names that start with a dot match only where the pattern has the dot."""
    drive, rest = os.path.splitdrive(pattern)
    root = drive + rest[: len(rest) - len(rest.lstrip(os.sep))]
    parts = [part for part in rest.split(os.sep) if part]
    parts = [part for number, part in enumerate(parts) if part != "**" or parts[number - 1 : number] != ["**"]]
    return sorted(set(_matches(root, parts)))


def _matches(root: str, pattern: list[str]) -> Iterator[str]:
    """Paths below `root` ("" is the working directory) that match the parts of a pattern."""
    waiting = [(root, pattern)]  # not recursive: folders can be nested deeper than Python's stack
    while waiting:
        folder, parts = waiting.pop()
        if not parts:
            yield folder
            continue
        part, rest = parts[0], parts[1:]
        if part == "**":
            if rest or os.path.isdir(folder):
                waiting.append((folder, rest))
            for entry in _entries(folder):
                if entry.name.startswith("."):
                    continue
                path = os.path.join(folder, entry.name)
                if is_folder(entry):
                    waiting.append((path, parts))
                elif not rest and not os.path.isdir(path):
                    yield path
        elif has_pattern(part):
            fits = re.compile(fnmatch.translate(os.path.normcase(part))).match
            for entry in _entries(folder):
                hidden = entry.name.startswith(".") and not part.startswith(".")
                if not hidden and fits(os.path.normcase(entry.name)):
                    waiting.append((os.path.join(folder, entry.name), rest))
        elif os.path.lexists(path := os.path.join(folder, part)):
            waiting.append((path, rest))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Entries of a folder, none where it cannot be listed."""
    try:
        return entries_of(folder)
    except OSError:
        return []


def entries_of(folder: str) -> list[os.DirEntry[str]]:
    """List the entries of a folder, "" for the working directory. Raises OSError."""
    with os.scandir(folder or os.curdir) as entries:
        return list(entries)


def is_folder(entry: os.DirEntry[str], links: bool = False) -> bool:
    """Return True for a folder, with `links` also for a link to one."""
    try:
        return entry.is_dir(follow_symlinks=links)
    except OSError:
        return False
