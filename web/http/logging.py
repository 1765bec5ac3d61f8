"""A request id for every request and one JSON line for each on standard output, as Cloud Logging reads it.

A line never holds picture data, form fields, the query, addresses or user agents: only what the request was and how it went.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from flask import Flask, Response, current_app, g, request

from .problems import Problem

LOGGER = logging.getLogger("web")
REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{8,128}")
CLOUD_TRACE = re.compile(r"([0-9a-f]{32})(/[0-9]+)?(;.*)?")  # TRACE_ID/SPAN_ID;o=OPTIONS, as Google's front end sends it


class JsonFormatter(logging.Formatter):
    """One JSON object a record: severity, time, message, and the dict given as `extra={"fields": ...}`."""

    def format(self, record: logging.LogRecord) -> str:
        body: dict[str, Any] = {
            "severity": record.levelname,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "message": record.getMessage(),
        }
        body |= getattr(record, "fields", {})
        if record.exc_info:
            body["stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=True)


class StandardOutput(logging.StreamHandler):
    """Writes to whatever standard output is at that moment."""

    @property
    def stream(self):
        return sys.stdout

    @stream.setter
    def stream(self, _) -> None:
        """Standard output is looked up anew for every line."""


def register(app: Flask) -> None:
    LOGGER.setLevel(app.config["LOG_LEVEL"])
    LOGGER.propagate = False
    if not LOGGER.handlers:
        handler = StandardOutput()
        handler.setFormatter(JsonFormatter())
        LOGGER.addHandler(handler)
    app.before_request(begin)
    app.after_request(finish)


def begin() -> None:
    """Take the caller's request id if it is a sane one, else the trace's, else a new one."""
    g.begun = time.perf_counter()
    trace = CLOUD_TRACE.fullmatch(request.headers.get("X-Cloud-Trace-Context", ""))
    g.trace = trace[1] if trace else None
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else g.trace or uuid4().hex


def finish(response: Response) -> Response:
    """Return the request id and the stages' times, and write the request's line."""
    response.headers["X-Request-Id"] = g.request_id
    timing = g.get("timing_ms", {})
    if timing:
        response.headers["Server-Timing"] = ", ".join(f"{name};dur={value:.2f}" for name, value in timing.items())
    seconds = time.perf_counter() - g.begun
    status = response.status_code
    level = logging.ERROR if status >= 500 else logging.WARNING if status >= 400 else logging.INFO
    LOGGER.log(level, "%s %s %d", request.method, request.path[:200], status, extra={"fields": _fields(response, seconds)})
    return response


def trace_fields() -> dict[str, str]:
    """The request id and, on Google Cloud, the trace that a line belongs to."""
    fields = {"request_id": g.request_id}
    project = current_app.config["GOOGLE_CLOUD_PROJECT"]
    if g.trace and project:
        fields["logging.googleapis.com/trace"] = f"projects/{project}/traces/{g.trace}"
    return fields


def _fields(response: Response, seconds: float) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "httpRequest": {
            "requestMethod": request.method,
            "requestUrl": request.path[:200],
            "requestSize": str(request.content_length or 0),
            "status": response.status_code,
            "responseSize": str(response.content_length or 0),
            "latency": f"{seconds:.6f}s",
            "protocol": request.environ.get("SERVER_PROTOCOL", ""),
        },
        **trace_fields(),
    }
    for name in ("problem", "faces", "detector", "timing_ms"):
        if name in g:
            fields[name] = g.get(name)
    if "exception" in g:
        fields["stack_trace"] = "".join(traceback.format_exception(g.exception))
    return fields


# "Was this right?": one log line an answer, so that errors can be counted without keeping anybody's picture.

FEEDBACK_LOGGER = logging.getLogger("web.feedback")
FEEDBACK_LOGGER.setLevel(logging.INFO)  # its own level: LOG_LEVEL=warning quietens the requests, not what people said


def record_feedback(feedback: dict[str, Any]) -> None:
    """Write what `schemas.Feedback` let through as one log line. Raises Problem where FEEDBACK=0."""
    if not current_app.config["FEEDBACK"]:
        raise Problem("feedback_off")
    FEEDBACK_LOGGER.info("feedback", extra={"fields": {"feedback": feedback, **trace_fields()}})
