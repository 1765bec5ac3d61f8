"""What a network is taught: its targets, from labels and votes and, where there are teachers, from their answers too.

No teacher labels a face that it trained on: faces are dealt into folds, and a fold's teachers learn from the others.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from emotions.runtime.litert import softmax

from ..data.dataset import DatasetError, Faces
from ..data.labels import VOTES, targets_and_mask, targets_of


def fold_of(faces: Faces, folds: int) -> np.ndarray:
    """(N,) int: the fold of each face, by a checksum of its pixels, so that equal faces are in one fold wherever they stand."""
    return np.array([zlib.crc32(face.tobytes()) % folds for face in faces.pixels])


def training_faces(data: dict[str, Any]) -> Faces:
    """The split `train` of the tables `data["faces"]` and, if named, `data["drawn"]`.

    Without the fold that `data["left_out"]` = [fold, folds] names, if it does.
    """
    tables = [Faces.load(data[name]).split("train") for name in ("faces", "drawn") if data.get(name)]
    train = Faces.joined(tables)
    if "left_out" not in data:
        return train
    fold, folds = data["left_out"]
    return train.where(fold_of(train, folds) != fold)


def targets(train: Faces, config: dict[str, Any]) -> dict[str, np.ndarray]:
    """What each of `config["label_sets"]` teaches, (N, 7) float32: smoothed labels, shares of votes, mixed with teachers' answers.

    `config["data"]["soft"]` names the file of their answers for exactly these faces, `config["loss"]["soft"]` their share.
    Raises DatasetError where the file is of other faces.
    """
    label_sets = config["label_sets"]
    own = {name: targets_of(name, train, config["loss"]["smoothing"]) for name in label_sets}
    if "soft" not in config["data"]:
        return own
    share = config["loss"]["soft"]
    with np.load(config["data"]["soft"], allow_pickle=False) as stored:
        places = {mark: place for place, mark in enumerate(stored["marks"].tolist())}
        if len(places) != len(stored["marks"]):
            raise DatasetError(
                f"{config['data']['soft']}: several faces bear one name, so whose answers are whose is not known"
            )
        try:
            rows = [places[mark] for mark in marks(train).tolist()]
            answers = {name: stored[name][rows].astype(np.float32) for name in label_sets}
        except KeyError:
            raise DatasetError(f"{config['data']['soft']} has no answers for some of the faces to train on") from None
    # Votes that no emotion got stay nobody's: a teacher's answer counts as much as the face's own votes do.
    weight = {name: own[name].sum(axis=1, keepdims=True) if name == VOTES else 1.0 for name in label_sets}
    return {name: (1 - share) * own[name] + share * weight[name] * answers[name] for name in label_sets}


def marks(faces: Faces) -> np.ndarray:
    """(N,) str: by what a face's row in a file of answers is found."""
    return np.array([f"{source}/{name}" for source, name in zip(faces.sources, faces.names, strict=True)])


def views(pixels: np.ndarray, shift: int) -> Iterator[np.ndarray]:
    """(N, S, S) faces as they are and shifted by `shift` pixels four ways, each also mirrored; edges repeat.

    Ten views, or with a `shift` of 0 two: as they are and mirrored.
    """
    size = pixels.shape[1]
    padded = np.pad(pixels, ((0, 0), (shift, shift), (shift, shift)), mode="edge")
    for down, across in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))[: 5 if shift else 1]:
        top, left = shift * (1 + down), shift * (1 + across)
        view = padded[:, top : top + size, left : left + size]
        yield view
        yield view[:, :, ::-1]


def predict_soft_labels(model, faces: Faces, shift: int) -> dict[str, np.ndarray]:
    """Mean probabilities over all `views`, (N, 7) float16 for each truth. `model`: pixels (N, S, S, 1) -> logits by truth."""
    sums: dict[str, np.ndarray] = {}
    for count, view in enumerate(views(faces.pixels, shift), 1):
        logits = model.predict(view[..., None], batch_size=512, verbose=0)
        logits.pop("share", None)  # what mixing.Mix adds
        sums = {name: sums.get(name, 0.0) + softmax(np.asarray(values)) for name, values in logits.items()}
    return {name: (total / count).astype(np.float16) for name, total in sums.items()}


def accuracy_on(answers: np.ndarray, truth: str, faces: Faces) -> float:
    """How often (N, 7) `answers` name what `truth` says of `faces`, of those that it tells of."""
    labels, counts = targets_and_mask(truth, faces)
    return float((answers.argmax(axis=1) == labels)[counts].mean())


def save_soft_labels(path: Path, faces: Faces, answers: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, marks=marks(faces), **answers)


def average_soft_labels(paths: list[list[Path]]) -> dict[str, np.ndarray]:
    """Answers of several teachers, `paths`[teacher][fold] -> {"marks", and a mean over teachers for each truth}."""
    total: dict[str, np.ndarray] = {}
    for folds in paths:
        parts = []
        for path in folds:
            with np.load(path, allow_pickle=False) as stored:
                parts.append(dict(stored))
        rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.argsort(rows["marks"], kind="stable")
        rows = {name: value[order] for name, value in rows.items()}
        if total and not np.array_equal(total["marks"], rows["marks"]):
            raise DatasetError("the teachers did not answer for the same faces: train them anew on one table")
        answers = {name: value.astype(np.float32) / len(paths) for name, value in rows.items() if name != "marks"}
        total = {name: total.get(name, 0) + value for name, value in answers.items()} | {"marks": rows["marks"]}
    return total
