"""Model files and the manifest that describes them; every file is checked before use."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from .litert import LiteRTModel, available_cpus
from .manifest_schema import check_entry, check_manifest, check_needed, read_json

EVALUATION = "evaluation.json"
"""File beside the manifest with what was measured of its models; a server runs without it."""
MAX_THREADS = {"landmarks": 2, "expression-base": 2}
"""Threads of a role's models, where there are CPUs for them (1 for other roles): these two take half the time with a second
thread at no more processor time; the detectors, of many small layers, gain a tenth and spend twice as much."""
PACKAGE = Path(__file__).resolve().parents[1]
BUNDLED = PACKAGE / "models" if (PACKAGE / "models").is_dir() else PACKAGE.parent / "models"
"""Inside the package where it was installed from a wheel, beside it in the repository (see pyproject.toml)."""


@dataclass(frozen=True)
class ModelEntry:
    """One model of a manifest.

    Attributes:
        name: Name, unique within the role.
        role: What the model is used for, such as `detector` or `expression-head`.
        version: Version of the model file.
        file: Name of the file in the manifest's folder.
        bytes: Size of the file.
        sha256: Hexadecimal SHA-256 of the file.
        licence: Terms under which the model may be used.
        input: Sizes of the input, such as `size` (pixels a side) and `channels`.
        output: Width of the output.
        base: Name of the backbone whose features the model reads, None for other models.
        temperature: Divisor of the logits (temperature scaling).
        thresholds: Decision thresholds by name.
        anchors: (cells a side, anchors a cell) of each feature map of a detector.
        box: Linear correction of a detector's boxes.
        crop: Side in pixels of the crops that a verifier reads, 0 for other models.
        reliability: Bins of the reliability diagram.
        evaluation: Figures by test set.
        metadata: The complete entry, as its JSON has it.
    """

    name: str
    role: str
    version: str
    file: str
    bytes: int
    sha256: str
    licence: str = ""
    input: Mapping[str, int] = field(default_factory=dict)
    output: int = 0
    base: str | None = None
    temperature: float = 1.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    anchors: tuple[tuple[int, int], ...] = ()
    box: Mapping[str, float] = field(default_factory=dict)
    crop: int = 0
    reliability: list[dict[str, Any]] = field(default_factory=list)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> ModelEntry:
        """Make an entry from its JSON object. Raises ModelFileError where a key is missing or a value is of another type."""
        check_entry(entry)
        known = {name: entry[name] for name in cls.__dataclass_fields__ if name in entry and name not in ("anchors", "metadata")}
        anchors = tuple((cells, count) for cells, count in entry.get("anchors", ()))
        known |= {part: _Values(f"{part} of the entry {entry['name']!r}", known.get(part, {})) for part in _Values.PARTS}
        return cls(**known, anchors=anchors, metadata=entry)


class _Values(dict[str, Any]):
    """An object of an entry; asking for a key that it lacks raises ModelFileError."""

    PARTS = ("input", "thresholds", "box")

    def __init__(self, title: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.title = title

    def __missing__(self, key: str) -> Any:
        raise ModelFileError(f"manifest.json: {self.title} lacks {key}")


class ModelRegistry:
    """The models of one folder, described by its `manifest.json`.

    Args:
        folder: Folder of the manifest; by default the models that ship with the package.
        source: `tree`, `folder`, `bucket` or `fallback`, as /api/v1/models reports it.

    Example:
        >>> from emotions import ModelRegistry
        >>> [entry.name for entry in ModelRegistry().entries("expression-head")]
        ['fer2013', 'ferplus', 'mixed']
    """

    def __init__(self, folder: Path = BUNDLED, source: str | None = None) -> None:
        self.folder = Path(folder)
        self.source = source or ("tree" if self.folder == BUNDLED else "folder")
        self._models: dict[tuple[str, str], LiteRTModel] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy, such as that of another process, gets: it loads its models itself."""
        return vars(self) | {"_models": {}}

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest's JSON, its entries joined with those of evaluation.json.

        Raises ModelFileError where the manifest is missing, malformed or of another schema.
        """
        path = self.folder / "manifest.json"
        try:
            manifest = read_json(path)
        except FileNotFoundError:
            raise ModelFileError(f"{path.name} is missing from {self.folder.name}/: restore it from the repository") from None
        entries, measured = check_manifest(manifest), self._measured()
        return {
            **manifest,
            "models": [{**entry, **measured.get((entry["role"], entry["name"]), {}), **entry} for entry in entries],
        }

    def _measured(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Entries of evaluation.json by role and name; empty without the file. Raises ModelFileError if it is malformed."""
        try:
            content = read_json(self.folder / EVALUATION)
            return {(entry["role"], entry["name"]): {**entry} for entry in content["models"]}
        except FileNotFoundError:
            return {}
        except (LookupError, TypeError) as error:
            raise ModelFileError(f"{EVALUATION} is not valid ({error}): restore it from the repository") from None

    @cached_property
    def fingerprint(self) -> str:
        """First 12 hexadecimal digits of the manifest's SHA-256: they identify the set of models."""
        return hashlib.sha256((self.folder / "manifest.json").read_bytes()).hexdigest()[:12]

    def entries(self, role: str | None = None) -> list[ModelEntry]:
        """List the manifest's entries, all or those of a role, in its order (the first of a role is the default)."""
        return [ModelEntry.from_json(entry) for entry in self.manifest["models"] if role in (None, entry.get("role"))]

    def entry(self, role: str, name: str | None = None) -> ModelEntry:
        """Return the entry with this role and name, or the first of the role. Raises ModelFileError if there is none."""
        entries = self.entries(role)
        for entry in entries:
            if name in (None, entry.name):
                return entry
        names = ", ".join(entry.name for entry in entries) or "none"
        raise ModelFileError(f"no {role} called {name!r} in the manifest; there is: {names}")

    def path(self, entry: ModelEntry) -> Path:
        """Return the path of the entry's file. Raises ModelFileError unless size and SHA-256 are the manifest's."""
        path = self.folder / entry.file
        try:
            with path.open("rb") as file:
                size, sha256 = os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ModelFileError(f"model file {entry.file}: {reason}; restore it from the repository") from None
        if (size, sha256) != (entry.bytes, entry.sha256):
            raise ModelFileError(
                f"model file {entry.file} is damaged ({size} bytes, {entry.bytes} expected, sha256 differs or not): "
                "restore it from the repository, or export it again so that the manifest follows"
            )
        return path

    def read(self, entry: ModelEntry) -> bytes:
        """Return the bytes of the entry's file. Raises ModelFileError as `path` does."""
        return self.path(entry).read_bytes()

    def model(self, entry: ModelEntry) -> LiteRTModel:
        """Return the entry's model, one for all callers; its file is read and checked on first use."""
        key = (entry.role, entry.name)
        if key not in self._models:
            threads = min(MAX_THREADS.get(entry.role, 1), available_cpus())
            self._models.setdefault(key, LiteRTModel(lambda: self.path(entry), threads))
        return self._models[key]

    def unload(self, roles: Collection[str], idle_seconds: float = 0.0) -> None:
        """Free the memory of the models of `roles` that have not been used for `idle_seconds`; the next use loads them again."""
        for (role, _), model in tuple(self._models.items()):
            if role in roles:
                model.unload(idle_seconds)

    def verify(self) -> None:
        """Read and check every file of the manifest, as a server does before it takes requests. Raises ModelFileError."""
        for entry in self.entries():
            self.path(entry)

    def check(self) -> None:
        """Check that every entry of the manifest has what its role is used with. Raises ModelFileError."""
        for entry in self.entries():
            check_needed(entry.metadata)
