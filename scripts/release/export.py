"""Export a finished run as LiteRT files, the base with int8 weights and the heads with float16, and enter them in the manifest.

    KERAS_BACKEND=tensorflow python -m scripts.release.export --run runs/vgg16 --version 1.0.0
    KERAS_BACKEND=tensorflow python -m scripts.release.export --run runs/resnet50 --version 1.0.0 --models build/models

Needs TensorFlow (its converter). Temperature and reliability are computed here on validation, from the exported files through
the library's own code. A file that is there already is never overwritten: a new model takes a new version.

Only the default design lies in models/. Any other folder gets the detectors too, so that it can be served as it is; it may hold
several designs, whose heads are called `<base>-<truth>` (`resnet50-mixed`), the default's `<truth>` alone. To serve one:

    make run MODELS=build/models EXPRESSION_HEAD=resnet50-mixed
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from emotions.face.classifier import ExpressionClassifier
from emotions.face.drawn_detector import ROLE
from emotions.runtime.litert import softmax
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.litert import to_litert
from ..common.manifest import drop_entry, put_entry
from ..common.metrics import fit_temperature, reliability
from ..common.run_names import run_name
from ..data.dataset import DatasetError, Faces
from ..data.labels import MIXED, targets_and_mask
from ..data.sources import licence_of
from ..train.backbones import DesignError, design_of
from ..train.networks import folded
from ..train.runs import MIXED_HEAD_ONLY, learnt, lineage

HEAD_WEIGHTS = "float16"
"""As int8 one dense head gave other answers for 13 % of validation faces (1.2 points lost); no head is large."""
SHIPPED = "vgg16"
"""The base in models/: its heads bear their truth's name alone."""
NOTICES = ("LICENSE-APACHE-2.0", "NOTICE.md")
"""What goes with the detectors wherever they are copied."""
WEIGHTS_LICENCES = {"vgg16_imagenet": "VGG-16's weights by Oxford's Visual Geometry Group (CC BY 4.0), as Keras has them"}
"""Design -> the licence of weights that others trained."""


def licence(config: dict[str, Any], data: list[dict[str, Any]], begun: dict[str, Any] | None, head: str = "") -> str:
    """The terms of all that a run's base and this `head` come from: weights of others, the data, the base that it went on from."""
    data = [row for row in data if head == MIXED or row["learnt_by"] != MIXED_HEAD_ONLY]
    parts = [WEIGHTS_LICENCES.get(design_of(config), ""), licence_of(data)]
    own = [row for row in data if row["learnt_by"].startswith("base")]
    photographed = [row for row in own if row["source"] != "dicebear"]
    if begun and begun["licence"] not in map(licence_of, filter(None, (data, own, photographed))):  # else nothing more
        parts.append(f"begun from {begun['name']} {begun.get('version', '')}: {begun['licence']}")
    return "; ".join(filter(None, parts))


def quantisation_loss(exact: np.ndarray, logits: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Accuracies of float32 and stored models' logits (N, 7) over the rows that count, and the share of same answers."""
    before, after = exact.argmax(axis=1), logits.argmax(axis=1)
    values = {"float32": before == truth, "stored": after == truth, "same_answers": before == after}
    return {name: round(float(value[counts].mean()), 4) for name, value in values.items()}


def export(run: Path, version: str, folder: Path) -> None:
    """Write base and heads of `run` into `folder` as `version`; files of the versions that they replace go.

    Raises DesignError where a design that does not ship would go into models/, or a run without the head that answers by
    default; ValueError where a published file would change.
    """
    config, tried = json.loads((run / "config.json").read_text()), json.loads((run / "heads.json").read_text())
    if folder.resolve() == BUNDLED and config["name"] != SHIPPED:
        raise DesignError(f"only {SHIPPED} ships in {BUNDLED.name}/: name another folder with --models")
    if folder.resolve() == BUNDLED and MIXED not in tried:
        raise DesignError(f"{BUNDLED.name}/ ships the head `{MIXED}`, which needs votes: name another folder with --models")
    heads = [name for name in tried if name != "drawn"]
    drawn_learnt = "drawn" in tried and any(tried[name]["chosen"]["drawn_weight"] for name in heads)
    others_learnt = any(tried[name]["chosen"].get("others_weight") for name in heads)
    data = learnt(config, drawn_learnt or (run / "head-drawn.keras").is_file(), others_learnt)
    begun = config.get("begun") or lineage(config.get("start"))
    faces = Faces.load(config["data"]["faces"]).split("validation")
    base_name, size = config["name"], config["size"]
    before = _files(folder)
    base = folded(keras.saving.load_model(run / "base.keras", compile=False), size)
    common = {"version": version, "licence": licence(config, data, begun), "card": f"{base_name}-{version}.md"}
    put_entry(folder, {
        **common, "name": base_name, "role": "expression-base", "file": f"{base_name}-{version}.tflite",
        "design": design_of(config), "run": run_name(run), "data": data, **({"begun": begun} if begun else {}),
        "input": {"size": size, "channels": 1}, "output": base.output_shape[1], "parameters": base.count_params(),
    }, to_litert(base))  # fmt: skip
    _put_detectors(folder)
    floats = base.predict(faces.pixels[..., None], batch_size=128, verbose=0)
    features, called = None, {name: name if base_name == SHIPPED else f"{base_name}-{name}" for name in heads}
    for entry in [head.metadata for head in ModelRegistry(folder).entries("expression-head")]:
        if entry["base"] == base_name and entry["name"] not in called.values():
            drop_entry(folder, "expression-head", entry["name"])  # of other label_sets: it would read this base's features as the former's
    for name in heads:
        head = keras.saving.load_model(run / f"head-{name}.keras", compile=False)
        entry = {
            **common, "name": called[name], "role": "expression-head",
            "file": f"{base_name}-{name}-{version}.tflite", "base": base_name, "truth": name,
            "input": {"size": head.input_shape[1], "channels": 1}, "output": head.output_shape[1],
            "parameters": head.count_params(), "temperature": 1.0, "thresholds": {},
            "chosen": tried[name]["chosen"], "licence": licence(config, data, begun, name),
        }  # fmt: skip
        put_entry(folder, entry, to_litert(head, HEAD_WEIGHTS))
        model = ExpressionClassifier(ModelRegistry(folder), entry["name"])
        features = model.features(faces.pixels) if features is None else features
        logits = model.logits(features)
        exact = head.predict(floats, batch_size=1024, verbose=0)
        truth, counts = targets_and_mask(name, faces)
        entry["temperature"] = round(fit_temperature(logits[counts], truth[counts]), 4)
        entry["reliability"] = reliability(softmax(logits[counts], entry["temperature"]), truth[counts])
        entry["quantisation"] = quantisation_loss(exact, logits, truth, counts)
        put_entry(folder, entry, folder / entry["file"])
        print(f"{entry['name']}: temperature {entry['temperature']}, {(folder / entry['file']).stat().st_size} bytes")
    drawn = "drawn" if base_name == SHIPPED else f"{base_name}-drawn"
    drop_entry(folder, "drawn-head", drawn)  # one of another base's features would answer with noise
    for entry in [verifier.metadata for verifier in ModelRegistry(folder).entries(ROLE)]:
        if entry["base"] == base_name:
            drop_entry(folder, ROLE, entry["name"])
            print(f"{entry['name']} read the former base's features: train it again with python -m scripts.train.drawn_face_verifier")
    if (run / "head-drawn.keras").is_file():
        put_drawn_head(run, folder, drawn, common | {"base": base_name}, tried["drawn"]["chosen"])
    for name in before - _files(folder):
        (folder / name).unlink(missing_ok=True)


def put_drawn_head(run: Path, folder: Path, name: str, common: dict[str, Any], chosen: dict[str, Any]) -> None:
    """Write the head that tells drawn faces; `common`: what its entry shares with those of the base and the other heads."""
    head = keras.saving.load_model(run / "head-drawn.keras", compile=False)
    put_entry(folder, {
        **common, "name": name, "role": "drawn-head", "file": f"{common['base']}-drawn-{common['version']}.tflite",
        "input": {"size": head.input_shape[1], "channels": 1}, "output": 1, "parameters": head.count_params(),
        "temperature": 1.0, "chosen": chosen,
    }, to_litert(head, HEAD_WEIGHTS))  # fmt: skip


def _put_detectors(folder: Path) -> None:
    """Give a folder that has none the detectors and landmarks that ship, with their licence."""
    if ModelRegistry(folder).entries("detector"):
        return
    for role in ("detector", "landmarks"):
        for entry in [shipped.metadata for shipped in ModelRegistry().entries(role)]:
            put_entry(folder, entry, BUNDLED / entry["file"])
    for name in NOTICES:
        shutil.copy(BUNDLED / name, folder)


def _files(folder: Path) -> set[str]:
    """Names of the files that the manifest knows, cards and their pictures included."""
    if not (folder / "manifest.json").is_file():
        return set()
    entries = [entry.metadata for entry in ModelRegistry(folder).entries()]
    pictures = {name for entry in entries for name in entry.get("pictures", ())}
    return {entry[key] for entry in entries for key in ("file", "card") if entry.get(key)} | pictures


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/vgg16"))
    parser.add_argument("--version", required=True)
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    options = parser.parse_args(arguments)
    try:
        export(options.run, options.version, options.models)
    except (DatasetError, DesignError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
