"""Crops of rendered heads: framed by the served detectors, or by the rendering's own landmarks where no face is found."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from emotions.face.alignment import EYE_CENTER, RMS_RADIUS, alignment_matrix, rms_radius, warp_crop
from emotions.face.detector import FaceDetector

RIGHT_EYE, LEFT_EYE = (36, 39), (42, 45)
"""Corners of the eyes among the Multi-PIE landmarks: the corners by which served faces are aligned."""
RADIUS_RATIO = 0.907
"""Radius of Face Mesh's 468 landmarks over that of the 68 landmarks of a rendering: the median that
`python -m scripts.synthetic.heads.dataset.framing_ratio` measures, over found faces of all families."""
OUR_SHIFT, OUR_SCALE = 0.25, 1.5  # a found face is the head's if its crop is within so many sides of ours, and not larger by more
ROTATION_SD, SCALE_SD, SHIFT_SD = 3.0, 0.06, 0.02  # jitter: degrees, log scale, share of the crop's side
CHANGED = 0.5  # share of the crops that are changed in brightness or quality
REFERENCE_SIZE = 48  # pixels of the crop to which the blur refers


def landmark_matrix(landmarks: np.ndarray) -> np.ndarray:
    """Framing of a rendering's landmarks (68, 2) in pixels, as the service frames Face Mesh's.

    Returns:
        Matrix (2, 3) from coordinates of the crop (0..1) to pixels of the picture.
    """
    right, left = landmarks[list(RIGHT_EYE)].mean(axis=0), landmarks[list(LEFT_EYE)].mean(axis=0)
    angle = np.arctan2(left[1] - right[1], left[0] - right[0])
    side = RADIUS_RATIO * rms_radius(landmarks) / RMS_RADIUS
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * side
    return np.column_stack([axes, (right + left) / 2 - axes @ EYE_CENTER])


def same_face(found: np.ndarray, expected: np.ndarray) -> bool:
    """True if two framings (2, 3), see `landmark_matrix`, show the same face."""
    sides = [float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))) for matrix in (found, expected)]
    centers = [matrix @ [0.5, 0.5, 1] for matrix in (found, expected)]
    near = np.linalg.norm(centers[0] - centers[1]) < OUR_SHIFT * sides[1]
    return bool(near and 1 / OUR_SCALE < sides[0] / sides[1] < OUR_SCALE)


def frame(face_detector: FaceDetector, pixels: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, bool]:
    """Framing of a head in a picture (H, W, 3) uint8 RGB whose landmarks (68, 2) are known.

    Returns:
        Matrix as of `landmark_matrix`, and true if the detectors found the face; otherwise the matrix is that of the landmarks.
    """
    expected = landmark_matrix(landmarks)
    for face in face_detector.detect(pixels)[1]:
        matrix = alignment_matrix(pixels.shape, face.box, face_detector.landmarks(pixels, face), 1)
        if same_face(matrix, expected):
            return matrix, True
    return expected, False


def crop(pixels: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Crop (size, size) uint8 grey of a picture (H, W, 3) uint8 RGB; `matrix` as of `landmark_matrix`."""
    scaled = matrix / [[size, size, 1]]
    return cv2.cvtColor(warp_crop(pixels, scaled, size), cv2.COLOR_RGB2GRAY)


@dataclass(frozen=True)
class Degradation:
    """Changes of brightness and quality, the same for crops of any size.

    Attributes:
        gamma, gain, offset: brightness: (value ** gamma) * gain + offset, of values 0..1.
        blur: standard deviation in pixels of a crop of REFERENCE_SIZE; 0 for none.
        noise: standard deviation of noise, of values 0..1.
        quality: quality of JPEG compression, 0 for none.
        seed: seed of the noise.
    """

    gamma: float = 1.0
    gain: float = 1.0
    offset: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    quality: int = 0
    seed: int = 0

    def __call__(self, face: np.ndarray) -> np.ndarray:
        """Degrade a crop (S, S) uint8 grey."""
        if self == Degradation():
            return face
        grey: np.ndarray = (face.astype(np.float32) / 255) ** self.gamma * self.gain + self.offset
        if self.blur:
            grey = cv2.GaussianBlur(grey, (0, 0), self.blur * len(face) / REFERENCE_SIZE)
        if self.noise:
            grey = grey + np.random.default_rng(self.seed).normal(0, self.noise, grey.shape)
        out = np.clip(np.round(grey * 255), 0, 255).astype(np.uint8)
        if not self.quality:
            return out
        compressed = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
        return np.asarray(cv2.imdecode(compressed, cv2.IMREAD_GRAYSCALE))


def sample_degradation(random: np.random.Generator) -> Degradation:
    """Sample what a camera and storage do to a picture; half of the crops stay as they are."""
    changed, values = random.random() < CHANGED, random.random(4)
    brightness, blurred, noisy, compressed = changed & (values < (0.7, 0.25, 0.25, 0.3))
    gamma, gain, offset = (
        float(np.exp(random.normal(0, 0.2))),
        float(random.uniform(0.8, 1.05)),
        float(random.uniform(-0.05, 0.1)),
    )
    blur, noise = float(random.uniform(0.3, 0.8)), float(random.uniform(0.005, 0.025))
    quality, seed = int(random.integers(45, 95)), int(random.integers(2**31))
    return Degradation(
        *((gamma, gain, offset) if brightness else (1.0, 1.0, 0.0)),
        blur if blurred else 0.0, noise if noisy else 0.0, quality if compressed else 0, seed if noisy else 0,
    )  # fmt: skip
