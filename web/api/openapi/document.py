"""OpenAPI document, derived by APIFlask from the code and corrected by `fix_spec`, and Swagger UI at /docs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from apiflask import APIFlask, Schema
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, render_template

from ...http.problems import CATALOGUE, MEDIA_TYPE, Problem
from .. import schemas
from .access import describe_access, describe_headers
from .bodies import describe_files
from .examples import SAMPLE_FILES, add_examples, recorded
from .named_types import name_types
from .snippets import NDJSON, code_samples

VERSION = "1.0.0"
DESCRIPTION = """\
Send a photo or a video: every face is framed and labelled with seven calibrated probabilities. Send a text or a recording: it is
classified into the same seven emotions. Nothing is stored.

Errors are `application/problem+json` (RFC 9457) with a stable `code`; this document lists all codes under
`components/x-problems`. Every response carries `X-Request-Id` (yours, if you send one) and, where a model ran, `Server-Timing`.

A shown expression is not a felt emotion. In the European Union emotion recognition is forbidden at work and in education, and
who analyzes other people with this API must tell them so before their first picture or recording is sent (AI Act, Article
50(3)): that an AI system recognizes emotions from it, who runs it and what for."""

VIDEO_TYPES = (NDJSON, "video/mp4")
"""Media types of the response of POST /api/v1/video: NDJSON lines, or the annotated video."""

EXAMPLE_ID = "0f8fad5bd9cb469fa16570867728950e"
"""Request id in the examples of problems."""

ORDER = ("/image", "/images", "/video", "/text", "/speech", "/feedback", "/models", "/style", "/health")
"""Ends of the paths, in the order of the document."""

REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Id of the request, which the answer and the log of the server repeat: 8 to 128 letters, digits and `_.:-`. "
    "Where it is missing or another, the server makes one.",
    "schema": {"type": "string"},
}
"""Header of every operation of the API. (An operation without optional parameters also breaks a generator, for Python.)"""

docs = Blueprint("docs", __name__)


@docs.get("/docs")
def swagger_ui() -> str:
    return render_template("docs.html", samples=sorted(set().union(*SAMPLE_FILES.values())))


PARTIAL = {
    "required": False,
    "schema": {"type": "string"},
    "description": "with `annotated`: why only the beginning of the video was analyzed, such as `time_limit`",
}
"""Header of an annotated video."""


def configure(app: APIFlask) -> None:
    app.config.update(
        DESCRIPTION=DESCRIPTION,
        SERVERS=[{"url": "/"}],  # relative: the document is cached and must not depend on the host of the first request
        AUTO_VALIDATION_ERROR_RESPONSE=False,  # each view lists its problems
    )
    app.spec_processor(fix_spec)  # type: ignore[arg-type]  # it is called with a str where the format is YAML
    app.register_blueprint(docs)


def fix_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """Add what APIFlask cannot derive: problems, required bodies, bodies that carry a file, examples and code samples."""
    spec["paths"] = {path: described for path, described in spec["paths"].items() if _is_api(described)}
    components = spec["components"]["schemas"]
    components["Problem"] = _json_schema(schemas.Problem)
    spec["components"]["x-problems"] = {
        code: {"status": status, "title": title, "description": meaning} for code, (status, title, meaning) in CATALOGUE.items()
    }
    describe_access(spec)
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            _fix_operation(path, operation, components)
    describe_headers(spec)
    video = spec["paths"]["/api/v1/video"]["post"]["responses"]["200"]
    video["content"][VIDEO_TYPES[1]] = {"schema": {"type": "string", "format": "binary"}}
    video["headers"] = {"X-Partial": PARTIAL}
    spec["paths"] = dict(sorted(spec["paths"].items(), key=lambda item: _position(item[0])))
    name_types(spec)
    return spec


def _fix_operation(path: str, operation: dict[str, Any], components: dict[str, Any]) -> None:
    name = operation.get("operationId", "")  # tests add routes without one
    for option in operation.get("parameters", ()):
        state_default(option, option["schema"])
    describe_files(operation)
    if path.startswith("/api/"):
        operation.setdefault("parameters", []).append(REQUEST_ID)
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
        for reference in _json_bodies(operation):
            for field in components[reference]["properties"].values():
                state_default(field, field)
    operation["responses"] |= problem_responses(operation.pop("x-problems", ()))
    success = next(iter(operation["responses"].values()))
    if NDJSON in success.get("content", {}):
        success["description"] = "NDJSON, a JSON object a line: the schema is that of each line"
    add_examples(operation)
    files = SAMPLE_FILES.get(name, ())
    if files:
        operation["x-sample-files"] = list(files)
    operation["x-codeSamples"] = code_samples(path, operation, files, recorded().get(name, {}).get("request"))


def _is_api(operations: dict[str, Any]) -> bool:
    """Return False for an address without named operations, such as that of a file at the root of the site."""
    return all("operationId" in operation for operation in operations.values())


def _position(path: str) -> int:
    """Return the place of a path in the document; unlisted ones come last."""
    return next((index for index, end in enumerate(ORDER) if path.endswith(end)), len(ORDER))


def _json_bodies(operation: dict[str, Any]) -> list[str]:
    """Return the names of the schemas of an operation's JSON body."""
    schema = operation["requestBody"]["content"].get("application/json", {}).get("schema", {})
    return [schema["$ref"].rpartition("/")[2]] if "$ref" in schema else []


def state_default(described: dict[str, Any], schema: dict[str, Any]) -> None:
    """Move the default of an option into its description: clients and Swagger UI would send it as if it were chosen."""
    if "default" in schema:
        default = json.dumps(schema.pop("default")).strip('"')
        described["description"] = f"{described.get('description', '')} Default: `{default}`.".lstrip()


def problem_responses(codes: Sequence[str]) -> dict[str, Any]:
    """Return a response for each status among the problems `codes`, with the first of them as example, and those of all others.

    These are ranges, not `default`, which generated clients would also read where a success has lines of NDJSON.
    """
    schema = {"$ref": "#/components/schemas/Problem"}
    responses = {}
    for status in sorted({CATALOGUE[code][0] for code in codes}):
        possible = [code for code in codes if CATALOGUE[code][0] == status]
        responses[str(status)] = {
            "description": "\n".join(f"- `{code}`: {CATALOGUE[code][2]}" for code in possible),
            "content": {MEDIA_TYPE: {"schema": schema, "example": Problem(possible[0]).to_json(EXAMPLE_ID)}},
        }
    for pattern, code in (("4XX", "bad_request"), ("5XX", "internal_error")):
        other = {"schema": schema, "example": Problem(code).to_json(EXAMPLE_ID)}
        responses[pattern] = {"description": "Any other problem", "content": {MEDIA_TYPE: other}}
    return responses


def _json_schema(schema: type[Schema]) -> dict[str, Any]:
    alone = APISpec("", "", "3.1.0", plugins=[MarshmallowPlugin()])
    alone.components.schema("It", schema=schema)
    return alone.to_dict()["components"]["schemas"]["It"]
