"""Checks of manifest.json: an error is reported in one line when the file is read, not by the code that needs it later."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from ..labels import EMOTIONS

SCHEMA = 1
REQUIRED = ("name", "role", "version", "file", "bytes", "sha256")
"""Keys that every entry of a manifest has."""
MAX_BYTES = 64 * 2**20
"""Size of a manifest; the shipped one has 13 kB."""
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
SHA256 = re.compile(r"[0-9a-f]{64}")
NEEDED: dict[str, dict[str, tuple[str, ...]]] = {
    "landmarks": {"input": ("size",), "thresholds": ("score",)},
    "expression-base": {"input": ("size",)},
    "covered-head": {"thresholds": ("covered",)},
    "face-check": {"thresholds": ("face", "possible", "flatness")},
    "text": {"input": ("longest",), "thresholds": EMOTIONS},
    "speech": {"thresholds": ("too_short", "silence", "not_speech")},
    "blazeface-full-range": {
        "input": ("size",),
        "thresholds": ("score", "score_closer", "doubtful", "weak", "mesh"),
        "box": ("x", "y", "width", "height"),
    },
    "blazeface-back-camera": {
        "input": ("size",),
        "thresholds": ("score", "mesh", "mesh_evidence", "drawn_evidence", "drawn_flatness", "of_strongest"),
        "box": ("x", "y", "width", "height"),
    },
}
"""Keys that the models of a role, or of this name, are used with."""
WITH_BASE = ("expression-head", "drawn-head", "covered-head", "face-check")
"""Roles of the models that read the features of another one, their `base`."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12 and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value) and value >= 0


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _holds(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(of, value.values()))


def _is_anchors(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(_is_count, pair)) for pair in value
    )


KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "a text"),
    "role": (_is_text, "a text"),
    "version": (_is_text, "a text"),
    "file": (lambda value: isinstance(value, str) and bool(FILE_NAME.fullmatch(value)), "a plain file name"),
    "bytes": (lambda value: _is_count(value) and value > 0, "a number of bytes"),
    "sha256": (lambda value: isinstance(value, str) and bool(SHA256.fullmatch(value)), "64 hexadecimal digits"),
    "licence": (lambda value: isinstance(value, str), "a text"),
    "input": (_holds(lambda value: _is_count(value) and value > 0), "an object of whole numbers above 0"),
    "output": (_is_count, "a whole number"),
    "base": (lambda value: value is None or _is_text(value), "a text or null"),
    "temperature": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "thresholds": (_holds(_is_number), "an object of numbers"),
    "anchors": (_is_anchors, "a list of pairs of whole numbers"),
    "box": (_holds(_is_number), "an object of numbers"),
    "crop": (_is_count, "a whole number"),
    "reliability": (lambda value: isinstance(value, list) and all(map(_is_object, value)), "a list of objects"),
    "evaluation": (_holds(_is_object), "an object of objects"),
}
"""Key of an entry -> check of its value, and what it has to be."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises FileNotFoundError, and ModelFileError where it is malformed or cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES:,} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not an object")
        return content
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path.name} is not valid JSON ({error}): restore it from the repository") from None


def check_manifest(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the entries of a manifest. Raises ModelFileError where one is malformed or there twice."""
    if manifest.get("schema") != SCHEMA or isinstance(manifest["schema"], bool):
        raise ModelFileError(f"manifest.json has schema {manifest.get('schema')!r:.40}; this version reads schema {SCHEMA}")
    entries = manifest.get("models")
    if not isinstance(entries, list):
        raise ModelFileError("manifest.json: `models` must be a list of entries; restore it from the repository")
    seen = set()
    for number, entry in enumerate(entries, 1):
        check_entry(entry, number)
        if (key := (entry["role"], entry["name"])) in seen:
            raise ModelFileError(f"manifest.json: there are two entries {key[1]!r} of the role {key[0]!r}")
        seen.add(key)
    return entries


def check_entry(entry: Any, number: int | None = None) -> None:
    """Raise ModelFileError unless the JSON of an entry is an object with REQUIRED and values of the right KINDS."""
    place = f" {number}" if number else ""
    if not isinstance(entry, dict):
        raise ModelFileError(f"manifest.json: entry{place} is not an object; restore it from the repository")
    title = f"the entry {entry['name']!r}" if _is_text(entry.get("name")) else f"entry{place}"
    if missing := [key for key in REQUIRED if key not in entry]:
        raise ModelFileError(f"manifest.json: {title} lacks {', '.join(missing)}")
    for key, (is_kind, kind) in KINDS.items():
        if key in entry and not is_kind(entry[key]):
            raise ModelFileError(f"manifest.json: {key} of {title} must be {kind}; restore it from the repository")


def check_needed(entry: Mapping[str, Any]) -> None:
    """Raise ModelFileError unless an entry has the keys that its role is used with."""
    role = entry["role"]
    needed = ["licence", "output", *(["base"] if role in WITH_BASE else []), *(["anchors"] if role == "detector" else [])]
    if missing := [key for key in needed if not entry.get(key)]:
        raise ModelFileError(f"manifest.json: the entry {entry['name']!r} lacks {', '.join(missing)}")
    for part, keys in {**NEEDED.get(role, {}), **NEEDED.get(entry["name"], {})}.items():
        if missing := [key for key in keys if key not in entry.get(part, {})]:
            raise ModelFileError(f"manifest.json: {part} of the entry {entry['name']!r} lacks {', '.join(missing)}")
