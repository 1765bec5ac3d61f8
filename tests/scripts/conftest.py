"""A tiny data set in the owner's form: 48 px faces drawn from noise, with two emotions that can be distinguished."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"anger": "angry", "disgust": "disgust", "fear": "fear", "happy": "happy", "neutral": "neutral", "sad": "sad",
           "surprise": "surprise"}  # fmt: skip
VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
VOTED = {"anger": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness", "neutral": "neutral", "sad": "sadness",
         "surprise": "surprise"}  # fmt: skip

CONFIG = """
name = "vgg16"
design = "vgg16"
size = 48
seed = 1
[data]
faces = "{faces}"
[[stages]]
epochs = 1
crop = 40
[[stages]]
epochs = {last}
crop = 48
[optimiser]
peak = 0.01
momentum = 0.9
weight_decay = 5e-4
clipnorm = 5.0
warmup_epochs = 0.5
batch = 28
[loss]
smoothing = 0.1
dropout = 0.4
ferplus = 1.0
[augment]
shift = 2.0
rotation = 5.0
scale = 0.05
brightness = 0.1
erase = 0.2
"""

SMALL_VGG = [4, 4, 8, 8, 16]
"""Filters of each block of a VGG-16 that trains in a second."""


def face(emotion: int, random: np.random.Generator) -> np.ndarray:
    """(48, 48) uint8: noise with a bright bar whose height tells the emotion."""
    pixels = random.integers(60, 120, (48, 48), dtype=np.uint8)
    pixels[4 + emotion * 6 : 8 + emotion * 6, 8:40] = 230
    return pixels


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> tuple[Path, Path]:
    """(archive, votes): `<split>/<label>/<name>.png` in a zip, and FER+'s table; eight faces a class to train, two else."""
    folder, random, number = tmp_path_factory.mktemp("published"), np.random.default_rng(1), 0
    with zipfile.ZipFile(folder / "faces.zip", "w") as archive, open(folder / "votes.csv", "w", newline="") as stream:
        table = csv.DictWriter(stream, ("Usage", "Image name", *VOTES), restval=0)
        table.writeheader()
        for split, count in (("train", 8), ("validation", 2), ("test", 2)):
            for index, (emotion, name) in enumerate(FOLDERS.items()):
                for _ in range(count):
                    image = io.BytesIO()
                    Image.fromarray(face(index, random)).save(image, "PNG")
                    archive.writestr(f"{split}/{name}/fer{number:07d}.png", image.getvalue())
                    table.writerow({"Usage": split, "Image name": f"fer{number:07d}.png", VOTED[emotion]: 8, "unknown": 2})
                    number += 1
    return folder / "faces.zip", folder / "votes.csv"


@pytest.fixture(scope="session")
def prepared(published, tmp_path_factory) -> Path:
    """The .npz that `prepare` makes of the published files."""
    from scripts.data.prepare import main

    out = tmp_path_factory.mktemp("prepared") / "faces.npz"
    main(["--faces", str(published[0]), "--votes", str(published[1]), "--out", str(out)])
    return out


@pytest.fixture(scope="session")
def configured() -> Callable[..., str]:
    """(faces, last, network=...) -> a configuration of one epoch at 40 px and `last` epochs at 48 px of a VGG-16 with few
    filters.
    """
    small = f"[network]\nfilters = {SMALL_VGG}\n"
    return lambda faces, last, network=small: CONFIG.format(faces=faces, last=last) + network


@pytest.fixture(scope="session")
def configured_small() -> Callable[[Path | str, int], str]:
    """(faces, last) -> a configuration of 1 + `last` epochs at 48 px of a network that trains in a second, called `vgg16`."""
    text = CONFIG.replace("crop = 40", "crop = 48").replace('design = "vgg16"', 'design = "residual"')
    text += "[network]\nwidths = [16, 16]\nblocks = 1\n"
    return lambda faces, last: text.format(faces=faces, last=last)


@pytest.fixture(scope="session")
def committed() -> Callable[[Path], Path]:
    """Copies the files that git would commit into a folder, and gives it back."""

    def copy(folder: Path) -> Path:
        command = ["git", "ls-files", "-co", "--exclude-standard"]
        for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        return folder

    return copy
