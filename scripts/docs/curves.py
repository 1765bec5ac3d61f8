"""Learning curves of a head: loss and accuracy on training and held-out faces after every epoch."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from emotions.runtime.litert import softmax

from ..common.metrics import cross_entropy


class LearningCurves(keras.callbacks.Callback):
    """Callback for `heads.fit`; `rows` then holds one dictionary per epoch: "<part> loss" and "<part> accuracy" for each part.

    `parts`: name -> (features (N, F), class ids (N,)). All are evaluated after the epoch, without dropout and label smoothing.
    Keras' own training metrics are averages over the epoch with dropout, which are not comparable with validation metrics.
    """

    def __init__(self, parts: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        super().__init__()
        self.parts = parts
        self.rows: list[dict[str, float]] = []

    def on_epoch_end(self, epoch, logs=None):
        row = {}
        for name, (features, labels) in self.parts.items():
            logits = np.concatenate([np.zeros((0, 7)), *(
                keras.ops.convert_to_numpy(self.model(features[start : start + 4096], training=False))
                for start in range(0, len(features), 4096)
            )])  # fmt: skip
            row[f"{name} loss"] = cross_entropy(softmax(logits), labels)
            row[f"{name} accuracy"] = float((logits.argmax(axis=1) == labels).mean())
        self.rows.append(row)
