"""The pictures of the benchmark, made of the samples' public-domain portraits: a photo, crowds, and ever larger scenes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image

from ..deploy import traffic

SAMPLES = Path(__file__).resolve().parents[2] / "static" / "samples"
HEADS = {"obama.jpg": (150, 18, 254), "collins.jpg": (141, 30, 171)}
"""Left, top and side, in pixels, of the square around the head in each portrait."""
CROWD = (1280, 960)
PLACES = (9, 6)  # columns and rows of heads
HEAD = 142  # pixels: the face in it is about 89 wide
BACKGROUND = (200, 200, 200)
SCENES = {0.3: (640, 480), 1.2: (1280, 960), 3.1: (2048, 1536), 6.0: (2828, 2121), 12.0: (4000, 3000), 24.0: (6000, 4000)}
"""Megapixels -> width and height."""


def photo() -> traffic.Request:
    """The photo that the budgets speak of: 640 x 480 pixels with one face."""
    return traffic.photo(SAMPLES / "obama.jpg")


def explained() -> traffic.Request:
    """The same photo, asked for what the answer rests on as well: this project alone can say."""
    plain = photo()
    return replace(plain, path=f"{plain.path}?explain=true")


def crowd(faces: int) -> Image.Image:
    """1280 x 960 pixels with the first `faces` of 54 places taken: size and faces stay the same, only their number grows."""
    if not 0 <= faces <= PLACES[0] * PLACES[1]:
        raise ValueError(f"there are {PLACES[0] * PLACES[1]} places, not {faces}")
    heads = []
    for name, (left, top, side) in HEADS.items():
        with Image.open(SAMPLES / name) as portrait:
            window = (left, top, left + side, top + side)
            heads.append(portrait.convert("RGB").resize((HEAD, HEAD), Image.Resampling.LANCZOS, box=window))
    scene = Image.new("RGB", CROWD, BACKGROUND)
    for place in range(faces):
        row, column = divmod(place, PLACES[0])
        scene.paste(heads[place % len(heads)], (column * CROWD[0] // PLACES[0], row * CROWD[1] // PLACES[1]))
    return scene


def crowds(counts: tuple[int, ...]) -> dict[float, traffic.Request]:
    """Number of faces -> a JPEG upload with so many."""
    return {float(count): _upload(crowd(count)) for count in counts}


def scenes(megapixels: tuple[float, ...]) -> dict[float, traffic.Request]:
    """Megapixels -> a JPEG upload of that size with one large face, as heavy as a camera's."""
    with Image.open(SAMPLES / "obama.jpg") as opened:
        portrait = opened.convert("RGB")
    return {size: _upload(traffic.enlarged(portrait, *SCENES[size])) for size in megapixels}


def _upload(picture: Image.Image) -> traffic.Request:
    return traffic.upload("photo.jpg", traffic.encoded(picture, "JPEG", quality=90))
