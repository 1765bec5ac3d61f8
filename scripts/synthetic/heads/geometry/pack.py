"""Convert the head model of a checked-out repository, 158 .obj files, to one .npz file that loads in a second.

python -m scripts.data.fetch ict_facekit
python -m scripts.synthetic.heads.geometry.pack --folder data/sources/ict_facekit/FaceXModel --out data/ict_facekit.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ....data.dataset import DatasetError
from .model import HeadModel, load_head_model


def save_head_model(model: HeadModel, path: Path) -> None:
    """Write a head model in the form that `load_head_model` reads; offsets are rounded to float16, 0.01 mm or less."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path, vertices=model.vertices, faces=model.polygons, uv=model.uv, uv_faces=model.uv_polygons,
        expression_names=np.array(list(model.shapes)), expressions=np.stack(list(model.shapes.values())).astype(np.float16),
        identities=model.identities.astype(np.float16),
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("data/sources/ict_facekit/FaceXModel"))
    parser.add_argument("--out", type=Path, default=Path("data/ict_facekit.npz"))
    options = parser.parse_args(arguments)
    try:
        model = load_head_model(options.folder)
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    save_head_model(model, options.out)
    print(f"written: {options.out}, {len(model.shapes)} expression shapes and {len(model.identities)} components of identity")


if __name__ == "__main__":
    main()
