"""MixUp and CutMix in Keras ops: each face of a batch is mixed with the face at the mirrored place of the batch.

A training batch is shuffled, so the mirrored place holds a random face. Both outputs' targets are mixed by the same shares.
"""

from __future__ import annotations

import keras
from keras import ops, random


def mixup_weights(share, size: int):
    """(N,) shares -> (N, size, size, 1): the same share everywhere (Zhang et al., "mixup", 2018)."""
    return ops.ones((1, size, size, 1)) * ops.reshape(share, (-1, 1, 1, 1))


def cutmix_weights(share, across, down, size: int):
    """(N,) shares and places (0..1) -> (N, size, size, 1): 0 in a square that takes 1 - share of the face, 1 around it.

    The square's centre lies at (across, down), its outer part is cut off (Yun et al., "CutMix", 2019).
    """
    half = ops.sqrt(1 - share) * (size / 2)
    place = ops.arange(size, dtype="float32") + 0.5

    def inside(centre):
        return ops.abs(place[None, :] - ops.reshape(centre * size, (-1, 1))) < ops.reshape(half, (-1, 1))

    square = ops.logical_and(inside(down)[:, :, None, None], inside(across)[:, None, :, None])
    return ops.cast(ops.logical_not(square), "float32")


def mixed(images, weights):
    """(N, S, S, 1) images, weights of the own picture -> (mixed images, (N, 1) shares of the own picture)."""
    return weights * images + (1 - weights) * ops.flip(images, axis=0), ops.mean(weights, axis=(1, 2))


def mixed_targets(targets, share):
    """(N, C) targets, (N, 1) shares of the own picture -> (N, C) targets of the mixed pictures."""
    targets, share = ops.convert_to_tensor(targets), ops.cast(share, targets.dtype)
    return share * targets + (1 - share) * ops.flip(targets, axis=0)


@keras.saving.register_keras_serializable("emotions")
class Mix(keras.layers.Layer):
    """(N, S, S, 1) faces -> (mixed faces, (N, 1) shares of the own face) while training; the faces and ones otherwise.

    `mixup` and `cutmix` are the alpha of the Beta(alpha, alpha) that shares are drawn from, 0 for none; with both, a coin
    decides for each face.
    """

    def __init__(self, mixup=0.0, cutmix=0.0, seed=0, **options):
        super().__init__(dtype="float32", **options)
        self.mixup, self.cutmix, self.seed = mixup, cutmix, seed
        self.generator = random.SeedGenerator(seed)

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for name in ("mixup", "cutmix", "seed")}}

    def call(self, images, training=None):
        count, size = ops.shape(images)[0], images.shape[1]
        if not training:
            return images, ops.ones((count, 1))
        options = []
        if self.mixup:
            options.append(mixup_weights(self._beta(count, self.mixup), size))
        if self.cutmix:
            across, down = self._uniform(count), self._uniform(count)
            options.append(cutmix_weights(self._beta(count, self.cutmix), across, down, size))
        weights = options[0]
        if len(options) == 2:
            weights = ops.where(ops.reshape(self._uniform(count), (-1, 1, 1, 1)) < 0.5, *options)
        return mixed(images, weights)

    def _beta(self, count, alpha):
        return random.beta((count,), alpha, alpha, seed=self.generator)

    def _uniform(self, count):
        return random.uniform((count,), seed=self.generator)


class MixUpCutMixModel(keras.Model):
    """A model whose outputs hold, beside logits, the `share` that Mix gave: losses and metrics see targets mixed by it."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        targets, logits = self._mixed(y, y_pred)
        return super().compute_loss(x, targets, logits, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        targets, logits = self._mixed(y, y_pred)
        return super().compute_metrics(x, targets, logits, sample_weight)

    @staticmethod
    def _mixed(targets, outputs):
        share = outputs["share"]
        return (
            {name: mixed_targets(target, share) for name, target in targets.items()},
            {name: outputs[name] for name in targets},
        )
