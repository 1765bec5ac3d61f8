"""Face crops -> bottleneck features -> a dense head's logits -> calibrated probabilities.

F, the number of features, is the base's own: 512 for the VGG-16 that ships.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..runtime.litert import BATCH, LiteRTModel, softmax
from ..runtime.manifest import ModelEntry, ModelRegistry

DEFAULT_HEAD = "mixed"
"""The head that answers where none is named: on the pages, in the API, on the command line and in `read_photo`."""


@dataclass(frozen=True)
class ExpressionClassifier:
    """A base and one of the heads that read its features; `head` None takes the manifest's first."""

    registry: ModelRegistry
    head: str | None = None

    @cached_property
    def head_entry(self) -> ModelEntry:
        return self.registry.entry("expression-head", self.head)

    @cached_property
    def backbone_entry(self) -> ModelEntry:
        return self.registry.entry("expression-base", self.head_entry.base)

    @cached_property
    def drawn_entry(self) -> ModelEntry | None:
        """The head that tells drawn faces from photographed ones by the same base's features, if there is one."""
        entries = self.registry.entries("drawn-head")
        return next((entry for entry in entries if entry.base == self.backbone_entry.name), None)

    @property
    def size(self) -> int:
        """Side of the square crops in pixels."""
        return int(self.backbone_entry.input["size"])

    @property
    def description(self) -> dict[str, str]:
        """Name and version as every answer carries them."""
        base, head = self.backbone_entry, self.head_entry
        return {"name": f"{base.name}/{head.name}", "version": head.version}

    def features(self, crops: np.ndarray) -> np.ndarray:
        """Crops (N, S, S) uint8 grey -> bottleneck features (N, F) float32."""
        if crops.ndim != 3 or crops.shape[1:] != (self.size, self.size):
            raise ValueError(f"crops must be (N, {self.size}, {self.size}), not {crops.shape}")
        pixels = crops[..., None].astype(np.float32)
        return self._in_batches(self.registry.model(self.backbone_entry), pixels, self.backbone_entry.output)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Bottleneck features (N, F) -> the head's logits (N, 7)."""
        return self._in_batches(self.registry.model(self.head_entry), features, self.head_entry.output)

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Bottleneck features (N, F) -> calibrated probabilities (N, 7) float32; rows sum to 1."""
        return softmax(self.logits(features), self.head_entry.temperature)

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Crops (N, S, S) uint8 grey -> calibrated probabilities (N, 7) float32; rows sum to 1."""
        return self.predict_proba(self.features(crops))

    def drawn_probability(self, features: np.ndarray) -> np.ndarray | None:
        """Bottleneck features (N, F) -> probabilities (N,) that the faces are drawn; None if the models have no such head."""
        entry = self.drawn_entry
        if entry is None:
            return None
        logits = self._in_batches(self.registry.model(entry), features, 1)[:, 0].astype(np.float64)
        probabilities: np.ndarray = 1 / (1 + np.exp(-logits / entry.temperature))
        return probabilities

    @staticmethod
    def _in_batches(model: LiteRTModel, rows: np.ndarray, width: int) -> np.ndarray:
        parts = [model(rows[start : start + BATCH])[0] for start in range(0, len(rows), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, width), np.float32)
