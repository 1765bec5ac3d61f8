"""Prepare the speech corpora: archives to one table of log-mel frames, decoded by the library's own code.

    python -m scripts.speech.prepare --corpora ravdess.tar tess.tar emodb.tar        # writes data/speech.npz

RAVDESS' and EmoDB's clips also have copies under random conditions (`conditions.random_condition`), made from the waveform. Other
voices are those of the other archives, so that no babble in a copy comes from a speaker of the same corpus.

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
from emotions.speech.cleaning import HighPass, subtract_noise
from emotions.speech.spectrogram import log_mel

from ..data.dataset import DatasetError
from .clips import Clips
from .conditions import random_condition

TABLE = Path("data/speech.npz")
COPIES = {"ravdess": 1, "emodb": 1}
"""Copies of each clip under random conditions, by corpus."""
VOICES = 100
"""Recordings of each other archive from which babble is mixed."""


def member_bytes(packed: tarfile.TarFile, name: str) -> bytes:
    """The content of a file of an archive; DatasetError where the name is that of a folder."""
    member = packed.extractfile(name)
    if member is None:
        raise DatasetError(f"{name} is not a file")
    return member.read()


def read_samples(content: bytes) -> np.ndarray:
    """Decode a recording to (T,) float32 mono samples, as the library does."""
    with open_audio(content) as audio:
        return np.concatenate(list(audio.blocks()))


def log_mel_frames(samples: np.ndarray) -> np.ndarray:
    """Log-mel frames (N, 64) float16 of decoded samples, as the library computes them."""
    frames = log_mel(samples).astype(np.float16)
    subtract_noise(frames)
    return frames


def read_voices(archives: list[Path]) -> list[np.ndarray]:
    """Decode VOICES recordings of each archive."""
    voices = []
    for archive in archives:
        with tarfile.open(archive) as packed:
            names = [member.name for member in packed.getmembers() if member.isfile()]
            voices += [read_samples(member_bytes(packed, name)) for name in names[:: max(1, len(names) // VOICES)]]
    return voices


def read_corpus(archive: Path, voices: list[np.ndarray], seed: int = 0) -> Clips:
    """Read all clips of an archive in the order of its manifest, each followed by its copies under conditions.

    Args:
        archive: The archive; its manifest lies beside it.
        voices: Recordings from which babble is mixed.
        seed: Seed of the conditions.

    Raises:
        DatasetError: The manifest or a clip is missing.
    """
    manifest = archive.with_name(f"{archive.stem}.manifest.csv")
    for path in (archive, manifest):
        if not path.is_file():
            raise DatasetError(f"{path} is not there")
    with manifest.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    corpus = archive.stem
    frames, conditions = [], []
    copies = COPIES.get(corpus, 0)
    with tarfile.open(archive) as packed:
        members = set(packed.getnames())
        if missing := [row["file"] for row in rows if row["file"] not in members]:
            raise DatasetError(f"{archive.name} lacks {len(missing)} clips of its manifest, such as {missing[0]}")
        for number, row in enumerate(rows):
            random = np.random.default_rng((seed, number))
            samples = read_samples(member_bytes(packed, row["file"]))
            frames.append(log_mel_frames(samples))
            conditions.append("")
            for _ in range(copies):
                family, condition = random_condition(random)
                frames.append(log_mel_frames(HighPass()(condition(samples, random, voices))))
                conditions.append(family)
    rows = [row for row in rows for _ in range(1 + copies)]
    return Clips(
        frames=frames,
        labels=np.array([EMOTIONS.index(row["label7"]) if row["label7"] else -1 for row in rows]),
        corpora=np.full(len(rows), corpus),
        speakers=np.array([f"{corpus}-{row['speaker']}" for row in rows]),
        folds=np.array([row.get("emobox_fold") or "" for row in rows]),
        names=np.array([row["file"] for row in rows]),
        conditions=np.array(conditions),
    )


def voices_beside(archive: Path, archives: list[Path]) -> list[np.ndarray]:
    """Voices of the archives beside `archive`, of itself where it is the only one. Raises DatasetError if one is missing."""
    if missing := [path for path in archives if not path.is_file()]:
        raise DatasetError(f"{missing[0]} is not there")
    return read_voices([path for path in archives if path != archive] or archives)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, nargs="+", required=True, help="archives, each with its manifest beside it")
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    try:
        clips = Clips.concatenate([read_corpus(one, voices_beside(one, options.corpora)) for one in options.corpora])
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    clips.save(options.out)
    for corpus in np.unique(clips.corpora):
        chosen = (clips.corpora == corpus) & (clips.conditions == "")
        print(f"{corpus}: {chosen.sum()} clips of {len(np.unique(clips.speakers[chosen]))} speakers")


if __name__ == "__main__":
    main()
