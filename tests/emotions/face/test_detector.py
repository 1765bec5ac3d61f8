"""Face detector: boxes, landmarks and order, on one real face in many places and on labelled photos."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from emotions.face.alignment import align_crop
from emotions.face.blazeface import Detection, iou
from emotions.face.detector import DETECTORS, MAX_FACES, FaceDetector
from emotions.face.drawn_detector import flatness
from emotions.face.results import Box
from emotions.image.loading import open_image
from emotions.runtime.manifest import ModelRegistry
from scripts.evaluate.detection_scenes import face_free_photos, labelled_photos, match_scenes, recall_precision
from tests.shared_data import shared

FACE = Box(140, 41, 70, 95)  # boxes.csv, derived/astronaut_gray.jpg: the same photo
EYES = np.array([[160, 80], [193, 82]])  # labelled by hand


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector(ModelRegistry())


@pytest.fixture(scope="module")
def pixels(portrait) -> np.ndarray:
    return open_image(portrait).pixels


def corners(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.left + box.width, box.top + box.height])


def agreement(found: Box, wanted: Box) -> float:
    return float(iou(corners(found), corners(wanted)[None])[0])


def placed(pixels: np.ndarray, size: tuple[int, int], left: int, top: int, scale: float = 1.0) -> np.ndarray:
    """Place the scaled image on a grey canvas of (width, height)."""
    canvas = np.full((size[1], size[0], 3), 110, np.uint8)
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def rotated(pixels: np.ndarray, degrees: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def cartoon(size: int) -> np.ndarray:
    """Draw a face that fills the image: flat colours, two eyes, brows, a mouth."""
    canvas = np.full((400, 400, 3), (90, 160, 220), np.uint8)
    ink = {"lineType": cv2.LINE_AA}
    cv2.ellipse(canvas, (200, 205), (150, 175), 0, 0, 360, (250, 205, 165), -1, **ink)
    cv2.ellipse(canvas, (200, 90), (155, 80), 0, 180, 360, (70, 40, 20), -1, **ink)
    for x in (140, 260):
        cv2.ellipse(canvas, (x, 185), (30, 20), 0, 0, 360, (255, 255, 255), -1, **ink)
        cv2.circle(canvas, (x, 185), 13, (40, 30, 30), -1, **ink)
        cv2.ellipse(canvas, (x, 145), (35, 10), 0, 180, 360, (70, 40, 20), 7, **ink)
    cv2.line(canvas, (200, 200), (190, 250), (190, 130, 100), 6, **ink)
    cv2.ellipse(canvas, (200, 295), (65, 35), 0, 0, 180, (160, 40, 50), -1, **ink)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("detector", ["auto", "blazeface", "haar"])
def test_one_face_is_detected_at_its_position(face_detector, pixels, detector):
    used, found = face_detector.detect(pixels, detector)
    assert used == ("haar" if detector == "haar" else "blazeface")
    assert len(found) == 1
    assert agreement(found[0].box, FACE) > 0.6
    assert 0.5 < found[0].score <= 1


def test_right_and_left_keypoints_are_the_persons_own(face_detector, pixels):
    (face,) = face_detector.detect(pixels)[1]
    assert np.abs(face.keypoints[:2] - EYES).max() < 6


def test_landmarks_lie_on_the_face(face_detector, pixels):
    (face,) = face_detector.detect(pixels)[1]
    landmarks = face_detector.landmarks(pixels, face)
    assert landmarks.shape == (468, 3) and landmarks.dtype == np.float32
    points = landmarks[:, :2]
    eyes = np.stack([points[[33, 133]].mean(axis=0), points[[263, 362]].mean(axis=0)])
    assert np.abs(eyes - EYES).max() < 5
    low, high = points.min(axis=0), points.max(axis=0)
    assert agreement(Box(*low, *(high - low)), FACE) > 0.6


def test_landmarks_are_none_where_there_is_no_face(face_detector, pixels):
    nothing = Detection(Box(20, 220, 90, 110), 0.9, np.full((6, 2), np.nan, np.float32))
    assert face_detector.landmarks(pixels, nothing) is None


def test_landmarks_do_not_need_keypoints(face_detector, pixels):
    (face,) = face_detector.detect(pixels)[1]
    without_keypoints = Detection(face.box, face.score, np.full((6, 2), np.nan, np.float32))
    difference = face_detector.landmarks(pixels, without_keypoints) - face_detector.landmarks(pixels, face)
    assert np.abs(difference).max() < 5


def test_largest_face_comes_first(face_detector, pixels):
    canvas = placed(pixels, (800, 400), 0, 0, 0.6)
    canvas[:, 400:] = pixels
    _, found = face_detector.detect(canvas)
    assert len(found) == 2
    assert found[0].box.left > 400 > found[1].box.left
    assert found[0].box.area > found[1].box.area


@pytest.mark.parametrize(("size", "left", "top"), [((1000, 420), 590, 10), ((420, 1000), 10, 590), ((401, 403), 1, 2)])
def test_boxes_are_mapped_back_from_the_letterbox(face_detector, pixels, size, left, top):
    _, found = face_detector.detect(placed(pixels, size, left, top))
    assert len(found) == 1
    assert agreement(found[0].box, Box(FACE.left + left, FACE.top + top, FACE.width, FACE.height)) > 0.6


@pytest.mark.parametrize("degrees", [-60, -30, 30, 60, 90])
def test_rotated_faces_are_aligned_upright(face_detector, pixels, degrees):
    def crop(image):
        (face,) = face_detector.detect(image)[1]
        return align_crop(image, face.box, face_detector.landmarks(image, face), 48).astype(float).ravel()

    assert np.corrcoef(crop(pixels), crop(rotated(pixels, degrees)))[0, 1] > 0.9


def test_small_faces_of_a_large_image_are_detected_in_tiles(face_detector, pixels):
    canvas = placed(pixels, (2000, 1400), 1300, 900, 0.55)
    canvas[100:320, 200:420] = cv2.resize(pixels, (220, 220), interpolation=cv2.INTER_AREA)
    wanted = [Box(1300 + FACE.left * 0.55, 900 + FACE.top * 0.55, FACE.width * 0.55, FACE.height * 0.55)]
    wanted.append(Box(200 + FACE.left * 0.55, 100 + FACE.top * 0.55, FACE.width * 0.55, FACE.height * 0.55))
    _, found = face_detector.detect(canvas)
    assert len(found) == 2
    assert all(max(agreement(face.box, box) for face in found) > 0.5 for box in wanted)


def test_faces_of_an_image_are_bounded(face_detector, pixels):
    crowd = np.tile(cv2.resize(pixels[20:170, 100:250], (150, 150)), (13, 20, 1))
    crowd[-200:] = 110
    crowd[-200:, :200] = cv2.resize(pixels[:280, 60:340], (200, 200))
    areas = [face.box.area for face in face_detector.detect(crowd)[1]]
    assert len(areas) == MAX_FACES and areas == sorted(areas, reverse=True)


@pytest.mark.parametrize("size", [90, 200, 400])
def test_drawn_face_is_detected_by_the_back_camera_model(face_detector, size):
    canvas = np.full((480, 640, 3), (235, 235, 225), np.uint8)
    canvas[40 : 40 + size, 100 : 100 + size] = cartoon(size)
    _, found = face_detector.detect(canvas, "auto")
    assert found and agreement(found[0].box, Box(100 + 0.12 * size, 40 + 0.1 * size, 0.75 * size, 0.85 * size)) > 0.35


def test_flatness_separates_drawings_from_photos(pixels):
    assert flatness(cartoon(200), Box(0, 0, 200, 200)) > 0.4
    assert flatness(pixels, FACE) < 0.1
    assert flatness(np.full((50, 50, 3), 200, np.uint8), Box(0, 0, 50, 50)) == 0  # flat, but without contrast


@pytest.mark.parametrize("detector", ["auto", "blazeface", "haar"])
def test_no_face_gives_an_empty_list(face_detector, pixels, detector):
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    for image in (np.zeros((300, 400, 3), np.uint8), noise, pixels[230:, :]):
        assert face_detector.detect(image, detector)[1] == []


def test_whole_image_as_one_face(face_detector, pixels):
    used, (face,) = face_detector.detect(pixels, "none")
    assert used == "none"
    assert face.box == Box(0, 0, 400, 400)
    assert np.abs(face_detector.landmarks(pixels, face)[[33, 263], :2].mean(axis=0) - EYES.mean(axis=0)).max() < 5


def test_whole_image_without_a_visible_face(face_detector):
    used, (face,) = face_detector.detect(np.zeros((30, 50, 3), np.uint8), "none")
    assert used == "none" and face.box == Box(0, 0, 50, 30)
    assert np.isnan(face.keypoints).all()


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 2), (7, 5)])
def test_degenerate_images_are_handled(face_detector, detector, shape):
    image = np.full((*shape, 3), 130, np.uint8)
    _, found = face_detector.detect(image, detector)
    assert len(found) == (detector == "none")
    for face in found:
        assert align_crop(image, face.box, face_detector.landmarks(image, face), 48).shape == (48, 48)


def test_unknown_detector_is_rejected(face_detector, pixels):
    with pytest.raises(ValueError, match="auto, blazeface, haar, none"):
        face_detector.detect(pixels, "yolo")


def test_threads_get_the_same_results(face_detector, pixels):
    """Interpreters and cascades are not thread-safe: without their locks this gives wrong results or crashes."""
    images = [pixels, placed(pixels, (500, 420), 80, 5), rotated(pixels, 20), cv2.flip(pixels, 1)[:200]]

    def detect(image: np.ndarray) -> list[np.ndarray]:
        arrays = []
        for detector in ("auto", "haar"):
            for face in face_detector.detect(image, detector)[1]:
                points = face_detector.landmarks(image, face)
                arrays += [corners(face.box), points, align_crop(image, face.box, points, 48)]
        assert arrays
        return arrays

    alone = [detect(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(detect, images * 4))
    for index, arrays in enumerate(together):
        for got, wanted in zip(arrays, alone[index % len(images)], strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_published_recall_and_precision(face_detector):
    scenes = labelled_photos(shared("photos"))
    recall, precision = recall_precision(*match_scenes(lambda image: face_detector.detect(image)[1], scenes))
    assert recall >= 0.95 and precision >= 0.97


def test_few_false_alarms_on_photos_without_faces(face_detector):
    alarms = [scene.name for scene in face_free_photos(shared("photos")) if face_detector.detect(scene.pixels)[1]]
    assert len(alarms) <= 1, alarms
