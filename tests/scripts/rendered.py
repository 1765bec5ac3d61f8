"""A tiny table of rendered heads in the form of `make heads`: noise with a bar that tells the emotion, of a few characters."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from emotions.labels import EMOTIONS
from scripts.data.dataset import table
from scripts.synthetic.heads.dataset.record import Record, to_csv
from tests.scripts.conftest import face

FAMILIES = {"wax": "train", "wood": "train", "ink": "validation", "glass": "test"}
"""Families and their splits."""
STRENGTHS = (1.0, 0.9, 0.5, 0.1)
"""Strengths of each character's expressions; the last one has no label, save for neutral faces."""
PORTRAIT = Path(__file__).resolve().parents[1] / "data" / "astronaut.jpg"


def write_heads(path: Path, characters: int = 3) -> Path:
    """Write x.npz, x-info.csv and x-whole.zip: each character in every emotion and strength; return the path.

    The whole pictures are a portrait of a happy person for the first happy row of every family, and a blank picture for the next.
    """
    random, pixels, records = np.random.default_rng(5), [], []
    portrait, blank = Image.open(PORTRAIT).convert("RGB").resize((256, 256)), Image.new("RGB", (256, 256), "gray")
    with zipfile.ZipFile(path.with_name(f"{path.stem}-whole.zip"), "w") as archive:
        for family in FAMILIES:
            for character in range(characters):
                for number, emotion in enumerate(EMOTIONS):
                    for strength in STRENGTHS:
                        name = f"{family}/{family}-{character:03d}/{emotion}/{len(records):06d}"
                        label = number if emotion == "neutral" or strength >= 0.25 else -1
                        kept = character == 0 and emotion == "happy" and strength >= 0.9
                        whole = f"{len(records):06d}.webp" if kept else ""
                        if kept:
                            stream = io.BytesIO()
                            (portrait if strength == 1 else blank).save(stream, "WEBP", lossless=True)
                            archive.writestr(whole, stream.getvalue())
                        pose = (float(random.normal(0, 15)), float(random.normal(0, 7)), 0.0)
                        found = int(not kept or strength == 1)
                        recipe = f"{emotion}-{'open' if strength > 0.95 else 'closed'}"
                        records.append(
                            Record(
                                name,
                                f"{family}-{character:03d}",
                                family,
                                emotion,
                                recipe,
                                strength,
                                label,
                                *pose,
                                1,
                                found,
                                whole,
                            )
                        )
                        pixels.append(face(number, random))
    labels, names, groups = zip(*((record.label, record.name, record.character) for record in records), strict=True)
    table(pixels, labels, [FAMILIES[record.family] for record in records], names, "heads", groups).save(path)
    path.with_name(f"{path.stem}-info.csv").write_text(to_csv(records), encoding="utf-8")
    return path
