"""Measure how a base reads drawn faces of families that its heads never saw: benchmarks/drawn.md.

    python -m scripts.synthetic.generate --styles data/sources/dicebear --out data/drawn.npz
    python -m scripts.evaluate.drawn_faces --styles data/sources/dicebear --drawn data/drawn.npz --faces data/fer2013.npz

Every picture goes the service's way: detectors, crop and base are the library's. For each family, heads are trained on the
drawings of all others (and on human faces); the base, and the shipped head as it is, have seen every family but those that are
kept out for good (scripts/synthetic/generate.py), so figures of these alone are of drawings that nothing learnt from. `--emoji`
is a folder
of emoji with its labels.csv (file, label, set); none are learnt from. The report's are 28 face emoji, those whose meaning in
Unicode points
to one class, in seven sets: googlefonts/noto-emoji, svgmoji's OpenMoji, Twemoji and Blobmoji, and three of Microsoft's Fluent.
Features of both tables are kept beside the drawn one, a
file a base.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from ..report.drawn_faces import Measured, Views, report
from ..synthetic.catalogue import RECIPES
from ..synthetic.framing import COVERED, EXAMPLE, covered, matrix_of, on_canvas
from ..synthetic.renderer import Artist, family, load_artist
from ..train.heads import class_weights, fit
from ..train.networks import dense_head

EPOCHS = 8
SEED = 20261122


def views(analyzer: FaceAnalyzer, pictures: Iterator[tuple[np.ndarray, np.ndarray, str, str]]) -> Views:
    """Pictures (pixels (S, S, 3), mask of what a crop must show, expression, group) -> what the service sees of them."""
    crops, found, labels, groups = [], [], [], []
    random, size = np.random.default_rng(SEED), analyzer.classifier.size
    for pixels, mask, expression, group in pictures:
        whole = np.array([0, 0, len(pixels)])
        seen = [_view(analyzer, pixels, mask, whole, "none", size)]
        seen.append(_view(analyzer, pixels, mask, whole, "auto", size))
        canvas, place = on_canvas(pixels, random)
        seen.append(_view(analyzer, canvas, mask, place, "auto", size))
        crops.append([crop for crop, _ in seen])
        found.append([right for _, right in seen])
        labels.append(EMOTIONS.index(expression))
        groups.append(group)
    return Views(np.array(crops), np.array(found), np.array(labels), np.array(groups))


def _view(analyzer, pixels, mask, place, detector, size) -> tuple[np.ndarray, bool]:
    """The crop of the largest face that shows the drawing's; a blank one and False where there is none."""
    for face in analyzer.face_detector.detect(pixels, detector)[1]:
        if detector == "none" or covered(mask, matrix_of(analyzer.face_detector, pixels, face, place)) >= COVERED:
            return align_crop(pixels, face.box, analyzer.face_detector.landmarks(pixels, face), size), True
    return np.zeros((size, size), np.uint8), False


def drawings(artist: Artist, each: int) -> Iterator[tuple[np.ndarray, np.ndarray, str, str]]:
    """`each` pictures of every style and expression in the artist's own colours and lines, other than the training ones."""
    random = np.random.default_rng(SEED)
    for style, expression in artist.subjects:
        for _ in range(each):
            yield *artist.plain(style, expression, EXAMPLE, random), expression, family(style)


def emoji(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray, str, str]]:
    """The emoji of labels.csv as they would be uploaded; a crop must show nearly all of a glyph's inner half."""
    with open(folder / "labels.csv", newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["file"].startswith("emoji/")]
    for row in rows:
        pixels = open_image(folder / row["file"]).pixels
        mask, edge = np.zeros(pixels.shape[:2], bool), len(pixels) // 4
        mask[edge:-edge, edge:-edge] = True
        yield pixels, mask, row["label"], row["set"]


def cached_features(model: ExpressionClassifier, faces: Faces, path: Path) -> np.ndarray:
    """(N, 512) features of a table's faces, from `path` if they were kept there."""
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            if len(stored["plain"]) == len(faces):
                return stored["plain"]
    plain = model.features(faces.pixels)
    np.savez(path, plain=plain)
    return plain


@dataclass(frozen=True)
class Lesson:
    """Features (N, F) float32 and class ids (N,) to learn, each row with a weight."""

    features: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


def drawn_samples(features: np.ndarray, faces: Faces, mask: np.ndarray) -> Lesson:
    """The masked rows of a table of drawings, every class weighing the same."""
    labels = faces.labels[mask].astype(int)
    return Lesson(features[mask], labels, class_weights(labels))


def trained(design: str, lessons: Sequence[Lesson]) -> keras.Model:
    """A head that has learnt all lessons' hard labels."""
    inputs, labels, weights = (np.concatenate([getattr(lesson, name) for lesson in lessons]) for name in Lesson.__annotations__)
    keras.utils.set_random_seed(SEED)
    head = dense_head(design, features=inputs.shape[1])
    fit(head, inputs, np.eye(len(EMOTIONS), dtype=np.float32)[labels], weights, epochs=EPOCHS)
    return head


def answers(head: keras.Model, features: np.ndarray) -> np.ndarray:
    """(..., 512) features -> (...) class ids."""
    logits = head.predict(features.reshape(-1, features.shape[-1]), batch_size=4096, verbose=0)
    return logits.argmax(axis=1).reshape(features.shape[:-1])


def left_out(design: str, drawn: Faces, features: np.ndarray, human: list[Lesson], seen: Views) -> np.ndarray:
    """(N, ways) answers to the pictures of each family by a head that learnt all others."""
    guess = np.zeros(seen.found.shape, int)
    for group in np.unique(seen.groups):
        here = seen.groups == group
        head = trained(design, [*human, drawn_samples(features, drawn, drawn.groups != group)])
        guess[here] = answers(head, seen.features[here])
        print(f"{design}, {group} left out: {balanced_recall(seen.labels[here], guess[here][:, 0]):.3f}", flush=True)
    return guess


def shipped(model: ExpressionClassifier, seen: Views, glyphs: Views | None, features: np.ndarray, held: Faces) -> Measured:
    """The model's head as it is; `features` (N, 512) are those of the human faces `held`."""

    def guess(rows: np.ndarray) -> np.ndarray:
        return model.logits(rows.reshape(-1, rows.shape[-1])).argmax(axis=1).reshape(rows.shape[:-1])

    right = float((guess(features) == held.labels).mean())
    return Measured(guess(seen.features), guess(glyphs.features) if glyphs else None, right)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--styles", type=Path, required=True, help="folder of the style definitions (*.json, or src/*.json)")
    parser.add_argument("--recipes", type=Path, default=RECIPES, help="table of style, expression, components")
    parser.add_argument("--emoji", type=Path, help="folder with emoji/ and labels.csv to read as well")
    parser.add_argument("--drawn", type=Path, default=Path("data/drawn.npz"), help="made by scripts.synthetic.generate")
    parser.add_argument("--faces", type=Path, default=Path("data/fer2013.npz"), help="made by scripts.data.prepare")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--head", default="mixed", help="the head that is measured as shipped")
    parser.add_argument("--each", type=int, default=8, help="pictures of every style and expression to read")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/drawn.md"))
    options = parser.parse_args(arguments)
    try:
        artist = load_artist(options.styles, options.recipes)
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
    learned, held = faces.splits == "train", faces.split("validation")
    labels = faces.labels[learned].astype(int)
    human = [Lesson(human_features[learned], labels, np.ones(len(labels), np.float32))]
    seen = views(analyzer, drawings(artist, options.each))
    glyphs = views(analyzer, emoji(options.emoji)) if options.emoji else None
    for part in filter(None, (seen, glyphs)):
        flat = part.crops.reshape(-1, *part.crops.shape[2:])
        part.features = model.features(flat).reshape(*part.found.shape, -1)

    def human_accuracy(head: keras.Model) -> float:
        return float((answers(head, human_features[~learned]) == held.labels).mean())

    measured = {f"shipped `{model.head_entry.name}`": shipped(model, seen, glyphs, human_features[~learned], held)}
    for design, taught in (("linear", []), ("original", human)):
        guesses = left_out(design, drawn, features, taught, seen)
        head = trained(design, [*taught, drawn_samples(features, drawn, drawn.splits == "train")])
        title = f"{design}, {'human + ' if taught else ''}drawn"
        measured[title] = Measured(guesses, answers(head, glyphs.features) if glyphs else None, human_accuracy(head))
        if taught:
            measured[title].alone = human_accuracy(trained(design, taught))
    command = f"python -m scripts.evaluate.drawn_faces --styles {options.styles} --each {options.each}"
    command += f" --emoji {options.emoji}" if options.emoji else ""
    text = report(command, len(drawn), model.backbone_entry.metadata, seen, glyphs, measured)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
