"""Written videos of the sizes that an encoder does not take as they are."""

from __future__ import annotations

import numpy as np
import pytest

from emotions.video.reader import VideoReader
from emotions.video.writer import VideoWriter


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1000, 1), (2, 2), (3, 5), (65, 64)])
def test_frames_of_any_size(tmp_path, size):
    """Animations may be a single row high."""
    path = tmp_path / "a.mp4"
    with VideoWriter(path) as writer:
        writer.add(0.0, np.full((*size, 3), 200, np.uint8), 1.0)
    with VideoReader(path) as reader:
        (frame,) = reader.frames()
    assert frame.image.pixels.shape[:2] == tuple(max(2, side & ~1) for side in size)
    assert abs(frame.image.pixels.astype(int) - 200).max() < 10
