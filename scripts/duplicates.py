"""Faces that are in a data set more than once: a copy of a training face in test makes test easier than it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .datasets import SPLITS, Faces


class Duplicates(NamedTuple):
    """Faces that are, pixel for pixel, one before them (in the order train, validation, test).

    `repeated`: all of them; `across_splits`: those of validation and test that an earlier split has too; `across_sources`:
    those that another data set has too; `relabelled`: those whose label is not that of the first copy.
    """

    repeated: int
    across_splits: int
    across_sources: int
    relabelled: int

    def __str__(self) -> str:
        return (
            f"{self.repeated} faces repeat another pixel for pixel: {self.across_splits} of validation and test are in an "
            f"earlier split too, {self.across_sources} in another data set, {self.relabelled} have another label there"
        )


def duplicates(faces: Faces) -> Duplicates:
    """Count the repeated faces of a table; pictures scaled or compressed anew are not recognised."""
    seen: dict[bytes, list[int]] = {}
    repeated = across_splits = across_sources = relabelled = 0
    for split in SPLITS:
        for row in np.flatnonzero(faces.splits == split):
            if copies := seen.get(pixels := faces.pixels[row].tobytes()):
                repeated += 1
                across_splits += any(faces.splits[copy] != split for copy in copies)
                across_sources += any(faces.sources[copy] != faces.sources[row] for copy in copies)
                relabelled += bool(faces.labels[copies[0]] != faces.labels[row])
            seen.setdefault(pixels, []).append(row)
    return Duplicates(repeated, across_splits, across_sources, relabelled)
