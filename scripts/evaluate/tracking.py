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

from .synthetic_video import CAMERA, SCENES, Person, Scene, change, film, people, scenes, still, who

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "benchmarks" / "following.md"
PHOTOS = (".jpg", ".jpeg", ".png")
ALIKE = "emotions_a", "emotions_b", "obama", "biden", "astronaut"
"""Words in the names of photos that show one and the same person."""
SEVERAL = "two_people"  # and one that shows two of them
TAUS = 0.0, 0.1, 0.2, 0.3, 0.5, 1.0


def name_of(photo: Path, number: int) -> str:
    return next((word for word in ALIKE if word in photo.stem), f"{photo.stem} {number}")


def cast_of(analyzer: FaceAnalyzer, folder: Path, choosing: bool) -> list[Person]:
    photos = sorted(path for path in folder.iterdir() if path.suffix in PHOTOS and SEVERAL not in path.stem)
    return people(analyzer, photos, name_of)[0 if choosing else 1 :: 2]


def ids_of(count: int, frames: Iterable[tuple[float, LoadedImage, ImageResult, dict[int, Box]]]) -> list[list[int]]:
    """The ids that each of `count` actors was given, frame by frame where it was found."""
    tracker = FaceTracker()
    given: list[list[int]] = [[] for _ in range(count)]
    for time, picture, result, truth in frames:
        for face in tracker.update(picture, result, time).faces:
            actor = who(truth, face.box)
            if actor is not None:
                given[actor].append(face.id)
    return given


def changes(ids: Sequence[int]) -> int:
    return sum(one != other for one, other in zip(ids, ids[1:], strict=False))


def shared(given: Sequence[Sequence[int]]) -> bool:
    """Whether two actors were given the same id."""
    return any(set(one) & set(other) for place, one in enumerate(given) for other in given[:place])


def read(analyzer: FaceAnalyzer, scene: Scene) -> list[tuple[float, LoadedImage, ImageResult, dict[int, Box]]]:
    frames = film(scene.actors, scene.times, CAMERA, scene.seed)
    return [(one.time, one.picture, analyzer.analyze(one.picture, "blazeface"), one.truth) for one in frames]


def following(analyzer: FaceAnalyzer, cast: Sequence[Person], films: int, seed: int) -> list[str]:
    """A row a kind of film."""
    lines = ["| films | number | frames | ids stay right in | changes of id |", "| --- | ---: | ---: | ---: | ---: |"]
    for make in SCENES:
        right = switches = frames = 0
        for scene in scenes(make, cast, films, seed):
            given = ids_of(len(scene.actors), read(analyzer, scene))
            switched = sum(map(changes, given))
            right += not switched and not shared(given)
            switches += switched
            frames += len(scene.times)
        lines.append(f"| {(make.__doc__ or '').rstrip('.')} | {films} | {frames:,} | {right / films:.1%} | {switches} |")
    return lines


def smoothed(rows: np.ndarray, step: float, tau: float) -> np.ndarray:
    """Rows of probabilities (N, 7), `step` seconds apart, smoothed as video/tracker.py does."""
    share, out = 1 - np.exp(-step / tau) if tau else 1.0, [rows[0]]
    for row in rows[1:]:
        out.append(out[-1] + share * (row - out[-1]))
    return np.array(out)


def smoothing(analyzer: FaceAnalyzer, cast: Sequence[Person], seed: int) -> list[str]:
    """A row a TAU: how often the emotion changes where nothing happens, and how late a new one is told."""

    def rows(scene: Scene) -> np.ndarray:
        return np.array([result.faces[0].probabilities for _, _, result, _ in read(analyzer, scene) if len(result.faces) == 1])

    stills = [rows(still(person, seed)) for person in cast]
    several = [person for person in cast if len(person.looks) > 1]
    pairs = [(person, look, look + 1) for person in several for look in range(len(person.looks) - 1)]
    films = [change(person, one, other, seed) for person, one, other in pairs]
    changed = [(rows(scene), len(scene.times) // 2) for scene in films]
    lines = ["| TAU, seconds | changes of emotion a minute, nothing happening | a new expression is told after |"]
    lines.append("| ---: | ---: | ---: |")
    for tau in TAUS:
        told = [smoothed(table, 1 / 15, tau).argmax(axis=1) for table in stills if len(table)]
        flips = sum(int((one[1:] != one[:-1]).sum()) for one in told) / (sum(len(one) - 1 for one in told) / 15 / 60)
        late = [after for table, half in changed if (after := lateness(table, half, tau)) is not None]
        mark = " (served)" if tau == TAU else ""
        lines.append(f"| {tau}{mark} | {flips:.1f} | {np.mean(late):.2f} s (mean of {len(late)} changes) |")
    return lines


def lateness(table: np.ndarray, half: int, tau: float) -> float | None:
    """Seconds from the change of expression at row `half` to its emotion being told to the end; None where none changes."""
    if len(table) < 2 * half:
        return None
    before, after = (int(part.mean(axis=0).argmax()) for part in (table[:half], table[half:]))
    told = smoothed(table, 1 / 15, tau).argmax(axis=1)
    wrong = np.flatnonzero(told[half:] != after)
    if before == after or (len(wrong) and wrong[-1] == len(told) - half - 1):
        return None
    return (int(wrong[-1]) + 1 if len(wrong) else 0) / 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos with faces of 60 pixels and more")
    parser.add_argument("--films", type=int, default=60, help="films of each kind")
    parser.add_argument("--seed", type=int, default=10_000)
    parser.add_argument("--choosing", action="store_true", help="with the people for choosing, not those for reporting")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.relative_to(ROOT)}")
    options = parser.parse_args()
    analyzer = FaceAnalyzer(head="fer2013")  # the head of the published figures
    cast = cast_of(analyzer, options.photos, options.choosing)
    lines = [
        "# How well faces are followed",
        "",
        f"    python -m scripts.evaluate.tracking --photos FOLDER --films {options.films} --seed {options.seed} --write",
        "",
        f"Films of 640 x 480 pixels at 5, 10 or 15 frames a second, made of {len(cast)} people cut out of photos, every",
        "other time of people of one photo, who dress alike. The camera shakes by 2 pixels and adds noise of 4 grey levels, its "
        "light wanders by",
        "8 %, its JPEGs have quality 80. The figures of emotions/video/association.py were chosen on films of other people.",
        "",
        *following(analyzer, cast, options.films, options.seed),
        "",
        "A film counts as right where nobody's id changed, not for one frame, and nobody was given another's.",
        "",
        "## Smoothing",
        "",
        *smoothing(analyzer, cast, options.seed),
        "",
    ]
    print("\n".join(lines))
    if options.write:
        REPORT.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
