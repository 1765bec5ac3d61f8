"""The dense heads that are trained in minutes on bottleneck features: for each truth, their mixture, and for what is drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import keras
import numpy as np

from ..common.metrics import confusion, family_recall, macro_f1
from ..data.dataset import DatasetError, Faces
from ..data.labels import MIXED, VOTES, targets_and_mask, hard_targets, heads_for, label_set_name, mixed_targets, targets_of, available_label_sets
from .features import Sample, cache_features
from .networks import dense_head, folded

DESIGNS = ("original", "linear")
"""networks.dense_head's `hidden` was tried with 1.0.0's base and chosen for no head."""
MIXTURES = (0.3, 0.5, 0.7, 0.85)
"""Shares of the label in the target of `mixed`; the validation faces choose among them."""
LEAST = 0.70, 0.78
"""Accuracies that `mixed` is to reach on FER2013's labels and on the votes at once: it is chosen by what it lacks of them in
all, or where it lacks nothing by its smaller margin, so that neither truth is sold for the other (their mean always favours the
votes, on which more points are to be had)."""
DRAWN_WEIGHTS = (0.3, 1.0)
"""Weights of a drawn face against a human one that are tried where drawn faces are given, besides learning without them."""
OTHERS_WEIGHTS = (0.1, 0.3)
"""The same for photographed faces of further data sets, which only `mixed` learns: at 1 they cost it a point on FER2013."""
BATCH = 1024
"""Faces a step: four times fewer steps than with 256, whose cost on a CPU is mostly that of starting them."""
MIN_STEPS, MIN_BATCH = 8, 32
"""A sample of a table is learnt in smaller batches, or its few steps would leave a head where it began."""
DRAWN_DESIGNS = ("linear", "small")
"""`original` was wrong on 1.6 and 4.2 % of validation, hardly less often than `small`, and is five times as large."""
ERRORS = ("human_called_drawn", "drawn_called_human")
MAX_ERROR = 0.05
"""What the head that tells drawn faces may get wrong of either kind on validation: worse ones are reported and not kept."""
MAX_DROP = 0.002
"""What a head may lose on human validation faces to read drawn ones better."""


def class_weights(labels: np.ndarray) -> np.ndarray:
    """(N,) float32 with mean 1 under which every class that occurs weighs the same."""
    counts = np.bincount(labels)
    return (len(labels) / np.count_nonzero(counts) / counts[labels]).astype(np.float32)


@dataclass(frozen=True)
class Learned:
    """What heads learn: faces by whose label_sets they are called and, where given, drawn ones and those of further data sets."""

    human: Sample
    drawn: Sample | None
    others: Sample | None

    def extra(self, drawn_weight: float, others_weight: float, smoothing: float) -> Iterator[tuple[np.ndarray, ...]]:
        """Features (2N, F), targets (2N, 7) and weights (2N,) of what is learnt besides `human`.

        Classes weigh the same among drawings, which were dealt out by us. Of other faces they weigh as the square root of their
        number: their rarest classes are a few dozen faces.
        """
        for sample, weight, power in ((self.drawn, drawn_weight, 1.0), (self.others, others_weight, 0.5)):
            if weight:
                learned = sample.split("train")
                truth, balance = hard_targets(learned.faces, smoothing), class_weights(learned.faces.labels) ** power
                weights = weight * balance / balance.mean()
                yield learned.both, np.concatenate([truth, truth]), np.concatenate([weights, weights])

    def scores(self, head: keras.Model, label_sets: tuple[str, ...]) -> dict[str, float]:
        """Figures of validation: accuracy on each truth; recall of `drawn` families; macro-F1 of `others`."""
        held = self.human.split("validation")
        guess, figures = _guess(head, held), {}
        for name in label_sets:
            truth, counts = targets_and_mask(name, held.faces)
            figures[name] = float((guess == truth)[counts].mean())
        if self.drawn:
            held = self.drawn.split("validation")
            figures["drawn"] = family_recall(held.faces.labels, _guess(head, held), held.faces.groups)
        if self.others:
            held = self.others.split("validation")
            figures["others"] = macro_f1(confusion(held.faces.labels, _guess(head, held)))
        return {name: round(value, 4) for name, value in figures.items()}


def train_heads(
    run: Path, faces: Faces, smoothing: float, seed: int, drawn: Faces | None = None, others: Faces | None = None
) -> dict[str, dict]:
    """Train heads for every truth that `faces` teach on run/base.keras; keep the best on validation as run/head-<truth>.keras.

    Gives, and writes to run/heads.json, what was tried and chosen. With a table of `drawn` faces the best design and mixture of
    each truth, and the design with hidden layers, learn them too; of all heads that lose at most MAX_DROP on human validation
    faces the one that reads drawn validation faces best is kept. They also make run/head-drawn.keras (one logit: is it drawn?),
    unless that is wrong too often. Labelled faces of `others` data sets are learnt by `mixed` alone, in the same way. Heads
    that an earlier call left for other label_sets go. Raises DatasetError where a split has no truth, or `others` no label.
    """
    label_sets = available_label_sets(faces)
    if others is not None:
        if MIXED not in heads_for(label_sets):
            raise DatasetError(f"further faces are learnt by the head `{MIXED}` alone, which needs labels and votes to mix")
        if label_set_name(others) not in available_label_sets(others):
            raise DatasetError("further faces are learnt by their labels, and these have none")
        others = others.where(others.labels >= 0)
    base = keras.saving.load_model(run / "base.keras", compile=False)
    base = folded(base, faces.pixels.shape[1])  # the function that is served, in float32 whatever it was trained in
    human = Sample(**cache_features(base, faces, run / "features.npz"), faces=faces)
    tables = {"drawn": drawn, "others": others}
    extra = {
        name: table and Sample(**cache_features(base, table, run / f"features-{name}.npz"), faces=table)
        for name, table in tables.items()
    }
    learned = Learned(human, **extra)
    for old in run.glob("head-*.keras"):
        old.unlink()
    report: dict[str, dict] = {}
    for name in heads_for(label_sets):
        report[name], head = _best_head(name, label_sets, learned, smoothing, seed)
        head.save(run / f"head-{name}.keras")
    if learned.drawn:
        report["drawn"], head = drawn_head(human, learned.drawn, seed)
        save_if_accurate(head, report["drawn"]["chosen"], run / "head-drawn.keras")
    (run / "heads.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def _best_head(
    name: str, label_sets: tuple[str, ...], learned: Learned, smoothing: float, seed: int
) -> tuple[dict[str, object], keras.Model]:
    """What was tried and chosen for one truth, and the chosen head."""
    rows: list[dict] = []
    heads: list[keras.Model] = []
    faces = learned.human.split("train")

    def attempt(design: str, share: float, drawn_weight: float = 0.0, others_weight: float = 0.0) -> None:
        own = faces.faces
        target = mixed_targets(own, share, smoothing) if name == MIXED else targets_of(name, own, smoothing)
        parts = [(faces.both, np.concatenate([target, target]), np.ones(2 * len(target), np.float32))]
        parts += learned.extra(drawn_weight, others_weight, smoothing)
        keras.utils.set_random_seed(seed)
        head = dense_head(design, features=faces.plain.shape[1])
        fit(head, *(np.concatenate(part) for part in zip(*parts, strict=True)))
        row = {"design": design, "share": share, "drawn_weight": drawn_weight}
        row |= {"others_weight": others_weight} if learned.others else {}
        rows.append(row | learned.scores(head, label_sets))
        heads.append(head)
        print(name, rows[-1], flush=True)

    for share in {MIXED: MIXTURES, VOTES: (0.0,)}.get(name, (1.0,)):
        for design in DESIGNS:
            attempt(design, share)
    best = max(rows, key=lambda row: _figure(name, label_sets, row))
    drawn_weights = (0.0, *DRAWN_WEIGHTS) if learned.drawn else (0.0,)
    others_weights = (0.0, *OTHERS_WEIGHTS) if learned.others and name == MIXED else (0.0,)
    # Other data sets' faces are read more as raters read them: a mixture with more of the label may then be the better one.
    shares = [best["share"], *[share for share in MIXTURES if share > best["share"] and len(others_weights) > 1][:1]]
    for design, share in product(dict.fromkeys([best["design"], DESIGNS[0]]), shares):
        for weights in product(drawn_weights, others_weights):
            if any(weights):
                attempt(design, share, *weights)
    chosen = choose(name, label_sets, rows)
    return {"chosen": rows[chosen], "tried": rows}, heads[chosen]


def choose(name: str, label_sets: tuple[str, ...], rows: list[dict]) -> int:
    """Which of the heads tried for a truth is kept; rows hold accuracies on `label_sets` and figures of what else was learnt.

    Those that lose too much by learning it are out; of the others the one with the highest sum of those figures is kept.
    """
    figures = np.array([_figure(name, label_sets, row) for row in rows])
    kinds = [kind for kind in ("drawn", "others") if any(row.get(f"{kind}_weight") for row in rows)]
    if not kinds:
        return int(figures.argmax())
    plain = [not any(row.get(f"{kind}_weight") for kind in kinds) for row in rows]
    allowed = figures >= figures[plain].max() - MAX_DROP
    return int(np.where(allowed, [sum(row[kind] for kind in kinds) for row in rows], -1).argmax())


def _figure(name: str, label_sets: tuple[str, ...], row: dict) -> float:
    """How good a head is on human faces: accuracy on its truth, or for `mixed` how it stands to LEAST."""
    if name != MIXED:
        return row[name]
    margins = [row[truth] - least for truth, least in zip(label_sets, LEAST, strict=True)]
    return sum(min(margin, 0.0) for margin in margins) or min(margins)


def drawn_head(human: Sample, sketches: Sample, seed: int) -> tuple[dict[str, object], keras.Model]:
    """What was tried and chosen as head with one logit, the log odds that a face is drawn (both kinds weighing the same), and
    the chosen head: of DRAWN_DESIGNS the one whose larger error on validation is the smallest."""
    learned, extra = human.split("train").both, sketches.split("train").both
    inputs, truth = np.concatenate([learned, extra]), np.repeat([0, 1], [len(learned), len(extra)])
    rows: list[dict[str, object]] = []
    heads: list[keras.Model] = []
    for design in DRAWN_DESIGNS:
        keras.utils.set_random_seed(seed)
        head = dense_head(design, features=inputs.shape[1], classes=1)
        fit(head, inputs, truth[:, None].astype(np.float32), class_weights(truth))
        row: dict[str, object] = {"design": design}
        for kind, sample, called in zip(ERRORS, (human, sketches), (True, False), strict=True):
            logits = head.predict(sample.split("validation").plain, batch_size=4096, verbose=0)[:, 0]
            row[kind] = round(float(((logits > 0) == called).mean()), 4)
        rows.append(row)
        heads.append(head)
        print("drawn", row, flush=True)
    chosen = min(range(len(rows)), key=lambda number: max(rows[number][error] for error in ERRORS))
    return {"chosen": rows[chosen], "tried": rows}, heads[chosen]


def save_if_accurate(head: keras.Model, row: dict[str, object], path: Path) -> None:
    """Save the head that tells drawn faces, or, where it is wrong more often than MAX_ERROR, no head."""
    path.unlink(missing_ok=True)
    if max(row[error] for error in ERRORS) <= MAX_ERROR:
        head.save(path)


def fit(
    head: keras.Model, inputs: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None, epochs: int = 12,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:  # fmt: skip
    """Train a head on features (N, F) against soft targets (N, 7), or (N, 1) for a single logit; `weights` (N,)."""
    batch = min(BATCH, max(-(-len(inputs) // MIN_STEPS), MIN_BATCH))
    steps = epochs * -(-len(inputs) // batch)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    kind = keras.losses.BinaryCrossentropy if target.shape[1] == 1 else keras.losses.CategoricalCrossentropy
    head.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), kind(from_logits=True))
    head.fit(inputs, target, sample_weight=weights, batch_size=batch, epochs=epochs, callbacks=list(callbacks), verbose=0)


def _guess(head: keras.Model, sample: Sample) -> np.ndarray:
    return head.predict(sample.plain, batch_size=4096, verbose=0).argmax(axis=1)
