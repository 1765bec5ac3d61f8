"""Figures of merit for classifiers, in NumPy alone."""

from __future__ import annotations

import numpy as np

BINS = 15
"""Equal-width bins of the top probability for the expected calibration error (Guo et al., "On Calibration", 2017)."""


def confusion(truth: np.ndarray, guess: np.ndarray, classes: int = 7) -> np.ndarray:
    """(classes, classes) counts: rows are true classes, columns answers."""
    return np.bincount(truth.astype(int) * classes + guess.astype(int), minlength=classes**2).reshape(classes, classes)


def accuracy(matrix: np.ndarray) -> float:
    """Share of right answers of a confusion matrix."""
    return float(np.trace(matrix) / matrix.sum())


def class_f1(matrix: np.ndarray) -> np.ndarray:
    """F1 a class: 2 TP / (2 TP + FP + FN); 0 where a class neither occurs nor is answered."""
    right = np.diag(matrix).astype(float)
    return 2 * right / np.maximum(matrix.sum(axis=0) + matrix.sum(axis=1), 1)


def macro_f1(matrix: np.ndarray) -> float:
    """Mean F1 of the classes that occur or are answered."""
    met = matrix.sum(axis=0) + matrix.sum(axis=1) > 0
    return float(class_f1(matrix)[met].mean())


def balanced_recall(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean recall over the classes that occur in `truth` (N,)."""
    return float(np.mean([(guess[truth == label] == label).mean() for label in np.unique(truth)]))


def group_recalls(truth: np.ndarray, guess: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Balanced recall within each of `groups` (N,) str, over the classes that the group has."""
    masks = {str(group): groups == group for group in np.unique(groups)}
    return {group: balanced_recall(truth[mask], guess[mask]) for group, mask in masks.items()}


def family_recall(truth: np.ndarray, guess: np.ndarray, groups: np.ndarray) -> float:
    """Mean over groups, such as families of drawings, of the balanced recall over the classes that a group has."""
    return float(np.mean(list(group_recalls(truth, guess, groups).values())))


def reliability(probabilities: np.ndarray, truth: np.ndarray) -> list[dict[str, float]]:
    """The non-empty ones of BINS: count, mean confidence and accuracy of the answers whose top probability lies in the bin."""
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    place = np.minimum((top * BINS).astype(int), BINS - 1)
    return [
        {
            "low": round(number / BINS, 4),
            "high": round((number + 1) / BINS, 4),
            "count": int((place == number).sum()),
            "confidence": round(float(top[place == number].mean()), 4),
            "accuracy": round(float(right[place == number].mean()), 4),
        }
        for number in np.unique(place)
    ]


def calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Expected calibration error: mean gap of confidence and accuracy over the bins, weighted by their counts."""
    bins = reliability(probabilities, truth)
    return sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in bins) / len(truth)


def cross_entropy(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Mean of -sum(target log p); `targets` (N, C) soft, or (N,) class ids."""
    logs = np.log(np.maximum(probabilities, 1e-12))
    if targets.ndim == 1:
        return float(-logs[np.arange(len(logs)), targets].mean())
    return float(-(targets * logs).sum(axis=1).mean())


def interval(right: np.ndarray, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of a mean of right (1) and wrong (0) answers."""
    # A resampled mean of n zeros and ones is a binomial share, so it can be drawn without resampling rows.
    means = np.random.default_rng(seed).binomial(len(right), right.mean(), draws) / len(right)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
