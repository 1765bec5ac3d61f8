"""The one writer of `models/manifest.json`: measures a model file and puts its entry in the manifest's order."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from emotions.runtime.manifest import SCHEMA

ROLES = (
    "detector",
    "landmarks",
    "expression-base",
    "expression-head",
    "drawn-head",
    "face-check",
    "text",
    "speech",
    "speech-check",
)
"""Order of the entries; a role that is not named here goes behind these. Within a role the first entry put stays first."""
REQUIRED = ("name", "role", "version", "file", "licence", "input", "output")


def put_entry(folder: Path, entry: dict[str, Any], data: bytes | Path) -> dict[str, Any]:
    """Put a model file and its manifest entry into `folder`, replacing the entry of that role and name; return the entry as written.

    `data` is the file's bytes or a path to them; they are written as `entry["file"]`, and `bytes` and `sha256` are computed
    here. Raises ValueError for an entry without one of REQUIRED, a file name with a folder in it, or a file that is already
    there with other bytes: a published version is never overwritten.
    """
    if missing := [key for key in REQUIRED if key not in entry]:
        raise ValueError(f"manifest entry {entry.get('name')!r} lacks {', '.join(missing)}")
    folder, content = Path(folder), data if isinstance(data, bytes) else Path(data).read_bytes()
    target = folder / entry["file"]
    if target.parent != folder:
        raise ValueError(f"a model file lies in the folder itself, not at {entry['file']!r}")
    if target.exists() and target.read_bytes() != content:
        raise ValueError(f"{target.name} exists with other bytes: raise the version instead of overwriting it")
    folder.mkdir(parents=True, exist_ok=True)
    _write(target, content)
    written = {**entry, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    _write(folder / "manifest.json", _with(folder, written))
    return written


def drop_entry(folder: Path, role: str, name: str) -> None:
    """Remove the entry of that role and name, if there is one, from the manifest; its file stays."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["models"] = [entry for entry in manifest["models"] if (entry["role"], entry["name"]) != (role, name)]
    _write(path, _encoded(manifest))


def _encoded(manifest: dict[str, Any]) -> bytes:
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def _with(folder: Path, entry: dict[str, Any]) -> bytes:
    path = folder / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"schema": SCHEMA, "models": []}
    models = manifest["models"]
    places = [place for place, other in enumerate(models) if (other["role"], other["name"]) == (entry["role"], entry["name"])]
    if places:
        models[places[0]] = entry
    else:
        models.append(entry)
    models.sort(key=lambda model: ROLES.index(model["role"]) if model["role"] in ROLES else len(ROLES))  # stable
    return _encoded(manifest)


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
