"""Bodies of requests that carry files, in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...http.uploads import MAX_FILES, OCTETS

PICTURES = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF"
FILE_BODIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "readImage": (PICTURES, ("image/*",)),
    "readVideo": ("MP4, MOV, WebM, MKV, AVI, MPEG, MPEG-TS, WMV, FLV, animated GIF, PNG, WebP", ("video/*",)),
    "readSpeech": ("WAV, FLAC, MP3, M4A, Ogg, Opus, WebM, or the first audio track of a video; at most an hour", ("audio/*",)),
}
"""Operation that takes one file -> its formats, and the media types of a body that is the file."""

FORM_OPTIONS = ("tracks",)
"""Options described as fields of the form, since they may be too long for an address; all others are described in the query.

The server takes each in either place. Described twice, an option would be two parameters of a generated client, and Swagger UI
would send both.
"""


def describe_files(operation: dict[str, Any]) -> None:
    """Describe the body of an operation that takes files, and move the options of its form there."""
    name = operation["operationId"]
    if name in FILE_BODIES:
        fields = {option["name"]: option for option in operation.get("parameters", ()) if option["name"] in FORM_OPTIONS}
        operation["parameters"] = [option for option in operation.get("parameters", ()) if option["name"] not in fields]
        operation["requestBody"] = file_body(*FILE_BODIES[name], {key: form_field(option) for key, option in fields.items()})
    elif name == "readImages":
        operation["requestBody"] = files_body(PICTURES)


def form_field(option: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an optional field of a form; its example is empty, which Swagger UI does not send."""
    return option["schema"] | {"description": option["description"], "example": ""}


def file_body(formats: str, kinds: Sequence[str], fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a body: a form with a file of one of `formats` and further fields, or the bytes alone with a type of `kinds`."""
    raw = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "properties": {"file": raw | {"description": formats}} | (fields or {}),
        "required": ["file"],
        "additionalProperties": False,
    }
    whole = {"schema": form, "encoding": {"file": {"contentType": ", ".join(kinds)}}}
    bodies = {kind: {"schema": raw} for kind in (*kinds, OCTETS)}
    description = "A form with the file, or the bytes of the file alone."
    return {"description": description, "required": True, "content": {"multipart/form-data": whole} | bodies}


def files_body(formats: str) -> dict[str, Any]:
    """Return a body: a form with one or more files of `formats`."""
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1, "maxItems": MAX_FILES}
    files["description"] = formats
    form = {"type": "object", "properties": {"file": files}, "required": ["file"], "additionalProperties": False}
    whole = {"schema": form, "encoding": {"file": {"contentType": "image/*"}}}
    return {"description": "A form with the files.", "required": True, "content": {"multipart/form-data": whole}}
