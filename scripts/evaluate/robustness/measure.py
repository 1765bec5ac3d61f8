"""Answers of several systems to the same corrupted pictures."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..served.server import png
from .corruptions import STRENGTHS, Corruption
from .pictures import PictureSet
from .systems import MISSED

WORKERS = 3
"""Threads, each of which makes a picture and sends it to all systems: enough to keep two cores busy."""


class Reader(Protocol):
    """Anything that reads the face of a picture, such as a running system."""

    def read(self, picture: bytes) -> int:
        """Class id of the face in a PNG file; MISSED without one."""


@dataclass(frozen=True)
class Answers:
    """Answers of S systems to N pictures, clean and corrupted in C ways.

    Attributes:
        clean: (S, N) int, class ids, or MISSED.
        corrupted: (S, C, 5, N) int, the same for each corruption and strength.
        labels: (N,) int, true class ids.
        sets: (N,) int, number of each picture's set.
    """

    clean: np.ndarray
    corrupted: np.ndarray
    labels: np.ndarray
    sets: np.ndarray

    @property
    def everything(self) -> np.ndarray:
        """Class ids (S, 1 + 5 C, N): clean first, then each corruption's strengths."""
        systems, _, _, count = self.corrupted.shape
        return np.concatenate([self.clean[:, None], self.corrupted.reshape(systems, -1, count)], axis=1)

    @property
    def found(self) -> np.ndarray:
        """Mask like `everything`: the face was found."""
        return self.everything != MISSED

    @property
    def right(self) -> np.ndarray:
        """Mask like `everything`: the face was found and its emotion is right."""
        return self.everything == self.labels


def measure(systems: Sequence[Reader], sets: Sequence[PictureSet], corruptions: Sequence[Corruption], seed: int) -> Answers:
    """Send every picture, clean and with each corruption, to every system.

    Args:
        systems: what reads the pictures.
        sets: pictures; a picture's randomness depends on `seed` and its place in its set.
        corruptions: what is done to them.
        seed: seed of the corruptions.
    """
    pixels = np.concatenate([one.pixels for one in sets])
    places = np.concatenate([np.arange(len(one)) for one in sets])
    numbers = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    seeds = [(seed, int(number), int(place)) for number, place in zip(numbers, places, strict=True)]

    def answers(data: bytes) -> list[int]:
        return [system.read(data) for system in systems]

    def corrupted(corruption: Corruption, row: int) -> list[list[int]]:
        return [answers(png(corruption.apply(pixels[row], strength, seeds[row]))) for strength in STRENGTHS]

    rows = range(len(pixels))
    made = []
    with ThreadPoolExecutor(WORKERS) as pool:
        clean = np.array(list(pool.map(lambda row: answers(png(pixels[row])), rows)), int)
        for corruption in corruptions:
            made.append(list(pool.map(lambda row, chosen=corruption: corrupted(chosen, row), rows)))
            print(f"{corruption.title}: {len(made)} of {len(corruptions)}", flush=True)
    values = np.array(made, int).reshape(len(corruptions), len(pixels), len(STRENGTHS), len(systems))
    labels = np.concatenate([one.labels for one in sets])
    return Answers(clean.T, values.transpose(3, 0, 2, 1), labels, numbers)
