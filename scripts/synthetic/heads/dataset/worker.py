"""Render the rows of the plan, one painter for each process."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from emotions.face.detector import FaceDetector
from emotions.runtime.manifest import ModelRegistry

from ...framing import compose, sample_jitter
from ..characters import Character, create_character
from ..expressions import Expression, sample_expression
from ..geometry.model import load_head_model
from ..renderer import HeadRenderer
from ..views import View, sample_view
from . import crops
from .plan import CROP, EXPRESSION, VIEW, Row, random_of
from .record import Record
from .shards import SIZES, Picture, read_shard, write_shard

SIDE = 256
"""Side of a whole picture in pixels."""


class Shard(NamedTuple):
    """Rows of one character to render into a file, with the head model and the seed of the set."""

    path: Path
    heads: Path
    seed: int
    rows: Sequence[Row]


class Scene(NamedTuple):
    """What the renderer draws: the arguments of HeadRenderer.render."""

    character: Character
    expression: Expression
    view: View


def scene_of(row: Row, seed: int) -> Scene:
    """Character, expression and view of a row: the same whichever rows came before."""
    character = create_character(row.family, row.character, seed)
    expression = sample_expression(row.emotion, row.strength, random_of(seed, row, EXPRESSION))
    return Scene(character, expression, sample_view(character, random_of(seed, row, VIEW)))


class Painter:
    """Renders rows of the plan with one renderer and one face detector.

    Raises DatasetError if the head model cannot be read or no picture can be rendered on this machine.
    """

    def __init__(self, heads: Path, seed: int) -> None:
        self.seed = seed
        self._renderer = HeadRenderer(load_head_model(heads), SIDE)
        self._face_detector = FaceDetector(ModelRegistry())

    def picture(self, row: Row) -> Picture:
        """Render a row: the same picture whichever rows were rendered before."""
        character, expression, view = scene_of(row, self.seed)
        rendering = self._renderer.render(character, expression, view)
        pixels, landmarks = rendering.pixels, rendering.landmarks
        matrix, found = crops.frame(self._face_detector, pixels, landmarks)
        random = random_of(self.seed, row, CROP)
        matrix = compose(matrix, sample_jitter(random, crops.ROTATION_SD, crops.SCALE_SD, crops.SHIFT_SD))
        degrade = crops.sample_degradation(random)
        record = Record(
            name=f"{row.family}/{character.name}/{row.emotion}/{row.number:06d}", character=character.name, family=row.family,
            emotion=row.emotion, recipe=expression.recipe, strength=round(float(expression.strength), 4), label=expression.label,
            yaw=round(float(view.yaw), 2), pitch=round(float(view.pitch), 2), roll=round(float(view.roll), 2), seed=self.seed,
            found=int(found), whole=f"{character.name}-{row.emotion}-{row.number:06d}.webp" if row.kept else "",
        )  # fmt: skip
        faces = tuple(degrade(crops.crop(pixels, matrix, size)) for size in SIZES)
        return Picture(row.number, record, faces, encode(pixels) if row.kept else b"")


def encode(pixels: np.ndarray) -> bytes:
    """Encode a picture (H, W, 3) uint8 RGB as lossless WebP, with little effort: time is spent on rendering, not on encoding."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", lossless=True, method=0, quality=30)
    return stream.getvalue()


def use_one_thread() -> None:
    """Let this process render, detect and resize on one core: the others have processes of their own."""
    os.environ["LP_NUM_THREADS"] = "0"  # Mesa's software rasteriser then has no thread beside this one
    cv2.setNumThreads(1)


def render_shard(shard: Shard) -> int:
    """Render a shard's rows, beside those that its file has already; returns their number. Raises DatasetError."""
    painter = _painter(shard.heads, shard.seed)
    pictures = [*read_shard(shard.path), *map(painter.picture, shard.rows)]
    write_shard(shard.path, sorted(pictures, key=lambda picture: picture.number))
    return len(shard.rows)


@lru_cache(maxsize=1)
def _painter(heads: Path, seed: int) -> Painter:
    return Painter(heads, seed)
