"""Measure a backbone on drawn faces of style families that its heads were not trained on: benchmarks/drawn.md.

    python -m scripts.synthetic.generate --styles data/sources/dicebear --out data/drawn.npz
    python -m scripts.evaluate.drawn_faces --styles data/sources/dicebear --drawn data/drawn.npz --faces data/fer2013.npz

Every image is processed as served: detectors, crop and backbone are the library's. For each family, heads are trained on the
drawings of all others (and on human faces). The backbone and the shipped head were trained on every family but the held-out
ones (scripts/synthetic/generate.py), so that only the metrics of these are of unseen drawings. `--emoji` is a folder of emoji
with its labels.csv (file, label, set); none are trained on. The report has 28 face emoji whose meaning in Unicode points to one
class, in seven sets: googlefonts/noto-emoji, svgmoji's OpenMoji, Twemoji and Blobmoji, and three of Microsoft's Fluent.
Features of both tables are cached beside the drawn one, a file for each backbone.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from emotions.errors import ModelFileError
from emotions.face.alignment import align_crop
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.classifier import ExpressionClassifier
from emotions.image.loading import open_image
from emotions.labels import EMOTIONS
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.metrics import balanced_recall
from ..data.dataset import DatasetError, Faces
from ..report.drawn_faces import HeadPredictions, Views, report
from ..synthetic.catalogue import RECIPES
from ..synthetic.framing import IMAGE_SIDE, MIN_VISIBLE, crop_matrix, place_on_canvas, visible_fraction
from ..synthetic.renderer import AvatarRenderer, load_renderer, style_family
from .frozen_features import SEED, TrainingData, balanced_data, photographs, predict, train_head


def views(analyzer: FaceAnalyzer, images: Iterator[tuple[np.ndarray, np.ndarray, str, str]]) -> Views:
    """Process images (pixels (S, S, 3), mask of what a crop must show, expression, group) in all framings."""
    crops, found, labels, groups = [], [], [], []
    random, size = np.random.default_rng(SEED), analyzer.classifier.size
    for pixels, mask, expression, group in images:
        whole = np.array([0, 0, len(pixels)])
        views_of_image = [_view(analyzer, pixels, mask, whole, "none", size)]
        views_of_image.append(_view(analyzer, pixels, mask, whole, "auto", size))
        canvas, place = place_on_canvas(pixels, random)
        views_of_image.append(_view(analyzer, canvas, mask, place, "auto", size))
        crops.append([crop for crop, _ in views_of_image])
        found.append([right for _, right in views_of_image])
        labels.append(EMOTIONS.index(expression))
        groups.append(group)
    return Views(np.array(crops), np.array(found), np.array(labels), np.array(groups))


def _view(analyzer, pixels, mask, place, detector, size) -> tuple[np.ndarray, bool]:
    """Crop of the largest detected face that shows the drawn one, and True; a blank crop and False without one."""
    for face in analyzer.face_detector.detect(pixels, detector)[1]:
        if detector == "none" or visible_fraction(mask, crop_matrix(analyzer.face_detector, pixels, face, place)) >= MIN_VISIBLE:
            return align_crop(pixels, face.box, analyzer.face_detector.landmarks(pixels, face), size), True
    return np.zeros((size, size), np.uint8), False


def render_drawings(renderer: AvatarRenderer, each: int) -> Iterator[tuple[np.ndarray, np.ndarray, str, str]]:
    """`each` images of every style and expression in original colours and lines, other than the training ones."""
    random = np.random.default_rng(SEED)
    for style, expression in renderer.subjects:
        for _ in range(each):
            yield *renderer.render(style, expression, IMAGE_SIDE, random), expression, style_family(style)


def load_emoji(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray, str, str]]:
    """Emoji of labels.csv as uploaded; a crop must show nearly all of a glyph's inner half."""
    with open(folder / "labels.csv", newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["file"].startswith("emoji/")]
    for row in rows:
        pixels = open_image(folder / row["file"]).pixels
        mask, edge = np.zeros(pixels.shape[:2], bool), len(pixels) // 4
        mask[edge:-edge, edge:-edge] = True
        yield pixels, mask, row["label"], row["set"]


def cached_features(model: ExpressionClassifier, faces: Faces, path: Path) -> np.ndarray:
    """(N, 512) features of a table's faces, cached in `path`."""
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            if len(stored["plain"]) == len(faces):
                return stored["plain"]
    plain = model.features(faces.pixels)
    np.savez(path, plain=plain)
    return plain


def leave_one_family_out(
    design: str, drawn: Faces, features: np.ndarray, human: Sequence[TrainingData], drawings: Views
) -> np.ndarray:
    """Predictions (N, framings) for each family by a head trained on all others."""
    predicted = np.zeros(drawings.found.shape, int)
    for group in np.unique(drawings.groups):
        here = drawings.groups == group
        head = train_head(design, [*human, balanced_data(features, drawn, drawn.groups != group)])
        predicted[here] = predict(head, drawings.features[here])
        print(f"{design}, {group} left out: {balanced_recall(drawings.labels[here], predicted[here][:, 0]):.3f}", flush=True)
    return predicted


def predict_shipped(
    model: ExpressionClassifier, drawings: Views, glyphs: Views | None, features: np.ndarray, validation: Faces
) -> HeadPredictions:
    """Predictions of the shipped head; `features` (N, 512) are those of the human faces `validation`."""

    def predicted(rows: np.ndarray) -> np.ndarray:
        return model.logits(rows.reshape(-1, rows.shape[-1])).argmax(axis=1).reshape(rows.shape[:-1])

    right = float((predicted(features) == validation.labels).mean())
    return HeadPredictions(predicted(drawings.features), predicted(glyphs.features) if glyphs else None, right)


def measure_heads(
    model: ExpressionClassifier,
    drawn: tuple[Faces, np.ndarray],
    human: tuple[Faces, np.ndarray],
    drawings: Views,
    glyphs: Views | None,
) -> dict[str, HeadPredictions]:
    """Predictions of the shipped head and of heads trained without the family that is measured.

    `drawn` and `human` are tables with their features (N, F); `drawings` and `glyphs` are the images to measure.
    """
    faces, human_features = human
    table, features = drawn
    train, validation = faces.splits == "train", faces.split("validation")

    def human_accuracy(head: keras.Model) -> float:
        return float((predict(head, human_features[~train]) == validation.labels).mean())

    shipped = predict_shipped(model, drawings, glyphs, human_features[~train], validation)
    heads = {f"shipped `{model.head_entry.name}`": shipped}
    for design, extra in (("linear", []), ("original", [photographs(human_features, faces)])):
        predicted = leave_one_family_out(design, table, features, extra, drawings)
        head = train_head(design, [*extra, balanced_data(features, table, table.splits == "train")])
        title = f"{design}, {'human + ' if extra else ''}drawn"
        heads[title] = HeadPredictions(predicted, predict(head, glyphs.features) if glyphs else None, human_accuracy(head))
        if extra:
            heads[title].alone = human_accuracy(train_head(design, extra))
    return heads


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--styles", type=Path, required=True, help="folder of the style definitions (*.json, or src/*.json)")
    parser.add_argument("--recipes", type=Path, default=RECIPES, help="table of style, expression, components")
    parser.add_argument("--emoji", type=Path, help="folder with emoji/ and labels.csv")
    parser.add_argument("--drawn", type=Path, default=Path("data/drawn.npz"), help="made by scripts.synthetic.generate")
    parser.add_argument("--faces", type=Path, default=Path("data/fer2013.npz"), help="made by scripts.data.prepare")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--head", default="mixed", help="shipped head to measure")
    parser.add_argument("--each", type=int, default=8, help="pictures of every style and expression")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/drawn.md"))
    options = parser.parse_args(arguments)
    try:
        renderer = load_renderer(options.styles, options.recipes)
        drawn, faces = Faces.load(options.drawn), Faces.load(options.faces)
        analyzer = FaceAnalyzer(ModelRegistry(options.models), options.head)
        model = analyzer.classifier
        model.registry.verify()
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")
    faces = faces.where(faces.splits != "test")
    features, human_features = (
        cached_features(model, table, options.drawn.with_name(f"features-{name}-{model.backbone_entry.sha256[:8]}.npz"))
        for name, table in ((options.drawn.stem, drawn), (options.faces.stem, faces))
    )
    drawings = views(analyzer, render_drawings(renderer, options.each))
    glyphs = views(analyzer, load_emoji(options.emoji)) if options.emoji else None
    for part in filter(None, (drawings, glyphs)):
        flat = part.crops.reshape(-1, *part.crops.shape[2:])
        part.features = model.features(flat).reshape(*part.found.shape, -1)
    heads = measure_heads(model, (drawn, features), (faces, human_features), drawings, glyphs)
    command = f"python -m scripts.evaluate.drawn_faces --styles {options.styles.name} --each {options.each}"
    command += f" --emoji {options.emoji.name}" if options.emoji else ""
    text = report(command, len(drawn), model.backbone_entry.metadata, drawings, glyphs, heads)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
