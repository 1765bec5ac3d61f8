"""How a head learns: loss and accuracy after every epoch, on the faces it learns from and on faces held out."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from emotions.runtime.litert import softmax

from ..common.metrics import cross_entropy


class Curves(keras.callbacks.Callback):
    """Give it to `heads.fit`; `rows` then holds one dict an epoch: "<part> loss" and "<part> accuracy" for each part.

    `parts`: name -> (features (N, F), class ids (N,)). All are measured alike: after the epoch, without dropout, against plain
    labels. What Keras itself reports for training is an average over the epoch with dropout on, which looks worse than it is.
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
