"""Writer of `models/manifest.json` (what a server needs) and `models/evaluation.json` (what was measured).

`emotions.runtime.manifest.ModelRegistry` reads both and joins their entries.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emotions.runtime.manifest import EVALUATION
from emotions.runtime.manifest_schema import SCHEMA

ROLES = (
    "detector",
    "landmarks",
    "expression-base",
    "expression-head",
    "drawn-head",
    "covered-head",
    "face-check",
    "text",
    "speech",
    "speech-check",
)
"""Order of the entries; other roles follow. Within a role the entry that was added first stays first."""
REQUIRED = ("name", "role", "version", "file", "licence", "input", "output")
MEASURED = (
    "chosen",
    "reliability",
    "quantisation",
    "evaluation",
    "behavior",
    "conditions",
    "families",
    "through_api",
    "portraits",
    "doubts",
    "measured",
    "failures",
    "fitted",
    "refused",
)
"""Fields of an entry that are stored in evaluation.json."""


def put_entry(folder: Path, entry: Mapping[str, Any], data: bytes | Path) -> dict[str, Any]:
    """Add a model file and its entry to `folder`, replacing the entry of that role and name.

    Args:
        folder: folder of the manifest.
        entry: all fields, those in MEASURED included; `bytes` and `sha256` are computed here.
        data: the file's bytes or a path to them; they are written as `entry["file"]`.

    Returns:
        The complete entry as written.

    Raises:
        ValueError: if a field of REQUIRED is missing, the file name contains a folder, or the file exists with other bytes (a
            published version is never overwritten).
    """
    if missing := [key for key in REQUIRED if key not in entry]:
        raise ValueError(f"manifest entry {entry.get('name')!r} lacks {', '.join(missing)}")
    folder, content = Path(folder), data if isinstance(data, bytes) else Path(data).read_bytes()
    target = folder / entry["file"]
    if target.parent != folder:
        raise ValueError(f"a model file must lie in the folder itself, not at {entry['file']!r}")
    if target.exists() and target.read_bytes() != content:
        raise ValueError(f"{target.name} exists with other bytes: raise the version instead of overwriting it")
    folder.mkdir(parents=True, exist_ok=True)
    _write(target, content)
    written = {**entry, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    entries = read_entries(folder)
    places = [place for place, other in enumerate(entries) if _key(other) == _key(written)]
    if places:
        entries[places[0]] = written
    else:
        entries.append(written)
    entries.sort(key=lambda model: ROLES.index(model["role"]) if model["role"] in ROLES else len(ROLES))  # stable
    write_entries(folder, entries)
    return written


def drop_entry(folder: Path, role: str, name: str) -> None:
    """Remove the entry of that role and name, if there is one, from the manifest; its file stays."""
    write_entries(folder, [entry for entry in read_entries(folder) if _key(entry) != (role, name)])


def read_entries(folder: Path) -> list[dict[str, Any]]:
    """Complete entries of a folder, joined from both files; empty without a manifest."""
    if not (folder / "manifest.json").exists():
        return []
    entries = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["models"]
    path = folder / EVALUATION
    measured = json.loads(path.read_text(encoding="utf-8"))["models"] if path.exists() else []
    by_key = {_key(entry): entry for entry in measured}
    return [{**entry, **by_key.get(_key(entry), {})} for entry in entries]


def write_entries(folder: Path, entries: list[dict[str, Any]]) -> None:
    """Write complete entries to both files; evaluation.json exists only if something was measured."""
    served = [{key: value for key, value in entry.items() if key not in MEASURED} for entry in entries]
    measured = [
        {"name": entry["name"], "role": entry["role"]} | {key: entry[key] for key in MEASURED if key in entry}
        for entry in entries
        if any(key in entry for key in MEASURED)
    ]
    manifest: dict[str, Any] = {"schema": SCHEMA, "models": served}
    if measured:
        content = _encoded({"schema": SCHEMA, "models": measured})
        digest = hashlib.sha256(content).hexdigest()
        manifest["evaluation"] = {"file": EVALUATION, "bytes": len(content), "sha256": digest}
        _write(folder / EVALUATION, content)
    else:
        (folder / EVALUATION).unlink(missing_ok=True)
    _write(folder / "manifest.json", _encoded(manifest))


def _key(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["role"], entry["name"]


def _encoded(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    """Write by rename, so that a reader never sees half a file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, 0o644)  # mkstemp makes it private; a server under another user reads it
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
