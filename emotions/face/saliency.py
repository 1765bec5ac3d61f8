"""Which parts of a face carried its answer: each spot is covered in turn and the face read again.

Occlusion (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014) asks the served file itself. Class
activation maps need a last map of several places; at 48 px VGG-16's has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ..image.loading import data_uri, encode_jpeg

GRID = 7
"""Covers a side: 49 passes of the network a face."""
PATCH = 1 / 2
"""Side of a cover as a share of the crop's: both brows, a whole mouth. The network learnt with a third erased and reads past it."""
MAX_EXPLAINED = 5
"""Faces of one picture that are explained, largest first: each takes as long as 49, and a crowd must not hold a server."""
MIN_DROP = 0.05
"""Falls of the probability below this are no explanation: they do not reach the bright end of the scale."""
MIN_SIDE = 240
"""Pixels a side of the drawn picture, at the least."""
TINT = 0.5
BANDS = ("upper", "middle", "lower")


@dataclass(frozen=True)
class OcclusionMap:
    """The crop (S, S) uint8 that was read and, for each of its pixels, how much it carried the answer.

    `heat` (S, S) float32: by how much the probability of the answer fell when a cover lay over the pixel, as the mean over the
    covers that did; 0.3 is 30 points of 100. Negative where covering made the answer more likely.
    """

    crop: np.ndarray
    heat: np.ndarray

    @property
    def max_drop(self) -> float:
        """The largest value of `heat`, 0 at the least."""
        return max(float(self.heat.max()), 0.0)

    @property
    def is_localized(self) -> bool:
        """Whether a single spot carried the answer, MIN_DROP and more; if not, any spot could be covered without changing much."""
        return self.max_drop >= MIN_DROP

    @property
    def strongest(self) -> str:
        """The third of the face, from above, whose pixels carried the answer most: `upper`, `middle` or `lower`."""
        rows = np.maximum(self.heat, 0).sum(axis=1)
        return BANDS[int(np.argmax([part.sum() for part in np.array_split(rows, len(BANDS))]))]

    def picture(self) -> np.ndarray:
        """The crop, enlarged to MIN_SIDE pixels or more and tinted: (P, P, 3) uint8 RGB.

        From dark blue (no effect, or covering it helped) to yellow (the strongest place, or a fall of MIN_DROP if that is more):
        the scale cividis, which colour-blind readers see much alike and which grows in lightness (Nunez et al., 2018). The
        edges of the covers are smoothed away.
        """
        share = cv2.GaussianBlur(np.maximum(self.heat, 0), (0, 0), len(self.crop) / 24)
        share /= max(float(share.max()), MIN_DROP)
        factor = -(-MIN_SIDE // len(self.crop))
        size = (factor * len(self.crop),) * 2
        share = cv2.resize((share * 255).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)
        face = cv2.cvtColor(cv2.resize(self.crop, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
        tint = cv2.cvtColor(cv2.applyColorMap(share, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)
        return cv2.addWeighted(face, 1 - TINT, tint, TINT, 0)

    def data_uri(self) -> str:
        """The picture as `data:` URI of a JPEG."""
        return data_uri(encode_jpeg(self.picture()))


def explain(read: Callable[[np.ndarray], np.ndarray], crop: np.ndarray, probabilities: np.ndarray) -> OcclusionMap:
    """Explain the answer `probabilities` (7,) that `read`, from crops (N, S, S) uint8 to probabilities (N, 7), gave to `crop`.

    A cover is a square of the crop's mean grey, which says as little as a square can.
    """
    size = len(crop)
    side = round(size * PATCH)
    starts = np.linspace(0, size - side, GRID).round().astype(int)
    places = [np.s_[top : top + side, left : left + side] for top in starts for left in starts]
    covered = np.repeat(crop[None], len(places), axis=0)
    for face, place in zip(covered, places, strict=True):
        face[place] = round(float(crop.mean()))
    answer = int(np.argmax(probabilities))
    falls = probabilities[answer] - read(covered)[:, answer]
    heat, covers = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    for fall, place in zip(falls, places, strict=True):
        heat[place] += fall
        covers[place] += 1
    return OcclusionMap(crop, heat / covers)
