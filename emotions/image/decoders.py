"""Image decoders by format: the memory that a decode takes, computed from the header, and the decode itself."""

from __future__ import annotations

from .codecs.avif import plan_avif
from .codecs.bmp import plan_bmp
from .codecs.gif import plan_gif
from .codecs.heic import plan_heic
from .codecs.jpeg import plan_jpeg
from .codecs.plans import DecodePlan
from .codecs.png import plan_png
from .codecs.tiff import plan_tiff
from .codecs.webp import plan_webp
from .formats import decoder_errors, sniff

PLANS = {
    "AVIF": plan_avif, "BMP": plan_bmp, "GIF": plan_gif, "HEIC": plan_heic, "PNG": plan_png, "TIFF": plan_tiff,
    "WEBP": plan_webp,
}  # fmt: skip


def plan_decode(data: bytes, max_side: int) -> DecodePlan:
    """Read the header of an image file and plan its decode.

    What takes memory is counted and bounded before a library opens the file: metadata, comments, tags and tables. Libraries are
    given only what they need to decode the first image.

    Args:
        data: Bytes of the file.
        max_side: Longer side in pixels towards which JPEGs are drafted.

    Raises:
        ImageError: The file is no usable image.
    """
    kind = sniff(data)
    with decoder_errors(kind):
        return plan_jpeg(data, max_side) if kind == "JPEG" else PLANS[kind](data)
