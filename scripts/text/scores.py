"""Scores of multi-label answers: F1 a class, macro-F1, and the thresholds that are best for it."""

from __future__ import annotations

import numpy as np


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
