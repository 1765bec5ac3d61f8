"""Training data of the heads for human and drawn faces, and the choice among those tried."""

from __future__ import annotations

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from scripts.common import metrics
from scripts.data.dataset import DatasetError, Faces
from scripts.data.labels import targets_and_mask
from scripts.train import features
from scripts.train.heads import drawn, search
from scripts.train.heads.training import train_heads
from scripts.train.networks import dense_head, folded, vgg_backbone
from tests.scripts.conftest import SMALL_VGG

LABEL_SETS = ("fer2013", "ferplus")
HEADS = (*LABEL_SETS, "mixed")


def row(score: float, drawn: float | None = None, weight: float = 0.0) -> dict:
    return {"score": score, "drawn_weight": weight} | ({} if drawn is None else {"drawn": drawn})


def test_mixed_is_chosen_by_its_score():
    rows = [row(0.65, 0.9), row(0.71, 0.5, 0.3), row(0.70, 0.8, 1.0)]
    assert search.choose("mixed", rows) == 1 and search.choose("mixed", rows[:1]) == 0


def test_mixed_reaches_a_least_accuracy_and_recall_on_the_label_sets_if_any_head_does():
    near_labels, near_votes, between = (
        row(score) | {"fer2013_aligned": labels, "ferplus_aligned": votes}
        for score, labels, votes in ((0.756, 0.70, 0.76), (0.764, 0.66, 0.87), (0.754, 0.685, 0.80))
    )
    assert search.choose("mixed", [near_labels, near_votes, between]) == 2
    common = between | {"score": 0.76, "fer2013_recall": 0.60}  # rare classes are named too rarely
    assert search.choose("mixed", [common, between | {"fer2013_recall": 0.66}]) == 1
    assert search.choose("mixed", [near_labels, near_votes]) == 1


def test_heads_with_drawn_faces_may_lose_at_most_max_drop():
    rows = [row(0.700, 0.3), row(0.699, 0.6, 0.3), row(0.697, 0.9, 1.0)]
    assert search.choose("fer2013", rows) == 1
    assert search.choose("fer2013", [rows[0], row(0.70, 0.2, 1.0)]) == 0
    assert search.choose("fer2013", [row(0.700), row(0.701)]) == 1


def test_scores_are_of_aligned_faces_and_follow_the_adjustment(prepared):
    faces = Faces.load(prepared).split("validation")
    right, constant = 4 * np.eye(7, dtype=np.float32)[faces.labels], np.tile(np.float32([1, 0, 0, 0, 0, 0, 0]), (len(faces), 1))
    found = search.scores({"human": (faces, constant), "aligned": (faces, right)}, ("fer2013",))
    assert found["fer2013_balanced"] == found["fer2013_recall"] == found["fer2013_aligned"] == 1
    assert found["fer2013"] == pytest.approx((faces.labels == 0).mean(), abs=1e-4)
    moved = search.scores({"human": (faces, right)}, ("fer2013",), np.array([0, 0, 0, 9.0, 0, 0, 0]))
    share = (faces.labels == 3).mean()
    assert moved["fer2013"] == pytest.approx(share, abs=1e-4)
    assert moved["fer2013_recall"] == pytest.approx(1 / len(np.unique(faces.labels)), abs=1e-4)
    assert moved["fer2013_balanced"] == pytest.approx((share + moved["fer2013_recall"]) / 2, abs=2e-4)
    others = replace(faces, groups=np.full(len(faces), "x"))
    found = search.scores(
        {
            "human": (faces, right),
            "drawn": (others, right),
            "others": (faces, constant),
            "rendered": (faces, right),
            "warped": (faces, right),
        },
        (),
    )
    assert found["drawn"] == found["rendered"] == found["warped"] == 1 > found["others_balanced"] > found["others"]


def test_class_weights_balance_the_classes():
    labels = np.array([0, 0, 0, 3])
    assert search.class_weights(labels).tolist() == pytest.approx([2 / 3] * 3 + [2])


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
    drawings = replace(faces, pixels=255 - faces.pixels, groups=np.where(np.arange(len(faces)) % 2, "ink", "oil"))
    rendered, warped = replace(faces, pixels=faces.pixels // 3), replace(faces, pixels=faces.pixels // 4)
    aligned = replace(faces, pixels=faces.pixels[:, ::-1]).where(faces.splits != "test")
    others = replace(faces, pixels=faces.pixels // 2, labels=np.where(np.arange(len(faces)) % 2, faces.labels, -1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "MIXTURES", (0.5,))
        patch.setattr(search, "DRAWN_WEIGHTS", (1.0,))
        patch.setattr(search, "OTHERS_WEIGHTS", (0.1,))
        patch.setattr(drawn, "MAX_ERROR", 1.0)
        patch.setattr(search, "RENDERED_WEIGHTS", (0.5,))
        patch.setattr(search, "WARPED_WEIGHTS", (0.2,))
        report = train_heads(run, faces, 0.1, 1, drawings, others, rendered, aligned, warped)
    return run, report


@pytest.mark.slow
def test_heads_are_trained_on_drawn_faces_too(trained, prepared):
    run, report = trained
    assert json.loads((run / "heads.json").read_text()) == report and set(report) == {*HEADS, "drawn"}
    for name in HEADS:
        tried = report[name]["tried"]
        assert report[name]["chosen"] in tried and {one["drawn_weight"] for one in tried} == {0.0, 1.0}
        assert {one["others_weight"] for one in tried} == ({0.0, 0.1} if name == "mixed" else {0.0})
        assert {one["rendered_weight"] for one in tried} == ({0.0, 0.5} if name == "mixed" else {0.0})
        assert {one["warped_weight"] for one in tried} == ({0.0, 0.2} if name == "mixed" else {0.0})
        assert all(0 <= one[kind] <= 1 for one in tried for kind in ("drawn", "others", "rendered", "warped", "score"))
        assert all(one["unadjusted"] <= one["score"] and one["adjustment"] in search.ADJUSTMENTS for one in tried)
        assert keras.saving.load_model(run / f"head-{name}.keras", compile=False).output_shape == (None, 7)
    head = keras.saving.load_model(run / "head-drawn.keras", compile=False)
    assert head.output_shape == (None, 1)
    chosen = report["drawn"]["chosen"]

    def called_drawn(name: str, held: np.ndarray) -> float:
        with np.load(run / f"{name}.npz") as stored:
            return float((head.predict(stored["plain"][held], verbose=0)[:, 0] > 0).mean())

    splits = Faces.load(prepared).splits
    held, odd = splits == "validation", np.arange(len(splits)) % 2 == 1
    photographs = [
        called_drawn("features", held),
        called_drawn("features-aligned", held[splits != "test"]),
        called_drawn("features-others", held[odd]),
    ]
    wrong = [max(photographs), called_drawn("features-drawn", held)]
    assert wrong == pytest.approx([chosen["human_called_drawn"], 1 - chosen["drawn_called_human"]], abs=1e-3)


@pytest.mark.slow
def test_the_adjustment_is_in_the_bias_of_the_saved_head(trained, prepared):
    run, report = trained
    faces = Faces.load(prepared)
    mask = faces.splits == "validation"
    with np.load(run / "features.npz") as stored:
        features = stored["plain"][mask]
    for name in LABEL_SETS:
        head = keras.saving.load_model(run / f"head-{name}.keras", compile=False)
        logits = head.predict(features, verbose=0)
        labels, known = targets_and_mask(name, faces.where(mask))
        accuracy = (logits.argmax(axis=1) == labels)[known].mean()
        assert accuracy == pytest.approx(report[name]["chosen"][name], abs=1e-3)


def test_further_faces_need_labels_and_a_mixture(prepared, tmp_path):
    faces = Faces.load(prepared)
    unlabelled, unvoted = replace(faces, labels=np.full(len(faces), -1)), replace(faces, votes=faces.votes * 0)
    for own, others, message in ((faces, unlabelled, "these have none"), (unvoted, faces, "`mixed`")):
        with pytest.raises(DatasetError, match=message):
            train_heads(tmp_path, own, 0.1, 1, None, others)


def test_an_inaccurate_drawn_face_head_is_not_saved(tmp_path):
    head, path = dense_head("linear", classes=1), tmp_path / "head.keras"
    drawn.save_if_accurate(head, {"human_called_drawn": 0.04, "drawn_called_human": 0.01}, path)
    assert path.is_file()
    drawn.save_if_accurate(head, {"human_called_drawn": 0.04, "drawn_called_human": 0.06}, path)
    assert not path.exists()


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("design", drawn.DRAWN_DESIGNS)
def test_a_head_trained_on_standardized_features_takes_plain_ones(design):
    rng = np.random.default_rng(0)
    target = np.arange(600)[:, None] % 2
    inputs = (5 + 0.01 * rng.normal(size=(600, 8)) + 0.03 * target).astype(np.float32)
    keras.utils.set_random_seed(0)
    head = dense_head(design, features=8, classes=1)
    drawn.fit_standardized(head, inputs, target.astype(np.float32), np.ones(600, np.float32))
    assert ((head.predict(inputs, verbose=0) > 0) == target).mean() > 0.95
