"""TIFF: tags of the first image, what is refused, memory of a decode, and the decode.

Pillow decodes images of 8 bits and less in one plane; `tiff_samples` converts all others from their bytes, whose compression
Pillow undoes. Both are given a directory of the tags that they need: metadata, of any size, costs nothing.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

from PIL import Image

from ...errors import ImageError
from ...runtime.limits import get_limits
from ...runtime.memory import MB
from ..conversion import Rows
from ..formats import check_size
from .pieces import Span, open_pieces
from .plans import DecodePlan, image_rows, load_complete, native_bytes, open_pillow
from .tiff_samples import SampleLayout, Samples
from .tiff_tags import (
    BITS,
    COLORS,
    COMPRESSION,
    DEFAULTS,
    EXTRA,
    FILL_ORDER,
    FORMAT,
    HEIGHT,
    INK_SET,
    ORIENTATION,
    PHOTOMETRIC,
    PLANAR,
    PREDICTOR,
    REFERENCE,
    SAMPLES,
    STRIP_BYTES,
    STRIP_OFFSETS,
    STRIP_ROWS,
    SUBSAMPLING,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_OFFSETS,
    TILE_WIDTH,
    WIDTH,
    Tags,
    read_tags,
)

SEGMENT_BYTES = 400
"""Bytes of Pillow's description of a strip or tile that is not compressed, its offset and its length."""
MAX_SHARE = 1 / 4
"""Share of the memory for decoding that the tags may take: the image that they describe needs the rest."""
CCITT, OLD_JPEG, JPEG, PACKED_JPEG = {2, 3, 4, 32771}, 6, 7, {6, 7}
COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000}
"""Those of Pillow's libtiff."""
BYTEWISE = {1, 5, 8, 32773, 32946, 34925, 50000}
"""Those that give the bytes as they were, whatever they mean."""
RGB, PALETTE, CMYK, YCBCR, LAB = 2, 3, 5, 6, 8
UNDEFINED = 4
"""Sample format that is taken for unsigned numbers."""
KINDS = {1: "u", 2: "i", 3: "f"}
"""Kinds of NumPy for the sample formats."""
DEPTHS = {"u": (*range(1, 17), 32, 64), "i": (8, 16, 32, 64), "f": (16, 32, 64)}
"""Bits of a sample that are read."""
COLORS_NEEDED = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3}
"""Channels of the photometric interpretations that are read."""
MAX_CHANNELS = 64
FULL_RANGE = (0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1)
"""Reference black and white of YCbCr without head and foot room, as fractions."""


def plan_tiff(data: bytes) -> DecodePlan:
    """Plan the decode of the first image of a TIFF."""
    tags = read_tags(data)
    size = tags.number(WIDTH), tags.number(HEIGHT)
    check_size(*size)
    compression = tags.number(COMPRESSION)
    if compression not in COMPRESSIONS:
        raise _unsupported(f"compression {compression}")
    segments = max(len(tags.numbers(TILE_OFFSETS)), len(tags.numbers(STRIP_OFFSETS)))
    memory = 8 * tags.stored + segments * SEGMENT_BYTES
    if memory > MAX_SHARE * get_limits().decode_mb * MB:
        raise ImageError("too_much_memory", f"The tags of this TIFF would take {memory / MB:.0f} MB of memory.")
    layout = _layout(tags, size)
    layout.check()
    orientation = tags.number(ORIENTATION)
    tags.values.pop(ORIENTATION, None)  # applied at the end
    if _is_simple(layout, tags):
        return _plan_pillow(data, tags, layout, memory, orientation)
    return _plan_samples(data, tags, layout, memory, orientation)


def _unsupported(what: str) -> ImageError:
    return ImageError("unsupported_image", f"This variant of TIFF is not supported: {what}.")


def _layout(tags: Tags, size: tuple[int, int]) -> SampleLayout:
    """Read what the samples are.

    Raises:
        ImageError: They are of a kind that is not read.
    """
    compression, channels = tags.number(COMPRESSION), tags.number(SAMPLES)
    usual = 2 if channels >= 3 else 0 if compression in CCITT else 1
    photometric = YCBCR if compression == OLD_JPEG else tags.number(PHOTOMETRIC, usual)
    tags.values[PHOTOMETRIC] = 3, (photometric,)
    if photometric not in COLORS_NEEDED:
        raise _unsupported(f"photometric interpretation {photometric}")
    if compression == OLD_JPEG and SAMPLES not in tags.values:
        channels = 3
    if not COLORS_NEEDED[photometric] <= channels <= MAX_CHANNELS:
        raise _unsupported(f"{channels} channels with photometric interpretation {photometric}")
    bits, formats = (set(tags.numbers(tag)[:channels]) or {DEFAULTS[tag]} for tag in (BITS, FORMAT))
    if len(bits) > 1 or len(formats) > 1:
        raise _unsupported("channels of different kinds")
    depth, form = bits.pop(), formats.pop()
    kind = KINDS.get(1 if form == UNDEFINED else form)
    if kind is None or depth not in DEPTHS[kind]:
        raise _unsupported(f"samples of format {form} and {depth} bits")
    if photometric == CMYK and tags.number(INK_SET) != 1:
        raise _unsupported("inks other than cyan, magenta, yellow and black")
    extra = tags.numbers(EXTRA)[:1] if channels > COLORS_NEEDED[photometric] else ()
    return SampleLayout(
        size=size, channels=channels, bits=depth, kind=kind, photometric=photometric, order=tags.order,
        planar=tags.number(PLANAR) == 2 and channels > 1, predictor=_predictor(tags, compression),
        alpha=extra[0] if extra in ((1,), (2,)) else 0, tile=tags.number(TILE_WIDTH, 0),
        palette=_palette(tags, photometric, depth),
    )  # fmt: skip


def _predictor(tags: Tags, compression: int) -> int:
    return tags.number(PREDICTOR) if compression in BYTEWISE - {1, 32773} else 1


def _palette(tags: Tags, photometric: int, depth: int) -> tuple[int, ...]:
    """Return the colors of a palette, as 16-bit values by channel; some programs write 8-bit ones."""
    if photometric != PALETTE:
        return ()
    colors = tags.numbers(COLORS)
    if depth > 16 or len(colors) < 3 << depth:
        raise ImageError("truncated_image", "This TIFF is damaged: its palette is too short.")
    if max(colors) < 256:
        colors = tuple(257 * color for color in colors)
        tags.values[COLORS] = 3, colors
    return colors[: 3 << depth]


def _is_simple(layout: SampleLayout, tags: Tags) -> bool:
    """Return True for what Pillow reads right."""
    compression, photometric = tags.number(COMPRESSION), layout.photometric
    if layout.kind != "u" or layout.bits > 8 or layout.planar or tags.number(FILL_ORDER) not in (1, 2):
        return False
    if photometric == YCBCR:
        return compression in PACKED_JPEG and layout.channels == 3
    if layout.bits < 8:
        return layout.channels == 1 and layout.bits in (1, 2, 4) and photometric in (0, 1, PALETTE)
    colors = COLORS_NEEDED[photometric] + (photometric == RGB and layout.alpha > 0)
    plain = layout.channels == colors and photometric in (0, 1, RGB, PALETTE, CMYK, LAB)
    return plain and (layout.channels == 1 or tags.number(FILL_ORDER) == 1 or compression != 1)


def _plan_pillow(data: bytes, tags: Tags, layout: SampleLayout, memory: int, orientation: int) -> DecodePlan:
    tags.values.pop(FORMAT, None)
    if not layout.alpha:
        tags.values.pop(EXTRA, None)

    image: Any = open_pillow("TIFF", open_pieces(data, _pieces(data, tags)))
    mode = image.mode
    held = native_bytes(mode, layout.size) + memory
    peak = held + _working_bytes(data, tags, layout.size[0], layout.channels * layout.bits, 4)

    def load() -> Rows:
        return image_rows(_load(data, tags, image if tags.number(COMPRESSION) == 1 else None))

    return DecodePlan("TIFF", layout.size, layout.size, peak, held, mode, load, lambda: orientation)


def _plan_samples(data: bytes, tags: Tags, layout: SampleLayout, memory: int, orientation: int) -> DecodePlan:
    compression = tags.number(COMPRESSION)
    one_plane = layout.planar or layout.channels == 1
    if compression not in BYTEWISE and not (compression == JPEG and one_plane and layout.bits == 8 and layout.kind == "u"):
        raise _unsupported(f"compression {compression} with {layout.channels} channels of {layout.bits} bits")
    if layout.photometric == YCBCR:
        reference = tags.numbers(REFERENCE) or _fractions(tags)
        if tags.numbers(SUBSAMPLING) != (1, 1) or reference not in ((), FULL_RANGE):
            raise _unsupported("YCbCr with subsampling or a reference of its own")
    planes = [_plane(tags, layout, plane) for plane in layout.planes]

    width, height = layout.row_bytes, layout.size[1]
    held = len(planes) * native_bytes("L", (width, height)) + memory + layout.working_bytes
    peak = held + _working_bytes(data, planes[0], width, 8, 1)

    def load() -> Rows:
        return Samples(layout, [_load(data, plane) for plane in planes]).rows

    return DecodePlan("TIFF", layout.size, layout.size, peak, held, "RGB", load, lambda: orientation)


def _fractions(tags: Tags) -> tuple[int, ...]:
    values = tags.values.get(REFERENCE, (0, b""))[1]
    return struct.unpack(f"{tags.order}{len(values) // 4}I", values) if isinstance(values, bytes) else ()


def _plane(tags: Tags, layout: SampleLayout, plane: int) -> Tags:
    """Describe the bytes of a plane, or of all channels, as a gray image of 8 bits."""
    values = {tag: tags.values[tag] for tag in (COMPRESSION, FILL_ORDER, 347) if tag in tags.values}
    tile_bytes = -(-layout.tile * layout.plane_channels * layout.bits // 8)
    numbers = {WIDTH: layout.row_bytes, HEIGHT: layout.size[1], BITS: 8, PHOTOMETRIC: 1, SAMPLES: 1}
    if layout.tile:
        numbers |= {TILE_WIDTH: tile_bytes, TILE_HEIGHT: tags.number(TILE_HEIGHT)}
    else:
        numbers |= {STRIP_ROWS: min(tags.number(STRIP_ROWS, layout.size[1]), layout.size[1])}
    values |= {tag: (4, (number,)) for tag, number in numbers.items()}
    across = -(-layout.size[0] // layout.tile) if layout.tile else 1
    count = across * -(-layout.size[1] // max(1, numbers.get(TILE_HEIGHT, numbers.get(STRIP_ROWS, 1))))
    for tag in (TILE_OFFSETS, TILE_BYTES) if layout.tile else (STRIP_OFFSETS, STRIP_BYTES):
        found = tags.numbers(tag)[plane * count : (plane + 1) * count]
        if len(found) < count and tag in (TILE_OFFSETS, STRIP_OFFSETS):
            raise ImageError("truncated_image", "This TIFF is damaged: some of its strips or tiles are missing.")
        if found:
            values[tag] = 4, found
    return Tags(tags.order, values)


def _pieces(data: bytes, tags: Tags) -> list[Span | bytes]:
    """The file with a directory of these tags alone."""
    start = len(data) + len(data) % 2
    mark = (b"II" if tags.order == "<" else b"MM") + struct.pack(tags.order + "HI", 42, start)
    return [mark, (8, len(data)), bytes(len(data) % 2) + tags.directory(start)]


def _load(data: bytes, tags: Tags, opened: Any = None) -> Image.Image:
    """Decode the image that these tags describe, which may be open already."""

    def reopen() -> Any:
        pieces = _pieces(data, tags)
        if tags.number(COMPRESSION) == 1:
            return open_pillow("TIFF", open_pieces(data, pieces))
        whole = b"".join(piece if isinstance(piece, bytes) else memoryview(data)[slice(*piece)] for piece in pieces)
        return open_pillow("TIFF", BytesIO(whole))  # libtiff is given all in one piece

    image: Any = load_complete(opened or reopen(), reopen)
    image._fp.close()  # a copy of the file, to which Pillow's metadata keeps a reference
    return image  # type: ignore[no-any-return]


def _working_bytes(data: bytes, tags: Tags, width: int, bits: int, unpacked: int) -> int:
    """Bytes beside the image: a strip or tile as it is read or unpacked, and the file in one piece where it is compressed.

    Args:
        data: The file.
        tags: Tags of the image that is decoded.
        width: Its width in pixels.
        bits: Bits of a pixel.
        unpacked: Bytes of a pixel at least, when it is unpacked.
    """
    compression, height = tags.number(COMPRESSION), tags.number(HEIGHT)
    width = tags.number(TILE_WIDTH, width)
    height = tags.number(TILE_HEIGHT, min(tags.number(STRIP_ROWS, height), height))
    if compression == 1:  # a single strip is read in blocks of 64 kB
        segments = max(len(tags.numbers(TILE_OFFSETS)), len(tags.numbers(STRIP_OFFSETS)))
        return 2 * min(len(data), width * height * bits // 8) * (segments > 1)
    decoder = 6 if compression in PACKED_JPEG else 0  # JPEG has working memory of its own
    return len(data) + width * height * (max(unpacked, -(-bits // 8)) + decoder)
