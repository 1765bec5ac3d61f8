"""Peak memory and time of decoding compared with the estimated memory, as a Markdown table (Linux).

    python -m scripts.bench.decoding --megapixels 12
    python -m scripts.bench.decoding --shapes --megapixels 12
    python -m scripts.bench.decoding FILE [FILE ...]

Each file is decoded in a new process, which reads its own VmHWM. (ru_maxrss would start at the parent's value.)
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from emotions.image.decoders import plan_decode
from emotions.image.loading import estimate, open_image
from emotions.runtime.limits import LIBRARY, set_limits
from emotions.runtime.memory import MB

MAX_SIDE = 2048


def samples(folder: Path, megapixels: float) -> Iterator[Path]:
    """Write an image of that size (4:3, smooth shapes with noise) in each format and in its more expensive variants."""
    import cv2
    import pillow_heif

    pillow_heif.register_heif_opener()
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5 / 2) * 2
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (15, 20, 3), np.uint8))
    coarse = coarse.resize((width, width * 3 // 4), Image.Resampling.BICUBIC)
    noise = np.resize(rng.integers(-4, 5, (509, width, 3), np.int8), (coarse.height, width, 3))
    image = Image.fromarray((np.asarray(coarse) // 2 + 64 + noise).astype(np.uint8))
    clear = image.copy()
    clear.putalpha(image.convert("L"))
    variants: list[tuple[str, Image.Image, dict]] = [
        ("baseline.jpg", image, {}),
        ("progressive.jpg", image, {"progressive": True}),
        ("progressive-444.jpg", image, {"progressive": True, "subsampling": 0}),
        ("cmyk.jpg", image.convert("CMYK"), {}),
        ("rgb.png", image, {"compress_level": 1}),
        ("alpha.png", clear, {"compress_level": 1}),
        ("grey16.png", image.convert("L").convert("I;16"), {"compress_level": 1}),
        ("palette.png", image.quantize(64), {"compress_level": 1}),
        ("palette.gif", image.quantize(64), {}),
        ("rgb.bmp", image, {}),
        ("lzw.tif", image, {"compression": "tiff_lzw"}),
        ("one-strip.tif", image, {"compression": "tiff_deflate", "strip_size": 2**30}),
        ("turned.tif", image, {"tiffinfo": {274: 6}}),
        ("lossy.webp", image, {"method": 0}),
        ("alpha.webp", clear, {"method": 0}),
        ("lossless.webp", image, {"lossless": True, "method": 0, "quality": 0}),
        ("animated.webp", image, {"save_all": True, "append_images": [clear], "method": 0}),
        ("420.avif", image, {"speed": 10}),
        ("444.avif", image, {"speed": 10, "subsampling": "4:4:4"}),
        ("alpha.avif", clear, {"speed": 10}),
        ("420.heic", image, {}),
        ("444.heic", image, {"chroma": 444}),
        ("grey.heic", image.convert("L"), {}),
        ("alpha.heic", clear, {}),
        ("tiles.heic", image, {"tile_size": 512}),
    ]
    for name, variant, options in variants:
        variant.save(folder / name, **options)
        yield folder / name
    deep = np.asarray(image).astype(np.uint16)
    cv2.imwrite(str(folder / "10bit.avif"), deep * 4, [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_SPEED, 10])
    yield folder / "10bit.avif"
    for name, options in (("10bit.heic", {}), ("10bit-444.heic", {"chroma": 444}), ("10bit-tiles.heic", {"tile_size": 512})):
        pillow_heif.from_bytes("RGB;16", image.size, (deep * 257).tobytes()).save(folder / name, **options)
        yield folder / name


SHAPED: dict[str, tuple[str, tuple[str, ...], dict]] = {
    "png": ("PNG", ("RGB", "RGBA", "LA", "L", "P", "1", "I;16"), {"compress_level": 1}),
    "bmp": ("BMP", ("RGB", "L", "P", "1"), {}),
    "gif": ("GIF", ("P", "L"), {}),
    "strips.tif": ("TIFF", ("RGB", "CMYK", "L", "1", "I;16", "F"), {}),
    "lzw.tif": ("TIFF", ("RGB", "L"), {"compression": "tiff_lzw"}),
    "turned.tif": ("TIFF", ("RGB",), {"tiffinfo": {274: 6}}),
    "baseline.jpg": ("JPEG", ("RGB", "L", "CMYK"), {}),
    "progressive.jpg": ("JPEG", ("RGB", "L", "CMYK"), {"progressive": True}),
    "lossy.webp": ("WEBP", ("RGB", "RGBA"), {"method": 0}),
    "lossless.webp": ("WEBP", ("RGB", "RGBA"), {"method": 0, "lossless": True, "quality": 0}),
    "avif": ("AVIF", ("RGB", "RGBA", "L"), {"speed": 10}),
    "444.avif": ("AVIF", ("RGB",), {"speed": 10, "subsampling": "4:4:4"}),
    "heic": ("HEIF", ("RGB", "RGBA", "L"), {}),
}
"""Name -> format, modes and options of the images of extreme shapes."""
MAX_SIDES = {"JPEG": 65_500, "WEBP": 16_383, "AVIF": 16_384, "HEIF": 16_384}
"""Longest side that the encoder of a format writes, where that is below 65,535."""


def shaped(folder: Path, megapixels: float, names: Iterable[str] = tuple(SHAPED)) -> Iterator[Path]:
    """Write images of extreme shapes in each format and mode: one or four pixels wide or high, long strips, and a square."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    pixels = int(megapixels * 1e6)
    for name in names:
        kind, modes, options = SHAPED[name]
        longest = MAX_SIDES.get(kind, 65_535)
        for mode in modes:
            for width, height in ((1, longest), (longest, 1), (4, longest), (0, longest), (longest, 0), (0, 0)):
                if kind == "HEIF" and min(width, height) > 0:  # x265 encodes no images of fewer than 64 pixels a side
                    continue
                square = int(pixels**0.5)
                size = width or max(64, pixels // (height or square)), height or max(64, pixels // (width or square))
                path = folder / f"{size[0]}x{size[1]}-{mode.replace(';', '')}.{name}"
                _gradient(mode, size).save(path, kind, **options)
                yield path


def _gradient(mode: str, size: tuple[int, int]) -> Image.Image:
    rows = np.arange(size[1], dtype=np.uint8)[:, None] // 2
    pixels = rows + np.random.default_rng(0).integers(0, 128, (1, size[0]), np.uint8)
    if mode == "I;16":
        return Image.fromarray(pixels.astype(np.uint16) * 200)
    return Image.fromarray(pixels).convert(mode)


def measure(path: Path) -> dict[str, object]:
    """Decode one file in this process without a memory limit; the process must be new."""
    import pillow_heif  # noqa: F401  loaded once per process, not part of an image's cost

    for plugin in ("Jpeg", "Png", "Gif", "Bmp", "Tiff", "WebP", "Avif"):
        __import__(f"PIL.{plugin}ImagePlugin")
    set_limits(LIBRARY, decode_mb=100_000)
    _use_decoders()
    data = path.read_bytes()
    header = plan_decode(data, MAX_SIDE)
    row: dict[str, object] = {"file": path.name, "size": header.size, "estimate": estimate(header, MAX_SIDE)}
    del header
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM
    before = _memory("VmRSS")
    image = open_image(data, MAX_SIDE)
    return row | {"peak": _memory("VmHWM") - before, "ms": image.decode_ms, "given": image.pixels.shape[1::-1]}


def _use_decoders() -> None:
    """Decode a tiny image with each decoder, for its pages of shared libraries and its tables count once per process too."""
    for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"):
        file = io.BytesIO()
        Image.new("L" if kind == "GIF" else "RGB", (8, 8)).save(file, kind)
        open_image(file.getvalue(), MAX_SIDE)


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def report(paths: Iterator[Path]) -> None:
    print("| file | MB | pixels | decoded | estimate MB | peak MB | peak bytes per pixel | ms | |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for path in paths:
        command = [sys.executable, "-m", "scripts.bench.decoding", "--one", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"| {path.name} | {done.stderr.strip().splitlines()[-1]} |")
            continue
        row = json.loads(done.stdout)
        (width, height), given = row["size"], "x".join(map(str, row["given"]))
        verdict = "" if row["peak"] <= row["estimate"] else "**over**"
        size = f"{path.stat().st_size / MB:.1f} | {width}x{height} | {given}"
        memory = f"{row['estimate'] / MB:.1f} | {row['peak'] / MB:.1f} | {row['peak'] / width / height:.2f}"
        print(f"| {row['file']} | {size} | {memory} | {row['ms']:.0f} | {verdict} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--megapixels", type=float, default=12.2)
    parser.add_argument("--shapes", action="store_true", help="extreme shapes in each format and mode")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
    elif options.files:
        report(iter(options.files))
    else:
        with tempfile.TemporaryDirectory() as folder:
            report((shaped if options.shapes else samples)(Path(folder), options.megapixels))


if __name__ == "__main__":
    main()
