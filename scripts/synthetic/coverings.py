"""Paint occlusions of a face: masks, scarves, sunglasses, hands, objects; and harmless things: clear glasses, hats.

Training data of the head that detects covered faces. The painter follows Face Mesh's landmarks; what a covering hides is measured
on the landmarks of mouth and eyes, not assumed from its kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

Random = np.random.Generator

JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
"""Landmarks of the lower half of the face's outline, from the person's right ear to the left one."""
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
EYES = (33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380)
EARS, BRIDGE, NOSE_TIP, CHIN, FOREHEAD = (234, 454), (6, 195), 4, 152, 10
COVERED, CLEAR = 0.75, 0.25
"""Shares of the mouth, or of both eyes, that are hidden: from COVERED on a face counts as covered, up to CLEAR as not."""


@dataclass(frozen=True)
class Canvas:
    """A grey picture that is painted on, and how much of each pixel is hidden.

    Attributes:
        grey: (H, W) float32, 0..255.
        hidden: (H, W) float32, 0..1.
        points: Face Mesh landmarks (468, 2) in pixels.
    """

    grey: np.ndarray
    hidden: np.ndarray
    points: np.ndarray

    @property
    def width(self) -> float:
        """Distance between the ears in pixels."""
        return float(np.hypot(*(self.points[EARS[1]] - self.points[EARS[0]])))

    def put(self, mask: np.ndarray, color: np.ndarray | float) -> None:
        """Paint `color` (H, W) or one value where `mask` (H, W), 0..1, says."""
        self.grey[:] = self.grey * (1 - mask) + color * mask
        np.maximum(self.hidden, mask, out=self.hidden)

    def polygon(self, corners: np.ndarray, softness: float = 0.0) -> np.ndarray:
        """Mask (H, W), 0..1, of a polygon with corners (N, 2); its edge is blurred by `softness` pixels."""
        mask = np.zeros(self.grey.shape, np.uint8)
        cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        return _soft(mask, softness)

    def line(self, corners: np.ndarray, thickness: float) -> np.ndarray:
        """Mask (H, W), 0..1, of a line through points (N, 2)."""
        mask = np.zeros(self.grey.shape, np.uint8)
        thick = max(1, round(thickness))
        cv2.polylines(mask, [np.round(corners * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, shift=4)
        return _soft(mask, 0.0)

    def share_hidden(self, numbers: tuple[int, ...]) -> float:
        """Share of the polygon through landmarks that is hidden, 0..1."""
        inside = self.polygon(self.points[list(numbers)]) > 0.5
        return float(self.hidden[inside].mean()) if inside.any() else 0.0


def _soft(mask: np.ndarray, softness: float) -> np.ndarray:
    blurred = cv2.GaussianBlur(mask, (0, 0), softness) if softness > 0 else mask
    return blurred.astype(np.float32) / 255


def _shade(canvas: Canvas, random: Random, base: float, contrast: float) -> np.ndarray:
    """A surface (H, W) of brightness `base` with a gradient across the face and cloudy texture."""
    height, width = canvas.grey.shape
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    gradient = ((columns - width / 2) * np.cos(angle) + (rows - height / 2) * np.sin(angle)) / canvas.width
    coarse = random.normal(0, 1, (random.integers(3, 12), random.integers(3, 12))).astype(np.float32)
    clouds = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = random.normal(0, random.uniform(0, 6), (height, width))
    return np.clip(base + contrast * (gradient + 0.3 * clouds) + noise, 0, 255)


def _cloth(canvas: Canvas, random: Random) -> np.ndarray:
    """Surface (H, W) of paper or cloth: light, blue, black or patterned."""
    base = random.choice([random.uniform(190, 250), random.uniform(120, 190), random.uniform(8, 60)], p=[0.45, 0.25, 0.3])
    surface = _shade(canvas, random, float(base), random.uniform(10, 50))
    if random.random() < 0.2:  # stripes or checks
        rows, columns = np.mgrid[0 : surface.shape[0], 0 : surface.shape[1]]
        period = canvas.width * random.uniform(0.05, 0.2)
        angle = random.uniform(0, np.pi)
        wave = np.sin(2 * np.pi * (columns * np.cos(angle) + rows * np.sin(angle)) / period)
        surface = np.clip(surface + random.uniform(10, 50) * (np.sign(wave) if random.random() < 0.5 else wave), 0, 255)
    return surface


def mask(canvas: Canvas, random: Random) -> None:
    """Paint a face mask with pleats, an edge and straps."""
    points = canvas.points
    top = random.uniform(0.15, 0.75)  # of the way from the bridge of the nose to its tip
    nose = points[BRIDGE[0]] * (1 - top) + points[NOSE_TIP] * top
    first, last = random.integers(1, 5), len(JAW) - random.integers(1, 5)
    jaw = points[list(JAW[first:last])]
    center = points[list(LIPS)].mean(axis=0)
    jaw = center + (jaw - center) * random.uniform(1.0, 1.15)
    corners = np.vstack([jaw, nose + (jaw[-1] - nose) * 0.35 + (nose - center) * 0.02, nose, nose + (jaw[0] - nose) * 0.35])
    area, surface = canvas.polygon(corners, random.uniform(0, 1)), _cloth(canvas, random)
    down = points[CHIN] - nose
    for share in np.linspace(0.3, 0.8, random.integers(0, 5)):
        start, end = jaw[0] + down * (share - 0.4), jaw[-1] + down * (share - 0.4)
        sag = (start + end) / 2 + down * random.uniform(0.02, 0.12)
        fold = canvas.line(np.array([start, sag, end]), canvas.width * 0.012)
        surface = np.clip(surface + fold * random.uniform(-60, 40), 0, 255)
    edge = canvas.line(np.vstack([corners, corners[:1]]), canvas.width * random.uniform(0.01, 0.03))
    surface = np.clip(surface + edge * random.uniform(-50, 30), 0, 255)
    canvas.put(area, surface)
    if random.random() < 0.6:
        for end, ear in ((corners[0], EARS[0]), (jaw[-1], EARS[1])):
            canvas.put(canvas.line(np.array([end, points[ear]]), canvas.width * 0.012), random.uniform(0, 255))


def scarf(canvas: Canvas, random: Random) -> None:
    """Paint a scarf, a veil or a collar that hides all below the nose or the eyes."""
    points = canvas.points
    top = points[BRIDGE[0]] + (points[NOSE_TIP] - points[BRIDGE[0]]) * random.uniform(0.2, 1.1)
    across = points[EARS[1]] - points[EARS[0]]
    down = points[CHIN] - points[FOREHEAD]
    wide = random.uniform(0.55, 1.0)
    shoulders = top + down * 2
    rise = down * random.uniform(-0.1, 0.1)
    corners = np.array([
        top - across * wide + rise, top - across * 0.2, top, top + across * 0.2, top + across * wide + rise,
        shoulders + across * wide * 1.3, shoulders - across * wide * 1.3,
    ])  # fmt: skip
    surface = _cloth(canvas, random)
    for _ in range(random.integers(2, 8)):
        start = top - across * wide + down * random.uniform(0, 0.8)
        end = top + across * wide + down * random.uniform(0, 0.8)
        fold = _soft((canvas.line(np.array([start, end]), canvas.width * 0.03) * 255).astype(np.uint8), 2.0)
        surface = np.clip(surface + fold * random.uniform(-50, 40), 0, 255)
    canvas.put(canvas.polygon(corners, random.uniform(0, 1.5)), surface)


def _lenses(canvas: Canvas, random: Random) -> tuple[list[np.ndarray], np.ndarray]:
    """Outlines (32, 2) of two lenses and the line (4, 2) from ear to ear through their bridge."""
    points = canvas.points
    centers = [points[list(eye)].mean(axis=0) for eye in EYES]
    across = centers[1] - centers[0]
    down = np.array([-across[1], across[0]])
    width, height = random.uniform(0.33, 0.48), random.uniform(0.24, 0.42)
    power, drop = random.uniform(2, 5), random.uniform(-0.03, 0.08)
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    cosine, sine = np.cos(angles), np.sin(angles)
    ring = np.stack([np.sign(one) * np.abs(one) ** (2 / power) for one in (cosine, sine)], axis=1)
    outlines = [center + drop * down + ring[:, :1] * width * across + ring[:, 1:] * height * down for center in centers]
    inner = centers[0] + across * width, centers[1] - across * width
    return outlines, np.array([points[EARS[0]], inner[0], inner[1], points[EARS[1]]])


def sunglasses(canvas: Canvas, random: Random) -> None:
    """Paint dark glasses with reflections."""
    outlines, bridge = _lenses(canvas, random)
    canvas.put(canvas.line(bridge, canvas.width * random.uniform(0.015, 0.05)), random.uniform(0, 90))
    for outline in outlines:
        surface = _shade(canvas, random, random.uniform(5, 70), random.uniform(0, 60))
        canvas.put(canvas.polygon(outline) * random.uniform(0.85, 1.0), surface)
        frame = canvas.line(np.vstack([outline, outline[:1]]), canvas.width * random.uniform(0.01, 0.03))
        canvas.put(frame, random.uniform(0, 160))


def clear_glasses(canvas: Canvas, random: Random) -> None:
    """Paint glasses through which the eyes are seen: frames, and at most a faint reflection."""
    outlines, bridge = _lenses(canvas, random)
    dark = random.uniform(0, 200)
    thickness = canvas.width * random.uniform(0.008, 0.025)
    canvas.put(canvas.line(bridge, thickness), dark)
    for outline in outlines:
        canvas.put(canvas.polygon(outline) * random.uniform(0, 0.2), random.uniform(100, 255))
        canvas.put(canvas.line(np.vstack([outline, outline[:1]]), thickness), dark)


def _fingers(canvas: Canvas, random: Random, tip: np.ndarray) -> None:
    """Paint a hand whose fingers end around `tip`."""
    cheek = cv2.mean(canvas.grey, (canvas.polygon(canvas.points[list(LIPS)]) > 0.5).astype(np.uint8))[0]
    base = float(np.clip(cheek + random.normal(0, 22), 15, 245))
    finger = canvas.width * random.uniform(0.13, 0.2)
    angle = random.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    side = np.array([-along[1], along[0]])
    number = int(random.integers(3, 6))
    surface = _shade(canvas, random, base, random.uniform(10, 50))
    length = canvas.width * random.uniform(0.5, 0.8)
    palm = tip + along * length * 1.1
    ring = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    wide = number * finger / 2
    outline = palm + np.outer(np.cos(ring), along * length * 0.6) + np.outer(np.sin(ring), side * wide)
    canvas.put(canvas.polygon(outline, 1.0), surface)
    for place in range(number):
        offset = side * finger * (place - (number - 1) / 2)
        start = tip + offset - along * length * random.uniform(0, 0.15) * (1 + (0 < place < number - 1))
        capsule = canvas.line(np.array([start, palm + offset * 0.9]), finger * 0.95)
        canvas.put(_soft((capsule * 255).astype(np.uint8), 0.7), surface + random.uniform(-8, 8))
        gap = np.array([start + side * finger / 2, palm + offset * 0.9 + side * finger / 2])
        canvas.put(canvas.line(gap, max(1.0, finger * 0.1)), float(np.clip(base - random.uniform(25, 70), 0, 255)))


def hand(canvas: Canvas, random: Random) -> None:
    """Paint a hand over the mouth."""
    mouth = canvas.points[list(LIPS)].mean(axis=0)
    _fingers(canvas, random, mouth + random.normal(0, 0.08, 2) * canvas.width)


def hands_over_eyes(canvas: Canvas, random: Random) -> None:
    """Paint two hands over the eyes."""
    for eye in EYES:
        _fingers(canvas, random, canvas.points[list(eye)].mean(axis=0) + random.normal(0, 0.05, 2) * canvas.width)


def _thing(canvas: Canvas, random: Random, center: np.ndarray, size: float) -> None:
    """Paint a box or an ellipse, such as a telephone, a cup or a microphone; `size` is its mean radius in widths of the face."""
    angle, stretch = random.uniform(0, np.pi), random.uniform(0.65, 1.5)
    radii = canvas.width * size * np.array([stretch, 1 / stretch])
    if random.random() < 0.5:
        ring = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        shape = np.stack([np.cos(ring), np.sin(ring)], axis=1)
    else:
        shape = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.9
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = center + (shape * radii) @ turn.T
    surface = _shade(canvas, random, random.uniform(0, 255), random.uniform(0, 90))
    canvas.put(canvas.polygon(corners, random.uniform(0, 1)), surface)
    if random.random() < 0.5:
        edge = canvas.line(np.vstack([corners, corners[:1]]), canvas.width * 0.015)
        canvas.put(edge, random.uniform(0, 255))


def thing(canvas: Canvas, random: Random) -> None:
    """Paint an object over the mouth or over half of the face."""
    mouth = canvas.points[list(LIPS)].mean(axis=0)
    _thing(canvas, random, mouth + random.normal(0, 0.1, 2) * canvas.width, random.uniform(0.25, 0.55))


def bar(canvas: Canvas, random: Random) -> None:
    """Paint a bar over the eyes, such as a blindfold, a visor or one of a publisher."""
    left, right = (canvas.points[list(eye)].mean(axis=0) for eye in EYES)
    across = right - left
    down = np.array([-across[1], across[0]]) * random.uniform(0.22, 0.45)
    reach = across * random.uniform(0.4, 0.9)
    corners = np.array([left - reach - down, right + reach - down, right + reach + down, left - reach + down])
    canvas.put(canvas.polygon(corners), _shade(canvas, random, random.uniform(0, 255), random.uniform(0, 40)))


def hat(canvas: Canvas, random: Random) -> None:
    """Paint a hat or hair down to the brows."""
    points = canvas.points
    across, down = points[EARS[1]] - points[EARS[0]], points[CHIN] - points[FOREHEAD]
    brow = points[FOREHEAD] + down * random.uniform(-0.05, 0.16)
    corners = np.array([brow - across * 0.7, brow, brow + across * 0.7, brow + across * 0.7 - down, brow - across * 0.7 - down])
    canvas.put(canvas.polygon(corners, random.uniform(0, 1.5)), _cloth(canvas, random))


def beside(canvas: Canvas, random: Random) -> None:
    """Paint a hand or an object beside what matters: at chin, cheek or forehead."""
    points = canvas.points
    center = points[list(LIPS)].mean(axis=0)
    place = points[int(random.choice([CHIN, FOREHEAD, 172, 397, 93, 323]))]
    out = place + (place - center) * random.uniform(0.15, 0.5)
    if random.random() < 0.5:
        _thing(canvas, random, out, random.uniform(0.1, 0.3))
    else:
        _fingers(canvas, random, out)


def nothing(canvas: Canvas, random: Random) -> None:
    """Leave the face as it is."""


COVERINGS: dict[str, Callable[[Canvas, Random], None]] = {
    "mask": mask, "scarf": scarf, "sunglasses": sunglasses, "hand over the mouth": hand, "hands over the eyes": hands_over_eyes,
    "object": thing, "bar over the eyes": bar,
}  # fmt: skip
"""What hides mouth or eyes, by name."""
HARMLESS: dict[str, Callable[[Canvas, Random], None]] = {
    "clear glasses": clear_glasses, "hat": hat, "beside the face": beside, "nothing": nothing,
}  # fmt: skip
"""What is painted on faces that stay readable, by name."""


def paint(grey: np.ndarray, points: np.ndarray, name: str, random: Random) -> tuple[np.ndarray, float]:
    """Paint one of COVERINGS or HARMLESS on a face.

    Args:
        grey: Picture (H, W) uint8.
        points: Face Mesh landmarks (468, 2) in pixels.
        name: What to paint.
        random: Generator.

    Returns:
        The painted picture (H, W) uint8, and the share of the mouth or of both eyes that is hidden, whichever is larger, 0..1.
    """
    canvas = Canvas(grey.astype(np.float32), np.zeros(grey.shape, np.float32), points.astype(np.float64))
    (COVERINGS | HARMLESS)[name](canvas, random)
    eyes = min(canvas.share_hidden(eye) for eye in EYES)
    return np.clip(np.round(canvas.grey), 0, 255).astype(np.uint8), max(canvas.share_hidden(LIPS), eyes)
