"""Bottleneck features (N, F) of tables of faces, computed once and cached: the inputs of dense heads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from emotions.runtime.litert import LiteRTModel

from ..common.litert import to_litert
from ..data.dataset import Faces


@dataclass(frozen=True)
class FeatureSet:
    """Bottleneck features of a table: of the faces (`plain`) and of the mirrored faces (`mirrored`), (N, F) float32."""

    plain: np.ndarray
    mirrored: np.ndarray
    faces: Faces

    def split(self, name: str) -> FeatureSet:
        """The rows of one split."""
        mask = self.faces.splits == name
        return FeatureSet(self.plain[mask], self.mirrored[mask], self.faces.where(mask))

    @property
    def both(self) -> np.ndarray:
        """Features of all faces, then of all mirrored ones, (2N, F)."""
        return np.concatenate([self.plain, self.mirrored])


def bottleneck(base: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Feature extractor from (N, S, S) uint8 to (N, F) float32.

    With TensorFlow it runs the int8 conversion that will be served, four times as fast on a CPU as float32; else `base` itself.
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
    """Features of all faces and of their mirror images, {"plain", "mirrored"}: (N, F) float32.

    They are read from `path` if its digest is that of these faces and of the backbone's weights.
    """
    return cached_features(faces, path, (weight.tobytes() for weight in base.get_weights()), lambda: bottleneck(base))


def cached_features(
    faces: Faces, path: Path, backbone: Iterable[bytes], extractor: Callable[[], Callable[[np.ndarray], np.ndarray]]
) -> dict[str, np.ndarray]:
    """Features of all faces and of their mirror images by any extractor, {"plain", "mirrored"}: (N, F) float32.

    Args:
        faces: table of faces.
        path: file of the features; it is read if its digest is that of these faces and of `backbone`, and written otherwise.
        backbone: bytes that identify the backbone, such as its weights.
        extractor: returns the function from (N, S, S) uint8 to (N, F) float32; called only if features are computed.
    """
    digest = hashlib.sha256(faces.pixels.tobytes())
    for part in backbone:
        digest.update(part)
    key = digest.hexdigest()
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            kept = dict(stored)
        if str(kept.pop("digest", "")) == key:
            return kept
    features = extractor()
    made: dict[str, Any] = {"plain": features(faces.pixels), "mirrored": features(faces.pixels[:, :, ::-1])}
    np.savez(path, digest=key, **made)
    return made
