"""The networks, in Keras 3 on any backend: a convolutional base that makes bottleneck features, and heads that read them.

VGG, and what all designs share; the others are in scripts/train/backbones.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import keras
from keras import layers, ops

# Spare torch on a CPU the copies that Keras makes of every map.
#
# Keras' layers hold maps as (N, H, W, C); torch reads the same memory as (N, C, H, W) in the layout `channels_last`, which its
# kernels on a CPU want. Keras 3.15 copies each map into the other layout before each convolution and pooling all the same, and
# a pooling's gradient comes back in that layout, in which the ReLU before it is many times slower.


def avoid_layout_copies() -> None:
    """Let convolutions and poolings of maps read their inputs where they lie. Does nothing on another backend than torch.

    The function that is replaced is private to Keras: where a later version has none, its own copies stay.
    """
    if keras.backend.backend() != "torch":
        return
    from keras.src.backend.torch import nn

    copied = getattr(nn, "_transpose_spatial_inputs", None)
    if copied is not None:
        nn._transpose_spatial_inputs = lambda inputs: inputs.permute(0, 3, 1, 2) if inputs.ndim == 4 else copied(inputs)


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
            momentum=1 - self.momentum,  # torch counts the share of the new, Keras that of the old
            eps=self.epsilon,
        )
        return ops.moveaxis(normal, 1, -1) if channels_first else normal


def grey_pixels(size: int | None) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """(input, the same scaled): grey pixels (N, S, S, 1), 0..255, and what a network reads."""
    inputs = keras.Input((size, size, 1), name="pixels")
    return inputs, layers.Rescaling(1 / 64, offset=-2, name="scale")(inputs)  # FER2013: mean 129, deviation 64


def vgg_backbone(
    depth: int = 16, size: int | None = None, name: str | None = None, filters: Sequence[int] = VGG_FILTERS
) -> keras.Model:
    """VGG cut before its top, with batch norm after each convolution.

    In: (N, S, S, 1) grey pixels, 0..255. Out: (N, filters[-1]) bottleneck features. `size` is S; None lets it vary.
    `filters` has one number for each of the five blocks.
    At 48 px the last map is 1 x 1, so the mean over it changes nothing; at other sizes it keeps the number of features.
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
    """The same function as `base` at inference for (N, size, size, 1), in float32, without the batch norms that can be folded.

    A batch norm goes into the convolution or dense layer before it where nothing else reads that layer. With
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
    """Batch norm's name -> the linear layer that it alone reads."""
    sources = {layer.name: [one._keras_history.operation for one in keras.tree.flatten(layer.input)] for layer in base.layers}
    readers = Counter(source.name for inputs in sources.values() for source in inputs)
    readers.update(output._keras_history.operation.name for output in base.outputs)
    return {
        layer.name: source
        for layer in base.layers
        if isinstance(layer, layers.BatchNormalization)
        and isinstance(source := sources[layer.name][0], (layers.Conv2D, layers.Dense))
        and source.activation is keras.activations.linear
        and readers[source.name] == 1
    }


def dense_head(design: str, dropout: float = 0.5, features: int = 512, classes: int = 7) -> keras.Model:
    """(N, features) -> (N, classes) logits. `original` is the project's first design; `linear` one layer; `hidden` and
    `small` between, the latter with a fifth of the first's weights."""
    inputs = x = keras.Input((features,), name="features")
    if design == "original":
        x = layers.Dropout(dropout)(layers.Dense(256, activation="relu")(x))
        x = layers.Dense(128, activation="relu")(layers.Dense(128, activation="relu")(x))
        x = layers.Dense(64, activation="relu")(layers.BatchNormalization()(x))
    elif design == "hidden":
        x = layers.Dropout(dropout)(layers.Dense(256, activation="relu")(layers.Dropout(dropout)(x)))
    elif design == "small":
        x = layers.Dropout(dropout)(layers.Dense(64, activation="relu")(x))
        x = layers.BatchNormalization()(layers.Dense(32, activation="relu")(layers.Dense(64, activation="relu")(x)))
    elif design == "linear":
        x = layers.Dropout(dropout)(x)
    else:
        raise ValueError(f"design must be original, hidden, small or linear, not {design!r}")
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name=f"head_{design}")
