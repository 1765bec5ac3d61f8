"""Occlusion saliency: which parts of a face the predicted emotion depends on.

Each place of the crop is covered in turn and the crop classified again (Zeiler and Fergus, "Visualizing and Understanding
Convolutional Networks", 2014), so that the map is of the served model itself. Class activation maps need a last feature map with
several cells; at 48 pixels that of VGG-16 has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ..image.loading import data_uri, encode_jpeg

GRID = 7
"""Patch positions a side: 49 passes of the network for each face."""
PATCH = 1 / 2
"""Side of the patch over the side of the crop: both brows, a whole mouth. The network was trained with random erasing of up to a
third of the crop, so that smaller patches change little."""
MAX_EXPLAINED = 5
"""Faces of one image that are explained, largest first: each costs as much as classifying it 49 times."""
MIN_DROP = 0.05
"""Smallest drop of the probability that counts as an explanation; the colour scale covers at least this range."""
MIN_SIDE = 240
"""Smallest side of the rendered map in pixels."""
TINT = 0.5
BANDS = ("upper", "middle", "lower")


@dataclass(frozen=True)
class OcclusionMap:
    """Occlusion map of one face.

    Attributes:
        crop: Crop (S, S) uint8 grey that was classified.
        heat: (S, S) float32: by how much the probability of the predicted emotion dropped while a patch covered the pixel,
            averaged over the patches that did; 0.3 is 30 percentage points. Negative where covering raised it.
    """

    crop: np.ndarray
    heat: np.ndarray

    @property
    def max_drop(self) -> float:
        """Largest value of `heat`, at least 0."""
        return max(float(self.heat.max()), 0.0)

    @property
    def is_localized(self) -> bool:
        """True if the prediction depends on a single place: covering it costs MIN_DROP or more."""
        return self.max_drop >= MIN_DROP

    @property
    def strongest(self) -> str:
        """The third of the face on which the prediction depends most: `upper`, `middle` or `lower`."""
        rows = np.maximum(self.heat, 0).sum(axis=1)
        return BANDS[int(np.argmax([part.sum() for part in np.array_split(rows, len(BANDS))]))]

    def render(self) -> np.ndarray:
        """Draw the map over the crop, enlarged to MIN_SIDE pixels or more.

        The colour map is cividis, which grows in lightness and looks alike to colour-blind readers (Nunez et al., 2018): from
        dark blue (no drop, or a rise) to yellow (the largest drop, or MIN_DROP if that is more). The patches' edges are smoothed.

        Returns:
            Image (P, P, 3) uint8 RGB.
        """
        level = cv2.GaussianBlur(np.maximum(self.heat, 0), (0, 0), len(self.crop) / 24)
        level /= max(float(level.max()), MIN_DROP)
        factor = -(-MIN_SIDE // len(self.crop))
        size = (factor * len(self.crop),) * 2
        level = cv2.resize((level * 255).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)
        face = cv2.cvtColor(cv2.resize(self.crop, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
        tint = cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)
        return cv2.addWeighted(face, 1 - TINT, tint, TINT, 0)

    def data_uri(self) -> str:
        """Return the rendered map as a `data:` URI of a JPEG."""
        return data_uri(encode_jpeg(self.render()))


def occlusion_map(predict: Callable[[np.ndarray], np.ndarray], crop: np.ndarray, probabilities: np.ndarray) -> OcclusionMap:
    """Compute the occlusion map of one face.

    The patch is a square of the crop's mean grey, which carries as little information as a square can.

    Args:
        predict: Function from crops (N, S, S) uint8 to probabilities (N, 7). Where it averages over views, the map is that of
            the mean, and each view is covered at the same place of the face.
        crop: Crop (S, S) uint8 grey.
        probabilities: Probabilities (7,) that `predict` gave for the crop.

    Returns:
        The map for the most probable emotion.
    """
    size = len(crop)
    side = round(size * PATCH)
    starts = np.linspace(0, size - side, GRID).round().astype(int)
    places = [np.s_[top : top + side, left : left + side] for top in starts for left in starts]
    covered = np.repeat(crop[None], len(places), axis=0)
    for face, place in zip(covered, places, strict=True):
        face[place] = round(float(crop.mean()))
    predicted = int(np.argmax(probabilities))
    drops = probabilities[predicted] - predict(covered)[:, predicted]
    heat, patches = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    for drop, place in zip(drops, places, strict=True):
        heat[place] += drop
        patches[place] += 1
    return OcclusionMap(crop, heat / patches)
