"""Model files and the manifest for browsers that analyze faces themselves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from web import create_app
from web.http.static_files import IMMUTABLE, SHORT_LIVED

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.fixture
def manifest(client) -> dict:
    return client.get("/models/manifest.json").json


def test_every_file_of_the_manifest_is_served_as_it_is(client, manifest):
    """With its digest in its address, and so for ever."""
    for entry in manifest["models"]:
        response = client.get(f"/models/{entry['path']}", buffered=True)
        assert hashlib.sha256(response.data).hexdigest() == entry["sha256"] and len(response.data) == entry["bytes"]
        assert response.headers["Cache-Control"] == IMMUTABLE and response.mimetype == "application/octet-stream"
        assert entry["path"].startswith(entry["sha256"][:12])
        again = client.get(f"/models/{entry['path']}", headers={"If-None-Match": response.headers["ETag"]}, buffered=True)
        assert again.status_code == 304


def test_entries_are_those_of_the_models_that_read_faces(manifest):
    """All but texts, speech, and the heads that are not served."""
    original = {(entry["role"], entry["name"]): entry for entry in json.loads((MODELS / "manifest.json").read_text())["models"]}
    for entry in manifest["models"]:
        assert entry.items() >= original[entry["role"], entry["name"]].items()
    roles = [entry["role"] for entry in manifest["models"]]
    assert roles == [
        "detector", "detector", "landmarks", "expression-base", "expression-head", "drawn-head", "covered-head", "face-check",
    ]  # fmt: skip
    assert manifest["schema"] == 1 and manifest["head"] == "mixed"


def test_the_head_comes_with_the_figures_that_pages_show(manifest):
    (head,) = [entry for entry in manifest["models"] if entry["role"] == "expression-head"]
    assert {"low", "high", "count", "accuracy"} <= head["reliability"][0].keys()
    assert head["drawn_faces"].keys() == {"count", "accuracy"}


def test_the_served_head_is_the_one_of_the_manifest():
    client = create_app({"EXPRESSION_HEAD": "fer2013"}).test_client()
    manifest = client.get("/models/manifest.json").json
    heads = [entry["name"] for entry in manifest["models"] if entry["role"] == "expression-head"]
    assert heads == ["fer2013"] == [manifest["head"]]


def test_the_manifest_is_asked_for_again(client):
    response = client.get("/models/manifest.json")
    assert response.headers["Cache-Control"] == SHORT_LIVED
    assert client.get("/models/manifest.json", headers={"If-None-Match": response.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("name", ["../manifest.json", "a/../../app.yaml", "evaluation.json"])
def test_other_files_are_not_served(client, name):
    assert client.get(f"/models/{name}").status_code == 404


def test_a_file_is_served_at_its_own_address_alone(client, manifest):
    for entry in manifest["models"]:
        digest, file = entry["path"].split("/")
        for path in (file, f"{'0' * 12}/{file}", f"{digest}/manifest.json"):
            assert client.get(f"/models/{path}").status_code == 404, path


def test_heads_that_are_not_served_are_not_there(client, manifest):
    heads = [
        entry for entry in json.loads((MODELS / "manifest.json").read_text())["models"] if entry["role"] == "expression-head"
    ]
    others = [entry for entry in heads if entry["name"] != manifest["head"]]
    assert others
    for entry in others:
        assert client.get(f"/models/{entry['sha256'][:12]}/{entry['file']}").status_code == 404


def test_models_of_texts_and_speech_are_not_served(client):
    for entry in json.loads((MODELS / "manifest.json").read_text())["models"]:
        if entry["role"] in ("text", "speech", "speech-check"):
            assert client.get(f"/models/{entry['sha256'][:12]}/{entry['file']}").status_code == 404
