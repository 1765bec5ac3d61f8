"""Choose on validation when an answer is marked `unsure`, and report on test what that is worth.

    python -m scripts.evaluate.rejection             # measure and print
    python -m scripts.evaluate.rejection --write     # and write the manifest, benchmarks/doubts.md and its chart

To be run again for every new version of the models: an export leaves the thresholds empty, and no answer is marked. Takes
two and a half minutes of one core; needs matplotlib, no TensorFlow.

The faces of a table are set into larger pictures (scripts/evaluate/framing.py) and read by the product's own detectors, crop
and served files. A doubt's threshold is where answers become more often wrong than right, or wrong DOUBTFUL times as often
as for all validation faces, whichever comes first: the one that maximises the sum, over the answers beyond it, of (wrong -
that limit), as Chow rejects at a given cost ("On optimum recognition error and reject tradeoff", 1970). Where a face has
two label_sets each counts half, as the head `mixed` learned them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from emotions.errors import ModelFileError
from emotions.face.alignment import align_crop
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.classifier import ExpressionClassifier
from emotions.face.detector import FaceDetector
from emotions.face.reliability import UNSURE_REASONS, measure_quality, unsure_reason
from emotions.runtime.litert import softmax
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.manifest import put_entry
from ..data.dataset import DatasetError, Faces
from ..data.labels import MIXED, available_label_sets, targets_and_mask
from ..report.rejection import told, write_report
from .framing import ENLARGE, placed

DOUBTFUL, EVEN = 1.5, 0.5
MIN_MARKED = 30
"""Validation faces beyond a threshold: fewer are chance."""
DIGITS = {"turned": 1, "small": 1, "blurred": 3, "low_confidence": 3}
SIDES = 10.0, 64.0  # pixels of a FER2013 picture's side, made smaller
BLURS = 0.0, 2.5  # standard deviation of the Gaussian, in the picture's own 48ths
SHARES = tuple(round(share, 1) for share in np.arange(1.0, 0.05, -0.1).tolist())


@dataclass(frozen=True)
class Reads:
    """Faces that the product found: their table, quality (N,), and bottleneck features (N, D)."""

    faces: Faces
    quality: np.ndarray
    features: np.ndarray

    def values(self, name: str) -> np.ndarray:
        """(N,) what the doubt `name` looks at, signed so that less is worse; NaN where it is unknown."""
        if name == "turned":
            return np.array([-abs(one.pose.yaw) if one.pose else np.nan for one in self.quality])
        return np.array([one.side if name == "small" else one.sharpness for one in self.quality])


def read(face_detector: FaceDetector, model: ExpressionClassifier, faces: Faces, sides: np.ndarray, blurs: np.ndarray) -> Reads:
    """Set each face, blurred, into a picture, shrink that to the face's side, and read it; faces not found are left out."""
    kept, quality, crops = [], [], []
    for index, (pixels, side, blur) in enumerate(zip(faces.pixels, sides, blurs, strict=True)):
        picture = placed(cv2.GaussianBlur(pixels, (0, 0), blur) if blur > 0 else pixels)
        shrink = side / (len(pixels) * ENLARGE)
        if shrink < 1:
            picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        _, found = face_detector.detect(picture)
        if not found:
            continue
        mesh = face_detector.landmarks(picture, found[0])
        crop = align_crop(picture, found[0].box, None if mesh is None else mesh[:, :2], model.size)
        kept.append(index)
        quality.append(measure_quality(picture.shape, found[0].box, mesh, crop))
        crops.append(crop)
    if not kept:
        raise DatasetError(f"no face was found in any of {len(faces)} pictures: are these faces?")
    return Reads(faces.where(np.array(kept)), np.array(quality, object), model.features(np.stack(crops)))


def read_split(
    face_detector: FaceDetector, model: ExpressionClassifier, faces: Faces, degraded: int, seed: int
) -> dict[str, Reads]:
    """The faces as they are (`plain`), and `degraded` of them drawn at random made `small` and `blurred` by random amounts."""
    random = np.random.default_rng(seed)
    some = faces.where(np.isin(np.arange(len(faces)), random.permutation(len(faces))[:degraded]))
    whole = np.full(len(faces), np.inf)
    low, high = np.log(SIDES).tolist()
    sides, blurs = np.exp(random.uniform(low, high, len(some))), random.uniform(*BLURS, len(some))
    return {
        "plain": read(face_detector, model, faces, whole, np.zeros(len(faces))),
        "small": read(face_detector, model, some, sides, np.zeros(len(some))),
        "blurred": read(face_detector, model, some, np.full(len(some), np.inf), blurs),
    }


def right_answers(probabilities: np.ndarray, faces: Faces, label_sets: Sequence[str]) -> dict[str, np.ndarray]:
    """(N,) 1 right, 0 wrong, NaN where a face has no such truth, for each of `label_sets`: labels, or raters' clear
    majorities.
    """
    answers, right = probabilities.argmax(axis=1), {}
    for name in label_sets:
        truth, counts = targets_and_mask(name, faces)
        right[name] = np.where(counts, answers == truth, np.nan)
    return right


def wrongness(right: dict[str, np.ndarray], truth: str) -> np.ndarray:
    """(N,) 0..1: share of the label_sets that the head was taught by which its answer is wrong; NaN for a face with none.

    A head whose own truth is not among those of `right` is measured by all of them, as one that learned a mixture is.
    """
    values = np.array([right[name] for name in ((truth,) if truth in right else right)])
    known = np.isfinite(values)
    return np.where(known.any(axis=0), 1 - np.nansum(values, axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)


def choose(values: np.ndarray, wrong: np.ndarray, limit: float) -> float | None:
    """The value below which answers are wrong more often than `limit`; None where too few are."""
    known = np.isfinite(values) & np.isfinite(wrong)
    order = np.argsort(values[known], kind="stable")
    values, excess = values[known][order], np.cumsum(wrong[known][order] - limit)
    marked = int(excess.argmax()) + 1 if len(excess) else 0
    if marked < MIN_MARKED or excess[marked - 1] <= 0:
        return None
    return float((values[marked - 1] + values[min(marked, len(values) - 1)]) / 2)


def thresholds_of(
    reads: dict[str, Reads], probabilities: dict[str, np.ndarray], truth: str, label_sets: Sequence[str]
) -> dict[str, float]:
    """The doubts' thresholds in the form of the manifest; a doubt that nothing speaks for has none."""
    wrong = {name: wrongness(right_answers(probabilities[name], reads[name].faces, label_sets), truth) for name in reads}
    limit = min(DOUBTFUL * float(np.nanmean(wrong["plain"])), EVEN)
    sources = {"turned": "plain", "small": "small", "blurred": "blurred", "low_confidence": "plain"}
    found = {}
    for name in UNSURE_REASONS:
        rows = sources[name]
        values = probabilities[rows].max(axis=1) if name == "low_confidence" else reads[rows].values(name)
        threshold = choose(values, wrong[rows], limit)
        if threshold is not None:
            found[name] = round(abs(threshold), DIGITS[name])
    return found


def marks(reads: Reads, probabilities: np.ndarray, thresholds: dict[str, float]) -> np.ndarray:
    """(N,) str: the doubt of each face, empty where its answer is sure."""
    rows = zip(reads.quality, probabilities.max(axis=1).tolist(), strict=True)
    return np.array([unsure_reason(quality, confidence, thresholds) or "" for quality, confidence in rows])


def curve(confidence: np.ndarray, right: np.ndarray, shares: Sequence[float] = SHARES) -> list[dict[str, float | None]]:
    """Accuracy among the most confident answers, for each share of them."""
    ordered = right[np.argsort(-confidence, kind="stable")]
    return [{"answered": share, "accuracy": _mean(ordered[: max(1, round(share * len(ordered)))])} for share in shares]


def figures(reads: Reads, probabilities: np.ndarray, marked: np.ndarray, label_sets: Sequence[str]) -> dict[str, Any]:
    """For each truth: count, accuracy, share and accuracy of the sure answers, of each doubt's, and the curve."""
    report = {}
    for truth, right in right_answers(probabilities, reads.faces, label_sets).items():
        known = np.isfinite(right)
        right, doubts, confidence = right[known], marked[known], probabilities.max(axis=1)[known]
        sure = doubts == ""
        report[truth] = {
            "count": len(right),
            "accuracy": _mean(right),
            "sure": {"share": _mean(sure), "accuracy": _mean(right[sure])},
            "marked": {
                name: {"count": int((doubts == name).sum()), "accuracy": _mean(right[doubts == name])}
                for name in UNSURE_REASONS if (doubts == name).any()
            },
            "curve": curve(confidence, right),
        }  # fmt: skip
    return report


def measure(folder: Path, faces: Faces, degraded: int, seed: int) -> dict[str, dict[str, Any]]:
    """Of every expression head: `thresholds`, and the figures {split: {kind of pictures: {truth: figures}}}."""
    registry, cache, report = ModelRegistry(folder), {}, {}
    face_detector, label_sets = FaceAnalyzer(registry, head=None).face_detector, available_label_sets(faces, ("validation", "test"))
    for entry in (head.metadata for head in registry.entries("expression-head")):
        model = ExpressionClassifier(registry, entry["name"])
        if entry["base"] not in cache:
            cache[entry["base"]] = {
                split: read_split(face_detector, model, faces.split(split), degraded, seed) for split in ("validation", "test")
            }
        splits = cache[entry["base"]]
        answers = {
            split: {kind: softmax(model.logits(rows.features), entry["temperature"]) for kind, rows in reads.items()}
            for split, reads in splits.items()
        }
        thresholds = thresholds_of(splits["validation"], answers["validation"], entry["truth"], label_sets)
        report[entry["name"]] = {"thresholds": thresholds} | {
            split: {
                kind: figures(rows, answers[split][kind], marks(rows, answers[split][kind], thresholds), label_sets)
                for kind, rows in reads.items()
            }
            for split, reads in splits.items()
        }
    return report


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=Path("data/fer2013.npz"), help="made by scripts.data.prepare")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--degraded", type=int, default=500, help="faces of each split that are made small, and blurred")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--head", help=f"the head that the report's chart and curve show (default: `{MIXED}`, else the first)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks"), help="folder of doubts.md and doubts.svg")
    parser.add_argument("--write", action="store_true", help="write manifest and report; else print only")
    options = parser.parse_args(arguments)
    try:
        entries = [entry.metadata for entry in ModelRegistry(options.models).entries("expression-head")]
        default = next((entry["name"] for entry in entries if entry["name"] == MIXED), None)
        shown = ModelRegistry(options.models).entry("expression-head", options.head or default).name
        report = measure(options.models, Faces.load(options.faces), options.degraded, options.seed)
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")
    for head, row in report.items():
        truth, plain = next(iter(row["test"]["plain"].items()))
        print(f"{head:8} {row['thresholds']}; test, {truth}: {told(plain['sure']['share'])} sure, "
              f"right {told(plain['sure']['accuracy'])}, all {told(plain['accuracy'])}")  # fmt: skip
    if not options.write:
        return
    for entry in entries:
        row = report[entry["name"]]
        measured = {f"{truth}_test": values for truth, values in row["test"]["plain"].items()}
        changed = {**entry, "thresholds": row["thresholds"], "doubts": measured}
        put_entry(options.models, changed, options.models / entry["file"])
    print(f"written: {write_report(report, shown, options.out)}")


if __name__ == "__main__":
    main()
