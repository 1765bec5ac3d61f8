"""The networks, in Keras 3 on any backend: a convolutional base that makes bottleneck features, and heads that read them."""

from __future__ import annotations

import keras
from keras import layers, ops

VGG_BLOCKS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions a block (Simonyan and Zisserman, "Very Deep Convolutional Networks", 2015, table 1: columns D and E)."""
VGG_FILTERS = (64, 128, 256, 512, 512)


@keras.saving.register_keras_serializable("emotions")
class BatchNorm(layers.BatchNormalization):
    """Batch normalisation over the last axis; on torch it runs as torch's one fused kernel (twice as fast on a CPU)."""

    def call(self, inputs, training=None, mask=None):
        if keras.backend.backend() != "torch" or not training:
            return super().call(inputs, training=training, mask=mask)
        from torch.nn import functional

        normal = functional.batch_norm(
            ops.moveaxis(inputs, -1, 1),
            self.moving_mean.value,
            self.moving_variance.value,
            self.gamma.value,
            self.beta.value,
            training=True,
            momentum=1 - self.momentum,  # torch counts the share of the new, Keras that of the old
            eps=self.epsilon,
        )
        return ops.moveaxis(normal, 1, -1)


def vgg_base(depth: int = 16, size: int | None = None, name: str | None = None) -> keras.Model:
    """VGG cut before its top, with batch norm after each convolution.

    In: (N, S, S, 1) grey pixels, 0..255. Out: (N, 512) bottleneck features. `size` is S; None lets it vary.
    At 48 px the last map is 1 x 1, so the mean over it changes nothing; at other sizes it keeps 512 features.
    """
    inputs = x = keras.Input((size, size, 1), name="pixels")
    x = layers.Rescaling(1 / 64, offset=-2, name="scale")(x)  # FER2013: mean 129, deviation 64
    for block, (filters, count) in enumerate(zip(VGG_FILTERS, VGG_BLOCKS[depth], strict=True), 1):
        for conv in range(1, count + 1):
            x = layers.Conv2D(
                filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"block{block}_conv{conv}"
            )(x)
            x = BatchNorm(momentum=0.9, name=f"block{block}_norm{conv}")(x)
            x = layers.ReLU(name=f"block{block}_relu{conv}")(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    features = layers.GlobalAveragePooling2D(name="features", dtype="float32")(x)
    return keras.Model(inputs, features, name=name or f"vgg{depth}")


def folded(base: keras.Model, size: int) -> keras.Model:
    """The same function as `base` at inference for (N, size, size, 1), each batch norm folded into its convolution.

    With y = gamma (W x - mean) / sqrt(variance + eps) + beta: kernel W gamma / sqrt(...), bias beta - mean gamma / sqrt(...).
    """
    inputs = x = keras.Input((size, size, 1), name="pixels")
    weights = {}
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            gain = layer.gamma / ops.sqrt(layer.moving_variance + layer.epsilon)
            conv = base.get_layer(layer.name.replace("norm", "conv"))
            weights[conv.name] = (conv.kernel * gain, layer.beta - layer.moving_mean * gain)
    for layer in base.layers[1:]:
        if isinstance(layer, layers.Conv2D):
            x = layers.Conv2D(layer.filters, layer.kernel_size, padding="same", activation="relu", name=layer.name)(x)
        elif not isinstance(layer, (layers.BatchNormalization, layers.ReLU)):
            x = type(layer).from_config({**layer.get_config(), "dtype": "float32"})(x)
    model = keras.Model(inputs, x, name=f"{base.name}_folded")
    for name, (kernel, bias) in weights.items():
        model.get_layer(name).set_weights([ops.convert_to_numpy(kernel), ops.convert_to_numpy(bias)])
    return model


def dense_head(design: str, dropout: float = 0.5, features: int = 512, classes: int = 7) -> keras.Model:
    """(N, features) -> (N, classes) logits. `original` is the project's first design; `linear` one layer; `hidden` between."""
    inputs = x = keras.Input((features,), name="features")
    if design == "original":
        x = layers.Dropout(dropout)(layers.Dense(256, activation="relu")(x))
        x = layers.Dense(128, activation="relu")(layers.Dense(128, activation="relu")(x))
        x = layers.Dense(64, activation="relu")(layers.BatchNormalization()(x))
    elif design == "hidden":
        x = layers.Dropout(dropout)(layers.Dense(256, activation="relu")(layers.Dropout(dropout)(x)))
    elif design == "linear":
        x = layers.Dropout(dropout)(x)
    else:
        raise ValueError(f"design must be original, hidden or linear, not {design!r}")
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name=f"head_{design}")
