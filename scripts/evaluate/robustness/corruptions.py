"""Fifteen corruptions of pictures in five strengths each.

In the manner of Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", ICLR
2019: noise, contrast and JPEG have their strengths for pictures of 224 pixels. Blur and pixelation are given relative to the
picture's side, so that they do not depend on its resolution; weather is left out, and what happens to uploaded faces is added:
underexposure, uneven light, color cast, occlusion, rotation and perspective.

    corrupted = BY_NAME["jpeg"].apply(pixels, strength=3, seed=(0, 7))

The picture shows one face whose centre is at the picture's; rotation and perspective leave that point where it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

STRENGTHS = (1, 2, 3, 4, 5)
FACE_SHARE = 0.5
"""Side of the region in the middle that holds the face, as a share of the picture's sides: for occlusion and uneven light."""
CAMERA_DISTANCE = 2.0
"""Distance of the camera from a picture turned in depth, in sides of the picture."""

Function = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""(H, W, 3) uint8 RGB, amount and source of randomness -> corrupted picture, (H, W, 3) uint8 or float 0..255."""


@dataclass(frozen=True)
class Corruption:
    """A corruption with its five strengths.

    Attributes:
        name: name on the command line.
        title: name in tables.
        unit: what `amounts` are.
        amounts: parameter of each of STRENGTHS.
        function: makes the picture from an amount.
    """

    name: str
    title: str
    unit: str
    amounts: tuple[float, float, float, float, float]
    function: Function

    def apply(self, pixels: np.ndarray, strength: int, seed: int | Sequence[int]) -> np.ndarray:
        """Corrupt a picture.

        Args:
            pixels: (H, W, 3) uint8 RGB; left as it is.
            strength: 1 to 5.
            seed: directions, places and noise depend on it alone, so that they are the same at all strengths.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            ValueError: the strength is not one of STRENGTHS, or the picture has another form.
        """
        if strength not in STRENGTHS:
            raise ValueError(f"strength is 1 to 5, not {strength}")
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"a picture is (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}")
        corrupted = self.function(pixels, self.amounts[strength - 1], np.random.default_rng(seed))
        return corrupted if corrupted.dtype == np.uint8 else np.rint(np.clip(corrupted, 0, 255)).astype(np.uint8)


def gaussian_noise(pixels: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    """Add normal noise to each value: a sensor's readout noise."""
    return pixels + 255 * deviation * random.standard_normal(pixels.shape, np.float32)


def shot_noise(pixels: np.ndarray, photons: float, random: np.random.Generator) -> np.ndarray:
    """Replace each value by a Poisson count of which white has `photons` on average: few photons in dim light."""
    return random.poisson(pixels / 255.0 * photons) * (255.0 / photons)


def impulse_noise(pixels: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Set a share of the values to 0 or 255: broken sensor elements, transmission errors."""
    draw = random.random(pixels.shape, np.float32)
    return np.where(draw < share / 2, 0, np.where(draw < share, 255, pixels)).astype(np.uint8)


def gaussian_blur(pixels: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    """Blur like a picture out of focus."""
    return cv2.GaussianBlur(pixels, (0, 0), deviation * min(pixels.shape[:2]), borderType=cv2.BORDER_REPLICATE)


def motion_blur(pixels: np.ndarray, length: float, random: np.random.Generator) -> np.ndarray:
    """Mean along a line of random direction: camera or person moved."""
    reach = length * min(pixels.shape[:2]) / 2
    angle, middle = random.uniform(0, math.pi), math.ceil(reach)
    kernel = np.zeros((2 * middle + 1,) * 2, np.float32)
    for place in np.linspace(-reach, reach, 8 * middle + 1):
        row, column = middle + place * math.sin(angle), middle + place * math.cos(angle)
        kernel[round(row), round(column)] += 1
    return cv2.filter2D(pixels, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def pixelation(pixels: np.ndarray, side: float, random: np.random.Generator) -> np.ndarray:
    """Reduce the shorter side to `side` pixels and enlarge again without interpolation: a small face in a large picture."""
    height, width = pixels.shape[:2]
    scale = side / min(height, width)
    small = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)


def jpeg(pixels: np.ndarray, quality: float, random: np.random.Generator) -> np.ndarray:
    """Compress as JPEG."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded in the line above
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def contrast(pixels: np.ndarray, kept: float, random: np.random.Generator) -> np.ndarray:
    """Move each value towards the mean of its channel, of which it keeps a share of the distance."""
    mean = pixels.mean(axis=(0, 1))
    return mean + (pixels - mean) * kept


def brighter(pixels: np.ndarray, added: float, random: np.random.Generator) -> np.ndarray:
    """Add to each value: overexposure, in which light parts become white."""
    return pixels + 255.0 * added


def darker(pixels: np.ndarray, kept: float, random: np.random.Generator) -> np.ndarray:
    """Multiply each value: underexposure, which leaves few gray levels."""
    return pixels * kept


def uneven_light(pixels: np.ndarray, change: float, random: np.random.Generator) -> np.ndarray:
    """Multiply by a ramp of random direction from 1 - change to 1 + change across the face's region: light from one side."""
    height, width = pixels.shape[:2]
    angle = random.uniform(0, 2 * math.pi)
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    ramp = np.clip((rows * math.sin(angle) + columns * math.cos(angle)) / FACE_SHARE, -1, 1)
    return pixels * (1 + change * ramp)[..., None]


def color_cast(pixels: np.ndarray, change: float, random: np.random.Generator) -> np.ndarray:
    """Multiply the channels by different factors, of a random hue: a lamp's color that no white balance removed."""
    hue = random.uniform(0, 2 * math.pi)
    return pixels * (1 + change * np.cos(hue + np.arange(3) * 2 * math.pi / 3))


def occlusion(pixels: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Cover a share of the region of the face (FACE_SHARE) by a rectangle of random shape, color and place within it."""
    height, width = pixels.shape[:2]
    aspect = 2 ** random.uniform(-1, 1)
    sides = np.minimum(np.sqrt([share / aspect, share * aspect]), 1.0) * FACE_SHARE
    low = (1 - FACE_SHARE) / 2 + random.random(2) * (FACE_SHARE - sides)
    (top, left), (bottom, right) = (np.rint(corner * [height, width]).astype(int) for corner in (low, low + sides))
    covered = pixels.copy()
    covered[top:bottom, left:right] = random.integers(0, 256, 3)
    return covered


def rotation(pixels: np.ndarray, degrees: float, random: np.random.Generator) -> np.ndarray:
    """Rotate in the plane, to a random side; what was outside repeats the edge."""
    height, width = pixels.shape[:2]
    turn = degrees if random.random() < 0.5 else -degrees
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1.0)
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def perspective(pixels: np.ndarray, degrees: float, random: np.random.Generator) -> np.ndarray:
    """Turn the picture's plane about its vertical axis, to a random side, as seen from CAMERA_DISTANCE.

    The nearer side becomes larger, the farther one smaller, as in a picture from the side; hidden parts of a head do not appear.
    """
    height, width = pixels.shape[:2]
    turn = math.radians(degrees if random.random() < 0.5 else -degrees)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * middle
    depth = 1 + corners[:, 0] * math.sin(turn) / (CAMERA_DISTANCE * width)
    seen = corners * [math.cos(turn), 1] / depth[:, None]
    matrix = cv2.getPerspectiveTransform((corners + middle).astype(np.float32), (seen + middle).astype(np.float32))
    return cv2.warpPerspective(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


CORRUPTIONS = (
    Corruption(
        "gaussian-noise", "Gaussian noise", "standard deviation, of the range", (0.08, 0.12, 0.18, 0.26, 0.38), gaussian_noise
    ),
    Corruption("shot-noise", "shot noise", "photons of a white value", (60, 25, 12, 5, 3), shot_noise),
    Corruption("impulse-noise", "impulse noise", "share of the values", (0.03, 0.06, 0.09, 0.17, 0.27), impulse_noise),
    Corruption(
        "gaussian-blur", "Gaussian blur", "standard deviation, of the side", (0.004, 0.008, 0.012, 0.016, 0.022), gaussian_blur
    ),
    Corruption("motion-blur", "motion blur", "length, of the side", (0.03, 0.05, 0.08, 0.11, 0.15), motion_blur),
    Corruption("pixelation", "low resolution", "pixels of the side", (128, 96, 64, 48, 32), pixelation),
    Corruption("jpeg", "JPEG", "quality", (25, 18, 15, 10, 7), jpeg),
    Corruption("contrast", "low contrast", "contrast kept", (0.4, 0.3, 0.2, 0.1, 0.05), contrast),
    Corruption("brighter", "overexposure", "added, of the range", (0.1, 0.2, 0.3, 0.4, 0.5), brighter),
    Corruption("darker", "underexposure", "factor", (0.5, 0.35, 0.25, 0.15, 0.08), darker),
    Corruption("uneven-light", "uneven light", "change at the sides of the face", (0.3, 0.45, 0.6, 0.75, 0.9), uneven_light),
    Corruption("color-cast", "color cast", "change of a channel", (0.15, 0.3, 0.45, 0.6, 0.75), color_cast),
    Corruption("occlusion", "occlusion", "share of the face's region", (0.1, 0.2, 0.3, 0.4, 0.5), occlusion),
    Corruption("rotation", "rotation", "degrees in the plane", (10, 20, 30, 45, 60), rotation),
    Corruption("perspective", "perspective", "degrees about the vertical axis", (15, 25, 35, 45, 55), perspective),
)
BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
