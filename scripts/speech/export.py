"""Export a run's two networks to models/ as LiteRT files with float16 weights, with their manifest entries.

    KERAS_BACKEND=tensorflow python -m scripts.speech.export --run runs/speech --version 1.0.0

Needs TensorFlow's converter. An existing file is never overwritten: a new model needs a new version.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from emotions.runtime.manifest import BUNDLED
from emotions.speech.spectrogram import BANDS, SAMPLE_RATE, WINDOW_FRAMES

from ..common.litert import to_litert
from ..common.manifest import put_entry
from .rbf import RBFNetwork, to_keras

CORPUS_LICENCES = {
    "ravdess": ("RAVDESS", "CC BY-NC-SA 4.0, non-commercial"),
    "tess": ("TESS", "CC BY-NC-ND 4.0, non-commercial"),
    "emodb": ("EmoDB", "free to download, no written licence"),
}
"""Title and terms of use of each corpus."""
THRESHOLDS = {"too_short": 0.3, "silence": -80.0, "not_speech": 0.5}
"""Minimum seconds of sound in a window, decibels of full scale that its strongest band must exceed, and probability of speech."""


def licence_text(corpora: list[str]) -> str:
    named = [f"{title} ({terms})" for title, terms in (CORPUS_LICENCES.get(one, (one, "terms not stated")) for one in corpora)]
    return f"trained on {', '.join(named)}: research and other non-commercial use only"


def export(run: Path, version: str, folder: Path) -> list[dict[str, Any]]:
    """Write both networks of `run` into `folder` as `version`; return their entries."""
    measured = json.loads((run / "figures.json").read_text(encoding="utf-8"))
    common = {"version": version, "licence": licence_text(list(measured["table"]["used"])), "card": f"speech-rbf-{version}.md"}
    parts = (
        ("speech-rbf", "speech", "emotion.npz", {
            "temperature": measured["temperature"], "thresholds": THRESHOLDS, "evaluation": measured["evaluation"],
            "fitted": measured["config"], "families": measured["families"],
        }),
        ("speech-check", "speech-check", "check.npz", {"temperature": 1.0, "refused": measured["refused"]}),
    )  # fmt: skip
    entries = []
    for name, role, file, more in parts:
        model = RBFNetwork.load(run / file)
        features, outputs = len(model.mean), model.weights.shape[1]
        weights = sum(part.size for part in (model.projection, model.centres, model.weights))
        entry = {
            "name": name, "role": role, "file": f"{name}-{version}.tflite", **common,
            "input": {"features": features, "frames": WINDOW_FRAMES, "bands": BANDS, "rate": SAMPLE_RATE}, "output": outputs,
            "parameters": int(weights), **more,
        }  # fmt: skip
        entries.append(put_entry(folder, entry, to_litert(to_keras(model), "float16")))
        print(f"{name}: {entries[-1]['bytes']} bytes")
    return entries


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/speech"))
    parser.add_argument("--version", required=True)
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    options = parser.parse_args(arguments)
    try:
        export(options.run, options.version, options.models)
    except (FileNotFoundError, ValueError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
