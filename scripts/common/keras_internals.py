"""Private interfaces of Keras, with the version they were checked with.

Nothing else in scripts/ touches a private attribute of Keras. Each function checks what it replaces or reads, so that another
version fails with a message or keeps its own behaviour.
"""

from __future__ import annotations

import keras

from .internals import missing


def avoid_layout_copies() -> bool:
    """Let convolutions and poolings on torch read feature maps in place; return whether a function of Keras was replaced.

    Keras' layers hold maps as (N, H, W, C); torch reads the same memory as (N, C, H, W) in the layout `channels_last`, which
    its CPU kernels prefer. Keras copies each map into the other layout before each convolution and pooling all the same, and the
    gradient of a pooling comes back in that layout, in which the ReLU before it is many times slower. Does nothing on other
    backends; where a later Keras has no such function, its copies stay.
    """
    if keras.backend.backend() != "torch":
        return False
    from keras.src.backend.torch import nn

    copied = getattr(nn, "_transpose_spatial_inputs", None)
    if copied is None:
        return False
    nn._transpose_spatial_inputs = lambda inputs: inputs.permute(0, 3, 1, 2) if inputs.ndim == 4 else copied(inputs)
    return True


def source_layer(tensor: keras.KerasTensor) -> keras.layers.Layer:
    """The layer whose output a symbolic tensor is. Raises InternalsError if Keras does not record it."""
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        raise missing("keras", "KerasTensor._keras_history")
    return history.operation


def forget_train_function(model: keras.Model) -> None:
    """Make the next fit() trace the training step again, for instance after a change of the augmentation's crop."""
    if not hasattr(model, "train_function"):
        raise missing("keras", "Model.train_function")
    model.train_function = None
