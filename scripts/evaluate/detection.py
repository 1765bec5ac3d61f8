"""Measure the face detectors and write benchmarks/faces.md.

    python -m scripts.evaluate.detection --photos photos --drawn stylised

Half of the photos (by a hash of their names) serve to choose thresholds, the other half is reported. A detection is a true
positive if its IoU with a label is at least .35; matching is greedy by score, each label once.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from emotions.face.analyzer import FaceAnalyzer
from emotions.face.blazeface import Detection, to_detection
from emotions.face.detector import FaceDetector

from ..common.machine import processor
from .detection_scenes import (
    MIN_IOU,
    MIN_THRESHOLD,
    DetectFunction,
    Scene,
    best_threshold,
    drawn,
    face_free_parts,
    face_free_photos,
    labelled_photos,
    match_detections,
    match_scenes,
    recall_precision,
    small_faces,
)

SERVED_SIDE = 2048  # maximum side of open_image
SMALL = (16, 24, 32, 40, 56, 80, 112)
TILE_SCORE = 0.5
ROOT = Path(__file__).resolve().parents[2]


def raw_blazeface(face_detector: FaceDetector, name: str, pixels: np.ndarray) -> list[Detection]:
    """Detections of one model on the whole image."""
    model = face_detector.blazeface(name)
    (rows,) = model.detect(pixels, MIN_THRESHOLD)
    return [to_detection(row, model.entry.box) for row in rows]


def tiled(face_detector: FaceDetector, side: int, pixels: np.ndarray) -> list[Detection]:
    """Detections of full-range on tiles of `side` pixels."""
    model = face_detector.blazeface("blazeface-full-range")
    return [to_detection(row, model.entry.box) for row in model.detect_tiled(pixels, TILE_SCORE, side)]


def milliseconds(detect: DetectFunction, scenes: list[Scene], size: tuple[int, int] = (640, 480)) -> str:
    """Median and 95th percentile of the detection time in ms on scenes fitted into `size`, each the best of three runs."""
    times = []
    for scene in scenes:
        scale = min(size[0] / scene.pixels.shape[1], size[1] / scene.pixels.shape[0])
        pixels = cv2.resize(scene.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            detect(pixels)
            seconds.append(time.perf_counter() - start)
        times.append(min(seconds) * 1e3)
    return f"{np.median(times):.1f} / {np.percentile(times, 95):.1f}"


def detectors(face_detector: FaceDetector) -> dict[str, tuple[DetectFunction, bool]]:
    """Name -> (detection function, true if its threshold is chosen here)."""

    def product(name: str) -> DetectFunction:
        return lambda pixels: face_detector.detect(pixels, name)[1]

    return {
        "full-range alone": (partial(raw_blazeface, face_detector, "blazeface-full-range"), True),
        "back-camera alone": (partial(raw_blazeface, face_detector, "blazeface-back-camera"), True),
        "`haar`": (product("haar"), True),
        "`blazeface`": (product("blazeface"), False),
        "`auto`": (product("auto"), False),
    }


def photo_table(face_detector: FaceDetector, scenes: list[Scene], empty: list[Scene]) -> list[str]:
    """Recall, precision, false positives and time of each detector."""
    choosing, reported = ([scene for scene in scenes if scene.half == half] for half in (0, 1))
    functions = detectors(face_detector)
    times = {name: (milliseconds(detect, reported), milliseconds(detect, empty)) for name, (detect, _) in functions.items()}
    parts = list(face_free_parts([*scenes, *empty]))
    lines = [
        f"{len(reported)} photos with {faces_in(reported)} faces; thresholds chosen on {len(choosing)} others with "
        f"{faces_in(choosing)} (a match: overlap of {MIN_IOU} or more). False alarms: on {len(empty)} photos without faces, "
        f"and on {len(parts)} parts of photos without one. Milliseconds: p50 / p95 on one core of the reported photos "
        "fitted into 640x480, and of the photos without faces.",
        "",
        f"The full-range model's threshold for doubtful faces, which Face Mesh then checks, is {doubtful(face_detector)}; the "
        f"best on the choosing half is {best_doubtful(face_detector, choosing)}.",
        "",
        "| detector | threshold | recall | precision | false alarms: photos | parts | ms with faces | ms without |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, (detect, choose) in functions.items():
        threshold = best_threshold(*match_scenes(detect, choosing)) if choose else 0.0
        recall, precision = recall_precision(*match_scenes(detect, reported), threshold)
        alarms = [sum(alarmed(detect(scene.pixels), threshold) for scene in group) for group in (empty, parts)]
        cells = [name, f"{threshold:.2f}" if choose else "manifest", f"{recall:.3f}", f"{precision:.3f}"]
        cells += [f"{alarms[0]} of {len(empty)}", f"{alarms[1]} of {len(parts)}", *times[name]]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def faces_in(scenes: list[Scene]) -> int:
    return sum(len(scene.boxes) for scene in scenes)


def alarmed(found: list[Detection], threshold: float) -> bool:
    return any(face.score >= threshold for face in found)


def doubtful(face_detector: FaceDetector) -> float:
    return face_detector.blazeface("blazeface-full-range").entry.thresholds["doubtful"]


def best_doubtful(face_detector: FaceDetector, choosing: list[Scene]) -> float:
    """Threshold for uncertain faces with the highest F1 of `blazeface`; among equal ones the highest."""
    models = face_detector.registry.manifest["models"]
    thresholds = next(entry for entry in models if entry["name"] == "blazeface-full-range")["thresholds"]
    shipped, scored = thresholds["doubtful"], {}
    for value in (0.5, 0.4, 0.35, 0.3, 0.25, 0.2):
        thresholds["doubtful"] = value
        recall, precision = recall_precision(*match_scenes(lambda pixels: face_detector.detect(pixels, "blazeface")[1], choosing))
        scored[value] = 2 * recall * precision / (recall + precision)
    thresholds["doubtful"] = shipped
    return max(scored, key=scored.__getitem__)


def small_table(face_detector: FaceDetector, scenes: list[Scene], empty: list[Scene]) -> list[str]:
    """Recall and precision on small faces: whole scenes and tiles, at the served and at full size."""
    functions: dict[str, tuple[DetectFunction, bool]] = {
        "`blazeface`, as served (whole)": (lambda pixels: face_detector.detect(pixels, "blazeface")[1], True),
        "`auto`, as served (tiles)": (lambda pixels: face_detector.detect(pixels)[1], True),
        "tiles of 512, as served": (partial(tiled, face_detector, 512), True),
        "tiles of 384, as served": (partial(tiled, face_detector, 384), True),
        "tiles of 512, full size": (partial(tiled, face_detector, 512), False),
    }
    lines = [
        "Each photo shrunk until its mean face is so many pixels high, six to a scene of 4000x3000; served pictures have at "
        f"most {SERVED_SIDE} pixels a side. Tiles: full-range at a score of {TILE_SCORE}. Recall / precision:",
        "",
        "| detection | " + " | ".join(f"{height} px" for height in SMALL) + " | ms a scene |",
        "| --- |" + " --- |" * (len(SMALL) + 1),
    ]
    cells: dict[str, list[str]] = {name: [] for name in functions}
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for height in SMALL:
        large = list(small_faces(scenes, empty, height))
        for name, (detect, served) in functions.items():
            rows, faces = [], 0
            for scene in large:
                scale = SERVED_SIDE / max(scene.pixels.shape) if served else 1.0
                pixels = cv2.resize(scene.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
                start = time.perf_counter()
                found = detect(pixels)
                seconds[name].append(time.perf_counter() - start)
                rows += match_detections(found, scene.boxes * scale)
                faces += len(scene.boxes)
            recall, precision = recall_precision(rows, faces)
            cells[name].append(f"{recall:.3f} / {precision:.3f}" if rows else f"{recall:.3f} / –")
    return lines + [f"| {name} | {' | '.join(cells[name])} | {np.median(seconds[name]) * 1e3:.0f} |" for name in functions]


def drawn_table(face_detector: FaceDetector, folder: Path, empty: list[Scene]) -> list[str]:
    """Recall on drawings by the height of the face relative to the image's longer side."""
    bands = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 1.0))
    functions = {name: detect for name, (detect, _) in detectors(face_detector).items()}
    found: dict[str, list[tuple[float, bool, int, int]]] = {name: [] for name in functions}
    for scene in drawn(folder, empty):
        (_, top, _, bottom), longer = scene.boxes[0], max(scene.pixels.shape)
        for name, detect in functions.items():
            faces = [face for face in detect(scene.pixels) if "alone" not in name or face.score >= 0.5]
            rows = match_detections(faces, scene.boxes)
            wrong = sum(not hit for _, hit in rows)
            found[name].append(((bottom - top) / longer, any(hit for _, hit in rows), wrong, scene.half))
    total = len(next(iter(found.values())))
    lines = [
        f"{total} drawings (emoji and DiceBear), each on a canvas of 640x480 to 1280x960, of one colour or a photo without "
        "faces, its side a fifth to four fifths of the canvas's shorter one. The models alone: threshold .50. By the height of "
        "the face over the canvas's longer side:",
        "",
        "| detector | found | on the reported half | "
        + " | ".join(f"{low:.0%} to {high:.0%}" for low, high in bands)
        + " | false boxes a canvas |",
        "| --- | --- | --- |" + " --- |" * (len(bands) + 1),
    ]  # fmt: skip
    for name, drawings in found.items():
        table = np.array(drawings, float)
        shares = [table[(table[:, 0] >= low) & (table[:, 0] < high), 1].mean() for low, high in bands]
        half = table[table[:, 3] == 1, 1].mean()
        cells = " | ".join(f"{share:.3f}" for share in (table[:, 1].mean(), half, *shares))
        lines.append(f"| {name} | {cells} | {table[:, 2].mean():.2f} |")
    return lines


def provenance(arguments: list[str], module: str = "scripts.evaluate.detection") -> list[str]:
    """Date, commit, machine and versions of the measurement by `module`, as lines of Markdown."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    changed = git(
        "status",
        "--porcelain",
        "--",
        "emotions",
        "models",
        "scripts/evaluate",
    )
    versions = ", ".join(f"{package} {version(package)}" for package in ("ai-edge-litert", "opencv-python-headless", "numpy"))
    return [
        f"- {datetime.now(UTC):%Y-%m-%d}, `{shlex.join(['python', '-m', module, *arguments])}`",
        f"- commit {git('rev-parse', '--short=12', 'HEAD') or 'unknown'}{' with uncommitted changes' if changed else ''}",
        f"- {processor()}, one core, load {os.getloadavg()[0]:.1f} at the start; Python {platform.python_version()}, {versions}",
    ]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder with boxes.csv, photos.csv and scenes/")
    parser.add_argument("--drawn", type=Path, help="folder with labels.csv and the drawings it names")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/faces.md"))
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core, as the figures say
    cv2.setNumThreads(1)
    face_detector = FaceAnalyzer().face_detector
    scenes, empty = labelled_photos(options.photos), face_free_photos(options.photos)
    sections: list[tuple[str, Any, tuple[Any, Any]]] = [
        ("Photos", photo_table, (scenes, empty)),
        ("Small faces in 12-megapixel scenes", small_table, (scenes, empty)),
    ]
    if options.drawn:
        sections.append(("Drawn faces", drawn_table, (options.drawn, empty)))
    lines = ["# Face detectors", "", *provenance(sys.argv[1:] if arguments is None else arguments), ""]
    for title, table, data in sections:
        section = [f"## {title}", "", *table(face_detector, *data), ""]
        print("\n".join(section), flush=True)
        lines += section
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines), encoding="utf-8")
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
