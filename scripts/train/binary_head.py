"""Heads with one logit on bottleneck features: is a square a face, is a face covered?"""

from __future__ import annotations

import keras
import numpy as np

HIDDEN, DROPOUT, EPOCHS, BATCH = 128, 0.3, 25, 256


def train_binary_head(features: np.ndarray, positive: np.ndarray, seed: int) -> keras.Model:
    """Train a head from features (N, F) to logits (N, 1); both classes of `positive` (N,) bool have the same total weight."""
    keras.utils.set_random_seed(seed)
    scale = keras.layers.Normalization(mean=features.mean(axis=0), variance=features.var(axis=0) + 1e-4)
    inputs = keras.Input((features.shape[1],), name="features")
    x = keras.layers.Dropout(DROPOUT)(scale(inputs))
    x = keras.layers.Dropout(DROPOUT)(keras.layers.Dense(HIDDEN, activation="relu")(x))
    head = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * -(-len(features) // BATCH))
    head.compile(keras.optimizers.AdamW(rate, weight_decay=1e-2), keras.losses.BinaryCrossentropy(from_logits=True))
    weights = np.where(positive, 0.5 / positive.mean(), 0.5 / (1 - positive.mean()))
    target = positive[:, None].astype(np.float32)
    head.fit(features, target, sample_weight=weights, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return head


def logits(head: keras.Model, features: np.ndarray) -> np.ndarray:
    """Logits (N,) float32 of features (N, F)."""
    values: np.ndarray = head.predict(features, batch_size=4096, verbose=0)[:, 0]
    return values
