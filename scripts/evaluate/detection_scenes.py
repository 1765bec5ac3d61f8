"""Images with known faces for `scripts.evaluate.detection`: labelled photos, small faces in large scenes, drawings on canvases.

Ground-truth boxes are (N, 4) float arrays of left, top, right, bottom in pixels of the image beside them.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from emotions.face import blazeface
from emotions.face.blazeface import Detection
from emotions.face.results import Box
from emotions.image.loading import open_image

SCORED = ("annotation", "detector, reviewed")
"""Sources of boxes.csv that label every face of a photo; others are incomplete or unreviewed."""

# Box of the face in a drawing, from brow to chin, as shares of its side; measured on contact sheets.
DRAWN_FACES = {
    "adventurer": (0.18, 0.3, 0.75, 0.82), "avataaars": (0.28, 0.18, 0.72, 0.65), "big-ears": (0.2, 0.3, 0.8, 0.85),
    "big-smile": (0.15, 0.2, 0.85, 0.85), "clay": (0.2, 0.35, 0.8, 0.9), "critters": (0.25, 0.3, 0.8, 0.8),
    "croodles": (0.25, 0.3, 0.75, 0.85), "dylan": (0.25, 0.2, 0.75, 0.8), "fun-emoji": (0.1, 0.15, 0.9, 0.85),
    "line-face": (0.15, 0.2, 0.85, 0.85), "lorelei": (0.28, 0.25, 0.75, 0.8), "micah": (0.3, 0.2, 0.75, 0.75),
    "moods": (0.15, 0.15, 0.85, 0.85), "notionists": (0.38, 0.25, 0.66, 0.62), "open-peeps": (0.45, 0.32, 0.82, 0.78),
    "personas": (0.28, 0.28, 0.72, 0.75), "pixel-art": (0.2, 0.1, 0.8, 0.85), "toon-head": (0.25, 0.33, 0.75, 0.82),
    "voxel-art": (0.22, 0.2, 0.68, 0.68), "openmoji": (0.17, 0.17, 0.83, 0.83),
}  # fmt: skip
EMOJI_FACE = (0.05, 0.05, 0.95, 0.95)  # all other emoji are a face from edge to edge
CANVASES = ((640, 480), (800, 600), (1024, 768), (1280, 960), (480, 640), (768, 1024))
DRAWN_SIDE = 0.2, 0.8  # a drawing's side as a share of its canvas's shorter one
LARGE = (4000, 3000)


@dataclass(frozen=True)
class Scene:
    """An image (H, W, 3) uint8 RGB and its face boxes; `name` determines its half and its random seed."""

    name: str
    pixels: np.ndarray
    boxes: np.ndarray

    @property
    def half(self) -> int:
        """0 for choosing thresholds, 1 for reporting."""
        return seed_of(self.name) % 2


def seed_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def labelled_photos(folder: Path) -> list[Scene]:
    """Photos of `folder` with a box for every face, decoded as by the server."""
    truth: dict[str, list[list[float]]] = {}
    for row in _rows(folder / "boxes.csv"):
        if row["source"] in SCORED and row["file"].startswith("scenes/"):  # derived/ repeats two of their faces
            x, y, width, height = (float(row[key]) for key in ("x", "y", "w", "h"))
            truth.setdefault(row["file"], []).append([x, y, x + width, y + height])
    scenes = []
    for name, boxes in sorted(truth.items()):
        image = open_image(folder / name)
        scenes.append(Scene(name, image.pixels, np.array(boxes) / image.scale))
    return scenes


def face_free_photos(folder: Path) -> list[Scene]:
    """Photos without faces."""
    empty = [row["file"] for row in _rows(folder / "photos.csv") if row["faces"] == "0"]
    names = sorted(name for name in empty if name.startswith("scenes/"))
    return [Scene(name, open_image(folder / name).pixels, np.zeros((0, 4))) for name in names]


def face_free_parts(scenes: list[Scene], each: int = 4) -> Iterator[Scene]:
    """Square parts of photos, 0.25 to 0.9 of the shorter side, at least half a face size away from every face."""
    for scene in scenes:
        random = np.random.default_rng(seed_of(scene.name))
        height, width = scene.pixels.shape[:2]
        margin = (scene.boxes[:, 2:] - scene.boxes[:, :2]) / 2
        low, high = scene.boxes[:, :2] - margin, scene.boxes[:, 2:] + margin
        given = 0
        for _ in range(80):
            side = int(min(height, width) * random.uniform(0.25, 0.9))
            left, top = int(random.integers(0, width - side + 1)), int(random.integers(0, height - side + 1))
            corner = np.array([left, top])
            if given < each and not np.any(np.all((low < corner + side) & (high > corner), axis=1)):
                given += 1
                yield Scene(f"{scene.name}#{given}", scene.pixels[top : top + side, left : left + side], np.zeros((0, 4)))


def drawn(folder: Path, empty: list[Scene]) -> Iterator[Scene]:
    """Every drawing of labels.csv on a canvas of one colour or a photo without faces, at a random place and size."""
    for row in _rows(folder / "labels.csv"):
        random = np.random.default_rng(seed_of(row["file"]))
        canvas = _canvas(random, empty)
        height, width = canvas.shape[:2]
        side = int(min(height, width) * random.uniform(*DRAWN_SIDE))
        left, top = int(random.integers(0, width - side + 1)), int(random.integers(0, height - side + 1))
        drawing = Image.open(folder / row["file"]).convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
        image = Image.fromarray(canvas)
        image.paste(drawing, (left, top), drawing)
        face = np.array(DRAWN_FACES.get(row["file"].split("/")[1], EMOJI_FACE)) * side
        yield Scene(row["file"], np.asarray(image), (face + [left, top, left, top])[None])


def _canvas(random: np.random.Generator, empty: list[Scene]) -> np.ndarray:
    width, height = CANVASES[random.integers(len(CANVASES))]
    if random.random() < 0.5:
        return np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)
    photo = empty[random.integers(len(empty))].pixels
    scale = max(width / photo.shape[1], height / photo.shape[0])
    size = max(width, round(photo.shape[1] * scale)), max(height, round(photo.shape[0] * scale))
    large = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = int(random.integers(0, size[0] - width + 1)), int(random.integers(0, size[1] - height + 1))
    return large[top : top + height, left : left + width].copy()


def small_faces(
    scenes: list[Scene], empty: list[Scene], height: int, count: int = 6, canvas_size: tuple[int, int] = LARGE
) -> Iterator[Scene]:
    """Scenes of `canvas_size`: photos shrunk until their mean face is `height` pixels high, on a photo without faces."""
    for start in range(0, len(scenes), count):
        group = scenes[start : start + count]
        background = empty[(start // count) % len(empty)]
        canvas = cv2.resize(background.pixels, canvas_size, interpolation=cv2.INTER_CUBIC)
        random = np.random.default_rng(seed_of(f"{background.name} {start} {height}"))
        boxes = []
        for place, scene in enumerate(group):  # three columns, two rows: photos never overlap
            scale = height / float(np.mean(scene.boxes[:, 3] - scene.boxes[:, 1]))
            cell = np.array([canvas_size[0] // 3, canvas_size[1] // 2])
            scale = min(scale, *(cell / scene.pixels.shape[1::-1]))
            size = np.maximum(1, np.round(np.array(scene.pixels.shape[1::-1]) * scale)).astype(int)
            left, top = np.array([place % 3, place // 3]) * cell + random.integers(0, cell - size + 1)
            shrunk = cv2.resize(scene.pixels, tuple(size.tolist()), interpolation=cv2.INTER_AREA)
            canvas[top : top + size[1], left : left + size[0]] = shrunk
            boxes.append(scene.boxes * scale + [left, top, left, top])
        yield Scene(f"small faces {height} {start}", canvas, np.concatenate(boxes))


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


MIN_IOU = 0.35
"""Minimum IoU of a match; boxes.csv has tight and loose boxes."""
MIN_THRESHOLD = 0.2
DetectFunction = Callable[[np.ndarray], list[Detection]]


def corners(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.left + box.width, box.top + box.height])


def assign_detections(found: list[Detection], truth: np.ndarray) -> list[tuple[float, int]]:
    """Assign detections to faces greedily: (score, index of the face or -1) of each, best score first."""
    free, result = np.ones(len(truth), bool), []
    for detection in sorted(found, key=lambda face: -face.score):
        overlaps = blazeface.iou(corners(detection.box), truth) * free
        best = int(overlaps.argmax()) if len(truth) else -1
        if best >= 0 and overlaps[best] >= MIN_IOU:
            free[best] = False
        else:
            best = -1
        result.append((detection.score, best))
    return result


def match_detections(found: list[Detection], truth: np.ndarray) -> list[tuple[float, bool]]:
    """Match detections as `assign_detections` does: (score, matched) of each, best score first."""
    return [(score, face >= 0) for score, face in assign_detections(found, truth)]


def match_scenes(detect: DetectFunction, scenes: Iterable[Scene]) -> tuple[list[tuple[float, bool]], int]:
    """Matches (score, matched) of all scenes, and their number of faces."""
    rows, faces = [], 0
    for scene in scenes:
        rows += match_detections(detect(scene.pixels), scene.boxes)
        faces += len(scene.boxes)
    return rows, faces


def recall_precision(rows: list[tuple[float, bool]], faces: int, threshold: float = 0.0) -> tuple[float, float]:
    kept = [hit for score, hit in rows if score >= threshold]
    return sum(kept) / faces, sum(kept) / max(len(kept), 1)


def best_threshold(rows: list[tuple[float, bool]], faces: int) -> float:
    """Threshold with the highest F1; among equal ones the highest, which has the fewest false positives."""

    def f1(threshold: float) -> float:
        recall, precision = recall_precision(rows, faces, threshold)
        return 2 * recall * precision / max(recall + precision, 1e-9)

    return max(np.round(np.arange(MIN_THRESHOLD, 1, 0.05), 2)[::-1].tolist(), key=f1)
