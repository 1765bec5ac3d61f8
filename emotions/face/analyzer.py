"""A picture in, its faces with their emotions out: detector, landmarks, crops and expression model in one call."""

from __future__ import annotations

import time
from functools import cached_property
from importlib import resources

import numpy as np

from ..image.loading import LoadedImage, open_image
from ..runtime.manifest import ModelRegistry
from .classifier import ExpressionClassifier
from .detector import Detection, FaceDetector, align_crop
from .reliability import measure_quality, unsure_reason
from .results import Face, ImageResult
from .saliency import MAX_EXPLAINED, OcclusionMap
from .saliency import explain as occlusion_map

WARM_UP_PHOTO = "warm_up.jpg"
"""A public-domain portrait: a blank picture would warm up the detector alone, since no face means no further model."""


class FaceAnalyzer:
    """All models for pictures, loaded on first use and shared by threads.

    `registry` defaults to the models beside the code; `head` names one of the manifest's expression heads.
    """

    def __init__(self, registry: ModelRegistry | None = None, head: str | None = None) -> None:
        self.registry = registry or ModelRegistry()
        self.classifier = ExpressionClassifier(self.registry, head)

    @cached_property
    def face_detector(self) -> FaceDetector:
        return FaceDetector(self.registry, self.classifier.backbone_entry.name, self.classifier.features)

    def analyze(self, picture: LoadedImage, detector: str = "auto", landmarks: bool = False, explain: bool = False) -> ImageResult:
        """Find and read every face of an opened picture.

        `landmarks` adds the 468 mesh points to each face, `explain` what its answer rests on, to the MAX_EXPLAINED largest.
        A picture without faces is an answer with `faces` empty. Raises ValueError for an unknown detector.
        """
        begun = time.perf_counter()
        used, detections = self.face_detector.detect(picture.pixels, detector)
        meshes = [self.face_detector.mesh(picture.pixels, detection) for detection in detections]
        found = time.perf_counter()
        crops = self._crops(picture.pixels, detections, meshes)
        qualities = [
            measure_quality(picture.pixels.shape, detection.box, mesh, crop)
            for detection, mesh, crop in zip(detections, meshes, crops, strict=True)
        ]
        features = self.classifier.features(crops)
        probabilities, drawn = self.classifier.predict_proba(features), self.classifier.drawn_probability(features)
        done = time.perf_counter()
        timing = {"decode": picture.decode_ms, "detect": (found - begun) * 1e3, "classify": (done - found) * 1e3}
        limits = self.classifier.head_entry.thresholds
        explanations: list[OcclusionMap | None] = [None] * len(crops)
        if explain:
            for index in range(min(len(crops), MAX_EXPLAINED)):
                explanations[index] = occlusion_map(self.classifier.probabilities, crops[index], probabilities[index])
            timing["explain"] = (time.perf_counter() - done) * 1e3
        faces = tuple(
            Face(
                id=index,
                box=detection.box.scaled(picture.scale),
                score=None if used == "none" else float(detection.score),
                probabilities=tuple(map(float, row)),
                drawn=None if drawn is None else float(drawn[index]),
                unsure=unsure_reason(quality, float(row.max()), limits),
                landmarks=_points(mesh, picture.scale) if landmarks and mesh is not None else None,
                explanation=explanation,
                pose=quality.pose,
            )
            for index, (detection, mesh, quality, row, explanation) in enumerate(
                zip(detections, meshes, qualities, probabilities, explanations, strict=True)
            )
        )
        return ImageResult(picture.width, picture.height, faces, used, self.classifier.description, timing, limits)

    def warm_up(self) -> ImageResult:
        """Read a real portrait, so that every model is loaded and has run once."""
        photo = resources.files(__package__).joinpath(WARM_UP_PHOTO).read_bytes()
        return self.analyze(open_image(photo))

    def _crops(self, pixels: np.ndarray, detections: list[Detection], meshes: list[np.ndarray | None]) -> np.ndarray:
        size = self.classifier.size
        crops = [align_crop(pixels, found.box, _flat(mesh), size) for found, mesh in zip(detections, meshes, strict=True)]
        return np.stack(crops) if crops else np.zeros((0, size, size), np.uint8)


def _flat(mesh: np.ndarray | None) -> np.ndarray | None:
    return None if mesh is None else mesh[:, :2]


def _points(mesh: np.ndarray, scale: float) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in mesh[:, :2] * scale)
