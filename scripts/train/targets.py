"""Training targets: labels, votes and the soft labels of teachers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from emotions.runtime.litert import softmax

from ..data.dataset import DatasetError, Faces
from ..data.labels import SAMPLE_KEYS, VOTES, targets_and_mask, targets_of
from .mixup import MIX_LAMBDA


def training_faces(data: dict[str, Any]) -> Faces:
    """Load the split `train` of the tables `data["faces"]` and, if named, `data["drawn"]`."""
    return Faces.joined([Faces.load(data[name]).split("train") for name in ("faces", "drawn") if data.get(name)])


def targets(train: Faces, config: dict[str, Any]) -> dict[str, np.ndarray]:
    """Targets (N, 7) float32 of each of `config["label_sets"]`: smoothed labels, vote shares, mixed with soft labels.

    `config["data"]["soft"]` names the file of soft labels for exactly these faces, `config["loss"]["soft"]` their weight.
    Raises DatasetError if the file was written for other faces.
    """
    label_sets = config["label_sets"]
    own = {name: targets_of(name, train, config["loss"]["smoothing"]) for name in label_sets}
    if "soft" not in config["data"]:
        return own
    path, weight = config["data"]["soft"], config["loss"]["soft"]
    with np.load(path, allow_pickle=False) as stored:
        keys = stored[SAMPLE_KEYS].tolist()
        places = {key: place for place, key in enumerate(keys)}
        if len(places) != len(keys):
            raise DatasetError(f"{path}: several faces have the same key, so their soft labels are ambiguous")
        try:
            rows = [places[key] for key in sample_keys(train).tolist()]
            soft = {name: stored[name][rows].astype(np.float32) for name in label_sets}
        except KeyError:
            raise DatasetError(f"{path} has no soft labels for some of the training faces") from None
    # Vote targets sum to less than one where raters chose none of the seven: a soft label counts as much as the face's votes.
    mass = {name: own[name].sum(axis=1, keepdims=True) if name == VOTES else 1.0 for name in label_sets}
    return {name: (1 - weight) * own[name] + weight * mass[name] * soft[name] for name in label_sets}


def sample_keys(faces: Faces) -> np.ndarray:
    """Keys (N,) str that identify faces in a file of soft labels."""
    return np.array([f"{source}/{name}" for source, name in zip(faces.sources, faces.names, strict=True)])


def views(pixels: np.ndarray, shift: int) -> Iterator[np.ndarray]:
    """Views of faces (N, S, S) for test-time augmentation: unshifted and shifted by `shift` pixels four ways, each also mirrored.

    Ten views, or two with a `shift` of 0. Shifted edges repeat.
    """
    size = pixels.shape[1]
    padded = np.pad(pixels, ((0, 0), (shift, shift), (shift, shift)), mode="edge")
    for down, across in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))[: 5 if shift else 1]:
        top, left = shift * (1 + down), shift * (1 + across)
        view = padded[:, top : top + size, left : left + size]
        yield view
        yield view[:, :, ::-1]


def predict_soft_labels(model: keras.Model, faces: Faces, shift: int) -> dict[str, np.ndarray]:
    """Mean probabilities over all `views`, (N, 7) float16 for each label set.

    `model` maps pixels (N, S, S, 1) to logits by label set.
    """
    sums: dict[str, np.ndarray] = {}
    for count, view in enumerate(views(faces.pixels, shift), 1):  # noqa: B007 - used below
        logits = model.predict(view[..., None], batch_size=512, verbose=0)
        logits.pop(MIX_LAMBDA, None)
        sums = {name: sums.get(name, 0.0) + softmax(np.asarray(values)) for name, values in logits.items()}
    return {name: (total / count).astype(np.float16) for name, total in sums.items()}


def accuracy_on(probabilities: np.ndarray, label_set: str, faces: Faces) -> float:
    """Accuracy of (N, 7) probabilities against a label set, over the faces that it labels."""
    labels, mask = targets_and_mask(label_set, faces)
    return float((probabilities.argmax(axis=1) == labels)[mask].mean())


def save_soft_labels(path: Path, faces: Faces, soft: dict[str, np.ndarray]) -> None:
    """Write soft labels and the keys of their faces as .npz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {SAMPLE_KEYS: sample_keys(faces), **soft}
    np.savez_compressed(path, **arrays)


def average_soft_labels(paths: Sequence[Path]) -> dict[str, np.ndarray]:
    """Average the soft labels of several teachers, a file each.

    Returns the sample keys and, for each label set, the mean over teachers (N, 7) float32. Raises DatasetError if they predicted
    different faces.
    """
    total: dict[str, np.ndarray] = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as stored:
            rows = dict(stored)
        order = np.argsort(rows[SAMPLE_KEYS], kind="stable")
        rows = {name: value[order] for name, value in rows.items()}
        if total and not np.array_equal(total[SAMPLE_KEYS], rows[SAMPLE_KEYS]):
            raise DatasetError("the teachers predicted different faces: train them again on one table")
        soft = {name: value.astype(np.float32) / len(paths) for name, value in rows.items() if name != SAMPLE_KEYS}
        total = {name: total.get(name, 0) + value for name, value in soft.items()} | {SAMPLE_KEYS: rows[SAMPLE_KEYS]}
    return total
