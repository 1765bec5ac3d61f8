"""How well faces are followed, on films made of still photos: see benchmarks/following.md.

    python -m scripts.measure_following --photos FOLDER [--films 100] [--seed 1000] [--write]

Crossings: two or three people walk past each other. Gaps: one of two is away for a while. Successors: one leaves and another
comes to the same place. What the camera adds (shake, noise, a wandering lamp, JPEG) is in all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotions import Analyser, Follower, ImageResult
from emotions.images import Picture
from emotions.results import Box

from .following_scenes import HEIGHT, WIDTH, Camera, Course, Person, Place, film, people, who

RATES = 5, 10, 15  # frames a second
CAMERA = Camera(shake=2.0, noise=4.0, lamp=0.08, quality=80)


@dataclass(frozen=True)
class Scene:
    """What happens in a film; `gap`: seconds from when to when the last actor, or nobody, is there."""

    kind: str
    actors: tuple[tuple[Person, Course], ...]
    times: tuple[float, ...]
    seed: int


def crossing(cast: Sequence[Person], random: np.random.Generator, seed: int) -> Scene:
    """Two people, or three, walk through the picture, each to the other side."""
    count = 2 if random.random() < 0.7 else 3
    seconds = random.uniform(2.0, 4.0)
    actors = []
    for number, person in enumerate(_cast(cast, count, random)):
        start, end = random.uniform(0.12, 0.3), random.uniform(0.7, 0.88)
        if number % 2:
            start, end = end, start
        y, rise = random.uniform(0.35, 0.5), random.uniform(-0.06, 0.06)
        size = random.uniform(75, 130) * np.array([1, random.uniform(0.8, 1.25)])
        actors.append((person, _walk((start, y), (end, y + rise), size, seconds, _changes(person, random))))
    return Scene("crossing", tuple(actors), _times(seconds, random), seed)


def gap(cast: Sequence[Person], random: np.random.Generator, seed: int) -> Scene:
    """Two people sit and sway; one is out of sight for 0.3 to 2.5 seconds and comes back up to a face's width away."""
    first, second = _cast(cast, 2, random)
    left, right = _sway(0.28, first, random), _sway(0.72, second, random)
    away, back = 1.0, 1.0 + random.uniform(0.3, 2.5)
    moved = random.uniform(-1, 1) * 80

    def course(time: float) -> Place | None:
        place = right(time)
        if time < away:
            return place
        return None if time < back else Place(place.x + moved, place.y, place.height, place.look)

    return Scene("gap", ((first, left), (second, course)), _times(back + 1, random), seed)


def successor(cast: Sequence[Person], random: np.random.Generator, seed: int) -> Scene:
    """One person leaves the picture, and 0.3 to 1.5 seconds later another one is in that place."""
    first, second, third = _cast(cast, 3, random)
    beside, before, after = _sway(0.28, first, random), _sway(0.72, second, random), _sway(0.72, third, random)
    away, come = 1.0, 1.0 + random.uniform(0.3, 1.5)
    actors = (
        (first, beside),
        (second, lambda time: before(time) if time < away else None),
        (third, lambda time: after(time) if time >= come else None),
    )
    return Scene("successor", actors, _times(come + 1, random), seed)


SCENES: tuple[Callable[[Sequence[Person], np.random.Generator, int], Scene], ...] = (crossing, gap, successor)


def scenes(cast: Sequence[Person], films: int, seed: int) -> Iterable[Scene]:
    for number in range(films):
        for make in SCENES:
            yield make(cast, np.random.default_rng([seed, number, SCENES.index(make)]), seed + number)


def ids_of(scene: Scene, frames: Iterable[tuple[float, Picture, ImageResult, dict[int, Box]]]) -> dict[int, list[int]]:
    """The ids that each actor was given, frame by frame where it was found."""
    follower = Follower()
    given: dict[int, list[int]] = {number: [] for number in range(len(scene.actors))}
    for time, picture, result, truth in frames:
        for face in follower.follow(picture, result, time).faces:
            actor = who(truth, face.box)
            if actor is not None:
                given[actor].append(face.id)
    return given


def failures(scene: Scene, given: dict[int, list[int]]) -> tuple[int, int]:
    """How often an actor's id changed, and how many actors were given one that another had."""
    changes = sum(one != other for ids in given.values() for one, other in zip(ids, ids[1:], strict=False))
    taken = sum(bool(set(given[one]) & set(given[other])) for one in given for other in given if one < other)
    return changes, taken


def _cast(cast: Sequence[Person], count: int, random: np.random.Generator) -> list[Person]:
    """So many people, every other time of one photo: who was photographed together dresses alike."""
    first = cast[random.integers(len(cast))]
    photo = first.name.rsplit(" ", 1)[0]
    alike = [person for person in cast if person.name.rsplit(" ", 1)[0] == photo and person is not first]
    others = [person for person in cast if person is not first]
    if random.random() < 0.5 and len(alike) >= count - 1:
        others = alike
    return [first, *(others[number] for number in random.permutation(len(others))[: count - 1])]


def _walk(
    start: tuple[float, float], end: tuple[float, float], size: np.ndarray, seconds: float, look: Callable[[float], int]
) -> Course:
    def course(time: float) -> Place:
        share = min(time / seconds, 1)
        x, y = np.array(start) + share * (np.array(end) - start)
        return Place(x * WIDTH, y * HEIGHT, size[0] + share * (size[1] - size[0]), look(time))

    return course


def _sway(x: float, person: Person, random: np.random.Generator) -> Course:
    height, phase, look = random.uniform(75, 130), random.uniform(0, 6), _changes(person, random)
    y, width = random.uniform(0.35, 0.5), random.uniform(0.02, 0.05)

    def course(time: float) -> Place:
        share = np.sin(phase + 3 * time)
        return Place((x + width * share) * WIDTH, (y + 0.3 * width * share) * HEIGHT, height * (1 + 0.05 * share), look(time))

    return course


def _changes(person: Person, random: np.random.Generator) -> Callable[[float], int]:
    """Another look of the person about every second."""
    order, start = random.permutation(len(person.looks)), random.uniform(0, 1)
    return lambda time: int(order[int(time + start) % len(order)])


def _times(seconds: float, random: np.random.Generator) -> tuple[float, ...]:
    rate = random.choice(RATES)
    return tuple(float(number / rate) for number in range(int(seconds * rate) + 1))
