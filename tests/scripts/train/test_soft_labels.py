"""Soft labels of finished runs, and targets made of them."""

from __future__ import annotations

import numpy as np
import pytest

from emotions.face.views import crop_views
from scripts.data.dataset import DatasetError, Faces
from scripts.train import base, soft_labels
from scripts.train.targets import average_soft_labels, sample_keys, save_soft_labels, targets, training_faces, views

LABEL_SETS = ("fer2013", "ferplus")


@pytest.fixture
def train(prepared) -> Faces:
    return Faces.load(prepared).split("train")


def test_drawn_faces_join_the_training_faces(prepared, train):
    assert len(training_faces({"faces": str(prepared), "drawn": str(prepared)})) == 2 * len(train)


def test_ten_views_are_shifted_and_mirrored():
    face = np.zeros((1, 8, 8), np.uint8)
    face[0, 2, 3] = 200
    places = [tuple(int(axis[0]) for axis in np.nonzero(view[0])) for view in views(face, 1)]
    assert places == [(2, 3), (2, 4), (3, 3), (3, 4), (1, 3), (1, 4), (2, 4), (2, 3), (2, 2), (2, 5)]


def test_served_views_are_the_same():
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)
    for count, shift in ((2, 0), (10, 3)):
        np.testing.assert_array_equal(crop_views(faces, count), np.stack(list(views(faces, shift))))


def test_without_a_shift_there_are_two_views():
    face = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    original, mirrored = views(face, 0)
    assert np.array_equal(original, face) and np.array_equal(mirrored, face[:, :, ::-1])


def test_soft_labels_are_mixed_in_by_key(train, tmp_path):
    soft = {name: np.eye(7, dtype=np.float16)[np.arange(len(train)) % 7] for name in LABEL_SETS}
    order = np.random.default_rng(0).permutation(len(train))
    save_soft_labels(tmp_path / "soft.npz", train.where(order), {name: value[order] for name, value in soft.items()})
    config = {"data": {"soft": str(tmp_path / "soft.npz")}, "loss": {"smoothing": 0.0, "soft": 0.25}, "label_sets": LABEL_SETS}
    trained = targets(train, config)
    own = np.eye(7)[train.labels]
    np.testing.assert_allclose(trained["fer2013"], 0.75 * own + 0.25 * soft["fer2013"], atol=1e-6)
    np.testing.assert_allclose(trained["ferplus"].sum(axis=1), 0.8, atol=1e-6)  # two of ten raters said "unknown"
    save_soft_labels(tmp_path / "soft.npz", train.where(order[1:]), {name: value[order[1:]] for name, value in soft.items()})
    with pytest.raises(DatasetError, match="no soft labels for some"):
        targets(train, config)


def test_teachers_of_different_faces_are_not_averaged(train, tmp_path):
    def soft(name, faces, value):
        save_soft_labels(tmp_path / f"{name}.npz", faces, dict.fromkeys(LABEL_SETS, np.full((len(faces), 7), value, np.float16)))
        return tmp_path / f"{name}.npz"

    whole = [soft("a", train.where(slice(0, 9)), 0.5), soft("b", train.where(slice(0, 9)), 0.25)]
    assert average_soft_labels(whole)["fer2013"] == pytest.approx(0.375)
    with pytest.raises(DatasetError, match="different faces"):
        average_soft_labels([whole[0], soft("c", train.where(slice(1, 10)), 0.25)])


@pytest.mark.slow
def test_finished_runs_write_soft_labels(prepared, configured_small, train, tmp_path, capsys):
    for name, seed in (("a", 1), ("b", 2)):
        (tmp_path / f"{name}.toml").write_text(configured_small(prepared, 0).replace("seed = 1", f"seed = {seed}"))
        base.main(["--config", str(tmp_path / f"{name}.toml"), "--run", str(tmp_path / name)])
    soft_labels.main(["--runs", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "soft.npz")])
    said = capsys.readouterr().out
    assert [said.count(f"{name}: fer2013") for name in ("a", "b", "mean")] == [1, 1, 1]
    assert not list(tmp_path.glob("soft-*"))
    with np.load(tmp_path / "soft.npz") as soft:
        assert sorted(soft["sample_keys"].tolist()) == sorted(sample_keys(train).tolist())
        np.testing.assert_allclose(soft["fer2013"].sum(axis=1), 1, atol=0.01)
    with pytest.raises(SystemExit):
        soft_labels.main(["--runs", str(tmp_path / "c"), "--out", str(tmp_path / "soft.npz")])
    assert "No such file" in capsys.readouterr().err


@pytest.mark.slow
def test_runs_with_equal_folder_names_are_both_used(prepared, train, tmp_path, monkeypatch):
    validation = Faces.load(prepared).split("validation")

    def predict(run, shift, out):
        value = 0.25 if "a" in run.parts else 0.75
        save_soft_labels(out, train, {"fer2013": np.full((len(train), 7), value, np.float16)})
        return validation, {"fer2013": np.full((len(validation), 7), value)}

    monkeypatch.setattr(soft_labels, "predict_run", predict)
    soft_labels.main(["--runs", "a/student", "b/student", "--out", str(tmp_path / "soft.npz")])
    with np.load(tmp_path / "soft.npz") as soft:
        assert soft["fer2013"] == pytest.approx(0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["soft.npz"]
