"""Coverings painted on faces: what they hide is measured, and a head learns to tell them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from emotions import FaceAnalyzer, ModelRegistry, open_image
from emotions.face.classifier import COVERED_ROLE
from emotions.runtime.manifest import BUNDLED
from scripts.data.dataset import Faces
from scripts.synthetic.coverings import CLEAR, COVERED, COVERINGS, HARMLESS, paint
from scripts.train import binary_head, covered_face_head

ROOT = Path(__file__).resolve().parents[3]
PORTRAITS = ROOT / "static" / "samples" / "obama.jpg", ROOT / "tests" / "data" / "astronaut.jpg"


@pytest.fixture(scope="module")
def portrait() -> tuple[np.ndarray, np.ndarray]:
    """A grey picture and the landmarks of its face."""
    analyzer, pixels = FaceAnalyzer(), open_image(PORTRAITS[0]).pixels
    points = analyzer.face_detector.landmarks(pixels, analyzer.face_detector.detect(pixels)[1][0])
    return pixels.mean(axis=2).astype(np.uint8), points[:, :2]


@pytest.mark.parametrize("name", [*COVERINGS, *HARMLESS])
def test_what_is_painted_hides_as_much_as_its_kind_says(portrait, name):
    grey, points = portrait
    painted = [paint(grey, points, name, np.random.default_rng(seed)) for seed in range(8)]
    hidden = np.array([share for _, share in painted])
    if name in COVERINGS:
        assert np.median(hidden) > COVERED
    else:
        assert np.median(hidden) < CLEAR
    same = [np.array_equal(picture, grey) for picture, _ in painted]
    assert all(same) if name == "nothing" else not any(same)
    assert all(picture.shape == grey.shape and picture.dtype == np.uint8 for picture, _ in painted)


def test_the_same_seed_paints_the_same(portrait):
    first, second = (paint(*portrait, "mask", np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first[0], second[0]) and first[1] == second[1]


@pytest.fixture
def table(tmp_path) -> Path:
    """Faces of two people at several brightnesses, as a table with three splits."""
    analyzer, crops = FaceAnalyzer(), []
    for path in PORTRAITS:
        image = open_image(path)
        face = analyzer.analyze(image).faces[0]
        crops += [np.clip(face.crop.astype(int) * factor, 0, 255).astype(np.uint8) for factor in np.linspace(0.5, 1.3, 12)]
    count = len(crops)
    splits = np.array(["train", "train", "validation", "test"] * (count // 4))
    path = tmp_path / "table.npz"
    Faces(
        np.stack(crops), np.full(count, 3, np.int8), np.zeros((count, 7), np.float32), np.zeros(count, np.float32), splits,
        np.array([f"{number}.png" for number in range(count)]), np.full(count, "fer2013"), np.full(count, ""),
    ).save(path)  # fmt: skip
    return path


@pytest.mark.slow
def test_a_head_is_trained_for_its_backbone(table, tmp_path, monkeypatch, capsys):
    models = tmp_path / "models"
    shutil.copytree(BUNDLED, models)
    monkeypatch.setattr(binary_head, "EPOCHS", 40)
    covered_face_head.main(["--faces", str(table), "--models", str(models), "--count", "12"])
    before, (entry,) = ModelRegistry(BUNDLED).entries(COVERED_ROLE), ModelRegistry(models).entries(COVERED_ROLE)
    assert before[0].file == entry.file and before[0].sha256 != entry.sha256 and entry.base == "vgg16"
    ModelRegistry(models).verify()
    assert entry.evaluation["test"].keys() <= {*COVERINGS, *HARMLESS}
    assert "threshold" in capsys.readouterr().out
