"""Classification metrics in NumPy: confusion, F1, recall, calibration, intervals, temperature scaling.

scikit-learn is not among the requirements; `macro_f1` and `balanced_recall` follow its definitions except that classes which
neither occur nor are predicted are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emotions.runtime.litert import softmax

BINS = 15
"""Equal-width bins of the top probability for the expected calibration error (Guo et al., "On Calibration", 2017)."""
TEMPERATURES = np.geomspace(0.3, 3.0, 231)
"""Candidates of temperature scaling for the expression heads."""
NORMAL_95 = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal distribution."""


def confusion(y_true: np.ndarray, y_pred: np.ndarray, classes: int = 7) -> np.ndarray:
    """Confusion matrix (classes, classes) of class ids (N,): rows are true classes, columns predicted ones."""
    return np.bincount(y_true.astype(int) * classes + y_pred.astype(int), minlength=classes**2).reshape(classes, classes)


def accuracy(matrix: np.ndarray) -> float:
    """Accuracy of a confusion matrix."""
    return float(np.trace(matrix) / matrix.sum())


def class_f1(matrix: np.ndarray) -> np.ndarray:
    """F1 of each class, 2 TP / (2 TP + FP + FN); 0 for a class that neither occurs nor is predicted."""
    right = np.diag(matrix).astype(float)
    return 2 * right / np.maximum(matrix.sum(axis=0) + matrix.sum(axis=1), 1)


def macro_f1(matrix: np.ndarray) -> float:
    """Mean F1 of the classes that occur or are predicted."""
    met = matrix.sum(axis=0) + matrix.sum(axis=1) > 0
    return float(class_f1(matrix)[met].mean())


def class_recall(matrix: np.ndarray) -> np.ndarray:
    """Recall of each class of a confusion matrix; NaN for a class that does not occur."""
    total = matrix.sum(axis=1)
    return np.where(total > 0, np.diag(matrix) / np.maximum(total, 1), np.nan)


def balanced_recall(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean recall over the classes that occur in `y_true` (N,)."""
    return float(np.mean([(y_pred[y_true == label] == label).mean() for label in np.unique(y_true)]))


def group_recalls(y_true: np.ndarray, y_pred: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Balanced recall within each of `groups` (N,) str, over the classes that occur in the group."""
    masks = {str(group): groups == group for group in np.unique(groups)}
    return {group: balanced_recall(y_true[mask], y_pred[mask]) for group, mask in masks.items()}


def family_recall(y_true: np.ndarray, y_pred: np.ndarray, groups: np.ndarray) -> float:
    """Mean over groups, such as style families, of the balanced recall within the group."""
    return float(np.mean(list(group_recalls(y_true, y_pred, groups).values())))


def reliability(probabilities: np.ndarray, y_true: np.ndarray, bins: int = BINS) -> list[dict[str, float]]:
    """Reliability diagram: bounds, count, mean confidence and accuracy of each non-empty bin of the top probability."""
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y_true
    place = np.minimum((top * bins).astype(int), bins - 1)
    return [
        {
            "low": round(number / bins, 4),
            "high": round((number + 1) / bins, 4),
            "count": int((place == number).sum()),
            "confidence": round(float(top[place == number].mean()), 4),
            "accuracy": round(float(right[place == number].mean()), 4),
        }
        for number in np.unique(place)
    ]


def calibration_error(probabilities: np.ndarray, y_true: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: mean |confidence - accuracy| over the bins, weighted by their counts."""
    rows = reliability(probabilities, y_true, bins)
    return sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in rows) / len(y_true)


def cross_entropy(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Mean of -sum(target log p); `targets` are soft labels (N, C) or class ids (N,)."""
    logs = np.log(np.maximum(probabilities, 1e-12))
    if targets.ndim == 1:
        return float(-logs[np.arange(len(logs)), targets].mean())
    return float(-(targets * logs).sum(axis=1).mean())


def fit_temperature(logits: np.ndarray, y_true: np.ndarray, candidates: np.ndarray = TEMPERATURES) -> float:
    """Temperature among `candidates` with the lowest cross-entropy of logits (N, C) against class ids (N,)."""
    return fit_shared_temperature([(logits, y_true)], candidates)


def fit_shared_temperature(sets: Sequence[tuple[np.ndarray, np.ndarray]], candidates: np.ndarray = TEMPERATURES) -> float:
    """Temperature of several sets of logits (N, C) and class ids (N,): that of the lowest mean of their cross-entropies."""

    def mean_cross_entropy(temperature: float) -> float:
        return float(np.mean([cross_entropy(softmax(logits, temperature), y_true) for logits, y_true in sets]))

    return float(min(candidates, key=mean_cross_entropy))


INTERVAL_METHOD = "Wilson score"
"""Method of `interval`, recorded beside its results; intervals without a method are bootstrap intervals of earlier versions."""


def interval(right: np.ndarray) -> tuple[float, float]:
    """95 % Wilson score interval of the mean of (N,) correct (1) and wrong (0) predictions.

    It has a positive width when all predictions are correct or all are wrong (Wilson, "Probable Inference", 1927).
    """
    count, share = len(right), float(np.mean(right))
    spread = NORMAL_95**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = NORMAL_95 * (share * (1 - share) / count + spread / (4 * count)) ** 0.5 / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


DRAWS = 10_000
"""Draws of `permutation_test`."""


def permutation_test(first: np.ndarray, second: np.ndarray, draws: int = DRAWS, seed: int = 0) -> float:
    """Two-sided p-value of the difference between the means of two groups of independent values (N,) and (M,).

    Values are assigned to the groups at random `draws` times, reproducibly. Counted are the draws with a difference at least as
    large as the observed one, and the observed assignment itself, so that the p-value is never 0 (Phipson and Smyth,
    "Permutation P-values Should Never Be Zero", 2010).
    """
    values, count = np.concatenate([first, second]).astype(float), len(first)
    observed = abs(first.mean() - second.mean())
    drawn = np.random.default_rng(seed).permuted(np.tile(values, (draws, 1)), axis=1)
    differences = np.abs(drawn[:, :count].mean(axis=1) - drawn[:, count:].mean(axis=1))
    return float((1 + (differences >= observed - 1e-9).sum()) / (draws + 1))
