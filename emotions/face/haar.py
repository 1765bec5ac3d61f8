"""OpenCV's frontal-face cascade (Viola and Jones, 2001): the detector that most such apps use, here for comparison."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np

from .results import Box

LONGEST = 640  # a cascade's time grows with the pixels; faces under 4 % of the longer side are lost
STEP = 1.1
NEIGHBOURS = 5
FILE = "haarcascade_frontalface_default.xml"  # comes with OpenCV


class HaarCascade:
    """Loaded on first use. A CascadeClassifier is not thread-safe, hence the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cascade: Any = None

    def __call__(self, pixels: np.ndarray) -> list[tuple[Box, float]]:
        """Faces of (H, W, 3) uint8 RGB: box in its pixels, and a score 0..1 that grows with the cascade's margin."""
        scale = min(1.0, LONGEST / max(pixels.shape[:2]))
        size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
        grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        grey = cv2.equalizeHist(grey)
        with self._lock:
            if self._cascade is None:
                self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + FILE)
            boxes, _, margins = self._cascade.detectMultiScale3(grey, STEP, NEIGHBOURS, outputRejectLevels=True)
        places = np.asarray(boxes, float).reshape(-1, 4) / scale
        return [(Box(*place.tolist()), float(1 / (1 + np.exp(-margin)))) for place, margin in zip(places, np.ravel(margins))]
