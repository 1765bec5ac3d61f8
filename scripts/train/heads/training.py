"""Train the heads of a run on the features of its backbone."""

from __future__ import annotations

import json
from pathlib import Path

import keras

from ...data.dataset import DatasetError, Faces
from ...data.labels import MIXED, available_label_sets, heads_for, label_set_name
from ..features import FeatureSet, cache_features
from ..networks import folded
from .drawn import drawn_head, save_if_accurate
from .search import HeadSearch, TrainingSets


def train_heads(
    run: Path, faces: Faces, smoothing: float, seed: int, drawn: Faces | None = None, others: Faces | None = None,
    rendered: Faces | None = None, aligned: Faces | None = None, warped: Faces | None = None,
) -> dict[str, dict]:  # fmt: skip
    """Train heads for every label set of `faces` on run/base.keras; write the best on validation as run/head-<label set>.keras.

    The best architecture and mixture of each label set, and the one with hidden layers, are trained on `drawn` faces too. They
    also train run/head-drawn.keras (one logit: is the face drawn?), which is written unless its error is too high. `others`,
    `rendered` and `warped` are used for `mixed` alone, in the same way. Heads that an earlier call wrote for other label sets are
    deleted.

    Args:
        run: folder of a run with base.keras.
        faces: table with labels, votes or both.
        smoothing: label smoothing.
        seed: seed of the initial weights.
        drawn: table of drawn faces.
        others: table of labelled faces of further data sets.
        rendered: table of rendered faces; those without a label are left out.
        warped: table of photographs with warped expressions.
        aligned: training and validation faces of `faces` as serving aligns them.

    Returns:
        Head -> {"chosen": row, "tried": rows}, as written to run/heads.json.

    Raises:
        DatasetError: if a split has no label set, or `others` no label.
    """
    label_sets = available_label_sets(faces)
    further = {"others": others, "rendered": rendered, "warped": warped}
    for name, part in further.items():
        if part is not None:
            if MIXED not in heads_for(label_sets):
                raise DatasetError(f"further faces are for the head `{MIXED}` alone, which needs labels and votes to mix")
            if label_set_name(part) not in available_label_sets(part):
                raise DatasetError("further faces need labels, and these have none")
            further[name] = part.where(part.labels >= 0)
    base = keras.saving.load_model(run / "base.keras", compile=False)
    base = folded(base, faces.pixels.shape[1])  # as served, in float32 whatever the precision of the training

    def cached(name: str, table: Faces | None) -> FeatureSet | None:
        if table is None:
            return None
        return FeatureSet(**cache_features(base, table, run / f"features-{name}.npz"), faces=table)

    human = FeatureSet(**cache_features(base, faces, run / "features.npz"), faces=faces)
    parts = {"drawn": drawn, **further, "aligned": aligned}
    sets = TrainingSets(human, **{name: cached(name, table) for name, table in parts.items()})
    for old in run.glob("head-*.keras"):
        old.unlink()
    report: dict[str, dict] = {}
    for name in heads_for(label_sets):
        search = HeadSearch(name, label_sets, sets, smoothing, seed)
        search.everything()
        report[name] = {"chosen": search.rows[search.chosen], "tried": search.rows}
        search.adjusted().save(run / f"head-{name}.keras")
    if sets.drawn:
        photographed = [part for part in (human, sets.aligned, sets.others) if part]
        report["drawn"], head = drawn_head(photographed, sets.drawn, seed)
        save_if_accurate(head, report["drawn"]["chosen"], run / "head-drawn.keras")
    (run / "heads.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report
