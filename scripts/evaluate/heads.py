"""Measure the served heads on rendered 3D characters, and heads that learn them on frozen features: benchmarks/heads.md.

    make heads
    python -m scripts.evaluate.heads --table data/heads.npz --faces data/fer2013.npz

`--table` is made by `make heads`; its info.csv and whole.zip lie beside it. Crops are classified as they are,
whole pictures as served: detectors, crop, backbone and head are the library's. Heads of two designs are trained on the frozen
features of photographs and of the rendered characters of all other families, or of all other characters: the figures tell how far
a family that nobody has seen can be read. Features are cached beside the tables, pictures are written beside the report.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emotions.errors import ModelFileError
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.classifier import ExpressionClassifier
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.commands import command_line
from ..common.metrics import balanced_recall
from ..data.dataset import DatasetError, Faces
from ..data.splits import without_copies
from ..report.heads import report_text
from ..report.heads_pictures import draw_examples, draw_strengths
from ..report.heads_results import MISSED, HeadResults, WholePictures
from ..synthetic.heads.dataset.reader import RenderedHeads, character_folds, describe_set, load_heads, whole_pictures
from ..train.heads.search import DESIGNS
from .frozen_features import SEED, TrainingData, balanced_data, photographs, predict, served_backbone, train_head
from .portraits import served_crop

FOLDS = 10


def leave_out(
    design: str, heads: RenderedHeads, features: np.ndarray, human: Sequence[TrainingData], folds: np.ndarray
) -> np.ndarray:
    """Class ids (N,) of rendered faces, those of each fold by a head trained on all others.

    Args:
        design: architecture of the heads.
        heads: table of rendered heads; unlabelled faces are predicted and not learned.
        features: features (N, F) of its faces.
        human: further training data.
        folds: (N,) fold of each face, such as its family.
    """
    predicted = np.zeros(len(heads), int)
    for fold in np.unique(folds):
        here = folds == fold
        head = train_head(design, [*human, balanced_data(features, heads.faces, ~here & heads.labelled)])
        predicted[here] = predict(head, features[here])
        full = here & heads.at_level("full")
        recall = f"{balanced_recall(heads.emotions[full], predicted[full]):.3f}" if full.any() else "no face at full strength"
        print(f"{design}, {fold} left out: {recall}", flush=True)
    return predicted


def predict_served(registry: ModelRegistry, names: Sequence[str], features: np.ndarray) -> dict[str, np.ndarray]:
    """Class ids (N,) of features (N, F) by each served head of one backbone."""
    return {f"served {name}": ExpressionClassifier(registry, name).logits(features).argmax(axis=1) for name in names}


def classify_whole(analyzer: FaceAnalyzer, names: Sequence[str], path: Path, heads: RenderedHeads) -> WholePictures:
    """Process the whole pictures beside a table as served, and classify the largest face of each. Raises DatasetError."""
    rows, crops = np.flatnonzero(heads.pictures != ""), []
    for pixels in whole_pictures(path, heads.pictures[rows].tolist()):
        crops.append(served_crop(analyzer, pixels))
        if len(crops) % 500 == 0:
            print(f"{len(crops)} of {len(rows)} whole pictures", flush=True)
    detected = np.array([crop is not None for crop in crops], bool)
    size = analyzer.classifier.size
    found = np.array([crop for crop in crops if crop is not None], np.uint8).reshape(-1, size, size)
    served = predict_served(analyzer.registry, names, analyzer.classifier.features(found))
    predicted = {title: np.full(len(rows), MISSED) for title in served}
    for title, ids in served.items():
        predicted[title][detected] = ids
    return WholePictures(rows, detected, predicted)


def learn_heads(
    heads: RenderedHeads, features: np.ndarray, human: Sequence[TrainingData], designs: Sequence[str], folds: int
) -> dict[str, np.ndarray]:
    """Class ids (N,) by heads that never saw a face's family, and by heads that never saw its character, for each design."""
    groupings = {"families left out": heads.families, "characters left out": character_folds(heads, folds, SEED)}
    return {
        f"{design}, {title}": leave_out(design, heads, features, human, values)
        for title, values in groupings.items()
        for design in designs
    }


def measure(path: Path, faces_path: Path, models: Path, names: Sequence[str], folds: int, command: str) -> HeadResults:
    """Measure everything that the report shows; `command` is the command line. Raises DatasetError or ModelFileError."""
    heads, faces = load_heads(path), without_copies(Faces.load(faces_path))
    analyzer = FaceAnalyzer(ModelRegistry(models), names[0])
    analyzer.registry.verify()
    model = analyzer.classifier
    entries = [analyzer.registry.entry("expression-head", name) for name in names]
    if len({entry.base for entry in entries}) > 1:
        raise DatasetError(f"the heads {', '.join(names)} are not of one backbone: measure them one by one")
    backbone = served_backbone(model)
    features = backbone.cached(heads.faces, path, "heads").plain
    human = photographs(backbone.cached(faces, faces_path, "human").plain, faces)
    sets = dict.fromkeys(row["title"] for row in model.backbone_entry.metadata.get("data", ()))
    whole = classify_whole(analyzer, names, path, heads) if (heads.pictures != "").any() else None
    return HeadResults(
        command=command,
        title=backbone.title,
        heads=heads,
        served=predict_served(analyzer.registry, names, features),
        learned=learn_heads(heads, features, [human], DESIGNS, folds),
        whole=whole,
        trained_on=", ".join(sets) or "data that their manifest does not name",
        folds=folds,
        human=len(human.labels),
        about_set=describe_set(path),
    )


def write_report(results: HeadResults, table: Path, out: Path) -> str:
    """Write the report and its pictures; return its text."""
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_strengths(results, out.with_suffix(".svg"))
    if results.whole is not None:
        names = results.heads.pictures[results.whole.rows]

        def pixels_of(place: int) -> np.ndarray:
            return next(whole_pictures(table, [names[place]]))

        draw_examples(results.heads, results.whole, next(iter(results.served)), pixels_of, out.with_suffix(".jpg"))
    text = report_text(results, out.stem)
    out.write_text(text, encoding="utf-8")
    return text


def arguments_parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=Path("data/heads.npz"), help="made by `make heads`")
    parser.add_argument("--faces", type=Path, default=Path("data/fer2013.npz"), help="made by scripts.data.prepare")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--head", nargs="+", default=["mixed", "fer2013"], help="served heads to measure, of one backbone")
    parser.add_argument("--folds", type=int, default=FOLDS, help="folds of characters")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/heads.md"))
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    if options.folds < 2:
        parser.error("--folds must be at least 2")
    try:
        command = command_line("scripts.evaluate.heads", parser, options)
        results = measure(options.table, options.faces, options.models, options.head, options.folds, command)
        print(write_report(results, options.table, options.out))
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
