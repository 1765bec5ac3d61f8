"""Health check and warm-up request of the hosting platform."""

from __future__ import annotations

from apiflask import APIBlueprint

from ..inference import analyzer
from . import schemas

health = APIBlueprint("health", __name__, tag="Operation")


@health.get("/health")
@health.output(schemas.Status)
@health.doc(summary="Health check", operation_id="getHealth")
def health_check() -> dict[str, str]:
    """Report that the process responds; no model runs. (Google's front end intercepts /healthz.)"""
    return {"status": "ok"}


@health.get("/_ah/warmup")
@health.doc(hide=True)
def warm_up() -> dict[str, str]:
    """Run every model once on a sample face; App Engine requests this of a new instance before it routes traffic to it."""
    analyzer().warm_up()
    return {"status": "ready"}
