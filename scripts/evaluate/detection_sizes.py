"""Measure how many faces are found at any size of a picture, and write benchmarks/face_sizes.md with a plot.

    python -m scripts.evaluate.detection_sizes --photos photos

Photos with a box for every face, fitted into sizes from 240 to 4,000 pixels, and scenes of six such photos whose faces are small.
The thresholds were chosen on the other half of the photos (see detection.py). A face is found if a detection overlaps it by an
IoU of .35 or more.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emotions.face.analyzer import FaceAnalyzer
from emotions.face.detector import FaceDetector

from ..common.plotting import svg_plots
from .detection import SERVED_SIDE, provenance
from .detection_scenes import Scene, assign_detections, face_free_photos, labelled_photos, small_faces

SIDES = (240, 320, 480, 640, 800, 1024, 1280, 1600, 2048, 2800, 4000)
SCENE_SIDES = tuple(side for side in SIDES if side >= 640)
HEIGHTS = (28, 36, 44, 56, 72, 100)
"""Mean heights of the faces of scenes, in pixels of the picture as it is analyzed."""
BANDS = ((20, 30), (30, 40), (40, 56), (56, 80), (80, 10_000))
"""Heights of faces in pixels of the picture as it is analyzed."""


@dataclass
class Counts:
    """Faces by band of BANDS, those of them that were found, right and wrong detections, and seconds a picture."""

    faces: np.ndarray
    found: np.ndarray
    right: int
    wrong: int
    seconds: list[float]

    def row(self, name: str) -> str:
        """Row of the table; a band without faces is left empty."""
        cells = [f"{found / faces:.3f} ({faces})" if faces else "" for found, faces in zip(self.found, self.faces, strict=True)]
        precision = f"{self.right / (self.right + self.wrong):.3f}" if self.right + self.wrong else ""
        return f"| {name} | {' | '.join(cells)} | {precision} | {np.median(self.seconds) * 1e3:.0f} |"

    def recall(self, low: int) -> float:
        """Recall of faces of `low` pixels and more; NaN without such faces."""
        chosen = np.array([band[0] >= low for band in BANDS])
        return float(self.found[chosen].sum() / self.faces[chosen].sum()) if self.faces[chosen].sum() else float("nan")


def fitted(scene: Scene, side: int) -> Scene:
    """The scene with a longer side of `side` pixels, but as it is served: of at most SERVED_SIDE."""
    scale = min(side, SERVED_SIDE) / max(scene.pixels.shape)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return Scene(scene.name, cv2.resize(scene.pixels, None, fx=scale, fy=scale, interpolation=way), scene.boxes * scale)


def count(face_detector: FaceDetector, scenes: Iterable[Scene]) -> Counts:
    """Detect the faces of all scenes, and count."""
    counts = Counts(np.zeros(len(BANDS), int), np.zeros(len(BANDS), int), 0, 0, [])
    for scene in scenes:
        start = time.process_time()
        found = face_detector.detect(scene.pixels)[1]
        counts.seconds.append(time.process_time() - start)
        assigned = [face for _, face in assign_detections(found, scene.boxes)]
        counts.right, counts.wrong = counts.right + len(assigned) - assigned.count(-1), counts.wrong + assigned.count(-1)
        heights = scene.boxes[:, 3] - scene.boxes[:, 1]
        matched = np.isin(np.arange(len(heights)), assigned)
        for index, (low, high) in enumerate(BANDS):
            band = (heights >= low) & (heights < high)
            counts.faces[index] += band.sum()
            counts.found[index] += matched[band].sum()
    return counts


def scenes_of(side: int, scenes: list[Scene], empty: list[Scene]) -> Iterable[Scene]:
    """Scenes of photos whose mean faces have HEIGHTS, for pictures of `side` pixels."""
    longer = min(side, SERVED_SIDE)
    for height in HEIGHTS:
        yield from small_faces(scenes, empty, height, canvas_size=(longer, longer * 3 // 4))


def table(rows: dict[int, Counts], what: str) -> list[str]:
    """Table of recall by height of the face."""
    names = [f"{low} to {high} px" if high < 10_000 else f"{low} px and more" for low, high in BANDS]
    return [
        f"| {what} | {' | '.join(names)} | precision | ms |",
        "| ---: |" + " ---: |" * (len(BANDS) + 2),
        *(counts.row(f"{side:,}") for side, counts in rows.items()),
    ]


def plot(photos: dict[int, Counts], scenes: dict[int, Counts], out: Path) -> None:
    """Draw recall over the size of the picture."""
    with svg_plots() as pyplot:
        figure, axes = pyplot.subplots(figsize=(6, 3))
        for rows, low, label, style in (
            (photos, 20, "photos, faces of 20 px and more", "o-"),
            (scenes, 40, "groups, faces of 40 px and more", "s-"),
            (scenes, 20, "groups, faces of 20 px and more", "^--"),
        ):
            axes.plot(list(rows), [counts.recall(low) for counts in rows.values()], style, label=label)
        axes.set_xscale("log")
        axes.set_xticks(SIDES, [f"{side:,}" for side in SIDES], rotation=45)
        axes.minorticks_off()
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("longer side of the picture, pixels")
        axes.set_ylabel("recall")
        axes.legend(loc="lower right", frameon=False)
        figure.tight_layout()
        figure.savefig(out, metadata={"Date": None})
        pyplot.close(figure)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder with boxes.csv, photos.csv and scenes/")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/face_sizes.md"))
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core, as the figures say
    cv2.setNumThreads(1)
    face_detector = FaceAnalyzer().face_detector
    reported = [scene for scene in labelled_photos(options.photos) if scene.half == 1]
    empty = face_free_photos(options.photos)
    photos = {side: count(face_detector, (fitted(scene, side) for scene in reported)) for side in SIDES}
    groups = {side: count(face_detector, scenes_of(side, reported, empty)) for side in SCENE_SIDES}
    alarms = {side: sum(bool(face_detector.detect(fitted(scene, side).pixels)[1]) for scene in empty) for side in SIDES}
    words = sys.argv[1:] if arguments is None else arguments
    lines = [
        "# Faces found by the size of the picture",
        "",
        *provenance(words, "scripts.evaluate.detection_sizes"),
        "",
        "Recall by the height of the face (and the number of faces), with `auto`. Heights are those in the picture as it is "
        f"analyzed: of larger ones than {SERVED_SIDE:,} pixels, reduced to that. Milliseconds: median of processor time.",
        "",
        f"## {len(reported)} photos, fitted into each size",
        "",
        *table(photos, "longer side"),
        "",
        f"Faces in {len(empty)} photos without any, over all {len(SIDES)} sizes: {sum(alarms.values())}.",
        "",
        f"## Groups: six photos a scene, shrunk until their mean face has {', '.join(map(str, HEIGHTS))} pixels",
        "",
        *table(groups, "longer side"),
        "",
        f"![Recall over the size of the picture]({options.out.stem}.svg)",
        "",
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines), encoding="utf-8")
    plot(photos, groups, options.out.with_suffix(".svg"))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
