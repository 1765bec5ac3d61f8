"""Face alignment, which training and serving share."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from emotions.face.alignment import (
    BOX_CENTER,
    BOX_SIDE,
    EYE_CENTER,
    LEFT_EYE,
    RIGHT_EYE,
    RMS_RADIUS,
    align_crop,
    alignment_matrix,
    eye_line,
    rms_radius,
    stable_matrix,
)
from emotions.face.results import Box

BOX = Box(60, 40, 80, 90)


def image(width: int = 200, height: int = 180) -> np.ndarray:
    """A wave pattern with another wavelength in each channel, so that no two regions look alike."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    waves = [127 + 120 * np.sin(x / 9 + y / 23), 127 + 120 * np.sin(x / 31 - y / 11), 127 + 120 * np.cos(y / 17)]
    return np.stack(waves, axis=-1).round().astype(np.uint8)


def landmarks(center=(100.0, 80.0), size: float = 30.0, degrees: float = 0.0) -> np.ndarray:
    """468 points on two rings with eye corners at plausible positions: enough of a face for the alignment."""
    angles = np.linspace(0, 2 * np.pi, 468, endpoint=False)
    points = np.stack([np.cos(angles), 0.45 + 1.2 * np.sin(angles)], axis=-1)
    points[1::2] *= 0.5
    points[list(RIGHT_EYE)] = (-0.75, 0.0), (-0.35, 0.0)
    points[list(LEFT_EYE)] = (0.75, 0.0), (0.35, 0.0)
    turn = np.radians(degrees)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (points * size @ axes.T + center).astype(np.float32)


GOLDEN_ALIGNED = np.array([
    [ 71,  48,  57,  90,  84,  39,  40,  85],
    [ 59,  34,  58,  88,  82,  50,  49,  90],
    [118,  96, 120, 153, 142, 115, 119, 156],
    [174, 152, 173, 213, 202, 164, 175, 213],
    [162, 141, 166, 202, 190, 152, 159, 195],
    [104,  85, 114, 138, 123,  95,  93, 125],
    [ 77,  51,  79, 108,  84,  50,  56,  85],
    [110,  81, 109, 140, 115,  79,  90, 117],
])  # fmt: skip
GOLDEN_BOX = np.array([
    [ 86,  56,  31,  62, 123, 154, 141, 137],
    [123,  61,  25,  48,  81,  76,  55,  74],
    [177, 117,  95, 111, 106,  59,  20,  39],
    [180, 156, 173, 197, 172, 109,  68,  79],
    [121, 135, 191, 229, 208, 163, 153, 170],
    [ 55,  84, 148, 181, 168, 161, 194, 232],
    [ 47,  70, 108, 107,  87, 104, 166, 213],
    [107, 121, 119,  75,  38,  55, 109, 135],
])  # fmt: skip


def test_golden_vectors():
    """Training and serving must use the same crop: a change here means that every model has to be trained again."""
    aligned, around = align_crop(image(), BOX, landmarks(degrees=20), 8), align_crop(image(), BOX, None, 8)
    assert np.abs(aligned.astype(int) - GOLDEN_ALIGNED).max() <= 1  # OpenCV's builds round differently
    assert np.abs(around.astype(int) - GOLDEN_BOX).max() <= 1


@pytest.mark.parametrize("degrees", [0, 35, -80, 170])
@pytest.mark.parametrize("size", [48, 96])
def test_eyes_are_level_and_at_the_expected_position(degrees, size):
    points = landmarks((300, 260), 70, degrees)
    canvas = np.zeros((520, 600, 3), np.uint8)
    for corner in (RIGHT_EYE, LEFT_EYE):
        x, y = points[list(corner)].mean(axis=0) - 0.5  # cv2 draws at the centres of pixels
        cv2.circle(canvas, (round(float(x) * 16), round(float(y) * 16)), 10 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
    crop = align_crop(canvas, BOX, points, size).astype(float)
    half = size // 2
    ys, xs = (np.mgrid[:size, :size] + 0.5) / size
    found = [((xs * side).sum() / side.sum(), (ys * side).sum() / side.sum())
             for side in (np.where(xs < 0.5, crop, 0), np.where(xs >= 0.5, crop, 0))]  # fmt: skip
    apart = 1.1 * 70 * RMS_RADIUS / rms_radius(points)  # the eyes' centres are 1.1 sizes apart in landmarks()
    wanted = [(EYE_CENTER[0] - apart / 2, EYE_CENTER[1]), (EYE_CENTER[0] + apart / 2, EYE_CENTER[1])]
    assert half and np.abs(np.array(found) - wanted).max() < 0.01


@pytest.mark.parametrize("degrees", [0, 20, 123])
@pytest.mark.parametrize("scale", [0.4, 1, 9])
def test_the_last_digits_of_landmarks_hardly_ever_change_a_pixel(degrees, scale):
    """They differ between processors and runtimes."""
    random = np.random.default_rng(2)
    pixels = random.integers(0, 256, (900, 1200, 3), np.uint8)
    points = landmarks((601.3, 433.7), 30 * scale, degrees)
    expected = align_crop(pixels, BOX, points, 48)
    same = [np.array_equal(align_crop(pixels, BOX, points * (1 + 1e-7 * random.standard_normal(points.shape)), 48), expected)
            for _ in range(50)]  # fmt: skip
    assert np.mean(same) >= 0.9  # now and then a number lies between two steps
    matrix = alignment_matrix(pixels.shape, BOX, points, 48)
    corner = np.array([48, 48, 1])
    assert np.abs((stable_matrix(matrix) - matrix) @ corner).max() < 0.1 * np.sqrt(np.linalg.det(matrix[:, :2]))
    assert np.array_equal(stable_matrix(stable_matrix(matrix)), stable_matrix(matrix))


@pytest.mark.parametrize("points", [None, np.full((468, 2), 50, np.float32)], ids=["box without area", "landmarks on one point"])
def test_a_face_without_size_gives_a_crop(points):
    """Its matrix has the scale 0, which has no steps to round to."""
    box = Box(50, 50, 0, 20)
    matrix = alignment_matrix((180, 200, 3), box, points, 48)
    assert np.array_equal(stable_matrix(matrix), matrix)
    crop = align_crop(image(), box, points, 48)
    assert crop.shape == (48, 48) and np.ptp(crop) == 0, "each pixel shows the same point"


@pytest.mark.parametrize("scale", [0.0, 1e200, np.inf, np.nan])
def test_a_matrix_without_steps_stays_as_it_is(scale):
    matrix = np.array([[scale, 0, 50.25], [0, scale, 60.75]])
    assert np.array_equal(stable_matrix(matrix), matrix, equal_nan=True)


def test_crop_is_independent_of_scale_and_position():
    small = image()
    large = cv2.resize(small, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    points = landmarks()
    difference = align_crop(small, BOX, points, 48).astype(int) - align_crop(large, BOX.scaled(3), points * 3, 48)
    assert np.abs(difference).mean() < 2


def test_reduced_crops_are_not_aliased():
    checks = (np.indices((1200, 1200)).sum(axis=0) % 2 * 255).astype(np.uint8)
    for crop in (
        align_crop(checks, Box(100, 100, 900, 900), None, 48),
        align_crop(checks, Box(100, 100, 900, 900), landmarks((600, 500), 300, 30), 48),
    ):
        assert crop.std() < 3 and abs(crop.mean() - 127.5) < 3


def test_border_is_replicated_outside_the_image():
    plain = np.full((100, 100, 3), 77, np.uint8)
    for box in (Box(-60, -60, 90, 90), Box(80, 70, 60, 80), Box(-500, -500, 50, 50)):
        assert (align_crop(plain, box, None, 48) == 77).all()
    assert (align_crop(plain, BOX, landmarks((0, 0), 60), 48) == 77).all()


def test_grey_and_colour_give_the_same_crop():
    grey = cv2.cvtColor(image(), cv2.COLOR_RGB2GRAY)
    for points in (None, landmarks(degrees=15)):
        difference = align_crop(grey, BOX, points, 48).astype(int) - align_crop(image(), BOX, points, 48)
        assert np.abs(difference).max() <= 1


def test_whole_image_of_the_crop_size_is_unchanged():
    face = image(48, 48)[..., 0]
    np.testing.assert_array_equal(align_crop(face, Box(0, 0, 48, 48), None, 48), face)


def test_whole_image_that_is_not_square_is_padded():
    tall = np.zeros((96, 48), np.uint8)
    tall[:2], tall[-2:], tall[:, :1], tall[:, -1:] = 255, 255, 255, 255
    crop = align_crop(tall, Box(0, 0, 48, 96), None, 96)
    np.testing.assert_array_equal(crop[:, 24:72], tall)


def test_box_without_landmarks_gets_the_training_margin():
    canvas = np.zeros((300, 300), np.uint8)
    canvas[100:200, 100:200] = 255
    crop = align_crop(canvas, Box(100, 100, 100, 100), None, 112)
    ys, xs = np.nonzero(crop > 127)
    wanted = [(BOX_CENTER[axis] - 0.5 / BOX_SIDE) * 112 for axis in (0, 1)]
    assert abs(xs.min() - wanted[0]) <= 1 and abs(ys.min() - wanted[1]) <= 1
    assert abs(np.ptp(xs) + 1 - 112 / BOX_SIDE) <= 1 and abs(np.ptp(ys) + 1 - 112 / BOX_SIDE) <= 1


def test_eye_line_and_rms_radius():
    center, angle = eye_line(landmarks((10, 20), 30, 25))
    np.testing.assert_allclose(center, (10, 20), atol=1e-3)
    assert np.degrees(angle) == pytest.approx(25, abs=0.01)
    assert rms_radius(landmarks(size=60)) == pytest.approx(2 * rms_radius(landmarks(size=30)), rel=1e-4)
