"""Measure how well tracks of one person can be distinguished from those of two: see benchmarks/people.md.

    python -m scripts.evaluate.tracking.people --london FOLDER --names ARCHIVE --photos FOLDER [--people 300] [--seed 1] [--write]

Each photo stands for a track of one frame. London: two photographs of each person, neutral and smiling, in one session (Face
Research Lab London Set). Names: a ZIP archive of press photos, `Name_0001.jpg`, of different days. Photos: groups of people in
one photo, and photos of a few people with several expressions.
"""

from __future__ import annotations

import argparse
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from emotions import FaceAnalyzer, open_image
from emotions.video.appearance import describe, distance
from emotions.video.people import MAX_COLOUR_DISTANCE, MAX_TEXTURE_DISTANCE, UNUSABLE, texture

from ...common.git import commit
from ...common.markdown import table
from .sequences import PHOTOS, SAME_PERSON, name_of

ROOT = Path(__file__).resolve().parents[3]
REPORT = ROOT / "benchmarks" / "people.md"
PRESS = re.compile(r"(?:.*/)?(.+)_\d{4}\.jpg")
PER_PERSON = 4
RATES = 0.001, 0.01
COLUMNS = ("pairs", "descriptor", "area under the ROC curve", *(f"same person, at {rate:.1%} false" for rate in RATES))
MIN_SIDE = 36
"""Pixels; smaller faces are not compared."""


@dataclass(frozen=True)
class Sample:
    """A face: who it is, the photo, and its descriptors."""

    person: str
    photo: str
    features: np.ndarray
    texture: np.ndarray
    colours: bytes


@dataclass(frozen=True)
class Pairs:
    """Distances of pairs of a set by kind of descriptor, and which of them are of one person."""

    same: np.ndarray
    distances: dict[str, np.ndarray]


def samples_of(analyzer: FaceAnalyzer, data: bytes, photo: str, person: str | None = None) -> list[Sample]:
    """Faces of a photo: the largest one where it shows a known `person`, else all."""
    image = open_image(data)
    faces = analyzer.analyze(image, "blazeface").faces
    descriptors, _ = describe(image.pixels, [face.box.scaled(1 / image.scale) for face in faces])
    found = []
    for number, (face, colours) in enumerate(zip(faces[: 1 if person else None], descriptors, strict=False)):
        if face.crop is not None and face.box.width >= MIN_SIDE and face.unsure not in UNUSABLE:
            features = analyzer.classifier.features(face.crop[None])[0]
            found.append(Sample(person or name_of(Path(photo), number), photo, features, texture(face.crop), colours))
    return found


def london(analyzer: FaceAnalyzer, folder: Path) -> list[Sample]:
    """One face of each photograph."""
    found = []
    for path in sorted(folder.glob("*_*.jpg")):
        found += samples_of(analyzer, path.read_bytes(), path.name, path.stem.split("_")[0])
    return found


def press(analyzer: FaceAnalyzer, archive: Path, people: int, seed: int) -> list[Sample]:
    """Up to PER_PERSON photos of `people` random people who have several."""
    found = []
    with zipfile.ZipFile(archive) as opened:
        by_name = defaultdict(list)
        for name in opened.namelist():
            match = PRESS.fullmatch(name)
            if match:
                by_name[match[1]].append(name)
        several = sorted(name for name, photos in by_name.items() if len(photos) > 1)
        for index in np.random.default_rng(seed).permutation(len(several))[:people]:
            for photo in by_name[several[index]][:PER_PERSON]:
                found += samples_of(analyzer, opened.read(photo), photo, several[index])
    return found


def scenes(analyzer: FaceAnalyzer, folder: Path) -> list[Sample]:
    """All faces of each photo."""
    found = []
    for path in sorted(path for path in folder.iterdir() if path.suffix in PHOTOS):
        found += samples_of(analyzer, path.read_bytes(), path.name)
    return found


def pairs_of(samples: list[Sample], of_one_photo: bool = False) -> Pairs:
    """Compare all pairs, or those of one photo."""
    rows, columns = np.triu_indices(len(samples), 1)
    if of_one_photo:
        photos = np.array([one.photo for one in samples])
        together = photos[rows] == photos[columns]
        rows, columns = rows[together], columns[together]
    same = np.array([samples[row].person == samples[column].person for row, column in zip(rows, columns, strict=True)], bool)
    colours = np.stack([distance([one.colours], [other.colours for other in samples])[0] for one in samples])
    features = np.array([one.features for one in samples], float)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    textures = np.corrcoef(np.array([one.texture for one in samples], np.float64))
    tables = {"backbone features": 1 - features @ features.T, "colours": np.nan_to_num(colours, nan=1e3), "texture": 1 - textures}
    return Pairs(same, {name: values[rows, columns] for name, values in tables.items()})


def area_under_curve(same: np.ndarray, values: np.ndarray) -> float:
    """Probability that a pair of one person has a smaller distance than one of two."""
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    ours, others = int(same.sum()), int((~same).sum())
    return float(1 - (ranks[same].sum() - ours * (ours - 1) / 2) / (ours * others))


def curve_rows(name: str, pairs: Pairs) -> Iterator[tuple[object, ...]]:
    """A row for each descriptor: area under the curve, and pairs recognized at given rates of false merges."""
    for kind, values in pairs.distances.items():
        limits = [np.quantile(values[~pairs.same], rate) for rate in RATES]
        recognized = (f"{(values[pairs.same] <= limit).mean():.1%}" for limit in limits)
        yield name, kind, f"{area_under_curve(pairs.same, values):.3f}", *recognized


def rule_row(name: str, pairs: Pairs) -> tuple[object, ...]:
    """Rates of the rule that is served."""
    merged = (pairs.distances["texture"] <= MAX_TEXTURE_DISTANCE) & (pairs.distances["colours"] <= MAX_COLOUR_DISTANCE)
    ours, others = merged[pairs.same], merged[~pairs.same]
    share = f"{ours.mean():.1%} of {len(ours):,}" if len(ours) else ""
    return name, share, f"{others.sum()} of {len(others):,}" if len(others) else ""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--london", type=Path, required=True, help="folder of the Face Research Lab London Set")
    parser.add_argument("--names", type=Path, required=True, help="ZIP archive of press photos named after people")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos with several people")
    parser.add_argument("--people", type=int, default=300, help="people of the press photos")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.relative_to(ROOT)}")
    options = parser.parse_args()
    analyzer = FaceAnalyzer()
    groups = scenes(analyzer, options.photos)
    known = [one for one in groups if one.person in SAME_PERSON]
    sets = {
        "one session, neutral and smiling": pairs_of(london(analyzer, options.london)),
        "press photos of different days": pairs_of(press(analyzer, options.names, options.people, options.seed)),
        "photos of one person with several expressions": pairs_of(known),
        "people in one photo": pairs_of(groups, of_one_photo=True),
    }
    curves = [row for name, pairs in list(sets.items())[:2] for row in curve_rows(name, pairs)]
    text = f"""# Telling people of a video apart

    python -m scripts.evaluate.tracking.people --london FOLDER --names ARCHIVE --photos FOLDER --seed {options.seed} --write

{datetime.now(UTC):%Y-%m-%d}, commit {commit()}. Each photo stands for a track of one frame. One session: 102 people of the Face
Research Lab London Set in the same light and the same clothes, as one who comes back in a video. Press photos: {options.people}
people on different days, in other light and clothes.

## Descriptors

The backbone's bottleneck features are compared by cosine, the colours as the tracker does (emotions/video/appearance.py), the
textures (local binary patterns of the aligned face) by correlation.

{table(COLUMNS, "llr", curves)}

The features that are computed for the expression do not tell people apart: they depend on the expression more than on the person.
Colours and texture do within a session, texture far better; across days neither does well enough.

## Merging

Tracks are merged where the distance of the textures is at most {MAX_TEXTURE_DISTANCE} and that of the colours at most
{MAX_COLOUR_DISTANCE:g}, and where they were never seen in the same frame. The first limit is four fifths of the smallest
distance of two people in another sample of the press photos (seed 2), the second one the 5 % quantile of people in one photo; the
London set is measured only.

{table(("pairs", "one person: merged", "two people: merged"), "lr", [rule_row(*item) for item in sets.items()])}

Tracks of several frames are compared by the mean of their descriptors, so that single photos are the hardest case. People in one
photo would not be merged in a video, since they are seen together.
"""
    print(text)
    if options.write:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
