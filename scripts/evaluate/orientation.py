"""Measure photos that lie on their sides or stand on their heads, and write benchmarks/orientation.md.

    python -m scripts.evaluate.orientation --photos photos                         # about four minutes of one core
    python -m scripts.evaluate.orientation --photos photos --count 20 --rounds 3   # dry run: so many faces and rounds

Labelled photos are rotated by quarter turns and analyzed as served. What the search of other orientations changes and costs is
measured against the same detector without it, in the same process and in turn. The logits from which landmarks count as right
way up, and the angles up to which faces are read, are those of validation faces of `--faces`, set into larger images that are
rotated (scripts/evaluate/framing.py).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from emotions.face import blazeface
from emotions.face.alignment import align_crop
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.blazeface import Detection
from emotions.face.detector import FaceDetector
from emotions.face.landmarks import CERTAIN, MAX_TILT, PLAUSIBLE, Landmarks, Region
from emotions.face.pose import estimate_pose
from emotions.face.reliability import MAX_PITCH
from emotions.face.results import Face

from ..common.commands import command_line
from ..common.git import commit
from ..common.machine import processor
from ..common.markdown import table
from ..data.dataset import DatasetError, Faces, sample
from ..data.labels import available_label_sets
from ..data.splits import without_copies
from .detection_scenes import MIN_IOU, Scene, corners, face_free_parts, face_free_photos, labelled_photos
from .experiments import one_core
from .framing import placed
from .rejection import correctness, error_shares

TURNS = (0, 1, 2, 3)
ROLLS = tuple(range(0, 360, 30))
PITCHES = ((-90, -30), (-30, -20), (-20, -10), (-10, 10), (10, 20), (20, 30), (30, MAX_PITCH), (MAX_PITCH, 90))
SEED = 20261127


class UprightDetector(FaceDetector):
    """The detector without the search of other orientations."""

    def _right_way_up(self, pixels: np.ndarray, faces: list[Detection]) -> list[Detection]:
        return faces

    def _predict_landmarks(self, pixels: np.ndarray, face: Detection) -> Landmarks:
        return self._mesh.predict_refined(pixels, Region.of_box(face.inner_box or face.box, face.keypoints))


def upright_analyzer(analyzer: FaceAnalyzer) -> FaceAnalyzer:
    """Return an analyzer with the same models and an UprightDetector."""
    other = FaceAnalyzer(analyzer.registry, analyzer.classifier.head)
    classifier = other.classifier
    other.face_detector = UprightDetector(analyzer.registry, classifier.backbone_entry.name, classifier.features)
    return other


def clockwise(scene: Scene, turns: int) -> Scene:
    """Rotate a scene and its boxes by quarter turns clockwise."""
    pixels, boxes = scene.pixels, scene.boxes
    for _ in range(turns):
        left, top, right, bottom = boxes.T
        height = pixels.shape[0]
        pixels, boxes = np.rot90(pixels, -1), np.stack([height - bottom, left, height - top, right], axis=1)
    return Scene(scene.name, np.ascontiguousarray(pixels), boxes)


def match_faces(faces: Sequence[Face], boxes: np.ndarray) -> dict[int, Face]:
    """Match faces to boxes (N, 4), the largest face first: {row of the box: face}."""
    found: dict[int, Face] = {}
    for face in faces:
        overlaps = blazeface.iou(corners(face.box), boxes)
        best = int(overlaps.argmax())
        if overlaps[best] >= MIN_IOU:
            found.setdefault(best, face)
    return found


def angle_between(one: float, other: float) -> float:
    """Angle from 0 to 180 degrees between two directions in degrees."""
    return abs((one - other + 180) % 360 - 180)


def turned_rows(analyzer: FaceAnalyzer, scenes: Sequence[Scene]) -> list[tuple[object, ...]]:
    """Return a row for each quarter turn: faces found, and their answers compared with those of the upright photos."""
    upright = [match_faces(analyzer.analyze(scene.pixels).faces, scene.boxes) for scene in scenes]
    rows: list[tuple[object, ...]] = []
    for turns in TURNS:
        found = extra = 0
        same, sure, rolls = [], [], []
        for scene, before in zip(scenes, upright, strict=True):
            turned = clockwise(scene, turns)
            faces = analyzer.analyze(turned.pixels).faces
            after = match_faces(faces, turned.boxes)
            found, extra = found + len(after), extra + len(faces) - len(after)
            for key in before.keys() & after.keys():
                one, other = before[key], after[key]
                same.append(one.emotion == other.emotion)
                if one.unsure is None and other.unsure is None:
                    sure.append(one.emotion == other.emotion)
                if one.pose and other.pose:
                    rolls.append(angle_between(other.pose.roll, one.pose.roll + 90 * turns))
        rows.append(
            (90 * turns, f"{found} of {sum(len(scene.boxes) for scene in scenes)}", extra, f"{np.mean(same):.1%}",
             f"{len(sure) - sum(sure)} of {len(sure)}", f"{np.percentile(rolls, 95):.1f}", f"{max(rolls):.1f}")
        )  # fmt: skip
    return rows


def alarm_rows(analyzers: dict[str, FaceAnalyzer], scenes: dict[str, list[Scene]]) -> list[tuple[object, ...]]:
    """Return a row for each analyzer: images without faces in which it finds some, at all quarter turns."""
    return [
        (
            title,
            *(
                f"{sum(bool(one.face_detector.detect(clockwise(scene, turns).pixels)[1]) for scene in some for turns in TURNS)} "
                f"of {len(TURNS) * len(some)}"
                for some in scenes.values()
            ),
        )
        for title, one in analyzers.items()
    ]


def cost_rows(analyzers: dict[str, FaceAnalyzer], scenes: dict[str, list[Scene]], rounds: int) -> list[tuple[object, ...]]:
    """Return a row for each kind of photos: milliseconds of all analyzers in turn, and their ratio, on one core."""
    rows: list[tuple[object, ...]] = []
    with one_core():
        for kind, some in scenes.items():
            times = np.zeros((rounds, len(some), len(analyzers)))
            for index in np.ndindex(rounds, len(some)):
                order = list(enumerate(analyzers.values()))
                for place, analyzer in order[:: 1 if index[0] % 2 else -1]:
                    start = time.thread_time()
                    analyzer.analyze(some[index[1]].pixels)
                    times[(*index, place)] = time.thread_time() - start
            fastest = 1e3 * times.min(axis=0)
            total = fastest.sum(axis=0)
            medians = np.median(fastest, axis=0)
            rows.append((kind, len(some), *(f"{value:.1f}" for value in medians), f"{total[1] / total[0]:.3f}"))
    return rows


@dataclass(frozen=True)
class Reading:
    """Validation faces as they were read: rows (N,) of the table, poses (N, 3) as yaw, pitch, roll, and probabilities (N, 7)."""

    rows: np.ndarray
    poses: np.ndarray
    probabilities: np.ndarray


def read_faces(analyzer: FaceAnalyzer, faces: Faces, degrees: float) -> Reading:
    """Read the faces of a table in images that are rotated clockwise."""
    detector, size = analyzer.face_detector, analyzer.classifier.size
    rows, poses, crops = [], [], []
    for index, face in enumerate(faces.pixels):
        image = placed(face)
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
        image = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE) if degrees else image
        for found in detector.detect(image)[1][:1]:
            mesh = detector.landmarks(image, found)
            pose = None if mesh is None else estimate_pose(mesh)
            rows.append(index)
            poses.append((pose.yaw, pose.pitch, pose.roll) if pose else (np.nan,) * 3)
            crops.append(align_crop(image, found.box, mesh, size, found.turns))
    probabilities = analyzer.classifier.probabilities(np.stack(crops))
    return Reading(np.array(rows), np.array(poses), probabilities)


def errors(reading: Reading, faces: Faces) -> np.ndarray:
    """Share (N,) of the label sets by which each face is read wrongly; NaN without a label."""
    some = faces.where(np.isin(np.arange(len(faces)), reading.rows))
    sets = available_label_sets(some, ("validation",))
    return error_shares(correctness(reading.probabilities, some, sets), "mixed")


def roll_rows(analyzer: FaceAnalyzer, faces: Faces) -> list[tuple[object, ...]]:
    """Return a row for each of ROLLS: faces found, errors, and answers and rolls compared with the upright ones."""
    rows: list[tuple[object, ...]] = []
    upright: dict[int, tuple[int, float]] = {}
    for degrees in ROLLS:
        reading = read_faces(analyzer, faces, degrees)
        classes, rolls = reading.probabilities.argmax(axis=1).tolist(), reading.poses[:, 2].tolist()
        read = dict(zip(reading.rows.tolist(), zip(classes, rolls, strict=True), strict=True))
        upright = upright or read
        both = read.keys() & upright.keys()
        same = np.mean([read[key][0] == upright[key][0] for key in both])
        off = sum(angle_between(read[key][1], upright[key][1] + degrees) > 30 for key in both)
        wrong = float(np.nanmean(errors(reading, faces)))
        rows.append((degrees, len(reading.rows), f"{wrong:.1%}", f"{same:.1%}", off))
    return rows


def pitch_rows(reading: Reading, wrong: np.ndarray) -> list[tuple[object, ...]]:
    """Return a row for each of PITCHES: faces and errors."""
    rows: list[tuple[object, ...]] = []
    for low, high in PITCHES:
        inside = (reading.poses[:, 1] >= low) & (reading.poses[:, 1] < high)
        share = f"{np.nanmean(wrong[inside]):.1%}" if inside.any() else ""
        rows.append((f"{low:+} to {high:+}", int(inside.sum()), share))
    return rows


def logit_rows(analyzer: FaceAnalyzer, faces: Faces) -> list[tuple[object, ...]]:
    """Return a row for each quarter turn: logits of the landmarks that claim to be upright, predicted as if the image were."""
    detector, rows = UprightDetector(analyzer.registry), []
    for turns in TURNS:
        found = []
        for face in faces.pixels:
            image = np.ascontiguousarray(np.rot90(placed(face), -turns))
            for detection in detector.detect(image)[1][:1]:
                landmarks = detector._predict_landmarks(image, detection)
                if landmarks.is_upright(logit=-np.inf):
                    found.append(landmarks.logit)
        found = found or [np.nan]
        shares = [f"{np.mean(np.array(found) >= limit):.1%}" for limit in (PLAUSIBLE, CERTAIN)]
        rows.append((90 * turns, len(found), *(f"{np.percentile(found, share):.1f}" for share in (5, 50, 95)), *shares))
    return rows


def report(options: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    """Measure, and return the text of the report. Raises DatasetError."""
    analyzer = FaceAnalyzer()
    analyzers = {"without": upright_analyzer(analyzer), "with": analyzer}
    scenes, empty = labelled_photos(options.photos), face_free_photos(options.photos)
    validation = without_copies(Faces.load(options.faces)).split("validation")
    some = sample(validation, options.count, SEED)
    parts = list(face_free_parts([*scenes, *empty]))
    more = sample(validation, 22 * options.count, SEED)  # those with extreme pitch are few
    reading = read_faces(analyzer, more, 0)
    sections = [
        ("Labelled photos", turned_rows(analyzer, scenes), "r",
         ("turn", "faces found", "other boxes", "same answer", "sure, but another answer", "roll off, 95 %", "maximum"),
         "Photos rotated clockwise, in degrees. Answers and roll angles of the faces that are found are compared with those of "
         "the upright photo (95th percentile and maximum of the difference); *sure* faces have no `unsure` in either."),
        ("False alarms", alarm_rows(analyzers, {"photos": empty, "parts": parts}), "lr",
         ("search of other orientations", "photos without faces", "parts of photos without faces"),
         "Images in which there is no face, at all four quarter turns."),
        ("Cost", cost_rows(analyzers, {"with faces": scenes, "without faces": empty}, options.rounds), "lr",
         ("photos", "count", "ms without the search", "ms with it", "ratio of the sums"),
         f"Processor time of detection and classification, without decoding, on one core: medians of the photos, the fastest of "
         f"{options.rounds} runs each, in turn. Processor: {processor()}."),
        ("Roll", roll_rows(analyzer, some), "r",
         ("degrees", "faces found", "wrong", "same answer as upright", "roll off by more than 30"),
         f"{len(some)} validation faces of {options.faces.stem}, enlarged from {some.pixels.shape[1]} pixels and rotated "
         "clockwise. Crops are aligned, so that the answers do not depend on roll: there is no limit of it."),
        ("Pitch", pitch_rows(reading, errors(reading, more)), "lr",
         ("pitch, degrees", "faces", "wrong"),
         f"Validation faces of {options.faces.stem}, upright. Up to {MAX_PITCH} degrees predictions are as often right as "
         "others. Beyond are too few faces to show it: these are marked `turned`."),
        ("Which way up: logits of Face Mesh", logit_rows(analyzer, some), "r",
         ("degrees", "faces", "5th percentile", "median", "95th", f"at least {PLAUSIBLE:g}", f"at least {CERTAIN:g}"),
         f"Landmarks of the same faces that are within {MAX_TILT} degrees of upright, predicted without looking at other "
         "orientations. In turned images they are wrong: eyes are seen in mouths. From the higher limit no other orientation is "
         "tried; from the lower one landmarks count, and the orientation with the highest sum of logits is taken."),
    ]  # fmt: skip
    text = "\n\n".join(
        f"## {title}\n\n{words}\n\n{table(columns, align, rows)}" for title, rows, align, columns, words in sections
    )
    command = command_line("scripts.evaluate.orientation", parser, options)
    return f"# Photos on their sides or upside down\n\n{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, `{command}`\n\n{text}\n"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder with boxes.csv, photos.csv and scenes/")
    parser.add_argument("--faces", type=Path, default=Path("data/fer2013.npz"), help="made by scripts.data.prepare")
    parser.add_argument("--count", type=int, default=150, help="validation faces that are rotated")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of timing")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/orientation.md"))
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        text = report(options, parser)
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
