"""Health check and warm-up request."""

from __future__ import annotations

from web import create_app


def test_health(client):
    assert client.get("/health").json == {"status": "ok"}


def test_warm_up_loads_the_face_models():
    app = create_app()
    assert app.test_client().get("/_ah/warmup").json == {"status": "ready"}
    registry = app.extensions["analyzer"].registry
    roles = {entry.role for entry in registry.entries() if registry.model(entry).loaded}
    assert roles == {"detector", "landmarks", "expression-base", "expression-head", "drawn-head", "covered-head"}
