"""The label_sets of a table of faces, labels and raters' votes, and what a network is taught by them.

The labels' truth bears the name of their data set (`fer2013`), or `labels` where the table joins several; that of the votes is
`ferplus`, the only votes that any reader gives. A head `mixed` learns both.
"""

from __future__ import annotations

import numpy as np

from emotions.labels import EMOTIONS

from .dataset import DatasetError, Faces

# What several raters' votes say of a table's labels: where they agree, where they argue, where they say something else.

VOTE_OPTIONS = (*EMOTIONS, "none of them")
"""What a vote can say; the last stands for contempt, "unknown" and "not a face"."""


def shares(faces: Faces) -> np.ndarray:
    """(N, 8) float32: shares of a face's raters that chose each of VOTE_OPTIONS; all zero where nobody was asked."""
    others = np.maximum(faces.raters - faces.votes.sum(axis=1), 0)
    return np.column_stack([faces.votes, others]) / np.maximum(faces.raters, 1)[:, None]


def agreement(faces: Faces) -> np.ndarray:
    """(7, 8): of the raters of all faces with a label (row), the share that chose each of VOTE_OPTIONS; NaN for no such face."""
    given, asked = shares(faces), faces.raters > 0
    rows = [given[asked & (faces.labels == label)] for label in range(len(EMOTIONS))]
    return np.array([row.mean(axis=0) if len(row) else np.full(len(VOTE_OPTIONS), np.nan) for row in rows])


def dispute(faces: Faces) -> np.ndarray:
    """(N,): entropy of a face's votes in bits: 0 where all raters say one thing, 3 where they say all eight equally often."""
    given = shares(faces)
    return -(given * np.log2(np.where(given > 0, given, 1))).sum(axis=1)


def contradicted(faces: Faces, least: float = 0.9) -> np.ndarray:
    """Rows (K,) of the faces whose raters, `least` of them or more, chose one emotion that is not the label."""
    given = shares(faces)[:, : len(EMOTIONS)]
    return np.flatnonzero((given.max(axis=1) >= least) & (given.argmax(axis=1) != faces.labels))


LABELS, VOTES, MIXED = "labels", "ferplus", "mixed"
RESERVED = (LABELS, VOTES, MIXED, "drawn")
"""Names of label_sets and heads, which no data set of one's own may bear."""


def label_set_name(faces: Faces) -> str:
    """What the labels of a whole table are called."""
    sources = set(faces.sources[faces.labels >= 0].tolist())
    return sources.pop() if len(sources) == 1 else LABELS


def available_label_sets(faces: Faces, splits: tuple[str, ...] = ("train", "validation")) -> tuple[str, ...]:
    """The label_sets that a table holds in all of `splits`, votes where more than half of some face's agree.

    Raises DatasetError where there is none.
    """
    parts = [faces.split(split) for split in splits]
    names = [name for name in (label_set_name(faces), VOTES) if all(targets_and_mask(name, part)[1].any() for part in parts)]
    if not names:
        told = " and ".join(f"{split} has {(faces.splits == split).sum()} faces" for split in splits)
        raise DatasetError(f"faces with a label or votes are needed in the splits {' and '.join(splits)}: {told}")
    return tuple(names)


def heads_for(label_sets: tuple[str, ...]) -> tuple[str, ...]:
    """The heads that such label_sets make: one each, and one for their mixture."""
    return (*label_sets, MIXED) if len(label_sets) > 1 else label_sets


def targets_and_mask(truth: str, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """(class ids (N,), mask (N,) of rows that count) by which a truth measures answers; `mixed` is measured by the labels."""
    if truth == VOTES:
        return faces.majority()
    return faces.labels.astype(int), faces.labels >= 0


def hard_targets(faces: Faces, smoothing: float = 0.0) -> np.ndarray:
    """(N, 7) float32: one at the label, smoothed; zeros for a face without one."""
    count, known = len(EMOTIONS), faces.labels >= 0
    hard = np.eye(count, dtype=np.float32)[faces.labels] * (1 - smoothing) + np.float32(smoothing / count)
    return np.where(known[:, None], hard, np.float32(0))


def vote_targets(faces: Faces) -> np.ndarray:
    """(N, 7) float32: votes for the seven as a share of all raters asked.

    A face that half of the raters called unknown thus counts half, and one that nobody was asked about not at all.
    """
    return (faces.votes / np.maximum(faces.raters, 1)[:, None]).astype(np.float32)


def targets_of(truth: str, faces: Faces, smoothing: float = 0.0) -> np.ndarray:
    """(N, 7) float32: what a truth teaches."""
    return vote_targets(faces) if truth == VOTES else hard_targets(faces, smoothing)


def mixed_targets(faces: Faces, share: float, smoothing: float) -> np.ndarray:
    """(N, 7) float32: `share` of the label and the rest of the votes; where a face has one of them only, that one alone."""
    hard, votes = hard_targets(faces, smoothing), vote_targets(faces)
    votes_or_label = np.where(faces.raters[:, None] > 0, votes, hard)
    return share * np.where(faces.labels[:, None] >= 0, hard, votes) + (1 - share) * votes_or_label
