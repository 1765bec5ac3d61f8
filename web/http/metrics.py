"""Metrics of the server at /metrics, in the text format of Prometheus, where METRICS is 1.

Labels have few values, whatever clients send, and name no person: addresses are those of the application's routes, methods
those of HTTP, problems those of the catalogue. Each process counts for itself, from its start.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, request

from emotions import ModelRegistry

from .problems import CATALOGUE, Problem

METHODS = frozenset(("GET", "HEAD", "POST", "OPTIONS"))
STAGES = ("queue", "decode", "detect", "classify", "explain", "follow", "annotate", "read")
"""Names of Server-Timing."""
OTHER = "other"
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 300)
STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)

metrics = Blueprint("metrics", __name__)


class Metrics:
    """Counters and histograms of an application. Thread safe.

    Args:
        models: Its models.
    """

    def __init__(self, models: ModelRegistry) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

        # A registry for each application: the library's own is one for the process, and tests make several applications.
        self.registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        self._requests = Counter("emotions_requests", "Requests answered.", ["endpoint", "method", "status"], registry=own)
        self._seconds = Histogram(
            "emotions_request_seconds",
            "Time to answer a request, without its wait in the queue; of a streamed response up to its end.",
            ["endpoint"],
            buckets=REQUEST_BUCKETS,
            registry=own,
        )
        self._stages = Histogram(
            "emotions_stage_seconds", "Time of a stage, as in Server-Timing.", ["stage"], buckets=STAGE_BUCKETS, registry=own
        )
        self._faces = Counter("emotions_faces", "Faces found in pictures, by detector.", ["detector"], registry=own)
        self._problems = Counter("emotions_problems", "Problems answered, by code.", ["code"], registry=own)
        self._waiting = Gauge("emotions_queue_waiting", "Requests that wait for a thread.", ["lane"], registry=own)
        self._running = Gauge("emotions_queue_running", "Requests that a thread answers.", ["lane"], registry=own)
        model = Gauge(
            "emotions_model_info", "A model of the served set; always 1.", ["role", "name", "version", "set"], registry=own
        )
        for entry in models.entries():
            model.labels(entry.role, entry.name, entry.version, models.fingerprint).set(1)

    def watch_queue(self, queue: Any) -> None:
        """Show how many requests wait and run in the lanes of an AdmissionQueue, which the server has and not the application."""
        for lane in (queue.work, queue.quick):
            self._waiting.labels(lane.name).set_function(partial(_length, lane, "waiting"))
            self._running.labels(lane.name).set_function(partial(_length, lane, "running"))

    def count_request(self, endpoint: str, method: str, status: int) -> None:
        self._requests.labels(endpoint, method if method in METHODS else OTHER, str(status)).inc()

    def observe_request(self, endpoint: str, seconds: float) -> None:
        self._seconds.labels(endpoint).observe(seconds)

    def observe_stages(self, milliseconds: Mapping[str, float]) -> None:
        """Count the times of the stages of a request or of one of its files."""
        for stage, value in milliseconds.items():
            self._stages.labels(stage if stage in STAGES else OTHER).observe(value / 1e3)

    def count_faces(self, detector: str, faces: int) -> None:
        self._faces.labels(detector).inc(faces)

    def count_problem(self, code: str) -> None:
        self._problems.labels(code if code in CATALOGUE else OTHER).inc()


def _length(lane: Any, name: str) -> float:
    return len(getattr(lane, name))


def register(app: Flask) -> None:
    """Serve /metrics; without METRICS it is answered as an unknown address, and nothing is counted."""
    app.register_blueprint(metrics)
    app.extensions["metrics"] = None
    if app.config["METRICS"]:
        app.extensions["metrics"] = Metrics(app.extensions["analyzer"].registry)
        app.after_request(record)


def running_metrics() -> Metrics | None:
    """Return the metrics of the running app; None where they are off."""
    return current_app.extensions["metrics"]


@metrics.get("/metrics")
def show() -> Response:
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    counted = running_metrics()
    if counted is None:
        raise Problem("not_found")
    return Response(generate_latest(counted.registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def record(response: Response) -> Response:
    """Count the request, and its time now or, of a response that is made while it is sent, at its end."""
    counted: Metrics = current_app.extensions["metrics"]
    endpoint = request.url_rule.rule if request.url_rule is not None else OTHER
    start = g.start
    counted.count_request(endpoint, request.method, response.status_code)
    if "problem" in g:
        counted.count_problem(g.problem)
    if "faces" in g:
        counted.count_faces(g.detector, g.faces)
    counted.observe_stages(({"queue": g.waited_ms} if "waited_ms" in g else {}) | g.get("timing_ms", {}))
    if response.is_streamed and not response.direct_passthrough:  # Werkzeug does not say when a static file is sent
        response.call_on_close(lambda: counted.observe_request(endpoint, time.perf_counter() - start))
    else:
        counted.observe_request(endpoint, time.perf_counter() - start)
    return response
