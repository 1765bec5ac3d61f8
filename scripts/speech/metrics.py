"""Metrics of speech classification by clip."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..common.metrics import balanced_recall, calibration_error, class_f1, confusion

TEMPERATURES = np.exp(np.arange(np.log(0.02), np.log(5), 0.02))
"""Candidates of temperature scaling: the logits of an RBF network are small."""


def clip_means(rows: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average the predictions of windows by clip, as the library does for a recording.

    Args:
        rows: (N, K) predictions of windows.
        owners: (N,) clip ids.

    Returns:
        (C, K) means and (C,) clip ids.
    """
    clips, places = np.unique(owners, return_inverse=True)
    sums = np.zeros((len(clips), rows.shape[1]))
    np.add.at(sums, places, rows)
    return sums / np.bincount(places)[:, None], clips


def clip_metrics(probabilities: np.ndarray, labels: np.ndarray, speakers: np.ndarray) -> dict[str, Any]:
    """Published metrics of predictions (N, 7) for clips with labels and speakers (N,)."""
    predicted = probabilities.argmax(axis=1)
    matrix = confusion(labels, predicted)
    return {
        "count": len(labels),
        "speakers": len(np.unique(speakers)),
        "recall": round(balanced_recall(labels, predicted), 4),
        "interval": [round(end, 4) for end in recall_interval(labels, predicted)],
        "accuracy": round(float((predicted == labels).mean()), 4),
        "ece": round(calibration_error(probabilities, labels), 4),
        "f1": [round(float(one), 4) for one in class_f1(matrix)],
        "confusion": matrix.tolist(),
        "by_speaker": {str(one): round(balanced_recall(labels[speakers == one], predicted[speakers == one]), 4)
                       for one in np.unique(speakers)},
    }  # fmt: skip


def recall_interval(labels: np.ndarray, predicted: np.ndarray, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean recall, clips resampled within each class.

    It does not cover the variation between speakers; `by_speaker` of `clip_metrics` shows that.
    """
    random = np.random.default_rng(seed)
    means = [
        random.binomial(count, (predicted[labels == label] == label).mean(), draws) / count
        for label in np.unique(labels)
        for count in [int((labels == label).sum())]
    ]
    low, high = np.percentile(np.mean(means, axis=0), (2.5, 97.5))
    return float(low), float(high)
