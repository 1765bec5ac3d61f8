"""Face detection: boxes by BlazeFace or OpenCV's Haar cascade, largest face first, and landmarks by Face Mesh."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from ..runtime.manifest import ModelRegistry
from ..runtime.time_budget import check_time
from . import blazeface
from .blazeface import FULL_SCALE, NO_KEYPOINTS, PYRAMID_SCALES, BlazeFace, Detection, to_detection
from .drawn_detector import ROLE, DrawnFaceDetector, flatness
from .landmarks import CERTAIN, PLAUSIBLE, FaceMesh, Landmarks, Region
from .results import Box

DETECTORS = ("auto", "blazeface", "haar", "none")

MAX_FACES = 200
"""Faces of an image that are returned, largest first: each takes up to nine passes of Face Mesh and one of the backbone."""
MAX_CANDIDATES = 400  # strongest candidates of one search that are considered: a doubtful one takes a pass of Face Mesh
MERGE_IOU = 0.35  # IoU of candidates that are one face at several scales
MAX_PROPOSALS = 8  # strongest proposals of the back-camera model that are verified: each may cost a pass of Face Mesh
MAX_EXAMINED = 8  # faces whose landmarks decide which way up an image is: the largest, or of another orientation the surest
LARGE_IMAGE = 1024  # pixels of the longer side; in smaller images faces of 40 pixels leave a trace when all is reduced to 192
TILE_SIZE = 640  # pixels: a face of 40 pixels has 12 of the network's 192, in up to 12 passes over an image of 2048 x 1536
MAX_CLOSER_LOOKS = 24  # passes over enlarged parts of an image, whatever it shows
CLOSER_SIDE = 8  # side of such a part in heights of the weak candidate in its middle, which then has 24 of the 192 pixels
CLOSER_BELOW = 48 / 192  # height of a candidate over the side that the network saw, up to which a closer look can tell more

NESTED = 0.6  # share of a box inside another one from which both may be one face, as a close-up often gives two

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
        check_time()
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
            detector: `blazeface` runs the full-range model. `auto` also runs it on tiles of a large image and on enlarged parts
                around weak candidates, so that small faces are found whatever else there is; where there is still no face it runs
                the back-camera model, which detects drawn faces and faces that fill the image. Where no face of `auto` stands
                upright by its landmarks, the image is searched rotated by quarter turns too. `haar` is OpenCV's cascade, for
                comparison; `none` takes the whole image as one face.

        Returns:
            Name of the detector that was used (`auto` gives `blazeface`), and up to MAX_FACES faces, largest first.

        Raises:
            ValueError: For any other name.
        """
        if detector not in DETECTORS:
            raise ValueError(f"detector must be one of {', '.join(DETECTORS)}, not {detector!r}")
        if detector == "none":
            return "none", [self._whole_image(pixels)]
        if detector == "haar":
            return "haar", _largest_first([Detection(box, score, NO_KEYPOINTS) for box, score in self._haar(pixels)])
        if detector == "blazeface":
            return "blazeface", _one_each(self._detect_full_range(pixels))
        faces = _one_each(self._detect_small(pixels) or self._detect_back_camera(pixels))
        return "blazeface", _one_each(self._right_way_up(pixels, faces))

    def landmarks(self, pixels: np.ndarray, detection: Detection) -> np.ndarray | None:
        """Predict the landmarks of a detected face.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            detection: A face of this image.

        Returns:
            Face Mesh landmarks (468, 3) float32: x, y and depth in pixels of the image; None where Face Mesh finds no face.
        """
        landmarks = detection.landmarks or self._predict_landmarks(pixels, detection)
        return landmarks.points if landmarks.score >= self._mesh.entry.thresholds["score"] else None

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

    def _right_way_up(self, pixels: np.ndarray, faces: list[Detection]) -> list[Detection]:
        """Search the image rotated by quarter turns if none of its faces, largest first, certainly stands upright.

        The orientation counts that has the most evidence: the sum of the logits of the landmarks of upright faces. The image
        keeps its place: the detector's small input is rotated instead. An image with a drawn face is left as it is.
        """
        for index, face in enumerate(faces[:MAX_EXAMINED]):
            landmarks = self._predict_landmarks(pixels, face)
            faces[index] = replace(face, landmarks=landmarks)
            if landmarks.is_upright(logit=CERTAIN) or self._may_be_drawn(pixels, face):
                return faces
        model = self.blazeface("blazeface-full-range")
        tables = model.detect_turned(pixels, model.entry.thresholds["doubtful"], (1, 2, 3))
        known = [face.landmarks for face in faces if face.landmarks]
        evidence = [_evidence(known, 0)]
        for turns, rows in enumerate(tables, 1):
            candidates = [to_detection(row, model.entry.box, turns) for row in rows[:MAX_EXAMINED]]
            evidence.append(_evidence(known + [self._predict_once(pixels, face) for face in candidates], turns))
        turns = int(np.argmax(evidence))
        if turns == 0:
            return faces or self._detect_small_upside_down(pixels)
        return self._detect_small(pixels, turns) or faces

    def _detect_small_upside_down(self, pixels: np.ndarray) -> list[Detection]:
        """Run the full-range model on tiles of a large image upside down; of faces on their sides it finds some as they are."""
        if max(pixels.shape[:2]) <= LARGE_IMAGE:
            return []
        faces = self._detect_small(pixels, 2)
        surest = sorted(faces, key=lambda face: -face.score)[:MAX_EXAMINED]
        return faces if _evidence([self._predict_once(pixels, face) for face in surest], 2) else []

    def _predict_landmarks(self, pixels: np.ndarray, face: Detection) -> Landmarks:
        """Predict the landmarks of a face, also of one in a photo that stands on its head or lies on its side."""
        region = Region.of_box(face.inner_box or face.box, face.keypoints, face.turns)
        landmarks = self._mesh.predict_refined(pixels, region)
        if landmarks.logit >= PLAUSIBLE or self._may_be_drawn(pixels, face):
            return landmarks
        return self._mesh.predict_turned(pixels, region, landmarks)

    def _may_be_drawn(self, pixels: np.ndarray, face: Detection) -> bool:
        """Return whether a face has the flat colors of a drawing, whose landmarks do not tell which way up it is."""
        threshold = self.blazeface("blazeface-back-camera").entry.thresholds["drawn_flatness"]
        return flatness(pixels, face.inner_box or face.box) >= threshold

    def _detect_full_range(self, pixels: np.ndarray) -> list[Detection]:
        model = self.blazeface("blazeface-full-range")
        (rows,) = model.detect(pixels, model.entry.thresholds["doubtful"])
        return self._confirmed(pixels, model, rows, "score")

    def _detect_small(self, pixels: np.ndarray, turns: int = 0) -> list[Detection]:
        """Run the full-range model coarse to fine: on the whole image, on tiles of a large one, on parts around weak candidates.

        Reduced to the input's size, a group's faces are a few pixels; they still leave candidates with a low score.
        """
        model = self.blazeface("blazeface-full-range")
        thresholds = model.entry.thresholds
        (rows,) = model.detect(pixels, thresholds["weak"], turns=turns)
        faces = self._confirmed(pixels, model, rows[rows[:, -1] >= thresholds["doubtful"]], "score", turns)
        weak = rows[rows[:, -1] < thresholds["score"]]
        seen = float(max(pixels.shape[:2]))
        if seen > LARGE_IMAGE:
            seen = float(TILE_SIZE)
            weak = model.detect_tiled(pixels, thresholds["weak"], TILE_SIZE, turns, [_corners(face.box) for face in faces])
        weak = _beside(weak, faces)
        strong = weak[:, -1] >= thresholds["score_closer"]
        faces += self._confirmed(pixels, model, weak[strong], "score_closer", turns)
        weak = weak[~strong]
        weak = weak[weak[:, 3] - weak[:, 1] <= CLOSER_BELOW * seen]
        rows = model.detect_parts(pixels, thresholds["doubtful"], weak, CLOSER_SIDE, MAX_CLOSER_LOOKS, turns)
        return faces + self._confirmed(pixels, model, _beside(rows, faces), "score_closer", turns)

    def _confirmed(
        self, pixels: np.ndarray, model: BlazeFace, rows: np.ndarray, threshold: str, turns: int = 0
    ) -> list[Detection]:
        """Keep candidates above the named threshold, and those below it in which Face Mesh finds a face too."""
        thresholds = model.entry.thresholds
        faces = [to_detection(row, model.entry.box, turns) for row in rows[:MAX_CANDIDATES]]
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
            if drawn or (
                evidence >= thresholds["mesh_evidence"] and self._predict_once(pixels, face).score >= thresholds["mesh"]
            ):
                found.append((evidence, face))
        strongest = max((evidence for evidence, _ in found), default=0.0)
        faces = [face for evidence, face in found if evidence >= thresholds["of_strongest"] * strongest]
        return faces or self._detect_drawn(pixels, proposals)

    def _detect_drawn(self, pixels: np.ndarray, proposals: list[Box]) -> list[Detection]:
        """Search for drawn faces with the verifier, if there is one."""
        boxes = self._drawn.detect(pixels, proposals) if self._drawn else []
        return [Detection(box, score, NO_KEYPOINTS) for box, score in boxes]

    def _mesh_score(self, pixels: np.ndarray, face: Detection) -> float:
        return self._predict_once(pixels, face).score

    def _predict_once(self, pixels: np.ndarray, face: Detection) -> Landmarks:
        return self._mesh.predict(pixels, Region.of_box(face.box, face.keypoints, face.turns))

    @cached_property
    def _mesh(self) -> FaceMesh:
        entry = self.registry.entry("landmarks", "face-mesh")
        return FaceMesh(entry, self.registry.model(entry))

    @cached_property
    def _haar(self) -> HaarCascade:
        return HaarCascade()


def _evidence(landmarks: list[Landmarks], turns: int) -> float:
    return sum(one.logit for one in landmarks if one.is_upright(turns))


def _beside(rows: np.ndarray, faces: list[Detection]) -> np.ndarray:
    """Candidates (N, 17) that are not for the greater part inside one of `faces`."""
    for face in faces:
        rows = rows[blazeface.fraction_inside(rows, _corners(face.box)) < 0.5]
    return rows


def _one_each(faces: list[Detection]) -> list[Detection]:
    """Keep one detection a face, largest first: of two nested boxes with the same eyes and nose the better-scored."""
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if not any(_are_one_face(face, other) for other in kept):
            kept.append(face)
    return _largest_first(kept)


def _are_one_face(first: Detection, second: Detection) -> bool:
    small, large = sorted((first, second), key=lambda face: face.box.area)
    if blazeface.fraction_inside(_corners(small.box)[None], _corners(large.box))[0] < NESTED:
        return False
    points, box = large.keypoints[:3], _corners(small.box)  # a face in front of another one has eyes of its own
    return bool(np.isnan(points).any() or np.all((points > box[:2]) & (points < box[2:])))


def _corners(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.left + box.width, box.top + box.height])


def _largest_first(faces: list[Detection]) -> list[Detection]:
    return sorted(faces, key=lambda detection: -detection.box.area)[:MAX_FACES]
