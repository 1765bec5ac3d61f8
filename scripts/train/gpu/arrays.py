"""Exported weights as .npz files: written beside PyTorch, read beside Keras; neither is imported here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

CONVOLUTIONS = 13
"""Of VGG-16."""


def write_arrays(path: Path, arrays: dict[str, np.ndarray], compress: bool = False) -> None:
    """Write an .npz file under a temporary name first, so that a partial file never has the final one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    with open(partial, "wb") as stream:
        save: Any = np.savez_compressed if compress else np.savez  # the type stubs take the names of arrays for options
        save(stream, **arrays)
    os.replace(partial, path)


def read_arrays(folder: Path, name: str) -> dict[str, np.ndarray]:
    """The arrays of all files `<name>-<number>.npz`. Raises FileNotFoundError if there is none, ValueError if one is missing."""
    arrays: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob(f"{name}-[0-9].npz")):
        with np.load(path, allow_pickle=False) as stored:
            arrays |= {key: stored[key] for key in stored.files}
    if not arrays:
        raise FileNotFoundError(f"{folder} has no {name}-0.npz")
    kinds = ("kernel", "gamma", "beta", "mean", "variance")
    wanted = {f"{number:02}-{key}" for number in range(CONVOLUTIONS) for key in kinds}
    if missing := wanted - set(arrays):
        raise ValueError(f"{name} lacks {min(missing)}: one of its files is missing")
    return arrays
