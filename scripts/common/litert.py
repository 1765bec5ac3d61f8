"""Keras -> LiteRT, with TensorFlow's own converter."""

from __future__ import annotations

import tempfile
from typing import Literal

import keras


def to_litert(model: keras.Model, weights: Literal["int8", "float16"] = "int8") -> bytes:
    """A Keras model -> LiteRT bytes; weights are stored as int8 with a scale a channel, or as float16; activations are float32.

    Needs the TensorFlow backend.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if weights == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
