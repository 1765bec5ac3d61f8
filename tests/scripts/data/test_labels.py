"""Functions that the notebooks use on a table: votes against labels, duplicates, samples, learning curves."""

from __future__ import annotations

import argparse
from dataclasses import replace

import keras
import numpy as np
import pytest

from scripts.data import labels as raters
from scripts.data import prepare
from scripts.data.dataset import Faces, table
from scripts.data.readers.images import Listed, some
from scripts.data.splits import copies, duplicates, nearest
from scripts.docs.curves import LearningCurves
from scripts.train.heads.search import BATCH, fit
from scripts.train.networks import dense_head


def voted(labels: list[int], votes: list[dict[int, int]], asked: int = 10) -> Faces:
    rows = np.array([[row.get(emotion, 0) for emotion in range(7)] for row in votes], np.float32)
    count = len(labels)
    names = [str(number) for number in range(count)]
    faces = table(list(np.zeros((count, 8, 8), np.uint8)), labels, ["train"] * count, names, "test")
    return replace(faces, votes=rows, raters=np.full(count, asked, np.float32))


def test_votes_outside_of_the_seven_emotions_count():
    faces = voted([3, 3, 5], [{3: 10}, {3: 4, 4: 2}, {4: 9, 5: 1}])
    assert raters.vote_shares(faces)[1].tolist() == pytest.approx([0, 0, 0, 0.4, 0.2, 0, 0, 0.4])
    matrix = raters.mean_votes_by_label(faces)
    assert matrix[3].tolist() == pytest.approx([0, 0, 0, 0.7, 0.1, 0, 0, 0.2]) and matrix[5, 4] == pytest.approx(0.9)
    assert np.isnan(matrix[0]).all()
    assert raters.contradicted_labels(faces).tolist() == [2]


def test_vote_entropy_in_bits():
    bits = raters.vote_entropy(voted([0, 0, 0], [{0: 10}, {0: 5, 1: 5}, {0: 5, 1: 2}]))
    assert bits.tolist() == pytest.approx([0, 1, 0.5 * 1 + 0.2 * np.log2(5) + 0.3 * np.log2(10 / 3)], abs=1e-5)


def test_faces_without_votes_have_no_entropy_and_no_contradiction():
    faces = voted([0, 6], [{}, {}], asked=0)
    assert raters.vote_entropy(faces).tolist() == [0, 0] and not len(raters.contradicted_labels(faces))


def test_copies_are_in_the_order_of_the_splits():
    pixels = [np.full((8, 8), level, np.uint8) for level in (1, 2, 1, 3, 1)]
    faces = table(pixels, [0, 1, 2, 3, 0], ["test", "train", "validation", "train", "train"], list("abcde"), "x")
    assert copies(faces) == [[4, 2, 0]]
    assert duplicates(faces) == (2, 2, 0, 1)


def test_near_duplicates_of_other_brightness_are_found():
    random = np.random.default_rng(2)
    faces = random.integers(40, 200, (600, 48, 48)).astype(np.uint8)
    rows, likeness = nearest((faces[[599, 3]] * 0.7 + 20).astype(np.uint8), faces)
    assert rows.tolist() == [599, 3] and likeness.min() > 0.98
    rows, likeness = nearest(faces[:550], faces[550:])  # more than are compared at once
    assert len(rows) == 550 and likeness.max() < 0.8
    assert [len(part) for part in nearest(faces[:0], faces)] == [0, 0]


def test_a_random_choice_keeps_the_order():
    listed = [Listed(str(number), 0, str(number)) for number in range(50)]
    few = some(listed, 10)
    assert len(few) == 10 and few == sorted(few, key=lambda entry: int(entry.file)) and few != listed[:10]
    assert some(listed, None) == listed == some(listed, 99) and some(listed, 10) == few != some(listed, 10, seed=1)


@pytest.mark.slow
def test_curves_measure_both_parts_without_dropout():
    random = np.random.default_rng(4)
    features, labels = random.normal(size=(60, 16)).astype(np.float32), random.integers(0, 7, 60)
    keras.utils.set_random_seed(1)
    head = dense_head("original", features=16)
    curves = LearningCurves({"train": (features[:40], labels[:40]), "validation": (features[40:], labels[40:])})
    fit(head, features[:40], np.eye(7, dtype=np.float32)[labels[:40]], epochs=3, callbacks=[curves])
    assert len(curves.rows) == 3
    logits = head.predict(features, verbose=0)
    right = logits.argmax(axis=1) == labels
    assert curves.rows[-1]["train accuracy"] == pytest.approx(right[:40].mean())
    assert curves.rows[-1]["validation accuracy"] == pytest.approx(right[40:].mean())
    log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert curves.rows[-1]["train loss"] == pytest.approx(-log[np.arange(40), labels[:40]].mean(), rel=1e-4)
    assert curves.rows[-1]["train loss"] < curves.rows[0]["train loss"]


@pytest.mark.parametrize(("count", "batch"), [(20, 32), (800, 100), (9000, BATCH)])
def test_a_small_table_is_trained_in_smaller_batches(count, batch, monkeypatch):
    head, seen = dense_head("linear", features=4), []
    monkeypatch.setattr(head, "fit", lambda *data, batch_size, **options: seen.append(batch_size))
    fit(head, np.zeros((count, 4), np.float32), np.zeros((count, 7), np.float32))
    assert seen == [batch]


@pytest.mark.parametrize("name", ["mix_lambda", "sample_keys", "drawn", "mixed"])
def test_a_data_set_must_not_have_a_reserved_name(name):
    """Outputs of training models and arrays of soft labels have these names beside those of label sets."""
    with pytest.raises(argparse.ArgumentTypeError, match="none of"):
        prepare.source(name)


def test_the_reserved_names_are_those_in_use():
    from scripts.train.mixup import MIX_LAMBDA

    assert {MIX_LAMBDA, raters.SAMPLE_KEYS} < set(raters.RESERVED)
