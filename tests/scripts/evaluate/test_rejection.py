"""Choice of the rejection thresholds, and the command that writes them, on many copies of one face."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions.face.pose import Pose
from emotions.face.reliability import CropQuality
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from scripts.common.manifest import read_entries
from scripts.data.dataset import table
from scripts.evaluate import rejection

PORTRAIT = Path(__file__).resolve().parents[2] / "data" / "astronaut.jpg"


LABEL_SETS = ("fer2013", "ferplus")


def probabilities_of(ids: list[int]) -> np.ndarray:
    return np.eye(7, dtype=np.float32)[ids] * 0.8 + 0.2 / 7


def faces(labels: list[int], majorities: list[int | None]):
    made = table([np.zeros((48, 48))] * len(labels), labels, ["test"] * len(labels), list("abcdefgh"[: len(labels)]), "fer2013")
    for row, majority in enumerate(majorities):
        made.raters[row] = 10
        made.votes[row, 0 if majority is None else majority] = 3 if majority is None else 8
    return made


def test_the_threshold_is_where_the_error_rate_rises():
    values = np.linspace(0, 1, 1000)
    wrong = (np.random.default_rng(0).random(1000) < np.where(values < 0.3, 0.8, 0.1)).astype(float)
    assert rejection.choose_threshold(values, wrong, 0.5) == pytest.approx(0.3, abs=0.02)
    assert rejection.choose_threshold(-values[::-1], wrong, 0.5) == pytest.approx(-0.7, abs=0.02)
    assert rejection.choose_threshold(values, np.full(1000, 0.2), 0.5) is None, "no evidence for a threshold"
    assert rejection.choose_threshold(values[:20], np.ones(20), 0.5) is None, "twenty faces are too few"
    gaps = np.where(np.arange(1000) % 3 == 0, np.nan, wrong)
    assert rejection.choose_threshold(values, gaps, 0.5) == pytest.approx(0.3, abs=0.02), "unlabelled faces do not count"


def test_each_label_counts_half_for_a_head_trained_on_both():
    right = rejection.correctness(probabilities_of([3, 3, 3]), faces([3, 5, 3], [3, 3, None]), LABEL_SETS)
    assert right["fer2013"].tolist() == [1, 0, 1]
    assert right["ferplus"][:2].tolist() == [1, 1] and np.isnan(right["ferplus"][2])
    assert rejection.error_shares(right, "mixed").tolist() == [0, 0.5, 0]
    assert rejection.error_shares(right, "fer2013").tolist() == [0, 1, 0]
    assert np.isnan(rejection.error_shares(right, "ferplus")[2])


def test_the_curve_drops_the_least_confident_first():
    confidence, right = np.array([0.2, 0.9, 0.5, 0.7]), np.array([0.0, 1, 0, 1])
    points = rejection.curve(confidence, right, (1.0, 0.75, 0.5))
    assert [point["accuracy"] for point in points] == [0.5, 0.6667, 1.0]


def test_selective_metrics():
    good = CropQuality(None, 90, 0.4)
    quality = np.array([CropQuality(Pose(60, 0, 0), 90, 0.4), good, CropQuality(None, 9, 0.4), good], object)
    detected = rejection.DetectedFaces(faces([3, 3, 3, 5], [3, 3, 3, 3]), quality, np.zeros((4, 2)))
    probabilities = probabilities_of([0, 3, 0, 3])
    marked = rejection.reasons(detected, probabilities, {"turned": 40, "small": 16})
    assert marked.tolist() == ["turned", "", "small", ""]
    row = rejection.selective_metrics(detected, probabilities, marked, LABEL_SETS)["fer2013"]
    assert row["accuracy"] == 0.25 and row["sure"] == {"share": 0.5, "accuracy": 0.5}
    assert row["marked"] == {"turned": {"count": 1, "accuracy": 0.0}, "small": {"count": 1, "accuracy": 0.0}}


@pytest.fixture
def models(tmp_path) -> Path:
    """The shipped models, with a manifest that may be written."""
    folder = tmp_path / "models"
    shutil.copytree(BUNDLED, folder, copy_function=lambda source, target: Path(target).symlink_to(source))
    (folder / "manifest.json").unlink()
    shutil.copy(BUNDLED / "manifest.json", folder)
    return folder


def test_the_command_writes_manifest_and_report(models, tmp_path, capsys):
    face = cv2.resize(cv2.imread(str(PORTRAIT), cv2.IMREAD_GRAYSCALE)[30:150, 115:235], (48, 48), interpolation=cv2.INTER_AREA)
    splits = ["validation", "test"] * 4
    made = table([face] * 8, [3] * 6 + [5] * 2, splits, list("abcdefgh"), "fer2013")
    made.raters[:], made.votes[:, 3] = 10, 9
    made.save(tmp_path / "faces.npz")
    arguments = ["--faces", str(tmp_path / "faces.npz"), "--models", str(models), "--out", str(tmp_path), "--degraded", "4"]
    before, shipped = (models / "manifest.json").read_text(), read_entries(BUNDLED)
    rejection.main(arguments)
    assert "100.0% sure" in capsys.readouterr().out and (models / "manifest.json").read_text() == before
    rejection.main([*arguments, "--write"])
    for entry in (head.metadata for head in ModelRegistry(models).entries("expression-head")):
        assert entry["thresholds"] == {}, "four faces are too few"
        assert entry["doubts"]["fer2013_test"]["count"] == 4 and entry["doubts"]["fer2013_test"]["sure"]["share"] == 1
        (old,) = [one for one in shipped if (one["role"], one["name"]) == ("expression-head", entry["name"])]
        assert entry["evaluation"] == old["evaluation"], "other measurements stay"
    report = (tmp_path / "rejection.md").read_text()
    assert "| `mixed` | off | off | off | off |" in report and "| 100% | " in report
    assert (tmp_path / "rejection.svg").read_text().lstrip().startswith("<?xml")


def test_errors_name_images_without_faces_and_missing_tables(models, tmp_path, capsys):
    plain = table([np.full((48, 48), 90)] * 2, [3, 3], ["validation", "test"], ["a", "b"], "fer2013")
    plain.save(tmp_path / "plain.npz")
    for path, words in ((tmp_path / "plain.npz", "no face was found"), (tmp_path / "nothing.npz", "is not there")):
        with pytest.raises(SystemExit) as stopped:
            rejection.main(["--faces", str(path), "--models", str(models)])
        assert stopped.value.code == 1 and words in capsys.readouterr().err
