"""Figures of the robustness table: balanced recall, relative drop, corruption error, and their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .corruptions import STRENGTHS
from .measure import Answers

RESAMPLES = 2000
INTERVAL = (2.5, 97.5)
"""Percentiles of the interval."""


def balanced_weights(labels: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Weights (N,) that sum to 1: each set counts the same, within it each class, within that each picture."""
    weights = np.zeros(len(labels))
    for number in np.unique(sets):
        classes = np.unique(labels[sets == number])
        for label in classes:
            here = (sets == number) & (labels == label)
            weights[here] = 1 / (here.sum() * len(classes) * len(np.unique(sets)))
    return weights


def resampled_weights(labels: np.ndarray, sets: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Weights (count, N) of bootstrap samples, which draw pictures with replacement within each class of each set.

    A picture is drawn with all its corruptions, so that the systems and corruptions are compared on the same pictures.
    """
    random, weights = np.random.default_rng(seed), np.tile(balanced_weights(labels, sets), (count, 1))
    for number, label in {*zip(sets.tolist(), labels.tolist(), strict=True)}:
        here = (sets == number) & (labels == label)
        weights[:, here] *= random.multinomial(here.sum(), np.full(here.sum(), 1 / here.sum()), count)
    return weights


@dataclass(frozen=True)
class Shares:
    """Shares of pictures, such as recalls, of S systems over C corruptions; leading axes (...) may be bootstrap samples.

    Attributes:
        clean: (..., S).
        corrupted: (..., S, C, 5).
    """

    clean: np.ndarray
    corrupted: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray, weights: np.ndarray) -> Shares:
        """Weighted shares of a mask (S, 1 + 5 C, N) such as `Answers.right`; `weights` are (..., N)."""
        shares = (weights @ mask.reshape(-1, mask.shape[-1]).T.astype(float)).reshape(*weights.shape[:-1], *mask.shape[:-1])
        return cls(shares[..., 0], shares[..., 1:].reshape(*shares.shape[:-1], -1, len(STRENGTHS)))

    @property
    def means(self) -> np.ndarray:
        """(..., S, C): mean over the strengths."""
        return self.corrupted.mean(axis=-1)

    @property
    def drops(self) -> np.ndarray:
        """(..., S, C): share of the clean value that is lost, over the strengths; not finite if nothing was right before."""
        return _ratio(self.clean[..., None] - self.means, self.clean[..., None])

    @property
    def mean_drops(self) -> np.ndarray:
        """(..., S): share of the clean value that is lost, over all corruptions."""
        return _ratio(self.clean - self.means.mean(axis=-1), self.clean)

    @property
    def errors(self) -> np.ndarray:
        """(..., C): corruption error of the first system relative to the last: quotient of their mean error rates."""
        return _ratio(1 - self.means[..., 0, :], 1 - self.means[..., -1, :])

    @property
    def mean_error(self) -> np.ndarray:
        """(...): mean of `errors` over the corruptions (mCE of Hendrycks and Dietterich, with the last system as reference)."""
        return self.errors.mean(axis=-1)


@dataclass(frozen=True)
class Summary:
    """Figures of one or several sets.

    Attributes:
        found: share of the pictures in which the face was found.
        right: share that was found and is right: balanced recall, in which a missed face is wrong.
        samples: `right` of bootstrap samples.
    """

    found: Shares
    right: Shares
    samples: Shares

    def interval(self, figure: Callable[[Shares], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the 95 % bootstrap interval of a figure of `right`, such as `lambda shares: shares.clean`.

        NaN where the figure is NaN for some sample.
        """
        low, high = np.percentile(figure(self.samples), INTERVAL, axis=0)
        return low, high


def summarize(answers: Answers, number: int | None = None, seed: int = 0) -> Summary:
    """Figures of the set with a number, or of all sets, each of which then counts the same."""
    here = np.ones(len(answers.sets), bool) if number is None else answers.sets == number
    labels, sets = answers.labels[here], answers.sets[here]
    weights, found, right = balanced_weights(labels, sets), answers.found[..., here], answers.right[..., here]
    samples = resampled_weights(labels, sets, RESAMPLES, seed)
    return Summary(Shares.of(found, weights), Shares.of(right, weights), Shares.of(right, samples))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
