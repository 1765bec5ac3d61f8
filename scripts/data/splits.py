"""Train, validation and test without a person, a character or a copy of a picture in two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from .dataset import SPLITS, DatasetError, Faces

SHARES = {"test": 0.2, "validation": 0.15, "train": 0.65}
"""Of the groups, not of the faces: large for test, because people with rare expressions are few."""


def hashed_split(key: str | bytes, seed: int = 0, among: Sequence[str] = SPLITS) -> str:
    """The split of a person's name or a picture's bytes: always the same, whatever else the data set holds.

    The hash is SHA-256, whose first eight bytes are a uniform number; `among` restricts it to some splits, in the proportion
    of their SHARES.
    """
    key = key.encode() if isinstance(key, str) else key
    place = int.from_bytes(hashlib.sha256(f"{seed}:".encode() + key).digest()[:8], "big") / 2**64
    shares = [(split, share) for split, share in SHARES.items() if split in among]
    place *= sum(share for _, share in shares)
    for split, share in shares:
        if place < share:
            return split
        place -= share
    return shares[-1][0]


def leave_out(faces: Faces, group: str) -> Faces:
    """The same faces with `group` as test and the next group in the alphabet as validation, all others to train with.

    Validation has a group of its own, so that what is chosen on it is chosen for a group that was not trained on. Faces
    without a group are always for training. DatasetError where the group is unknown or fewer than three are.
    """
    groups = sorted(set(faces.groups.tolist()) - {""})
    if group not in groups:
        raise DatasetError(f"no group {group!r} to leave out; there is: {', '.join(groups) or 'none'}")
    if len(groups) < 3:
        raise DatasetError(f"three groups are needed to leave one out, there is: {', '.join(groups)}")
    following = groups[(groups.index(group) + 1) % len(groups)]
    splits = np.select([faces.groups == group, faces.groups == following], ["test", "validation"], "train")
    return replace(faces, splits=splits)


def leave_one_group_out(faces: Faces) -> Iterator[tuple[str, Faces]]:
    """Each group in turn as test (see `leave_out`): leave-one-character-out on FERG-DB."""
    for group in sorted(set(faces.groups.tolist()) - {""}):
        yield group, leave_out(faces, group)
