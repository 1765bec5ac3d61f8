"""Photos for measuring and testing: the sample faces at random places and sizes, and among them files that are none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from emotions.image.loading import encode_jpeg, open_image

FACES = ("obama.jpg", "collins.jpg", "friends.png")
SAMPLES = Path(__file__).resolve().parents[2] / "static" / "samples"
BAD = (b"", b"not a picture", b"\xff\xd8\xff\xe0 cut off")


def photos(folder: Path, count: int, size: tuple[int, int] = (320, 240), bad_every: int = 100) -> int:
    """Write `count` files of `size` (width, height) into `folder`, a hundred a folder below; gives how many of them are bad.

    File number n is the same whatever the count.
    """
    faces = [open_image(SAMPLES / name).pixels for name in FACES]
    width, height = size
    bad = 0
    for number in range(count):
        path = folder / f"{number // 100:04d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % bad_every == bad_every - 1:
            path.write_bytes(BAD[bad % len(BAD)])
            bad += 1
            continue
        random = np.random.default_rng(number)
        face = faces[random.integers(len(faces))]
        scale = random.uniform(0.5, 1.0) * min(width / face.shape[1], height / face.shape[0])
        face = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        scene = np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)
        top, left = random.integers(0, height - face.shape[0] + 1), random.integers(0, width - face.shape[1] + 1)
        scene[top : top + face.shape[0], left : left + face.shape[1]] = face
        path.write_bytes(encode_jpeg(scene))
    return bad
