"""Backbones by architecture (`design = "resnet50"` in a configuration, its options under [network]).

Each builder returns a model from grey pixels (N, S, S, 1) in 0..255 to bottleneck features (N, F). A classifier that is usually
trained in one piece is split: all layers but the last are the backbone, its last dense layer is a linear head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
from keras import layers

from .networks import BatchNorm, grey_pixels, vgg_backbone

FER_CNN_FILTERS = ((64, 3), (128, 5), (512, 3), (512, 3))
"""Filters and kernel side of each convolution."""
FER_CNN_DENSE = (256, 512)
IMAGENET_MEANS = (103.939, 116.779, 123.68)
"""Mean blue, green and red of ImageNet, which VGG's published weights expect to be subtracted (in this order)."""


class DesignError(ValueError):
    """A configuration describes a network that cannot be built or a run that cannot go on; the message says what to change."""


def fer_cnn_backbone(dropout: float = 0.25, size: int = 48, name: str = "fer_cnn") -> keras.Model:
    """The convolutional network of FER2013 tutorials: four convolutions, two dense layers; 512 features.

    The flattened map fixes the size of the faces. Convolutions and dense layers have a bias before their batch norm.
    """
    inputs, x = grey_pixels(size)
    for number, (filters, side) in enumerate(FER_CNN_FILTERS, 1):
        x = layers.Conv2D(filters, side, padding="same", kernel_initializer="he_normal", name=f"conv{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(BatchNorm(momentum=0.9, name=f"norm{number}")(x))
        x = layers.Dropout(dropout, name=f"dropout{number}")(layers.MaxPooling2D(name=f"pool{number}")(x))
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate(FER_CNN_DENSE, 1):
        x = layers.Dropout(dropout, name=f"dense{number}_dropout")(x) if number > 1 else x
        x = layers.Dense(units, kernel_initializer="he_normal", name=f"dense{number}")(x)
        x = BatchNorm(momentum=0.9, name=f"dense{number}_norm")(x)
        x = layers.ReLU(name=f"dense{number}_relu")(x)
    return keras.Model(inputs, layers.Activation("linear", dtype="float32", name="features")(x), name=name)


def imagenet_backbone(weights: str | None = "imagenet", size: int = 48, name: str = "vgg16_imagenet") -> keras.Model:
    """Frozen VGG-16 with Keras' ImageNet weights, without its top: (N, 512) features.

    Inside the graph grey pixels become three equal channels minus ImageNet's means. `weights` is "imagenet" (downloaded by
    Keras), the path of a weights file, or "random" (tests). Raises DesignError if the weights are not available.
    """
    pixels = keras.Input((size, size, 1), name="pixels")
    colours = layers.Concatenate(name="colours")([pixels, pixels, pixels])
    x = layers.Rescaling(1.0, offset=[-mean for mean in IMAGENET_MEANS], name="imagenet_means")(colours)
    try:
        published = keras.applications.VGG16(
            include_top=False, weights=None if weights == "random" else weights, input_tensor=x, pooling="avg"
        )
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise DesignError(
            f"VGG-16's ImageNet weights are not available ({error}): run once where storage.googleapis.com can be reached, "
            'or name a downloaded vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 as weights = "..." under [network]'
        ) from error
    features = layers.Activation("linear", dtype="float32", name="features")(published.outputs[0])
    base = keras.Model(pixels, features, name=name)
    base.trainable = False
    return base


def residual_backbone(
    widths: Sequence[int] = (32, 64, 128, 256), blocks: int = 2, size: int | None = None, name: str = "residual"
) -> keras.Model:
    """Residual network: 3 x 3 stem at full resolution, a stage of `blocks` basic blocks for each width; (N, widths[-1]) features.

    He et al., "Deep Residual Learning", 2016, figure 5 left. The last gamma of a block is initialised with zero, so that the
    network starts shallow (Goyal et al., "Accurate, Large Minibatch SGD", 2017, 5.1).
    """
    inputs, x = grey_pixels(size)

    def convolved(x, filters, side, stride, label, gamma="ones"):
        conv = layers.Conv2D(
            filters, side, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{label}_conv"
        )
        return BatchNorm(momentum=0.9, gamma_initializer=gamma, name=f"{label}_norm")(conv(x))

    x = layers.ReLU(name="stem_relu")(convolved(x, widths[0], 3, 1, "stem"))
    for stage, width in enumerate(widths, 1):
        for block in range(1, blocks + 1):
            label, stride = f"stage{stage}_block{block}", 2 if stage > 1 and block == 1 else 1
            y = layers.ReLU(name=f"{label}_relu1")(convolved(x, width, 3, stride, f"{label}_first"))
            y = convolved(y, width, 3, 1, f"{label}_second", gamma="zeros")
            if x.shape[-1] != width or stride > 1:
                x = convolved(x, width, 1, stride, f"{label}_shortcut")
            x = layers.ReLU(name=f"{label}_relu2")(layers.Add(name=f"{label}_add")([x, y]))
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="features", dtype="float32")(x), name=name)


def resnet50_backbone(size: int | None = None, name: str = "resnet50") -> keras.Model:
    """Keras' ResNet-50 with new weights for grey faces (N, S, S, 1); (N, 2048) features.

    Two changes for 48 px: the stem's convolution has stride 1 instead of 2 (else faces would be reduced to 12 px before the first
    block) and one input channel.
    """
    published = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=grey_pixels(size)[1], pooling="avg")

    def adapted(layer):
        config = layer.get_config()
        if layer.name == "conv1_conv":
            config["strides"] = (1, 1)
        if isinstance(layer, layers.BatchNormalization):
            return BatchNorm.from_config(config | {"momentum": 0.9})  # Keras' .99 lags behind a short training
        return type(layer).from_config(config)

    clone = keras.models.clone_model(published, clone_function=adapted)
    features = layers.Activation("linear", dtype="float32", name="features")(clone.outputs[0])
    return keras.Model(clone.inputs[0], features, name=name)


BACKBONES: dict[str, Callable[..., keras.Model]] = {
    "vgg16": partial(vgg_backbone, 16),
    "vgg19": partial(vgg_backbone, 19),
    "fer_cnn": fer_cnn_backbone,
    "vgg16_imagenet": imagenet_backbone,
    "residual": residual_backbone,
    "resnet50": resnet50_backbone,
}
"""Architecture -> builder of its backbone."""


def design_of(config: dict[str, Any]) -> str:
    """Architecture of a configuration: its `design`, by default its `name`."""
    return config.get("design", config["name"])


def build_backbone(config: dict[str, Any]) -> keras.Model:
    """Build the backbone of a configuration with new weights. Raises DesignError for an unknown architecture or option."""
    design = design_of(config)
    if design not in BACKBONES:
        raise DesignError(f"no architecture is called {design!r}; there is: {', '.join(BACKBONES)}")
    try:
        return BACKBONES[design](name=config["name"], **config.get("network", {}))
    except TypeError as error:
        raise DesignError(f"[network] of {config['name']}: {error}") from error
