"""OpenAPI document, derived by APIFlask from the code and corrected by `fix_spec`, and Swagger UI at /docs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apiflask import APIFlask, Schema
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, render_template

from ..http.problems import CATALOGUE, MEDIA_TYPE
from . import schemas

VERSION = "1.0.0"
DESCRIPTION = """\
Send a photo or a video: every face is framed and labelled with seven calibrated probabilities. Send a text or a recording: it is
classified into the same seven emotions. Nothing is stored.

Errors are `application/problem+json` (RFC 9457) with a stable `code`; this document lists all codes under
`components/x-problems`. Every response carries `X-Request-Id` (yours, if you send one) and, where a model ran, `Server-Timing`.

A shown expression is not a felt emotion. In the European Union emotion recognition is forbidden at work and in education, and
who analyzes other people with this API must tell them so before their first picture or recording is sent (AI Act, Article
50(3)): that an AI system recognizes emotions from it, who runs it and what for."""

VIDEO_TYPES = ("application/x-ndjson", "video/mp4")
"""Media types of the response of POST /api/v1/video: NDJSON lines, or the annotated video."""

docs = Blueprint("docs", __name__)


@docs.get("/docs")
def swagger_ui() -> str:
    return render_template("docs.html")


def configure(app: APIFlask) -> None:
    app.config.update(
        DESCRIPTION=DESCRIPTION,
        SERVERS=[{"url": "/"}],  # relative: the document is cached and must not depend on the host of the first request
        AUTO_VALIDATION_ERROR_RESPONSE=False,  # each view lists its problems
    )
    app.spec_processor(fix_spec)  # type: ignore[arg-type]  # it is called with a str where the format is YAML
    app.register_blueprint(docs)


def fix_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """Add what APIFlask cannot derive: the problems, required bodies, and the bodies that carry a file."""
    spec["components"]["schemas"]["Problem"] = _json_schema(schemas.Problem)
    spec["components"]["x-problems"] = {
        code: {"status": status, "title": title, "description": meaning} for code, (status, title, meaning) in CATALOGUE.items()
    }
    for path in spec["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
            operation["responses"] |= problem_responses(operation.pop("x-problems", ()))
    image = spec["paths"]["/api/v1/image"]["post"]
    image["requestBody"] = image_body({option["name"]: option["schema"] for option in image["parameters"]})
    video = spec["paths"]["/api/v1/video"]["post"]
    options = {option["name"]: option["schema"] for option in video["parameters"]}
    video["requestBody"] = file_body(
        "MP4, MOV, WebM, MKV, AVI, MPEG, MPEG-TS, WMV, FLV, animated GIF, PNG, WebP", ("video/*",), options
    )
    video["responses"]["200"]["content"][VIDEO_TYPES[1]] = {"schema": {"type": "string", "format": "binary"}}
    speech = spec["paths"]["/api/v1/speech"]["post"]
    formats = "WAV, FLAC, MP3, M4A, Ogg, Opus, WebM, or the first audio track of a video; at most an hour"
    options = {option["name"]: option["schema"] for option in speech.get("parameters", ())}
    speech["requestBody"] = file_body(formats, ("audio/*",), options)
    return spec


def problem_responses(codes: Sequence[str]) -> dict[str, Any]:
    """Return a response for each status among the problems `codes`, and a default one."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = {}
    for status in sorted({CATALOGUE[code][0] for code in codes}):
        lines = [f"- `{code}`: {CATALOGUE[code][2]}" for code in codes if CATALOGUE[code][0] == status]
        responses[str(status)] = {"description": "\n".join(lines), "content": content}
    return responses | {"default": {"description": "Any other problem", "content": content}}


def image_body(options: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an endpoint that takes an image: a form with options, or the bytes of the image alone."""
    return file_body("JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF", ("image/*",), options)


def file_body(formats: str, kinds: Sequence[str], options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a body: a form with a file of one of `formats` and options, or the bytes alone with a media type of `kinds`."""
    raw = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "properties": {"file": raw | {"description": formats}} | (options or {}),
        "required": ["file"],
        "additionalProperties": False,
    }
    whole = {"schema": form, "encoding": {"file": {"contentType": ", ".join(kinds)}}}
    return {"required": True, "content": {"multipart/form-data": whole} | {kind: {"schema": raw} for kind in kinds}}


def _json_schema(schema: type[Schema]) -> dict[str, Any]:
    alone = APISpec("", "", "3.1.0", plugins=[MarshmallowPlugin()])
    alone.components.schema("It", schema=schema)
    return alone.to_dict()["components"]["schemas"]["It"]
