"""Prepare the speech corpora: archives to one table of log-mel frames, decoded by the library's own code.

    python -m scripts.speech.prepare --corpora ravdess.tar tess.tar emodb.tar        # writes data/speech.npz

Beside every `<corpus>.tar` lies `<corpus>.manifest.csv` with the columns file, label7, speaker and, where there is one,
emobox_fold. A row whose label7 is empty (EmoDB's boredom) is kept for the speech check and has label -1.
"""

from __future__ import annotations

import argparse
import csv
import tarfile
from pathlib import Path

import numpy as np

from emotions.labels import EMOTIONS
from emotions.speech.audio import open_audio
from emotions.speech.classifier import read_spectrogram

from ..data.dataset import DatasetError
from .clips import Clips

TABLE = Path("data/speech.npz")


def member_bytes(packed: tarfile.TarFile, name: str) -> bytes:
    """The content of a file of an archive; DatasetError where the name is that of a folder."""
    member = packed.extractfile(name)
    if member is None:
        raise DatasetError(f"{name} is not a file")
    return member.read()


def read_corpus(archive: Path) -> Clips:
    """Read all clips of an archive in the order of its manifest. Raises DatasetError for a missing manifest or clip."""
    manifest = archive.with_name(f"{archive.stem}.manifest.csv")
    for path in (archive, manifest):
        if not path.is_file():
            raise DatasetError(f"{path} is not there")
    with manifest.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    frames = []
    with tarfile.open(archive) as packed:
        members = set(packed.getnames())
        if missing := [row["file"] for row in rows if row["file"] not in members]:
            raise DatasetError(f"{archive.name} lacks {len(missing)} clips of its manifest, such as {missing[0]}")
        for row in rows:
            with open_audio(member_bytes(packed, row["file"])) as audio:
                frames.append(read_spectrogram(audio)[0])
    corpus = archive.stem
    return Clips(
        frames=frames,
        labels=np.array([EMOTIONS.index(row["label7"]) if row["label7"] else -1 for row in rows]),
        corpora=np.full(len(rows), corpus),
        speakers=np.array([f"{corpus}-{row['speaker']}" for row in rows]),
        folds=np.array([row.get("emobox_fold") or "" for row in rows]),
        names=np.array([row["file"] for row in rows]),
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, nargs="+", required=True, help="archives, each with its manifest beside it")
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    try:
        clips = Clips.concatenate([read_corpus(archive) for archive in options.corpora])
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    clips.save(options.out)
    for corpus in np.unique(clips.corpora):
        chosen = clips.corpora == corpus
        print(f"{corpus}: {chosen.sum()} clips of {len(np.unique(clips.speakers[chosen]))} speakers")


if __name__ == "__main__":
    main()
