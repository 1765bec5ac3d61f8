"""Description of a run for those who read its results later: files with SHA-256, versions and settings, as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..runtime.manifest import ModelRegistry
from .files import Input, WriteError, atomic_write, write_errors
from .output import OutputError, Row

PACKAGES = ("numpy", "opencv-python-headless", "av", "pillow", "ai-edge-litert")
"""Packages whose versions may change a result."""
NO_SETTINGS = ("files", "run", "limits", "metadata")


class Metadata:
    """Collects what `write` writes. Files are hashed when they are added.

    Args:
        options: Options of the command. `metadata` is the file to write, which must not exist, in a folder that does; with None
            nothing is collected.

    Raises:
        WriteError: The file exists, or its folder does not.
        ModelFileError: The manifest of the models is missing or damaged.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._path: Path | None = options.metadata
        if self._path is not None:
            self._check(self._path)
            self._body = _description(options)

    @staticmethod
    def _check(path: Path) -> None:
        if os.path.lexists(path):
            raise WriteError("output_failed", f"{path} exists already; no file is overwritten")
        if not os.path.isdir(path.parent):
            raise WriteError("output_failed", f"{path} cannot be written: there is no such folder")
        with write_errors(path):  # an error before hours of work, not after them: a long name, a folder that is read-only
            path.touch(exist_ok=False)
            path.unlink()

    def add(self, source: Input, outcome: Mapping[str, Any], data: bytes | None = None) -> None:
        """Add a file and what became of it: `model`, `error` and the like; `data` is what a stream gave, if it was kept."""
        if self._path is None:
            return
        entry: dict[str, Any] = {"file": source.name, "bytes": None, "sha256": None}
        if data is not None:
            entry |= {"bytes": len(data), "sha256": sha256(data).hexdigest()}
        elif source.path is not None and not source.is_stream:
            try:
                with source.path.open("rb") as file:
                    entry["sha256"] = file_digest(file, "sha256").hexdigest()
                    entry["bytes"] = file.tell()
            except OSError:  # which is the error of the file, and reported as such
                pass
        self._body["files"].append(entry | dict(outcome))

    def write(self) -> None:
        """Write the file. Raises OutputError."""
        if self._path is None:
            return
        try:
            with atomic_write(self._path) as temporary:
                temporary.write_text(json.dumps(self._body, indent=2) + "\n", encoding="utf-8")
        except WriteError as error:
            raise OutputError(str(error)) from None


def outcome(record: Row, names: Iterable[str]) -> dict[str, Any]:
    """Return what the metadata have of a JSON line: its error, or else the entries `names`."""
    return {name: record[name] for name in (("error",) if "error" in record else names)}


def _description(options: argparse.Namespace) -> dict[str, Any]:
    """Return all entries but the files."""
    settings = {name: value for name, value in sorted(vars(options).items()) if name not in NO_SETTINGS}
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"emotions": __version__, "python": platform.python_version(), **_versions()},
        "models": [
            {"role": one.role, "name": one.name, "version": one.version, "sha256": one.sha256}
            for one in ModelRegistry().entries()
        ],
        "settings": {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()},
        "files": [],
    }


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
