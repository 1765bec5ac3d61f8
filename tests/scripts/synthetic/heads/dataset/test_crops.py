"""Crops of rendered heads: framing by landmarks, the choice of a detection, and degradations."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from emotions.face.alignment import EYE_CENTER, RMS_RADIUS, rms_radius
from emotions.face.detector import FaceDetector
from emotions.image.loading import open_image
from emotions.runtime.manifest import ModelRegistry
from scripts.synthetic.heads.dataset import crops


@pytest.fixture
def landmarks() -> np.ndarray:
    """Made-up landmarks (68, 2) of a face of 100 pixels around (120, 130), whose eyes are level."""
    points = np.random.default_rng(2).normal((120, 130), 30, (68, 2))
    points[[36, 39, 42, 45]] = (85, 110), (105, 110), (135, 110), (155, 110)
    return points


def turned(points: np.ndarray, degrees: float, scale: float) -> np.ndarray:
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * (points - 100) @ rotation.T + 100


def test_the_crop_of_landmarks_has_the_eyes_where_the_service_has_them(landmarks):
    matrix = crops.landmark_matrix(landmarks)
    assert matrix @ [*EYE_CENTER, 1] == pytest.approx([120, 110])
    assert matrix[0, 0] == pytest.approx(crops.RADIUS_RATIO * rms_radius(landmarks) / RMS_RADIUS) and matrix[1, 0] == 0
    moved = crops.landmark_matrix(turned(landmarks, 20, 1.5))
    assert np.degrees(np.arctan2(moved[1, 0], moved[0, 0])) == pytest.approx(20)
    assert moved @ [0.2, 0.9, 1] == pytest.approx(turned((matrix @ [0.2, 0.9, 1])[None], 20, 1.5)[0])


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (np.array([[1, 0, 10], [0, 1, -10]]), True), (np.array([[1.3, 0, -15], [0, 1.3, -15]]), True),
        (np.array([[1, 0, 30], [0, 1, 0]]), False), (np.array([[2, 0, -50], [0, 2, -50]]), False),
        (np.array([[0.5, 0, 25], [0, 0.5, 25]]), False),
    ],
)  # fmt: skip
def test_a_detection_elsewhere_is_another_face(change, same):
    ours = np.array([[100.0, 0, 50], [0, 100, 60]])
    found = ours @ np.vstack([change / [[1, 1, 100]], [0, 0, 1]])
    assert crops.same_face(found, ours) is same


def test_a_photo_is_framed_by_the_detectors_where_they_agree(portrait):
    pixels = open_image(portrait).pixels
    face_detector = FaceDetector(ModelRegistry())
    face = face_detector.detect(pixels)[1][0]
    mesh = face_detector.landmarks(pixels, face)[:, :2]
    own = mesh[np.linspace(0, 467, 68).astype(int)].copy()
    own[[36, 39, 42, 45]] = mesh[[33, 133, 362, 263]]
    matrix, found = crops.frame(face_detector, pixels, own)
    assert found and crops.crop(pixels, matrix, 48).shape == (48, 48)
    elsewhere = own + [0.6 * np.ptp(own[:, 0]), 0]
    matrix, found = crops.frame(face_detector, pixels, elsewhere)
    assert not found and matrix == pytest.approx(crops.landmark_matrix(elsewhere))


def test_crops_of_both_sizes_show_the_same(portrait):
    pixels = open_image(portrait).pixels
    matrix = np.array([[150.0, 10, 150], [-10, 150, 40]])
    small, large = (crops.crop(pixels, matrix, size) for size in (48, 96))
    assert small.shape == (48, 48) and large.shape == (96, 96)
    halved = large.reshape(48, 2, 48, 2).mean(axis=(1, 3))
    assert np.abs(halved - small).mean() < 4 < small.std()


def test_degradations_are_the_same_for_both_sizes():
    random = np.random.default_rng(0)
    ramp = np.tile(np.linspace(40, 200, 96), (96, 1)).astype(np.uint8)
    seen = Counter()
    for _ in range(400):
        degrade = crops.sample_degradation(random)
        large, small = degrade(ramp), degrade(ramp[::2, ::2])
        assert np.array_equal(large, degrade(ramp)) and large.dtype == np.uint8
        assert large.mean() == pytest.approx(small.mean(), abs=3)
        seen["none"] += np.array_equal(large, ramp)
        seen["brightness"] += abs(large.mean() - ramp.mean()) > 2
        seen["noise"] += degrade.noise > 0
    assert 180 < seen["none"] < 260 and 80 < seen["brightness"] < 160 and 30 < seen["noise"] < 75


def test_blur_removes_detail_and_noise_adds_it():
    stripes = np.tile(np.array([60, 180], np.uint8), (48, 24))
    assert crops.Degradation(blur=1.0)(stripes).std() < 0.3 * stripes.std()
    grey = np.full((48, 48), 128, np.uint8)
    assert 4 < crops.Degradation(noise=0.02, seed=3)(grey).std() < 6.5
    assert np.array_equal(crops.Degradation()(grey), grey)
    assert crops.Degradation(gain=0.5)(grey).mean() == pytest.approx(64, abs=1)
