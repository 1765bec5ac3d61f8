"""Try heads for a label set: architectures, mixtures, further training faces, logit adjustment; choose the best on validation.

Heads are chosen on validation faces as serving aligns them, `mixed` by the mean of accuracy and balanced recall over all data
sets of JUDGES, with a least accuracy and recall on the label sets, those of one label set by their accuracy on it. Every head is
also tried with its logits adjusted by a share of the log prior (Menon et al., "Long-tail learning via logit adjustment", 2021),
since photographs that people bring do not have the class frequencies of the training faces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import keras
import numpy as np

from ...common.metrics import balanced_recall, confusion, family_recall, macro_f1
from ...data.dataset import Faces
from ...data.labels import MIXED, VOTES, hard_targets, mixed_targets, targets_and_mask, targets_of
from ..features import FeatureSet
from ..networks import dense_head
from ..optimisation import soft_cross_entropy

DESIGNS = ("original", "linear")
"""Architectures of networks.dense_head that are tried."""
MIXTURES = (0.3, 0.5, 0.7, 0.85)
"""Weights of the label in the targets of `mixed`; the best on validation is kept."""
ADJUSTMENTS = tuple(step / 16 for step in range(17))
"""Shares of the log prior that are subtracted from the logits; 0 leaves the class frequencies of the training faces."""
DRAWN_WEIGHTS = (0.3, 1.0)
"""Weights of a drawn face relative to a photographed one that are tried besides training without drawn faces."""
OTHERS_WEIGHTS = (0.1, 0.3, 1.0)
"""The same for photographed faces of further data sets, for `mixed` only."""
RENDERED_WEIGHTS = (0.3, 1.0)
"""The same for rendered faces, for `mixed` only."""
WARPED_WEIGHTS = (0.1, 0.3)
"""The same for warped faces, for `mixed` only."""
BATCH = 1024
"""Batch size: on a CPU the overhead of a step dominates, so that 256 would take four times as long."""
MIN_STEPS, MIN_BATCH = 8, 32
"""Small tables are trained in smaller batches: with too few steps a head would hardly move from its initial weights."""
KINDS = ("drawn", "others", "rendered", "warped")
"""Of the faces besides those whose label sets name the heads."""
JUDGES = ("drawn", "others", "rendered")
"""Those by which `mixed` is chosen beside the label sets. Warped faces are made to teach mild smiles: how well a head reads them
says little about photographs of mild smiles."""
FLOORS = {"fer2013_aligned": 0.677, "fer2013_recall": 0.651, "ferplus_aligned": 0.797}
"""Metrics on aligned validation faces that `mixed` must reach where one of the heads tried does: what is asked of test faces
through the API, 70.5 % of FER2013's labels, a balanced recall of 70 % on them and 82 % of FER+'s majorities, less the 2.9, 4.9
and 2.3 points by which test was easier for version 2.2.0. The score alone hardly changes from a mixture near one label set to
the other."""
MAX_DROP = 0.002
"""Score on human validation faces that a head may lose for better recall on drawn ones."""


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Sample weights (N,) float32 with mean 1 that give every class that occurs the same total weight."""
    counts = np.bincount(labels)
    return (len(labels) / np.count_nonzero(counts) / counts[labels]).astype(np.float32)


@dataclass(frozen=True)
class TrainingSets:
    """Data of the heads.

    Attributes:
        human: faces whose label sets name the heads.
        drawn: drawn faces, or None.
        others: photographed faces of further data sets, or None.
        rendered: rendered faces, or None.
        warped: photographs with warped expressions, or None.
        aligned: the training and validation faces of `human` as serving aligns them, or None if they lie like that.
    """

    human: FeatureSet
    drawn: FeatureSet | None = None
    others: FeatureSet | None = None
    rendered: FeatureSet | None = None
    warped: FeatureSet | None = None
    aligned: FeatureSet | None = None

    def photographed(self, target: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        """Features (2N, F), targets (2N, 7) and weights (2N,) of the human training faces, whose targets are (N, 7).

        With aligned faces each counts half in either form.
        """
        views = [part.split("train").both for part in (self.human, self.aligned) if part]
        for view in views:
            yield view, np.concatenate([target, target]), np.full(len(view), 1 / len(views), np.float32)

    def extra(self, weights: Mapping[str, float], smoothing: float) -> Iterator[tuple[np.ndarray, ...]]:
        """Features (2N, F), targets (2N, 7) and weights (2N,) of the training faces besides `human`; `weights` by kind.

        Drawn, rendered and warped classes have equal weight, since their counts are our choice. Classes of other faces are
        weighted by the square root of their count: their rarest classes have a few dozen faces.
        """
        for kind in KINDS:
            features, weight = getattr(self, kind), weights.get(kind, 0.0)
            if features and weight:
                train = features.split("train")
                balance = class_weights(train.faces.labels) ** (0.5 if kind == "others" else 1.0)
                target, balance = hard_targets(train.faces, smoothing), weight * balance / balance.mean()
                yield train.both, np.concatenate([target, target]), np.concatenate([balance, balance])

    def validation_logits(self, head: keras.Model) -> ValidationLogits:
        """Logits of a head for all validation faces."""
        parts = {name: getattr(self, name) for name in ("human", *KINDS, "aligned")}
        held = {name: part.split("validation") for name, part in parts.items() if part}
        return {name: (part.faces, head.predict(part.plain, batch_size=4096, verbose=0)) for name, part in held.items()}


ValidationLogits = dict[str, tuple[Faces, np.ndarray]]
"""Validation faces of each set, and logits (N, 7) of a head for them."""


def scores(held: ValidationLogits, label_sets: tuple[str, ...], offset: np.ndarray | float = 0.0) -> dict[str, float]:
    """Validation metrics of a head by name, `offset` (7,) added to its logits.

    For each label set the accuracy on the faces as they lie, and on the aligned ones the accuracy (`<name>_aligned`), the
    balanced recall (`<name>_recall`) and the mean of both (`<name>_balanced`); for `drawn` faces the mean over families of the
    balanced recall, for `rendered` and `warped` ones the balanced recall; for `others` macro-F1 and the mean of accuracy and
    balanced recall.
    """
    metrics = {}
    for name in label_sets:
        for key, measures in (("human", AS_THEY_LIE), ("aligned" if "aligned" in held else "human", AS_SERVED)):
            faces, logits = held[key]
            labels, mask = targets_and_mask(name, faces)
            predicted = (logits + offset).argmax(axis=1)
            for suffix, measure in measures.items():
                metrics[f"{name}{suffix}"] = measure(labels[mask], predicted[mask])
    if "drawn" in held:
        faces, logits = held["drawn"]
        metrics["drawn"] = family_recall(faces.labels, (logits + offset).argmax(axis=1), faces.groups)
    for kind in ("rendered", "warped"):
        if kind in held:
            faces, logits = held[kind]
            metrics[kind] = balanced_recall(faces.labels, (logits + offset).argmax(axis=1))
    if "others" in held:
        faces, logits = held["others"]
        predicted = (logits + offset).argmax(axis=1)
        metrics["others"] = macro_f1(confusion(faces.labels, predicted))
        metrics["others_balanced"] = _accuracy_and_recall(faces.labels, predicted)
    return {name: round(value, 4) for name, value in metrics.items()}


def _accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    return float((predicted == labels).mean())


def _accuracy_and_recall(labels: np.ndarray, predicted: np.ndarray) -> float:
    return (_accuracy(labels, predicted) + balanced_recall(labels, predicted)) / 2


AS_THEY_LIE = {"": _accuracy}
AS_SERVED = {"_aligned": _accuracy, "_recall": balanced_recall, "_balanced": _accuracy_and_recall}
"""Suffixes of the metrics of a label set, and their functions of class ids (N,) and predicted ones."""


class HeadSearch:
    """Heads tried for one label set or the mixture: rows with settings and metrics, and the trained heads."""

    def __init__(self, name: str, label_sets: tuple[str, ...], sets: TrainingSets, smoothing: float, seed: int) -> None:
        self.name, self.label_sets, self.sets, self.smoothing, self.seed = name, label_sets, sets, smoothing, seed
        self.rows: list[dict[str, Any]] = []
        self.heads: list[tuple[keras.Model, np.ndarray]] = []
        """Heads and their log priors (7,)."""

    def everything(self) -> None:
        """Try mixtures and architectures, then further kinds of faces one after the other, each with the best so far."""
        shares = {MIXED: MIXTURES, VOTES: (0.0,)}.get(self.name, (1.0,))
        for share, design in product(shares, DESIGNS):
            self.attempt({"design": design, "share": share})
        if self.name == MIXED:
            # Together: each alone may fail a floor that both reach.
            self.further({"others": OTHERS_WEIGHTS, "warped": WARPED_WEIGHTS})
            self.further({"rendered": RENDERED_WEIGHTS})
        self.further({"drawn": DRAWN_WEIGHTS})
        if self.name == MIXED and any(getattr(self.sets, kind) for kind in KINDS if kind != "drawn"):
            best = self.rows[self.chosen]  # with other data sets another mixture may be better
            for share in MIXTURES:
                if share != best["share"]:
                    self.attempt(self.settings(best) | {"share": share})

    def further(self, weights: Mapping[str, Sequence[float]]) -> None:
        """Try the best head so far with all combinations of weights of these kinds of faces, as far as there are any."""
        best, kinds = self.rows[self.chosen], [kind for kind in weights if getattr(self.sets, kind)]
        for design in dict.fromkeys([best["design"], DESIGNS[0]]):
            for combination in product(*((0.0, *weights[kind]) for kind in kinds)):
                if any(combination):
                    named = {f"{kind}_weight": weight for kind, weight in zip(kinds, combination, strict=True)}
                    self.attempt(self.settings(best) | {"design": design} | named)

    @staticmethod
    def settings(row: Mapping[str, Any]) -> dict[str, Any]:
        """What `attempt` needs to train the head of a row again."""
        return {key: row[key] for key in ("design", "share", *(f"{kind}_weight" for kind in KINDS)) if key in row}

    def attempt(self, settings: dict[str, Any]) -> None:
        """Train a head and keep its row, with the logit adjustment that is best on validation."""
        train = self.sets.human.split("train").faces
        if self.name == MIXED:
            target = mixed_targets(train, settings["share"], self.smoothing)
        else:
            target = targets_of(self.name, train, self.smoothing)
        weights = {kind: settings.get(f"{kind}_weight", 0.0) for kind in KINDS}
        parts = list(self.sets.photographed(target))
        parts += self.sets.extra(weights, self.smoothing)
        keras.utils.set_random_seed(self.seed)
        head = dense_head(settings["design"], features=self.sets.human.plain.shape[1])
        features, targets, balance = (np.concatenate(part) for part in zip(*parts, strict=True))
        fit(head, features, targets, balance)
        prior = (targets * balance[:, None]).sum(axis=0, dtype=np.float64)
        prior = np.log(np.maximum(prior / prior.sum(), 1e-4))
        row: dict[str, Any] = {"design": settings["design"], "share": settings["share"]}
        row |= {f"{kind}_weight": weights[kind] for kind in KINDS if kind == "drawn" or getattr(self.sets, kind)}
        held = self.sets.validation_logits(head)
        tried = [self._scored(held, prior, share) for share in ADJUSTMENTS]
        row |= tried[choose(self.name, tried)] | {"unadjusted": tried[0]["score"]}
        self.rows.append(row)
        self.heads.append((head, prior))
        print(self.name, row, flush=True)

    def _scored(self, held: ValidationLogits, prior: np.ndarray, share: float) -> dict[str, float]:
        """Metrics with this share of the log prior subtracted; `score` is that by which heads are chosen."""
        metrics = scores(held, self.label_sets, -share * prior)
        if self.name == MIXED:
            parts = [metrics[f"{name}_balanced"] for name in self.label_sets]
            judges = ("others_balanced" if kind == "others" else kind for kind in JUDGES)
            parts += [metrics[name] for name in judges if name in metrics]
        else:
            parts = [metrics[f"{self.name}_aligned"]]
        return {"adjustment": share, **metrics, "score": round(float(np.mean(parts)), 4)}

    @property
    def chosen(self) -> int:
        """Index of the head to keep."""
        return choose(self.name, self.rows)

    def adjusted(self) -> keras.Model:
        """The chosen head, its logit adjustment in the bias of its last layer."""
        head, prior = self.heads[self.chosen]
        kernel, bias = head.layers[-1].get_weights()
        head.layers[-1].set_weights([kernel, bias - np.float32(self.rows[self.chosen]["adjustment"]) * prior.astype(np.float32)])
        return head


def choose(name: str, rows: list[dict]) -> int:
    """Index of the head to keep among those tried.

    `mixed` is chosen by its score, the mean over the label sets and JUDGES of accuracy and balanced recall, among the heads that
    reach FLOORS if there are any. Heads of one label set are there to compare with others' figures on it: they are chosen by
    their accuracy, and among those that lose at most MAX_DROP of it by training on drawn faces, by the recall on drawn ones.
    """
    scored = np.array([row["score"] for row in rows])
    if name == MIXED:
        enough = [all(row.get(metric, floor) >= floor for metric, floor in FLOORS.items()) for row in rows]
        return int((scored + enough).argmax())  # a score is at most 1
    if not any(row.get("drawn_weight") for row in rows):
        return int(scored.argmax())
    allowed = scored >= scored[[not row["drawn_weight"] for row in rows]].max() - MAX_DROP
    return int(np.where(allowed, [row["drawn"] for row in rows], -1).argmax())


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
