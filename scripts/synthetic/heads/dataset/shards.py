"""Shards: the finished pictures of each character in a file of its own, so that an interrupted rendering resumes.

They lie in a folder named after the fingerprint of everything that decides on the pictures: shards of another seed,
of another head model or of older code are never mixed with new ones.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..facs import TABLE
from ..geometry.model import HeadModel
from .record import Record

SIZES = (48, 96)
"""Sides of the crops in pixels."""
AFTER = ("__init__.py", "card.py", "contact_sheet.py", "ferg_lookalike.py", "generate.py", "pack.py", "reader.py", "sample.py")
"""Modules of this package that come after rendering or have no part in it."""


@dataclass(frozen=True)
class Picture:
    """A finished picture.

    Attributes:
        number: its row in the table.
        record: what it shows.
        crops: a crop (S, S) uint8 grey for each of SIZES.
        whole: the whole picture as lossless WebP; empty if it is not kept.
    """

    number: int
    record: Record
    crops: tuple[np.ndarray, ...]
    whole: bytes


def fingerprint(model: HeadModel, seed: int) -> str:
    """Hash of the seed, the head model and the code that makes pictures, without its comments and docstrings."""
    state = hashlib.sha256(f"{seed}:{SIZES}".encode())
    for array in (model.vertices, model.polygons, model.uv, model.identities, *model.shapes.values()):
        state.update(np.ascontiguousarray(array).tobytes())
    package = Path(__file__).parents[1]
    for path in [TABLE, package.parent / "framing.py", *sorted(package.rglob("*"))]:
        if path.suffix == ".py" and path.name not in AFTER:
            state.update(_instructions(path.read_text(encoding="utf-8")).encode())
        elif path.suffix in (".frag", ".toml", ".vert"):
            state.update(path.read_bytes())
    return state.hexdigest()[:16]


def _instructions(source: str) -> str:
    """Source code without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    return ast.dump(tree)


def shard_path(folder: Path, family: str, character: int) -> Path:
    """File of a character's pictures."""
    return folder / f"{family}-{character:03d}.npz"


def write_shard(path: Path, pictures: Sequence[Picture]) -> None:
    """Write pictures; the file is there completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"crops{size}": np.stack([picture.crops[place] for picture in pictures]) for place, size in enumerate(SIZES)}
    arrays["numbers"] = np.array([picture.number for picture in pictures])
    arrays["records"] = np.array([json.dumps(asdict(picture.record)) for picture in pictures])
    arrays["lengths"] = np.array([len(picture.whole) for picture in pictures])
    arrays["whole"] = np.frombuffer(b"".join(picture.whole for picture in pictures), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(buffer.getvalue())
    partial.replace(path)


def read_shard(path: Path) -> list[Picture]:
    """Pictures of a shard; none if it is missing or damaged, so that they are rendered again."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
            whole, ends = stored["whole"].tobytes(), np.cumsum(stored["lengths"]).tolist()
            crops = zip(*(stored[f"crops{size}"] for size in SIZES), strict=True)
            records = [Record(**json.loads(str(text))) for text in stored["records"]]
            starts = [0, *ends[:-1]]
            rows = zip(stored["numbers"].tolist(), records, crops, starts, ends, strict=True)
            return [Picture(number, record, pair, whole[start:end]) for number, record, pair, start, end in rows]
    except (EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile):
        return []


def finished_numbers(path: Path) -> set[int]:
    """Rows that a shard holds, without reading its pictures; none if it is missing or damaged."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return set(stored["numbers"].tolist())
    except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile):
        return set()


def other_folders(folder: Path) -> Iterable[Path]:
    """Folders of shards with another fingerprint beside this one."""
    return (path for path in sorted(folder.parent.glob("*")) if path.is_dir() and path != folder and any(path.glob("*.npz")))
