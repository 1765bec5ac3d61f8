"""RGB pixels -> faces: boxes, landmarks, order; box and landmarks -> an aligned grey crop framed as the training faces are."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from . import blazeface
from .artefacts import Artefacts
from .framing import align_crop, cut
from .results import Box

__all__ = ["DETECTORS", "Detection", "FaceFinder", "align_crop"]

DETECTORS = ("auto", "blazeface", "haar", "none")
MESH_MARGIN = 1.5
"""Face Mesh sees this many times the box's longer side (MediaPipe, modules/face_landmark/face_detection_front_detection_to_roi)."""
HAAR_SIDE = 640  # a cascade's time grows with the pixels; faces under 5 % of the longer side are lost
HAAR_NEIGHBOURS = 5


@dataclass(frozen=True)
class Detection:
    """A face in a picture: `box` and `keypoints` in its pixels, `score` 0..1.

    `keypoints` (6, 2) float32 as in blazeface.KEYPOINTS; NaN where the detector gives none.
    """

    box: Box
    score: float
    keypoints: np.ndarray


class FaceFinder:
    """Detectors and Face Mesh, each loaded on first use and shared by threads."""

    def __init__(self, artefacts: Artefacts) -> None:
        self.artefacts = artefacts

    def find(self, pixels: np.ndarray, detector: str = "auto") -> tuple[str, list[Detection]]:
        """Faces of (H, W, 3) uint8 RGB, largest first, and the name of the detector that answered.

        `auto` and `blazeface` look for faces as phones do (full-range), and `auto` looks again with the back-camera model
        where there were none; `haar` is OpenCV's cascade, for comparison; `none` takes the whole picture as one face.
        Raises ValueError for another name.
        """
        if detector not in DETECTORS:
            raise ValueError(f"detector must be one of {', '.join(DETECTORS)}, not {detector!r}")
        if detector == "none":
            return "none", [whole(pixels)]
        if detector == "haar":
            return "haar", _largest_first(self._haar.find(pixels))
        found = self._blazeface(pixels, "blazeface-full-range")
        if not found and detector == "auto":
            found = self._blazeface(pixels, "blazeface-back-camera")
        return "blazeface", _largest_first(found)

    def landmarks(self, pixels: np.ndarray, detection: Detection) -> np.ndarray | None:
        """Face Mesh's 468 points, (468, 2) float32 in pixels of the picture; None where it sees no face in the box."""
        entry = self.artefacts.entry("landmarks", "face-mesh")
        size = entry["input"]["size"]
        box = detection.box
        side = MESH_MARGIN * max(box.width, box.height)
        middle = np.array([box.left + box.width / 2, box.top + box.height / 2])
        right, left = detection.keypoints[:2]
        turn = np.arctan2(*(left - right)[::-1]) if np.isfinite(detection.keypoints[:2]).all() else 0.0
        along = np.array([np.cos(turn), np.sin(turn)]) * side / size  # one step to the right in the crop, in the picture
        axes = np.array([[along[0], -along[1]], [along[1], along[0]]])
        matrix = np.column_stack([axes, middle - axes @ [size / 2, size / 2]])
        crop = cut(pixels, matrix, size)
        points, logit = self.artefacts.model(entry)(crop[None] * np.float32(1 / 255))
        if logit.item() < _logit(entry["thresholds"]["score"]):
            return None
        flat = points.reshape(-1, 3)[:, :2]
        return (flat @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)

    def _blazeface(self, pixels: np.ndarray, name: str) -> list[Detection]:
        entry = self.artefacts.entry("detector", name)
        size, grids = entry["input"]["size"], tuple(map(tuple, entry["anchors"]))
        tensor, scale, left, top = blazeface.letterbox(pixels, size)
        raw = self.artefacts.model(entry)(tensor)
        found = blazeface.merge(blazeface.decode(raw, grids, size, entry["thresholds"]["score"]))
        places = (found[:, :16].reshape(-1, 8, 2) - [left, top]) / scale
        return [_detection(row, score) for row, score in zip(places, found[:, 16], strict=True)]

    @cached_property
    def _haar(self) -> Haar:
        return Haar()


class Haar:
    """OpenCV's frontal-face cascade (Viola and Jones, 2001). A CascadeClassifier is not thread-safe, hence the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cascade: Any = None

    def find(self, pixels: np.ndarray) -> list[Detection]:
        scale = min(1.0, HAAR_SIDE / max(pixels.shape[:2]))
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        grey = cv2.equalizeHist(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        with self._lock:
            if self._cascade is None:
                self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
            boxes, _, weights = self._cascade.detectMultiScale3(grey, 1.1, HAAR_NEIGHBOURS, outputRejectLevels=True)
        nowhere = np.full((6, 2), np.nan, np.float32)
        return [
            Detection(Box(*(float(value) / scale for value in box)), float(1 / (1 + np.exp(-weight))), nowhere)
            for box, weight in zip(boxes, np.ravel(weights), strict=True)
        ]


def whole(pixels: np.ndarray) -> Detection:
    """The whole picture as one face."""
    height, width = pixels.shape[:2]
    return Detection(Box(0.0, 0.0, float(width), float(height)), 1.0, np.full((6, 2), np.nan, np.float32))


def _detection(places: np.ndarray, score: float) -> Detection:
    (left, top), (right, bottom) = places[:2].tolist()
    return Detection(Box(left, top, right - left, bottom - top), float(score), places[2:].astype(np.float32))


def _largest_first(found: list[Detection]) -> list[Detection]:
    return sorted(found, key=lambda detection: -detection.box.area)


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
