"""Named types of the OpenAPI document, so that generated clients have one type for what is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emotions import EMOTIONS
from emotions.face.detector import DETECTORS
from emotions.face.reliability import UNSURE_REASONS
from emotions.speech.results import REASONS as SPEECH_REASONS
from emotions.text.results import REASONS as TEXT_REASONS

ENUMS: dict[str, Sequence[str]] = {
    "Emotion": EMOTIONS,
    "Detector": DETECTORS,
    "UnsureReason": UNSURE_REASONS,
    "TextReason": TEXT_REASONS,
    "SpeechReason": SPEECH_REASONS,
}
OPEN_SCHEMAS = ("ModelEntry", "Style")
"""Schemas whose answers have fields beyond those that are described."""


def name_types(spec: dict[str, Any]) -> None:
    """Replace repeated lists of values by references, and close the types of answers.

    A nullable list of values becomes `anyOf` a reference and null, of which generators make an optional enumeration. Answers may
    gain fields, which is also the meaning of a schema that does not say so; said, it would allow generated types any field.
    """
    schemas = spec["components"]["schemas"]
    for name, schema in schemas.items():
        if name not in OPEN_SCHEMAS and schema.get("additionalProperties") is True:
            del schema["additionalProperties"]
    _replace(schemas)
    _replace(spec["paths"])
    schemas |= {name: {"type": "string", "enum": list(values)} for name, values in ENUMS.items()}


def _replace(node: Any) -> None:
    """Replace the lists of values inside of `node`, which is changed."""
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(child, dict) and (name := _name_of(child.get("enum"))):
            node[key] = _reference(name, child)
        elif key not in ("example", "examples"):
            _replace(child)


def _name_of(values: Any) -> str | None:
    """Return the name of a list of values, None if it has none."""
    given = [value for value in values if value is not None] if isinstance(values, list) else None
    return next((name for name, known in ENUMS.items() if list(known) == given), None)


def _reference(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    target = {"$ref": f"#/components/schemas/{name}"}
    described = {"description": schema["description"]} if "description" in schema else {}
    return described | ({"anyOf": [target, {"type": "null"}]} if None in schema["enum"] else target)
