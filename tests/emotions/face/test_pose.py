"""Head pose: landmarks of a real face rotated by known angles, and its rotated photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from emotions.face.detector import FaceDetector
from emotions.face.pose import Pose, estimate_pose
from emotions.image.loading import open_image
from emotions.runtime.manifest import ModelRegistry


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector(ModelRegistry())


@pytest.fixture(scope="module")
def pixels(portrait) -> np.ndarray:
    return open_image(portrait).pixels


@pytest.fixture(scope="module")
def landmarks(face_detector, pixels) -> np.ndarray:
    return face_detector.landmarks(pixels, face_detector.detect(pixels)[1][0])


def pose_in(face_detector: FaceDetector, pixels: np.ndarray) -> Pose:
    return estimate_pose(face_detector.landmarks(pixels, face_detector.detect(pixels)[1][0]))


def angles(pose: Pose) -> np.ndarray:
    return np.array([pose.yaw, pose.pitch, pose.roll])


def rotation(axis: str, degrees: float) -> np.ndarray:
    """Return a right-handed rotation in image axes: x to the right, y down, z away from the camera."""
    vector = np.eye(3)["xyz".index(axis)] * np.radians(degrees)
    return cv2.Rodrigues(vector)[0]


def test_depth_is_in_pixels_of_the_image(landmarks):
    assert landmarks.shape == (468, 3) and landmarks.dtype == np.float32
    nose, ears = landmarks[4, 2], landmarks[[234, 454], 2].mean()
    width = np.ptp(landmarks[:, 0])
    assert 0.4 * width < ears - nose < width, "the nose is nearer than the sides, by about half a face"


def test_frontal_face_has_angles_near_zero(landmarks):
    assert np.abs(angles(estimate_pose(landmarks))).max() < 8


@pytest.mark.parametrize("yaw", [-50, 0, 30])
@pytest.mark.parametrize("pitch", [-20, 0, 25])
@pytest.mark.parametrize("roll", [-70, 0, 40])
def test_rotated_landmarks_give_their_angles(landmarks, yaw, pitch, roll):
    """Pitch first, then yaw, then roll; right-handed rotations move the nose down and to the left."""
    # The portrait's own angles are a degree or two: start from a face that is level and frontal.
    level = landmarks @ rotation("z", -estimate_pose(landmarks).roll).T
    level = level @ rotation("y", estimate_pose(level).yaw).T
    start = estimate_pose(level)
    assert abs(start.yaw) < 0.1 and abs(start.roll) < 0.2
    turned = level @ rotation("x", -pitch).T @ rotation("y", -yaw).T @ rotation("z", roll).T
    assert angles(estimate_pose(turned)) == pytest.approx([yaw, start.pitch + pitch, roll], abs=0.5)


def test_mirrored_face_has_opposite_yaw_and_roll(face_detector, pixels):
    portrait = pose_in(face_detector, pixels)
    mirrored = pose_in(face_detector, cv2.flip(pixels, 1))
    assert mirrored.yaw == pytest.approx(-portrait.yaw, abs=3)
    assert mirrored.roll == pytest.approx(-portrait.roll, abs=3)
    assert mirrored.pitch == pytest.approx(portrait.pitch, abs=4)


@pytest.mark.parametrize("degrees", [-45, -20, 30])
def test_rotated_image_changes_the_roll_alone(face_detector, pixels, degrees):
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)  # OpenCV counts counter-clockwise
    turned = pose_in(face_detector, cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))
    upright = pose_in(face_detector, pixels)
    assert turned.roll == pytest.approx(upright.roll + degrees, abs=4)
    assert turned.yaw == pytest.approx(upright.yaw, abs=5)
    assert turned.pitch == pytest.approx(upright.pitch, abs=6)
