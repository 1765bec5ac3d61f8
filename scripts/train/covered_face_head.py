"""Train the head that detects covered (occluded) faces on bottleneck features, and add it to models/.

    KERAS_BACKEND=tensorflow python -m scripts.train.covered_face_head --faces data/fer2013.npz data/facial_expressions.npz

Masks, hands, sunglasses and other things are painted on faces (scripts/synthetic/coverings.py), which are then detected, aligned
and classified as the server does it. The head belongs to one version of the backbone: scripts.release.export removes it when that
changes. emotions/face/classifier.py uses it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import keras
import numpy as np

from emotions.errors import ModelFileError
from emotions.face.alignment import align_crop
from emotions.face.classifier import COVERED_ROLE, ExpressionClassifier
from emotions.face.detector import FaceDetector
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.litert import to_litert
from ..common.manifest import drop_entry, put_entry
from ..data.dataset import DatasetError, Faces
from ..data.labels import MIXED, targets_and_mask
from ..data.sources import licence_of, source_of
from ..evaluate.framing import placed
from ..synthetic.coverings import CLEAR, COVERED, COVERINGS, HARMLESS, paint
from .binary_head import logits, train_binary_head

NAME = "covered-face"
NOTHING = "nothing"
NEITHER = ("sunglasses",)
"""Coverings that are neither learned as covered nor as clear: behind painted sunglasses the answers are as often right as behind
clear glasses (69 and 71 % of the test faces of version 2.1.0): the mouth tells more than the eyes."""
MAX_FALSE_POSITIVES = 0.02
"""Share of the unpainted validation faces of a table that may be called covered; some of them are."""
MAX_BLUR = 1.2  # standard deviation of the blur after painting, in pixels of the 48 px face
SEED = 20261127


@dataclass(frozen=True)
class PaintedFaces:
    """Faces that were painted, and detected as served.

    Attributes:
        crops: (N, S, S) uint8 grey.
        kinds: (N,) str, what was painted.
        hidden: (N,) float32, share of the mouth or of both eyes that is hidden.
        splits: (N,) str.
        tables: (N,) str, data set.
        labels: (N,) int, emotion, -1 if unknown.
    """

    crops: np.ndarray
    kinds: np.ndarray
    hidden: np.ndarray
    splits: np.ndarray
    tables: np.ndarray
    labels: np.ndarray

    @property
    def covered(self) -> np.ndarray:
        """(N,) bool: True where COVERED or more is hidden."""
        return self.hidden >= COVERED

    @property
    def usable(self) -> np.ndarray:
        """(N,) bool: False for what is neither covered nor clear, and for NEITHER."""
        return (self.covered | (self.hidden <= CLEAR)) & ~np.isin(self.kinds, NEITHER)


def paint_faces(faces: Faces, face_detector: FaceDetector, size: int, random: np.random.Generator) -> PaintedFaces:
    """Paint one of COVERINGS on each face, and one of HARMLESS; faces that are not found before or after are left out."""
    rows = []
    labels, mask = targets_and_mask(MIXED, faces)
    for index, pixels in enumerate(faces.pixels):
        picture = placed(pixels)
        _, found = face_detector.detect(picture)
        mesh = face_detector.landmarks(picture, found[0]) if found else None
        if mesh is None:
            continue
        for names in (list(COVERINGS), list(HARMLESS)):
            name = names[random.integers(len(names))]
            painted, hidden = paint(picture[..., 0], mesh[:, :2], name, random)
            blur = random.uniform(0, MAX_BLUR) * len(picture) / len(pixels) / 2
            if blur > 0.3:
                painted = cv2.GaussianBlur(painted, (0, 0), blur)
            image = cv2.cvtColor(painted, cv2.COLOR_GRAY2RGB)
            _, again = face_detector.detect(image)
            if again:
                crop = align_crop(image, again[0].box, face_detector.landmarks(image, again[0]), size, again[0].turns)
                label = int(labels[index]) if mask[index] else -1
                rows.append((crop, name, hidden, faces.splits[index], faces.sources[index], label))
    if not rows:
        raise DatasetError("no face was found in any picture: is this a table of faces?")
    crops, kinds, shares, splits, tables, known = zip(*rows, strict=True)
    return PaintedFaces(
        np.stack(crops), np.array(kinds), np.array(shares, np.float32), np.array(splits), np.array(tables), np.array(known)
    )


def joined(parts: Sequence[PaintedFaces]) -> PaintedFaces:
    """The faces of several tables, one after the other."""
    return PaintedFaces(*(np.concatenate([getattr(part, name) for part in parts]) for name in PaintedFaces.__annotations__))


def choose_threshold(values: np.ndarray, faces: PaintedFaces) -> float:
    """Lowest logit at which at most MAX_FALSE_POSITIVES of the unpainted validation faces of each table are called covered."""
    plain = (faces.splits == "validation") & (faces.kinds == NOTHING)
    tables = np.unique(faces.tables[plain])
    limits = [np.quantile(values[plain & (faces.tables == table)], 1 - MAX_FALSE_POSITIVES) for table in tables]
    return round(float(max(limits)), 2)


def rates(values: np.ndarray, faces: PaintedFaces, threshold: float, right: np.ndarray) -> dict[str, dict[str, float]]:
    """For each kind: faces, share called covered, and share of right expressions, as painted."""
    rows = {}
    for kind in [*COVERINGS, *HARMLESS]:
        chosen = (faces.kinds == kind) & (faces.covered if kind in COVERINGS else faces.hidden <= CLEAR)
        if chosen.any():
            known = chosen & (faces.labels >= 0)
            called = float((values[chosen] > threshold).mean())
            accuracy = float(right[known].mean()) if known.any() else float("nan")
            rows[kind] = {"faces": int(chosen.sum()), "covered": round(called, 3), "accuracy": round(accuracy, 3)}
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, nargs="+", required=True, help="tables of photographed faces")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--head", help="a head of the backbone, if the folder holds several backbones")
    parser.add_argument("--count", type=int, default=3000, help="training faces of each table; a third from other splits")
    options = parser.parse_args(arguments)
    random, parts, sources = np.random.default_rng(SEED), [], set[str]()
    try:
        registry = ModelRegistry(options.models)
        model, face_detector = ExpressionClassifier(registry, options.head), FaceDetector(registry)
        for path in options.faces:
            table = Faces.load(path)
            sources |= set(np.unique(table.sources).tolist())
            for split, count in (("train", options.count), ("validation", options.count // 3), ("test", options.count // 3)):
                faces = table.split(split)
                some = faces.where(random.permutation(len(faces))[:count])
                parts.append(paint_faces(some, face_detector, model.size, random))
                print(f"{path.name}, {split}: {len(parts[-1].crops)} pictures of {len(some)} faces", flush=True)
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")
    painted = joined(parts)
    features = model.features(painted.crops)
    right = model.predict_proba(features).argmax(axis=1) == painted.labels
    training = (painted.splits == "train") & painted.usable
    head = train_binary_head(features[training], painted.covered[training], SEED)
    values = logits(head, features)
    threshold = choose_threshold(values, painted)
    print(f"trained on {training.sum()} pictures, {painted.covered[training].mean():.0%} covered; threshold {threshold}")
    measured = {}
    for split in ("validation", "test"):
        mask = painted.splits == split
        part = PaintedFaces(*(getattr(painted, name)[mask] for name in PaintedFaces.__annotations__))
        measured[split] = rates(values[mask], part, threshold, right[mask])
        print(split, *measured[split].items(), sep="\n  ")
    put(options.models, model, head, threshold, measured, sorted(sources))


def put(
    folder: Path, model: ExpressionClassifier, head: keras.Model, threshold: float, measured: dict[str, dict], sources: list[str]
) -> None:
    """Write the head and its entry, replacing an earlier one."""
    base, registry = model.backbone_entry, ModelRegistry(folder)
    for entry in [entry.metadata for entry in registry.entries(COVERED_ROLE) if entry.base == base.name]:
        drop_entry(folder, COVERED_ROLE, entry["name"])
        (folder / entry["file"]).unlink(missing_ok=True)
    own = "" if base == registry.entry("expression-base") else f"{base.name}-"
    put_entry(folder, {
        "name": f"{own}{NAME}", "role": COVERED_ROLE, "version": base.version,
        "licence": licence_of([asdict(source_of(name)) for name in sources]),
        "file": f"{base.name}-{NAME}-{base.version}.tflite", "base": base.name,
        "input": {"size": head.input_shape[1], "channels": 1}, "output": 1, "parameters": head.count_params(),
        "thresholds": {"covered": threshold}, "evaluation": measured,
    }, to_litert(head, "float16"))  # fmt: skip


if __name__ == "__main__":
    main()
