"""What a platform asks an instance: is it alive, and make it ready."""

from __future__ import annotations

from apiflask import APIBlueprint

from ..inference import analyzer
from . import schemas

health = APIBlueprint("health", __name__, tag="Operation")


@health.get("/health")
@health.output(schemas.Status)
@health.doc(summary="Tell whether the process answers", operation_id="getHealth")
def alive() -> dict[str, str]:
    """Runs no model. (Google's front end swallows /healthz.)"""
    return {"status": "ok"}


@health.get("/_ah/warmup")
@health.doc(hide=True)
def warm_up() -> dict[str, str]:
    """App Engine asks this of a new instance before it sends visitors: read a real face, so that every model has run."""
    analyzer().warm_up()
    return {"status": "ready"}
