"""Blueprint of API v1, and the decorator for endpoints that take JSON."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from apiflask import APIBlueprint
from flask import json, request

from ..http.problems import Problem

api = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="API v1")


def json_body(max_bytes: int) -> Callable[[Callable], Callable]:
    """Reject a body over `max_bytes`, of another media type than JSON, or of invalid JSON, each with its own problem code."""

    def decorate(view: Callable) -> Callable:
        @wraps(view)
        def checked(*args, **kwargs):
            request.max_content_length = max_bytes
            if not request.is_json:
                raise Problem("unsupported_media_type", "Send JSON with a Content-Type of application/json.")
            try:
                json.loads(request.get_data())
            except (ValueError, RecursionError):
                raise Problem("invalid_json") from None
            return view(*args, **kwargs)

        return checked

    return decorate
