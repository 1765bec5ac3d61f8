"""Zip archive of whole pictures of a finished set, balanced over families and emotions, to be published with a release.

make heads COUNT=20000
python -m scripts.synthetic.heads.dataset.sample --count 1000 --out build/heads-sample.zip
"""

from __future__ import annotations

import argparse
import io
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from emotions.image.loading import open_image

from ....data.dataset import DatasetError
from . import card
from .generate import DAY, beside
from .record import Record, read_records, to_csv

QUALITY = 90  # of lossy WebP: no visible loss, and a fraction of the lossless picture's size
README = """# Sample of the rendered heads of Emotion Detector

{count} rendered pictures of {characters} characters in ten families of style with known expressions, 256 x 256
pixels. `info.csv` tells what each shows; the column `whole` is its file in `pictures/`. `CARD.md` describes the whole
set, from which this is a sample balanced over families and emotions; `LICENSE.md` has the terms: CC BY 4.0, with the
MIT notice of the head model ICT-FaceKit.
"""


def choose(records: Sequence[Record], count: int) -> list[Record]:
    """The first `count` records with a whole picture, in turn of families and emotions; DatasetError if there are fewer."""
    kept = [record for record in records if record.whole]
    if len(kept) < count:
        raise DatasetError(f"{len(kept)} whole pictures are kept, {count} are wanted: render more with `make heads COUNT=`")
    turns: list[int] = []
    seen = Counter[tuple[str, str]]()
    for record in kept:
        turns.append(seen[record.family, record.emotion])
        seen[record.family, record.emotion] += 1
    order = np.argsort(turns, kind="stable")[:count]
    return [kept[index] for index in np.sort(order)]


def reduced(picture: bytes) -> bytes:
    """Encode a losslessly compressed picture as smaller, lossy WebP."""
    pixels = open_image(picture).pixels
    return cv2.imencode(".webp", pixels[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes()


def write_sample(records: Sequence[Record], whole: Path, card_text: str, out: Path) -> None:
    """Write the archive; `whole` is the set's archive of whole pictures. Raises DatasetError if it lacks one."""
    out.parent.mkdir(parents=True, exist_ok=True)
    buffer, characters = io.BytesIO(), len({record.character for record in records})
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed, zipfile.ZipFile(whole) as pictures:
        try:
            for record in records:
                packed.writestr(zipfile.ZipInfo(f"pictures/{record.whole}", DAY), reduced(pictures.read(record.whole)))
        except KeyError as error:
            raise DatasetError(f"{whole} does not belong to the table of the pictures: {error}") from None
        texts = {
            "README.md": README.format(count=f"{len(records):,}", characters=characters),
            "LICENSE.md": card.terms(), "CARD.md": card_text,
            "info.csv": to_csv(replace(record, whole=f"pictures/{record.whole}") for record in records),
        }  # fmt: skip
        for name, text in texts.items():
            packed.writestr(zipfile.ZipInfo(name, DAY), text)
    out.write_bytes(buffer.getvalue())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--set", type=Path, default=Path("data/heads.npz"), help="table of the finished set; its other files lie beside"
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("build/heads-sample.zip"))
    options = parser.parse_args(arguments)
    if options.count < 1:
        parser.error("--count must be at least 1")
    try:
        records = read_records(beside(options.set, "-info.csv"))
        text = beside(options.set, "-CARD.md").read_text(encoding="utf-8")
        write_sample(choose(records, options.count), beside(options.set, "-whole.zip"), text, options.out)
    except (DatasetError, OSError, zipfile.BadZipFile) as error:
        parser.exit(1, f"{error}\n")
    print(f"written: {options.out}, {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
