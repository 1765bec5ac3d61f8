"""Face detection: boxes by BlazeFace or OpenCV's Haar cascade, largest face first, and landmarks by Face Mesh."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from ..runtime.manifest import ModelRegistry
from . import blazeface
from .blazeface import FULL_SCALE, PYRAMID_SCALES, BlazeFace
from .drawn_detector import ROLE, DrawnFaceDetector, flatness
from .landmarks import FaceMesh, Region
from .results import Box

DETECTORS = ("auto", "blazeface", "haar", "none")

MERGE_IOU = 0.35  # IoU of candidates that are one face at several scales
MAX_PROPOSALS = 8  # strongest proposals of the back-camera model that are verified: each may cost a pass of Face Mesh
LARGE_IMAGE = 1024  # pixels of the longer side; smaller images lose little when they are reduced to the network's 192
TILE_SIZE = 768  # pixels: faces from 35 pixels up are found, in up to 12 passes over an image of 2048 x 1536
SMALL_FACE = 0.1  # height over the image's longer side

NO_KEYPOINTS = np.full((6, 2), np.nan, np.float32)
"""Keypoints of a detector that gives none."""
NO_KEYPOINTS.setflags(write=False)

HAAR_MAX_SIDE = 640  # a cascade's time grows with the pixels; faces under 4 % of the longer side are lost
HAAR_SCALE_FACTOR = 1.1
HAAR_MIN_NEIGHBORS = 5
HAAR_FILE = "haarcascade_frontalface_default.xml"  # comes with OpenCV


class HaarCascade:
    """OpenCV's frontal-face cascade (Viola and Jones, 2001), which many applications use; here for comparison.

    The file is loaded on first use. A CascadeClassifier is not thread-safe, hence the lock.
    """

    def __init__(self) -> None:
        """Load nothing yet."""
        self._lock = threading.Lock()
        self._cascade: Any = None

    def __call__(self, pixels: np.ndarray) -> list[tuple[Box, float]]:
        """Detect faces.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.

        Returns:
            For each face its box in pixels of the image, and a score 0..1 that grows with the cascade's margin.
        """
        scale = min(1.0, HAAR_MAX_SIDE / max(pixels.shape[:2]))
        size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
        grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        grey = cv2.equalizeHist(grey)
        with self._lock:
            if self._cascade is None:
                data: Any = cv2.data  # type: ignore[attr-defined]  # OpenCV's stubs leave it out
                self._cascade = cv2.CascadeClassifier(data.haarcascades + HAAR_FILE)
            boxes, _, margins = self._cascade.detectMultiScale3(
                grey, HAAR_SCALE_FACTOR, HAAR_MIN_NEIGHBORS, outputRejectLevels=True
            )
        rows = np.asarray(boxes, float).reshape(-1, 4) / scale
        scores = (float(1 / (1 + np.exp(-margin))) for margin in np.ravel(margins))
        return [(Box(*row.tolist()), score) for row, score in zip(rows, scores, strict=True)]


@dataclass(frozen=True)
class Detection:
    """A detected face.

    Attributes:
        box: Face box in pixels of the image.
        score: Confidence of the detector, 0..1.
        keypoints: (6, 2) float32 as in blazeface.KEYPOINTS, in pixels; NaN where the detector gives none.
        inner_box: Where `box` is the whole image, the box of the largest face that was detected in it; None otherwise.
    """

    box: Box
    score: float
    keypoints: np.ndarray
    inner_box: Box | None = None


class FaceDetector:
    """The face detectors and Face Mesh. Models are loaded on first use and shared by threads.

    Args:
        registry: Models to use.
        backbone: Name of the expression backbone that `features` belongs to.
        features: Function from crops (N, S, S) uint8 grey to the backbone's features (N, F). With it, and a verifier trained on
            that backbone, drawn faces are searched for; without, only BlazeFace's own boxes are considered.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        backbone: str | None = None,
        features: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        """Choose the verifier of drawn faces; load no model yet."""
        self.registry = registry
        verifiers = [entry for entry in registry.entries(ROLE) if entry.base == backbone]
        self._drawn: DrawnFaceDetector | None = None
        if features and verifiers:
            self._drawn = DrawnFaceDetector(verifiers[0], registry.model(verifiers[0]), features)

    def detect(self, pixels: np.ndarray, detector: str = "auto") -> tuple[str, list[Detection]]:
        """Detect the faces of an image.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            detector: `blazeface` runs the full-range model. `auto` also runs it on tiles of a large image that has only small
                faces or none, and where there is still no face it runs the back-camera model, which detects drawn faces and
                faces that fill the image. `haar` is OpenCV's cascade, for comparison; `none` takes the whole image as one face.

        Returns:
            Name of the detector that was used (`auto` gives `blazeface`), and the faces, largest first.

        Raises:
            ValueError: For any other name.
        """
        if detector not in DETECTORS:
            raise ValueError(f"detector must be one of {', '.join(DETECTORS)}, not {detector!r}")
        if detector == "none":
            return "none", [self._whole_image(pixels)]
        if detector == "haar":
            return "haar", _largest_first([Detection(box, score, NO_KEYPOINTS) for box, score in self._haar(pixels)])
        faces = self._detect_full_range(pixels)
        if detector == "auto":
            if max(pixels.shape[:2]) > LARGE_IMAGE and all(_is_small(face.box, pixels) for face in faces):
                faces = self._detect_tiles(pixels, faces)
            faces = faces or self._detect_back_camera(pixels)
        return "blazeface", _largest_first(faces)

    def landmarks(self, pixels: np.ndarray, detection: Detection) -> np.ndarray | None:
        """Predict the landmarks of a detected face.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            detection: A face of this image.

        Returns:
            Face Mesh landmarks (468, 3) float32: x, y and depth in pixels of the image; None where Face Mesh finds no face.
        """
        return self._mesh.predict_refined(pixels, Region.of_box(detection.inner_box or detection.box, detection.keypoints))

    def blazeface(self, name: str) -> BlazeFace:
        """Return the manifest's detector of that name. Raises ModelFileError if there is none."""
        entry = self.registry.entry("detector", name)
        return BlazeFace(entry, self.registry.model(entry))

    def _whole_image(self, pixels: np.ndarray) -> Detection:
        """Take the whole image as one face; Face Mesh starts from the largest detected face."""
        height, width = pixels.shape[:2]
        box = Box(0.0, 0.0, float(width), float(height))
        faces = _largest_first(self._detect_full_range(pixels) or self._detect_back_camera(pixels))
        return Detection(box, 1.0, faces[0].keypoints, faces[0].box) if faces else Detection(box, 1.0, NO_KEYPOINTS)

    def _detect_full_range(self, pixels: np.ndarray) -> list[Detection]:
        model = self.blazeface("blazeface-full-range")
        (rows,) = model.detect(pixels, model.entry.thresholds["doubtful"])
        return self._confirmed(pixels, model, rows, "score")

    def _detect_tiles(self, pixels: np.ndarray, known: list[Detection]) -> list[Detection]:
        """Run the full-range model on tiles: in a large image reduced to the input's size, a group's faces are a few pixels."""
        model = self.blazeface("blazeface-full-range")
        rows = model.detect_tiled(pixels, model.entry.thresholds["doubtful"], TILE_SIZE)
        for face in known:  # drop parts of a face that is known
            rows = rows[blazeface.fraction_inside(rows, _corners(face.box)) < 0.5]
        return known + self._confirmed(pixels, model, rows, "score_closer")

    def _confirmed(self, pixels: np.ndarray, model: BlazeFace, rows: np.ndarray, threshold: str) -> list[Detection]:
        """Keep candidates above the named threshold, and those below it in which Face Mesh finds a face too."""
        thresholds = model.entry.thresholds
        faces = [to_detection(row, model.entry.box) for row in rows]
        return [
            face for face in faces if face.score >= thresholds[threshold] or self._mesh_score(pixels, face) >= thresholds["mesh"]
        ]

    def _detect_back_camera(self, pixels: np.ndarray) -> list[Detection]:
        """Run the back-camera model at five scales: it detects faces that fill the image, and drawn ones.

        Its score threshold is low, so a proposal needs more: Face Mesh finds a face and the scores summed over the scales (the
        evidence) are high enough, or the verifier takes it for a drawn face. Without a verifier, the flat colours of a drawing
        and some evidence are enough.
        """
        model = self.blazeface("blazeface-back-camera")
        thresholds = model.entry.thresholds
        levels = [level for scales in (FULL_SCALE, PYRAMID_SCALES) for level in model.detect(pixels, thresholds["score"], scales)]
        rows = np.concatenate(levels)
        level_of_row = np.repeat(np.arange(len(levels)), [len(level) for level in levels])
        found, proposals = [], []
        for group in blazeface.overlap_groups(rows, MERGE_IOU)[:MAX_PROPOSALS]:
            best = np.zeros(len(levels))
            np.maximum.at(best, level_of_row[group], rows[group, -1])
            evidence, face = float(best.sum()), to_detection(blazeface.weighted_mean(rows[group]), model.entry.box)
            proposals.append(face.box)
            drawn = (
                not self._drawn
                and evidence >= thresholds["drawn_evidence"]
                and flatness(pixels, face.box) >= thresholds["drawn_flatness"]
            )
            if drawn or (evidence >= thresholds["mesh_evidence"] and self._mesh_score(pixels, face) >= thresholds["mesh"]):
                found.append((evidence, face))
        strongest = max((evidence for evidence, _ in found), default=0.0)
        faces = [face for evidence, face in found if evidence >= thresholds["of_strongest"] * strongest]
        return faces or self._detect_drawn(pixels, proposals)

    def _detect_drawn(self, pixels: np.ndarray, proposals: list[Box]) -> list[Detection]:
        """Search for drawn faces with the verifier, if there is one."""
        boxes = self._drawn.detect(pixels, proposals) if self._drawn else []
        return [Detection(box, score, NO_KEYPOINTS) for box, score in boxes]

    def _mesh_score(self, pixels: np.ndarray, face: Detection) -> float:
        return self._mesh.predict(pixels, Region.of_box(face.box, face.keypoints))[1]

    @cached_property
    def _mesh(self) -> FaceMesh:
        entry = self.registry.entry("landmarks", "face-mesh")
        return FaceMesh(entry, self.registry.model(entry))

    @cached_property
    def _haar(self) -> HaarCascade:
        return HaarCascade()


def to_detection(row: np.ndarray, correction: Mapping[str, float]) -> Detection:
    """Convert a candidate of BlazeFace.

    Args:
        row: Candidate (17,), see blazeface.py.
        correction: Linear correction from BlazeFace's box to a tight one: shifts `x`, `y` and sizes `width`, `height`, all in
            sides of BlazeFace's box.
    """
    left, top, right, bottom = row[:4].tolist()
    x, y, side = (left + right) / 2, (top + bottom) / 2, right - left
    width, height = correction["width"] * side, correction["height"] * side
    box = Box(x + correction["x"] * side - width / 2, y + correction["y"] * side - height / 2, width, height)
    return Detection(box, float(row[16]), row[4:16].reshape(6, 2).astype(np.float32))


def _is_small(box: Box, pixels: np.ndarray) -> bool:
    return bool(box.height < SMALL_FACE * max(pixels.shape[:2]))


def _corners(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.left + box.width, box.top + box.height])


def _largest_first(faces: list[Detection]) -> list[Detection]:
    return sorted(faces, key=lambda detection: -detection.box.area)
