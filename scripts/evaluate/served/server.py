"""The real server on a free port of this machine, and a client for its image endpoint.

    with serve(Path("models"), head="mixed") as client:
        answer = client.read(Path("static/samples/obama.jpg").read_bytes(), "obama.jpg")
        probabilities = largest_face(answer)            # (7,), or None where no face was found
        answers = client.read_all([("a.png", data), ("b.png", data)], detector="none")

The server is gunicorn with the options and environment variables of app.yaml, which are those of `make run`. The API has no
option for the head: it is a setting of the server, so that each head needs a server of its own. A server limits the memory of
uploads, not their number, so that CLIENTS clients with small files are never refused.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.parse import urlencode

import cv2
import numpy as np

from emotions.face.defaults import DEFAULT_HEAD
from emotions.labels import EMOTIONS

from ...deploy import traffic
from ...deploy.serving import APP, ENVIRONMENT, run_gunicorn

CLIENTS = 2
"""Number of clients that `read_all` sends with at the same time."""
ATTEMPTS = 4
"""Number of times that a request is sent until it is answered."""
START_SECONDS = 60.0
TIMEOUT = 60.0
RETRIED = (502, 503, 504)
"""Statuses of a server that is busy."""


class ServedError(RuntimeError):
    """The server did not start, does not answer or rejected a file; the message has its reason or the end of its log."""


@dataclass
class ServedClient:
    """Client of a running server; may be used by several threads, each of which has its own connection.

    Attributes:
        process: gunicorn's main process.
        port: port on 127.0.0.1.
        log: file with the server's output.
    """

    process: Popen
    port: int
    log: Path
    _local: threading.local = field(default_factory=threading.local, repr=False)
    _connections: list[http.client.HTTPConnection] = field(default_factory=list, repr=False)

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Wait until /health answers. Raises ServedError if it does not within `seconds` or the server ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                if traffic.send(self.port, traffic.Request("health", "/health"), timeout=5.0).status == 200:
                    return
            time.sleep(0.05)
        raise ServedError(f"the server does not answer; the end of its log:\n{self._log_tail()}")

    def read(self, data: bytes, name: str = "image.png", **options: Any) -> dict[str, Any]:
        """Post an image file to /api/v1/image and return the answer.

        Args:
            data: an image file in any format that the API reads.
            name: its file name.
            options: options of the API, such as `detector="none"` or `landmarks=True`.

        Returns:
            The parsed answer: `faces` (largest first, maybe empty), `width`, `height`, `model` and more; see docs/api.md.

        Raises:
            ServedError: the server rejected the file or an option, or did not answer ATTEMPTS times.
        """
        words = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in options.items()}
        path = f"{traffic.IMAGE}?{urlencode(words)}" if words else traffic.IMAGE
        request = traffic.upload(name, data, path)
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(0.1 * 2**attempt)
            try:
                status, body = self._send(request)
            except (OSError, http.client.HTTPException) as error:
                # gunicorn closes an idle connection; the next attempt opens another.
                reason = f"{type(error).__name__} {error}"
                continue
            if status == 200:
                return json.loads(body)
            reason = f"status {status}: {body[:300].decode(errors='replace')}"
            if status not in RETRIED:
                break
        raise ServedError(f"{name}: {reason}")

    def read_all(self, files: Iterable[tuple[str, bytes]], **options: Any) -> list[dict[str, Any]]:
        """Post files (name, data) with CLIENTS clients and return the answers in the order of the files.

        Options and errors are those of `read`.
        """
        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(lambda file: self.read(file[1], file[0], **options), files))

    def close(self) -> None:
        """Close the connections of all threads; the client may be used on."""
        for connection in self._connections:
            connection.close()

    def _send(self, request: traffic.Request) -> tuple[int, bytes]:
        """Status and body of the response, on this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
            self._connections.append(connection)
        try:
            connection.request("POST", request.path, request.body, request.headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    def _log_tail(self, lines: int = 20) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


@contextmanager
def serve(models: Path, head: str = DEFAULT_HEAD, settings: Mapping[str, str] | None = None) -> Iterator[ServedClient]:
    """Run the server until the end of the block; yields a client as soon as /health answers.

    Args:
        models: folder of the manifest.
        head: name of the expression head to serve.
        settings: further settings, see web/settings.py.

    Raises:
        ServedError: the server does not start, such as for a head that the manifest lacks.
    """
    variables = {"MODELS": str(models.resolve()), "EXPRESSION_HEAD": head, "LOG_LEVEL": "warning", **(settings or {})}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with run_gunicorn(Path(sys.executable), APP, {**ENVIRONMENT, **variables}, log) as (process, port):
            client = ServedClient(process, port, log)
            client.wait()
            with closing(client):
                yield client


def png(pixels: np.ndarray) -> bytes:
    """PNG file of an image (H, W) grey or (H, W, 3) RGB, uint8."""
    return cv2.imencode(".png", pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()


def largest_face(answer: Mapping[str, Any]) -> np.ndarray | None:
    """Probabilities (7,) float of the largest face of an answer, in the order of EMOTIONS; None where no face was found."""
    if not answer["faces"]:
        return None
    return np.array([answer["faces"][0]["probabilities"][name] for name in EMOTIONS])


def largest_faces(answers: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, 7) float of the largest face of each answer, and the mask (N,) of the answers with a face.

    Rows of answers without a face are zeros.
    """
    rows = [largest_face(answer) for answer in answers]
    filled = np.array([np.zeros(len(EMOTIONS)) if row is None else row for row in rows])
    return filled.reshape(-1, len(EMOTIONS)), np.array([row is not None for row in rows], bool)
