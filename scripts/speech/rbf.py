"""RBFNetwork basis function (RBF) network, fitted in closed form: kernel ridge regression with a Gaussian kernel.

On a thousand clips of speech it generalised to new speakers as well as small convolutional networks, in a hundredth of the time,
and its fit is deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

CLIP = 4.0
"""Standard deviations at which features are clipped."""


@dataclass(frozen=True)
class RBFNetwork:
    """RBF network: features -> standardised, clipped, projected on principal components -> Gaussians -> K logits.

    Attributes:
        mean: (F,) means of the features.
        scale: (F,) standard deviations of the features.
        projection: (F, C) principal components.
        centres: (S, C) projected training examples.
        weights: (S, K).
        width: Factor of the Gaussians' exponent, -width * squared distance.
    """

    mean: np.ndarray
    scale: np.ndarray
    projection: np.ndarray
    centres: np.ndarray
    weights: np.ndarray
    width: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Logits (N, K) float32 of features (N, F)."""
        return _gaussians(self.projected(features), self.centres, self.width) @ self.weights

    def projected(self, features: np.ndarray) -> np.ndarray:
        return np.clip((features - self.mean) / self.scale, -CLIP, CLIP) @ self.projection

    def save(self, path: Path) -> None:
        np.savez(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> RBFNetwork:
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files if name != "width"}, width=float(arrays["width"]))


def fit_rbf(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, components: int, gamma: float, ridge: float
) -> RBFNetwork:
    """Fit an RBF network.

    Args:
        features: (N, F).
        targets: (N, K).
        weights: (N,) sample weights with mean 1.
        components: Number of principal components.
        gamma: Exponent of the Gaussians at the expected distance of two unrelated examples.
        ridge: Regularisation.
    """
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    standard = np.clip((features - mean) / scale, -CLIP, CLIP).astype(np.float32)
    _, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
    projection = np.ascontiguousarray(vectors[:, -components:])
    centres, width = standard @ projection, gamma / (2 * features.shape[1])
    kernel = _gaussians(centres, centres, width)
    kernel[np.diag_indices_from(kernel)] += ridge / weights
    solved = np.linalg.solve(kernel, targets.astype(np.float32))
    mean, scale, projection, centres, solved = (part.astype(np.float32) for part in (mean, scale, projection, centres, solved))
    return RBFNetwork(mean, scale, projection, centres, solved, width)


def _gaussians(rows: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    squares = (rows**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * rows @ centres.T
    return np.exp(-width * np.maximum(squares, 0)).astype(np.float32)


def to_keras(model: RBFNetwork) -> keras.Model:
    """Build the same network as a Keras model: features (N, F) -> logits (N, K)."""
    import keras
    from keras import ops

    features = keras.Input((len(model.mean),))
    standard = ops.clip((features - model.mean) / model.scale, -CLIP, CLIP)
    projected = keras.layers.Dense(model.projection.shape[1], use_bias=False, name="projection")(standard)
    similarity = keras.layers.Dense(len(model.centres), name="centres")(
        projected
    )  # the part of the exponent that depends on the centre
    exponent = similarity - model.width * ops.sum(projected**2, axis=1, keepdims=True)
    logits = keras.layers.Dense(model.weights.shape[1], use_bias=False, name="weights")(ops.exp(ops.minimum(exponent, 0.0)))
    network = keras.Model(features, logits)
    network.get_layer("projection").set_weights([model.projection])
    offset = -model.width * (model.centres**2).sum(axis=1)
    network.get_layer("centres").set_weights([2 * model.width * model.centres.T, offset])
    network.get_layer("weights").set_weights([model.weights])
    return network
