"""Turn published data sets into one .npz of faces that the other scripts read.

    python -m scripts.prepare --faces fer2013.zip --votes fer2013new.csv.gz
    python -m scripts.prepare --faces fer2013.csv --votes fer2013new.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from emotions.labels import EMOTIONS

from .datasets import SPLITS, DatasetError, Faces, add_ferplus_votes, read_class_folders, read_fer2013_csv


def duplicates_across_splits(faces: Faces) -> int:
    """How many faces of validation and test are, pixel for pixel, in an earlier split too."""
    seen: set[bytes] = set()
    count = 0
    for split in SPLITS:
        prints = [face.tobytes() for face in faces.pixels[faces.splits == split]]
        count += sum(print_ in seen for print_ in prints)
        seen.update(prints)
    return count


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True, help="fer2013.csv, icml_face_data.csv, or a class-folder archive")
    parser.add_argument("--votes", type=Path, help="FER+ votes (fer2013new.csv, .gz allowed)")
    parser.add_argument("--out", type=Path, default=Path("data/fer2013.npz"))
    options = parser.parse_args(arguments)
    try:
        read = read_fer2013_csv if options.faces.suffix == ".csv" else read_class_folders
        faces = read(options.faces)
        if options.votes:
            faces = add_ferplus_votes(faces, options.votes)
    except (DatasetError, OSError) as error:
        parser.exit(1, f"{error}\n")
    faces.save(options.out)
    for split in SPLITS:
        counts = np.bincount(faces.split(split).labels, minlength=len(EMOTIONS))
        print(f"{split:10} {counts.sum():6}  " + "  ".join(f"{name} {n}" for name, n in zip(EMOTIONS, counts, strict=True)))
    print(f"{int((faces.raters > 0).sum())} faces have FER+ votes; "
          f"{duplicates_across_splits(faces)} of validation and test are in an earlier split too")  # fmt: skip
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
