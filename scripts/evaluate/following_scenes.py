"""What happens in films that are made of still photos: crossings, gaps, successors, and faces that stay or change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .synthetic_video import HEIGHT, WIDTH, Camera, Course, Person, Place

RATES = 5, 10, 15  # frames a second
CAMERA = Camera(shake=2.0, noise=4.0, lamp=0.08, quality=80)


@dataclass(frozen=True)
class Scene:
    """Who moves how, and the times of the frames in seconds."""

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
    return Scene(tuple(actors), _times(seconds, random), seed)


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

    return Scene(((first, left), (second, course)), _times(back + 1, random), seed)


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
    return Scene(actors, _times(come + 1, random), seed)


Make = Callable[[Sequence[Person], np.random.Generator, int], Scene]
SCENES: tuple[Make, ...] = (crossing, gap, successor)


def scenes(make: Make, cast: Sequence[Person], films: int, seed: int) -> Iterator[Scene]:
    for number in range(films):
        yield make(cast, np.random.default_rng([seed, number]), seed + number)


def still(person: Person, seed: int) -> Scene:
    """Somebody sits and sways for 3 seconds."""
    random = np.random.default_rng(seed)
    course = _sway(0.5, person, random)
    return Scene(((person, lambda time: replace(course(time), look=0)),), tuple(number / 15 for number in range(46)), seed)


def change(person: Person, before: int, after: int, seed: int) -> Scene:
    """As `still`, with another look from the middle on."""
    course = still(person, seed).actors[0][1]
    times = tuple(number / 15 for number in range(60))
    return Scene(((person, lambda time: replace(course(time), look=before if time < times[30] else after)),), times, seed)


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
