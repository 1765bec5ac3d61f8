"""Results of `scripts.evaluate.heads`: predictions of all heads on the table of rendered heads, and figures of parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..common.metrics import balanced_recall
from ..synthetic.heads.dataset.reader import LEVELS, NEUTRAL, RenderedHeads, bin_numbers

STRENGTHS = tuple(round(0.1 * number, 1) for number in range(1, 11))
"""Edges of the bins of strength."""
MISSED = -1
"""Prediction for a picture in which no face was found."""


@dataclass(frozen=True)
class WholePictures:
    """Whole pictures as the service processes them.

    Attributes:
        rows: (M,) rows of the table.
        detected: (M,) bool, true where some face was detected.
        predicted: head -> (M,) class ids of the largest face, MISSED without one.
    """

    rows: np.ndarray
    detected: np.ndarray
    predicted: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class HeadResults:
    """All that the report shows.

    Attributes:
        command: command line that made it.
        title: backbone and version.
        heads: the table.
        served: predictions (N,) of the crops by each served head.
        learned: the same by heads that learn rendered faces, each face by a head that never saw its family or its character.
        whole: whole pictures, None without the archive.
        trained_on: titles of the data sets of the served heads.
        folds: number of folds of characters.
        human: number of photographs that the learning heads were trained on too.
        about_set: rows, seed and fingerprint of the table.
    """

    command: str
    title: str
    heads: RenderedHeads
    served: Mapping[str, np.ndarray]
    learned: Mapping[str, np.ndarray]
    whole: WholePictures | None
    trained_on: str
    folds: int
    human: int
    about_set: str

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Predictions of all heads by column title."""
        return {**self.served, **self.learned}

    def recall(self, predicted: np.ndarray, mask: np.ndarray) -> float | None:
        """Balanced recall of the masked faces, None without any."""
        return masked_recall(self.heads, predicted, mask)

    def levels(self, mask: np.ndarray) -> list[str]:
        """Cells "full / half" of the masked faces, one for each column."""
        cells = ([self.recall(one, mask & self.heads.at_level(level)) for level in LEVELS] for one in self.columns.values())
        return [" / ".join(map(percent, pair)) for pair in cells]

    def family_means(self, predicted: np.ndarray, level: str, split: str | None = None) -> float | None:
        """Mean over families, or over those of one split, of the balanced recall at a level."""
        masks = [mask & self.heads.at_level(level) for mask in family_masks(self.heads, split).values()]
        recalls = [value for mask in masks if (value := self.recall(predicted, mask)) is not None]
        return float(np.mean(recalls)) if recalls else None


def masked_recall(heads: RenderedHeads, predicted: np.ndarray, mask: np.ndarray) -> float | None:
    """Balanced recall of masked faces of a table, None without any."""
    return balanced_recall(heads.emotions[mask], predicted[mask]) if mask.any() else None


def family_masks(heads: RenderedHeads, split: str | None = None) -> dict[str, np.ndarray]:
    """Mask (N,) of each family, or of each one of a split."""
    kept = np.ones(len(heads), bool) if split is None else heads.faces.splits == split
    return {str(family): heads.families == family for family in np.unique(heads.families[kept])}


def percent(value: float | None) -> str:
    """A share in per cent, or a dash for None."""
    return "–" if value is None else f"{value:.1%}"


def strength_curve(heads: RenderedHeads, predicted: np.ndarray) -> list[float | None]:
    """Mean recall of the emotions other than neutral in each bin of STRENGTHS, None in an empty one."""
    numbers, shown = bin_numbers(heads.strengths, STRENGTHS), heads.emotions != NEUTRAL
    masks = [shown & (numbers == number) for number in range(len(STRENGTHS) - 1)]
    return [balanced_recall(heads.emotions[mask], predicted[mask]) if mask.any() else None for mask in masks]


def character_recalls(report: HeadResults, predicted: np.ndarray) -> dict[str, tuple[str, int, float]]:
    """Family, number of labelled faces, and balanced recall over those faces, of each character."""
    heads, found = report.heads, {}
    for character in np.unique(heads.faces.groups):
        mask = (heads.faces.groups == character) & heads.labelled
        if (recall := report.recall(predicted, mask)) is not None:
            found[str(character)] = (str(heads.families[mask][0]), int(mask.sum()), recall)
    return found
