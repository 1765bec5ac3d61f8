"""Compress prepared faces for the transfer to another machine, and unpack them there.

    python -m scripts.data.pack data/fer2013.npz --out packed          training faces as JPEG, the others lossless
    python -m scripts.data.pack packed/fer2013 --unpack --out data     data/fer2013.npz again

Faces are tiled in sheets, which saves a header for each face: FER2013 takes a third of its .npz.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .dataset import SPLITS, DatasetError, Faces

COLUMNS = 32
ROWS = 64
"""Columns and rows of a sheet: many enough to make headers negligible, few enough for any decoder."""
QUALITY = 92
"""JPEG quality. The side of a face is a multiple of eight, so that no JPEG block contains pixels of two faces."""


def sheets(pixels: np.ndarray) -> list[Image.Image]:
    """Tile faces (N, S, S) uint8 in images of up to 32 x 64 faces; empty tiles are black."""
    size, found = pixels.shape[1], []
    for start in range(0, len(pixels), COLUMNS * ROWS):
        part = pixels[start : start + COLUMNS * ROWS]
        rows = -(-len(part) // COLUMNS)
        full = np.zeros((rows * COLUMNS, size, size), np.uint8)
        full[: len(part)] = part
        sheet = full.reshape(rows, COLUMNS, size, size).swapaxes(1, 2).reshape(rows * size, COLUMNS * size)
        found.append(Image.fromarray(sheet))
    return found


def faces_of(images: list[Image.Image], size: int, count: int) -> np.ndarray:
    """The inverse of `sheets`: (count, S, S) uint8."""
    parts = [np.asarray(image).reshape(-1, size, COLUMNS, size).swapaxes(1, 2).reshape(-1, size, size) for image in images]
    return np.concatenate([np.zeros((0, size, size), np.uint8), *parts])[:count]


def pack(faces: Faces, folder: Path, quality: int = QUALITY) -> int:
    """Write `faces` to `folder`: JPEG of `quality` for the split `train`, PNG for the others. Returns the bytes written."""
    size = faces.pixels.shape[1]
    if size % 8:
        raise DatasetError(f"faces of {size} pixels cannot be packed: JPEG's blocks need a multiple of 8")
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("train-*"), *folder.glob("held-*")]:
        old.unlink()
    lossy = faces.splits == "train"
    kinds: tuple[tuple[str, np.ndarray, str, dict[str, Any]], ...] = (
        ("train", lossy, "JPEG", {"quality": quality}),
        ("held", ~lossy, "PNG", {}),
    )
    for name, chosen, kind, options in kinds:
        for number, sheet in enumerate(sheets(faces.pixels[chosen])):
            stream = io.BytesIO()
            sheet.save(stream, format=kind, optimize=True, **options)
            (folder / f"{name}-{number:03}.{kind.lower()}").write_bytes(stream.getvalue())
    rest = {field: getattr(faces, field) for field in faces.__dataclass_fields__ if field != "pixels"}
    np.savez_compressed(folder / "columns.npz", size=size, **rest)
    return sum(path.stat().st_size for path in folder.iterdir())


def unpack(folder: Path) -> Faces:
    """Faces that `pack` wrote; those of `train` have JPEG artefacts."""
    try:
        with np.load(folder / "columns.npz", allow_pickle=False) as stored:
            columns = {name: stored[name] for name in stored.files}
        size, lossy = int(columns.pop("size")), columns["splits"] == "train"
        pixels = np.zeros((len(lossy), size, size), np.uint8)
        for name, chosen in (("train", lossy), ("held", ~lossy)):
            images: list[Image.Image] = [Image.open(path) for path in sorted(folder.glob(f"{name}-*"))]
            pixels[chosen] = faces_of(images, size, int(chosen.sum()))
        return Faces(pixels=pixels, **columns)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{folder} holds no packed faces ({error}): make them with `python -m scripts.data.pack`") from None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="+", help="tables of scripts.data.prepare, or packed folders")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quality", type=int, default=QUALITY)
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=SPLITS, help="splits to pack")
    parser.add_argument("--unpack", action="store_true")
    options = parser.parse_args(arguments)
    try:
        for source in options.source:
            if options.unpack:
                unpack(source).save(options.out / f"{source.name}.npz")
                print(f"written: {options.out / source.name}.npz")
            else:
                faces = Faces.load(source)
                size = pack(faces.where(np.isin(faces.splits, options.splits)), options.out / source.stem, options.quality)
                print(f"written: {options.out / source.stem}, {size / 2**20:.1f} MiB")
    except DatasetError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
