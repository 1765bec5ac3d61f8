"""Measure the framing of faces in FER2013: source of the constants at the top of emotions/face/alignment.py.

    python -m scripts.evaluate.framing --faces data/fer2013.npz

Validation faces are enlarged, set into a larger image (with replicated edges) and processed by the served detectors and Face
Mesh. Printed are the medians of positions, as shares of the side of the FER2013 image, with the deviation of each way to scale
a crop: the one with the lowest deviation is closest to how the training faces were cropped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from emotions.face.alignment import LEFT_EYE, RIGHT_EYE, eye_line, rms_radius
from emotions.face.detector import FaceDetector
from emotions.runtime.manifest import ModelRegistry

from ..data.dataset import DatasetError, Faces

ENLARGE = 4  # 48 -> 192 pixels: size of the face in the detectors' input
PADDING = 96  # half of the enlarged image on each side: the detectors expect some background


def placed(face: np.ndarray) -> np.ndarray:
    """RGB image with the face (S, S) enlarged in its centre."""
    large = cv2.resize(face, None, fx=ENLARGE, fy=ENLARGE, interpolation=cv2.INTER_CUBIC)
    padded = cv2.copyMakeBorder(large, PADDING, PADDING, PADDING, PADDING, cv2.BORDER_REPLICATE)
    return cv2.cvtColor(padded, cv2.COLOR_GRAY2RGB)


def measures(face_detector: FaceDetector, face: np.ndarray) -> dict[str, float] | None:
    """Positions and sizes in a face as shares of its side; None if no face or no mesh was found."""
    image = placed(face)
    side = len(face) * ENLARGE
    _, found = face_detector.detect(image)
    landmarks = face_detector.landmarks(image, found[0]) if found else None
    points = None if landmarks is None else landmarks[:, :2]
    if points is None:
        return None
    points, box = (points - PADDING) / side, found[0].box
    middle, turn = eye_line(points)
    eyes = points[list(LEFT_EYE)].mean(axis=0) - points[list(RIGHT_EYE)].mean(axis=0)
    extent = points.max(axis=0) - points.min(axis=0)
    return {
        "eyes x": middle[0],
        "eyes y": middle[1],
        "turn, degrees": float(np.degrees(turn)),
        "scale: spread of all points": rms_radius(points),
        "scale: between the eyes": float(np.hypot(*eyes)),
        "scale: eyes to mouth": float(np.hypot(*(points[[61, 291]].mean(axis=0) - middle))),
        "scale: longer side of the points": float(extent.max()),
        "scale: mean side of the box": float(np.sqrt(box.area)) / side,
        "box middle x": (box.left + box.width / 2 - PADDING) / side,
        "box middle y": (box.top + box.height / 2 - PADDING) / side,
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=Path("data/fer2013.npz"))
    parser.add_argument("--count", type=int, default=800, help="validation faces to measure, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        pixels = Faces.load(options.faces).split("validation").pixels
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    chosen = np.random.default_rng(options.seed).permutation(len(pixels))[: options.count]
    face_detector = FaceDetector(ModelRegistry())
    rows = [row for index in chosen if (row := measures(face_detector, pixels[index]))]
    print(f"{len(rows)} of {len(chosen)} faces measured")
    print(f"{'':34} median   median deviation")
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        deviation = np.median(np.abs(values - np.median(values)))
        share = f"  ({deviation / np.median(values):.1%} of it)" if name.startswith("scale") else ""
        print(f"{name:34} {np.median(values):6.3f}   {deviation:6.3f}{share}")


if __name__ == "__main__":
    main()
