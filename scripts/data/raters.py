"""What several raters' votes say of a table's labels: where they agree, where they argue, where they say something else."""

from __future__ import annotations

import numpy as np

from emotions.labels import EMOTIONS

from .dataset import Faces

OPINIONS = (*EMOTIONS, "none of them")
"""What a vote can say; the last stands for contempt, "unknown" and "not a face"."""


def shares(faces: Faces) -> np.ndarray:
    """(N, 8) float32: shares of a face's raters that chose each of OPINIONS; all zero where nobody was asked."""
    others = np.maximum(faces.raters - faces.votes.sum(axis=1), 0)
    return np.column_stack([faces.votes, others]) / np.maximum(faces.raters, 1)[:, None]


def agreement(faces: Faces) -> np.ndarray:
    """(7, 8): of the raters of all faces with a label (row), the share that chose each of OPINIONS; NaN for no such face."""
    given, asked = shares(faces), faces.raters > 0
    rows = [given[asked & (faces.labels == label)] for label in range(len(EMOTIONS))]
    return np.array([row.mean(axis=0) if len(row) else np.full(len(OPINIONS), np.nan) for row in rows])


def dispute(faces: Faces) -> np.ndarray:
    """(N,): entropy of a face's votes in bits: 0 where all raters say one thing, 3 where they say all eight equally often."""
    given = shares(faces)
    return -(given * np.log2(np.where(given > 0, given, 1))).sum(axis=1)


def contradicted(faces: Faces, least: float = 0.9) -> np.ndarray:
    """Rows (K,) of the faces whose raters, `least` of them or more, chose one emotion that is not the label."""
    given = shares(faces)[:, : len(EMOTIONS)]
    return np.flatnonzero((given.max(axis=1) >= least) & (given.argmax(axis=1) != faces.labels))
