"""GET /api/v1/models and /api/v1/style."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from emotions import EMOTIONS
from emotions.face.annotate import STYLE
from web import create_app

MODELS = Path(__file__).resolve().parents[3] / "models"


def test_models_are_the_manifest_entries(client):
    response = client.get("/api/v1/models")
    entries = response.json["models"]
    manifest, evaluation = (
        {(entry["role"], entry["name"]): entry for entry in json.loads((MODELS / name).read_text(encoding="utf-8"))["models"]}
        for name in ("manifest.json", "evaluation.json")
    )
    joined = [entry | evaluation.get(key, {}) for key, entry in manifest.items()]
    assert [{name: entry[name] for name in entry if name != "served"} for entry in entries] == joined
    assert all(entry["licence"] for entry in entries)
    assert [entry["name"] for entry in entries if entry["role"] == "expression-head" and entry["served"]] == ["mixed"]


@pytest.mark.parametrize("path", ["/api/v1/models", "/api/v1/style"])
def test_only_answers_that_need_no_key_are_for_shared_caches(client, path):
    key = "k" * 43
    closed = create_app({"API_KEYS": (sha256(key.encode()).hexdigest(),)}).test_client()
    with_key = closed.get(path, headers={"Authorization": f"Bearer {key}"})
    assert client.get(path).headers["Cache-Control"] == "public, max-age=300"
    assert with_key.status_code == 200 and with_key.headers["Cache-Control"] == "private, max-age=300"


def test_style_is_that_of_annotate(client):
    assert client.get("/api/v1/style").json == json.loads(json.dumps(STYLE))
    assert list(STYLE["colours"]) == list(EMOTIONS)
