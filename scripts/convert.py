"""Keras -> LiteRT, with TensorFlow's own converter."""

from __future__ import annotations

import tempfile

import keras


def to_litert(model: keras.Model, quantise: bool = True) -> bytes:
    """A Keras model -> LiteRT bytes; `quantise` stores weights as int8 with a scale a channel (activations stay float32).

    Needs the TensorFlow backend.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if quantise:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()
