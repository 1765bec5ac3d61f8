"""Training data of the heads for human and drawn faces, and the choice among those tried."""

from __future__ import annotations

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from scripts.common import metrics
from scripts.data.dataset import DatasetError, Faces
from scripts.train import features, heads
from scripts.train.networks import dense_head, folded, vgg_backbone
from tests.scripts.conftest import SMALL_VGG

LABEL_SETS = ("fer2013", "ferplus")
HEADS = (*LABEL_SETS, "mixed")


def row(fer2013: float, ferplus: float, drawn: float | None = None, weight: float = 0.0) -> dict:
    return {"fer2013": fer2013, "ferplus": ferplus, "drawn_weight": weight} | ({} if drawn is None else {"drawn": drawn})


def test_mixed_maximises_the_smaller_margin():
    rows = [row(0.65, 0.90), row(0.71, 0.80), row(0.73, 0.77)]
    assert heads.choose("mixed", LABEL_SETS, rows) == 1  # margins -.05, .01, -.01
    assert heads.choose("fer2013", LABEL_SETS, rows) == 2 and heads.choose("ferplus", LABEL_SETS, rows) == 0


def test_heads_with_drawn_faces_may_lose_at_most_max_drop():
    rows = [row(0.700, 0.8, 0.3), row(0.699, 0.8, 0.6, 0.3), row(0.697, 0.8, 0.9, 1.0)]
    assert heads.choose("fer2013", LABEL_SETS, rows) == 1
    assert heads.choose("fer2013", LABEL_SETS, [rows[0], row(0.70, 0.8, 0.2, 1.0)]) == 0


def test_heads_with_other_faces_are_chosen_by_the_sum_of_their_metrics():
    """They may lose as little as those with drawn faces; with both, the sum of both metrics decides."""
    rows = [
        row(0.700, 0.80, drawn, weight) | {"others_weight": other, "others": f1}
        for drawn, weight, other, f1 in ((0.6, 0, 0, 0.30), (0.7, 0.3, 0, 0.31), (0.65, 0.3, 0.1, 0.38), (0.5, 0, 0.3, 0.4))
    ]
    assert heads.choose("mixed", LABEL_SETS, rows) == 2
    rows[2]["fer2013"] = 0.697
    assert heads.choose("mixed", LABEL_SETS, rows) == 1
    for one in rows:
        one["others_weight"] = 0.0  # as for the other heads, which are only measured on these faces
    assert heads.choose("fer2013", LABEL_SETS, rows) == 1


def test_class_weights_balance_the_classes():
    labels = np.array([0, 0, 0, 3])
    assert heads.class_weights(labels).tolist() == pytest.approx([2 / 3] * 3 + [2])


def test_family_recall_is_the_mean_over_families(prepared):
    faces = Faces.load(prepared)
    family = np.where(np.arange(len(faces)) < 10, "small", "large")
    predicted = np.where(family == "small", faces.labels, (faces.labels + 1) % 7)
    assert metrics.family_recall(faces.labels, predicted, family) == pytest.approx(0.5)


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    """A run whose heads were trained on the tiny faces and, as drawn ones, their negatives."""
    run = tmp_path_factory.mktemp("run")
    keras.utils.set_random_seed(1)
    vgg_backbone(16, filters=SMALL_VGG).save(run / "base.keras")
    faces = Faces.load(prepared)
    drawn = replace(faces, pixels=255 - faces.pixels, groups=np.where(np.arange(len(faces)) % 2, "ink", "oil"))
    others = replace(faces, pixels=faces.pixels // 2, labels=np.where(np.arange(len(faces)) % 2, faces.labels, -1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "MIXTURES", (0.5,))
        patch.setattr(heads, "DRAWN_WEIGHTS", (1.0,))
        patch.setattr(heads, "OTHERS_WEIGHTS", (0.1,))
        patch.setattr(heads, "MAX_ERROR", 1.0)
        report = heads.train_heads(run, faces, 0.1, 1, drawn, others)
    return run, report


def test_heads_are_trained_on_drawn_faces_too(trained, prepared):
    run, report = trained
    assert json.loads((run / "heads.json").read_text()) == report and set(report) == {*HEADS, "drawn"}
    for name in HEADS:
        tried = report[name]["tried"]
        assert report[name]["chosen"] in tried and {one["drawn_weight"] for one in tried} == {0.0, 1.0}
        assert {one["others_weight"] for one in tried} == ({0.0, 0.1} if name == "mixed" else {0.0})
        assert all(0 <= one[kind] <= 1 for one in tried for kind in ("drawn", "others"))
        assert keras.saving.load_model(run / f"head-{name}.keras", compile=False).output_shape == (None, 7)
    head = keras.saving.load_model(run / "head-drawn.keras", compile=False)
    assert head.output_shape == (None, 1)
    chosen = report["drawn"]["chosen"]
    with np.load(run / "features.npz") as human, np.load(run / "features-drawn.npz") as drawn:
        held = Faces.load(prepared).splits == "validation"
        wrong = [(head.predict(part["plain"][held], verbose=0)[:, 0] > 0).mean() for part in (human, drawn)]
    assert wrong == pytest.approx([chosen["human_called_drawn"], 1 - chosen["drawn_called_human"]], abs=1e-3)


def test_further_faces_need_labels_and_a_mixture(prepared, tmp_path):
    faces = Faces.load(prepared)
    unlabelled, unvoted = replace(faces, labels=np.full(len(faces), -1)), replace(faces, votes=faces.votes * 0)
    for own, others, message in ((faces, unlabelled, "these have none"), (unvoted, faces, "`mixed`")):
        with pytest.raises(DatasetError, match=message):
            heads.train_heads(tmp_path, own, 0.1, 1, None, others)


def test_an_inaccurate_drawn_face_head_is_not_saved(tmp_path):
    head, path = dense_head("linear", classes=1), tmp_path / "head.keras"
    heads.save_if_accurate(head, {"human_called_drawn": 0.04, "drawn_called_human": 0.01}, path)
    assert path.is_file()
    heads.save_if_accurate(head, {"human_called_drawn": 0.04, "drawn_called_human": 0.06}, path)
    assert not path.exists()


def test_features_are_recomputed_for_another_table_or_backbone(trained, prepared, monkeypatch):
    run, _ = trained
    calls: list[int] = []

    def counted(pixels: np.ndarray) -> np.ndarray:
        calls.append(len(pixels))
        return np.zeros((len(pixels), 512), np.float32)

    monkeypatch.setattr(features, "bottleneck", lambda base: counted)
    faces = Faces.load(prepared)
    base = folded(keras.saving.load_model(run / "base.keras", compile=False), 48)
    kept = features.cache_features(base, faces, run / "features.npz")
    assert not calls and kept["plain"].any()
    other = replace(faces, pixels=255 - faces.pixels)  # as many, of the same size
    assert not features.cache_features(base, other, run / "features.npz")["plain"].any() and calls == [84, 84]
    base.get_layer("block1_conv1").bias.assign_add(np.ones(SMALL_VGG[0], np.float32))
    features.cache_features(base, other, run / "features.npz")
    assert calls == [84] * 4
