"""Figures of merit for speech: recall over classes, its interval over speakers, the temperature."""

from __future__ import annotations

from typing import Any

import numpy as np

from emotions.runtime.litert import softmax

from ..common.metrics import balanced_recall, calibration_error, class_f1, confusion


def clip_means(rows: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (N, K) of windows -> the mean of each clip's, as the library answers for a recording, and the clips' ids."""
    clips, places = np.unique(owners, return_inverse=True)
    sums = np.zeros((len(clips), rows.shape[1]))
    np.add.at(sums, places, rows)
    return sums / np.bincount(places)[:, None], clips


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The divisor of logits (N, 7) that makes the cross-entropy least, to 2 %."""
    tried = np.exp(np.arange(np.log(0.02), np.log(5), 0.02))
    losses = [-np.log(np.maximum(softmax(logits, one)[np.arange(len(labels)), labels], 1e-9)).mean() for one in tried]
    return float(tried[int(np.argmin(losses))])


def figures(probabilities: np.ndarray, labels: np.ndarray, speakers: np.ndarray) -> dict[str, Any]:
    """All that a card tells of answers (N, 7) to clips with these labels and speakers (N,)."""
    guess = probabilities.argmax(axis=1)
    matrix = confusion(labels, guess)
    return {
        "count": len(labels),
        "speakers": len(np.unique(speakers)),
        "recall": round(balanced_recall(labels, guess), 4),
        "interval": [round(end, 4) for end in recall_interval(labels, guess)],
        "accuracy": round(float((guess == labels).mean()), 4),
        "ece": round(calibration_error(probabilities, labels), 4),
        "f1": [round(float(one), 4) for one in class_f1(matrix)],
        "confusion": matrix.tolist(),
        "by_speaker": {str(one): round(balanced_recall(labels[speakers == one], guess[speakers == one]), 4)
                       for one in np.unique(speakers)},
    }  # fmt: skip


def recall_interval(labels: np.ndarray, guess: np.ndarray, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean recall, clips drawn anew within each class.

    It tells nothing of how other speakers would fare: `by_speaker` shows how far they differ.
    """
    random = np.random.default_rng(seed)
    means = [
        random.binomial(count, (guess[labels == label] == label).mean(), draws) / count
        for label in np.unique(labels)
        for count in [int((labels == label).sum())]
    ]
    low, high = np.percentile(np.mean(means, axis=0), (2.5, 97.5))
    return float(low), float(high)
