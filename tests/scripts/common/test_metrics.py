"""Figures of merit against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from emotions.runtime.litert import softmax
from scripts.common import metrics


def test_confusion_accuracy_and_f1():
    matrix = metrics.confusion(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0]), classes=3)
    assert matrix.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert metrics.accuracy(matrix) == pytest.approx(0.6)
    assert metrics.class_f1(matrix) == pytest.approx([0.5, 0.8, 0.0])
    assert metrics.macro_f1(matrix) == pytest.approx(1.3 / 3)


def test_calibration_error_is_the_mean_gap():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    truth = np.array([0, 0, 0, 1, 1, 0])  # three of four right at .9, one of two at .6
    assert metrics.calibration_error(probabilities, truth) == pytest.approx((4 * 0.15 + 2 * 0.1) / 6)
    assert [row["count"] for row in metrics.reliability(probabilities, truth)] == [2, 4]
    assert metrics.calibration_error(np.eye(2), np.array([0, 1])) == 0  # a probability of 1 belongs to the last bin


def test_cross_entropy_of_ids_and_of_shares():
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert metrics.cross_entropy(probabilities, np.array([0, 1])) == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert metrics.cross_entropy(probabilities, np.array([[1.0, 0], [0, 1.0]])) == pytest.approx(
        metrics.cross_entropy(probabilities, np.array([0, 1]))
    )


def test_temperature_scaling_corrects_overconfident_logits():
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (4000, 7))
    labels = np.array([random.choice(7, p=row) for row in softmax(logits)])
    assert metrics.fit_temperature(logits * 2, labels) == pytest.approx(2.0, rel=0.1)
    assert metrics.fit_temperature(logits * 2, labels, np.array([0.5, 1.5])) == 1.5
    few = (logits[:50] / 2, labels[:50])  # counts as much as all the others
    pooled = metrics.fit_temperature(np.concatenate([logits * 2, few[0]]), np.concatenate([labels, few[1]]))
    assert 0.5 < metrics.fit_shared_temperature([(logits * 2, labels), few]) < 0.9 * pooled


@pytest.mark.parametrize(
    ("right", "count", "expected"),
    # Wilson score intervals as R's binom.confint(methods="wilson") gives them.
    [(30, 30, (0.8864852, 1.0)), (0, 30, (0.0, 0.1135148)), (15, 20, (0.5312953, 0.8881377)), (1, 1, (0.2065493, 1.0))],
)
def test_the_interval_is_wilsons(right, count, expected):
    predictions = np.repeat([1, 0], [right, count - right])
    assert metrics.interval(predictions) == pytest.approx(expected, abs=1e-4)


def test_interval_covers_the_mean_and_narrows():
    few, many = np.tile([1, 1, 1, 0], 25), np.tile([1, 1, 1, 0], 2500)
    low, high = metrics.interval(few)
    assert low < 0.75 < high and high - low > 5 * np.subtract(*metrics.interval(many)[::-1])


def test_balanced_recall_weighs_classes_that_occur():
    assert metrics.balanced_recall(np.array([0, 0, 0, 2]), np.array([0, 0, 1, 2])) == pytest.approx((2 / 3 + 1) / 2)


def test_class_recall_leaves_out_absent_classes():
    recall = metrics.class_recall(np.array([[3, 1, 0], [0, 0, 0], [1, 0, 1]]))
    assert recall[[0, 2]].tolist() == [0.75, 0.5] and np.isnan(recall[1])


def test_reliability_with_fewer_bins():
    rows = metrics.reliability(np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0, 0]), bins=2)
    assert [(row["low"], row["high"], row["count"], row["accuracy"]) for row in rows] == [(0.5, 1.0, 2, 0.5)]


def test_permutation_test_against_all_assignments():
    """Of the ten ways to choose two of five values, one gives the observed difference of 1 to a side, none to the other."""
    first, second = np.array([1, 1]), np.array([0, 0, 0])
    assert metrics.permutation_test(first, second) == pytest.approx(0.1, abs=0.015)
    assert metrics.permutation_test(first, second) == metrics.permutation_test(first, second), "the draws are seeded"
    assert metrics.permutation_test(second, first) == pytest.approx(0.1, abs=0.015), "two-sided"
    assert metrics.permutation_test(np.array([1, 0]), np.array([0, 1])) == 1
    assert metrics.permutation_test(np.ones(30), np.zeros(30), draws=99) == 0.01, "never 0"
