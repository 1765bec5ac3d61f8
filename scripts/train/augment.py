"""Augmentation of training faces in Keras ops, so that it runs on the network's device."""

from __future__ import annotations

import math

import keras
from keras import ops, random


@keras.saving.register_keras_serializable("emotions")
class Augment(keras.layers.Layer):
    """Random flip, shift, rotation, scale, brightness, erasing and crop while training; the identity otherwise.

    Input and output are grey pixels (N, S, S, 1) float32 in 0..255; while training the output is (N, crop, crop, 1).
    `shift` is in pixels, `rotation` in degrees, `scale` and `brightness` are relative, `erase` is the probability of a patch.
    """

    def __init__(self, shift=5.0, rotation=12.0, scale=0.15, brightness=0.2, erase=0.5, crop=None, seed=0, **options):
        super().__init__(dtype="float32", **options)
        self.shift, self.rotation, self.scale, self.brightness = shift, rotation, scale, brightness
        self.erase, self.crop, self.seed = erase, crop, seed
        self.generator = random.SeedGenerator(seed)

    def get_config(self):
        names = ("shift", "rotation", "scale", "brightness", "erase", "crop", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _uniform(self, count, low, high):
        return random.uniform((count,), low, high, seed=self.generator)

    def call(self, images, training=None):
        images = ops.cast(images, "float32")
        if not training:
            return images
        count, size = ops.shape(images)[0], images.shape[1]
        # Beyond the edge its pixels repeat, as in serving (alignment.warp_crop): a black border is an edge that no face has.
        images = ops.image.affine_transform(images, self._transforms(count, size), interpolation="bilinear", fill_mode="nearest")
        images = self._light(images, count)
        images = self._erased(images, count, size)
        crop = self.crop or size
        edge = (size - crop) // 2  # the face was shifted at random above, so a central crop is a random one
        return images[:, edge : edge + crop, edge : edge + crop]

    def _transforms(self, count, size):
        """Rows (a0, a1, a2, b0, b1, b2, 0, 0): output (x, y) samples the input at (a0 x + a1 y + a2, b0 x + b1 y + b2)."""
        angle = self._uniform(count, -self.rotation, self.rotation) * (math.pi / 180)
        zoom = 1 / (1 + self._uniform(count, -self.scale, self.scale))
        flip = ops.sign(self._uniform(count, -1, 1) + 1e-9)
        cos, sin = ops.cos(angle) * zoom, ops.sin(angle) * zoom
        middle = (size - 1) / 2
        left = middle + self._uniform(count, -self.shift, self.shift)
        top = middle + self._uniform(count, -self.shift, self.shift)
        a0, a1, b0, b1 = cos * flip, -sin, sin * flip, cos
        zero = ops.zeros_like(angle)
        return ops.stack([a0, a1, left - (a0 + a1) * middle, b0, b1, top - (b0 + b1) * middle, zero, zero], axis=1)

    def _light(self, images, count):
        gain = 1 + self._uniform(count, -self.brightness, self.brightness)
        offset = self._uniform(count, -self.brightness, self.brightness) * 128
        gain, offset = (ops.reshape(value, (-1, 1, 1, 1)) for value in (gain, offset))
        return ops.clip((images - 128) * gain + 128 + offset, 0, 255)

    def _erased(self, images, count, size):
        """Random erasing: a grey rectangle, a tenth to a third of the side in each direction (Zhong et al., 2020)."""
        place = ops.arange(size, dtype="float32")

        def inside():
            length = self._uniform(count, 0.1, 0.35) * size
            start = self._uniform(count, 0, 1) * (size - length)
            start, length = ops.reshape(start, (-1, 1)), ops.reshape(length, (-1, 1))
            return ops.logical_and(place >= start, place < start + length)

        chosen = ops.reshape(self._uniform(count, 0, 1) < self.erase, (-1, 1, 1, 1))
        patch = ops.logical_and(inside()[:, :, None, None], inside()[:, None, :, None])
        grey = ops.reshape(self._uniform(count, 0, 255), (-1, 1, 1, 1))
        return ops.where(ops.logical_and(patch, chosen), grey, images)
