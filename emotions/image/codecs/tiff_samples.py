"""Samples of TIFFs: numbers of any kind, in one plane or several, as RGB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ...errors import ImageError
from ...runtime.time_budget import check_time
from ..conversion import to_rgb, white_level

WHITE_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB, ICC_LAB = 0, 2, 3, 5, 6, 8, 9
CHANNELS = {RGB: 3, CMYK: 4, YCBCR: 3, LAB: 3, ICC_LAB: 3}
"""Channels of color of the photometric interpretations; the others have one."""
CHUNK_PIXELS = 2**16
"""Pixels that are converted at a time."""
SIGNED_BITS = (8, 10, 12, 14, 16, 24, 32, 64)
UNSIGNED_BITS = (7, 8, 10, 12, 14, 15, 16, 24, 31, 32, 63)
"""Bits that signed numbers without negative ones among them may have used."""
SAMPLED = 300
"""Rows and columns of floating-point images whose values are sampled."""
SAMPLE_SHARE = 0.999
"""Share of floating-point values that are to be within white: single ones are sometimes far beyond."""
BRIGHT = 16
"""Largest value of floating-point images whose white is 1: highlights and rounding are beyond it, not the image."""
NEGATIVE_SHARE = 0.05
"""Negative floating-point values that are more than this share of the largest one are no rounding: 0 is then gray."""


@dataclass(frozen=True, kw_only=True)
class SampleLayout:
    """What the samples of an image are.

    Attributes:
        size: (width, height).
        channels: Channels, with those beyond the colors.
        bits: Bits of a sample.
        kind: NumPy's kind: "u", "i" or "f".
        photometric: Photometric interpretation.
        order: Byte order, "<" or ">".
        planar: True if each channel has a plane of its own.
        predictor: 1 for none, 2 for differences, 3 for differences of the bytes of floating-point numbers.
        alpha: 1 if a transparency follows the colors and they are multiplied by it, 2 if they are not, 0 without one.
        tile: Width of the tiles in pixels, 0 for strips.
        palette: Colors of a palette, 16-bit values by channel.
    """

    size: tuple[int, int]
    channels: int
    bits: int
    kind: str
    photometric: int
    order: str
    planar: bool
    predictor: int
    alpha: int
    tile: int
    palette: tuple[int, ...] = ()

    @property
    def colors(self) -> int:
        """Channels of color."""
        return CHANNELS.get(self.photometric, 1)

    @property
    def planes(self) -> range:
        """Planes that are needed."""
        return range(self.colors + (self.alpha > 0) if self.planar else 1)

    @property
    def plane_channels(self) -> int:
        """Channels in a plane."""
        return 1 if self.planar else self.channels

    @property
    def row_pixels(self) -> int:
        """Pixels of a row as stored; a predictor of bytes needs whole tiles."""
        width = self.size[0]
        return -(-width // self.tile) * self.tile if self.tile and self.predictor == 3 else width

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a plane."""
        return -(-self.row_pixels * self.plane_channels * self.bits // 8)

    @property
    def working_bytes(self) -> int:
        """Bytes that converting takes at most beside the planes."""
        samples = self.plane_channels * (4 * self.bits // 8 if self.bits % 8 == 0 else 40) + 20 * len(self.planes)
        tables = 16 * len(self.palette) + 16 * self.colors * SAMPLED**2 * (self.kind == "f")
        return max(CHUNK_PIXELS, self.row_pixels) * (samples + 60) + tables

    def check(self) -> None:
        """Raise ImageError for combinations that are not defined."""
        whole = self.bits in (8, 16, 32, 64)
        if (
            self.predictor not in (1, 2, 3)
            or (self.predictor == 2 and not whole)
            or (self.predictor == 3 and self.kind != "f")
            or (self.photometric in (LAB, ICC_LAB) and self.bits not in (8, 16))
            or (self.photometric == YCBCR and (self.bits != 8 or self.kind != "u"))
            or (self.photometric == PALETTE and self.kind != "u")
            or (self.photometric in (LAB, ICC_LAB) and self.kind == "f")
        ):
            what = f"predictor {self.predictor}, photometric interpretation {self.photometric}"
            text = f"This variant of TIFF is not supported: samples of {self.bits} bits ({self.kind}) with {what}."
            raise ImageError("unsupported_image", text)


class Samples:
    """The samples of a decoded image.

    Args:
        layout: What they are.
        planes: The bytes of each plane that is needed as a gray image.
    """

    def __init__(self, layout: SampleLayout, planes: list[Image.Image]) -> None:
        self._layout, self._planes = layout, planes
        self._range = self._value_range()
        self._table = self._level_table()

    def rows(self, first: int, last: int) -> Image.Image:
        """Return the rows from `first` to before `last` as an RGB image."""
        image = Image.new("RGB", (self._layout.size[0], last - first))
        for top, values in self._chunks(first, last):
            image.paste(self._to_image(values), (0, top - first))
        return image

    def _chunks(self, first: int, last: int) -> Iterator[tuple[int, np.ndarray]]:
        step = max(1, CHUNK_PIXELS // self._layout.row_pixels)
        for top in range(first, last, step):
            check_time()
            yield top, self._values(top, min(top + step, last))

    def _values(self, first: int, last: int) -> np.ndarray:
        """The samples of rows, (rows, width, channels that are needed)."""
        needed = self._layout.colors + (self._layout.alpha > 0)
        found = [self._plane_values(plane, first, last) for plane in self._planes]
        return np.concatenate(found, axis=2) if self._layout.planar else found[0][:, :, :needed]

    def _plane_values(self, plane: Image.Image, first: int, last: int) -> np.ndarray:
        layout = self._layout
        data = np.asarray(plane.crop((0, first, plane.width, last)))
        shape = last - first, layout.row_pixels, layout.plane_channels
        if layout.predictor == 3:
            values = self._undo_byte_differences(data)
        elif layout.bits % 8:
            values = self._unpack(data)
        else:
            values = data.view(np.dtype(f"{layout.order}{layout.kind}{layout.bits // 8}"))
        values = values.reshape(shape)
        if layout.predictor == 2:
            values = self._undo_differences(values)
        return values[:, : layout.size[0]]

    def _tiles(self, width: int) -> Iterator[slice]:
        step = self._layout.tile or width
        return (slice(start, start + step) for start in range(0, width, step))

    def _undo_differences(self, values: np.ndarray) -> np.ndarray:
        kind = values.dtype.newbyteorder("=")
        whole = values.astype(kind).view(f"u{kind.itemsize}")
        for columns in self._tiles(values.shape[1]):
            np.cumsum(whole[:, columns], axis=1, dtype=whole.dtype, out=whole[:, columns])
        return whole.view(kind)

    def _undo_byte_differences(self, data: np.ndarray) -> np.ndarray:
        """Undo predictor 3 (Adobe Photoshop TIFF Technical Note 3): a row has the highest bytes of all its numbers first."""
        layout, size = self._layout, self._layout.bits // 8
        rows, channels = len(data), layout.plane_channels
        parts = []
        for columns in self._tiles(layout.row_pixels):
            part = data[:, columns.start * channels * size : columns.stop * channels * size]
            summed = np.cumsum(part.reshape(rows, -1, channels), axis=1, dtype=np.uint8)
            numbers = np.ascontiguousarray(summed.reshape(rows, size, -1).transpose(0, 2, 1))
            parts.append(numbers.view(f">f{size}")[:, :, 0])
        return np.concatenate(parts, axis=1)

    def _unpack(self, data: np.ndarray) -> np.ndarray:
        """Unpack samples that are no whole bytes, highest bit first, to 16 bits."""
        layout = self._layout
        count = layout.row_pixels * layout.plane_channels
        bits = np.unpackbits(data, axis=1, count=count * layout.bits).reshape(len(data), count, layout.bits)
        return np.packbits(np.pad(bits, ((0, 0), (0, 0), (16 - layout.bits, 0))), axis=2).view(">u2")[:, :, 0]

    def _value_range(self) -> tuple[float, float]:
        """Values that are shown as black and as white (as black, where white is zero)."""
        layout = self._layout
        if layout.kind == "u" and layout.bits < 16:
            return 0.0, 2.0**layout.bits - 1
        if layout.photometric in (PALETTE, LAB, ICC_LAB):
            return 0.0, 1.0
        low, high, sample = np.inf, -np.inf, list[np.ndarray]()
        step = -(-layout.size[1] // SAMPLED)
        for top, chunk in self._chunks(0, layout.size[1]):
            colors = chunk[:, :, : layout.colors]
            if layout.kind == "f":
                finite = colors[np.isfinite(colors)]
                sample.append(colors[-top % step :: step, :: -(-layout.size[0] // SAMPLED)].astype(np.float32).ravel())
                if not finite.size:
                    continue
                colors = finite
            high = max(high, float(colors.max()))
            if layout.kind == "u" and white_level(high, "I") >= 2.0**layout.bits - 1:
                break  # larger values change nothing
            low = min(low, float(colors.min()))
        if layout.kind == "u":
            return 0.0, white_level(high, "I")
        if layout.kind == "i":
            return _signed_range(low, high)
        return _float_range(low, high, np.concatenate(sample)) if high > -np.inf else (0.0, 1.0)

    def _to_image(self, values: np.ndarray) -> Image.Image:
        layout, colors = self._layout, values[:, :, : self._layout.colors]
        if layout.photometric == PALETTE:
            table = (np.array(layout.palette).reshape(3, -1).T >> 8).astype(np.uint8)
            levels = table[colors[:, :, 0]]
        elif layout.photometric in (LAB, ICC_LAB):
            levels = (colors.astype(np.int32) >> layout.bits - 8).astype(np.uint8)
            if layout.photometric == ICC_LAB:
                levels[:, :, 1:] ^= 128
        else:
            levels = self._levels(colors)
        mode = {CMYK: "CMYK", YCBCR: "YCbCr", LAB: "LAB", ICC_LAB: "LAB"}.get(layout.photometric)
        if layout.photometric == WHITE_IS_ZERO:
            levels = 255 - levels
        if mode:
            image = Image.frombytes(mode, (levels.shape[1], levels.shape[0]), np.ascontiguousarray(levels).tobytes())
            levels = np.asarray(to_rgb(image, None))
        if layout.alpha:
            levels = self._on_white(levels, values[:, :, layout.colors :])
        return Image.fromarray(np.ascontiguousarray(levels if levels.shape[2] == 3 else levels[:, :, 0]))

    def _level_table(self) -> np.ndarray | None:
        """The levels of all integers of 16 bits and less, by their bits: faster than arithmetic."""
        layout = self._layout
        if layout.kind == "f" or layout.bits > 16 or self._range == (0, 1):
            return None
        size = 1 if layout.bits == 8 else 2
        return self._scale(np.arange(256**size, dtype=f"u{size}").view(f"{layout.kind}{size}"))

    def _levels(self, values: np.ndarray) -> np.ndarray:
        """Scale values to 0 to 255."""
        if self._table is None:
            return self._scale(values)
        whole = values.astype(values.dtype.newbyteorder("="), copy=False)
        return self._table.take(whole.view(f"u{whole.dtype.itemsize}"))

    def _scale(self, values: np.ndarray) -> np.ndarray:
        black, white = self._range
        scaled = np.nan_to_num(values.astype(np.float64 if self._layout.bits > 32 else np.float32))
        scaled -= black
        scaled *= 255 / (white - black)
        return _bytes(scaled)

    def _on_white(self, levels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """Lay a picture with transparency on white, as others are."""
        layout = self._layout
        full = 1.0 if layout.kind == "f" else 2.0 ** (layout.bits - (layout.kind == "i")) - 1
        share = np.nan_to_num(alpha[:, :, :1].astype(np.float32) / full).clip(0, 1)
        visible = levels * share if layout.alpha == 2 else levels.astype(np.float32)
        return _bytes(visible + 255 * (1 - share))


def _bytes(values: np.ndarray) -> np.ndarray:
    levels: np.ndarray = values.clip(0, 255).round().astype(np.uint8)
    return levels


def _signed_range(low: float, high: float) -> tuple[float, float]:
    if low >= 0:
        return 0.0, next(2.0**bits - 1 for bits in UNSIGNED_BITS if high < 2**bits or bits == UNSIGNED_BITS[-1])
    bits = next(bits for bits in SIGNED_BITS if max(-low - 1, high) < 2 ** (bits - 1) or bits == SIGNED_BITS[-1])
    return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1


def _float_range(low: float, high: float, sample: Any) -> tuple[float, float]:
    sample = sample[np.isfinite(sample)]
    if sample.size:
        sample.sort()
        usual = float(sample[int(SAMPLE_SHARE * (len(sample) - 1))])
        least = float(sample[len(sample) - 1 - int(SAMPLE_SHARE * (len(sample) - 1))])
    else:
        usual, least = high, low
    largest = max(-least, usual)
    white = 1.0 if largest <= 1 or high <= 1 else largest if largest <= BRIGHT else white_level(largest, "F")
    return (-white if -least > NEGATIVE_SHARE * largest else 0.0), white
