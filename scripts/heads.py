"""Bottleneck features, computed once, and the dense heads that are trained on them in minutes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from emotions.expressions import softmax
from emotions.labels import EMOTIONS
from emotions.litert import LiteModel

from .convert import to_litert
from .datasets import Faces
from .metrics import cross_entropy
from .networks import dense_head, folded

HEADS = ("fer2013", "ferplus", "mixed")
"""Truths: the original labels; the FER+ raters' votes; a mixture of both."""
DESIGNS = ("original", "hidden", "linear")
MIXTURES = (0.3, 0.5, 0.7)
"""Shares of the original label in the target of `mixed`; the validation faces choose among them."""


def hard_targets(faces: Faces, smoothing: float = 0.0) -> np.ndarray:
    """(N, 7) float32: one at the original label, smoothed."""
    count = len(EMOTIONS)
    return np.eye(count, dtype=np.float32)[faces.labels] * (1 - smoothing) + np.float32(smoothing / count)


def vote_targets(faces: Faces) -> np.ndarray:
    """(N, 7) float32: votes for the seven as a share of all raters asked.

    A face that half of the raters called unknown thus counts half, and one that nobody was asked about not at all.
    """
    return (faces.votes / np.maximum(faces.raters, 1)[:, None]).astype(np.float32)


def bottleneck(base: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """The function (N, S, S) uint8 -> (N, 512) float32 that heads are trained on.

    With TensorFlow it is the int8 file that will be served, four times as fast on a CPU as float32; else `base` itself.
    """
    if keras.backend.backend() != "tensorflow":
        return lambda pixels: base.predict(pixels[..., None], batch_size=256, verbose=2)
    content = to_litert(base)
    model = LiteModel(lambda: content, threads=os.cpu_count() or 1)

    def features(pixels: np.ndarray) -> np.ndarray:
        parts = (pixels[start : start + 64, ..., None] for start in range(0, len(pixels), 64))
        return np.concatenate([model(part)[0] for part in parts])

    return features


def cache_features(base: keras.Model, faces: Faces, path: Path) -> dict[str, np.ndarray]:
    """Features of all faces as they are and mirrored, {"plain", "mirrored"}: (N, 512) float32; read from `path` if there."""
    if not path.is_file():
        features = bottleneck(base)
        np.savez(path, plain=features(faces.pixels), mirrored=features(faces.pixels[:, :, ::-1]))
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature with the least cross-entropy on validation logits (N, 7) against class ids (N,)."""
    candidates = np.geomspace(0.3, 3.0, 231)
    return float(min(candidates, key=lambda temperature: cross_entropy(softmax(logits, temperature), truth)))


def train_heads(run: Path, faces: Faces, smoothing: float, seed: int) -> dict[str, dict]:
    """Train every design for every truth on run/base.keras; keep the best on validation as run/head-<truth>.keras.

    Gives, and writes to run/heads.json, what was tried and chosen. `mixed` is chosen by the mean of both accuracies.
    """
    base = keras.saving.load_model(run / "base.keras", compile=False)
    base = folded(base, faces.pixels.shape[1])  # the function that is served, in float32 whatever it was trained in
    features = cache_features(base, faces, run / "features.npz")
    train, validation = faces.splits == "train", faces.splits == "validation"
    learned = faces.where(train)
    inputs = np.concatenate([features["plain"][train], features["mirrored"][train]])
    hard, votes = hard_targets(learned, smoothing), vote_targets(learned)
    asked = (learned.raters > 0).astype(np.float32)[:, None]
    blends = {"fer2013": [1.0], "ferplus": [0.0], "mixed": MIXTURES}
    report = {}
    for name in HEADS:
        rows, best = [], None
        for share in blends[name]:
            # Where nobody voted the label stands alone, except for the head whose truth is the votes.
            target = share * hard + (1 - share) * (votes if name == "ferplus" else np.where(asked > 0, votes, hard))
            for design in DESIGNS:
                keras.utils.set_random_seed(seed)
                head = dense_head(design, features=inputs.shape[1])
                _fit(head, inputs, np.concatenate([target, target]))
                logits = head.predict(features["plain"][validation], batch_size=1024, verbose=0)
                row = {"design": design, "share": share, **_scores(logits, faces.where(validation))}
                rows.append(row)
                print(name, row, flush=True)
                figure = {"fer2013": row["fer2013"], "ferplus": row["ferplus"]}.get(name, (row["fer2013"] + row["ferplus"]) / 2)
                if best is None or figure > best[0]:
                    best = (figure, row)
                    head.save(run / f"head-{name}.keras")
        report[name] = {"chosen": best[1], "tried": rows}
    (run / "heads.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def _fit(head: keras.Model, inputs: np.ndarray, target: np.ndarray, epochs: int = 12, batch: int = 256) -> None:
    steps = epochs * -(-len(inputs) // batch)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    head.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), keras.losses.CategoricalCrossentropy(from_logits=True))
    head.fit(inputs, target, batch_size=batch, epochs=epochs, verbose=0)


def _scores(logits: np.ndarray, faces: Faces) -> dict[str, float]:
    guess = logits.argmax(axis=1)
    truth, clear = faces.majority()
    return {
        "fer2013": round(float((guess == faces.labels).mean()), 4),
        "ferplus": round(float((guess == truth)[clear].mean()), 4),
    }
