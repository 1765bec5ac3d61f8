"""The trained network as one LiteRT file: int8 weights, the seven logits alone, and the word lists it reads with inside.

The lists are packed as TensorFlow Lite's metadata packs associated files: a zip archive behind the model, which LiteRT does not
look at and `zipfile` finds.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from emotions.text_files import ENGLISH, VOCABULARY


class Quantised(keras.layers.Layer):
    """A table of vectors as int8 with a scale for each row: (B, T) rows -> (B, T, W) float32.

    The converter would keep a gathered table in float32 or widen all of it at every start.
    """

    def __init__(self, table: np.ndarray, **options: Any) -> None:
        super().__init__(**options)
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-8) / 127
        self._values, self._scale = np.rint(table / scale).astype(np.int8), scale.astype(np.float32)

    def call(self, rows: Any) -> Any:
        rows = tf.cast(rows, tf.int32)
        return tf.cast(tf.gather(self._values, rows), tf.float32) * tf.gather(self._scale, rows)


def to_lite(model: keras.Model) -> bytes:
    """Convert a float32 network; dynamic-range int8 weights."""
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()


def pack(model: bytes, vocabulary: list[str], english: list[str]) -> bytes:
    """The model with its word lists behind it; the same input gives the same bytes."""
    whole = io.BytesIO()
    whole.write(model)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, lines in ((VOCABULARY, vocabulary), (ENGLISH, english)):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), "\n".join(lines) + "\n", zipfile.ZIP_DEFLATED)
    return whole.getvalue()
