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
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from emotions.face import alignment, blazeface, detector, drawn_detector, landmarks, results
from emotions.runtime.manifest import ModelRegistry

from ....data.dataset import DAMAGE
from ..geometry.model import HeadModel
from .record import Record

SIZES = (48, 96)
"""Sides of the crops in pixels."""
PACKAGE = Path(__file__).parents[1]
AFTER = (
    "__init__.py", "contact_sheet.py", "dataset/__init__.py", "dataset/card.py", "dataset/ferg_lookalike.py",
    "dataset/framing_ratio.py", "dataset/generate.py", "dataset/reader.py", "dataset/sample.py", "geometry/__init__.py",
    "geometry/pack.py",
)  # fmt: skip
"""Modules of this package that come after rendering or have no part in it."""
FRAMING = (PACKAGE.parent / "framing.py", *(Path(str(part.__file__)) for part in (
    alignment, blazeface, detector, drawn_detector, landmarks, results,
)))  # fmt: skip
"""Modules elsewhere that detect the faces and frame the crops."""
DETECTORS = ("detector", "landmarks")
"""Roles of the models that find a face and its landmarks."""


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


def fingerprint(model: HeadModel, seed: int, registry: ModelRegistry, sources: Iterable[Path] | None = None) -> str:
    """Hash of everything that decides on the pictures and their crops.

    Args:
        model: the head model.
        seed: seed of the set.
        registry: face detectors, of which files and thresholds count.
        sources: files of code, shaders and tables, `rendering_sources` by default; comments and docstrings of code do not count.

    Returns:
        16 hexadecimal digits.
    """
    state = hashlib.sha256(f"{seed}:{SIZES}".encode())
    arrays = (model.vertices, model.polygons, model.uv, model.uv_polygons, model.identities)
    for array in (*arrays, *(model.shapes[name] for name in sorted(model.shapes))):
        state.update(np.ascontiguousarray(array).tobytes())
    state.update("\n".join(sorted(model.shapes)).encode())
    for entry in (entry for role in DETECTORS for entry in registry.entries(role)):
        settings = (entry.role, entry.name, entry.sha256, entry.input, entry.thresholds, entry.anchors, entry.box)
        state.update(json.dumps(settings, sort_keys=True).encode())
    for path in rendering_sources() if sources is None else sources:
        python = path.suffix == ".py"
        state.update(_instructions(path.read_text(encoding="utf-8")).encode() if python else path.read_bytes())
    return state.hexdigest()[:16]


def rendering_sources() -> list[Path]:
    """Files of code, shaders and tables that decide on the pictures and their crops."""
    own = (path for path in sorted(PACKAGE.rglob("*")) if path.suffix in (".frag", ".py", ".toml", ".vert"))
    return [*FRAMING, *(path for path in own if path.relative_to(PACKAGE).as_posix() not in AFTER)]


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
    except DAMAGE:
        return []


def finished_numbers(path: Path) -> set[int]:
    """Rows that a shard holds, without reading its pictures; none if it is missing or damaged."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return set(stored["numbers"].tolist())
    except DAMAGE:
        return set()


def other_folders(folder: Path) -> Iterable[Path]:
    """Folders of shards with another fingerprint beside this one."""
    return (path for path in sorted(folder.parent.glob("*")) if path.is_dir() and path != folder and any(path.glob("*.npz")))
