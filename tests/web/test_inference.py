"""A server whose models lie in a bucket: what it starts with, what it says, and what it does when they cannot be had."""

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
from scripts.deploy.gcs_emulator import BUCKET, storage_server
from scripts.release.publish import publish
from tests.storage import Relay, Storage
from web import create_app

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = f"gs://{BUCKET}/emotions/shipped"
BASE = ModelRegistry().entry("expression-base").file
COMMAND = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--workers", "1", "--threads", "4", "main:app"]


@pytest.fixture
def storage(monkeypatch, tmp_path) -> Iterator[Storage]:
    """The shipped models in a bucket, and an empty folder for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("emotions.runtime.gcs.RETRY_DELAY", 0.01)
    with Storage() as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        publish(BUNDLED, f"gs://{BUCKET}/emotions", "shipped")
        server.asked.clear()
        yield server


def test_models_from_the_bucket(storage, photo, capsys):
    client = create_app({"MODELS": ADDRESS}).test_client()
    answer = client.post("/api/v1/image", data={"file": (BytesIO(photo), "photo.jpg")}).json
    assert [face["emotion"] for face in answer["faces"]] == ["happy"]
    told = client.get("/api/v1/models").json
    assert told["source"] == "bucket" and told["set"] == ModelRegistry().fingerprint
    assert client.get("/about").status_code == 200
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert line["severity"] == "INFO" and line["message"] == "models loaded from the bucket"
    assert line["models"]["address"] == ADDRESS and line["models"]["set"] == told["set"]
    asked = len(storage.asked)
    create_app({"MODELS": ADDRESS})
    assert len(storage.asked) == asked == len({entry.file for entry in ModelRegistry().entries()}) + 1


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
    assert line["models"]["error"].startswith(f"{ADDRESS}/{BASE}: ")


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


@contextmanager
def server(folder: Path, **variables: str) -> Iterator[tuple[subprocess.Popen, int, Path]]:
    """gunicorn as it is started, with `folder` for temporary files; gives its process, its port and its log."""
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
    """Bytes that a fetch has taken when it is in the middle of the file."""
    entries = ModelRegistry().entries()
    place = [entry.file for entry in entries].index(file)
    return sum(entry.bytes for entry in entries[:place]) + entries[place].bytes // 2


@pytest.mark.parametrize("fallback", ["1", "0"])
def test_storage_dies_while_the_server_starts(tmp_path, monkeypatch, photo, fallback):
    """A real server starts from a real storage server, which dies in the middle of the largest file."""
    (scratch := tmp_path / "tmp").mkdir()
    with storage_server() as (address, process):
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
                assert started.wait(30) == 3, "what gunicorn ends with where the app does not load"
        relay.close()
        assert process.wait(10) == -9
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert f"{ADDRESS}/{BASE}: the connection failed or broke off" in lines[0]["models"]["error"]
    assert [path for path in scratch.rglob("*") if path.is_file() or path.suffix == ".part"] == [], "nothing half fetched stays"
