"""Multi-label metrics of the text model, measured through the library as it is served; without TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np

from emotions.labels import EMOTIONS, by_emotion
from emotions.text.classifier import TextClassifier

from .corpora import Corpus

DRAWS = 1000
"""Bootstrap samples of an interval."""


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def f1_scores(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """(K,) F1 of each class from (N, K) labels and predictions; 0 for a class in neither (as scikit-learn's zero_division=0)."""
    y_true, y_pred = y_true.astype(bool), y_pred.astype(bool)
    right = (y_true & y_pred).sum(axis=0)
    return 2 * right / np.maximum(y_true.sum(axis=0) + y_pred.sum(axis=0), 1)


def best_thresholds(y_true: np.ndarray, probabilities: np.ndarray, grid: np.ndarray | None = None) -> np.ndarray:
    """(K,) thresholds with the best F1 of each class, F1 smoothed over five neighbours of the grid.

    Without smoothing, the best value of a class with a hundred texts is mostly noise.
    """
    grid = np.arange(0.05, 0.9, 0.01) if grid is None else grid
    scores = np.stack([f1_scores(y_true, probabilities >= threshold) for threshold in grid])  # (G, K)
    kernel = np.ones(5) / 5
    smooth = np.stack([np.convolve(np.pad(column, 2, mode="edge"), kernel, "valid") for column in scores.T], axis=1)
    return grid[smooth.argmax(axis=0)]


def predict(classifier: TextClassifier, texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (N, 7), which of them reach their thresholds (N, 7), and which texts were rejected (N,)."""
    wholes = [classifier.predict(text).whole for text in texts]
    probabilities = np.array([whole.probabilities for whole in wholes])
    return (
        probabilities,
        np.array([whole.over_threshold for whole in wholes]),
        np.array([whole.reason is not None for whole in wholes]),
    )


def bootstrap_interval(y_true: np.ndarray, y_pred: np.ndarray, seed: int = 0) -> list[float]:
    """95 % bootstrap interval of macro-F1, texts drawn with replacement."""
    random, scores = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        drawn = random.integers(0, len(y_true), len(y_true))
        scores.append(f1_scores(y_true[drawn], y_pred[drawn]).mean())
    return [round(float(end), 4) for end in np.percentile(scores, [2.5, 97.5])]


def corpus_metrics(classifier: TextClassifier, corpus: Corpus) -> dict[str, Any]:
    """Published metrics of a corpus; a rejected text counts as one without any emotion.

    `macro_f1` is multi-label: the mean F1 of the seven thresholded classes. `single` is present where every text has one label:
    accuracy, macro-F1 and weighted F1 of the predicted `emotion`.
    """
    probabilities, over_threshold, rejected = predict(classifier, corpus.texts)
    y_pred = over_threshold & ~rejected[:, None]
    scores = f1_scores(corpus.seven, y_pred)
    right = (corpus.seven.astype(bool) & y_pred).sum(axis=0)
    report: dict[str, Any] = {
        "count": len(corpus),
        "macro_f1": round(float(scores.mean()), 4),
        "interval": bootstrap_interval(corpus.seven, y_pred),
        "f1": by_emotion(scores),
        "precision": by_emotion(right / np.maximum(y_pred.sum(axis=0), 1)),
        "recall": by_emotion(right / np.maximum(corpus.seven.sum(axis=0), 1)),
        "texts": {name: int(count) for name, count in zip(EMOTIONS, corpus.seven.sum(axis=0), strict=True)},
        "refused": round(float(rejected.mean()), 4),
    }
    if (corpus.seven.sum(axis=1) == 1).all():
        named = _single_class(probabilities, over_threshold)
        one = np.eye(len(EMOTIONS), dtype=bool)[named]
        single, support = f1_scores(corpus.seven, one), corpus.seven.mean(axis=0)
        report["single"] = {
            "accuracy": round(float((corpus.seven.argmax(axis=1) == named).mean()), 4),
            "macro_f1": round(float(single.mean()), 4),
            "weighted_f1": round(float((single * support).sum()), 4),
        }
    return report


def _single_class(probabilities: np.ndarray, over_threshold: np.ndarray) -> np.ndarray:
    """(N,) class of `TextSpan.emotion`: the most likely one over its threshold, of all seven if there is none."""
    return np.where(over_threshold | ~over_threshold.any(axis=1, keepdims=True), probabilities, -1).argmax(axis=1)
