"""Measure the face tracker on videos made of still photos: see benchmarks/tracking.md.

    python -m scripts.evaluate.tracking --photos FOLDER [--films 60] [--seed 10000] [--choosing] [--write]

Crossings: two or three people walk past each other. Gaps: one of two is out of the frame for a while. Successors: one leaves and
another appears at the same position. All videos have camera effects (shake, noise, brightness, JPEG). Every other person of the
photos serves to choose the parameters of emotions/video/association.py and TAU (`--choosing`), the rest to report.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from emotions import FaceAnalyzer, FaceTracker, ImageResult
from emotions.face.results import Box
from emotions.image.loading import LoadedImage
from emotions.video.tracker import TAU

from ..common.markdown import table
from .synthetic_video import CAMERA, SCENES, Person, Scene, actor_of, change, people, render, scenes, still

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "benchmarks" / "tracking.md"
PHOTOS = (".jpg", ".jpeg", ".png")
SAME_PERSON = "emotions_a", "emotions_b", "obama", "biden", "astronaut"
"""Parts of file names whose photos show one person each."""
SEVERAL = "two_people"  # photos of several people
TAUS = 0.0, 0.1, 0.2, 0.3, 0.5, 1.0
RATE = 15  # frames per second of the smoothing test

Observed = tuple[float, LoadedImage, ImageResult, dict[int, Box]]
"""Time, frame, detected faces, and true box of each actor."""


def name_of(photo: Path, number: int) -> str:
    """Name of the person in a photo."""
    return next((word for word in SAME_PERSON if word in photo.stem), f"{photo.stem} {number}")


def cast_of(analyzer: FaceAnalyzer, folder: Path, choosing: bool) -> list[Person]:
    """People of the photos in a folder: every other one for choosing parameters, the rest for reporting."""
    photos = sorted(path for path in folder.iterdir() if path.suffix in PHOTOS and SEVERAL not in path.stem)
    return people(analyzer, photos, name_of)[0 if choosing else 1 :: 2]


def assigned_ids(count: int, frames: Iterable[Observed]) -> list[list[int]]:
    """Track ids assigned to each of `count` actors, in the frames in which it was detected."""
    tracker = FaceTracker()
    ids: list[list[int]] = [[] for _ in range(count)]
    for time, image, result, truth in frames:
        for face in tracker.update(image, result, time).faces:
            actor = actor_of(truth, face.box)
            if actor is not None:
                ids[actor].append(face.id)
    return ids


def id_switches(ids: Sequence[int]) -> int:
    """Number of ID switches in one actor's track ids."""
    return sum(one != other for one, other in zip(ids, ids[1:], strict=False))


def share_an_id(ids: Sequence[Sequence[int]]) -> bool:
    """True if two actors were assigned the same id."""
    return any(set(one) & set(other) for place, one in enumerate(ids) for other in ids[:place])


def observe(analyzer: FaceAnalyzer, scene: Scene) -> list[Observed]:
    """Render a scene and detect its faces."""
    frames = render(scene.actors, scene.times, CAMERA, scene.seed)
    return [(one.time, one.image, analyzer.analyze(one.image, "blazeface"), one.truth) for one in frames]


def id_table(analyzer: FaceAnalyzer, cast: Sequence[Person], count: int, seed: int) -> str:
    """Table of ID switches, a row a kind of scene."""
    rows = []
    for description, make in SCENES.items():
        right = switches = frames = 0
        for scene in scenes(make, cast, count, seed):
            ids = assigned_ids(len(scene.actors), observe(analyzer, scene))
            switched = sum(map(id_switches, ids))
            right += not switched and not share_an_id(ids)
            switches += switched
            frames += len(scene.times)
        rows.append((description, count, f"{frames:,}", f"{right / count:.1%}", switches))
    return table(("scene", "sequences", "frames", "% sequences without ID switch", "ID switches"), "lr", rows)


def smoothed(rows: np.ndarray, step: float, tau: float) -> np.ndarray:
    """Probabilities (N, 7), `step` seconds apart, smoothed as in emotions/video/tracker.py."""
    share, out = 1 - np.exp(-step / tau) if tau else 1.0, [rows[0]]
    for row in rows[1:]:
        out.append(out[-1] + share * (row - out[-1]))
    return np.array(out)


def smoothing_table(analyzer: FaceAnalyzer, cast: Sequence[Person], seed: int) -> str:
    """Table of false emotion changes and of the delay of true ones, a row a time constant."""

    def probabilities(scene: Scene) -> np.ndarray:
        results = (result for _, _, result, _ in observe(analyzer, scene))
        return np.array([result.faces[0].probabilities for result in results if len(result.faces) == 1])

    stills = [probabilities(still(person, seed)) for person in cast]
    several = [person for person in cast if len(person.looks) > 1]
    pairs = [(person, look, look + 1) for person in several for look in range(len(person.looks) - 1)]
    changing = [change(person, one, other, seed) for person, one, other in pairs]
    changed = [(probabilities(scene), len(scene.times) // 2) for scene in changing]
    rows = []
    for tau in TAUS:
        emotions = [smoothed(values, 1 / RATE, tau).argmax(axis=1) for values in stills if len(values)]
        flips = sum(int((one[1:] != one[:-1]).sum()) for one in emotions) / (sum(len(one) - 1 for one in emotions) / RATE / 60)
        delays = [delay for values, half in changed if (delay := change_delay(values, half, tau)) is not None]
        mark = " (served)" if tau == TAU else ""
        rows.append((f"{tau}{mark}", f"{flips:.1f}", f"{np.mean(delays):.2f} s (mean of {len(delays)} changes)"))
    return table(("TAU, seconds", "emotion changes per minute of a constant expression", "delay of a new expression"), "r", rows)


def change_delay(probabilities: np.ndarray, half: int, tau: float) -> float | None:
    """Seconds from the change of expression at row `half` until its emotion is predicted for good; None without a change."""
    if len(probabilities) < 2 * half:
        return None
    before, after = (int(part.mean(axis=0).argmax()) for part in (probabilities[:half], probabilities[half:]))
    emotions = smoothed(probabilities, 1 / RATE, tau).argmax(axis=1)
    wrong = np.flatnonzero(emotions[half:] != after)
    if before == after or (len(wrong) and wrong[-1] == len(emotions) - half - 1):
        return None
    return (int(wrong[-1]) + 1 if len(wrong) else 0) / RATE


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos with faces of 60 pixels and more")
    parser.add_argument("--films", type=int, default=60, help="sequences of each kind")
    parser.add_argument("--seed", type=int, default=10_000)
    parser.add_argument("--choosing", action="store_true", help="use the people for choosing parameters, not those for reporting")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.relative_to(ROOT)}")
    options = parser.parse_args()
    analyzer = FaceAnalyzer(head="fer2013")  # the head of the published figures
    cast = cast_of(analyzer, options.photos, options.choosing)
    text = f"""# Face tracking on synthetic videos

    python -m scripts.evaluate.tracking --photos FOLDER --films {options.films} --seed {options.seed} --write

Videos of 640 x 480 pixels at 5, 10 or 15 frames per second with {len(cast)} people cut out of photos; in every other video all
people come from one photo and wear similar clothes. The camera shakes by 2 pixels and adds noise of 4 grey levels, brightness
varies by 8 %, the JPEG quality is 80. The parameters of emotions/video/association.py were chosen on videos of other people.

{id_table(analyzer, cast, options.films, options.seed)}

A sequence counts as without ID switch if no id changed in any frame and no two people were assigned the same id.

## Smoothing

{smoothing_table(analyzer, cast, options.seed)}
"""
    print(text)
    if options.write:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
