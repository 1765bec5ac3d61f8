"""Write the small pictures of the home page: a thumbnail of each sample photo, and a framed result, in static/samples/small/.

python -m scripts.docs.sample_pictures
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from emotions import FaceAnalyzer, annotate, open_image
from web.pages.samples import FRAMED, SAMPLES, STATIC, Sample

THUMBNAIL = (272, 204)
"""Width and height in pixels; pages show them at most at 272."""
FOCUS = 0.22
"""Where the visible part of a tall photo lies: 0 at its top, 1 at its bottom."""
FRAMED_WIDTH = 576
QUALITY = 48


def thumbnail(sample: Sample) -> np.ndarray:
    """Return the middle of a sample in the shape of THUMBNAIL, (204, 272, 3) uint8 RGB."""
    pixels = open_image(STATIC / sample.file).pixels
    height, width = pixels.shape[:2]
    wanted = min(height, round(width * THUMBNAIL[1] / THUMBNAIL[0]))
    across = min(width, round(height * THUMBNAIL[0] / THUMBNAIL[1]))
    top, left = round((height - wanted) * FOCUS), (width - across) // 2
    return cv2.resize(pixels[top : top + wanted, left : left + across], THUMBNAIL, interpolation=cv2.INTER_AREA)


def framed(analyzer: FaceAnalyzer) -> np.ndarray:
    """Return the sample FRAMED as the analyzer frames it, (H, FRAMED_WIDTH, 3) uint8 RGB."""
    pixels = open_image(STATIC / FRAMED.file).pixels
    height = round(pixels.shape[0] * FRAMED_WIDTH / pixels.shape[1])
    small = cv2.resize(pixels, (FRAMED_WIDTH, height), interpolation=cv2.INTER_AREA)
    picture: np.ndarray = annotate(small, analyzer.analyze(small))
    return picture


def write(path: Path, pixels: np.ndarray) -> None:
    """Write RGB pixels as WebP."""
    path.parent.mkdir(exist_ok=True)
    done, data = cv2.imencode(".webp", pixels[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not done:
        raise RuntimeError(f"{path} was not encoded")
    path.write_bytes(data.tobytes())
    print(f"{path.relative_to(STATIC.parent)}: {pixels.shape[1]} x {pixels.shape[0]}, {len(data) / 1e3:.1f} kB")


def main() -> None:
    """Run the command line."""
    for sample in SAMPLES:
        write(STATIC / sample.small, thumbnail(sample))
    write(STATIC / FRAMED.small.replace(FRAMED.name, "framed"), framed(FaceAnalyzer()))


if __name__ == "__main__":
    main()
