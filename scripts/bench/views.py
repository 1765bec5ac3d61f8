"""Accuracy and time of one, two and ten views of a face: benchmarks/views.md.

    python -m scripts.bench.views
    python -m scripts.bench.views --models models build/models --head mixed    # folders side by side, in one run
    python -m scripts.bench.views --limit 200                                  # dry run: so many faces of each table

Accuracy is that of validation faces, without copies of training faces: labels of FER2013, clear majorities of FER+, and the
labels of facial_expressions and of drawn faces, tables that scripts.data.prepare and `make synthetic` write. FER2013's faces are
classified as they lie and aligned as served (scripts/data/alignment.py). Times are those of photos with one face on one thread,
of all folders and numbers of views in turn; their ratios matter, since milliseconds depend on the load of the machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

import emotions.face
from emotions.errors import ModelFileError
from emotions.face.analyzer import WARM_UP_PHOTO, FaceAnalyzer
from emotions.face.classifier import ExpressionClassifier
from emotions.face.defaults import VIEWS
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.commands import command_line
from ..common.machine import processor
from ..common.markdown import table
from ..common.metrics import NORMAL_95, balanced_recall, calibration_error
from ..data.alignment import aligned_faces, needs_alignment
from ..data.dataset import DatasetError, Faces, sample
from ..data.labels import VOTES, label_set_name, targets_and_mask
from ..data.sources import source_of
from ..data.splits import without_copies
from ..evaluate.experiments import one_core

TABLES = ("fer2013", "facial_expressions", "drawn")
"""Tables of `--data` that are measured."""
CHUNK = 256
"""Faces whose views are held in memory at once."""
ROUNDS, PHOTOS = 15, 10
"""Rounds of timing, and photos that each setting analyzes in a round; the fastest counts, which excludes the load of others."""
SEED = 20261127


@dataclass(frozen=True)
class ValidationSet:
    """Validation faces with the class ids of one label set.

    Attributes:
        title: Name of the label set, and how the faces are cropped.
        labels: (N,) class ids.
        mask: (N,) bool, faces that the label set labels.
    """

    title: str
    labels: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Accuracy:
    """Metrics of one head on one set by number of views.

    Attributes:
        title: Name of the set.
        count: Number of faces.
        accuracy: Accuracy for each of VIEWS.
        gain: For each of VIEWS the difference from one view in percentage points, and half its 95 % interval.
        recall: Balanced recall for each of VIEWS.
        ece: Expected calibration error for each of VIEWS.
    """

    title: str
    count: int
    accuracy: list[float]
    gain: list[tuple[float, float]]
    recall: list[float]
    ece: list[float]


@dataclass(frozen=True)
class Time:
    """Median times of a photo with one face in ms, and their ratios to one view of the first folder, medians over the rounds."""

    classify: float
    classify_ratio: float
    photo: float
    photo_ratio: float


def validation_sets(path: Path, limit: int | None) -> Iterator[tuple[np.ndarray, list[ValidationSet]]]:
    """Yield crops (N, S, S) uint8 and their label sets: the faces as they lie, and aligned if serving would crop them otherwise.

    Raises DatasetError if the table is missing or has no labelled face in its validation split.
    """
    faces = without_copies(Faces.load(path)).split("validation")
    faces = sample(faces, limit, SEED) if limit else faces
    crops = {"": faces.pixels}
    if needs_alignment(faces):
        crops = {", aligned as served": aligned_faces(faces, path).pixels, ", as they lie": faces.pixels}
    for note, pixels in crops.items():
        sets = []
        for name in (label_set_name(faces), VOTES):
            labels, mask = targets_and_mask(name, faces)
            kind = "majorities" if name == VOTES else "labels"
            sets.append(ValidationSet(f"{source_of(name).title}, {kind}{note}", labels, mask))
        sets = [one for one in sets if one.mask.any()]
        if not sets:
            raise DatasetError(f"{path} has no labelled face in its validation split: nothing can be measured")
        yield pixels, sets


def paired_gain(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Difference of two accuracies on the same faces, in percentage points, and half its 95 % interval (normal approximation).

    `before` and `after`, (N,) bool, tell which predictions are right.
    """
    differences = after.astype(float) - before
    return 100 * float(differences.mean()), 100 * NORMAL_95 * float(differences.std()) / len(differences) ** 0.5


def measure_set(one: ValidationSet, probabilities: Sequence[np.ndarray]) -> Accuracy:
    """Metrics of a set; `probabilities` are (N, 7) for each of VIEWS, the first of which is 1."""
    labels, rows = one.labels[one.mask], [values[one.mask] for values in probabilities]
    right = [values.argmax(axis=1) == labels for values in rows]
    return Accuracy(
        one.title,
        len(labels),
        [float(values.mean()) for values in right],
        [paired_gain(right[0], values) for values in right],
        [balanced_recall(labels, values.argmax(axis=1)) for values in rows],
        [calibration_error(values, labels) for values in rows],
    )


def measure_accuracy(
    folder: Path, heads: Sequence[str], data: Sequence[tuple[np.ndarray, list[ValidationSet]]]
) -> dict[str, list[Accuracy]]:
    """Measure the heads of one folder on pairs that `validation_sets` yields: {head: rows}.

    Raises DatasetError or ModelFileError.
    """
    registry = ModelRegistry(folder)
    classifiers = {head: ExpressionClassifier(registry, head) for head in heads}
    if len({one.backbone_entry.name for one in classifiers.values()}) > 1:
        raise DatasetError(f"the heads {', '.join(heads)} of {folder} are not of one backbone: measure them one by one")
    backbone = next(iter(classifiers.values()))
    rows: dict[str, list[Accuracy]] = {head: [] for head in heads}
    for pixels, sets in data:
        if pixels.shape[1] != backbone.size:
            sizes = f"faces of {pixels.shape[1]} pixels, the models of {folder} read {backbone.size}"
            raise DatasetError(f"{sets[0].title}: {sizes}")
        parts = [backbone.view_features(pixels[start : start + CHUNK], max(VIEWS)) for start in range(0, len(pixels), CHUNK)]
        features = np.concatenate(parts, axis=1)  # those of fewer views come first
        for head, classifier in classifiers.items():
            probabilities = [classifier.mean_proba(features[:views]) for views in VIEWS]
            rows[head] += [measure_set(one, probabilities) for one in sets]
        print(f"{folder.name}: {sets[0].title}, {len(pixels)} faces", flush=True)
    return rows


def measure_times(folders: Sequence[Path], head: str) -> dict[Path, list[Time]]:
    """Time the analysis of a photo with one face, for each folder and each of VIEWS, in turn and on one core."""
    photo = resources.files(emotions.face).joinpath(WARM_UP_PHOTO).read_bytes()
    with one_core():
        # The number of threads is set when an interpreter is loaded, so all are loaded here.
        analyzers = {folder: FaceAnalyzer(ModelRegistry(folder), head) for folder in folders}
        for analyzer in analyzers.values():
            analyzer.warm_up()
        rounds = [
            np.array([[_fastest(one, photo, views) for views in VIEWS] for one in analyzers.values()]) for _ in range(ROUNDS)
        ]
    times = np.stack(rounds)  # (rounds, folders, views, 2)
    middle, ratios = np.median(times, axis=0), np.median(times / times[:, :1, :1], axis=0)
    return {
        folder: [
            Time(*(float(value) for pair in zip(*cells, strict=True) for value in pair))
            for cells in zip(middle[place], ratios[place], strict=True)
        ]
        for place, folder in enumerate(analyzers)
    }


def _fastest(analyzer: FaceAnalyzer, photo: bytes, views: int) -> tuple[float, float]:
    """Minimum over PHOTOS analyses of the time of the stage `classify` and of the whole photo, in ms."""
    times = [analyzer.analyze(photo, views=views).timing_ms for _ in range(PHOTOS)]
    return min(one["classify"] for one in times), min(sum(one.values()) for one in times)


def report_text(accuracy: dict[Path, dict[str, list[Accuracy]]], times: dict[Path, list[Time]], command: str) -> str:
    """Text of the report."""
    sections = "\n\n".join(
        f"## {_title(folder, head)}\n\n{_accuracies(rows)}\n\n{_others(rows)}"
        for folder, heads in accuracy.items()
        for head, rows in heads.items()
    )
    return f"""# Views of a face: accuracy and time

`{command}`

The option `views` averages the calibrated probabilities over several views of a face: 1 is the aligned face alone, 2 adds its
mirror image, 10 four small shifts too. Accuracy is that of validation faces without copies of training faces. *Gain* is the
difference from one view in percentage points, with its 95 % interval (paired). ECE is the expected calibration error.

## Time

A photo with one face on one thread: the median of {ROUNDS} rounds, in each of which the fastest of {PHOTOS} photos counts.
Ratios are to the first row. Processor: {processor()}.

{_times(times)}

{sections}
"""


def _title(folder: Path, head: str) -> str:
    entry = ExpressionClassifier(ModelRegistry(folder), head).backbone_entry
    return f"{entry.name} {entry.version}, head {head}"


def _times(times: dict[Path, list[Time]]) -> str:
    columns = ("models", "views", "stage `classify`, ms", "ratio", "whole photo, ms", "ratio")
    rows = []
    for folder, row in times.items():
        backbone = ExpressionClassifier(ModelRegistry(folder)).backbone_entry
        for views, time in zip(VIEWS, row, strict=True):
            cells = (f"{time.classify:.2f}", f"{time.classify_ratio:.2f}", f"{time.photo:.2f}", f"{time.photo_ratio:.2f}")
            rows.append((f"{backbone.name} {backbone.version}", views, *cells))
    return table(columns, "lr", rows)


def _accuracies(rows: Sequence[Accuracy]) -> str:
    columns = ("validation set", "faces", *_columns("accuracy"), *_columns("gain")[1:])
    cells = [
        (
            row.title,
            f"{row.count:,}",
            *(f"{value:.2%}" for value in row.accuracy),
            *(f"{points:+.2f} ± {half:.2f}" for points, half in row.gain[1:]),
        )
        for row in rows
    ]
    return table(columns, "lr", cells)


def _others(rows: Sequence[Accuracy]) -> str:
    columns = ("validation set", *_columns("balanced recall"), *_columns("ECE"))
    cells = [(row.title, *(f"{value:.2%}" for value in row.recall), *(f"{value:.3f}" for value in row.ece)) for row in rows]
    return table(columns, "lr", cells)


def _columns(name: str) -> list[str]:
    return [f"{name}, {views} view{'s' if views > 1 else ''}" for views in VIEWS]


def arguments_parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, nargs="+", default=[BUNDLED], help="folders of manifests, measured in one run")
    parser.add_argument("--head", nargs="+", default=["mixed", "fer2013"], help="heads to measure; the first is timed")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help=f"folder of {', '.join(f'{name}.npz' for name in TABLES)}"
    )
    parser.add_argument("--limit", type=int, help="dry run: use only so many validation faces of each table")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/views.md"))
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    if options.limit is not None and options.limit < 1:
        parser.error("--limit must be at least 1")
    try:
        data = [one for name in TABLES for one in validation_sets(options.data / f"{name}.npz", options.limit)]
        times = measure_times(options.models, options.head[0])
        accuracy = {folder: measure_accuracy(folder, options.head, data) for folder in options.models}
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")
    text = report_text(accuracy, times, command_line("scripts.bench.views", parser, options))
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
