"""Features of frozen backbones, cached for each table, and dense heads that learn them quickly, on hard labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from emotions.face.classifier import ExpressionClassifier
from emotions.labels import EMOTIONS

from ..data.dataset import DatasetError, Faces
from ..train.features import FeatureSet, bottleneck, cached_features
from ..train.heads.search import class_weights, fit
from ..train.networks import dense_head, folded

EPOCHS = 8
SEED = 20261122
RUN_FILES = {"human": "features.npz"}
"""Names that scripts.train.heads gives to features in the folder of a run; those of other roles are features-<role>.npz."""


@dataclass(frozen=True)
class Backbone:
    """A feature extractor.

    Attributes:
        title: name and version, or folder of the run.
        size: side S in pixels of the crops that it reads.
        features: function from crops (N, S, S) uint8 grey to features (N, F) float32.
        place: function from the path of a table and its role (`human`, `drawn`, `others`, `heads`) to the file of its features.
        identity: bytes that change with the weights.
    """

    title: str
    size: int
    features: Callable[[np.ndarray], np.ndarray]
    place: Callable[[Path, str], Path]
    identity: Sequence[bytes]

    def cached(self, faces: Faces, path: Path, role: str) -> FeatureSet:
        """Features of the faces of a table and of the mirrored faces, computed once.

        Raises DatasetError if the faces have another size.
        """
        if faces.pixels.shape[1] != self.size:
            raise DatasetError(f"{path} has faces of {faces.pixels.shape[1]} pixels, {self.title} reads {self.size}")
        made = cached_features(faces, self.place(path, role), self.identity, lambda: self.features)
        return FeatureSet(**made, faces=faces)


def served_backbone(model: ExpressionClassifier) -> Backbone:
    """The backbone of a served head; features of a table are cached beside its file, in a file for each backbone."""
    entry = model.backbone_entry

    def place(path: Path, role: str) -> Path:
        return path.with_name(f"features-{path.stem}-both-{entry.sha256[:8]}.npz")

    title = f"{entry.name} {entry.metadata['version']}"
    return Backbone(title, model.size, model.features, place, [entry.sha256.encode()])


def trained_backbone(run: Path) -> Backbone:
    """The backbone run/base.keras as it would be served; features are cached in its folder, as scripts.train.heads does.

    Raises:
        DatasetError: If there is no base.keras or no config.json.
    """
    for name in ("base.keras", "config.json"):
        if not (run / name).is_file():
            raise DatasetError(f"{run / name} is not there: --run names a folder of scripts.train.base")
    size = json.loads((run / "config.json").read_text(encoding="utf-8"))["size"]
    base = folded(keras.saving.load_model(run / "base.keras", compile=False), size)
    weights = [weight.tobytes() for weight in base.get_weights()]

    def place(path: Path, role: str) -> Path:
        return run / RUN_FILES.get(role, f"features-{role}.npz")

    return Backbone(run.name, size, bottleneck(base), place, weights)


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
