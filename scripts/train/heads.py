"""Train dense heads on bottleneck features in minutes: one for each label set, one for their mixture, one for drawn faces.

python -m scripts.train.heads --run runs/vgg16
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..common.metrics import confusion, family_recall, macro_f1
from ..data.dataset import DatasetError, Faces, sample
from ..data.labels import (
    MIXED,
    VOTES,
    available_label_sets,
    hard_targets,
    heads_for,
    label_set_name,
    mixed_targets,
    targets_and_mask,
    targets_of,
)
from ..data.splits import without_copies
from .backbones import DesignError
from .features import FeatureSet, cache_features
from .networks import dense_head, folded
from .optimisation import soft_cross_entropy
from .runs import record_head_tables

DESIGNS = ("original", "linear")
"""Architectures of networks.dense_head that are tried."""
MIXTURES = (0.3, 0.5, 0.7, 0.85)
"""Weights of the label in the targets of `mixed`; the best on validation is kept."""
TARGET_ACCURACY = 0.70, 0.78
"""Accuracies that `mixed` should reach on FER2013's labels and on the votes: it is chosen by its total shortfall or, if there is
none, to maximise the smaller of both margins; the mean would trade FER2013 accuracy for FER+, which is easier to raise."""
DRAWN_WEIGHTS = (0.3, 1.0)
"""Weights of a drawn face relative to a photographed one that are tried besides training without drawn faces."""
OTHERS_WEIGHTS = (0.1, 0.3)
"""The same for photographed faces of further data sets, for `mixed` only: at 1 they cost it a point on FER2013."""
BATCH = 1024
"""Batch size: on a CPU the overhead of a step dominates, so that 256 would take four times as long."""
MIN_STEPS, MIN_BATCH = 8, 32
"""Small tables are trained in smaller batches: with too few steps a head would hardly move from its initial weights."""
DRAWN_DESIGNS = ("linear", "small")
"""`original` has errors of 1.6 and 4.2 % on validation, hardly fewer than `small`, and is five times as large."""
ERRORS = ("human_called_drawn", "drawn_called_human")
MAX_ERROR = 0.05
"""Highest validation error of either kind for the drawn-face head: worse ones are reported and not kept."""
MAX_DROP = 0.002
"""Accuracy on human validation faces that a head may lose for better accuracy on drawn ones."""


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Sample weights (N,) float32 with mean 1 that give every class that occurs the same total weight."""
    counts = np.bincount(labels)
    return (len(labels) / np.count_nonzero(counts) / counts[labels]).astype(np.float32)


@dataclass(frozen=True)
class TrainingSets:
    """Data of the heads: faces whose label sets name the heads and, if given, drawn faces and faces of further data sets."""

    human: FeatureSet
    drawn: FeatureSet | None
    others: FeatureSet | None

    def extra(self, drawn_weight: float, others_weight: float, smoothing: float) -> Iterator[tuple[np.ndarray, ...]]:
        """Features (2N, F), targets (2N, 7) and weights (2N,) of the training faces besides `human`.

        Drawn classes have equal weight, since their counts are our choice. Classes of other faces are weighted by the square root
        of their count: their rarest classes have a few dozen faces.
        """
        for features, weight, power in ((self.drawn, drawn_weight, 1.0), (self.others, others_weight, 0.5)):
            if features and weight:
                train = features.split("train")
                target, balance = hard_targets(train.faces, smoothing), class_weights(train.faces.labels) ** power
                weights = weight * balance / balance.mean()
                yield train.both, np.concatenate([target, target]), np.concatenate([weights, weights])

    def scores(self, head: keras.Model, label_sets: tuple[str, ...]) -> dict[str, float]:
        """Validation metrics: accuracy on each label set; mean recall of `drawn` families; macro-F1 of `others`."""
        validation = self.human.split("validation")
        predicted, metrics = _predict(head, validation), {}
        for name in label_sets:
            labels, mask = targets_and_mask(name, validation.faces)
            metrics[name] = float((predicted == labels)[mask].mean())
        if self.drawn:
            validation = self.drawn.split("validation")
            metrics["drawn"] = family_recall(validation.faces.labels, _predict(head, validation), validation.faces.groups)
        if self.others:
            validation = self.others.split("validation")
            metrics["others"] = macro_f1(confusion(validation.faces.labels, _predict(head, validation)))
        return {name: round(value, 4) for name, value in metrics.items()}


def train_heads(
    run: Path, faces: Faces, smoothing: float, seed: int, drawn: Faces | None = None, others: Faces | None = None
) -> dict[str, dict]:
    """Train heads for every label set of `faces` on run/base.keras; write the best on validation as run/head-<label set>.keras.

    With `drawn` faces, the best architecture and mixture of each label set, and the one with hidden layers, are trained on them
    too; of all heads that lose at most MAX_DROP on human validation faces the best on drawn validation faces is kept. They also
    train run/head-drawn.keras (one logit: is the face drawn?), which is written unless its error is too high. `others` are used
    for `mixed` alone, in the same way. Heads that an earlier call wrote for other label sets are deleted.

    Args:
        run: folder of a run with base.keras.
        faces: table with labels, votes or both.
        smoothing: label smoothing.
        seed: seed of the initial weights.
        drawn: table of drawn faces.
        others: table of labelled faces of further data sets.

    Returns:
        Head -> {"chosen": row, "tried": rows}, as written to run/heads.json.

    Raises:
        DatasetError: if a split has no label set, or `others` no label.
    """
    label_sets = available_label_sets(faces)
    if others is not None:
        if MIXED not in heads_for(label_sets):
            raise DatasetError(f"further faces are for the head `{MIXED}` alone, which needs labels and votes to mix")
        if label_set_name(others) not in available_label_sets(others):
            raise DatasetError("further faces need labels, and these have none")
        others = others.where(others.labels >= 0)
    base = keras.saving.load_model(run / "base.keras", compile=False)
    base = folded(base, faces.pixels.shape[1])  # as served, in float32 whatever the precision of the training
    human = FeatureSet(**cache_features(base, faces, run / "features.npz"), faces=faces)

    def cached(name: str, table: Faces | None) -> FeatureSet | None:
        if table is None:
            return None
        return FeatureSet(**cache_features(base, table, run / f"features-{name}.npz"), faces=table)

    sets = TrainingSets(human, cached("drawn", drawn), cached("others", others))
    for old in run.glob("head-*.keras"):
        old.unlink()
    report: dict[str, dict] = {}
    for name in heads_for(label_sets):
        report[name], head = _best_head(name, label_sets, sets, smoothing, seed)
        head.save(run / f"head-{name}.keras")
    if sets.drawn:
        report["drawn"], head = drawn_head(human, sets.drawn, seed)
        save_if_accurate(head, report["drawn"]["chosen"], run / "head-drawn.keras")
    (run / "heads.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _best_head(
    name: str, label_sets: tuple[str, ...], sets: TrainingSets, smoothing: float, seed: int
) -> tuple[dict[str, object], keras.Model]:
    """The report of one head (chosen and tried rows) and the chosen head."""
    rows: list[dict] = []
    heads: list[keras.Model] = []
    train = sets.human.split("train")

    def attempt(design: str, share: float, drawn_weight: float = 0.0, others_weight: float = 0.0) -> None:
        faces = train.faces
        target = mixed_targets(faces, share, smoothing) if name == MIXED else targets_of(name, faces, smoothing)
        parts: list[tuple[np.ndarray, ...]] = [
            (train.both, np.concatenate([target, target]), np.ones(2 * len(target), np.float32))
        ]
        parts += sets.extra(drawn_weight, others_weight, smoothing)
        keras.utils.set_random_seed(seed)
        head = dense_head(design, features=train.plain.shape[1])
        features, targets, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
        fit(head, features, targets, weights)
        row: dict[str, Any] = {"design": design, "share": share, "drawn_weight": drawn_weight}
        row |= {"others_weight": others_weight} if sets.others else {}
        rows.append(row | sets.scores(head, label_sets))
        heads.append(head)
        print(name, rows[-1], flush=True)

    for share in {MIXED: MIXTURES, VOTES: (0.0,)}.get(name, (1.0,)):
        for design in DESIGNS:
            attempt(design, share)
    best = max(rows, key=lambda row: _score(name, label_sets, row))
    drawn_weights = (0.0, *DRAWN_WEIGHTS) if sets.drawn else (0.0,)
    others_weights = (0.0, *OTHERS_WEIGHTS) if sets.others and name == MIXED else (0.0,)
    # On other data sets the predictions agree more with raters: a mixture with more of the label may then be better.
    shares = [best["share"], *[share for share in MIXTURES if share > best["share"] and len(others_weights) > 1][:1]]
    for design, share in product(dict.fromkeys([best["design"], DESIGNS[0]]), shares):
        for weights in product(drawn_weights, others_weights):
            if any(weights):
                attempt(design, share, *weights)
    chosen = choose(name, label_sets, rows)
    return {"chosen": rows[chosen], "tried": rows}, heads[chosen]


def choose(name: str, label_sets: tuple[str, ...], rows: list[dict]) -> int:
    """Index of the head to keep among those tried; rows hold accuracies on `label_sets` and metrics of drawn and other faces.

    Heads that lose more than MAX_DROP by training on those are dropped; of the rest the one with the highest sum of their
    metrics is kept.
    """
    scores = np.array([_score(name, label_sets, row) for row in rows])
    kinds = [kind for kind in ("drawn", "others") if any(row.get(f"{kind}_weight") for row in rows)]
    if not kinds:
        return int(scores.argmax())
    plain = [not any(row.get(f"{kind}_weight") for kind in kinds) for row in rows]
    allowed = scores >= scores[plain].max() - MAX_DROP
    return int(np.where(allowed, [sum(row[kind] for kind in kinds) for row in rows], -1).argmax())


def _score(name: str, label_sets: tuple[str, ...], row: dict) -> float:
    """Score of a head on human faces: accuracy on its label set, or for `mixed` its margin to TARGET_ACCURACY."""
    if name != MIXED:
        return row[name]
    margins = [row[label_set] - target for label_set, target in zip(label_sets, TARGET_ACCURACY, strict=True)]
    return sum(min(margin, 0.0) for margin in margins) or min(margins)


def drawn_head(human: FeatureSet, drawn: FeatureSet, seed: int) -> tuple[dict[str, object], keras.Model]:
    """Train the head with one logit, the log odds that a face is drawn; both kinds have the same total weight.

    Of DRAWN_DESIGNS the one with the smaller maximum of both validation errors is chosen. Returns the report and the head.
    """
    photos, drawings = human.split("train").both, drawn.split("train").both
    inputs, is_drawn = np.concatenate([photos, drawings]), np.repeat([0, 1], [len(photos), len(drawings)])
    rows: list[dict[str, Any]] = []
    heads: list[keras.Model] = []
    for design in DRAWN_DESIGNS:
        keras.utils.set_random_seed(seed)
        head = dense_head(design, features=inputs.shape[1], classes=1)
        fit(head, inputs, is_drawn[:, None].astype(np.float32), class_weights(is_drawn))
        row: dict[str, Any] = {"design": design}
        for error, features, called in zip(ERRORS, (human, drawn), (True, False), strict=True):
            logits = head.predict(features.split("validation").plain, batch_size=4096, verbose=0)[:, 0]
            row[error] = round(float(((logits > 0) == called).mean()), 4)
        rows.append(row)
        heads.append(head)
        print("drawn", row, flush=True)
    chosen = min(range(len(rows)), key=lambda number: max(rows[number][error] for error in ERRORS))
    return {"chosen": rows[chosen], "tried": rows}, heads[chosen]


def save_if_accurate(head: keras.Model, row: dict[str, Any], path: Path) -> None:
    """Save the drawn-face head unless one of its errors exceeds MAX_ERROR; an old file is deleted."""
    path.unlink(missing_ok=True)
    if max(row[error] for error in ERRORS) <= MAX_ERROR:
        head.save(path)


def fit(
    head: keras.Model, inputs: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None, epochs: int = 12,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:  # fmt: skip
    """Train a head on features (N, F), soft targets (N, 7), or (N, 1) for a single logit, and sample weights (N,)."""
    batch = min(BATCH, max(-(-len(inputs) // MIN_STEPS), MIN_BATCH))
    steps = epochs * -(-len(inputs) // batch)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    loss = keras.losses.BinaryCrossentropy(from_logits=True) if target.shape[1] == 1 else soft_cross_entropy
    head.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), loss)
    head.fit(inputs, target, sample_weight=weights, batch_size=batch, epochs=epochs, callbacks=list(callbacks), verbose=0)


def _predict(head: keras.Model, features: FeatureSet) -> np.ndarray:
    return head.predict(features.plain, batch_size=4096, verbose=0).argmax(axis=1)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/vgg16"), help="folder of a run of scripts.train.base")
    parser.add_argument("--drawn", type=Path, help="table of drawn faces (default: the one that the backbone was trained on)")
    parser.add_argument("--others", type=Path, help="table of further labelled faces for the head `mixed`")
    parser.add_argument("--limit", type=int, help="dry run: use only so many faces")
    options = parser.parse_args(arguments)
    try:
        config = json.loads((options.run / "config.json").read_text(encoding="utf-8"))
        faces = without_copies(Faces.load(config["data"]["faces"]))
        if options.limit:
            faces = sample(faces, options.limit, config["seed"])
        drawn = options.drawn or config["data"].get("drawn")
        tables = [Faces.load(path) if path else None for path in (drawn, options.others)]
        train_heads(options.run, faces, config["loss"]["smoothing"], config["seed"], *tables)
        record_head_tables(options.run, drawn, options.others)
    except (DatasetError, DesignError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
