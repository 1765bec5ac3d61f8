"""People of a video: tracks that show the same person are merged when it ends, by the appearance of face and clothes.

A person who was out of sight for longer than the tracker remembers comes back with a new track id. Two tracks are taken for one
person if the texture of the faces and the colours around them agree, and they were never seen in one frame. The features of the
expression backbone are not used: they hardly depend on the person (benchmarks/people.md, where the thresholds are measured).

Clothes and light must be the same: this is no face recognition, and nobody is recognized in another video.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from ..face.results import Face
from .appearance import CELLS, HIDDEN, distance
from .association import CLEAR_SCORE

MAX_TEXTURE_DISTANCE = 0.24
"""Largest distance of the textures of one person's tracks, see `texture`: four fifths of the smallest distance of two people
among 128,389 pairs of press photos (python -m scripts.evaluate.tracking.people, seed 2)."""
MAX_COLOUR_DISTANCE = 12.0
"""Largest distance of the colours of one person's tracks, see appearance.py: below it are 5 % of the people in one photo."""
MAX_CANDIDATES = 128
"""Tracks that are compared, those with the most observations; the others stay people of their own."""
FIRST_OBSERVATIONS, OBSERVATION_STEP = 16, 8
"""The first frames of a track are observed, and one in so many of the others."""
UNUSABLE = ("turned", "small", "blurred")
"""Reasons for which a face shows too little of the person."""
CELL_COUNT, BLUR = 6, 0.7  # cells along a side of the crop; standard deviation in pixels
# Neighbours (row, column) of a pixel in a window of 3 x 3, in the order of the bits of a local binary pattern.
NEIGHBOURS = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def texture(crop: np.ndarray) -> np.ndarray:
    """Compute the texture descriptor of an aligned face: histograms of local binary patterns (Ahonen et al., 2006).

    Args:
        crop: Aligned face (S, S) uint8 grey.

    Returns:
        (CELL_COUNT**2 * 256,) float32: square roots of the histograms of the cells, rows first.
    """
    smooth = cv2.GaussianBlur(crop.astype(np.float32), (0, 0), BLUR)
    size = len(smooth) - 2
    middle = smooth[1:-1, 1:-1]
    codes = np.zeros((size, size), np.int64)
    for bit, (row, column) in enumerate(NEIGHBOURS):
        codes |= (smooth[row : row + size, column : column + size] >= middle).astype(np.int64) << bit
    cells = np.arange(size) * CELL_COUNT // size
    codes += 256 * (cells[:, None] * CELL_COUNT + cells)
    histograms: np.ndarray = np.sqrt(np.bincount(codes.ravel(), minlength=256 * CELL_COUNT**2)).astype(np.float32)
    return histograms


@dataclass
class Candidate:
    """Appearance of a track.

    Attributes:
        frames: Frames in which it was seen.
        observations: Those of them that its appearance is the mean of.
        texture: Sum of the texture descriptors; a single zero before the first.
        colours: Sum of the colours (16, 3) of the cells.
        visible: Observations (16,) in which each cell was visible.
        together: Ids of the tracks that were seen in the same frame as this one.
    """

    frames: int = 0
    observations: int = 0
    texture: np.ndarray = field(default_factory=lambda: np.zeros((), np.float32))  # no memory for tracks that show too little
    colours: np.ndarray = field(default_factory=lambda: np.zeros((len(CELLS), 3)))
    visible: np.ndarray = field(default_factory=lambda: np.zeros(len(CELLS)))
    together: set[int] = field(default_factory=set)

    def observe(self, crop: np.ndarray, appearance: bytes) -> None:
        """Add an aligned face (S, S) uint8 and the appearance descriptor of its track."""
        cells = np.frombuffer(appearance, np.uint8).reshape(len(CELLS), 3)
        visible = cells[:, 0] > HIDDEN
        self.observations += 1
        self.texture = self.texture + texture(crop)
        self.colours += cells * visible[:, None]
        self.visible += visible

    def appearance(self) -> bytes:
        """Return the appearance descriptor of the mean colours."""
        mean = self.colours / np.maximum(self.visible, 1)[:, None]
        mean[self.visible > 0, 0] = np.maximum(mean[self.visible > 0, 0], HIDDEN + 1)
        quantised: np.ndarray = np.rint(mean).astype(np.uint8)
        return quantised.tobytes()


class PeopleMerger:
    """Collects the appearance of tracks, and merges those of the same person.

    Memory and work are bounded whatever the number of tracks: at most twice MAX_CANDIDATES are kept.
    """

    def __init__(self) -> None:
        """Start without tracks."""
        self._candidates: dict[int, Candidate] = {}
        self._dropped: set[int] = set()

    def add(self, faces: Iterable[Face], crops: Mapping[int, np.ndarray], appearances: Mapping[int, bytes]) -> None:
        """Add the faces of a frame.

        Args:
            faces: Tracked faces.
            crops: Track id -> aligned face (S, S) uint8 grey, where there is one.
            appearances: Track id -> appearance descriptor, where there is one.
        """
        seen = {face.id: face for face in faces if face.id not in self._dropped}
        for number, face in seen.items():
            candidate = self._candidates.setdefault(number, Candidate())
            candidate.together.update(seen)
            due = candidate.frames < FIRST_OBSERVATIONS or candidate.frames % OBSERVATION_STEP == 0
            candidate.frames += 1
            if due and number in crops and number in appearances and _is_usable(face):
                candidate.observe(crops[number], appearances[number])
        if len(self._candidates) > 2 * MAX_CANDIDATES:
            kept = self._longest()
            self._dropped.update(self._candidates.keys() - kept.keys())
            self._candidates = kept

    def is_settled(self, number: int) -> bool:
        """Return whether a track keeps its id at the end, whatever follows: it was seen together with all tracks before it."""
        candidate = self._candidates.get(number)
        return candidate is None or all(other >= number or other in candidate.together for other in self._candidates)

    def merged_ids(self) -> dict[int, int]:
        """Return the ids that change: id of a track -> id of its person, which is that of the person's first track."""
        ids = sorted(number for number, one in self._longest().items() if one.observations)
        if len(ids) < 2:
            return {}
        candidates = [self._candidates[number] for number in ids]
        distances = _texture_distances(np.array([one.texture for one in candidates]))
        apart = np.array([[other in one.together for other in ids] for one in candidates])
        descriptors = [one.appearance() for one in candidates]
        alike = np.array([_at_most(distance([one], descriptors)[0], MAX_COLOUR_DISTANCE) for one in descriptors])
        rows, columns = np.nonzero(np.triu(alike & ~apart & (distances <= MAX_TEXTURE_DISTANCE), 1))
        clusters = {place: [place] for place in range(len(ids))}
        cluster_of = list(range(len(ids)))
        for pair in np.argsort(distances[rows, columns], kind="stable"):
            first, second = sorted((cluster_of[rows[pair]], cluster_of[columns[pair]]))
            if first == second:
                continue
            block = np.ix_(clusters[first], clusters[second])
            if apart[block].any() or distances[block].mean() > MAX_TEXTURE_DISTANCE:
                continue
            clusters[first] += clusters.pop(second)
            for place in clusters[first]:
                cluster_of[place] = first
        return {ids[place]: ids[cluster] for place, cluster in enumerate(cluster_of) if place != cluster}

    def _longest(self) -> dict[int, Candidate]:
        """Return the MAX_CANDIDATES tracks with the most observations, in order of appearance."""
        order = sorted(self._candidates, key=lambda number: (-self._candidates[number].observations, number))
        return {number: self._candidates[number] for number in sorted(order[:MAX_CANDIDATES])}


def _is_usable(face: Face) -> bool:
    return face.unsure not in UNUSABLE and (face.score is None or face.score >= CLEAR_SCORE)


def _texture_distances(textures: np.ndarray) -> np.ndarray:
    """Return (N, N): 1 - Pearson correlation of each pair of textures (N, M)."""
    centred = textures - textures.mean(axis=1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + 1e-9
    distances: np.ndarray = 1 - centred @ centred.T
    return distances


def _at_most(values: np.ndarray, limit: float) -> np.ndarray:
    """Compare; NaN, where too few cells are visible in both, is no agreement."""
    agrees: np.ndarray = np.nan_to_num(values, nan=np.inf) <= limit
    return agrees
