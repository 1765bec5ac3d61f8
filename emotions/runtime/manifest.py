"""Where model files come from: the manifest beside them says what there is, and every file is checked before use."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from .litert import LiteRTModel, available_cpus

SCHEMA = 1
THREADS = {"landmarks": 2, "expression-base": 2}
"""Most threads a role's models use, where there are cores for them: these two take half the time with a second one at no more
processor time; the detectors, of many small layers, gain a tenth and spend twice as much."""
HERE = Path(__file__).resolve().parents[1]
BUNDLED = HERE / "models" if (HERE / "models").is_dir() else HERE.parent / "models"
"""Inside of the package where it was installed from a wheel, beside it in the repository (see pyproject.toml)."""


class ModelRegistry:
    """The models of one folder, described by its `manifest.json`; `source` says in a word where they come from, for who asks."""

    def __init__(self, folder: Path = BUNDLED, source: str | None = None) -> None:
        self.folder = Path(folder)
        self.source = source or ("tree" if self.folder == BUNDLED else "folder")
        self._models: dict[str, LiteRTModel] = {}

    @cached_property
    def manifest(self) -> dict[str, Any]:
        path = self.folder / "manifest.json"
        try:
            manifest: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            raise ModelFileError(f"{path.name} is missing from {self.folder.name}/: restore it from the repository") from None
        except ValueError as error:
            raise ModelFileError(f"{path.name} is not valid JSON ({error}): restore it from the repository") from None
        if manifest.get("schema") != SCHEMA:
            raise ModelFileError(f"{path.name} has schema {manifest.get('schema')!r}; this version reads schema {SCHEMA}")
        return manifest

    @cached_property
    def fingerprint(self) -> str:
        """First 12 hexadecimal digits of the manifest's sha256: another manifest, another set of models."""
        return hashlib.sha256((self.folder / "manifest.json").read_bytes()).hexdigest()[:12]

    def entries(self, role: str | None = None) -> list[dict[str, Any]]:
        """Entries of the manifest, all or those of a role, in its order (the first of a role is the default)."""
        return [entry for entry in self.manifest["models"] if role in (None, entry["role"])]

    def entry(self, role: str, name: str | None = None) -> dict[str, Any]:
        """The entry called `name`, or the first of the role."""
        for entry in self.entries(role):
            if name in (None, entry["name"]):
                return entry
        names = ", ".join(entry["name"] for entry in self.entries(role)) or "none"
        raise ModelFileError(f"no {role} called {name!r} in the manifest; there is: {names}")

    def read(self, entry: dict[str, Any]) -> bytes:
        """The bytes of the entry's file; ModelFileError unless size and sha256 are the manifest's."""
        path = self.folder / entry["file"]
        try:
            data: bytes = path.read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ModelFileError(f"model file {entry['file']}: {reason}; restore it from the repository") from None
        if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise ModelFileError(
                f"model file {entry['file']} is damaged ({len(data)} bytes, {entry['bytes']} expected, sha256 differs or not): "
                "restore it from the repository, or export it again so that the manifest follows"
            )
        return data

    def model(self, entry: dict[str, Any]) -> LiteRTModel:
        """The entry's model, one for all callers; its file is read and checked on first use."""
        threads = min(THREADS.get(entry["role"], 1), available_cpus())
        return self._models.setdefault(entry["name"], LiteRTModel(lambda: self.read(entry), threads))

    def verify(self) -> None:
        """Read and check every file of the manifest: what a server does before it takes requests."""
        for entry in self.entries():
            self.read(entry)
