"""The blueprint of API v1 and what its views share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from apiflask import APIBlueprint
from flask import json, request

from ..http.problems import Problem

api = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="API v1")


def json_body(max_bytes: int) -> Callable[[Callable], Callable]:
    """Refuse a body that is long, not said to be JSON, or not JSON, each with its own code."""

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
