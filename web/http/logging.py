"""Request ids, and one JSON log line per request on standard output in the format of Cloud Logging.

Log lines never contain image data, form fields, the query, addresses or user agents.
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

LOGGER = logging.getLogger("web")
REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{8,128}")
CLOUD_TRACE = re.compile(r"([0-9a-f]{32})(/[0-9]+)?(;.*)?")  # TRACE_ID/SPAN_ID;o=OPTIONS


class JsonFormatter(logging.Formatter):
    """Format a record as a JSON object: severity, time, message, and the dict passed as `extra={"fields": ...}`."""

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
    """Handler that looks up sys.stdout for every line, so that redirections after its creation take effect."""

    @property
    def stream(self):
        return sys.stdout

    @stream.setter
    def stream(self, _) -> None:
        """Ignore the stream: see the class."""


def register(app: Flask) -> None:
    LOGGER.setLevel(app.config["LOG_LEVEL"])
    LOGGER.propagate = False
    if not LOGGER.handlers:
        handler = StandardOutput()
        handler.setFormatter(JsonFormatter())
        LOGGER.addHandler(handler)
    app.before_request(start_request)
    app.after_request(finish_request)


def start_request() -> None:
    """Use the client's request id if it is well-formed, else the trace id, else a new one."""
    g.start = time.perf_counter()
    trace = CLOUD_TRACE.fullmatch(request.headers.get("X-Cloud-Trace-Context", ""))
    g.trace = trace[1] if trace else None
    client_id = request.headers.get("X-Request-Id", "")
    g.request_id = client_id if REQUEST_ID.fullmatch(client_id) else g.trace or uuid4().hex


def finish_request(response: Response) -> Response:
    """Add the request id and the processing times to the headers, and log the request."""
    response.headers["X-Request-Id"] = g.request_id
    timing = ({"queue": g.waited_ms} if "waited_ms" in g else {}) | g.get("timing_ms", {})
    if timing:
        response.headers["Server-Timing"] = ", ".join(f"{name};dur={value:.2f}" for name, value in timing.items())
    seconds = time.perf_counter() - g.start
    status = response.status_code
    level = logging.ERROR if status >= 500 else logging.WARNING if status >= 400 else logging.INFO
    LOGGER.log(level, "%s %s %d", request.method, request.path[:200], status, extra={"fields": _fields(response, seconds)})
    return response


def trace_fields() -> dict[str, str]:
    """Return the request id and, on Google Cloud, the trace of a log line."""
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
    for name in ("problem", "files", "faces", "detector", "timing_ms"):
        if name in g:
            fields[name] = g.get(name)
    if "exception" in g:
        fields["stack_trace"] = "".join(traceback.format_exception(g.exception))
    return fields
