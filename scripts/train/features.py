"""Bottleneck features of tables of faces, computed once: what dense heads are trained on.

F, the number of features, is the base's own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from emotions.runtime.litert import LiteRTModel

from ..common.litert import to_litert
from ..data.dataset import Faces


@dataclass(frozen=True)
class Sample:
    """Faces as a head sees them: `plain` and `mirrored` features (N, F) float32, and their table."""

    plain: np.ndarray
    mirrored: np.ndarray
    faces: Faces

    def split(self, name: str) -> Sample:
        mask = self.faces.splits == name
        return Sample(self.plain[mask], self.mirrored[mask], self.faces.where(mask))

    @property
    def both(self) -> np.ndarray:
        """(2N, F): all faces, then all mirrored."""
        return np.concatenate([self.plain, self.mirrored])


def bottleneck(base: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """The function (N, S, S) uint8 -> (N, F) float32 that heads are trained on.

    With TensorFlow it is the int8 file that will be served, four times as fast on a CPU as float32; else `base` itself.
    """
    if keras.backend.backend() != "tensorflow":
        return lambda pixels: base.predict(pixels[..., None], batch_size=256, verbose=2)
    content = to_litert(base)
    model = LiteRTModel(lambda: content, threads=os.cpu_count() or 1)

    def features(pixels: np.ndarray) -> np.ndarray:
        parts = (pixels[start : start + 64, ..., None] for start in range(0, len(pixels), 64))
        return np.concatenate([model(part)[0] for part in parts])

    return features


def cache_features(base: keras.Model, faces: Faces, path: Path) -> dict[str, np.ndarray]:
    """Features of all faces as they are and mirrored, {"plain", "mirrored"}: (N, F) float32.

    Read from `path` if that was written for these very faces and this base's weights.
    """
    digest = hashlib.sha256(faces.pixels.tobytes())
    for weight in base.get_weights():
        digest.update(weight.tobytes())
    mark = digest.hexdigest()
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            kept = dict(stored)
        if str(kept.pop("mark", "")) == mark:
            return kept
    features = bottleneck(base)
    made = {"plain": features(faces.pixels), "mirrored": features(faces.pixels[:, :, ::-1])}
    np.savez(path, mark=mark, **made)
    return made
