"""Face analysis of an image in one call: detection, landmarks, alignment and expression classification."""

from __future__ import annotations

import time
from functools import cached_property, partial
from importlib import resources
from typing import Any

import numpy as np

from ..image.loading import ImageSource, open_image
from ..runtime.manifest import ModelRegistry
from .alignment import align_crop
from .blazeface import Detection
from .classifier import DRAWN, ExpressionClassifier
from .defaults import DEFAULT_HEAD, DEFAULT_VIEWS
from .detector import FaceDetector
from .reliability import measure_quality, unsure_reason
from .results import Face, ImageResult
from .saliency import MAX_EXPLAINED, OcclusionMap, occlusion_map
from .views import check_views

WARM_UP_PHOTO = "warm_up.jpg"
"""A public-domain portrait: a blank image would load the detector alone, since without a face no other model runs."""


class FaceAnalyzer:
    """All models that images need, loaded on first use and shared by threads.

    Args:
        registry: Models to use; by default those that ship with the package.
        head: Name of an expression head of the manifest; None takes the manifest's first.

    Example:
        >>> from emotions import FaceAnalyzer
        >>> analyzer = FaceAnalyzer()
        >>> [face.emotion for face in analyzer.analyze("tests/data/astronaut.jpg").faces]
        ['happy']
    """

    def __init__(self, registry: ModelRegistry | None = None, head: str | None = DEFAULT_HEAD) -> None:
        """Choose the models; load none yet."""
        self.registry = registry or ModelRegistry()
        self.classifier = ExpressionClassifier(self.registry, head)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy, such as that of another process, gets: it makes its detectors itself."""
        return {name: value for name, value in vars(self).items() if name != "face_detector"}

    @cached_property
    def face_detector(self) -> FaceDetector:
        """The detectors and Face Mesh."""
        return FaceDetector(self.registry, self.classifier.backbone_entry.name, self.classifier.features)

    def check_head(self) -> None:
        """Raise ModelFileError if the manifest lacks the head, before the first image is analyzed."""
        _ = self.classifier.head_entry

    def analyze(
        self,
        source: ImageSource,
        detector: str = "auto",
        landmarks: bool = False,
        explain: bool = False,
        views: int = DEFAULT_VIEWS,
    ) -> ImageResult:
        """Detect and classify the faces of an image.

        Args:
            source: Image, in any form that `open_image` accepts.
            detector: One of detector.DETECTORS, see `FaceDetector.detect`.
            landmarks: Add the 468 landmarks to each face.
            explain: Add occlusion maps to the MAX_EXPLAINED largest faces.
            views: Views of each face over which the probabilities are averaged: 1 for the aligned crop alone, 2 with its mirror
                image, 10 with four shifts too. `confidence`, `unsure` and `explanation` are those of the mean; detection and
                `drawn` use the aligned crop alone.

        Returns:
            The faces, largest first, up to detector.MAX_FACES; `faces` is empty where there is none.

        Raises:
            ImageError: The image cannot be used.
            ModelFileError: A model file is missing or damaged, or the manifest lacks the head.
            TimeBudgetError: The time budget of the calling thread is spent, where there is one.
            TypeError: `source` is of another type.
            ValueError: The detector is unknown, or `views` is not one of VIEWS.
        """
        check_views(views)
        image = open_image(source)
        started = time.perf_counter()
        used, detections = self.face_detector.detect(image.pixels, detector)
        meshes = [self.face_detector.landmarks(image.pixels, detection) for detection in detections]
        detected = time.perf_counter()
        crops = self._align(image.pixels, detections, meshes)
        qualities = [
            measure_quality(image.pixels.shape, detection.box, mesh, crop)
            for detection, mesh, crop in zip(detections, meshes, crops, strict=True)
        ]
        features = self.classifier.view_features(crops, views)
        probabilities, drawn = self.classifier.mean_proba(features), self.classifier.drawn_probability(features[0])
        covered = self.classifier.is_covered(features[0])
        if drawn is not None:
            covered &= drawn < DRAWN  # the head has seen photographs alone
        classified = time.perf_counter()
        timing = {
            "decode": image.decode_ms,
            "detect": (detected - started) * 1e3,
            "classify": (classified - detected) * 1e3,
        }
        explanations = self._explain(crops, probabilities, views) if explain else [None] * len(crops)
        if explain:
            timing["explain"] = (time.perf_counter() - classified) * 1e3
        thresholds = self.classifier.head_entry.thresholds
        faces = tuple(
            Face(
                id=index,
                box=detection.box.scaled(image.scale),
                score=None if used == "none" else float(detection.score),
                probabilities=tuple(map(float, row)),
                drawn=None if drawn is None else float(drawn[index]),
                unsure=unsure_reason(quality, float(row.max()), thresholds, bool(covered[index])),
                landmarks=_points(mesh, image.scale) if landmarks and mesh is not None else None,
                explanation=explanation,
                pose=quality.pose,
                crop=crops[index],
            )
            for index, (detection, mesh, quality, row, explanation) in enumerate(
                zip(detections, meshes, qualities, probabilities, explanations, strict=True)
            )
        )
        model = self.classifier.description
        return ImageResult(image.width, image.height, faces, used, model, timing, thresholds, views)

    def _align(self, pixels: np.ndarray, detections: list[Detection], meshes: list[np.ndarray | None]) -> np.ndarray:
        """Return the crops (N, S, S) uint8 grey of the detected faces."""
        size = self.classifier.size
        crops = np.zeros((len(detections), size, size), np.uint8)
        for index, (detection, mesh) in enumerate(zip(detections, meshes, strict=True)):
            crops[index] = align_crop(pixels, detection.box, mesh, size, detection.turns)
        return crops

    def _explain(self, crops: np.ndarray, probabilities: np.ndarray, views: int) -> list[OcclusionMap | None]:
        """Return an occlusion map of the mean prediction for each of the first MAX_EXPLAINED crops, None for the others."""
        predict = partial(self.classifier.probabilities, views=views)
        explained = zip(crops[:MAX_EXPLAINED], probabilities[:MAX_EXPLAINED], strict=True)
        maps = [occlusion_map(predict, crop, row) for crop, row in explained]
        return [*maps, *[None] * (len(crops) - len(maps))]

    def warm_up(self) -> ImageResult:
        """Analyze a real portrait, so that every model is loaded and has run once."""
        photo = resources.files(__package__).joinpath(WARM_UP_PHOTO).read_bytes()
        return self.analyze(open_image(photo))


def _points(mesh: np.ndarray, scale: float) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in mesh[:, :2] * scale)
