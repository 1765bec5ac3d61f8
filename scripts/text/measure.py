"""What the published text model is worth, measured through the library as it is served. Needs no TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np

from emotions.labels import EMOTIONS
from emotions.text.classifier import TextClassifier

from .corpora import Corpus

# Scores of multi-label answers: F1 a class, macro-F1, and the thresholds that are best for it.


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def f1_scores(truth: np.ndarray, said: np.ndarray) -> np.ndarray:
    """F1 of each class from (N, K) truth and answers; 0 for a class that neither has (as scikit-learn's zero_division=0)."""
    truth, said = truth.astype(bool), said.astype(bool)
    right = (truth & said).sum(axis=0)
    return 2 * right / np.maximum(truth.sum(axis=0) + said.sum(axis=0), 1)


def best_thresholds(truth: np.ndarray, probabilities: np.ndarray, grid: np.ndarray | None = None) -> np.ndarray:
    """(K,) thresholds, each the middle of the best stretch of its class's F1 smoothed over the grid.

    The single best value on a small split is luck for a class of a hundred texts; F1 averaged over five neighbours is not.
    """
    grid = np.arange(0.05, 0.9, 0.01) if grid is None else grid
    scores = np.stack([f1_scores(truth, probabilities >= threshold) for threshold in grid])  # (G, K)
    kernel = np.ones(5) / 5
    smooth = np.stack([np.convolve(np.pad(column, 2, mode="edge"), kernel, "valid") for column in scores.T], axis=1)
    return grid[smooth.argmax(axis=0)]


DRAWS = 1000


def answers(model: TextClassifier, texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (N, 7), which of them are above their thresholds (N, 7), and which texts were refused (N,)."""
    wholes = [model.predict(text).whole for text in texts]
    probabilities = np.array([whole.probabilities for whole in wholes])
    return (
        probabilities,
        np.array([whole.over_threshold for whole in wholes]),
        np.array([whole.reason is not None for whole in wholes]),
    )


def interval(truth: np.ndarray, said: np.ndarray, seed: int = 0) -> list[float]:
    """95 % bootstrap interval of macro-F1, texts drawn with replacement."""
    random, scores = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        drawn = random.integers(0, len(truth), len(truth))
        scores.append(f1_scores(truth[drawn], said[drawn]).mean())
    return [round(float(end), 4) for end in np.percentile(scores, [2.5, 97.5])]


def figures(model: TextClassifier, corpus: Corpus) -> dict[str, Any]:
    """Everything that is published about a corpus; a refused text counts as one without any emotion.

    `macro_f1` is multi-label: the mean over seven classes of the F1 of "above its threshold". `single` are figures of the one
    `emotion` of each answer, where every text of the corpus has one label: its accuracy, macro-F1 and F1 weighted by class.
    """
    probabilities, above, refused = answers(model, corpus.texts)
    said = above & ~refused[:, None]
    scores = f1_scores(corpus.seven, said)
    right = (corpus.seven.astype(bool) & said).sum(axis=0)
    report: dict[str, Any] = {
        "count": len(corpus),
        "macro_f1": round(float(scores.mean()), 4),
        "interval": interval(corpus.seven, said),
        "f1": _by_class(scores),
        "precision": _by_class(right / np.maximum(said.sum(axis=0), 1)),
        "recall": _by_class(right / np.maximum(corpus.seven.sum(axis=0), 1)),
        "texts": {name: int(count) for name, count in zip(EMOTIONS, corpus.seven.sum(axis=0), strict=True)},
        "refused": round(float(refused.mean()), 4),
    }
    if (corpus.seven.sum(axis=1) == 1).all():
        named = _named(probabilities, above)
        one = np.eye(len(EMOTIONS), dtype=bool)[named]
        single, support = f1_scores(corpus.seven, one), corpus.seven.mean(axis=0)
        report["single"] = {
            "accuracy": round(float((corpus.seven.argmax(axis=1) == named).mean()), 4),
            "macro_f1": round(float(single.mean()), 4),
            "weighted_f1": round(float((single * support).sum()), 4),
        }
    return report


def _named(probabilities: np.ndarray, above: np.ndarray) -> np.ndarray:
    """The class of `TextSpan.emotion`: the likeliest of those above their thresholds, of all where none is."""
    return np.where(above | ~above.any(axis=1, keepdims=True), probabilities, -1).argmax(axis=1)


def _by_class(values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(EMOTIONS, values, strict=True)}
