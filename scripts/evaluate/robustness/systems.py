"""The two systems that are compared, each behind its own server: the served models, and the package fer as its README uses it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emotions.labels import EMOTIONS

from ...deploy.serving import run_gunicorn
from ..served.server import ServedClient, ServedError, png, serve
from .pictures import SIDE

FER_APP = "scripts.bench.baselines:create_app('fer')"
FER_NAMES = {"angry": "anger"}
"""Emotions to which fer gives other names."""
FER_PYTHON = Path(".venv-bench/bin/python")
START_SECONDS = 120.0
MISSED = -1
"""Class id of a picture in which the face was not found."""


@dataclass(frozen=True)
class System:
    """A running system.

    Attributes:
        title: name in tables.
        version: name and version of what it runs.
        client: its HTTP client.
    """

    title: str
    version: str
    client: ServedClient

    def read(self, picture: bytes) -> int:
        """Class id of the face in the middle of a PNG file; MISSED without one. Raises ServedError."""
        return face_at(self.client.read(picture)["faces"], (SIDE / 2, SIDE / 2))


def face_at(faces: Sequence[Mapping[str, Any]], point: tuple[float, float]) -> int:
    """Class id of the largest of an answer's `faces` whose box holds a point (x, y); MISSED without one.

    Faces elsewhere are false detections: each picture shows one.
    """
    held = [face for face in faces if _holds(face["box"], point)]
    if not held:
        return MISSED
    scores = max(held, key=lambda face: face["box"]["width"] * face["box"]["height"])["probabilities"]
    name = max(scores, key=lambda key: scores[key])
    return EMOTIONS.index(FER_NAMES.get(name, name))


def _holds(box: Mapping[str, int], point: tuple[float, float]) -> bool:
    x, y = point[0] - box["left"], point[1] - box["top"]
    return 0 <= x <= box["width"] and 0 <= y <= box["height"]


@contextmanager
def served_system(models: Path, head: str) -> Iterator[System]:
    """Serve a head of this project. Raises ServedError if it does not start."""
    with serve(models, head) as client:
        model = client.read(_blank())["model"]
        yield System("this project", f"{model['name']} {model['version']}, head {head}", client)


@contextmanager
def fer_system(python: Path) -> Iterator[System]:
    """Serve fer with its defaults (Haar cascade, its own network) from the environment of `python`. Raises ServedError."""
    if not python.is_file():
        raise ServedError(f"{python} does not exist: `make .venv-bench/.installed` makes the environment with fer")
    code = "from importlib.metadata import version; print(version('fer'))"
    version = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "fer.log"
        with run_gunicorn(python.absolute(), FER_APP, {"TF_CPP_MIN_LOG_LEVEL": "2"}, log) as (process, port):
            client = ServedClient(process, port, log)
            _wait(client)
            with closing(client):
                yield System("fer", f"fer {version}", client)


def _wait(client: ServedClient) -> None:
    """Wait until the server, which has no /health, answers a picture. Raises ServedError with the end of its log."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            client.read(_blank())
            return
        except ServedError as error:
            if client.process.poll() is not None or time.monotonic() > until:
                log = client.log.read_text(encoding="utf-8", errors="replace")
                raise ServedError(f"fer does not start ({error}); the end of its log:\n{log[-2000:]}") from None


def _blank() -> bytes:
    return png(np.full((64, 64, 3), 128, np.uint8))
