"""Pack prepared faces small enough to carry to a machine with an accelerator, and unpack them there.

    python -m scripts.data.pack data/fer2013.npz --out packed          faces to train on as JPEG, the others lossless
    python -m scripts.data.pack packed/fer2013 --unpack --out data     data/fer2013.npz again

Faces lie side by side in sheets, so that each costs its own bytes and no headers: FER2013 takes a third of its .npz.
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
"""Faces in a sheet: as many as make headers and palettes negligible, in pictures that any decoder opens."""
QUALITY = 92
"""Of the JPEG sheets. A face's side is a multiple of eight, so that no block of JPEG's holds pixels of two faces."""


def sheets(pixels: np.ndarray) -> list[Image.Image]:
    """(N, S, S) uint8 -> pictures of up to 32 x 64 faces each; empty places are black."""
    size, found = pixels.shape[1], []
    for start in range(0, len(pixels), COLUMNS * ROWS):
        part = pixels[start : start + COLUMNS * ROWS]
        rows = -(-len(part) // COLUMNS)
        full = np.zeros((rows * COLUMNS, size, size), np.uint8)
        full[: len(part)] = part
        sheet = full.reshape(rows, COLUMNS, size, size).swapaxes(1, 2).reshape(rows * size, COLUMNS * size)
        found.append(Image.fromarray(sheet))
    return found


def faces_of(pictures: list[Image.Image], size: int, count: int) -> np.ndarray:
    """The inverse of `sheets`: (count, S, S) uint8."""
    parts = [np.asarray(picture).reshape(-1, size, COLUMNS, size).swapaxes(1, 2).reshape(-1, size, size) for picture in pictures]
    return np.concatenate([np.zeros((0, size, size), np.uint8), *parts])[:count]


def pack(faces: Faces, folder: Path, quality: int = QUALITY) -> int:
    """Write `faces` to `folder`: JPEG of `quality` for the split `train`, PNG for the others. Gives the bytes written."""
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
    """The faces that `pack` wrote; those of `train` have JPEG's noise."""
    try:
        with np.load(folder / "columns.npz", allow_pickle=False) as stored:
            columns = {name: stored[name] for name in stored.files}
        size, lossy = int(columns.pop("size")), columns["splits"] == "train"
        pixels = np.zeros((len(lossy), size, size), np.uint8)
        for name, chosen in (("train", lossy), ("held", ~lossy)):
            pictures: list[Image.Image] = [Image.open(path) for path in sorted(folder.glob(f"{name}-*"))]
            pixels[chosen] = faces_of(pictures, size, int(chosen.sum()))
        return Faces(pixels=pixels, **columns)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{folder} holds no packed faces ({error}): make them with `python -m scripts.data.pack`") from None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="+", help="tables of scripts.data.prepare, or packed folders")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quality", type=int, default=QUALITY)
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=SPLITS, help="what to take along")
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
