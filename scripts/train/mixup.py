"""MixUp and CutMix in Keras ops: each face of a batch is mixed with the face at the mirrored index of the batch.

A training batch is shuffled, so that index holds a random face. The targets of all outputs are mixed by the same lambda.
"""

from __future__ import annotations

import keras
from keras import ops, random

MIX_LAMBDA = "mix_lambda"
"""Output of a training model that holds, beside the logits, the lambda of each face; a reserved name of label sets."""


def mixup_weights(mix_lambda, size: int):
    """Mixing weights (N, size, size, 1) of MixUp: lambda (N,) everywhere (Zhang et al., "mixup", 2018)."""
    return ops.ones((1, size, size, 1)) * ops.reshape(mix_lambda, (-1, 1, 1, 1))


def cutmix_weights(mix_lambda, across, down, size: int):
    """Mixing weights (N, size, size, 1) of CutMix: 0 in a square of area 1 - lambda, 1 around it (Yun et al., "CutMix", 2019).

    lambda, across and down are (N,); the square's centre lies at (across, down) in 0..1 and it is clipped at the edges.
    """
    half = ops.sqrt(1 - mix_lambda) * (size / 2)
    place = ops.arange(size, dtype="float32") + 0.5

    def inside(centre):
        return ops.abs(place[None, :] - ops.reshape(centre * size, (-1, 1))) < ops.reshape(half, (-1, 1))

    square = ops.logical_and(inside(down)[:, :, None, None], inside(across)[:, None, :, None])
    return ops.cast(ops.logical_not(square), "float32")


def mixed(images, weights):
    """Mix images (N, S, S, 1) by the weights of the first image; return the images and their effective lambda (N, 1)."""
    return weights * images + (1 - weights) * ops.flip(images, axis=0), ops.mean(weights, axis=(1, 2))


def mixed_targets(targets, mix_lambda):
    """Mix targets (N, C) by lambda (N, 1)."""
    targets, mix_lambda = ops.convert_to_tensor(targets), ops.cast(mix_lambda, targets.dtype)
    return mix_lambda * targets + (1 - mix_lambda) * ops.flip(targets, axis=0)


@keras.saving.register_keras_serializable("emotions")
class MixUpCutMix(keras.layers.Layer):
    """Mixed faces (N, S, S, 1) and lambda (N, 1) while training; the unchanged faces and ones otherwise.

    `mixup` and `cutmix` are the alpha of the Beta(alpha, alpha) distribution of lambda, 0 for off; with both, each face is
    assigned to one of them at random.
    """

    def __init__(self, mixup=0.0, cutmix=0.0, seed=0, **options):
        super().__init__(dtype="float32", **options)
        self.mixup, self.cutmix, self.seed = mixup, cutmix, seed
        self.generator = random.SeedGenerator(seed)

    def get_config(self):
        """Settings of the layer."""
        return {**super().get_config(), **{name: getattr(self, name) for name in ("mixup", "cutmix", "seed")}}

    def call(self, images, training=None):
        """Mix a batch."""
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
    """A model with the output MIX_LAMBDA beside its logits: losses and metrics use targets mixed by it."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Loss of the logits against the mixed targets."""
        targets, logits = self._mix(y, y_pred)
        return super().compute_loss(x, targets, logits, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Metrics of the logits against the mixed targets."""
        targets, logits = self._mix(y, y_pred)
        return super().compute_metrics(x, targets, logits, sample_weight)

    @staticmethod
    def _mix(targets, outputs):
        mix_lambda = outputs[MIX_LAMBDA]
        return (
            {name: mixed_targets(target, mix_lambda) for name, target in targets.items()},
            {name: outputs[name] for name in targets},
        )
