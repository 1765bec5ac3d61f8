"""The comparison behind benchmarks/device.md sees what differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotions import EMOTIONS, open_image
from scripts.evaluate.device import pictures
from scripts.evaluate.device.comparison import compare, summarize
from scripts.evaluate.device.measure import ClipRun, PictureRun
from scripts.evaluate.device.report import report

RUNTIME = {"build": "litert", "threads": 1}


def face(left: int = 10, emotion: str = "happy", confidence: float = 0.9, **other: Any) -> dict[str, Any]:
    rest = (1 - confidence) / (len(EMOTIONS) - 1)
    return {
        "id": 0,
        "box": {"left": left, "top": 20, "width": 40, "height": 50},
        "emotion": emotion,
        "probabilities": {name: confidence if name == emotion else rest for name in EMOTIONS},
        "drawn": 0.1,
        "unsure": None,
        **other,
    }


def answer(*faces: dict[str, Any]) -> dict[str, Any]:
    return {"faces": list(faces)}


def test_equal_answers_are_equal():
    both = answer(face(), face(left=100, emotion="sad"))
    summary = summarize([compare("photo", both, both)])
    assert (summary.faces, summary.unmatched, summary.distance, summary.difference) == (2, 0, 0, 0)
    assert (summary.boxes, summary.probabilities, summary.emotions, summary.unsure, summary.ids) == (1, 1, 1, 1, 1)
    assert summary.passed


def test_no_faces_are_equal():
    assert summarize([compare("photo", answer(), answer())]).passed


def test_faces_are_paired_by_their_place():
    one, other = face(), face(left=100, emotion="sad", id=1)
    summary = summarize([compare("photo", answer(one, other), answer(other, one))])
    assert (summary.distance, summary.difference, summary.ids) == (0, 0, 1)


@pytest.mark.parametrize(
    ("found", "share"),
    [
        (face(left=13), "boxes"),
        (face(confidence=0.88), "probabilities"),
        (face(emotion="sad"), "emotions"),
        (face(unsure="blurred"), "unsure"),
        (face(id=1), "ids"),
    ],
)
def test_each_kind_of_difference_is_counted(found, share):
    same = compare("first", answer(face()), answer(face()))
    summary = summarize([same, compare("second", answer(face()), answer(found))])
    assert getattr(summary, share) == 0.5
    assert summary.passed == (share in ("unsure", "ids"))


@pytest.mark.parametrize(("server", "device"), [((), (face(),)), ((face(),), ()), ((face(),), (face(left=90),))])
def test_a_face_that_one_side_alone_found_differs_in_everything(server, device):
    summary = summarize([compare("photo", answer(*server), answer(*device))])
    assert summary.unmatched == len(server) + len(device)
    assert summary.boxes == summary.emotions == 0
    assert not summary.passed


def test_the_report_lists_differences_and_verdicts():
    same, other = answer(face()), answer(face(left=19, emotion="sad"))
    run = PictureRun([compare("a.png", same, same)], [compare("a.png", same, other)], ["b.heic"], 2, [80.0], [160.0])
    clip = ClipRun("walk.mp4", [compare("walk.mp4 0.00 s", same, same)], 1)
    text = report("python -m scripts.evaluate.device", "1.2", RUNTIME, {"photos": run}, [clip])
    assert "| same pixels | within all limits |" in text
    assert "| files as they are | not within all limits |" in text
    assert "- a.png: boxes 9 px apart, probabilities of 1 of 1 faces up to 0.883 apart, another emotion for 1" in text
    assert "The server reads these files and the browser does not: b.heic." in text
    assert "does not read 2 further files" in text
    assert "| walk.mp4 | 1 | 1 | 0 | 100% | 0 px | 100% | 0.0000 | 100% | 100% | 100% | 1 of 1 |" in text
    assert "| photos | 80 | 160 |" in text


def test_pictures_are_spread_over_the_folder(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.png").touch()
    (tmp_path / "notes.txt").touch()
    assert [path.stem for path in pictures.pictures(tmp_path, 4)] == ["0", "2", "5", "7"]
    assert len(pictures.pictures(tmp_path, 100)) == 10


def test_pixels_survive_the_file(tmp_path):
    image = open_image(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8))
    path = tmp_path / "pixels.png"
    path.write_bytes(pictures.png(image))
    np.testing.assert_array_equal(np.asarray(Image.open(path)), image.pixels)
