"""BMP: the decode, with a decoder of run lengths."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from ...errors import ImageError
from ...runtime.time_budget import check_time
from ..conversion import Rows
from ..formats import check_size
from .plans import DecodePlan, image_rows, native_bytes, open_pillow

WINDOW = 256
"""Runs that are expanded at once: at most a row of 65,280 pixels."""
CHECK_PAIRS = 2**16
"""Runs that are decoded between two checks of the time."""
END_OF_ROW, END_OF_IMAGE, JUMP = 0, 1, 2


def plan_bmp(data: bytes) -> DecodePlan:
    """Plan the decode of a BMP."""
    image: Any = open_pillow("BMP", BytesIO(data))
    check_size(*image.size)
    size, native = image.size, native_bytes(image.mode, image.size)
    codec, _, offset, args = image.tile[0]
    runs = codec == "bmp_rle"
    if runs and image.mode not in ("L", "P"):
        raise ImageError("unsupported_image", "This variant of BMP is not supported.")

    def load() -> Rows:
        if runs:
            indices = decode_runs(data, offset, size, four_bits=args[1])
            image.im = Image.frombytes(image.mode, size, indices.data, "raw", image.mode, 0, args[-1]).im
            image.tile = []
        image.load()
        return image_rows(image)

    return DecodePlan("BMP", size, size, native * (2 if runs else 1), native, image.mode, load, lambda: 1)


def decode_runs(data: bytes, offset: int, size: tuple[int, int], four_bits: bool) -> np.ndarray:
    """Decode run lengths, BI_RLE8 or BI_RLE4.

    Args:
        data: Bytes of the file.
        offset: Offset of the runs.
        size: (width, height) of the image.
        four_bits: True for BI_RLE4.

    Returns:
        Palette indices (height, width) uint8, in the order of the file: the last row first.

    Raises:
        ImageError: Half of the rows or more are missing.
    """
    width, height = size
    pixels = np.zeros((height, width), np.uint8)
    codes = np.frombuffer(data, np.uint8)[offset:]
    pairs = codes[: len(codes) // 2 * 2].reshape(-1, 2)  # everything is padded to two bytes
    x, y, at, checked = 0, 0, 0, 0
    while y < height and at < len(pairs):
        if at - checked > CHECK_PAIRS:
            check_time()
            checked = at
        count, value = pairs[at].tolist()
        if count:
            window = pairs[at : at + WINDOW]
            runs = window[: int(np.argmin(window[:, 0])) or None]
            if runs[-1, 0] == 0:
                runs = runs[:-1]
            at += len(runs)
            if x >= width:
                continue
            run = _expand(runs[:, 0], runs[:, 1], four_bits)
        elif value > JUMP:  # pixels as they are
            length = (value + 3) // 4 if four_bits else (value + 1) // 2
            run = pairs[at + 1 : at + 1 + length].reshape(-1)
            run = np.column_stack([run >> 4, run & 15]).reshape(-1)[:value] if four_bits else run[:value]
            at += 1 + length
        elif value == JUMP:
            if at + 1 >= len(pairs):
                break
            right, down = pairs[at + 1].tolist()
            x, y, at = x + right, y + down, at + 2
            continue
        elif value == END_OF_IMAGE:
            break
        else:
            x, y, at = 0, y + 1, at + 1
            continue
        row = pixels[y, x : x + len(run)]
        row[:] = run[: len(row)]
        x += len(run)
    if y < height // 2:
        raise ImageError("truncated_image", f"Only {y} of the {height} rows of this BMP are there.")
    return pixels


def _expand(counts: np.ndarray, values: np.ndarray, four_bits: bool) -> np.ndarray:
    """Repeat each value as often as its count says; of four bits, a value is two colors that alternate."""
    repeated = np.repeat(values, counts)
    if not four_bits:
        return repeated
    ends = np.cumsum(counts, dtype=np.int64)
    second = (np.arange(len(repeated)) - np.repeat(ends - counts, counts)) % 2 == 1
    return np.where(second, repeated & 15, repeated >> 4).astype(np.uint8)
