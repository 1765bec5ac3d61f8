"""Budget of processor time of each request, and its end where the client has gone or the server is being stopped.

The server (web/server) puts three things into the environment of a request: a problem that it has found itself, the seconds that
the request waited for a thread, and a function that tells whether the client has closed the connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask, current_app, g, request

from emotions.runtime.time_budget import TimeBudget

from .problems import Problem

SETTINGS = {
    **dict.fromkeys(("/", "/share", "/api/v1/image"), "PHOTO_SECONDS"),
    "/api/v1/images": "IMAGES_SECONDS",
    "/api/v1/video": "VIDEO_SECONDS",
    **dict.fromkeys(("/text", "/api/v1/text"), "TEXT_SECONDS"),
    **dict.fromkeys(("/speech", "/api/v1/speech"), "SPEECH_SECONDS"),
}
"""Address -> setting with its seconds of processor time."""


def register(app: Flask) -> None:
    app.extensions["stopping"] = threading.Event()
    app.before_request(begin)
    app.teardown_request(end)


def begin() -> None:
    """Start the request's time budget. Raises the Problem that the server has found in the request."""
    environ = request.environ
    if "emotions.waited" in environ:
        g.waited_ms = environ["emotions.waited"] * 1e3
    setting = SETTINGS.get(request.path)
    g.budget = TimeBudget(current_app.config[setting] if setting else None, stop_reason())
    g.budget.__enter__()
    if "emotions.problem" in environ:
        found = environ["emotions.problem"]
        raise Problem(found["code"], found["detail"], headers=found["headers"])


def stop_reason() -> Callable[[], str | None]:
    """Return the function that tells a running request why it should end now, if it should."""
    gone = request.environ.get("waitress.client_disconnected")
    stopping: threading.Event = current_app.extensions["stopping"]

    def reason() -> str | None:
        if gone is not None and gone():
            return "client_gone"
        return "shutting_down" if stopping.is_set() else None

    return reason


def end(_: BaseException | None) -> None:
    if "budget" in g:
        g.budget.__exit__(None, None, None)
