"""Conversion of Keras models to LiteRT with TensorFlow's converter."""

from __future__ import annotations

import tempfile
from typing import Literal

import keras


def to_litert(model: keras.Model, weights: Literal["int8", "float16"] = "int8") -> bytes:
    """Convert a Keras model to the bytes of a LiteRT file; needs the TensorFlow backend.

    Args:
        model: model to convert; its activations stay float32.
        weights: storage of the weights: int8 with one scale per channel (dynamic-range quantization), or float16.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if weights == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
