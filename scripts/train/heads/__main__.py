"""Train dense heads on bottleneck features in minutes: one for each label set, one for their mixture, one for drawn faces.

    python -m scripts.train.heads --run runs/vgg16

Heads see each face as it lies and, where the files of a data set are cropped otherwise than serving does, aligned as served; they
are chosen on aligned validation faces (scripts/train/heads/search.py).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ...data.alignment import aligned_faces, needs_alignment
from ...data.dataset import DatasetError, Faces, sample
from ...data.splits import without_copies
from ..backbones import DesignError
from ..runs import record_head_tables
from .search import KINDS
from .training import train_heads


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/vgg16"), help="folder of a run of scripts.train.base")
    parser.add_argument("--drawn", type=Path, help="table of drawn faces (default: the one that the backbone was trained on)")
    parser.add_argument(
        "--others", type=Path, help="table of further labelled faces for the head `mixed` (default: that of the backbone)"
    )
    parser.add_argument("--rendered", type=Path, help="table of rendered faces for `mixed` (default: that of the backbone)")
    parser.add_argument(
        "--warped",
        type=Path,
        help="table of warped photographs for `mixed` (scripts.synthetic.smiles; default: that of the backbone)",
    )
    parser.add_argument("--limit", type=int, help="dry run: use only so many faces")
    options = parser.parse_args(arguments)
    try:
        config = json.loads((options.run / "config.json").read_text(encoding="utf-8"))
        faces = without_copies(Faces.load(config["data"]["faces"]))
        if options.limit:
            faces = sample(faces, options.limit, config["seed"])
        paths = {kind: getattr(options, kind) or config["data"].get(kind) for kind in KINDS}
        tables = {kind: Faces.load(path) if path else None for kind, path in paths.items()}
        aligned = None
        if needs_alignment(faces):
            aligned = aligned_faces(faces.where(faces.splits != "test"), Path(config["data"]["faces"]))
        train_heads(options.run, faces, config["loss"]["smoothing"], config["seed"], **tables, aligned=aligned)
        record_head_tables(options.run, paths)
    except (DatasetError, DesignError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
