"""Initialise a trainable backbone from a published int8 LiteRT file or from another run's backbone.

A LiteRT file holds each batch norm folded into its convolution. The same function is rebuilt with batch norms that a training
batch hardly changes: their mean and variance are those of the convolution's output over training faces.
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from ..common.litert_weights import convolutions
from ..data.dataset import Faces
from .backbones import DesignError
from .optimisation import soft_cross_entropy

TINY = 1e-12
"""Minimum sum of squares of a filter: one that is all zero stays so instead of becoming NaN."""
PROBE = 1024
"""Faces over which mean and variance are taken; each counts once for every position of its feature map."""
HEAD_FACES, HEAD_EPOCHS, HEAD_RATE = 4096, 2, 1e-2
"""Faces, epochs and learning rate with which new linear heads are fitted to an initial backbone."""


def initialise_from(
    path: Path, model: keras.Model, base: keras.Model, faces: Faces, targets: dict[str, np.ndarray], batch: int
) -> None:
    """Copy the weights of a published model or of another run's backbone to `base`, and fit the linear heads to it.

    Heads are fitted first so that the first training steps do not spoil the backbone.

    Args:
        path: base.keras of a run, or a LiteRT file.
        model: training model around `base`.
        base: backbone to initialise.
        faces: training faces for batch norm's statistics and the heads.
        targets: training targets (N, 7) of each head.
        batch: batch size.

    Raises:
        DesignError: if the file does not hold a backbone of this architecture.
    """
    try:
        if path.suffix == ".keras":
            base.set_weights(keras.saving.load_model(path, compile=False).get_weights())
        else:
            load_litert_weights(base, path, faces.pixels)
    except ValueError as error:
        raise DesignError(f"{path} cannot initialise this backbone: {error}") from error
    base.trainable = False
    losses = dict.fromkeys(targets, soft_cross_entropy)
    model.compile(keras.optimizers.Adam(HEAD_RATE), losses)
    model.fit(faces.pixels[..., None], targets, batch_size=batch, epochs=HEAD_EPOCHS, verbose=2)
    base.trainable = True


def vgg_filters(path: Path) -> list[int]:
    """Filters of the five blocks of the VGG in a LiteRT file: those before each pooling.

    Raises DesignError if the file holds another network.
    """
    try:
        filters = [kernel.shape[3] for kernel, _ in convolutions(path)]
    except ValueError as error:
        raise DesignError(f"{path} cannot initialise a backbone: {error}") from error
    sizes = {13: (2, 2, 3, 3, 3), 16: (2, 2, 4, 4, 4)}.get(len(filters))
    if sizes is None:
        raise DesignError(f"{path} has {len(filters)} convolutions: VGG-16 has 13, VGG-19 has 16")
    return [filters[last - 1] for last in accumulate(sizes)]


def load_litert_weights(base: keras.Model, path: Path, faces: np.ndarray) -> None:
    """Set the weights of `base` (networks.vgg_backbone) to those of a LiteRT file.

    Args:
        base: backbone with batch norms.
        path: LiteRT file whose batch norms are folded.
        faces: training faces (N, S, S) uint8 for batch norm's statistics.

    Raises:
        ValueError: if the file's convolutions do not have the shapes of the backbone's.
    """
    names = [layer.name for layer in base.layers if isinstance(layer, layers.Conv2D)]
    stored = convolutions(path)
    expected, found = [tuple(base.get_layer(name).kernel.shape) for name in names], [kernel.shape for kernel, _ in stored]
    if expected != found:
        raise ValueError(f"{path} holds convolutions {found}, this network {expected}")
    norms = [base.get_layer(name.replace("conv", "norm")) for name in names]
    for name, norm, (kernel, bias) in zip(names, norms, stored, strict=True):
        # The scale is free, since batch norm divides by it; with that of He initialisation the learning rates of the recipe
        # apply.
        scale = np.sqrt(2 / np.maximum(np.square(kernel).sum(axis=(0, 1, 2)), TINY))
        base.get_layer(name).set_weights([kernel * scale])
        deviation = np.ones_like(bias)
        norm.set_weights([deviation / scale * np.sqrt(1 + norm.epsilon), bias, np.zeros_like(bias), deviation])
    _set_norm_statistics(base, names, norms, faces)


def _set_norm_statistics(base: keras.Model, names: list[str], norms: list[layers.BatchNormalization], faces: np.ndarray) -> None:
    """Set each norm's mean and variance to those of its convolution over `faces`, its gamma and beta so that outputs stay."""
    outputs = keras.Model(base.inputs, [base.get_layer(name).output for name in names])
    chosen = np.random.default_rng(0).permutation(len(faces))[:PROBE]
    sums: list[Any] = [0.0] * len(names)
    places = [0] * len(names)
    for start in range(0, len(chosen), 64):
        maps = outputs.predict_on_batch(faces[chosen[start : start + 64], ..., None])
        new = [np.stack([np.sum(m, (0, 1, 2), np.float64), np.sum(np.square(m, dtype=np.float64), (0, 1, 2))]) for m in maps]
        places = [places + m[..., 0].size for places, m in zip(places, maps, strict=True)]
        sums = [total + part for total, part in zip(sums, new, strict=True)]
    for norm, total, count in zip(norms, sums, places, strict=True):
        mean, square = total / count
        variance = square - np.square(mean)
        gamma, beta, _, _ = (np.asarray(value, np.float64) for value in norm.get_weights())
        gain = gamma / np.sqrt(1 + norm.epsilon)
        norm.set_weights([gain * np.sqrt(variance + norm.epsilon), beta + gain * mean, mean, variance])
