"""The angles of a head, on a real face: its points turned by known angles, and its picture."""

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
def mesh(face_detector, pixels) -> np.ndarray:
    return face_detector.landmarks(pixels, face_detector.detect(pixels)[1][0])


def posed(face_detector: FaceDetector, pixels: np.ndarray) -> Pose:
    return estimate_pose(face_detector.landmarks(pixels, face_detector.detect(pixels)[1][0]))


def angles(pose: Pose) -> np.ndarray:
    return np.array([pose.yaw, pose.pitch, pose.roll])


def rotation(axis: str, degrees: float) -> np.ndarray:
    """Right-handed, in the axes of a picture: x to the right, y down, z away from the camera."""
    vector = np.eye(3)["xyz".index(axis)] * np.radians(degrees)
    return cv2.Rodrigues(vector)[0]


def test_points_have_a_depth_in_the_pictures_scale(mesh):
    assert mesh.shape == (468, 3) and mesh.dtype == np.float32
    nose, ears = mesh[4, 2], mesh[[234, 454], 2].mean()
    width = np.ptp(mesh[:, 0])
    assert 0.4 * width < ears - nose < width, "the nose is nearer than the sides, by about half a face"


def test_a_face_that_looks_at_the_camera(mesh):
    assert np.abs(angles(estimate_pose(mesh))).max() < 8


@pytest.mark.parametrize("yaw", [-50, 0, 30])
@pytest.mark.parametrize("pitch", [-20, 0, 25])
@pytest.mark.parametrize("roll", [-70, 0, 40])
def test_turned_points_give_their_angles(mesh, yaw, pitch, roll):
    """Pitch first, then yaw, then roll; right-handed turns take the nose down and to the left."""
    level = (
        mesh @ rotation("z", -estimate_pose(mesh).roll).T
    )  # the portrait's own angles are a degree or two: only the sum is known
    level = level @ rotation("y", estimate_pose(level).yaw).T
    start = estimate_pose(level)
    assert abs(start.yaw) < 0.1 and abs(start.roll) < 0.2
    turned = level @ rotation("x", -pitch).T @ rotation("y", -yaw).T @ rotation("z", roll).T
    assert angles(estimate_pose(turned)) == pytest.approx([yaw, start.pitch + pitch, roll], abs=0.5)


def test_mirrored_face_looks_to_the_other_side(face_detector, pixels):
    portrait = posed(face_detector, pixels)
    mirrored = posed(face_detector, cv2.flip(pixels, 1))
    assert mirrored.yaw == pytest.approx(-portrait.yaw, abs=3)
    assert mirrored.roll == pytest.approx(-portrait.roll, abs=3)
    assert mirrored.pitch == pytest.approx(portrait.pitch, abs=3)


@pytest.mark.parametrize("degrees", [-45, -20, 30])
def test_a_turned_picture_changes_the_roll_alone(face_detector, pixels, degrees):
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)  # OpenCV counts counter-clockwise
    turned = posed(face_detector, cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))
    upright = posed(face_detector, pixels)
    assert turned.roll == pytest.approx(upright.roll + degrees, abs=4)
    assert turned.yaw == pytest.approx(upright.yaw, abs=5)
    assert turned.pitch == pytest.approx(upright.pitch, abs=6)
