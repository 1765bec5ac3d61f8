"""Convert published data sets to .npz tables of faces.

    python -m scripts.data.prepare --faces fer2013.zip --votes fer2013new.csv.gz
    python -m scripts.data.prepare fer2013 --faces icml_face_data.csv --votes fer2013new.csv
    python -m scripts.data.prepare facial_expressions --faces facial_expressions.zip
    python -m scripts.data.prepare ferg --faces FERG_DB_256.zip --leave-out mery
    python -m scripts.data.prepare folders --faces my-faces --labels labels.toml --people '([^/_]+)_[0-9]+[.]' \\
        --licence 'CC BY 4.0'
    python -m scripts.data.prepare join data/fer2013.npz data/facial_expressions.npz --out data/people.npz

Archives (zip, tar) and folders are accepted. A label map (TOML or JSON) maps folder names to emotions: `Wut = "anger"`,
`laughing = "happy"`, `unclear = "ignore"`. `scripts.data.fetch` downloads data sets where the terms allow it.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from emotions.labels import EMOTIONS

from .dataset import LABEL_NAMES, SPLITS, DatasetError, Faces
from .labels import RESERVED
from .readers.facial_expressions import read_facial_expressions
from .readers.fer2013 import read_fer2013
from .readers.ferg import read_ferg
from .readers.ferplus import add_ferplus_votes
from .readers.folders import read_folders, read_label_map
from .readers.images import CROPS, Cropper, Reading
from .splits import SHARES, duplicates


def prepare_fer2013(options: argparse.Namespace) -> Reading:
    """Read FER2013, with FER+ votes if given."""
    reading = read_fer2013(options.faces)
    if not options.votes:
        return reading
    faces = add_ferplus_votes(reading.faces, options.votes)
    return Reading(faces, {**reading.counts, "faces with FER+ votes": int((faces.raters > 0).sum())})


def prepare_facial_expressions(options: argparse.Namespace) -> Reading:
    """Read muxspace/facial_expressions."""
    return read_facial_expressions(options.faces, Cropper(options.size, options.crop), options.seed)


def prepare_ferg(options: argparse.Namespace) -> Reading:
    """Read FERG-DB."""
    return read_ferg(options.faces, Cropper(options.size, options.crop), options.leave_out)


def prepare_folders(options: argparse.Namespace) -> Reading:
    """Read an own data set of class folders."""
    labels = read_label_map(options.labels) if options.labels else LABEL_NAMES
    cropper = Cropper(options.size, options.crop)
    reading = read_folders(options.faces, options.name, labels, cropper, options.seed, options.people)
    licences = np.full(len(reading.faces), options.licence)
    return Reading(replace(reading.faces, licences=licences), reading.counts)


def join(options: argparse.Namespace) -> Reading:
    """Join prepared tables."""
    return Reading(Faces.joined([Faces.load(path) for path in options.tables]), {})


def report(reading: Reading) -> list[str]:
    """Counts of what was read and dropped, faces of each class in each split, and overlaps of the splits."""
    faces = reading.faces
    lines = [f"{count:7} {what}" for what, count in reading.counts.items()]
    for split in SPLITS:
        labels = faces.split(split).labels
        counts = np.bincount(labels[labels >= 0], minlength=len(EMOTIONS))
        support = "  ".join(f"{name} {count}" for name, count in zip(EMOTIONS, counts, strict=True))
        lines.append(f"{split:10} {len(labels):6}  {support}")
    groups = [set(zip(part.sources.tolist(), part.groups.tolist(), strict=True)) for part in map(faces.split, SPLITS)]
    shared = {pair for one, first in enumerate(groups) for second in groups[:one] for pair in first & second if pair[1]}
    if shared:
        first = ", ".join(sorted(group for _, group in shared)[:5])
        lines.append(f"{len(shared)} people or other groups are in more than one split: {first}")
    return [*lines, str(duplicates(faces))]


def pattern(text: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"not a regular expression: {error}") from None
    if not compiled.groups:
        raise argparse.ArgumentTypeError("a group (in parentheses) is needed around the part that identifies the person")
    return compiled


def source(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", text) or text in RESERVED:
        raise argparse.ArgumentTypeError(f"letters, digits, - and _ expected, and none of {', '.join(RESERVED)}")
    return text


def side(text: str) -> int:
    if not text.isdecimal() or not 8 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError("a whole number from 8 to 1024 expected")
    return int(text)


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="DATA-SET", help="fer2013 where none is named")

    def kind(name, run, text, out=None, crop=None):
        command = kinds.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("--out", type=Path, default=out and Path(out), required=not out)
        if name != "join":
            command.add_argument("--faces", type=Path, required=True, help="the archive or folder")
        if crop:
            command.add_argument("--size", type=side, default=48, help="pixels a side (default: 48, as FER2013's)")
            command.add_argument("--crop", choices=CROPS, default=crop, help=f"region to crop (default: {crop})")
        return command

    fer2013 = kind("fer2013", prepare_fer2013, "FER2013: csv, archive or class folders", "data/fer2013.npz")
    fer2013.add_argument("--votes", type=Path, help="FER+ votes (fer2013new.csv, .gz allowed)")
    shares = ", ".join(f"{split} {share:.0%}" for split, share in SHARES.items()).replace("%", "%%")
    seed = f"of the hash that splits people ({shares})"
    about = "muxspace/facial_expressions, split by person"
    command = kind("facial_expressions", prepare_facial_expressions, about, "data/facial_expressions.npz", "face")
    command.add_argument("--seed", type=int, default=0, help=seed)
    command = kind("ferg", prepare_ferg, "FERG-DB, a character left out", "data/ferg.npz", "face-or-whole")
    command.add_argument("--leave-out", default="ray", help="character of the test split; validation is the next one")
    command = kind("folders", prepare_folders, "your own data: a folder for each class", "data/folders.npz", "face")
    command.add_argument("--labels", type=Path, help="label map, .toml or .json (default: common English names)")
    command.add_argument("--name", type=source, default="own", help="name of the data set and its head (default: own)")
    command.add_argument("--licence", default="", help="licence of your data, for the model card")
    command.add_argument("--people", type=pattern, help="regular expression: its first group is the person in a path")
    command.add_argument("--seed", type=int, default=0, help=seed)
    command = kind("join", join, "several prepared tables in one")
    command.add_argument("tables", type=Path, nargs="+", help="tables made by this script")
    return parser


def main(arguments: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0].startswith("--") and arguments[0] != "--help":
        arguments = ["fer2013", *arguments]
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    try:
        reading = options.run(options)
        reading.faces.save(options.out)
    except (DatasetError, OSError) as error:
        parser.exit(1, f"{error}\n")
    print("\n".join(report(reading)))
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
