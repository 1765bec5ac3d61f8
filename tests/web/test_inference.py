"""Loading the models from a folder or a bucket, with logs, errors and the fallback."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from emotions import ModelFileError
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from scripts.deploy.appengine import free_port
from scripts.deploy.gcs_emulator import BUCKET, gcs_emulator
from scripts.release.publish import publish
from tests.storage import Relay, Storage
from web import create_app

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = f"gs://{BUCKET}/emotions/shipped"
BASE = ModelRegistry().entry("expression-base").file
COMMAND = [sys.executable, "-m", "gunicorn", "main:app"]


@pytest.fixture
def storage(monkeypatch, tmp_path) -> Iterator[Storage]:
    """Storage with the shipped models in a bucket; temporary files go to an empty folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("emotions.runtime.gcs.RETRY_DELAY", 0.01)
    with Storage() as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        publish(BUNDLED, f"gs://{BUCKET}/emotions", "shipped")
        server.requests.clear()
        yield server


def test_models_from_the_bucket(storage, photo, capsys):
    client = create_app({"MODELS": ADDRESS}).test_client()
    answer = client.post("/api/v1/image", data={"file": (BytesIO(photo), "photo.jpg")}).json
    assert [face["emotion"] for face in answer["faces"]] == ["happy"]
    models = client.get("/api/v1/models").json
    assert models["source"] == "bucket" and models["set"] == ModelRegistry().fingerprint
    assert client.get("/about").status_code == 200
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert line["severity"] == "INFO" and line["message"] == "models loaded from the bucket"
    assert line["models"]["address"] == ADDRESS and line["models"]["set"] == models["set"]
    count = len(storage.requests)
    create_app({"MODELS": ADDRESS})
    assert len(storage.requests) == count == len({entry.file for entry in ModelRegistry().entries()}) + 2, (
        "model files and both JSON files"
    )


def test_no_start_without_models(storage, capsys):
    storage.faults[f"emotions/shipped/{BASE}"] = [403]
    with pytest.raises(ModelFileError, match=f"{BASE}: may not be read"):
        create_app({"MODELS": ADDRESS})
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert line["severity"] == "ERROR" and "not starting" in line["message"]
    assert line["models"]["address"] == ADDRESS and "may not be read" in line["models"]["error"]


@pytest.mark.parametrize("fault", [404, "wrong"])
def test_fallback_to_the_models_of_the_tree(storage, photo, capsys, fault):
    storage.faults[f"emotions/shipped/{BASE}"] = [fault] * 3
    client = create_app({"MODELS": ADDRESS, "MODELS_FALLBACK": True}).test_client()
    answer = client.post("/api/v1/image", data={"file": (BytesIO(photo), "photo.jpg")}).json
    assert [face["emotion"] for face in answer["faces"]] == ["happy"]
    assert client.get("/api/v1/models").json["source"] == "fallback"
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (
        line["severity"] == "ERROR" and line["message"] == "loading models from the bucket failed: using the models of the tree"
    )
    assert line["models"]["error"].startswith(ADDRESS) and BASE in line["models"]["error"]


def test_bucket_without_the_head_prevents_the_start(storage):
    settings = {"MODELS": ADDRESS, "EXPRESSION_HEAD": "vgg99"}
    for fallback in (False, True):
        with pytest.raises(ModelFileError, match="no expression-head called 'vgg99'"):
            create_app(settings | {"MODELS_FALLBACK": fallback})


def test_models_from_a_folder(tmp_path):
    for file in BUNDLED.iterdir():
        (tmp_path / file.name).symlink_to(file)
    settings = {"MODELS": str(tmp_path), "MODELS_FALLBACK": True}
    assert create_app(settings).test_client().get("/api/v1/models").json["source"] == "folder"
    assert create_app().test_client().get("/api/v1/models").json["source"] == "tree"
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ModelFileError, match="manifest.json is missing"):
        create_app(settings)


def link_models(folder: Path) -> Path:
    for file in BUNDLED.iterdir():
        (folder / file.name).symlink_to(file)
    return folder


@pytest.mark.parametrize("name", ["manifest.json", *(path.name for path in BUNDLED.glob("*.tflite"))])
def test_missing_or_damaged_file_prevents_the_start(tmp_path, name):
    file = link_models(tmp_path) / name
    if f'"{name}"' not in (BUNDLED / "manifest.json").read_text(encoding="utf-8") and name != "manifest.json":
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


def test_apps_share_no_state():
    first, second = create_app(), create_app()
    for name in ("analyzer", "text", "speech", "video_slots", "feedback", "stopping"):
        assert first.extensions[name] is not second.extensions[name], name


@contextmanager
def server(folder: Path, **variables: str) -> Iterator[tuple[subprocess.Popen, int, Path]]:
    """Run gunicorn with `folder` for temporary files; yields its process, port and log file."""
    port, log = free_port(), folder.parent / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "--bind", f"127.0.0.1:{port}"], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT,
            env=os.environ | {"TMPDIR": str(folder), "MODELS": ADDRESS} | variables,
        )  # fmt: skip
    try:
        for _ in range(600):
            if process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield process, port, log
    finally:
        process.terminate()
        process.wait(30)


def ask(port: int, path: str, body: bytes | None = None) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST" if body else "GET", path, body, {"Content-Type": "image/jpeg"} if body else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def middle_of(file: str) -> int:
    """Number of bytes downloaded in the middle of the file."""
    entries = ModelRegistry().entries()
    place = [entry.file for entry in entries].index(file)
    return sum(entry.bytes for entry in entries[:place]) + entries[place].bytes // 2


@pytest.mark.slow
@pytest.mark.parametrize("fallback", ["1", "0"])
def test_storage_dies_while_the_server_starts(tmp_path, monkeypatch, photo, fallback):
    """The storage server dies in the middle of the largest file."""
    (scratch := tmp_path / "tmp").mkdir()
    with gcs_emulator() as (address, process):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        publish(BUNDLED, f"gs://{BUCKET}/emotions", "shipped")
        relay = Relay(int(address.rpartition(":")[2]), middle_of(BASE), process.kill)
        relay.start()
        with server(scratch, STORAGE_EMULATOR_HOST=relay.address, MODELS_FALLBACK=fallback) as (started, port, log):
            if fallback == "1":
                status, answer = ask(port, "/api/v1/image", photo)
                assert status == 200 and [face["emotion"] for face in answer["faces"]] == ["happy"]
                assert ask(port, "/api/v1/models")[1]["source"] == "fallback"
            else:
                assert started.wait(30) == 3, "exit status of gunicorn where the app does not load"
        relay.close()
        assert process.wait(10) == -9
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert f"{ADDRESS}/{BASE}: the connection failed or broke off" in lines[0]["models"]["error"]
    assert [path for path in scratch.rglob("*") if path.is_file() or path.suffix == ".part"] == [], "no partial files remain"


def test_a_set_of_models_for_faces_alone_serves_faces(tmp_path, photo):
    """A set of models that was trained on own faces has neither text nor speech: these addresses say so."""
    manifest = json.loads((BUNDLED / "manifest.json").read_text())
    for path in BUNDLED.iterdir():
        if path.name != "manifest.json":
            (tmp_path / path.name).symlink_to(path)
    manifest["models"] = [entry for entry in manifest["models"] if entry["role"] not in ("text", "speech", "speech-check")]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    client = create_app(registry=ModelRegistry(tmp_path)).test_client()
    assert client.post("/api/v1/image", data=photo, content_type="image/jpeg").status_code == 200
    answers = (
        client.post("/api/v1/text", json={"text": "I love it"}),
        client.post("/api/v1/speech", data=b"RIFF", content_type="audio/wav"),
    )
    for response in answers:
        assert response.status_code == 404 and json.loads(response.data)["code"] == "no_model"
