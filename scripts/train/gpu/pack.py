"""Pack tables of faces for a machine with a GPU: sprite sheets, targets, sampling weights and alignment matrices.

    python -m scripts.train.gpu.pack data/fer2013.npz data/facial_expressions.npz data/drawn.npz data/heads.npz --out packed

Needs the library. The first table names the label sets; validation faces that repeat a training face of it are left out, and so
are faces of the other tables without a label, and the test split of every table unless --test is given. Faces that are not
cropped as serving does (FER2013's) get an alignment matrix from Face Mesh, and training shows them with and without it.

    packed/train-000.webp ...     faces to train on, 32 x 64 in a sheet
    packed/held-out-000.webp ...  the others
    packed/columns.npz            all other columns, in the order of the tables
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emotions.labels import EMOTIONS

from ...data.alignment import cached_alignments, needs_alignment
from ...data.dataset import Faces
from ...data.labels import available_label_sets, vote_targets
from ...data.pack import sheets
from ...data.splits import without_copies
from ..targets import sample_keys

GENERATED = {"dicebear": 0.9, "heads": 0.6, "smiles": 0.6}
"""Sources whose classes are balanced by choice, drawn, rendered and warped faces, and how often each face occurs in an epoch."""
COMMON = (EMOTIONS.index("happy"), EMOTIONS.index("neutral"))


def sampling_weights(tables: Sequence[Faces]) -> np.ndarray:
    """How often each face occurs in an epoch, (N,) float32.

    Classes with fewer than 3 % of a table's labels count double. Of further tables, photographs of the two classes that web
    pictures mostly show and drawn faces count 0.9, photographs of the others 2.5, rendered heads and warped faces 0.6 times.
    """
    parts = []
    for number, table in enumerate(tables):
        labels = table.labels
        share = np.bincount(labels[labels >= 0], minlength=len(EMOTIONS)) / max((labels >= 0).sum(), 1)
        weight = np.where((labels >= 0) & (share[labels] < 0.03), 2.0, 1.0)
        if number and set(table.sources.tolist()) <= GENERATED.keys():
            weight = np.array([GENERATED[source] for source in table.sources.tolist()])
        elif number:
            weight = np.where(np.isin(labels, COMMON), 0.9, 2.5)
        parts.append(weight)
    return np.concatenate(parts).astype(np.float32)


def pack(tables: Sequence[Faces], paths: Sequence[Path], folder: Path, quality: int, held_out_quality: int, test: bool) -> int:
    """Write the folder and return its size in bytes. WebP of the given qualities; 100 is lossless.

    `paths`: files of the tables, beside which alignment matrices are kept.
    """
    tables = [without_copies(table) for table in tables]
    # A rendered expression may be too weak for a label.
    tables = [tables[0], *(table.where(table.labels >= 0) for table in tables[1:])]
    tables = tables if test else [table.where(table.splits != "test") for table in tables]
    align = [
        cached_alignments(table.pixels, path.with_name(f"alignments-{path.stem}.npz")) if needs_alignment(table)
        else np.full((len(table), 2, 3), np.nan, np.float32)
        for table, path in zip(tables, paths, strict=True)
    ]  # fmt: skip
    faces = Faces.joined(tables)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.webp"):
        old.unlink()
    train = faces.splits == "train"
    for name, chosen, wanted in (("train", train, quality), ("held-out", ~train, held_out_quality)):
        for number, sheet in enumerate(sheets(faces.pixels[chosen])):
            stream = io.BytesIO()
            sheet.save(stream, "WEBP", **({"lossless": True} if wanted == 100 else {"quality": wanted, "method": 6}))
            (folder / f"{name}-{number:03}.webp").write_bytes(stream.getvalue())
    np.savez_compressed(
        folder / "columns.npz", size=faces.pixels.shape[1], align=np.concatenate(align).astype(np.float16),
        tables=np.repeat(np.arange(len(tables)), [len(table) for table in tables]).astype(np.uint8),
        labels=faces.labels, votes=vote_targets(faces).astype(np.float16), splits=faces.splits,
        weights=sampling_weights(tables).astype(np.float16), keys=sample_keys(faces),
        label_sets=np.array(available_label_sets(tables[0])),
    )  # fmt: skip
    known = np.isfinite(np.concatenate(align)[:, 0, 0]).sum()
    print(f"{len(faces)} faces, {train.sum()} to train on, {known} with an alignment")
    return sum(path.stat().st_size for path in folder.iterdir())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+", help="made by scripts.data.prepare; the first names the label sets")
    parser.add_argument("--out", type=Path, default=Path("packed"))
    parser.add_argument("--quality", type=int, default=82, help="WebP quality of the faces to train on")
    parser.add_argument("--held-out-quality", type=int, default=90, help="of the others; 100 is lossless")
    parser.add_argument("--test", action="store_true", help="pack the test splits too")
    options = parser.parse_args(arguments)
    tables = [Faces.load(path) for path in options.tables]
    size = pack(tables, options.tables, options.out, options.quality, options.held_out_quality, options.test)
    print(f"written: {options.out}, {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
