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


def _matches(folder: str, parts: list[str]) -> Iterator[str]:
    """Paths below `folder` ("" is the working directory) that match the parts of a pattern."""
    if not parts:
        yield folder
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        if rest or os.path.isdir(folder):
            yield from _matches(folder, rest)
        for entry in _entries(folder):
            if entry.name.startswith("."):
                continue
            path = os.path.join(folder, entry.name)
            if _is_folder(entry):
                yield from _matches(path, parts)
            elif not rest and not os.path.isdir(path):
                yield path
    elif has_pattern(part):
        fits = re.compile(fnmatch.translate(os.path.normcase(part))).match
        for entry in _entries(folder):
            hidden = entry.name.startswith(".") and not part.startswith(".")
            if not hidden and fits(os.path.normcase(entry.name)):
                yield from _matches(os.path.join(folder, entry.name), rest)
    elif os.path.lexists(path := os.path.join(folder, part)):
        yield from _matches(path, rest)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Entries of a folder, none where it cannot be listed."""
    try:
        with os.scandir(folder or os.curdir) as entries:
            return list(entries)
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
