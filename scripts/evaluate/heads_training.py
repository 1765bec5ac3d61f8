"""Train dense heads on frozen features with and without rendered heads: benchmarks/heads_training.md.

    python -m scripts.evaluate.heads_training --table data/heads.npz --london data/london
    python -m scripts.evaluate.heads_training --run runs/vgg16 --out benchmarks/heads_training-vgg16.md

The heads are trained as scripts.train.heads trains `mixed`: a mixture of FER2013's label and the FER+ votes is the target, alone
or beside drawn faces and facial_expressions. Rendered faces join them: of the first rows of the table (which are balanced in
every prefix) those of training families that have a label. Everything is chosen on validation faces without copies; test is
measured once, for the chosen heads and for those without rendered faces. The photographs of --london are only measured. Features
are those of the served backbone, or with --run those of its base.keras, and are cached.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import keras
import numpy as np

from emotions.errors import ModelFileError
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.classifier import ExpressionClassifier
from emotions.labels import EMOTIONS
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.commands import command_line
from ..common.metrics import balanced_recall, confusion, family_recall, macro_f1
from ..data.dataset import SPLITS, DatasetError, Faces
from ..data.labels import available_label_sets, mixed_targets, targets_and_mask
from ..data.splits import without_copies
from ..report.heads_training import BESIDE, MAIN, Setting, Trial, TrialReport, choose, report_text
from ..synthetic.heads.dataset.reader import LEVELS, RenderedHeads, describe_set, load_heads
from ..train.features import FeatureSet
from ..train.heads.search import DESIGNS, TrainingSets, fit
from ..train.networks import dense_head
from .frozen_features import SEED, Backbone, predict, served_backbone, trained_backbone
from .portraits import Portraits, load_portraits

COUNTS = (5000, 10000, 20000)
WEIGHTS = (0.3, 1.0)
"""Weights of a rendered face relative to a photographed one."""
SEEDS = 3
Classify = Callable[[np.ndarray], np.ndarray]
"""Function from features (N, F) to class ids (N,)."""
SHARE = 0.85
"""Weight of the label in the targets, as the head `mixed` of version 1.4.0 has it."""


@dataclass(frozen=True)
class Experiment:
    """All faces with their features.

    Attributes:
        human: table with labels and votes, without copies in validation.
        drawn: table of drawn faces.
        others: table of photographs of another data set.
        rendered: features of the rendered heads.
        heads: the rendered heads.
        portraits: photographs to measure on alone, and their features, None without them.
    """

    human: FeatureSet
    drawn: FeatureSet
    others: FeatureSet
    rendered: FeatureSet
    heads: RenderedHeads
    portraits: tuple[Portraits, np.ndarray] | None

    def rows(self, count: int) -> np.ndarray:
        """Mask of the rendered faces that are trained on, of the first `count` rows of the table."""
        return (np.arange(len(self.heads)) < count) & (self.heads.faces.splits == "train") & self.heads.labelled

    def parts(self, setting: Setting, share: float) -> Iterator[tuple[np.ndarray, ...]]:
        """Features, targets and weights of everything that a head is trained on, mirrored faces included."""
        train = self.human.split("train")
        target = mixed_targets(train.faces, share, 0.0)
        yield train.both, np.concatenate([target, target]), np.ones(2 * len(target), np.float32)
        drawn_weight, others_weight = BESIDE[setting.beside]
        yield from TrainingSets(self.human, self.drawn, self.others).extra({"drawn": drawn_weight, "others": others_weight}, 0.0)
        if setting.count:
            mask = self.rows(setting.count)
            rows = FeatureSet(self.rendered.plain[mask], self.rendered.mirrored[mask], self.rendered.faces.where(mask))
            yield from TrainingSets(self.human, rows, None).extra({"drawn": setting.weight}, 0.0)

    def train(self, setting: Setting, share: float, seed: int) -> keras.Model:
        """Train a head."""
        features, targets, weights = (np.concatenate(part) for part in zip(*self.parts(setting, share), strict=True))
        keras.utils.set_random_seed(seed)
        head = dense_head(setting.design, features=features.shape[1])
        fit(head, features, targets, weights)
        return head

    def metrics(self, classify: Classify, split: str) -> dict[str, float]:
        """Metrics of a head on a split by name. Human faces are measured on validation alone, portraits on either."""
        metrics: dict[str, float] = {}
        if split == "validation":
            human = self.human.split(split)
            predicted = classify(human.plain)
            for name in available_label_sets(self.human.faces):
                labels, mask = targets_and_mask(name, human.faces)
                metrics[name] = float((predicted == labels)[mask].mean())
        metrics |= self._rendered_metrics(classify, split)
        drawn, others = self.drawn.split(split), self.others.split(split)
        metrics["drawn"] = family_recall(drawn.faces.labels, classify(drawn.plain), drawn.faces.groups)
        predicted, labels = classify(others.plain), others.faces.labels
        metrics["others: macro-F1"] = macro_f1(confusion(labels, predicted))
        metrics["others: accuracy"] = float((predicted == labels).mean())
        for number in np.unique(labels):
            metrics[f"others: {EMOTIONS[number]}"] = float((predicted[labels == number] == number).mean())
        return metrics | self._portrait_metrics(classify)

    def _rendered_metrics(self, classify: Classify, split: str) -> dict[str, float]:
        mask = self.heads.faces.splits == split
        heads, predicted, metrics = self.heads.where(mask), classify(self.rendered.plain[mask]), {}
        for level in LEVELS:
            at = heads.at_level(level)
            if at.any():
                metrics[f"rendered: {level}"] = family_recall(heads.emotions[at], predicted[at], heads.families[at])
                for number in np.unique(heads.emotions[at]):
                    of = at & (heads.emotions == number)
                    metrics[f"rendered: {EMOTIONS[number]}, {level}"] = balanced_recall(heads.emotions[of], predicted[of])
        return metrics

    def _portrait_metrics(self, classify: Classify) -> dict[str, float]:
        if self.portraits is None:
            return {}
        portraits, features = self.portraits
        return {f"portraits: {name}, {sex}": share for (name, sex), share in portraits.shares(classify(features)).items()}


def settings(beside: Sequence[str], designs: Sequence[str], counts: Sequence[int], weights: Sequence[float]) -> list[Setting]:
    """All settings to try: each without rendered faces, and with each number and weight of them."""
    pairs = [(0, 0.0), *product(counts, weights)]
    return [Setting(name, design, count, weight) for name in beside for design in designs for count, weight in pairs]


def run(experiment: Experiment, tried: Sequence[Setting], share: float, seeds: int) -> list[Trial]:
    """Train a head for each setting and seed; measure all on validation, and on test those of the chosen settings and of the
    same without rendered faces.
    """
    trials, heads, started = [], {}, time.perf_counter()
    for number, setting in enumerate(tried, 1):
        made = [partial(predict, experiment.train(setting, share, SEED + seed)) for seed in range(seeds)]
        metrics = [experiment.metrics(head, "validation") for head in made]
        trials.append(Trial(setting, int(experiment.rows(setting.count).sum()), metrics))
        heads[setting] = made
        left = (time.perf_counter() - started) / 60 * (len(tried) / number - 1)
        shown = ", ".join(f"{name} {value:.3f}" for name, value in trials[-1].means.items() if name in MAIN or ":" not in name)
        print(f"{setting.beside}, {trials[-1].without_beside}: {shown}; {left:.0f} minutes left", flush=True)
    for base, best in choose(trials):
        for trial in (base, best):
            trial.test = trial.test or [experiment.metrics(head, "test") for head in heads[trial.setting]]
    return trials


def served_trial(experiment: Experiment, model: ExpressionClassifier) -> Trial:
    """Metrics of the served head."""

    def classify(features: np.ndarray) -> np.ndarray:
        return model.logits(features).argmax(axis=1)

    validation, test = (experiment.metrics(classify, split) for split in ("validation", "test"))
    return Trial(Setting(f"served {model.head_entry.name}", "", 0, 0.0), 0, [validation], [test])


def load(backbone: Backbone, analyzer: FaceAnalyzer, options: argparse.Namespace) -> Experiment:
    """Read all tables and compute their features. Raises DatasetError."""
    heads, others = load_heads(options.table), Faces.load(options.others)
    tables = {
        "human": (without_copies(Faces.load(options.faces)), options.faces),
        "drawn": (Faces.load(options.drawn), options.drawn),
        "others": (others.where(others.labels >= 0), options.others),
        "heads": (heads.faces, options.table),
    }
    for role, (table, path) in tables.items():
        for split in ("train", "validation") if role == "human" else SPLITS:
            if not ((table.splits == split) & (table.labels >= 0)).any():
                raise DatasetError(f"{path} has no labelled faces in its split {split}")
    features = {role: backbone.cached(table, path, role) for role, (table, path) in tables.items()}
    portraits = None
    if options.london:
        read = load_portraits(options.london, analyzer)
        portraits = (read, backbone.features(read.crops))
    return Experiment(features["human"], features["drawn"], features["others"], features["heads"], heads, portraits)


def arguments_parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=Path("data/heads.npz"), help="made by `make heads`")
    parser.add_argument("--faces", type=Path, default=Path("data/fer2013.npz"), help="labels and votes, by scripts.data.prepare")
    parser.add_argument("--drawn", type=Path, default=Path("data/drawn.npz"), help="made by scripts.synthetic.generate")
    parser.add_argument("--others", type=Path, default=Path("data/facial_expressions.npz"), help="made by scripts.data.prepare")
    parser.add_argument("--london", type=Path, help="folder of photographs that are only measured (labels.csv, info.csv)")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--head", default="mixed", help="served head whose backbone is taken")
    parser.add_argument("--run", type=Path, help="run of scripts.train.base whose backbone is taken instead")
    parser.add_argument("--beside", nargs="+", choices=list(BESIDE), default=list(BESIDE), help="what rendered faces join")
    parser.add_argument("--designs", nargs="+", choices=DESIGNS, default=list(DESIGNS), help="architectures of the heads")
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS), help="rows of the table: about half are learned")
    parser.add_argument("--weights", type=float, nargs="+", default=list(WEIGHTS), help="weights of a rendered face")
    parser.add_argument("--share", type=float, default=SHARE, help="weight of the label in the targets, the rest is of the votes")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="heads trained for each setting")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/heads_training.md"))
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    if min(options.counts) < 1 or min(options.weights) <= 0 or options.seeds < 1 or not 0 <= options.share <= 1:
        parser.error("--counts and --seeds must be at least 1, --weights positive, and --share within 0 and 1")
    try:
        analyzer = FaceAnalyzer(ModelRegistry(options.models), options.head)
        backbone = trained_backbone(options.run) if options.run else served_backbone(analyzer.classifier)
        if backbone.size != analyzer.classifier.size:
            raise DatasetError(
                f"{backbone.title} reads {backbone.size} pixels, photographs are cropped to {analyzer.classifier.size}"
            )
        experiment, about_set = load(backbone, analyzer, options), describe_set(options.table)
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")
    counts = sorted({min(count, len(experiment.heads)) for count in options.counts})
    tried = settings(options.beside, options.designs, counts, options.weights)
    trials = run(experiment, tried, options.share, options.seeds)
    served = None if options.run else served_trial(experiment, analyzer.classifier)
    command = command_line("scripts.evaluate.heads_training", parser, options)
    text = report_text(TrialReport(command, backbone.title, about_set, options.share, trials, served))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
