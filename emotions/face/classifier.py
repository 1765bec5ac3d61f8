"""Expression classifier: face crops -> backbone features -> a dense head's logits -> calibrated probabilities.

F, the number of features, depends on the backbone: 384 for the VGG-16 that ships.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..runtime.litert import BATCH, LiteRTModel, softmax
from ..runtime.manifest import ModelEntry, ModelRegistry
from .defaults import DEFAULT_HEAD, DEFAULT_VIEWS
from .views import crop_views

COVERED_ROLE = "covered-head"
DRAWN = 0.5
"""Probability from which a face counts as drawn."""


@dataclass(frozen=True)
class ExpressionClassifier:
    """A backbone and one of the dense heads that were trained on its features.

    Attributes:
        registry: Models to use.
        head: Name of an expression head of the manifest; None takes the manifest's first.
    """

    registry: ModelRegistry
    head: str | None = DEFAULT_HEAD

    @cached_property
    def head_entry(self) -> ModelEntry:
        """Manifest entry of the expression head. Raises ModelFileError if there is none of that name."""
        return self.registry.entry("expression-head", self.head)

    @cached_property
    def backbone_entry(self) -> ModelEntry:
        """Manifest entry of the backbone that the head was trained on."""
        return self.registry.entry("expression-base", self.head_entry.base)

    @cached_property
    def drawn_entry(self) -> ModelEntry | None:
        """Manifest entry of the head that separates drawn faces from photographed ones, None if the backbone has no such head."""
        entries = self.registry.entries("drawn-head")
        return next((entry for entry in entries if entry.base == self.backbone_entry.name), None)

    @cached_property
    def covered_entry(self) -> ModelEntry | None:
        """Manifest entry of the head that detects covered faces, None if the backbone has no such head."""
        entries = self.registry.entries(COVERED_ROLE)
        return next((entry for entry in entries if entry.base == self.backbone_entry.name), None)

    @property
    def size(self) -> int:
        """Side of the square crops in pixels."""
        return int(self.backbone_entry.input["size"])

    @property
    def description(self) -> dict[str, str]:
        """Name and version, as every result carries them."""
        backbone, head = self.backbone_entry, self.head_entry
        return {"name": f"{backbone.name}/{head.name}", "version": head.version}

    def features(self, crops: np.ndarray) -> np.ndarray:
        """Compute the bottleneck features of face crops.

        Args:
            crops: (N, S, S) uint8 grey, S as in `size`; see `alignment.align_crop`.

        Returns:
            Features (N, F) float32.

        Raises:
            ValueError: The crops have another shape.
        """
        self._check(crops)
        return self._in_batches(self.registry.model(self.backbone_entry), crops[..., None], self.backbone_entry.output)

    def view_features(self, crops: np.ndarray, views: int = DEFAULT_VIEWS) -> np.ndarray:
        """Compute the features of several views of face crops, all in the same batches.

        Args:
            crops: As for `features`.
            views: Number of views, one of VIEWS; see `crop_views`.

        Returns:
            Features (views, N, F) float32; those of the crops themselves come first.

        Raises:
            ValueError: The crops have another shape, or `views` another value.
        """
        self._check(crops)
        flat = crop_views(crops, views).reshape(-1, self.size, self.size)
        return self.features(flat).reshape(views, len(crops), self.backbone_entry.output)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return the head's logits (N, 7) float32 for features (N, F)."""
        return self._in_batches(self.registry.model(self.head_entry), features, self.head_entry.output)

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities (N, 7) float32 for features (N, F), in the order of EMOTIONS; rows sum to 1."""
        return softmax(self.logits(features), self.head_entry.temperature)

    def mean_proba(self, view_features: np.ndarray) -> np.ndarray:
        """Average the predictions for several views of the same faces.

        Probabilities are averaged, not logits, and the temperature is applied to the logits of each view before.

        Args:
            view_features: Features (V, N, F) of V views, as `view_features` returns them.

        Returns:
            Mean of `predict_proba` over the views, (N, 7) float32; rows sum to 1.
        """
        parts = [self.predict_proba(features) for features in view_features]
        mean: np.ndarray = parts[0] if len(parts) == 1 else np.stack(parts).mean(axis=0)
        return mean

    def probabilities(self, crops: np.ndarray, views: int = DEFAULT_VIEWS) -> np.ndarray:
        """Return calibrated probabilities of face crops, the mean over several views.

        Args:
            crops: (N, S, S) uint8 grey.
            views: Number of views, one of VIEWS: 1 for the crop alone, 2 with its mirror image, 10 with shifts too.

        Returns:
            (N, 7) float32 in the order of EMOTIONS; rows sum to 1. See `mean_proba`.

        Raises:
            ValueError: The crops have another shape, or `views` another value.
        """
        return self.mean_proba(self.view_features(crops, views))

    def drawn_probability(self, features: np.ndarray) -> np.ndarray | None:
        """Return the probabilities (N,) float64 that faces are drawn, for features (N, F); None without a `drawn_entry`."""
        entry = self.drawn_entry
        if entry is None:
            return None
        logits = self._in_batches(self.registry.model(entry), features, 1)[:, 0].astype(np.float64)
        probabilities: np.ndarray = 1 / (1 + np.exp(-logits / entry.temperature))
        return probabilities

    def is_covered(self, features: np.ndarray) -> np.ndarray:
        """Detect which faces are covered, such as by a mask or a hand, so that mouth or eyes cannot be read.

        Args:
            features: Features (N, F) of the crops.

        Returns:
            (N,) bool; False for all without a `covered_entry`.
        """
        entry = self.covered_entry
        if entry is None:
            return np.zeros(len(features), bool)
        covered: np.ndarray = self._in_batches(self.registry.model(entry), features, 1)[:, 0] > entry.thresholds["covered"]
        return covered

    def _check(self, crops: np.ndarray) -> None:
        if crops.ndim != 3 or crops.shape[1:] != (self.size, self.size):
            raise ValueError(f"crops must be (N, {self.size}, {self.size}), not {crops.shape}")

    @staticmethod
    def _in_batches(model: LiteRTModel, rows: np.ndarray, width: int) -> np.ndarray:
        parts = [model(rows[start : start + BATCH])[0] for start in range(0, len(rows), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, width), np.float32)
