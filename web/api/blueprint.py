"""Blueprint of API v1, and the decorator for endpoints that take JSON."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable
from functools import wraps

from apiflask import APIBlueprint
from flask import json, request

from ..http.problems import Problem

CHARSETS = ("utf-8", "utf8", "utf-8-sig", "us-ascii", "ascii")
"""Encodings that a Content-Type may name; JSON is always UTF-8 (RFC 8259), with or without a byte order mark."""

api = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="Emotions")


def json_body(max_bytes: int) -> Callable[[Callable], Callable]:
    """Reject a body over `max_bytes`, of another media type than JSON, or of invalid JSON, each with its own problem code.

    Options in the query are rejected too: they would be ignored without a word.
    """

    def decorate(view: Callable) -> Callable:
        @wraps(view)
        def checked(*args, **kwargs):
            request.max_content_length = max_bytes
            if name := next(iter(request.args), None):
                raise Problem("unknown_option", f"There is no option {name[:40]!r} in the query; options are in the JSON body.")
            if not request.is_json:
                raise Problem("unsupported_media_type", "Send JSON with a Content-Type of application/json.")
            charset = request.mimetype_params.get("charset", "utf-8").lower()
            if charset not in CHARSETS:
                raise Problem("invalid_json", "Send JSON in UTF-8.")
            body = request.get_data().removeprefix(BOM_UTF8)
            request._cached_data = body  # what the schema is read from: its parser takes no byte order mark
            try:
                json.loads(body.decode())  # bytes would be read as UTF-16 and UTF-32 too
            except UnicodeDecodeError:
                raise Problem("invalid_json", "The body is not in UTF-8.") from None
            except (ValueError, RecursionError):
                raise Problem("invalid_json") from None
            return view(*args, **kwargs)

        return checked

    return decorate
