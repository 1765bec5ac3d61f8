"""Clients generated from the OpenAPI document, in Python and TypeScript, call every operation of a running server."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest

from web.api.openapi.examples import SAMPLE_FILES

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "static" / "samples"
PACKAGE = "emotion_detector_client"
TYPESCRIPT = Path(__file__).parent / "typescript"
FEEDBACK = {"shown": "happy", "said": "sad", "confidence": 0.9, "model": "vgg16/mixed 1.0.0"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of the app, served as `make run` does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "gunicorn", "--bind", address, "main:app"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(f"http://{address}/health")
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(30)


def wait_for(url: str, seconds: float = 120) -> None:
    """Return when the address answers. Raises OSError where it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.fixture(scope="module")
def document(server, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    with urllib.request.urlopen(f"{server}/openapi.json") as response:
        path.write_bytes(response.read())
    return path


def operation_ids(document: Path) -> set[str]:
    paths = json.loads(document.read_text(encoding="utf-8"))["paths"]
    return {operation["operationId"] for path in paths.values() for operation in path.values()}


@pytest.fixture(scope="module")
def package(document, tmp_path_factory) -> Iterator[ModuleType]:
    """The package that openapi-python-client generates."""
    folder = tmp_path_factory.mktemp("python")
    config = folder / "config.json"
    config.write_text(json.dumps({"post_hooks": []}), encoding="utf-8")
    generator = Path(sys.executable).with_name("openapi-python-client")
    command = [generator, "generate", "--path", document, "--config", config, "--meta", "none", "--output-path", folder / PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield importlib.import_module(PACKAGE)
    sys.path.remove(str(folder))


@pytest.fixture
def python_client(package, server):
    with package.Client(base_url=server, timeout=60) as client:
        yield client


def part(package: str, name: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.{package}.{name}")


def uploads(operation: str) -> list:
    """Return the sample files of an operation as the client's files."""
    files = importlib.import_module(f"{PACKAGE}.types")
    kinds = {".jpg": "image/jpeg", ".png": "image/png", ".mp4": "video/mp4", ".flac": "audio/flac"}
    return [
        files.File(BytesIO((SAMPLES / name).read_bytes()), name, kinds[Path(name).suffix]) for name in SAMPLE_FILES[operation]
    ]


def body_of(operation: str, **fields: object):
    """Return the generated form of an operation."""
    models = importlib.import_module(f"{PACKAGE}.models")
    names = [f"{operation}FilesBody", f"{operation}Body"]
    (form,) = [getattr(models, name[0].upper() + name[1:]) for name in names if hasattr(models, name[0].upper() + name[1:])]
    return form(**fields)


def test_python_client_calls_every_operation(python_client, document):
    models = importlib.import_module(f"{PACKAGE}.models")
    called = set()

    def call(name: str, tag: str = "emotions", **arguments: object):
        called.add(name)
        module = "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)
        return part(f"api.{tag}", module).sync_detailed(client=python_client, **arguments)

    form = body_of("readImage", file=uploads("readImage")[0], tracks="")
    image = call("readImage", body=form, landmarks=True, detector=models.Detector.BLAZEFACE, time=1.5).parsed
    face = image.faces[0]
    assert face.emotion is models.Emotion.HAPPY and face.unsure is None and len(face.landmarks) == 468 and image.tracks
    assert call("readImage", body=uploads("readImage")[0]).parsed.faces[0].box == face.box  # as application/octet-stream
    speech = call("readSpeech", body=body_of("readSpeech", file=uploads("readSpeech")[0])).parsed
    assert isinstance(speech, models.SpeechResponse) and speech.segments
    text = call("readText", body=models.TextRequest(text=["I love it, thank you so much!", "What a sad day."])).parsed
    assert [result.emotion for result in text.results] == [models.Emotion.HAPPY, models.Emotion.SAD]
    sent = call("sendFeedback", body=models.Feedback.from_dict(FEEDBACK))
    assert sent.status_code == 204
    assert all(entry.sha256 for entry in call("listModels").parsed.models)
    assert call("getStyle").parsed.colours.additional_properties["happy"].startswith("#")
    assert call("getHealth", "operation").parsed.status == "ok"
    lines = lines_of(call("readVideo", body=body_of("readVideo", file=uploads("readVideo")[0]), fps=2.0), models.VideoLine)
    assert lines[0].faces[0].emotion in models.Emotion and lines[-1].summary.frames == len(lines) - 1
    lines = lines_of(call("readImages", body=body_of("readImages", file=uploads("readImages"))), models.ImagesLine)
    assert [line.index for line in lines] == [0, 1] and all(line.result.faces for line in lines)
    assert called == operation_ids(document)


def lines_of(response, model) -> list:
    """Read the NDJSON of an answer, which the client leaves as bytes."""
    assert response.status_code == 200
    return [model.from_dict(json.loads(line)) for line in response.content.splitlines()]


def test_python_client_returns_problems(python_client, package):
    models = importlib.import_module(f"{PACKAGE}.models")
    text = importlib.import_module(f"{PACKAGE}.types").File(BytesIO(b"words"), "a.jpg", "image/jpeg")
    problem = part("api.emotions", "read_image").sync(client=python_client, body=body_of("readImage", file=text))
    assert isinstance(problem, models.Problem) and problem.code == "not_an_image" and problem.status == 422


@pytest.fixture(scope="module")
def typescript(document, tmp_path_factory) -> Path:
    """Folder of the compiled TypeScript client and of the program that uses it."""
    for program in ("java", "node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not on this machine")
    folder = tmp_path_factory.mktemp("typescript")
    generator = Path(sys.executable).with_name("openapi-generator-cli")
    command = [generator, "generate", "-g", "typescript-fetch", "-i", document, "-o", folder / "client"]
    run([*command, "--additional-properties=importFileExtension=.js"], folder)
    for source in TYPESCRIPT.iterdir():
        shutil.copy(source, folder)
    installed = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"npm cannot install TypeScript: {installed.stderr[-200:]}")
    run(["node_modules/.bin/tsc"], folder)
    return folder


def run(command: list, folder: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_typescript_client_calls_every_operation(typescript, server, document):
    called = json.loads(run(["node", "build/use.js"], typescript, SERVER=server, SAMPLES=str(SAMPLES)))
    assert set(called) == operation_ids(document)
    assert called["readImage"] == {"emotion": "happy", "landmarks": 468, "tracks": True}
    assert called["readText"] == ["happy", "sad"]
    assert called["readVideo"]["frames"] == called["readVideo"]["lines"] - 1 > 0
    assert called["readImages"] == [0, 1]
    assert called["readSpeech"] > 0 and called["listModels"] > 0
    assert called["getHealth"] == "ok" and called["getStyle"].startswith("#") and called["sendFeedback"] == 204
