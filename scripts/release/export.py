"""Export a finished run as LiteRT files (backbone int8, heads float16) and add them to the manifest.

    KERAS_BACKEND=tensorflow python -m scripts.release.export --run runs/vgg16 --version 1.0.0
    KERAS_BACKEND=tensorflow python -m scripts.release.export --run runs/resnet50 --version 1.0.0 --models build/models

Needs TensorFlow's converter. Temperature and reliability are computed on validation faces as serving aligns them, by the library
from the exported files. An existing file is never overwritten: a new model gets a new version.

models/ holds the shipped architecture alone. Any other folder gets the detectors too, so that it can be served; it may hold
several architectures, whose heads are called `<backbone>-<label set>` (`resnet50-mixed`), while those of the shipped one are
called `<label set>`. To serve one:

    make run MODELS=build/models EXPRESSION_HEAD=resnet50-mixed
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from emotions.face.classifier import COVERED_ROLE, ExpressionClassifier
from emotions.face.drawn_detector import ROLE
from emotions.runtime.litert import softmax
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.litert import to_litert
from ..common.manifest import drop_entry, put_entry
from ..common.metrics import fit_shared_temperature, reliability
from ..common.run_names import run_name
from ..data.alignment import aligned_faces, needs_alignment
from ..data.dataset import DatasetError, Faces
from ..data.labels import MIXED, targets_and_mask
from ..data.sources import licence_of
from ..data.splits import without_copies
from ..train.backbones import DesignError, design_of
from ..train.heads.search import JUDGES
from ..train.networks import folded
from ..train.runs import MIXED_HEAD_ONLY, lineage, training_data

HEAD_WEIGHTS: Literal["float16"] = "float16"
"""As int8 one dense head predicted otherwise for 13 % of validation faces (1.2 points lost); no head is large."""
SHIPPED = "vgg16"
"""The backbone in models/: its heads are named after their label set alone."""
NOTICES = ("LICENSE-APACHE-2.0", "NOTICE.md")
"""Files that are copied together with the detectors."""
GENERATED = ("dicebear", "heads", "smiles")
"""Sources of drawn, rendered and warped faces."""
WEIGHTS_LICENCES = {"vgg16_imagenet": "VGG-16's weights by Oxford's Visual Geometry Group (CC BY 4.0), as Keras has them"}
"""Architecture -> licence of published weights that it starts from."""


def licence(config: dict[str, Any], data: list[dict[str, Any]], parent: dict[str, Any] | None, head: str = "") -> str:
    """Terms of a backbone and of this `head`: published weights, training data, and the initial backbone's terms."""
    data = [row for row in data if head == MIXED or row["learnt_by"] != MIXED_HEAD_ONLY]
    parts = [WEIGHTS_LICENCES.get(design_of(config), ""), licence_of(data)]
    own = [row for row in data if row["learnt_by"].startswith("base")]
    photographed = [row for row in own if row["source"] not in GENERATED]
    if parent and parent["licence"] not in map(licence_of, filter(None, (data, own, photographed))):  # else it adds nothing
        parts.append(f"initialised from {parent['name']} {parent.get('version', '')}: {parent['licence']}")
    return "; ".join(filter(None, parts))


def quantisation_loss(exact: np.ndarray, logits: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Accuracies of float32 and stored models' logits (N, 7) over the masked rows, and their share of equal predictions."""
    before, after = exact.argmax(axis=1), logits.argmax(axis=1)
    values = {"float32": before == labels, "stored": after == labels, "same_answers": before == after}
    return {name: round(float(value[mask].mean()), 4) for name, value in values.items()}


@dataclass(frozen=True)
class Export:
    """A run that is exported: its folder, configuration, report of the heads, data statement and lineage."""

    run: Path
    version: str
    folder: Path
    config: dict[str, Any]
    heads: dict[str, Any]
    data: list[dict[str, Any]]
    parent: dict[str, Any] | None

    @classmethod
    def of(cls, run: Path, version: str, folder: Path) -> Export:
        """Read a run. Raises DesignError if it must not be exported to this folder."""
        config = json.loads((run / "config.json").read_text(encoding="utf-8"))
        heads = json.loads((run / "heads.json").read_text(encoding="utf-8"))
        if folder.resolve() == BUNDLED and config["name"] != SHIPPED:
            raise DesignError(f"only {SHIPPED} ships in {BUNDLED.name}/: name another folder with --models")
        if folder.resolve() == BUNDLED and MIXED not in heads:
            raise DesignError(f"{BUNDLED.name}/ ships the head `{MIXED}`, which needs votes: name another folder with --models")
        chosen = [one["chosen"] for name, one in heads.items() if name != "drawn"]
        drawn = "drawn" in heads and any(row["drawn_weight"] for row in chosen)
        mixed = [kind for kind in ("others", "rendered", "warped") if any(row.get(f"{kind}_weight") for row in chosen)]
        data = training_data(config, drawn or (run / "head-drawn.keras").is_file(), mixed)
        return cls(run, version, folder, config, heads, data, config.get("parent") or lineage(config.get("init_from")))

    @property
    def label_sets(self) -> list[str]:
        """Label sets of which there are heads."""
        return [name for name in self.heads if name not in (MIXED, "drawn")]

    @property
    def base(self) -> str:
        """Name of the backbone."""
        return self.config["name"]

    @property
    def common(self) -> dict[str, Any]:
        """Fields that the entries of the backbone and of all heads share."""
        terms = licence(self.config, self.data, self.parent)
        return {"version": self.version, "licence": terms, "card": f"{self.base}-{self.version}.md"}

    def name_of(self, head: str) -> str:
        """Name of a head's entry."""
        return head if self.base == SHIPPED else f"{self.base}-{head}"

    def put_backbone(self) -> keras.Model:
        """Write the backbone with batch norms folded; return the Keras model that was converted."""
        size = self.config["size"]
        base = folded(keras.saving.load_model(self.run / "base.keras", compile=False), size)
        put_entry(self.folder, {
            **self.common, "name": self.base, "role": "expression-base", "file": f"{self.base}-{self.version}.tflite",
            "design": design_of(self.config), "run": run_name(self.run), "data": self.data,
            **({"begun": self.parent} if self.parent else {}),
            "input": {"size": size, "channels": 1}, "output": base.output_shape[1], "parameters": base.count_params(),
        }, to_litert(base))  # fmt: skip
        return base

    def put_heads(self, base: keras.Model, faces: Faces, further: Sequence[Faces] = ()) -> None:
        """Write the expression heads, with temperature and reliability measured on validation `faces` by the exported files.

        The temperature of a label set's head is fitted on its labels; that of `mixed` on all sets by which it is chosen, each
        counting alike: the label sets of `faces`, and the labels of the `further` tables' validation faces.
        """
        exact_features = base.predict(faces.pixels[..., None], batch_size=128, verbose=0)
        features = None
        for name in (name for name in self.heads if name != "drawn"):
            head = keras.saving.load_model(self.run / f"head-{name}.keras", compile=False)
            entry = {
                **self.common, "name": self.name_of(name), "role": "expression-head",
                "file": f"{self.base}-{name}-{self.version}.tflite", "base": self.base, "truth": name,
                "input": {"size": head.input_shape[1], "channels": 1}, "output": head.output_shape[1],
                "parameters": head.count_params(), "temperature": 1.0, "thresholds": {},
                "chosen": self.heads[name]["chosen"], "licence": licence(self.config, self.data, self.parent, name),
            }  # fmt: skip
            put_entry(self.folder, entry, to_litert(head, HEAD_WEIGHTS))
            model = ExpressionClassifier(ModelRegistry(self.folder), entry["name"])
            features = model.features(faces.pixels) if features is None else features
            logits, labels, mask = model.logits(features), *targets_and_mask(name, faces)
            sets = [(logits[mask], labels[mask])]
            if name == MIXED:
                own = [(logits[known], ids[known]) for ids, known in (targets_and_mask(one, faces) for one in self.label_sets)]
                sets = [*own, *((model.logits(model.features(table.pixels)), table.labels) for table in further)]
            entry["temperature"] = round(fit_shared_temperature(sets), 4)
            entry["reliability"] = reliability(softmax(logits[mask], entry["temperature"]), labels[mask])
            exact = head.predict(exact_features, batch_size=1024, verbose=0)
            entry["quantisation"] = quantisation_loss(exact, logits, labels, mask)
            put_entry(self.folder, entry, self.folder / entry["file"])
            print(f"{entry['name']}: temperature {entry['temperature']}, {(self.folder / entry['file']).stat().st_size} bytes")

    def put_drawn_head(self) -> None:
        """Write the drawn-face head."""
        head = keras.saving.load_model(self.run / "head-drawn.keras", compile=False)
        put_entry(self.folder, {
            **self.common, "base": self.base, "name": self.name_of("drawn"), "role": "drawn-head",
            "file": f"{self.base}-drawn-{self.version}.tflite", "input": {"size": head.input_shape[1], "channels": 1},
            "output": 1, "parameters": head.count_params(), "temperature": 1.0, "chosen": self.heads["drawn"]["chosen"],
        }, to_litert(head, HEAD_WEIGHTS))  # fmt: skip

    def drop_stale_heads(self) -> None:
        """Drop the entries of this backbone's earlier version: a head is only valid for the backbone it was trained on."""
        kept = {self.name_of(name) for name in self.heads if name != "drawn"}
        registry = ModelRegistry(self.folder)
        for entry in registry.entries("expression-head"):
            if entry.base == self.base and entry.name not in kept:
                drop_entry(self.folder, "expression-head", entry.name)
        drop_entry(self.folder, "drawn-head", self.name_of("drawn"))
        for role, module in ((ROLE, "drawn_face_verifier"), (COVERED_ROLE, "covered_face_head")):
            for entry in registry.entries(role):
                if entry.base == self.base:
                    drop_entry(self.folder, role, entry.name)
                    print(f"{entry.name} was trained on the previous backbone: run python -m scripts.train.{module} again")


def export(run: Path, version: str, folder: Path) -> None:
    """Write backbone and heads of `run` to `folder` as `version`; files of the version that they replace are deleted.

    Raises:
        DesignError: if an architecture that does not ship would go into models/, or a run without the default head.
        ValueError: if a published file would change.
    """
    exported = Export.of(run, version, folder)
    table = Path(exported.config["data"]["faces"])
    faces = without_copies(Faces.load(table)).split("validation")
    if needs_alignment(faces):  # the temperature is that of faces as they are served
        faces = aligned_faces(faces, table)
    before = _files(folder)
    base = exported.put_backbone()
    _put_detectors(folder)
    exported.drop_stale_heads()
    exported.put_heads(base, faces, _further_validation(exported.config["data"]))
    if (run / "head-drawn.keras").is_file():
        exported.put_drawn_head()
    for name in before - _files(folder):
        (folder / name).unlink(missing_ok=True)


def _further_validation(tables: dict[str, str]) -> list[Faces]:
    """Labelled validation faces of each further table that `mixed` is chosen by and that is there."""
    paths = [Path(tables[kind]) for kind in JUDGES if tables.get(kind)]
    held = [Faces.load(path).split("validation") for path in paths if path.is_file()]
    labelled = [table.where(table.labels >= 0) for table in held]
    return [table for table in labelled if len(table)]


def _put_detectors(folder: Path) -> None:
    """Copy the shipped detectors and landmarks, with their licence, to a folder that has none."""
    if ModelRegistry(folder).entries("detector"):
        return
    for role in ("detector", "landmarks"):
        for entry in [shipped.metadata for shipped in ModelRegistry().entries(role)]:
            put_entry(folder, entry, BUNDLED / entry["file"])
    for name in NOTICES:
        shutil.copy(BUNDLED / name, folder)


def _files(folder: Path) -> set[str]:
    """Names of the files in the manifest, cards and their pictures included."""
    if not (folder / "manifest.json").is_file():
        return set()
    entries = [entry.metadata for entry in ModelRegistry(folder).entries()]
    pictures = {name for entry in entries for name in entry.get("pictures", ())}
    return {entry[key] for entry in entries for key in ("file", "card") if entry.get(key)} | pictures


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
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
