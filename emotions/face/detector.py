"""RGB pixels -> faces: boxes, landmarks, order; box and landmarks -> an aligned grey crop framed as the training faces are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from ..runtime.manifest import ModelRegistry
from . import blazeface
from .alignment import align_crop
from .blazeface import PYRAMID_SCALES, FULL_SCALE, BlazeFace
from .drawn_detector import ROLE, DrawnFaceDetector, flatness
from .landmarks import FaceMesh, Region
from .results import Box

# OpenCV's frontal-face cascade (Viola and Jones, 2001): the detector that most such apps use, here for comparison.

LONGEST = 640  # a cascade's time grows with the pixels; faces under 4 % of the longer side are lost
STEP = 1.1
NEIGHBOURS = 5
FILE = "haarcascade_frontalface_default.xml"  # comes with OpenCV


class HaarCascade:
    """Loaded on first use. A CascadeClassifier is not thread-safe, hence the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cascade: Any = None

    def __call__(self, pixels: np.ndarray) -> list[tuple[Box, float]]:
        """Faces of (H, W, 3) uint8 RGB: box in its pixels, and a score 0..1 that grows with the cascade's margin."""
        scale = min(1.0, LONGEST / max(pixels.shape[:2]))
        size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
        grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        grey = cv2.equalizeHist(grey)
        with self._lock:
            if self._cascade is None:
                data: Any = cv2.data  # type: ignore[attr-defined]  # OpenCV's stubs leave it out
                self._cascade = cv2.CascadeClassifier(data.haarcascades + FILE)
            boxes, _, margins = self._cascade.detectMultiScale3(grey, STEP, NEIGHBOURS, outputRejectLevels=True)
        places = np.asarray(boxes, float).reshape(-1, 4) / scale
        return [(Box(*place.tolist()), float(1 / (1 + np.exp(-margin)))) for place, margin in zip(places, np.ravel(margins))]


__all__ = ["DETECTORS", "Detection", "FaceDetector", "align_crop"]

DETECTORS = ("auto", "blazeface", "haar", "none")

MERGE_IOU = 0.35  # overlap of candidates that see one face in several views
MAX_PROPOSALS = 8  # places that the second look examines, strongest first: each may cost a pass of Face Mesh
LARGE_PICTURE = 1024  # pixels of its longer side; smaller ones lose little when they shrink to the network's 192
TILE_SIZE = 768  # pixels: faces from 35 pixels up are found, in up to 12 looks at a picture of 2048 x 1536
SMALL_FACE = 0.1  # height over the picture's longer side


@dataclass(frozen=True)
class Detection:
    """A face in a picture: `box` and `keypoints` in its pixels, `score` 0..1.

    `keypoints` (6, 2) float32 as in blazeface.KEYPOINTS; NaN where the detector gives none. `inner`: where in a box that is
    the whole picture the face itself was seen; None otherwise.
    """

    box: Box
    score: float
    keypoints: np.ndarray
    inner: Box | None = None


class FaceDetector:
    """Detectors and Face Mesh, each loaded on first use and shared by threads.

    `features` are those of the expression base called `base`, crops (N, S, S) uint8 -> (N, F): with them and a check made for
    that base drawn faces are searched for; without, only the detector's own boxes are looked at.
    """

    def __init__(
        self, registry: ModelRegistry, base: str | None = None, features: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        self.registry = registry
        checks = [entry for entry in registry.entries(ROLE) if entry.base == base]
        self._drawn = DrawnFaceDetector(checks[0], registry.model(checks[0]), features) if features and checks else None

    def detect(self, pixels: np.ndarray, detector: str = "auto") -> tuple[str, list[Detection]]:
        """Faces of (H, W, 3) uint8 RGB, largest first, and the name of the detector that answered.

        `auto` and `blazeface` look with the full-range model; `auto` looks closer at large pictures with small faces or none,
        and where there is still none a second time with the back-camera model, for drawings and faces that fill the picture.
        `haar` is OpenCV's cascade, for comparison; `none` takes the whole picture as one face.
        Raises ValueError for another name.
        """
        if detector not in DETECTORS:
            raise ValueError(f"detector must be one of {', '.join(DETECTORS)}, not {detector!r}")
        if detector == "none":
            return "none", [self._whole(pixels)]
        if detector == "haar":
            return "haar", _largest_first([Detection(box, score, _nowhere()) for box, score in self._haar(pixels)])
        found = self._detect_full_range(pixels)
        if detector == "auto":
            if max(pixels.shape[:2]) > LARGE_PICTURE and all(_is_small(face.box, pixels) for face in found):
                found = self._detect_tiles(pixels, found)
            found = found or self._detect_back_camera(pixels)
        return "blazeface", _largest_first(found)

    def landmarks(self, pixels: np.ndarray, detection: Detection) -> np.ndarray | None:
        """Face Mesh's 468 points, (468, 2) float32 in pixels of the picture; None where it sees no face in the box."""
        mesh = self.mesh(pixels, detection)
        return None if mesh is None else mesh[:, :2]

    def mesh(self, pixels: np.ndarray, detection: Detection) -> np.ndarray | None:
        """As `landmarks`, with the depth as third column: (468, 3) float32, see emotions/face/landmarks.py."""
        return self._mesh.points(pixels, Region.of_box(detection.inner or detection.box, detection.keypoints))

    def blazeface(self, name: str) -> BlazeFace:
        """One of the manifest's detectors by name; ModelFileError for another."""
        entry = self.registry.entry("detector", name)
        return BlazeFace(entry, self.registry.model(entry))

    def _whole(self, pixels: np.ndarray) -> Detection:
        """The whole picture as one face, with a hint where Face Mesh shall look: most portraits are more than a face."""
        height, width = pixels.shape[:2]
        box = Box(0.0, 0.0, float(width), float(height))
        seen = _largest_first(self._detect_full_range(pixels) or self._detect_back_camera(pixels))
        return Detection(box, 1.0, seen[0].keypoints, seen[0].box) if seen else Detection(box, 1.0, _nowhere())

    def _detect_full_range(self, pixels: np.ndarray) -> list[Detection]:
        """Full-range: sure answers as they are, doubtful ones where Face Mesh sees a face too."""
        model = self.blazeface("blazeface-full-range")
        (rows,) = model.detect(pixels, model.entry.thresholds["doubtful"])
        return self._confirmed(pixels, model, rows)

    def _detect_tiles(self, pixels: np.ndarray, known: list[Detection]) -> list[Detection]:
        """Full-range again on parts of a large picture: reduced to its input as a whole, a group's faces are a few pixels."""
        model = self.blazeface("blazeface-full-range")
        rows = model.detect_tiled(pixels, model.entry.thresholds["doubtful"], TILE_SIZE)
        for face in known:  # parts of a face that is known
            rows = rows[blazeface.fraction_inside(rows, _corners(face.box)) < 0.5]
        return known + self._confirmed(pixels, model, rows, sure="score_closer")

    def _confirmed(self, pixels: np.ndarray, model: BlazeFace, rows: np.ndarray, sure: str = "score") -> list[Detection]:
        least = model.entry.thresholds
        found = [to_detection(row, model.entry.box) for row in rows]
        return [face for face in found if face.score >= least[sure] or self._mesh_score(pixels, face) >= least["mesh"]]

    def _detect_back_camera(self, pixels: np.ndarray) -> list[Detection]:
        """Back-camera at five sizes: faces that fill the picture, and drawn ones.

        At such low scores a place must show more: a face to Face Mesh and enough scores summed over the sizes (the evidence),
        or a drawn face to the check; where there is no check, the flat colours of a drawing and some evidence.
        """
        model = self.blazeface("blazeface-back-camera")
        least = model.entry.thresholds
        views = [view for shares in (FULL_SCALE, PYRAMID_SCALES) for view in model.detect(pixels, least["score"], shares)]
        rows = np.concatenate(views)
        of_view = np.repeat(np.arange(len(views)), [len(view) for view in views])
        found, places = [], []
        for group in blazeface.overlap_groups(rows, MERGE_IOU)[:MAX_PROPOSALS]:
            best = np.zeros(len(views))
            np.maximum.at(best, of_view[group], rows[group, -1])
            evidence, face = float(best.sum()), to_detection(blazeface.weighted_mean(rows[group]), model.entry.box)
            places.append(face.box)
            drawn = (
                not self._drawn
                and evidence >= least["drawn_evidence"]
                and flatness(pixels, face.box) >= least["drawn_flatness"]
            )
            if drawn or (evidence >= least["mesh_evidence"] and self._mesh_score(pixels, face) >= least["mesh"]):
                found.append((evidence, face))
        strongest = max((evidence for evidence, _ in found), default=0.0)
        faces = [face for evidence, face in found if evidence >= least["of_strongest"] * strongest]
        return faces or self._drawn_faces(pixels, places)

    def _drawn_faces(self, pixels: np.ndarray, places: list[Box]) -> list[Detection]:
        """Faces that the check knows for drawn ones; none without a check."""
        boxes = self._drawn.detect(pixels, places) if self._drawn else []
        return [Detection(box, score, _nowhere()) for box, score in boxes]

    def _mesh_score(self, pixels: np.ndarray, face: Detection) -> float:
        return self._mesh.predict(pixels, Region.of_box(face.box, face.keypoints))[1]

    @cached_property
    def _mesh(self) -> FaceMesh:
        entry = self.registry.entry("landmarks", "face-mesh")
        return FaceMesh(entry, self.registry.model(entry))

    @cached_property
    def _haar(self) -> HaarCascade:
        return HaarCascade()


def to_detection(row: np.ndarray, calibration: dict[str, float]) -> Detection:
    """A candidate as a Detection, its box moved to a tight one by `calibration`: shifts and sizes in sides of BlazeFace's."""
    left, top, right, bottom = row[:4].tolist()
    x, y, side = (left + right) / 2, (top + bottom) / 2, right - left
    width, height = calibration["width"] * side, calibration["height"] * side
    box = Box(x + calibration["x"] * side - width / 2, y + calibration["y"] * side - height / 2, width, height)
    return Detection(box, float(row[16]), row[4:16].reshape(6, 2).astype(np.float32))


def _is_small(box: Box, pixels: np.ndarray) -> bool:
    return bool(box.height < SMALL_FACE * max(pixels.shape[:2]))


def _corners(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.left + box.width, box.top + box.height])


def _largest_first(found: list[Detection]) -> list[Detection]:
    return sorted(found, key=lambda detection: -detection.box.area)


def _nowhere() -> np.ndarray:
    return np.full((6, 2), np.nan, np.float32)
