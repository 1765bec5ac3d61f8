"""Label sets of a table of faces (labels and raters' votes), and training targets made of them.

The label set of the labels has the name of their data set (`fer2013`), or `labels` if the table joins several; that of the votes
is `ferplus`, the only votes that any reader gives. A head `mixed` is trained on both.
"""

from __future__ import annotations

import numpy as np

from emotions.labels import EMOTIONS

from .dataset import DatasetError, Faces

VOTE_OPTIONS = (*EMOTIONS, "none of them")
"""Choices of a rater; the last stands for contempt, "unknown" and "not a face"."""
LABELS, VOTES, MIXED = "labels", "ferplus", "mixed"
SAMPLE_KEYS = "sample_keys"
"""Array of a file of soft labels that identifies the faces, beside an array for each label set."""
RESERVED = (LABELS, VOTES, MIXED, "drawn", "mix_lambda", SAMPLE_KEYS)
"""Names of label sets, heads, model outputs and arrays, which no own data set may have."""


def vote_shares(faces: Faces) -> np.ndarray:
    """Share of a face's raters that chose each of VOTE_OPTIONS, (N, 8) float32; zeros for faces without votes."""
    others = np.maximum(faces.raters - faces.votes.sum(axis=1), 0)
    return np.column_stack([faces.votes, others]) / np.maximum(faces.raters, 1)[:, None]


def mean_votes_by_label(faces: Faces) -> np.ndarray:
    """Mean vote shares (7, 8) of the faces with each label (row); NaN for labels without faces that have votes."""
    given, asked = vote_shares(faces), faces.raters > 0
    rows = [given[asked & (faces.labels == label)] for label in range(len(EMOTIONS))]
    return np.array([row.mean(axis=0) if len(row) else np.full(len(VOTE_OPTIONS), np.nan) for row in rows])


def vote_entropy(faces: Faces) -> np.ndarray:
    """Entropy of a face's votes in bits, (N,): 0 if all raters agree, 3 if the eight options are equally frequent."""
    given = vote_shares(faces)
    return -(given * np.log2(np.where(given > 0, given, 1))).sum(axis=1)


def contradicted_labels(faces: Faces, min_share: float = 0.9) -> np.ndarray:
    """Rows (K,) of the faces for which at least `min_share` of the raters chose one emotion that is not the label."""
    given = vote_shares(faces)[:, : len(EMOTIONS)]
    return np.flatnonzero((given.max(axis=1) >= min_share) & (given.argmax(axis=1) != faces.labels))


def label_set_name(faces: Faces) -> str:
    """Name of the label set that the labels of a table are."""
    sources = set(faces.sources[faces.labels >= 0].tolist())
    return sources.pop() if len(sources) == 1 else LABELS


def available_label_sets(faces: Faces, splits: tuple[str, ...] = ("train", "validation")) -> tuple[str, ...]:
    """Label sets that a table holds in all of `splits`; votes count if more than half of some face's raters agree.

    Raises DatasetError if there is none.
    """
    parts = [faces.split(split) for split in splits]
    candidates = (label_set_name(faces), VOTES)
    names = [name for name in candidates if all(targets_and_mask(name, part)[1].any() for part in parts)]
    if not names:
        counts = " and ".join(f"{split} has {(faces.splits == split).sum()} faces" for split in splits)
        raise DatasetError(f"faces with a label or votes are needed in the splits {' and '.join(splits)}: {counts}")
    return tuple(names)


def heads_for(label_sets: tuple[str, ...]) -> tuple[str, ...]:
    """Heads to train: one for each label set, and one for their mixture."""
    return (*label_sets, MIXED) if len(label_sets) > 1 else label_sets


def targets_and_mask(label_set: str, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """Class ids (N,) of a label set and the mask (N,) of the faces that it labels; `mixed` is measured by the labels."""
    if label_set == VOTES:
        return faces.majority()
    return faces.labels.astype(int), faces.labels >= 0


def hard_targets(faces: Faces, smoothing: float = 0.0) -> np.ndarray:
    """One-hot labels (N, 7) float32 with label smoothing; zeros for a face without a label."""
    count, known = len(EMOTIONS), faces.labels >= 0
    hard = np.eye(count, dtype=np.float32)[faces.labels] * (1 - smoothing) + np.float32(smoothing / count)
    return np.where(known[:, None], hard, np.float32(0))


def vote_targets(faces: Faces) -> np.ndarray:
    """Votes for the seven emotions as a share of all raters, (N, 7) float32.

    A face that half of the raters called unknown thus has half the weight, and one without votes none.
    """
    return (faces.votes / np.maximum(faces.raters, 1)[:, None]).astype(np.float32)


def targets_of(label_set: str, faces: Faces, smoothing: float = 0.0) -> np.ndarray:
    """Training targets (N, 7) float32 of a label set."""
    return vote_targets(faces) if label_set == VOTES else hard_targets(faces, smoothing)


def mixed_targets(faces: Faces, label_weight: float, smoothing: float) -> np.ndarray:
    """Targets (N, 7) float32: `label_weight` of the label and the rest of the votes; one alone for faces without the other."""
    hard, votes = hard_targets(faces, smoothing), vote_targets(faces)
    votes_or_label = np.where(faces.raters[:, None] > 0, votes, hard)
    return label_weight * np.where(faces.labels[:, None] >= 0, hard, votes) + (1 - label_weight) * votes_or_label
