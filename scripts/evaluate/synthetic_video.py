"""Films made from still photos, with the truth of who is where: people cut out and moved on known paths over a background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emotions import Analyser, open_image
from emotions.face.results import Box
from emotions.image.loading import Picture, encode_jpeg

WIDTH, HEIGHT = 640, 480
SMALLEST = 60  # pixels: smaller faces give blurred actors
# What is cut out around a face, in its width and height: half the width, what is above it, what is below its upper edge.
ASIDE, ABOVE, BELOW = 1.1, 0.55, 1.95


@dataclass(frozen=True)
class Person:
    """`looks`: cut-outs (H, W, 4) uint8, RGB and opacity, of one person, several where there are several photos. `faces`: the
    face's box in each."""

    name: str
    looks: tuple[np.ndarray, ...]
    faces: tuple[Box, ...]


@dataclass(frozen=True)
class Place:
    """Where an actor's face is in a frame: its middle in pixels, its height, and which look of the person is shown."""

    x: float
    y: float
    height: float
    look: int = 0


Course = Callable[[float], Place | None]
"""Seconds -> where the actor is; None: out of the picture."""


@dataclass(frozen=True)
class Frame:
    """`truth`: the box of each actor that is in the picture, by actor, those in front last."""

    time: float
    picture: Picture
    truth: dict[int, Box]


@dataclass(frozen=True)
class Camera:
    """What a camera adds: `shake` in pixels, `noise` in grey levels, `lamp` (how brightness wanders), `quality` of its JPEGs."""

    shake: float = 0.0
    noise: float = 0.0
    lamp: float = 0.0
    quality: int = 90


def cut_out(pixels: np.ndarray, face: Box) -> tuple[np.ndarray, Box]:
    """A face's head and shoulders (H, W, 4) uint8, with soft edges; also the face's box in it."""
    middle = face.left + face.width / 2
    left, right = middle - ASIDE * face.width, middle + ASIDE * face.width
    top, bottom = face.top - ABOVE * face.height, face.top + BELOW * face.height
    left, top = max(0, round(left)), max(0, round(top))
    right, bottom = min(pixels.shape[1], round(right)), min(pixels.shape[0], round(bottom))
    opacity = np.zeros((bottom - top, right - left), np.float32)
    box = Box(face.left - left, face.top - top, face.width, face.height)
    x, y = round(box.left + box.width / 2), round(box.top + box.height * 0.42)
    cv2.ellipse(opacity, (x, y), (round(0.68 * box.width), round(0.85 * box.height)), 0, 0, 360, 1, -1)
    shoulders = round(box.top + 1.1 * box.height)
    cv2.rectangle(opacity, (round(x - 0.9 * box.width), shoulders), (round(x + 0.9 * box.width), bottom - top), 1, -1)
    opacity = cv2.GaussianBlur(opacity, (0, 0), max(1.0, 0.03 * box.height))
    colours = pixels[top:bottom, left:right]
    return np.dstack([colours, (opacity * 255).astype(np.uint8)]), box


def people(analyser: Analyser, photos: Iterable[Path], name_of: Callable[[Path, int], str] | None = None) -> list[Person]:
    """The persons of photos that can be cut out: sharp enough, not turned, with room around them. `name_of`: photo and number
    of the face -> name; cut-outs of the same name are looks of one person."""
    found: dict[str, list[tuple[np.ndarray, Box]]] = {}
    for photo in photos:
        picture = open_image(photo)
        faces = analyser.analyse(picture, "blazeface").faces
        boxes = [face.box.scaled(1 / picture.scale) for face in faces]
        for number, (face, box) in enumerate(zip(faces, boxes, strict=True)):
            alone = not any(_near(box, other) for other in boxes if other is not box)
            clear = box.height >= SMALLEST and face.unsure not in ("turned", "small")
            if clear and alone and _has_room(box, picture.pixels.shape):
                name = name_of(photo, number) if name_of else f"{photo.stem} {number}"
                found.setdefault(name, []).append(cut_out(picture.pixels, box))
    return [Person(name, *map(tuple, zip(*looks, strict=True))) for name, looks in found.items()]


def film(actors: Sequence[tuple[Person, Course]], times: Iterable[float], camera: Camera, seed: int) -> Iterator[Frame]:
    """Frames of the actors, the later ones in front of the earlier, at `times` in seconds."""
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
        canvas += camera.noise * random.standard_normal(canvas.shape, np.float32)
        frame = np.clip(canvas, 0, 255).astype(np.uint8)
        yield Frame(time, open_image(encode_jpeg(frame, camera.quality)), truth)


def who(truth: dict[int, Box], box: Box, least: float = 0.35, clear: float = 0.15) -> int | None:
    """The actor whose face a found box shows: it overlaps most, and none other about as much."""
    shares = sorted(((overlap(face, box), actor) for actor, face in truth.items()), reverse=True)
    if not shares or shares[0][0] < least or (len(shares) > 1 and shares[0][0] - shares[1][0] < clear):
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
    """Whether the other face is in what would be cut out around the first."""
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
