"""Spare torch on a CPU the copies that Keras makes of every map.

Keras' layers hold maps as (N, H, W, C); torch reads the same memory as (N, C, H, W) in the layout `channels_last`, which its
kernels on a CPU want. Keras 3.15 copies each map into the other layout before each convolution and pooling all the same, and
a pooling's gradient comes back in that layout, in which the ReLU before it is many times slower.
"""

from __future__ import annotations

import keras


def share_memory() -> None:
    """Let convolutions and poolings of maps read their inputs where they lie. Does nothing on another backend than torch.

    The function that is replaced is private to Keras: where a later version has none, its own copies stay.
    """
    if keras.backend.backend() != "torch":
        return
    from keras.src.backend.torch import nn

    copied = getattr(nn, "_transpose_spatial_inputs", None)
    if copied is not None:
        nn._transpose_spatial_inputs = lambda inputs: inputs.permute(0, 3, 1, 2) if inputs.ndim == 4 else copied(inputs)
