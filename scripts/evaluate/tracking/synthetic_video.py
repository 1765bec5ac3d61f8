"""Synthetic videos from still photos with ground truth: people are cut out and moved along known paths over a background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from emotions import FaceAnalyzer, open_image
from emotions.face.results import Box
from emotions.image.loading import LoadedImage, encode_jpeg

WIDTH, HEIGHT = 640, 480
SMALLEST = 60  # pixels: smaller faces give blurred actors
# Cut-out around a face in units of its size: half the width, above the upper edge, below the upper edge.
ASIDE, ABOVE, BELOW = 1.1, 0.55, 1.95
# In the same units: centre below the upper edge and half axes of the head, half the width of the shoulders and their upper edge.
HEAD_CENTER, HEAD_AXES, SHOULDERS = 0.42, (0.68, 0.85), (0.9, 1.1)
MIN_VISIBLE = 0.5
"""Share of a face that must not be covered by other actors for it to count as visible."""


@dataclass(frozen=True)
class Person:
    """A person: cut-outs `looks` (H, W, 4) uint8, RGB and opacity, one for each photo, and the face's box in each."""

    name: str
    looks: tuple[np.ndarray, ...]
    faces: tuple[Box, ...]


@dataclass(frozen=True)
class Place:
    """Position of an actor's face in a frame: centre and height in pixels, and the index of the look."""

    x: float
    y: float
    height: float
    look: int = 0


Trajectory = Callable[[float], Place | None]
"""Trajectory: seconds -> position of the actor, None outside of the frame."""


@dataclass(frozen=True)
class Frame:
    """A frame and its ground truth: the box of each visible actor, by actor, those in front last."""

    time: float
    image: LoadedImage
    truth: dict[int, Box]


@dataclass(frozen=True)
class Camera:
    """Camera effects: `shake` in pixels, `noise` in grey levels, `lamp` (relative change of brightness), JPEG `quality`."""

    shake: float = 0.0
    noise: float = 0.0
    lamp: float = 0.0
    quality: int = 90


def cut_out(pixels: np.ndarray, face: Box) -> tuple[np.ndarray, Box]:
    """Cut out head and shoulders with soft edges, (H, W, 4) uint8, and the face's box in the cut-out."""
    middle = face.left + face.width / 2
    left, right = middle - ASIDE * face.width, middle + ASIDE * face.width
    top, bottom = face.top - ABOVE * face.height, face.top + BELOW * face.height
    left, top = max(0, round(left)), max(0, round(top))
    right, bottom = min(pixels.shape[1], round(right)), min(pixels.shape[0], round(bottom))
    opacity = np.zeros((bottom - top, right - left), np.float32)
    box = Box(face.left - left, face.top - top, face.width, face.height)
    x, y = round(box.left + box.width / 2), round(box.top + box.height * HEAD_CENTER)
    cv2.ellipse(opacity, (x, y), (round(HEAD_AXES[0] * box.width), round(HEAD_AXES[1] * box.height)), 0, 0, 360, 1, -1)
    aside, shoulders = SHOULDERS[0] * box.width, round(box.top + SHOULDERS[1] * box.height)
    cv2.rectangle(opacity, (round(x - aside), shoulders), (round(x + aside), bottom - top), 1, -1)
    opacity = cv2.GaussianBlur(opacity, (0, 0), max(1.0, 0.03 * box.height))
    colours = pixels[top:bottom, left:right]
    return np.dstack([colours, (opacity * 255).astype(np.uint8)]), box


def people(analyzer: FaceAnalyzer, photos: Iterable[Path], name_of: Callable[[Path, int], str] | None = None) -> list[Person]:
    """People of photos that can be cut out: sharp enough, not turned, with room around them.

    `name_of` maps a photo and the number of a face in it to a name; cut-outs with one name are looks of one person.
    """
    found: dict[str, list[tuple[np.ndarray, Box]]] = {}
    for photo in photos:
        image = open_image(photo)
        faces = analyzer.analyze(image, "blazeface").faces
        boxes = [face.box.scaled(1 / image.scale) for face in faces]
        for number, (face, box) in enumerate(zip(faces, boxes, strict=True)):
            alone = not any(_near(box, other) for other in boxes if other is not box)
            clear = box.height >= SMALLEST and face.unsure not in ("turned", "small")
            if clear and alone and _has_room(box, image.pixels.shape):
                name = name_of(photo, number) if name_of else f"{photo.stem} {number}"
                found.setdefault(name, []).append(cut_out(image.pixels, box))
    return [Person(name, *map(tuple, zip(*looks, strict=True))) for name, looks in found.items()]


def render(actors: Sequence[tuple[Person, Trajectory]], times: Iterable[float], camera: Camera, seed: int) -> Iterator[Frame]:
    """Render frames at `times` in seconds; later actors are in front of earlier ones."""
    random = np.random.default_rng(seed)
    patches = random.uniform(40, 200, (9, 12, 3)).astype(np.float32)
    background = cv2.resize(patches, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    drift = random.uniform(0, 2 * np.pi)
    for time in times:
        canvas, truth = background.copy(), {}
        shift = random.normal(0, camera.shake, 2) if camera.shake else np.zeros(2)
        for number, (person, path) in enumerate(actors):
            place = path(time)
            if place is not None:
                truth[number] = _paste(canvas, person, place, shift)
        canvas *= 1 + camera.lamp * np.sin(drift + 2 * time)
        canvas = canvas + camera.noise * random.standard_normal(canvas.shape, np.float32)
        frame = np.clip(canvas, 0, 255).astype(np.uint8)
        yield Frame(time, open_image(encode_jpeg(frame, camera.quality)), truth)


def visible(truth: dict[int, Box]) -> dict[int, Box]:
    """Boxes of the actors of whose face others in front cover less than half."""
    return {actor: box for actor, box in truth.items() if 1 - _covered(truth, actor) >= MIN_VISIBLE}


def _covered(truth: dict[int, Box], actor: int) -> float:
    """Share of an actor's face that others in front cover, from the shapes of `cut_out`."""
    face, steps = truth[actor], (np.arange(12) + 0.5) / 12
    x, y = face.left + face.width * steps[None], face.top + face.height * steps[:, None]
    covered = np.zeros((12, 12), bool)
    for other, box in truth.items():
        if other > actor:
            right, down = x - box.left - box.width / 2, (y - box.top) / box.height
            head = (right / (HEAD_AXES[0] * box.width)) ** 2 + ((down - HEAD_CENTER) / HEAD_AXES[1]) ** 2 < 1
            covered |= head | ((np.abs(right) < SHOULDERS[0] * box.width) & (down > SHOULDERS[1]) & (down < BELOW))
    return float(covered.mean())


def actor_of(truth: dict[int, Box], box: Box, min_iou: float = 0.35, min_gap: float = 0.15) -> int | None:
    """Actor of a detected box: the one with the highest IoU, if that is clearly higher than any other."""
    shares = sorted(((overlap(face, box), actor) for actor, face in truth.items()), reverse=True)
    if not shares or shares[0][0] < min_iou or (len(shares) > 1 and shares[0][0] - shares[1][0] < min_gap):
        return None
    return shares[0][1]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    shared = max(width, 0) * max(height, 0)
    return shared / (one.area + other.area - shared)


def _paste(canvas: np.ndarray, person: Person, place: Place, shift: np.ndarray) -> Box:
    look, face = person.looks[place.look % len(person.looks)], person.faces[place.look % len(person.looks)]
    scale = place.height / face.height
    x, y = place.x + shift[0] - scale * (face.left + face.width / 2), place.y + shift[1] - scale * (face.top + face.height / 2)
    matrix = np.array([[scale, 0, x], [0, scale, y]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    if scale < 1:  # warping alone would alias
        small = cv2.resize(look, None, fx=scale, fy=scale, interpolation=flags)
        matrix[:, :2] = np.diag([scale * look.shape[1] / small.shape[1], scale * look.shape[0] / small.shape[0]])
        look = small
    layer = cv2.warpAffine(look, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR).astype(np.float32)
    opacity = layer[..., 3:] / 255
    canvas *= 1 - opacity
    canvas += layer[..., :3] * opacity
    return Box(x + scale * face.left, y + scale * face.top, scale * face.width, scale * face.height)


def _near(one: Box, other: Box) -> bool:
    """True if the other face lies within the cut-out around the first."""
    left, right = one.left - 0.6 * one.width, one.left + 1.6 * one.width
    top, bottom = one.top - ABOVE * one.height, one.top + 1.6 * one.height
    return other.left < right and other.left + other.width > left and other.top < bottom and other.top + other.height > top


def _has_room(face: Box, shape: tuple[int, ...]) -> bool:
    return (
        face.left - 0.4 * face.width >= 0
        and face.left + 1.4 * face.width <= shape[1]
        and face.top - 0.3 * face.height >= 0
        and face.top + 1.4 * face.height <= shape[0]
    )


RATES = 5, 10, 15  # frames a second
CAMERA = Camera(shake=2.0, noise=4.0, lamp=0.08, quality=80)


@dataclass(frozen=True)
class Scene:
    """Actors with their trajectories, and the times of the frames in seconds."""

    actors: tuple[tuple[Person, Trajectory], ...]
    times: tuple[float, ...]
    seed: int


def crossing(cast: Sequence[Person], random: np.random.Generator, seed: int) -> Scene:
    """Two or three people cross the image."""
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
    """Two people sit; one leaves the frame for 0.3 to 2.5 seconds and returns up to a face width away."""
    first, second = _cast(cast, 2, random)
    left, right = _sway(0.28, first, random), _sway(0.72, second, random)
    away, back = 1.0, 1.0 + random.uniform(0.3, 2.5)
    moved = random.uniform(-1, 1) * 80

    def course(time: float) -> Place | None:
        place = right(time)
        if time < away:
            return place
        return None if place is None or time < back else Place(place.x + moved, place.y, place.height, place.look)

    return Scene(((first, left), (second, course)), _times(back + 1, random), seed)


def successor(cast: Sequence[Person], random: np.random.Generator, seed: int) -> Scene:
    """One person leaves; 0.3 to 1.5 seconds later another one appears at the same position."""
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
SCENES: dict[str, Make] = {
    "Two or three people cross the picture": crossing,
    "Two people sit; one leaves the frame for 0.3 to 2.5 seconds and returns up to a face width away": gap,
    "One person leaves; 0.3 to 1.5 seconds later another one appears at the same position": successor,
}


def scenes(make: Make, cast: Sequence[Person], count: int, seed: int) -> Iterator[Scene]:
    """`count` random scenes of one kind."""
    for number in range(count):
        yield make(cast, np.random.default_rng([seed, number]), seed + number)


def still(person: Person, seed: int) -> Scene:
    """A person sits for 3 seconds."""
    random = np.random.default_rng(seed)
    course = _sway(0.5, person, random)
    return Scene(((person, lambda time: _with_look(course(time), 0)),), tuple(number / 15 for number in range(46)), seed)


def change(person: Person, before: int, after: int, seed: int) -> Scene:
    """One person as in `still`, with another appearance in the second half."""
    course = still(person, seed).actors[0][1]
    times = tuple(number / 15 for number in range(60))
    return Scene(((person, lambda time: _with_look(course(time), before if time < times[30] else after)),), times, seed)


def _with_look(place: Place | None, look: int) -> Place | None:
    return place and replace(place, look=look)


def _cast(cast: Sequence[Person], count: int, random: np.random.Generator) -> list[Person]:
    """Draw people; in half of the cases from one photo, since people photographed together wear similar clothes."""
    first = cast[int(random.integers(len(cast)))]
    photo = first.name.rsplit(" ", 1)[0]
    alike = [person for person in cast if person.name.rsplit(" ", 1)[0] == photo and person is not first]
    others = [person for person in cast if person is not first]
    if random.random() < 0.5 and len(alike) >= count - 1:
        others = alike
    return [first, *(others[number] for number in random.permutation(len(others))[: count - 1])]


def _walk(
    start: tuple[float, float], end: tuple[float, float], size: np.ndarray, seconds: float, look: Callable[[float], int]
) -> Trajectory:
    def course(time: float) -> Place:
        share = min(time / seconds, 1)
        x, y = np.array(start) + share * (np.array(end) - start)
        return Place(x * WIDTH, y * HEIGHT, size[0] + share * (size[1] - size[0]), look(time))

    return course


def _sway(x: float, person: Person, random: np.random.Generator) -> Trajectory:
    height, phase, look = random.uniform(75, 130), random.uniform(0, 6), _changes(person, random)
    y, width = random.uniform(0.35, 0.5), random.uniform(0.02, 0.05)

    def course(time: float) -> Place:
        share = np.sin(phase + 3 * time)
        return Place((x + width * share) * WIDTH, (y + 0.3 * width * share) * HEIGHT, height * (1 + 0.05 * share), look(time))

    return course


def _changes(person: Person, random: np.random.Generator) -> Callable[[float], int]:
    """Change the look of a person about every second."""
    order, start = random.permutation(len(person.looks)), random.uniform(0, 1)
    return lambda time: int(order[int(time + start) % len(order)])


def _times(seconds: float, random: np.random.Generator) -> tuple[float, ...]:
    rate = random.choice(RATES)
    return tuple(float(number / rate) for number in range(int(seconds * rate) + 1))
