"""Keys and the rate limit in the OpenAPI document, which is the same whether a server uses them or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SCHEME = "key"
DESCRIPTION = (
    "A key of the API, as `Authorization: Bearer KEY`. It is needed where the server runs with the setting API_KEYS, and ignored "
    "elsewhere."
)
PROBLEMS = ("unauthorized", "rate_limited")
"""Problems of every operation of the API, where the server has keys or a limit."""
HEADERS = {
    "401": ("WWW-Authenticate", True, {"type": "string"}, "`Bearer`"),
    "429": ("Retry-After", True, {"type": "integer"}, "seconds after which to try again"),
    "503": ("Retry-After", False, {"type": "integer"}, "seconds after which to try again, with `busy`"),
}
"""Status -> header, whether it is always sent, its schema and meaning."""


def describe_access(spec: dict[str, Any]) -> None:
    """Add the key, which may be missing, and the problems to every operation of the API, whose `x-problems` are not used yet."""
    spec["components"]["securitySchemes"] = {SCHEME: {"type": "http", "scheme": "bearer", "description": DESCRIPTION}}
    for operation in _operations(spec):
        operation["security"] = [{}, {SCHEME: []}]
        operation["x-problems"] = (*operation.get("x-problems", ()), *PROBLEMS)


def describe_headers(spec: dict[str, Any]) -> None:
    """Add the headers of the problems to the responses."""
    for operation in _operations(spec):
        for status, (name, required, schema, meaning) in HEADERS.items():
            if response := operation["responses"].get(status):
                response["headers"] = {name: {"required": required, "schema": schema, "description": meaning}}


def _operations(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the operations of the API, without those of operation such as /health."""
    for path, operations in spec["paths"].items():
        if path.startswith("/api/v1/"):
            yield from operations.values()
