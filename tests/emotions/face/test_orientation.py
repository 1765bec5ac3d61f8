"""Photos that lie on their sides or stand on their heads: the faces of the upright photo, where they are in the turned one."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from emotions.face.alignment import align_crop, turn_points
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.blazeface import Detection, iou, tile_starts, to_detection, turn_candidates
from emotions.face.detector import LARGE_IMAGE, MAX_CLOSER_LOOKS, TILE_SIZE, FaceDetector
from emotions.face.results import Box, Face, ImageResult
from emotions.image.loading import encode_jpeg, open_image
from scripts.evaluate.detection_scenes import face_free_photos
from scripts.evaluate.orientation import UprightDetector
from tests.shared_data import shared

ROOT = Path(__file__).resolve().parents[3]
PHOTOS = (ROOT / "tests/data/astronaut.jpg", ROOT / "static/samples/obama.jpg", ROOT / "static/samples/collins.jpg")
TURNS = (1, 2, 3)


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


def clockwise(pixels: np.ndarray, turns: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(pixels, -turns))


def turned_points(points: np.ndarray, turns: int, shape: tuple[int, ...]) -> np.ndarray:
    """Points (N, 2) of an image (H, W, ...) in the image rotated clockwise."""
    height, width = shape[:2]
    offset = [(0, 0), (height, 0), (width, height), (0, width)][turns]
    return turn_points(points, turns) + offset


def turned_box(box: Box, turns: int, shape: tuple[int, ...]) -> np.ndarray:
    corners = np.array([[box.left, box.top], [box.left + box.width, box.top + box.height]])
    points = turned_points(corners, turns, shape)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def corners(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.left + box.width, box.top + box.height])


def angle_between(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


def check_same_face(face: Face, upright: Face, turns: int, shape: tuple[int, ...]) -> None:
    assert face.emotion == upright.emotion and face.unsure == upright.unsure
    assert face.probabilities == pytest.approx(upright.probabilities, abs=0.1)
    assert iou(corners(face.box), turned_box(upright.box, turns, shape)[None])[0] > 0.8
    expected = turned_points(np.array(upright.landmarks), turns, shape)
    assert np.abs(np.array(face.landmarks) - expected).max() < 0.08 * np.sqrt(upright.box.area)
    assert -180 <= face.pose.roll <= 180 and angle_between(face.pose.roll, upright.pose.roll + 90 * turns) < 5
    assert face.pose.yaw == pytest.approx(upright.pose.yaw, abs=5) and face.pose.pitch == pytest.approx(upright.pose.pitch, abs=6)


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
def test_turned_photo_gives_the_answer_of_the_upright_one(analyzer, photo, turns):
    pixels = open_image(photo).pixels
    (upright,) = analyzer.analyze(pixels, landmarks=True).faces
    result = analyzer.analyze(clockwise(pixels, turns), landmarks=True)
    height, width = pixels.shape[:2]
    assert (result.width, result.height) == ((height, width) if turns % 2 else (width, height))
    check_same_face(*result.faces, upright, turns, pixels.shape)


@pytest.mark.parametrize("degrees", range(0, 360, 30))
def test_roll_is_right_through_360_degrees(analyzer, degrees):
    pixels = open_image(PHOTOS[0]).pixels[:280, 40:320]
    (upright,) = analyzer.analyze(pixels).faces
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)  # OpenCV counts counter-clockwise
    (face,) = analyzer.analyze(cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)).faces
    assert angle_between(face.pose.roll, upright.pose.roll + degrees) < 6
    assert face.emotion == upright.emotion


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_exif_and_of_the_content_add_up(analyzer, orientation):
    """EXIF turns a photo upright whose content is upside down: coordinates are those of the photo as it is shown."""
    shown = clockwise(open_image(PHOTOS[0]).pixels, 2)
    (expected,) = analyzer.analyze(open_image(encode_jpeg(shown, 95)), landmarks=True).faces
    method = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(orientation)  # what undoes the orientation, by PIL.Image.Transpose
    stored = Image.fromarray(shown)
    stored = stored if method is None else stored.transpose(Image.Transpose(method))
    exif, stream = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    stored.save(stream, "JPEG", quality=95, exif=exif.tobytes())
    (face,) = analyzer.analyze(stream.getvalue(), landmarks=True).faces
    check_same_face(face, expected, 0, shown.shape)


def pair(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.concatenate([first, second], axis=1))


@pytest.mark.parametrize("turns", TURNS)
def test_photo_with_an_upright_face_is_not_turned(analyzer, turns):
    """Two people, one of them upright: the face of that one is as it was, and another one that is found is read its way up."""
    pixels = open_image(PHOTOS[0]).pixels
    (upright,) = analyzer.analyze(pair(pixels, np.full_like(pixels, 110))).faces
    faces = analyzer.analyze(pair(pixels, clockwise(pixels, turns))).faces
    same = [face for face in faces if iou(corners(face.box), corners(upright.box)[None])[0] > 0.8]
    assert len(same) == 1 and abs(same[0].pose.roll - upright.pose.roll) < 3 and same[0].emotion == upright.emotion
    for face in faces:
        if face.box.left > 400 and face.pose:
            assert angle_between(face.pose.roll, upright.pose.roll + 90 * turns) < 30


@pytest.mark.parametrize("turns", TURNS)
def test_group_is_found_at_every_quarter_turn(analyzer, turns):
    pixels = open_image(PHOTOS[0]).pixels[:260, 60:320]
    group = np.concatenate([np.concatenate([pixels, pixels[:, ::-1], pixels], axis=1)] * 2)
    upright, turned = (analyzer.analyze(clockwise(group, one)) for one in (0, turns))
    assert len(upright.faces) == len(turned.faces) == 6
    boxes = np.array([corners(face.box) for face in turned.faces])
    for face in upright.faces:
        overlaps = iou(turned_box(face.box, turns, group.shape), boxes)
        assert overlaps.max() > 0.7 and turned.faces[int(overlaps.argmax())].emotion == face.emotion


@pytest.mark.parametrize("turns", TURNS)
def test_small_faces_of_a_large_turned_photo_are_found_in_tiles(analyzer, turns):
    pixels = open_image(PHOTOS[0]).pixels
    canvas = np.full((1200, 1800, 3), 110, np.uint8)
    places = ((100, 150), (700, 600), (1300, 900))
    for left, top in places:
        canvas[top : top + 240, left : left + 240] = cv2.resize(pixels, (240, 240), interpolation=cv2.INTER_AREA)
    assert len(analyzer.analyze(clockwise(canvas, turns)).faces) == len(places)


@pytest.mark.parametrize("turns", range(4))
def test_crop_without_landmarks_is_turned_upright(turns):
    pixels = np.random.default_rng(turns).integers(0, 256, (90, 120), np.uint8)
    box = Box(40, 20, 44, 44)
    low, high = turned_box(box, turns, pixels.shape).reshape(2, 2)
    crop = align_crop(clockwise(pixels, turns), Box(*low, *(high - low)), None, 24, turns)
    assert np.abs(crop.astype(int) - align_crop(pixels, box, None, 24)).max() <= 4


def test_candidates_turn_with_the_input():
    random, size = np.random.default_rng(4), 192
    points = random.uniform(0, size, (30, 8, 2))
    points[:, :2] = np.sort(points[:, :2], axis=1)
    rows = np.hstack([points.reshape(30, 16), random.uniform(size=(30, 1))])
    for turns in range(4):
        turned = turn_candidates(rows, turns, size)
        expected = turned_points(points[:, 2:], turns, (size, size)).reshape(30, 12)
        np.testing.assert_allclose(turned[:, 4:16], expected, atol=1e-4)
        assert (turned[:, 2:4] >= turned[:, :2]).all()
        np.testing.assert_allclose(turn_candidates(turned, 4 - turns, size), rows, atol=1e-4)


@pytest.mark.parametrize("turns", range(4))
def test_box_is_corrected_along_the_axes_of_the_face(turns):
    correction = {"x": 0.05, "y": -0.1, "width": 0.8, "height": 1.1}
    row = np.concatenate([[20, 30, 60, 70], np.tile([40.0, 50.0], 6), [0.9]]).astype(np.float32)
    expected = turned_box(to_detection(row, correction).box, turns, (192, 192))
    found: Detection = to_detection(turn_candidates(row[None], turns, 192)[0], correction, turns)
    np.testing.assert_allclose(corners(found.box), expected, atol=1e-3)
    assert found.turns == turns


@pytest.fixture
def passes(analyzer, monkeypatch) -> Callable[..., dict[str, int]]:
    """Return a function that counts the passes of each model that the detection takes."""

    def count(pixels: np.ndarray, kind: type[FaceDetector] = FaceDetector) -> dict[str, int]:
        counts: dict[str, int] = {}
        detector = kind(analyzer.registry)
        run = type(analyzer.registry.model(analyzer.registry.entry("detector", "blazeface-full-range"))).__call__

        def counted(model: object, batch: np.ndarray) -> list[np.ndarray]:
            counts[names[id(model)]] = counts.get(names[id(model)], 0) + 1
            return run(model, batch)

        entries = [*analyzer.registry.entries("detector"), *analyzer.registry.entries("landmarks")]
        names = {id(analyzer.registry.model(entry)): entry.name for entry in entries}
        with monkeypatch.context() as patch:
            patch.setattr(type(analyzer.registry.model(entries[0])), "__call__", counted)
            for face in detector.detect(pixels)[1]:
                detector.landmarks(pixels, face)
        return counts

    return count


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
def test_upright_photo_takes_no_further_pass(passes, photo):
    pixels = open_image(photo).pixels
    assert passes(pixels) == passes(pixels, UprightDetector)


@pytest.mark.parametrize("shape", [(480, 640), (1200, 2048), (2048, 2048), (1, 3000)])
def test_search_of_other_orientations_is_bounded(passes, shape):
    """One pass for each other orientation, and the search of a large image once more, upside down."""
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    tiles = 0 if max(shape) <= LARGE_IMAGE else len(tile_starts(shape[0], TILE_SIZE)) * len(tile_starts(shape[1], TILE_SIZE))
    counts = passes(noise)
    least, closer = 4 + 2 * tiles + bool(tiles), MAX_CLOSER_LOOKS * (2 if tiles else 1)
    assert least <= counts["blazeface-full-range"] <= least + closer and counts.get("face-mesh", 0) <= 8


@pytest.mark.parametrize("name", ["angry.png", "friends.png"])
def test_drawings_are_left_as_they_are(analyzer, name):
    result: ImageResult = analyzer.analyze(ROOT / "static/samples" / name)
    assert result.faces and all(face.pose is None or abs(face.pose.roll) < 60 for face in result.faces)


@pytest.mark.parametrize("turns", range(4))
def test_search_of_other_orientations_has_no_false_alarms(analyzer, turns):
    for scene in face_free_photos(shared("photos")):
        found = analyzer.face_detector.detect(clockwise(scene.pixels, turns))[1]
        assert not any(face.turns for face in found), scene.name


def test_case_of_an_upside_down_portrait(analyzer):
    (face,) = analyzer.analyze(shared("..", "cases", "upside-down", "obama-180.jpg")).faces
    assert face.emotion == "happy" and abs(face.pose.roll) > 160
