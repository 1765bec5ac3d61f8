"""Networks in Keras 3 for any backend: the VGG backbone, dense heads on its features, and folding of batch norms.

The other architectures are in scripts/train/backbones.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import keras
from keras import layers, ops

from ..common.keras_internals import avoid_layout_copies, source_layer

avoid_layout_copies()

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

        channels_first = inputs.ndim == 4
        normal = functional.batch_norm(
            ops.moveaxis(inputs, -1, 1) if channels_first else inputs,
            self.moving_mean.value,
            self.moving_variance.value,
            self.gamma.value,
            self.beta.value,
            training=True,
            momentum=1 - self.momentum,  # torch's momentum weighs the new value, Keras' the old one
            eps=self.epsilon,
        )
        return ops.moveaxis(normal, 1, -1) if channels_first else normal


def grey_pixels(size: int | None) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input, grey pixels (N, S, S, 1) in 0..255, and the same tensor scaled for the first layer."""
    inputs = keras.Input((size, size, 1), name="pixels")
    return inputs, layers.Rescaling(1 / 64, offset=-2, name="scale")(inputs)  # FER2013: mean 129, deviation 64


def vgg_backbone(
    depth: int = 16, size: int | None = None, name: str | None = None, filters: Sequence[int] = VGG_FILTERS
) -> keras.Model:
    """VGG without its top, with batch norm after each convolution.

    At 48 px the last feature map is 1 x 1, so that global average pooling changes nothing; at other sizes it keeps the number of
    features.

    Args:
        depth: 16 or 19.
        size: side S of the faces; None for any.
        name: name of the model.
        filters: filters of each of the five blocks.

    Returns:
        Model from grey pixels (N, S, S, 1) in 0..255 to bottleneck features (N, filters[-1]).
    """
    inputs, x = grey_pixels(size)
    for block, (width, count) in enumerate(zip(filters, VGG_BLOCKS[depth], strict=True), 1):
        for conv in range(1, count + 1):
            x = layers.Conv2D(
                width, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"block{block}_conv{conv}"
            )(x)
            x = BatchNorm(momentum=0.9, name=f"block{block}_norm{conv}")(x)
            x = layers.ReLU(name=f"block{block}_relu{conv}")(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    features = layers.GlobalAveragePooling2D(name="features", dtype="float32")(x)
    return keras.Model(inputs, features, name=name or f"vgg{depth}")


def folded(base: keras.Model, size: int) -> keras.Model:
    """Fold batch norms: the function of `base` at inference for (N, size, size, 1), in float32.

    A batch norm is folded into the convolution or dense layer before it if nothing else reads that layer. With
    y = gamma (W x + b - mean) / sqrt(variance + eps) + beta: kernel W g, bias beta + (b - mean) g, g = gamma / sqrt(...).
    """
    before = _before_norms(base)
    widened = {layer.name for layer in before.values()}

    def plain(layer):
        if layer.name in before:
            return layers.Identity(name=layer.name)
        config = {**layer.get_config(), "dtype": "float32"}
        return type(layer).from_config(config | ({"use_bias": True} if layer.name in widened else {}))

    def called(layer, *inputs, **options):
        return layer(*inputs) if isinstance(layer, layers.Identity) else layer(*inputs, **options)  # it takes no mask

    pixels = keras.Input((size, size, 1), name="pixels")
    model = keras.models.clone_model(base, pixels, clone_function=plain, call_function=called)
    for layer in base.layers:
        if layer.weights and layer.name not in before and layer.name not in widened:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    for name, layer in before.items():
        norm = base.get_layer(name)
        gain = norm.gamma / ops.sqrt(norm.moving_variance + norm.epsilon)
        bias = norm.beta + ((layer.bias if layer.use_bias else 0) - norm.moving_mean) * gain
        model.get_layer(layer.name).set_weights([ops.convert_to_numpy(layer.kernel * gain), ops.convert_to_numpy(bias)])
    return keras.Model(model.inputs[0], model.outputs[0], name=f"{base.name}_folded")


def _before_norms(base: keras.Model) -> dict[str, layers.Layer]:
    """Foldable batch norms: name -> the linear layer that it alone reads."""
    sources = {layer.name: [source_layer(one) for one in keras.tree.flatten(layer.input)] for layer in base.layers}
    readers = Counter(source.name for inputs in sources.values() for source in inputs)
    readers.update(source_layer(output).name for output in base.outputs)
    return {
        layer.name: source
        for layer in base.layers
        if isinstance(layer, layers.BatchNormalization)
        and isinstance(source := sources[layer.name][0], (layers.Conv2D, layers.Dense))
        and source.activation is keras.activations.linear
        and readers[source.name] == 1
    }


def dense_head(design: str, dropout: float = 0.5, features: int = 512, classes: int = 7) -> keras.Model:
    """Dense head from (N, features) to logits (N, classes).

    `design` is `original` (the project's first), `small` (a fifth of its weights) or `linear` (one layer).
    """
    inputs = x = keras.Input((features,), name="features")
    if design == "original":
        x = layers.Dropout(dropout)(layers.Dense(256, activation="relu")(x))
        x = layers.Dense(128, activation="relu")(layers.Dense(128, activation="relu")(x))
        x = layers.Dense(64, activation="relu")(layers.BatchNormalization()(x))
    elif design == "small":
        x = layers.Dropout(dropout)(layers.Dense(64, activation="relu")(x))
        x = layers.BatchNormalization()(layers.Dense(32, activation="relu")(layers.Dense(64, activation="relu")(x)))
    elif design == "linear":
        x = layers.Dropout(dropout)(x)
    else:
        raise ValueError(f"design must be original, small or linear, not {design!r}")
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name=f"head_{design}")
