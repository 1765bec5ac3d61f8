"""Measure the exported models, as they are served, on the test splits of prepared tables; write evaluation.json and the card.

    python -m scripts.data.prepare --faces fer2013.zip --votes fer2013new.csv.gz
    python -m scripts.evaluate.accuracy             # measure and write
    python -m scripts.evaluate.accuracy --extra data/facial_expressions.npz data/drawn.npz   # further data sets too
    python -m scripts.evaluate.accuracy --verify    # measure again and compare with what is published
    python -m scripts.evaluate.accuracy --models build/models --run runs/resnet50   # an architecture exported elsewhere

In a folder with several backbones the heads of the run's backbone are measured, or all with --verify. Earlier measurements of
the same files are kept. If a table of drawn faces is given, and the artists' names beside it as scripts.synthetic.generate
writes them, the card shows some misclassified ones.

Needs no TensorFlow: predictions come from the library. They are single view, from the int8 files; the test split is used for this
report only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emotions.errors import ModelFileError
from emotions.face.classifier import ExpressionClassifier
from emotions.runtime.litert import softmax
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.manifest import put_entry
from ..common.metrics import (
    INTERVAL_METHOD,
    accuracy,
    balanced_recall,
    calibration_error,
    class_f1,
    confusion,
    group_recalls,
    interval,
    macro_f1,
)
from ..data.dataset import DatasetError, Faces
from ..data.labels import VOTES, targets_and_mask
from ..data.sources import SOURCES, data_statement, source_of
from ..report.card import write_card
from ..report.failures import show_failures
from ..report.reliability import draw_reliability

TOLERANCE = 3
"""Allowed difference of correct predictions from the published count: kernels of other CPUs round differently."""
TABLE = Path("data/fer2013.npz")


def classification_metrics(probabilities: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None) -> dict[str, Any]:
    """Published metrics of probabilities (N, 7) against class ids (N,).

    With `groups` (N,) also `groups`, the balanced recall of each over its classes; `balanced_recall` then is their mean.
    """
    predicted = probabilities.argmax(axis=1)
    matrix = confusion(labels, predicted)
    low, high = interval(predicted == labels)
    report = {
        "count": len(labels),
        "right": int(np.trace(matrix)),
        "accuracy": round(accuracy(matrix), 4),
        "interval": [round(low, 4), round(high, 4)],
        "interval_method": INTERVAL_METHOD,
        "macro_f1": round(macro_f1(matrix), 4),
        "balanced_recall": round(balanced_recall(labels, predicted), 4),
        "ece": round(calibration_error(probabilities, labels), 4),
        "f1": [round(float(value), 4) for value in class_f1(matrix)],
        "confusion": matrix.tolist(),
    }
    if groups is None:
        return report
    recalls = group_recalls(labels, predicted, groups)
    rounded = {group: round(recall, 4) for group, recall in recalls.items()}
    return {**report, "balanced_recall": round(float(np.mean(list(recalls.values()))), 4), "groups": rounded}


def unrepeated(faces: Faces) -> np.ndarray:
    """Mask (N,) of faces without an identical one in an earlier split; FER2013 has hundreds of repeats across its splits."""
    earlier = {face.tobytes() for face in faces.pixels[faces.splits != "test"]}
    return np.array([face.tobytes() not in earlier for face in faces.pixels])


def test_sets(faces: Faces, trained_on: bool) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, class ids and mask over a table's test split: labels of each data set, and clear majorities of the raters.

    For the table of the training data also the labels without repeated faces, if there are any.
    """
    test = faces.split("test")
    fresh = unrepeated(faces)[faces.splits == "test"] if trained_on else np.ones(len(test), bool)
    for source in dict.fromkeys(test.sources.tolist()):
        labelled = (test.sources == source) & (test.labels >= 0)
        yield f"{source}_test", test.labels, labelled
        if not fresh[labelled].all():
            yield f"{source}_test_unseen", test.labels, labelled & fresh
    yield f"{VOTES}_test", *targets_and_mask(VOTES, test)


def expression_heads(registry: ModelRegistry, base: str | None = None) -> list[Mapping[str, Any]]:
    """Entries of all expression heads, or of those of one backbone. Raises ModelFileError if it is unknown."""
    wanted = base and registry.entry("expression-base", base).name
    return [entry.metadata for entry in registry.entries("expression-head") if wanted in (None, entry.base)]


def measured_heads(registry: ModelRegistry, base: str | None = None) -> list[Mapping[str, Any]]:
    """Entries of `expression_heads` and of the drawn-face heads of the same backbones."""
    heads = expression_heads(registry, base)
    bases = {entry["base"] for entry in heads}
    return [*heads, *(entry.metadata for entry in registry.entries("drawn-head") if entry.base in bases)]


def evaluate(folder: Path, tables: Sequence[Faces], base: str | None = None) -> dict[str, dict[str, Any]]:
    """Measure the heads in `folder`, all or those of one backbone, on the tables' test splits: {head: {set: metrics}}.

    The first table is that of the training data. Raises DatasetError for a table of another face size, one without labelled test
    faces, or two that hold the same data set.
    """
    registry = ModelRegistry(folder)
    report: dict[str, dict[str, Any]] = {entry["name"]: {} for entry in expression_heads(registry, base)}
    for number, faces in enumerate(tables):
        test, cache = faces.split("test"), {}
        sets = [one for one in test_sets(faces, number == 0) if one[2].any()]
        if not sets:
            raise DatasetError(f"table {number + 1} has no labelled face in its test split: nothing can be measured")
        for entry in expression_heads(registry, base):
            model = ExpressionClassifier(registry, entry["name"])
            if test.pixels.shape[1] != model.size:
                sizes = f"{test.pixels.shape[1]} pixels, {entry['base']} reads {model.size}"
                raise DatasetError(f"table {number + 1} has faces of {sizes}")
            if entry["base"] not in cache:
                cache[entry["base"]] = model.features(test.pixels)
            probabilities = softmax(model.logits(cache[entry["base"]]), entry["temperature"])
            for name, labels, mask in sets:
                if name in report[entry["name"]]:
                    raise DatasetError(f"several tables hold faces of {name.removesuffix('_test')}: give each data set once")
                source = SOURCES.get(name.removesuffix("_test"))
                groups = test.groups[mask] if source and source.groups else None
                report[entry["name"]][name] = classification_metrics(probabilities[mask], labels[mask], groups)
            drawn = model.drawn_probability(cache[entry["base"]])
            if model.drawn_entry and drawn is not None:
                report.setdefault(model.drawn_entry.name, {}).update(drawn_head_metrics(drawn, test.sources))
    return report


def drawn_head_metrics(drawn: np.ndarray, sources: np.ndarray) -> dict[str, Any]:
    """Metrics of the drawn-face head for each data set that is known to be drawn or photographed.

    `drawn` are probabilities (N,), `sources` names of data sets (N,).
    """
    report = {}
    for name in dict.fromkeys(sources.tolist()):
        if (is_drawn := source_of(name).drawn) is not None:
            called = drawn[sources == name] >= 0.5
            right = int((called == is_drawn).sum())
            low, high = interval(called == is_drawn)
            report[f"{name}_test"] = {
                "count": len(called), "right": right, "drawn": is_drawn, "accuracy": round(right / len(called), 4),
                "interval": [round(low, 4), round(high, 4)], "interval_method": INTERVAL_METHOD,
            }  # fmt: skip
    return report


def compare(published: dict[str, Any], measured: dict[str, Any]) -> list[str]:
    """Differences between published and measured metrics, a line each."""
    lines = []
    for head, sets in measured.items():
        for name, now in sets.items():
            then = published.get(head, {}).get(name)
            if then is None or then["count"] != now["count"] or abs(then["right"] - now["right"]) > TOLERANCE:
                was = "nothing" if then is None else f"{then['right']} of {then['count']}"
                lines.append(f"{head} on {name}: published {was}, measured {now['right']} of {now['count']}")
    return lines


def publish(folder: Path, config: dict[str, Any], measured: dict[str, Any], tables: dict[Path, Faces]) -> Path:
    """Write metrics, their data sets and known failures to the evaluation, and the card; return its path."""
    for entry in measured_heads(ModelRegistry(folder), config["name"]):
        evaluation = entry.get("evaluation", {}) | measured[entry["name"]]  # of the same files: an export clears it
        put_entry(folder, {**entry, "evaluation": evaluation}, folder / entry["file"])
    base = ModelRegistry(folder).entry("expression-base", config["name"]).metadata
    trained_on = {row["source"] for row in base.get("data", ())}
    rows = [row for faces in tables.values() for row in data_statement(faces, "") if row["source"] not in trained_on]
    measured_on = {row["source"]: row for row in [*base.get("measured", ()), *rows]}
    put_entry(folder, {**base, "measured": list(measured_on.values())}, folder / base["file"])
    show_failures(folder, config["name"], tables)
    draw_reliability(folder, config["name"])
    return write_card(folder, config)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--faces", type=Path, help=f"made by scripts.data.prepare (default: the run's own; with --verify {TABLE})"
    )
    parser.add_argument("--extra", type=Path, nargs="*", default=[], help="further tables")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--run", type=Path, default=Path("runs/vgg16"), help="exported run, for the recipe in the card")
    parser.add_argument("--verify", action="store_true", help="compare with the published metrics instead of writing them")
    options = parser.parse_args(arguments)
    try:
        config = None if options.verify else json.loads((options.run / "config.json").read_text(encoding="utf-8"))
        faces = options.faces or (TABLE if config is None else Path(config["data"]["faces"]))
        tables = {path: Faces.load(path) for path in (faces, *options.extra)}
        base = config and config["name"]
        measured = evaluate(options.models, list(tables.values()), base)
        entries = measured_heads(ModelRegistry(options.models), base)
    except (DatasetError, ModelFileError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")
    for head, sets in measured.items():
        for name, row in sets.items():
            if "drawn" in row:
                kind = "drawn" if row["drawn"] else "photographed"
                print(f"{head:22} {name:24} called {kind}: {row['accuracy']:.4f} ({row['right']} of {row['count']})")
                continue
            print(f"{head:22} {name:24} accuracy {row['accuracy']:.4f} ({row['right']} of {row['count']}), "
                  f"balanced recall {row['balanced_recall']:.4f}, macro-F1 {row['macro_f1']:.4f}, "
                  f"calibration error {row['ece']:.4f}")  # fmt: skip
    if config is None:
        differences = compare({entry["name"]: entry.get("evaluation", {}) for entry in entries}, measured)
        parser.exit(1, "\n".join(differences) + "\n") if differences else print("as published in the manifest and the card")
        return
    print(f"written: {publish(options.models, config, measured, tables)}")


if __name__ == "__main__":
    main()
