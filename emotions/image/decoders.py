"""Image decoders by format: the memory that a decode takes, computed from the header, and the decode itself."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageFile

from ..errors import ImageError
from .conversion import Rows
from .formats import check_gif, check_size, decoder_errors, is_truncated, sniff, without_exif

DECODERS = {"JPEG": "Jpeg", "PNG": "Png", "GIF": "Gif", "BMP": "Bmp", "TIFF": "Tiff", "WEBP": "WebP", "AVIF": "Avif"}
"""Format -> prefix of Pillow's plugin. Plugins are called directly: `Image.open` would try EPS and forty others."""

NATIVE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes a pixel of Pillow's modes; the others take 4."""
MIN_DRAFT = 7 / 8
"""A JPEG is drafted to 1/2, 1/4 or 1/8 as long as its longer side keeps this share of `max_side`: a 4,032-pixel photo is
then decoded at exactly one half, without resizing, and no image loses more than an eighth of the detail asked for."""
MAX_SCANS = 100
"""Scans that a JPEG may have: encoders write about ten, and each costs a pass over the image ("JPEG scan bomb")."""


@dataclass(frozen=True)
class DecodePlan:
    """An image whose header is read and whose pixels are not.

    Attributes:
        format: Name of the format.
        size: (width, height) of the full image as stored.
        decoded: (width, height) of the decoder's output, smaller for drafted JPEGs.
        peak: Bytes that decoding takes at most.
        held: Bytes that stay allocated until the rows have been used.
        load: Decodes the image.
        orientation: Returns the EXIF orientation (1..8) that is still to be applied; call it after `load`.
    """

    format: str
    size: tuple[int, int]
    decoded: tuple[int, int]
    peak: int
    held: int
    load: Callable[[], Rows]
    orientation: Callable[[], int]


def plan_decode(data: bytes, max_side: int) -> DecodePlan:
    """Read the header of an image file and plan its decode.

    Args:
        data: Bytes of the file.
        max_side: Longer side in pixels towards which JPEGs are drafted.

    Raises:
        ImageError: The file is no usable image.
    """
    kind = sniff(data)
    with decoder_errors(kind):
        if is_truncated(kind, data):
            raise ImageError("truncated_image", f"This {kind} file is cut off: it ends before its own header says.")
        if kind == "HEIC":
            return _plan_heic(data)
        if kind == "GIF":
            check_gif(data)
        image = _open(kind, data)
        check_size(*image.size)
        return _plan_webp(data, image) if kind == "WEBP" else _plan_pillow(data, kind, image, max_side)


def _open(kind: str, data: bytes) -> ImageFile.ImageFile:
    plugin = importlib.import_module(f"PIL.{DECODERS[kind]}ImagePlugin")
    decoder: Callable[[io.BytesIO], ImageFile.ImageFile] = getattr(plugin, f"{DECODERS[kind]}ImageFile")
    try:
        return decoder(io.BytesIO(data))
    except Exception:
        clean = without_exif(kind, data)  # PNG and AVIF decoders reject intact pixels because of damaged EXIF
        if clean is None:
            raise
        return decoder(io.BytesIO(clean))


def _plan_pillow(data: bytes, kind: str, image: ImageFile.ImageFile, max_side: int) -> DecodePlan:
    size, extra = image.size, 0
    if kind == "JPEG":
        extra = _draft(data, image, max_side)
    pixels = image.width * image.height
    native = pixels * NATIVE_BYTES.get(image.mode, 4)
    if kind == "TIFF":
        extra = _tiff_extra(image, native)
    elif kind == "GIF":
        extra = pixels  # Pillow allocates the area for the disposal of the frame at once
    elif kind == "BMP" and image.tile and image.tile[0].codec_name == "bmp_rle":
        extra = 2 * pixels  # Pillow gathers the runs in a bytearray and copies it
    elif kind == "AVIF":
        return DecodePlan(
            kind, size, size, *_avif_bytes(data, pixels, len(image.mode)), _loader(image), lambda: exif_orientation(image)
        )
    return DecodePlan(kind, size, image.size, native + extra, native, _loader(image), lambda: exif_orientation(image))


def _draft(data: bytes, image: Any, max_side: int) -> int:
    """Choose the scale of a JPEG; return the bytes of coefficients that libjpeg buffers at full size, 0 where it buffers none."""
    width, height = image.size
    scale = max((s for s in (1, 2, 4, 8) if max(width, height) / s >= MIN_DRAFT * max_side), default=1)
    start = data.rfind(b"\xff\xda", 0, image.fp.tell())
    layers = [(across, down) for _, across, down, _ in image.layer]
    # Progressive files and those with a scan per component are buffered whole, two bytes a coefficient, before the first row.
    buffered = image.info.get("progressive") or data[start + 4] < len(layers)
    if buffered and data.count(b"\xff\xda") > MAX_SCANS:
        raise ImageError("unsupported_image", f"This JPEG has more than {MAX_SCANS} scans.")
    if scale > 1:
        image.draft(None, (width // scale, height // scale))
    if not buffered:
        return 0
    widest, tallest = max(across for across, _ in layers), max(down for _, down in layers)
    blocks = -(-width // (8 * widest)) * -(-height // (8 * tallest)) * sum(across * down for across, down in layers)
    return int(blocks * 64 * 2)


def _tiff_extra(image: Any, native: int) -> int:
    """Bytes beside the image: one strip or tile as libtiff unpacks it, and the second copy when Pillow turns it."""
    tags = image.tag_v2
    width, height = tags.get(322, image.width), tags.get(323) or min(tags.get(278, image.height), max(image.size))
    bits, samples = tags.get(258, (8,)), tags.get(277, 1)
    unpacked = width * height * max(4, samples * -(-max(bits) // 8) + 6 * (tags.get(259) == 7))
    return int(unpacked + native * (tags.get(274, 1) != 1))


def _avif_bytes(data: bytes, pixels: int, channels: int) -> tuple[int, int]:
    """(peak, held) bytes: libavif's planes, dav1d's own (measured: 1.7 times the planes), RGB, and Pillow's copy of it."""
    found = data.find(b"av1C")
    flags = data[found + 6] if found > 0 else 0x40
    samples = 1 if flags & 0x10 else 3 if not flags & 0x08 else 2 if not flags & 0x04 else 1.5
    planes = (samples + (channels == 4)) * (2 if flags & 0x40 else 1)
    return int(pixels * (1.75 * planes + channels + 4)), int(pixels * (1.75 * planes + 4))


def _loader(image: ImageFile.ImageFile) -> Callable[[], Rows]:
    def load() -> Rows:
        image.load()
        return lambda first, last: image if last - first == image.height else image.crop((0, first, image.width, last))

    return load


def exif_orientation(image: Image.Image) -> int:
    """EXIF (or XMP) orientation, 1 if it is missing or damaged. Pillow turns TIFF itself and removes the tag."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:
        return 1


def _raw_rows(data: Any, width: int, mode: str, raw: str, stride: int) -> Rows:
    """Rows of packed pixels in a decoder's own memory, an array or memoryview, without a copy."""
    flat = memoryview(data).cast("B")

    def rows(first: int, last: int) -> Image.Image:
        return Image.frombytes(mode, (width, last - first), flat[first * stride : last * stride], "raw", raw, stride)

    return rows


def _plan_webp(data: bytes, image: Any) -> DecodePlan:
    pixels = image.width * image.height
    if image.n_frames > 1:  # two canvases, the frame's bytes and Pillow's copy; only the first frame is decoded
        return DecodePlan(
            "WEBP", image.size, image.size, 17 * pixels, 16 * pixels, _loader(image), lambda: exif_orientation(image)
        )

    def load() -> Rows:
        # OpenCV lets the same libwebp write straight into its array: half of the memory that Pillow takes.
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if array is None or array.shape[:2] != image.size[::-1]:
            raise ImageError("truncated_image", "This WEBP picture is cut off or damaged.")
        mode, raw = ("RGBA", "BGRA") if array.shape[2] == 4 else ("RGB", "BGR")
        return _raw_rows(array, image.width, mode, raw, array.strides[0])

    lossy = image.mode == "RGB" and b"VP8L" not in data
    peak = int((6.5 if lossy else 9.6) * pixels)
    return DecodePlan("WEBP", image.size, image.size, peak, 4 * pixels, load, lambda: exif_orientation(image))


def _plan_heic(data: bytes) -> DecodePlan:
    import pillow_heif  # 12 MB of memory that only HEIC files need

    file = pillow_heif.open_heif(io.BytesIO(data), remove_stride=False)
    image = file[file.primary_index]
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
        return _raw_rows(pixels, image.size[0], image.mode, image.mode, stride)

    # libheif applies its own boxes (irot, imir); the EXIF tag repeats them and must not be applied again.
    return DecodePlan("HEIC", image.size, image.size, int(pixels * (out + factor * planes)), pixels * out, load, lambda: 1)
