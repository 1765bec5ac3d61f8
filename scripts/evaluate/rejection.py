"""Choose on validation when a prediction is marked `unsure` (rejection option), and report its value on test.

    python -m scripts.evaluate.rejection             # measure and print
    python -m scripts.evaluate.rejection --write     # and write the manifest, benchmarks/rejection.md and its chart

Run it again for every new version of the models: an export clears the thresholds, and no prediction is marked. It takes two and a
half minutes of one core and needs matplotlib, but no TensorFlow.

The faces of a table are set into larger images (scripts/evaluate/framing.py) and classified by the served detectors, crop and
model files. The threshold of a reason is where predictions become more often wrong than right, or wrong ERROR_FACTOR times as
often as for all validation faces, whichever comes first: it maximises the sum, over the predictions beyond it, of (wrong - that
limit), as Chow rejects at a given cost ("On optimum recognition error and reject tradeoff", 1970). If a face has two labels
(label set and votes), each counts half, as in the training of the head `mixed`.
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
from emotions.face.reliability import LIMITED_REASONS, UNSURE_REASONS, measure_quality, unsure_reason
from emotions.runtime.litert import softmax
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.manifest import put_entry
from ..data.dataset import DatasetError, Faces
from ..data.labels import MIXED, available_label_sets, targets_and_mask
from ..data.splits import without_copies
from ..report.rejection import percent, write_report
from .framing import ENLARGE, placed

ERROR_FACTOR, MAX_ERROR = 1.5, 0.5
"""Error rate of rejected predictions: a multiple of that of all validation faces, and its upper limit."""
MIN_MARKED = 30
"""Minimum number of validation faces beyond a threshold."""
DIGITS = {"turned": 1, "small": 1, "blurred": 3, "low_confidence": 3}
SIDES = 10.0, 64.0  # range of the reduced side in pixels
BLURS = 0.0, 2.5  # range of the standard deviation of the blur, in pixels of the 48 px face
COVERAGES = tuple(round(share, 1) for share in np.arange(1.0, 0.05, -0.1).tolist())


@dataclass(frozen=True)
class DetectedFaces:
    """Detected faces of a table: their rows, crop quality (N,), and bottleneck features (N, D)."""

    faces: Faces
    quality: np.ndarray
    features: np.ndarray

    def values(self, name: str) -> np.ndarray:
        """Values (N,) that the reason `name` compares, with a sign so that lower is worse; NaN if unknown."""
        if name == "turned":
            return np.array([-abs(one.pose.yaw) if one.pose else np.nan for one in self.quality])
        return np.array([one.side if name == "small" else one.sharpness for one in self.quality])


def detect(
    face_detector: FaceDetector, model: ExpressionClassifier, faces: Faces, sides: np.ndarray, blurs: np.ndarray
) -> DetectedFaces:
    """Set each face, blurred, into an image, shrink it to the given side, and detect it; faces not found are left out."""
    kept, quality, crops = [], [], []
    for index, (pixels, side, blur) in enumerate(zip(faces.pixels, sides, blurs, strict=True)):
        image = placed(cv2.GaussianBlur(pixels, (0, 0), blur) if blur > 0 else pixels)
        shrink = side / (len(pixels) * ENLARGE)
        if shrink < 1:
            image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        _, found = face_detector.detect(image)
        if not found:
            continue
        mesh = face_detector.landmarks(image, found[0])
        crop = align_crop(image, found[0].box, mesh, model.size, found[0].turns)
        kept.append(index)
        quality.append(measure_quality(image.shape, found[0].box, mesh, crop))
        crops.append(crop)
    if not kept:
        raise DatasetError(f"no face was found in any of {len(faces)} pictures: is this a table of faces?")
    return DetectedFaces(faces.where(np.array(kept)), np.array(quality, object), model.features(np.stack(crops)))


def detect_split(
    face_detector: FaceDetector, model: ExpressionClassifier, faces: Faces, degraded: int, seed: int
) -> dict[str, DetectedFaces]:
    """Detect the faces unchanged (`plain`), and `degraded` random ones `small` and `blurred` by random amounts."""
    random = np.random.default_rng(seed)
    some = faces.where(np.isin(np.arange(len(faces)), random.permutation(len(faces))[:degraded]))
    whole = np.full(len(faces), np.inf)
    low, high = np.log(SIDES).tolist()
    sides, blurs = np.exp(random.uniform(low, high, len(some))), random.uniform(*BLURS, len(some))
    return {
        "plain": detect(face_detector, model, faces, whole, np.zeros(len(faces))),
        "small": detect(face_detector, model, some, sides, np.zeros(len(some))),
        "blurred": detect(face_detector, model, some, np.full(len(some), np.inf), blurs),
    }


def correctness(probabilities: np.ndarray, faces: Faces, label_sets: Sequence[str]) -> dict[str, np.ndarray]:
    """Correct (1) or wrong (0) predictions (N,) by each of `label_sets`; NaN for faces that it does not label."""
    predicted, right = probabilities.argmax(axis=1), {}
    for name in label_sets:
        labels, mask = targets_and_mask(name, faces)
        right[name] = np.where(mask, predicted == labels, np.nan)
    return right


def error_shares(right: dict[str, np.ndarray], label_set: str) -> np.ndarray:
    """Share (N,) of the head's label sets by which its prediction is wrong; NaN for faces without any.

    A head whose label set is not in `right`, such as `mixed`, is measured by all of them.
    """
    values = np.array([right[name] for name in ((label_set,) if label_set in right else right)])
    known = np.isfinite(values)
    return np.where(known.any(axis=0), 1 - np.nansum(values, axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)


def choose_threshold(values: np.ndarray, wrong: np.ndarray, limit: float) -> float | None:
    """Value below which predictions are wrong more often than `limit`; None if these are too few."""
    known = np.isfinite(values) & np.isfinite(wrong)
    order = np.argsort(values[known], kind="stable")
    values, excess = values[known][order], np.cumsum(wrong[known][order] - limit)
    marked = int(excess.argmax()) + 1 if len(excess) else 0
    if marked < MIN_MARKED or excess[marked - 1] <= 0:
        return None
    return float((values[marked - 1] + values[min(marked, len(values) - 1)]) / 2)


def choose_thresholds(
    detected: dict[str, DetectedFaces], probabilities: dict[str, np.ndarray], label_set: str, label_sets: Sequence[str]
) -> dict[str, float]:
    """Thresholds of the reasons as in the manifest; a reason without evidence has none."""
    wrong = {
        name: error_shares(correctness(probabilities[name], detected[name].faces, label_sets), label_set) for name in detected
    }
    limit = min(ERROR_FACTOR * float(np.nanmean(wrong["plain"])), MAX_ERROR)
    sources = {"turned": "plain", "small": "small", "blurred": "blurred", "low_confidence": "plain"}
    found = {}
    for name in LIMITED_REASONS:
        rows = sources[name]
        values = probabilities[rows].max(axis=1) if name == "low_confidence" else detected[rows].values(name)
        threshold = choose_threshold(values, wrong[rows], limit)
        if threshold is not None:
            found[name] = round(abs(threshold), DIGITS[name])
    return found


def reasons(detected: DetectedFaces, probabilities: np.ndarray, thresholds: dict[str, float]) -> np.ndarray:
    """Reason (N,) str of each face, empty for accepted predictions; `covered`, which no threshold here decides, is left out."""
    rows = zip(detected.quality, probabilities.max(axis=1).tolist(), strict=True)
    return np.array([unsure_reason(quality, confidence, thresholds) or "" for quality, confidence in rows])


def curve(confidence: np.ndarray, right: np.ndarray, shares: Sequence[float] = COVERAGES) -> list[dict[str, float | None]]:
    """Accuracy of the most confident predictions at each coverage."""
    ordered = right[np.argsort(-confidence, kind="stable")]
    return [{"answered": share, "accuracy": _mean(ordered[: max(1, round(share * len(ordered)))])} for share in shares]


def selective_metrics(
    detected: DetectedFaces, probabilities: np.ndarray, marked: np.ndarray, label_sets: Sequence[str]
) -> dict[str, Any]:
    """For each label set: count, accuracy, coverage and accuracy of accepted predictions, of each reason's, and the curve."""
    report = {}
    for label_set, right in correctness(probabilities, detected.faces, label_sets).items():
        known = np.isfinite(right)
        right, reason, confidence = right[known], marked[known], probabilities.max(axis=1)[known]
        sure = reason == ""
        report[label_set] = {
            "count": len(right),
            "accuracy": _mean(right),
            "sure": {"share": _mean(sure), "accuracy": _mean(right[sure])},
            "marked": {
                name: {"count": int((reason == name).sum()), "accuracy": _mean(right[reason == name])}
                for name in UNSURE_REASONS if (reason == name).any()
            },
            "curve": curve(confidence, right),
        }  # fmt: skip
    return report


def measure(folder: Path, faces: Faces, degraded: int, seed: int) -> dict[str, dict[str, Any]]:
    """Thresholds of every expression head, and its metrics {split: {kind of images: {label set: metrics}}}."""
    registry, cache, report = ModelRegistry(folder), {}, {}
    face_detector, label_sets = (
        FaceAnalyzer(registry, head=None).face_detector,
        available_label_sets(faces, ("validation", "test")),
    )
    for entry in (head.metadata for head in registry.entries("expression-head")):
        model = ExpressionClassifier(registry, entry["name"])
        if entry["base"] not in cache:
            cache[entry["base"]] = {
                split: detect_split(face_detector, model, faces.split(split), degraded, seed) for split in ("validation", "test")
            }
        splits = cache[entry["base"]]
        predicted = {
            split: {kind: softmax(model.logits(rows.features), entry["temperature"]) for kind, rows in detected.items()}
            for split, detected in splits.items()
        }
        thresholds = choose_thresholds(splits["validation"], predicted["validation"], entry["truth"], label_sets)
        report[entry["name"]] = {"thresholds": thresholds} | {
            split: {
                kind: selective_metrics(
                    rows, predicted[split][kind], reasons(rows, predicted[split][kind], thresholds), label_sets
                )
                for kind, rows in detected.items()
            }
            for split, detected in splits.items()
        }
    return report


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=Path("data/fer2013.npz"), help="made by scripts.data.prepare")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--degraded", type=int, default=500, help="faces of each split that are reduced, and blurred")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--head", help=f"head in the chart of the report (default: `{MIXED}`, else the first)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks"), help="folder of rejection.md and rejection.svg")
    parser.add_argument("--write", action="store_true", help="write manifest and report; else print only")
    options = parser.parse_args(arguments)
    try:
        entries = [entry.metadata for entry in ModelRegistry(options.models).entries("expression-head")]
        default = next((entry["name"] for entry in entries if entry["name"] == MIXED), None)
        shown = ModelRegistry(options.models).entry("expression-head", options.head or default).name
        report = measure(options.models, without_copies(Faces.load(options.faces)), options.degraded, options.seed)
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")
    for head, row in report.items():
        label_set, plain = next(iter(row["test"]["plain"].items()))
        print(f"{head:8} {row['thresholds']}; test, {label_set}: {percent(plain['sure']['share'])} sure, "
              f"accuracy {percent(plain['sure']['accuracy'])}, all {percent(plain['accuracy'])}")  # fmt: skip
    if not options.write:
        return
    for entry in entries:
        row = report[entry["name"]]
        measured = {f"{label_set}_test": values for label_set, values in row["test"]["plain"].items()}
        changed = {**entry, "thresholds": row["thresholds"], "doubts": measured}
        put_entry(options.models, changed, options.models / entry["file"])
    print(f"written: {write_report(report, shown, options.out)}")


if __name__ == "__main__":
    main()
