"""Mild smiles with closed lips, made of photographs of neutral faces by moving their landmarks.

    python -m scripts.synthetic.smiles data/facial_expressions.npz data/fer2013.npz --out data/smiles.npz

Data sets of photographs show happy faces mostly with their teeth, so that networks learn to look for those. The direction of a
smile is measured: the mean difference of the landmarks between pictures of the same person that are labelled happy and neutral,
both with closed lips, in the training faces of the tables. Strength 1 is that mean. Every neutral face with closed lips gives a
smiling one and another that is moved as little or the other way, so that a network cannot tell the two by traces of the warp.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emotions.labels import EMOTIONS

from ..data.alignment import aligned_faces, face_landmarks, needs_alignment
from ..data.dataset import DatasetError, Faces, table

HAPPY, NEUTRAL = EMOTIONS.index("happy"), EMOTIONS.index("neutral")
SMILES, OTHERS = (1.7, 3.2), (-1.0, 0.3)
"""Strengths that are drawn for smiling and for neutral faces. What lies between is too weak for a label."""
SIDES = 0.2
"""Largest relative difference of either edge of the face from the strength: few smiles are symmetric."""
LIPS = 13, 14
"""Landmarks of the inner edges of upper and lower lip."""
CLOSED = 1.5 / 48
"""Distance of the lips up to which a mouth counts as closed, relative to the side of the aligned face."""
STABLE = (33, 133, 263, 362, 168, 6, 10, 151, 9, 127, 356)
"""Landmarks that expressions hardly move, on eyes, nose, forehead and temples: their motion is that of the head."""
AGREED = 0.6
"""Share of a face's raters who must call it neutral, where there are votes."""
SOFTENING, STEP = 0.3, 2
"""Square of the distance in pixels that is added to that from a landmark, and pixels between the points at which motion is
interpolated."""
MIN_PEOPLE = 5


@dataclass(frozen=True)
class Smile:
    """Motion of a face's landmarks in a smile of strength 1.

    Attributes:
        motion: (468, 2) in pixels of a face like `face`.
        face: (468, 2) landmarks of the mean neutral face.
    """

    motion: np.ndarray
    face: np.ndarray

    @classmethod
    def measured(cls, points: np.ndarray, labels: np.ndarray, people: np.ndarray, side: int) -> Smile:
        """Measure it on faces of people who occur both neutral and happy with closed lips.

        Args:
            points: (N, 468, 2) landmarks of aligned faces, NaN where unknown.
            labels: (N,) class ids.
            people: (N,) str, empty where unknown.
            side: side of the faces in pixels.

        Raises:
            DatasetError: if there are fewer than MIN_PEOPLE.
        """
        usable = closed(points, side) & (people != "")
        means = {}
        for label in (HAPPY, NEUTRAL):
            rows = np.flatnonzero(usable & (labels == label))
            means[label] = {one: points[rows[people[rows] == one]].mean(axis=0) for one in np.unique(people[rows]).tolist()}
        both = sorted(means[HAPPY].keys() & means[NEUTRAL].keys())
        if len(both) < MIN_PEOPLE:
            raise DatasetError(
                f"{len(both)} people occur both neutral and happy with closed lips: at least {MIN_PEOPLE} are needed"
            )
        face = np.mean(list(means[NEUTRAL].values()), axis=0)
        motion = np.mean([means[HAPPY][one] - means[NEUTRAL][one] for one in both], axis=0)
        return cls(_symmetric(motion - _similarity(face, motion), face), face)

    def warped(self, pixels: np.ndarray, points: np.ndarray, strengths: tuple[float, float]) -> np.ndarray:
        """Move the landmarks of a face and what is around them.

        Args:
            pixels: (S, S) uint8.
            points: (468, 2) its landmarks in pixels.
            strengths: at the left and at the right edge of the face, linear between them; negative ones move the other way.

        Returns:
            (S, S) uint8.
        """
        side, middle = len(pixels), self.face[:, 0].mean()
        width = np.ptp(self.face[:, 0])
        share = np.clip((self.face[:, :1] - middle) / width + 0.5, 0, 1)  # from the left to the right side
        motion = (
            self.motion * (strengths[0] * (1 - share) + strengths[1] * share) * np.ptp(points, axis=0) / np.ptp(self.face, axis=0)
        )
        edge = np.arange(-STEP * 4, side + STEP * 4, STEP * 4, dtype=np.float32)
        frame = np.array([(x, y) for x in edge for y in edge if {x, y} & {edge[0], edge[-1]}], np.float32)
        places = np.concatenate([points + motion, frame]).astype(np.float32)
        moves = np.concatenate([-motion, np.zeros_like(frame)]).astype(np.float32)
        steps = np.arange(side // STEP, dtype=np.float32) * STEP + (STEP - 1) / 2  # centres of blocks, as cv2.resize has them
        grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        near = ((grid[:, None] - places[None]) ** 2).sum(axis=2) + np.float32(SOFTENING)
        weight = 1 / (near * np.sqrt(near))  # inverse distance weighting with exponent 3
        moved = (weight @ moves / weight.sum(axis=1, keepdims=True)).reshape(len(steps), len(steps), 2)
        field = cv2.resize(moved, (side, side), interpolation=cv2.INTER_LINEAR)
        x, y = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
        return cv2.remap(pixels, x + field[..., 0], y + field[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def closed(points: np.ndarray, side: int) -> np.ndarray:
    """Mask (N,) of the faces with landmarks (N, 468, 2) whose lips are closed; those without landmarks are not in it."""
    gap = np.linalg.norm(points[:, LIPS[0]] - points[:, LIPS[1]], axis=1)
    return np.nan_to_num(gap, nan=np.inf) < CLOSED * side


def make(tables: Sequence[Faces], seed: int = 0) -> Faces:
    """Smiling and neutral faces made of the aligned neutral faces of the tables, in their splits.

    Raises DatasetError if there is none, or too few people by whom the smile could be measured.
    """
    rng, points = np.random.default_rng(seed), [face_landmarks(one.pixels) for one in tables]
    joined, known, side = Faces.joined(tables), np.concatenate(points), tables[0].pixels.shape[1]
    train = joined.splits == "train"
    smile = Smile.measured(known[train], joined.labels[train], joined.groups[train], side)
    neutral = (joined.labels == NEUTRAL) & closed(known, side)
    neutral &= (joined.raters == 0) | (joined.votes[:, NEUTRAL] >= AGREED * joined.raters)
    rows = np.flatnonzero(neutral)
    if not len(rows):
        raise DatasetError("no face is neutral and has closed lips")
    pixels, labels = [], []
    for row in rows:
        for label, limits in ((HAPPY, SMILES), (NEUTRAL, OTHERS)):
            left, right = rng.uniform(*limits) * rng.uniform(1 - SIDES, 1 + SIDES, 2)
            pixels.append(smile.warped(joined.pixels[row], known[row], (left, right)))
            labels.append(label)
    names = [f"{name}-{kind}" for name in joined.names[rows].tolist() for kind in ("smile", "neutral")]
    return table(pixels, labels, np.repeat(joined.splits[rows], 2), names, "smiles", np.repeat(joined.groups[rows], 2))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+", help="made by scripts.data.prepare; one at least must name people")
    parser.add_argument("--out", type=Path, default=Path("data/smiles.npz"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        loaded = [(Faces.load(path), path) for path in options.tables]
        faces = make([aligned_faces(one, path) if needs_alignment(one) else one for one, path in loaded], options.seed)
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    faces.save(options.out)
    counts = ", ".join(f"{split} {int((faces.splits == split).sum())}" for split in ("train", "validation", "test"))
    print(f"written: {options.out}, {len(faces)} faces ({counts})")


def _similarity(face: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Motion (468, 2) of the similarity transform that fits the motion of the STABLE landmarks best."""

    def terms(points: np.ndarray) -> np.ndarray:
        one, zero = np.ones(len(points)), np.zeros(len(points))
        return np.concatenate([np.c_[points[:, 0], -points[:, 1], one, zero], np.c_[points[:, 1], points[:, 0], zero, one]])

    stable = list(STABLE)
    fitted = np.linalg.lstsq(terms(face[stable]), motion[stable].T.ravel(), rcond=None)[0]
    return (terms(face) @ fitted).reshape(2, -1).T


def _symmetric(motion: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Mean of a motion (468, 2) and its mirror image, each landmark's partner being that nearest to its mirrored place."""
    middle = face[list(LIPS), 0].mean()
    mirrored = face * [-1, 1] + [2 * middle, 0]
    partner = ((face[:, None] - mirrored[None]) ** 2).sum(axis=2).argmin(axis=0)
    return (motion + motion[partner] * [-1, 1]) / 2


if __name__ == "__main__":
    main()
