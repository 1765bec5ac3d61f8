"""Drawn-face detector: its windows, faces in drawings, and false alarms in charts and photos."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from emotions import FaceAnalyzer
from emotions.face.alignment import align_crop, stable_matrix, warp_crop
from emotions.face.detector import FaceDetector
from emotions.face.drawn_detector import MAX_ACROSS, MAX_REFINED, REFINE_OFFSETS, flatness, sliding_windows, square_to_box
from emotions.face.results import Box
from scripts.synthetic.negatives import non_face_image

SKIN, INK, RED = (250, 205, 150), (20, 20, 20), (190, 40, 50)


@pytest.fixture(scope="module")
def analyzer():
    return FaceAnalyzer()


def bare_face(image: np.ndarray, x: int, y: int, side: int) -> Box:
    """Draw two eyes, brows and a laughing mouth around (x, y), without an outline, and return their box."""
    unit = side / 100

    def at(right: float, down: float) -> tuple[int, int]:
        return round(x + right * unit), round(y + down * unit)

    for turn in (-1, 1):
        cv2.circle(image, at(22 * turn, -16), round(11 * unit), (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(image, at(22 * turn, -16), round(5 * unit), INK, -1, cv2.LINE_AA)
        cv2.ellipse(
            image,
            at(22 * turn, -28),
            (round(12 * unit), round(5 * unit)),
            0,
            190,
            350,
            INK,
            max(2, round(3 * unit)),
            cv2.LINE_AA,
        )
    cv2.ellipse(image, at(0, 12), (round(24 * unit), round(20 * unit)), 0, 0, 180, RED, -1, cv2.LINE_AA)
    cv2.ellipse(image, at(0, 12), (round(24 * unit), round(20 * unit)), 0, 0, 180, INK, max(1, round(2 * unit)), cv2.LINE_AA)
    left, top = at(-34, -34)
    return Box(left, top, 68 * unit, 68 * unit)


def contains(outer: Box, inner: Box) -> bool:
    middle = inner.left + inner.width / 2, inner.top + inner.height / 2
    return outer.left < middle[0] < outer.left + outer.width and outer.top < middle[1] < outer.top + outer.height


def test_square_to_box_is_inverse_to_the_crop():
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (200, 300), dtype=np.uint8)
    for x, y, side in ((150, 100, 96), (40, 60, 48), (280, 20, 130)):
        matrix = np.array([[side / 48, 0, x - side / 2], [0, side / 48, y - side / 2]])
        expected = warp_crop(image, stable_matrix(matrix), 48)
        assert np.array_equal(align_crop(image, square_to_box((x, y, side)), None, 48), expected)


@pytest.mark.parametrize(("height", "width"), [(256, 256), (480, 640), (1000, 200)])
def test_windows_cover_the_image(height, width):
    squares = sliding_windows(height, width)
    assert squares[0] == (width / 2, height / 2, max(height, width))
    covered = np.zeros((height, width), bool)
    for x, y, side in squares[1:]:
        assert min(x, width - x, y, height - y) + 1e-6 >= min(side, width, height) / 2
        covered[int(y - side / 2) : int(np.ceil(y + side / 2)), int(x - side / 2) : int(np.ceil(x + side / 2))] = True
    assert covered.all() and len(set(squares)) == len(squares)


@pytest.mark.parametrize("side", [160, 256, 400])
def test_face_without_an_outline_is_detected_and_its_pupils_are_not(analyzer, side):
    image = np.full((side, side, 3), SKIN, np.uint8)
    inner = bare_face(image, side // 2, side // 2, side)
    (face,) = analyzer.face_detector.detect(image)[1]
    size = np.sqrt(face.box.area / inner.area)  # 2.3 if the face is that of the whole picture: without an outline it may be
    assert contains(face.box, inner) and 0.6 < size < 2.35 and 0.8 < face.score <= 1
    assert np.isnan(face.keypoints).all()


def test_several_drawn_faces_are_detected(analyzer):
    image = np.full((480, 640, 3), (120, 170, 210), np.uint8)
    faces = []
    for x, y in ((170, 150), (460, 300)):
        cv2.circle(image, (x, y), 110, SKIN, -1, cv2.LINE_AA)
        faces.append(bare_face(image, x, y, 190))
    found = analyzer.face_detector.detect(image)[1]
    assert len(found) == 2 and all(sum(contains(face.box, inner) for face in found) == 1 for inner in faces)


def test_few_false_alarms_on_charts_and_patterns(analyzer):
    random = np.random.default_rng(5)
    alarms = sum(bool(analyzer.face_detector.detect(non_face_image(random))[1]) for _ in range(20))
    assert alarms <= 4


def test_photos_are_not_searched(analyzer):
    """With the noise of a sensor no window is flat, so that the network does not run."""
    calls = []
    random = np.random.default_rng(2)
    image = np.clip(random.normal(128, 40, (240, 320, 1)) + random.normal(0, 6, (240, 320, 3)), 0, 255).astype(np.uint8)
    classifier = analyzer.classifier
    face_detector = FaceDetector(analyzer.registry, "vgg16", lambda crops: calls.append(len(crops)) or classifier.features(crops))
    assert face_detector.detect(image)[1] == [] and calls == []


@pytest.fixture
def counted(analyzer):
    """A detector that counts the crops which the backbone sees."""
    crops: list[int] = []
    classifier = analyzer.classifier
    return FaceDetector(analyzer.registry, "vgg16", lambda faces: crops.append(len(faces)) or classifier.features(faces)), crops


@pytest.mark.parametrize("level", [0, 60, 128, 255])
@pytest.mark.parametrize("shape", [(480, 640), (64, 64), (4, 1024), (300, 20)])
def test_blank_images_are_not_searched(counted, level, shape):
    detector, crops = counted
    assert detector.detect(np.full((*shape, 3), level, np.uint8))[1] == [] and crops == []


@pytest.mark.parametrize("shape", [(480, 640), (64, 2048), (2048, 12), (5, 1500), (6, 6), (2048, 2048)])
@pytest.mark.parametrize("stripe", [2, 7, 40])
def test_search_is_bounded_whatever_the_shape(counted, shape, stripe):
    """Stripes are flat and have contrast: all windows pass as drawings, and the best ones are refined."""
    detector, crops = counted
    image = np.full((*shape, 3), 255, np.uint8)
    image[(np.indices(shape).sum(axis=0) // stripe) % 4 == 0] = 60
    detector.detect(image)
    assert sum(crops) <= 9 * MAX_ACROSS + 1 + 16 + MAX_REFINED * len(REFINE_OFFSETS)


def test_windows_are_bounded():
    random = np.random.default_rng(3)
    for height, width in 2 ** random.uniform(0, 11, (300, 2)):
        assert len(sliding_windows(int(height), int(width))) <= 9 * MAX_ACROSS + 1


def test_without_a_verifier_for_the_backbone_flatness_decides(analyzer):
    image = np.full((256, 256, 3), SKIN, np.uint8)
    bare_face(image, 128, 128, 256)
    other = FaceDetector(analyzer.registry, "another", analyzer.classifier.features)
    assert [face.box for face in other.detect(image)[1]] == [
        face.box for face in FaceDetector(analyzer.registry).detect(image)[1]
    ]


def test_flatness_of_a_drawing():
    image = np.full((100, 100, 3), SKIN, np.uint8)
    cv2.circle(image, (50, 50), 20, INK, -1)
    assert flatness(image, Box(0, 0, 100, 100)) > 0.7 and flatness(image, Box(90, 90, 4, 4)) == 0
