"""Uploads to the real server: gunicorn with one worker and threads, as on App Engine."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "gunicorn", "main:app"]


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> Iterator[int]:
    """Port of a running server, whose temporary folder must be empty at the end."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        number = place.getsockname()[1]
    scratch = tmp_path_factory.mktemp("tmp")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"TMPDIR": str(scratch)}
    server = subprocess.Popen([*COMMAND, "--bind", f"127.0.0.1:{number}"], cwd=ROOT, env=environment, **quiet)
    for _ in range(300):
        time.sleep(0.1)
        assert server.poll() is None, "the server stopped while starting"
        try:
            socket.create_connection(("127.0.0.1", number)).close()
            break
        except ConnectionRefusedError:
            continue
    yield number
    left = list(scratch.iterdir())
    server.terminate()
    server.wait(30)
    assert left == []


@pytest.fixture
def connection(port) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    yield connection
    connection.close()


@pytest.mark.parametrize("keep", ["keep-alive", "close"])
def test_oversized_body_gets_a_response(connection, keep):
    """A response sent before the body is read must reach the client."""
    connection.request("POST", "/api/v1/image", bytes(33 * 2**20), {"Content-Type": "image/jpeg", "Connection": keep})
    response = connection.getresponse()
    body = json.loads(response.read())
    assert response.status == 413 and body["code"] == "file_too_large" and "33 MB" in body["detail"]


def test_oversized_chunked_body(connection):
    chunks = (bytes(2**20) for _ in range(33))
    connection.request("POST", "/api/v1/image", chunks, {"Content-Type": "image/jpeg"}, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 413 and json.loads(response.read())["code"] == "file_too_large"


def test_chunked_photo(connection, photo):
    connection.request("POST", "/api/v1/image", iter([photo[:1000], photo[1000:]]), {"Content-Type": "image/jpeg"})
    response = connection.getresponse()
    assert response.status == 200 and len(json.loads(response.read())["faces"]) == 1


def test_large_upload_is_not_written_to_disk(app, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a temporary file")

    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' + bytes(5 * 2**20) + b"\r\n--x--\r\n"
    for module in ("tempfile", "werkzeug.formparser"):
        for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
            if hasattr(sys.modules[module], name):
                monkeypatch.setattr(f"{module}.{name}", refuse)
    response = app.test_client().post("/api/v1/image", data=form, content_type="multipart/form-data; boundary=x")
    assert response.status_code == 422 and json.loads(response.data)["code"] == "not_an_image"


@pytest.mark.parametrize("path", ["/api/v1/image", "/api/v1/video", "/api/v1/speech", "/", "/share", "/text", "/feedback"])
@pytest.mark.parametrize("part", ["form-data", 'form-data; filename="a.jpg"', "form-data; filename*=utf-8''%ff", "attachment"])
def test_parts_without_a_name(app, path, part):
    form = f"--x\r\nContent-Disposition: {part}\r\n\r\nabc\r\n--x--\r\n".encode()
    response = app.test_client().post(path, data=form, content_type="multipart/form-data; boundary=x")
    assert response.status_code == 400 and json.loads(response.data)["code"] == "bad_request"
