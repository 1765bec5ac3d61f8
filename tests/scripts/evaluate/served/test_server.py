"""The real server and its client."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest

from emotions import FaceAnalyzer
from emotions.runtime.manifest import BUNDLED
from scripts.deploy import sandbox
from scripts.evaluate.served.server import ServedError, largest_face, png, serve

SAMPLES = Path(__file__).resolve().parents[4] / "static" / "samples"


def test_answers_are_those_of_the_served_head():
    photo = (SAMPLES / "obama.jpg").read_bytes()
    flat = np.full((48, 48, 3), 128, np.uint8)
    with serve(BUNDLED, "ferplus") as client:
        answer = client.read(photo, "obama.jpg")
        blank = client.read(png(flat), landmarks=True)
        crop, image = client.read_all([("crop.png", png(flat[..., 0])), ("obama.jpg", photo)], detector="none")
        with pytest.raises(ServedError, match="flat.png: status 400.*unknown_option"):
            client.read(png(flat), "flat.png", head="mixed")
        client._local.connection.sock.shutdown(socket.SHUT_RDWR)  # as where the server closes an idle connection
        assert client.read(photo)["faces"] == answer["faces"]
        pids = [client.process.pid, *sandbox.descendants(client.process.pid)]
    expected = FaceAnalyzer(head="ferplus").analyze(photo).faces[0]
    assert answer["model"]["name"].endswith("/ferplus")
    assert largest_face(answer) == pytest.approx(np.array(expected.probabilities), abs=1e-3)
    assert largest_face(blank) is None and largest_face(crop).sum() == pytest.approx(1, abs=1e-3)
    assert (crop["width"], crop["detector"], image["height"]) == (48, "none", answer["height"]), "in the order of the files"
    assert len(pids) == 2 and not any(sandbox.resident_bytes(pid) for pid in pids), "nothing is left running"


def test_a_server_that_does_not_start_is_reported():
    with pytest.raises(ServedError, match="no expression-head called 'vgg99'"), serve(BUNDLED, "vgg99"):
        pass
