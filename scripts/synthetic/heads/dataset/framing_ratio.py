"""Measure crops.RADIUS_RATIO again, and how far the framing by a rendering's landmarks is from that by the detectors.

    python -m scripts.synthetic.heads.dataset.framing_ratio --heads data/ict_facekit.npz --count 280

It renders the first `--count` rows of the plan and compares, for each face that the detectors find, the landmarks of Face
Mesh with those of the rendering. After a change to the head model or to the proportions of characters the first line is
the value of RADIUS_RATIO; write it there with three decimals.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emotions.errors import ModelFileError
from emotions.face import alignment
from emotions.face.detector import FaceDetector
from emotions.runtime.manifest import ModelRegistry

from ....data.dataset import DatasetError
from ..characters import SEED
from ..geometry.model import load_head_model
from ..renderer import HeadRenderer
from . import crops
from .plan import plan_row
from .worker import SIDE, Scene, scene_of, use_one_thread

YAWS = (0, 10, 20, 30, 90)
"""Edges of the classes of the angle to the side, in degrees."""


class Difference(NamedTuple):
    """How Face Mesh's landmarks of a face differ from the rendering's.

    Attributes:
        ratio: radius of Face Mesh's landmarks over that of the rendering's.
        shift: distance of the midpoints between the eyes, in radii of the rendering's landmarks.
        turn: difference of the angles of the line through the eyes, in degrees.
    """

    ratio: float
    shift: float
    turn: float


def difference(mesh: np.ndarray, landmarks: np.ndarray) -> Difference:
    """Compare Face Mesh's landmarks (468, 2 or 3) with a rendering's (68, 2), both in pixels of one picture."""
    mesh = mesh[:, :2]
    radius = alignment.rms_radius(landmarks)
    eyes = [
        np.array([points[list(eye)].mean(axis=0) for eye in pair])
        for points, pair in (
            (mesh, (alignment.RIGHT_EYE, alignment.LEFT_EYE)), (landmarks, (crops.RIGHT_EYE, crops.LEFT_EYE)),
        )
    ]  # fmt: skip
    angles = [np.degrees(np.arctan2(*(left - right)[::-1])) for right, left in eyes]
    shift = np.linalg.norm(eyes[0].mean(axis=0) - eyes[1].mean(axis=0)) / radius
    turn = (angles[0] - angles[1] + 180) % 360 - 180
    return Difference(float(alignment.rms_radius(mesh) / radius), float(shift), float(turn))


def measure(
    renderer: HeadRenderer, face_detector: FaceDetector, scenes: Iterable[Scene]
) -> Iterator[tuple[Scene, Difference | None]]:
    """Yield for each scene the difference of its landmarks, None where the head's face is not found."""
    for scene in scenes:
        rendering = renderer.render(*scene)
        expected, found = crops.landmark_matrix(rendering.landmarks), None
        for face in face_detector.detect(rendering.pixels)[1]:
            mesh = face_detector.landmarks(rendering.pixels, face)
            if mesh is None:
                continue
            if crops.same_face(alignment.alignment_matrix(rendering.pixels.shape, face.box, mesh, 1), expected):
                found = difference(mesh, rendering.landmarks)
                break
        yield scene, found


def report(measured: Sequence[tuple[Scene, Difference | None]]) -> list[str]:
    """Lines of the medians over all found faces. Raises DatasetError if no face was found."""
    found = [(scene, one) for scene, one in measured if one is not None]
    if not found:
        raise DatasetError(f"no face was found in {len(measured)} pictures")
    ratios, shifts, turns = np.array([one for _, one in found]).T
    yaws = np.array([abs(scene.view.yaw) for scene, _ in found])
    families = len({scene.character.family for scene, _ in found})
    lines = [
        f"ratio {np.median(ratios):.3f} (standard deviation {ratios.std():.3f}, now {crops.RADIUS_RATIO})",
        f"{len(found)} of {len(measured)} faces found, in {families} families",
        f"midpoint between the eyes: {np.median(shifts):.3f} radii; angle of the eyes: {np.median(np.abs(turns)):.1f} degrees",
    ]
    for low, high in zip(YAWS, YAWS[1:], strict=False):
        part = ratios[(yaws >= low) & (yaws < high)]
        if len(part):
            lines.append(f"turned by {low} to {high} degrees: ratio {np.median(part):.3f} of {len(part)}")
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--heads", type=Path, default=Path("data/ict_facekit.npz"), help="the head model, .npz or FaceXModel folder"
    )
    parser.add_argument("--count", type=int, default=280, help="rows of the plan (default: 280)")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    if options.count < 1 or options.seed < 0:
        parser.error("--count must be at least 1, and --seed not negative")
    use_one_thread()
    scenes = (scene_of(plan_row(options.seed, number), options.seed) for number in range(options.count))
    try:
        with HeadRenderer(load_head_model(options.heads), SIDE) as renderer:
            lines = report(list(measure(renderer, FaceDetector(ModelRegistry()), scenes)))
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
