"""Dense heads on frozen features as evaluations train them: quickly, on hard labels, for data that a head has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from emotions.labels import EMOTIONS

from ..data.dataset import Faces
from ..train.heads import class_weights, fit
from ..train.networks import dense_head

EPOCHS = 8
SEED = 20261122


@dataclass(frozen=True)
class TrainingData:
    """Features (N, F) float32 and class ids (N,) to train on, and sample weights (N,)."""

    features: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


def photographs(features: np.ndarray, faces: Faces) -> TrainingData:
    """Training rows of a table of human faces, all of weight 1."""
    train = (faces.splits == "train") & (faces.labels >= 0)
    labels = faces.labels[train].astype(int)
    return TrainingData(features[train], labels, np.ones(len(labels), np.float32))


def balanced_data(features: np.ndarray, faces: Faces, mask: np.ndarray) -> TrainingData:
    """Masked rows of a table with balanced classes, for drawn and rendered faces: their class counts are our choice."""
    labels = faces.labels[mask].astype(int)
    return TrainingData(features[mask], labels, class_weights(labels))


def train_head(design: str, data: Sequence[TrainingData]) -> keras.Model:
    """Train a head on hard labels."""
    inputs, labels, weights = (np.concatenate([getattr(one, name) for one in data]) for name in TrainingData.__annotations__)
    keras.utils.set_random_seed(SEED)
    head = dense_head(design, features=inputs.shape[1])
    fit(head, inputs, np.eye(len(EMOTIONS), dtype=np.float32)[labels], weights, epochs=EPOCHS)
    return head


def predict(head: keras.Model, features: np.ndarray) -> np.ndarray:
    """Class ids (...) of features (..., F)."""
    logits = head.predict(features.reshape(-1, features.shape[-1]), batch_size=4096, verbose=0)
    return logits.argmax(axis=1).reshape(features.shape[:-1])
