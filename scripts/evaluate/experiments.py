"""Table of all experiments: one row a variant, collected from runs and exported folders.

    python -m scripts.evaluate.experiments                                # runs/*, models/ and build/models
    python -m scripts.evaluate.experiments --models build/models /elsewhere/models

A variant is a run's folder (teachers and students in subfolders too) until it is exported, then a version. Rows are kept when
their runs and files are gone: benchmarks/experiments.json stores them, each part with the date and commit at which it last
changed; benchmarks/experiments.md shows them. Test metrics are those that scripts.evaluate.accuracy wrote. Needs no TensorFlow.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from emotions.errors import ModelFileError
from emotions.face.classifier import ExpressionClassifier
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.git import commit
from ..common.markdown import table_rows
from ..common.run_names import parent_name, parent_title
from ..report.card import confusion_table

ROUNDS = 15
FACES = 10
"""Rounds of a speed comparison, and faces that each model classifies in a round, one at a time."""


@contextmanager
def one_core() -> Iterator[None]:
    """Pin this process to one core, and models loaded in the block to one thread, if the system supports it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def compare_speed(models: dict[str, tuple[Path, str]], default: tuple[Path, str]) -> dict[str, dict[str, float]]:
    """Time models on one core, interleaved with the default model.

    Args:
        models: variant -> (folder, head).
        default: folder and head of the reference.

    Returns:
        Variant -> {"ms": median time of a face, "ratio": median over the rounds of its time to the reference's}.
    """
    with one_core():
        # The number of threads is set when an interpreter is loaded, so all are loaded here.
        loaded = {name: ExpressionClassifier(ModelRegistry(folder), head) for name, (folder, head) in models.items()}
        reference = ExpressionClassifier(ModelRegistry(default[0]), default[1])
        for model in (reference, *loaded.values()):
            _milliseconds(model)
        rounds = []
        for _ in range(ROUNDS):
            base = _milliseconds(reference)
            rounds.append({name: (took := _milliseconds(model), took / base) for name, model in loaded.items()})
    middle = {name: [median(values) for values in zip(*(row[name] for row in rounds), strict=True)] for name in models}
    return {name: {"ms": round(took, 2), "ratio": round(ratio, 3)} for name, (took, ratio) in middle.items()}


def _milliseconds(model: ExpressionClassifier) -> float:
    """Minimum time for a face of noise, which excludes the time that other programs took from the core."""
    crop = np.random.default_rng(0).integers(0, 256, (1, model.size, model.size), dtype=np.uint8)
    times = []
    for _ in range(FACES):
        start = time.perf_counter()
        model.probabilities(crop, views=1)
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


ROOT = Path(__file__).resolve().parents[2]
LABEL_SET = "fer2013"
"""Head whose size and time the table shows: it is the largest of the three, and FER2013 is the usual benchmark."""
LABEL_SETS = ("fer2013", "ferplus")
"""Label sets of the validation columns."""
DATA_NOTES = {
    "drawn": "drawn faces too", "others": "further faces too", "rendered": "rendered heads too",
    "warped": "warped smiles too", "soft": "soft labels too",
}  # fmt: skip
"""Entry of a configuration's data -> note in the recipe."""
STAMP = ("date", "commit")
COLUMNS = (
    "variant", "architecture", "recipe", "weights", "bytes", "ms a face", "FER2013 validation", "FER+ validation", "FER2013 test",
    "macro-F1", "FER+ test", "date, commit",
)  # fmt: skip
Row = dict[str, Any]


def read_run(run: Path, variant: str) -> Row | None:
    """Row of a run: its recipe and validation metrics.

    Returns None for dry runs, other label sets, runs of other models (texts), and folders without config.json.
    """
    if not (run / "config.json").is_file():
        return None
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    if config.get("limit") or "stages" not in config:
        return None
    history = []
    if (run / "history.csv").is_file():
        with open(run / "history.csv", newline="", encoding="utf-8") as stream:
            history = list(csv.DictReader(stream))
    done = len({row["epoch"] for row in history})  # an epoch that was interrupted after its line was written is listed twice
    part: Row = {"recipe": recipe(config), "epochs": done, "planned": sum(one["epochs"] for one in config["stages"])}
    if config.get("init_from"):
        part["start"] = parent_name(config["init_from"])
    if history and not config["optimiser"].get("init_weight"):  # else the history belongs to other weights
        names = {label_set: f"val_{label_set}_categorical_accuracy" for label_set in LABEL_SETS}
        if not set(names.values()) <= set(history[-1]):
            return None
        part["network"] = {label_set: round(float(history[-1][name]), 4) for label_set, name in names.items()}
    if (run / "heads.json").is_file():
        heads = {
            name: one for name, one in json.loads((run / "heads.json").read_text(encoding="utf-8")).items() if name != "drawn"
        }
        if not set(LABEL_SETS) <= set(heads):
            return None
        part["heads"] = {name: {label_set: one["chosen"][label_set] for label_set in LABEL_SETS} for name, one in heads.items()}
        part["tried"] = [
            {"head": name, **row, "kept": row == one["chosen"]} for name, one in heads.items() for row in one["tried"]
        ]
    return {"variant": variant, "design": config.get("design", config["name"]), "training": part}


def recipe(config: dict[str, Any]) -> str:
    """The differences between training recipes in one line."""
    if not config["stages"]:
        return "frozen"
    chosen, augment = config["optimiser"], config["augment"]
    parts = [" + ".join(f"{stage['epochs']} epochs at {stage['crop']} px" for stage in config["stages"])]
    parts += [f"peak {chosen['peak']:g}", f"batch {chosen['batch']}"]
    parts += [f"weight decay {chosen['weight_decay']:g}"] if chosen.get("weight_decay") else []
    parts += [f"{name} {value:g}" for name in ("mixup", "cutmix") if (value := augment.get(name))]
    parts += [f"ema {chosen['ema']:g}"] if chosen.get("ema") else []
    parts += [f"from {parent_title(config['init_from'])}"] if config.get("init_from") else []
    parts += [f"{share:.0%} of its weights kept"] if (share := chosen.get("init_weight")) else []
    parts += [config["precision"]] if config.get("precision") else []
    parts += [what for name, what in DATA_NOTES.items() if config.get("data", {}).get(name)]
    return ", ".join(parts)


def read_exported(folder: Path) -> list[tuple[Row, str, str | None]]:
    """Row, name of the head for LABEL_SET, and name of the exported run of every backbone in a folder of models.

    A backbone without such a head was trained on other label sets and has no row.
    """
    registry, rows = ModelRegistry(folder), []
    for base in (entry.metadata for entry in registry.entries("expression-base")):
        own = [head.metadata for head in registry.entries("expression-head") if head.base == base["name"]]
        heads = {head.get("truth", head["name"]): head for head in own}
        head = heads.get(LABEL_SET)
        if not head:
            continue
        part = {
            "version": base["version"],
            "parameters": base["parameters"] + head["parameters"],
            "bytes": base["bytes"] + head["bytes"],
            "test": {name: one["evaluation"] for name, one in heads.items() if "evaluation" in one},
        }
        row = {"variant": f"{base['name']}-{base['version']}", "design": base.get("design", base["name"]), "exported": part}
        rows.append((row, head["name"], base.get("run")))
    return rows


def collect(runs: Path, folders: list[Path]) -> tuple[list[Row], dict[str, str]]:
    """Rows of all runs and exported backbones, and the versions of exported runs (run -> version's variant).

    A run that was exported becomes the row of its version, since the next version may be trained in the same folder. One that was
    initialised from that version is the next one.
    """
    folders_of_runs = sorted(path.parent for path in runs.rglob("config.json"))
    found = (read_run(run, run.relative_to(runs).as_posix()) for run in folders_of_runs)
    rows = {row["variant"]: row for row in found if row}
    places: dict[str, Any] = {}
    exported: dict[str, Any] = {}
    for folder in folders:
        for row, head, run in read_exported(folder):
            own = run is not None and run in rows and rows[run]["training"].get("start") != row["variant"]
            rows[row["variant"]] = {**(rows.pop(run) if own else {}), **row}
            if run is not None and own:
                exported[run] = row["variant"]
            places[row["variant"]] = (folder, head)
    for variant, speed in compare_speed(places, (BUNDLED, LABEL_SET)).items():
        rows[variant]["speed"] = speed
    return list(rows.values()), {run: version for run, version in exported.items() if run not in rows}


def merge(old: list[Row], new: list[Row], stamp: dict[str, str], exported: Mapping[str, str] | None = None) -> list[Row]:
    """Merge new rows into old ones, without those of runs that were `exported` since (run -> version's variant).

    A run with the training of an old version was exported as that version, even if its files are gone. A run that was
    initialised from an exported run counts as initialised from the version. Unchanged parts keep their date and commit. Sorted
    by architecture and variant.
    """
    versions = dict(exported or {})
    known = {before["variant"]: unstamped(before, "training") for before in old if "exported" in before}
    runs = [row for row in new if "training" in row and "exported" not in row]
    for _ in runs:  # the version of one run may resolve that of another
        trainings = {row["variant"]: _from_version(row["training"], versions) for row in runs}
        versions |= {run: name for run, training in trainings.items() for name, before in known.items() if before == training}
    rows = {row["variant"]: row for row in old if row["variant"] not in versions}
    for row in (row for row in new if row["variant"] not in versions):
        before = rows.get(row["variant"], {})
        merged = {**before, "variant": row["variant"], "design": row["design"]}
        for name in ("training", "exported", "speed"):
            part = _from_version(row.get(name, {}), versions)
            if part and part != unstamped(before, name):
                merged[name] = {**part, **stamp}
        rows[row["variant"]] = merged
    return sorted(rows.values(), key=lambda row: (row["design"], row["variant"]))


def _from_version(part: Row, versions: Mapping[str, str]) -> Row:
    """`part` of a row with the version (run -> version's variant) in place of the run that it was initialised from, if
    exported.
    """
    if part.get("start") not in versions:
        return part
    version = versions[part["start"]]
    return part | {"start": version, "recipe": part["recipe"].replace(f"from the run {part['start']}", f"from {version}")}


def unstamped(row: Row, part: str) -> Row:
    """A part of a row without date and commit; empty if the row does not have it."""
    return {key: value for key, value in row.get(part, {}).items() if key not in STAMP}


def markdown(rows: list[Row]) -> str:
    """The page: a table of all variants, then the confusion matrix of each evaluated export and its heads."""
    lines = [
        "# Experiments", "",
        "Written by `python -m scripts.evaluate.experiments`. Models are selected on validation (PublicTest); test "
        "(PrivateTest) is only",
        "reported, single view, from the exported files through the library. Weights, bytes and time: backbone and `fer2013` "
        "head. Time:",
        "one face on one core, in brackets as a ratio to the shipped model in the same rounds. A validation accuracy with * is "
        "that of the",
        "network's last epoch, before its heads were trained.", "",
        "<!-- summary -->",
        *table_rows(COLUMNS, "lllrrrrrrrrl", map(_cells, rows)),
        "<!-- /summary -->",
    ]  # fmt: skip
    for row in rows:
        if figures := row.get("exported", {}).get("test", {}).get(LABEL_SET):
            title = f"## {row['variant']}: head `{LABEL_SET}`, FER2013 test, rows true, columns predicted"
            lines += ["", title, "", confusion_table(figures["fer2013_test"])]
        if tried := row.get("training", {}).get("tried"):
            lines += ["", f"## {row['variant']}: heads tried, validation metrics", "", *_heads(tried)]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    training, exported, speed = (row.get(name, {}) for name in ("training", "exported", "speed"))
    test = exported.get("test", {})
    own, votes = test.get(LABEL_SET, {}).get("fer2013_test"), test.get("ferplus", {}).get("ferplus_test")
    plan = training.get("recipe", "")
    if training and training["epochs"] < training["planned"]:
        plan += f"; {training['epochs']} of {training['planned']} epochs done"
    last = max((row[name] for name in ("training", "exported", "speed") if name in row), key=lambda part: part["date"])
    cells = [
        f"`{row['variant']}`", row["design"], plan,
        f"{exported['parameters']:,}" if exported else "", f"{exported['bytes']:,}" if exported else "",
        f"{speed['ms']:.2f} ({speed['ratio']:.2f}x)" if speed else "",
        _validation(training, "fer2013"), _validation(training, "ferplus"),
        f"{own['accuracy']:.1%}" if own else "", f"{own['macro_f1']:.3f}" if own else "",
        f"{votes['accuracy']:.1%} of {votes['count']:,}" if votes else "", f"{last['date']}, {last['commit']}",
    ]  # fmt: skip
    return cells


def _heads(tried: list[Row]) -> list[str]:
    """Table of the heads trained on one backbone, with columns for the further faces that any head was trained on."""

    def used(kind: str) -> bool:
        return any(f"{kind}_weight" in row and kind in row for row in tried)

    scored = all("score" in row for row in tried)
    columns = ["head", "architecture", "label weight", "FER2013", "FER+"]
    columns += ["weight of drawn faces", "recall on drawn families"] if used("drawn") else []
    columns += ["weight of further faces", "their macro-F1"] if used("others") else []
    columns += ["weight of rendered heads", "recall on rendered heads"] if used("rendered") else []
    columns += ["weight of warped smiles", "recall on warped smiles"] if used("warped") else []
    columns += ["share of the log prior subtracted", "score"] if scored else []
    rows = []
    for row in tried:
        name = f"**{row['head']}** (kept)" if row["kept"] else row["head"]
        cells = [name, row["design"], f"{row['share']:.0%}", *(f"{row[label_set]:.1%}" for label_set in LABEL_SETS)]
        cells += [f"{row['drawn_weight']:g}", f"{row['drawn']:.1%}"] if used("drawn") else []
        cells += [f"{row['others_weight']:g}", f"{row['others']:.3f}"] if used("others") else []
        cells += [f"{row['rendered_weight']:g}", f"{row['rendered']:.1%}"] if used("rendered") else []
        cells += [f"{row['warped_weight']:g}", f"{row['warped']:.1%}"] if used("warped") else []
        cells += [f"{row['adjustment']:g}", f"{row['score']:.3f}"] if scored else []
        rows.append(cells)
    return table_rows(columns, "llr", rows)


def _validation(training: Row, label_set: str) -> str:
    if "heads" in training:
        return f"{training['heads'][label_set][label_set]:.1%}"
    return f"{training['network'][label_set]:.1%}*" if "network" in training else ""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="folder of the runs' folders")
    parser.add_argument("--models", type=Path, nargs="*", help="folders of exported models besides models/ (build/models)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks", help="folder of experiments.json and experiments.md")
    options = parser.parse_args(arguments)
    others = options.models if options.models is not None else [path for path in [ROOT / "build" / "models"] if path.is_dir()]
    stored = options.out / "experiments.json"
    try:
        old = json.loads(stored.read_text(encoding="utf-8")) if stored.is_file() else []
        new, exported = collect(options.runs, [BUNDLED, *others])
    except (ModelFileError, ValueError) as error:
        parser.exit(1, f"{error}\n")
    rows = merge(old, new, {"date": datetime.now(UTC).date().isoformat(), "commit": commit()}, exported)
    stored.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (options.out / "experiments.md").write_text(markdown(rows), encoding="utf-8")
    print(f"{len(new)} variants found, {len(rows)} in {options.out / 'experiments.md'}")


if __name__ == "__main__":
    main()
