"""What the API tells about itself: models, style, health."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emotions import EMOTIONS, ModelFileError, ModelRegistry
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


def test_style_is_that_of_annotate(client):
    assert client.get("/api/v1/style").json == json.loads(json.dumps(STYLE))
    assert list(STYLE["colours"]) == list(EMOTIONS)


def test_health(client):
    assert client.get("/health").json == {"status": "ok"}


def test_warm_up_loads_the_face_models():
    app = create_app()
    assert app.test_client().get("/_ah/warmup").json == {"status": "ready"}
    registry = app.extensions["analyzer"].registry
    roles = {entry.role for entry in registry.entries() if registry.model(entry).loaded}
    assert roles == {"detector", "landmarks", "expression-base", "expression-head", "drawn-head"}


def copy_of_models(folder: Path) -> Path:
    for file in MODELS.iterdir():
        (folder / file.name).symlink_to(file)
    return folder


@pytest.mark.parametrize("name", ["manifest.json", *(path.name for path in MODELS.glob("*.tflite"))])
def test_missing_or_damaged_file_prevents_the_start(tmp_path, name):
    file = copy_of_models(tmp_path) / name
    if f'"{name}"' not in (MODELS / "manifest.json").read_text() and name != "manifest.json":
        pytest.skip("a file that the manifest does not list")
    data = file.read_bytes()
    file.unlink()
    with pytest.raises(ModelFileError, match=f"{name}.*restore it from the repository"):
        create_app(registry=ModelRegistry(tmp_path))
    file.write_bytes(data[:-9])
    with pytest.raises(ModelFileError, match=f"{name}.*restore it from the repository"):
        create_app(registry=ModelRegistry(tmp_path))


def test_unknown_head_prevents_the_start():
    with pytest.raises(ModelFileError, match="no expression-head called 'vgg99' in the manifest; there is: .*mixed"):
        create_app({"EXPRESSION_HEAD": "vgg99"})
