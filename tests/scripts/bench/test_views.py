"""Accuracy and time of several views: the sets that are measured, paired gains, and the command on a few faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emotions.face.alignment import align_crop
from emotions.face.analyzer import FaceAnalyzer
from emotions.image.loading import open_image
from emotions.labels import EMOTIONS
from scripts.bench import views
from scripts.data.dataset import SPLITS, Faces, table

ROOT = Path(__file__).resolve().parents[3]
FACES = 12
HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


@pytest.fixture(scope="module")
def crops(portrait) -> np.ndarray:
    """(N, 48, 48) uint8: a smiling face, brighter and darker."""
    analyzer, pixels = FaceAnalyzer(), open_image(portrait).pixels
    crop = align_crop(pixels, analyzer.face_detector.detect(pixels)[1][0].box, None, 48)
    return np.stack([np.clip(crop * (0.6 + 0.05 * number), 0, 255) for number in range(FACES)]).astype(np.uint8)


@pytest.fixture
def data(crops, tmp_path) -> Path:
    """The three tables: every second face is called sad; in that of FER2013 a validation face repeats a training face."""
    labels = [HAPPY, SAD] * (FACES // 2)
    for source in ("fer2013", "facial_expressions", "dicebear"):
        faces = table(crops, labels, [SPLITS[0], *[SPLITS[1]] * (FACES - 1)], list(map(str, range(FACES))), source)
        if source == "fer2013":
            faces.votes[:, HAPPY], faces.raters[:] = 8, 10
            faces.pixels[1] = faces.pixels[0]
        faces.save(tmp_path / f"{'drawn' if source == 'dicebear' else source}.npz")
    return tmp_path


def test_paired_gain():
    before, after = np.array([1, 1, 0, 0] * 100, bool), np.array([1, 0, 1, 1] * 100, bool)
    points, half = views.paired_gain(before, after)
    assert points == pytest.approx(25) and half == pytest.approx(196 * np.std([0, -1, 1, 1]) / 20, rel=1e-3)
    assert views.paired_gain(before, before) == (0, 0)


def test_sets_have_no_copies_and_both_framings(data):
    parts = list(views.validation_sets(data / "fer2013.npz", None))
    assert [[one.title for one in sets] for _, sets in parts] == [
        [f"FER2013, labels{note}", f"FER+, majorities{note}"] for note in (", aligned as served", ", as they lie")
    ]
    (aligned, _), (plain, sets) = parts
    faces = Faces.load(data / "fer2013.npz")
    np.testing.assert_array_equal(plain, faces.pixels[2:])  # the first two are a training face and its copy
    assert aligned.shape == plain.shape and (aligned != plain).any()
    assert all(one.mask.all() for one in sets) and (sets[1].labels == HAPPY).all()
    ((pixels, _),) = views.validation_sets(data / "drawn.npz", 3)
    assert len(pixels) == 3


def test_report(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(views, "ROUNDS", 2)
    monkeypatch.setattr(views, "PHOTOS", 1)
    out = tmp_path / "views.md"
    views.main(["--models", str(ROOT / "models"), "--head", "mixed", "--data", str(data), "--limit", "4", "--out", str(out)])
    text = out.read_text(encoding="utf-8")
    assert capsys.readouterr().out.endswith(f"{text}\n")
    assert "`python -m scripts.bench.views" in text and "--limit 4" in text and str(tmp_path) not in text
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    times = [row for row in cells if row[0].startswith("vgg16")]
    assert [row[1] for row in times] == ["1", "2", "10"] and times[0][3] == times[0][5] == "1.00"
    measured = {row[0]: row for row in cells if row[1] == "4"}
    assert set(measured) == {
        "FER2013, labels, aligned as served", "FER+, majorities, aligned as served", "FER2013, labels, as they lie",
        "FER+, majorities, as they lie", "muxspace/facial_expressions, labels", "drawings in DiceBear's styles, labels",
    }  # fmt: skip
    assert measured["FER+, majorities, as they lie"][2:5] == ["100.00%"] * 3, "every rater called the smile happy"
    assert float(measured["FER2013, labels, as they lie"][2].strip("%")) < 80


@pytest.mark.parametrize(("change", "message"), [
    (["--data", "nowhere"], "is not there"),
    (["--head", "moods"], "no expression-head called 'moods'"),
])  # fmt: skip
def test_errors_are_one_line(data, change, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        views.main(["--data", str(data), "--limit", "2", *change])
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
    with pytest.raises(SystemExit):
        views.main(["--limit", "0"])
