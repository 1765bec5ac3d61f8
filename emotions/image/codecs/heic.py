"""HEIC: memory of a decode, and the decode."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from ..conversion import Rows
from ..formats import check_size
from .isobmff import read_contents, without_profiles
from .plans import DecodePlan, raw_rows


def plan_heic(data: bytes) -> DecodePlan:
    """Plan the decode of the primary image of a HEIC."""
    import pillow_heif  # 12 MB of memory that only HEIC files need

    contents = read_contents(data)
    extra = len(data) + 2 * contents.metadata  # copies
    file = pillow_heif.open_heif(BytesIO(without_profiles(data, contents)), remove_stride=False)
    image: Any = file[file.primary_index]
    check_size(*image.size)
    pixels, info = image.size[0] * image.size[1], image.info
    out = pillow_heif.misc.MODE_INFO[image.mode][0] * (2 if ";16" in image.mode else 1)
    samples = {420: 1.5, 422: 2}.get(info.get("chroma"), 3 if out > 2 else 1) + image.has_alpha
    planes = samples * (2 if info["bit_depth"] > 8 else 1)
    # Measured, in planes of the image: a grid of 4:2:0 tiles, as phones write, takes least; 4:4:4 passes through planar RGB.
    tiled = "tiling" in info and samples <= 1.5
    factor = (1.1 if planes == samples else 1.9) if tiled else 2.5 + (0.7 if samples >= 3 else 0)

    def load() -> Rows:
        pixels, stride = image.data, image.stride
        return raw_rows(pixels, image.size[0], image.mode, image.mode, stride)

    peak, held = int(pixels * (out + factor * planes)), pixels * out
    # libheif applies its own boxes (irot, imir); the EXIF tag repeats them and must not be applied again.
    return DecodePlan("HEIC", image.size, image.size, peak + extra, held + extra, image.mode, load, lambda: 1)
