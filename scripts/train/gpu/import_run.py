"""Turn an exported network into the folder of a finished run, for scripts.train.heads and scripts.release.export.

    python -m scripts.train.gpu.import_run --results OUT --name student-75 --run runs/vgg16-075 data/fer2013.npz data/drawn.npz

The tables are those that were packed, in their order. Needs the training environment; the run gets base.keras, config.json and
history.csv.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ...common.git import commit
from ...data.dataset import Faces
from ...data.labels import available_label_sets
from ..networks import VGG_FILTERS, vgg_backbone
from ..runs import lineage
from .arrays import read_arrays

GENERATED = {"dicebear": "drawn", "heads": "rendered", "smiles": "warped"}
"""Source of all faces of a table -> name of the table in a configuration; others are further photographs."""
TOLERANCE = 0.01
"""Largest difference of a feature from PyTorch's, relative to the largest feature: float16 kernels make 0.0005."""


def build(arrays: dict[str, np.ndarray]) -> keras.Model:
    """VGG-16 with these weights; its filters follow from the kernels."""
    filters = [arrays[f"{number:02}-kernel"].shape[3] for number in (0, 2, 4, 7, 10)]
    base = vgg_backbone(16, name="vgg16", filters=filters)
    convolutions = [layer for layer in base.layers if isinstance(layer, keras.layers.Conv2D)]
    for number, layer in enumerate(convolutions):
        layer.set_weights([arrays[f"{number:02}-kernel"].astype(np.float32)])
        norm = base.get_layer(layer.name.replace("conv", "norm"))
        norm.set_weights([arrays[f"{number:02}-{key}"] for key in ("gamma", "beta", "mean", "variance")])
    return base


def feature_difference(base: keras.Model, arrays: dict[str, np.ndarray]) -> float:
    """Largest difference of its features from PyTorch's for the sample faces, relative to the largest feature."""
    known = arrays["sample-features"]
    found = keras.ops.convert_to_numpy(base(arrays["sample-pixels"][..., None].astype(np.float32), training=False))
    return float(np.abs(found - known).max() / max(np.abs(known).max(), 1e-6))


def trainings(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Results of the trainings that gave a network, in their order: `finetune` records that of the one before."""
    return [*(trainings(result["before"]) if result.get("before") else []), result]


def configuration(
    result: dict[str, Any], device: str, name: str, tables: Sequence[Path], filters: Sequence[int]
) -> dict[str, Any]:
    """The run's config.json: recipe, data and network, as scripts.train.base writes them."""
    recipe = result["recipe"]
    augment = {key: recipe[key] for key in ("shift", "rotation", "scale", "brightness", "erase", "mixup")}
    augment |= {key: recipe[key] for key in ("aligned", "blur", "gradient", "noise", "jpeg") if key in recipe}
    network = {} if tuple(filters) == VGG_FILTERS else {"network": {"filters": list(filters)}}
    initial = trainings(result)[0].get("initial")
    data = {"faces": str(tables[0])}
    for path in tables[1:]:
        sources = Faces.load(path).sources
        kind = next((kind for source, kind in GENERATED.items() if (sources == source).all()), "others")
        data[kind] = str(path)
    return {
        "name": "vgg16", "design": "vgg16", "size": 48, "seed": 20261126, **network, "data": data,
        "stages": [{"epochs": round(one["epochs"]), "crop": 48} for one in trainings(result)],
        "optimiser": {
            "peak": recipe["peak"], "momentum": recipe["momentum"], "weight_decay": recipe["decay"], "clipnorm": recipe["clip"],
            "warmup_epochs": round(recipe["warmup"] * result["epochs"], 2), "batch": recipe["batch"], "ema": recipe["ema"],
        },
        "loss": {
            "smoothing": recipe["smoothing"], "dropout": recipe["dropout"], "ferplus": recipe["votes_weight"],
            "distill_weight": recipe["distill_weight"], "temperature": recipe["temperature"],
            **({"soft": result["soft_weight"]} if result.get("soft_weight") else {}),
            **({"teachers": result["teachers"]} if result.get("teachers") else {}),
        },
        "augment": augment | {"cutmix": 0.0},
        "precision": result.get("precision", "bfloat16 (autocast)"), "init_from": initial, "parent": lineage(initial),
        "frozen_blocks": result.get("frozen_blocks", 0), "untaught_tables": result.get("untaught_tables", []), "limit": None,
        "commit": commit(),
        "label_sets": list(available_label_sets(Faces.load(tables[0]))), "trained_on": {"device": device, "network": name},
    }  # fmt: skip


def write_run(run: Path, base: keras.Model, config: dict[str, Any], validation: dict[str, float]) -> None:
    """Write the folder as scripts.train.base does; history.csv has the last epoch alone."""
    run.mkdir(parents=True, exist_ok=True)
    base.save(run / "base.keras")
    (run / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    found = {"fer2013": validation.get("label plain"), "ferplus": validation.get("votes all")}
    metrics = {name: value for name, value in found.items() if value is not None and name in config["label_sets"]}
    last = sum(stage["epochs"] for stage in config["stages"]) - 1
    rows = [",".join(["epoch", *(f"val_{name}_categorical_accuracy" for name in metrics)])]
    rows += [f"{epoch}" + "," * len(metrics) for epoch in range(last)]
    rows.append(",".join([str(last), *(f"{metrics[name] / 100:.4f}" for name in metrics)]))
    (run / "history.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+", help="the tables that were packed, in their order")
    parser.add_argument("--results", type=Path, required=True, help="folder that scripts.train.gpu.train wrote")
    parser.add_argument("--name", default="student-75", help="the network")
    parser.add_argument("--run", type=Path, required=True)
    options = parser.parse_args(arguments)
    results = json.loads((options.results / "results.json").read_text(encoding="utf-8"))
    if options.name not in results["networks"]:
        parser.exit(1, f"{options.name} was not finished: its files are those of the middle of its training\n")
    arrays = read_arrays(options.results, options.name)
    base = build(arrays)
    difference = feature_difference(base, arrays)
    print(f"features differ by at most {difference:.2%} of the largest from PyTorch's")
    if not difference <= TOLERANCE:
        parser.exit(1, "the difference is too large: other weights, or another network\n")
    filters = [arrays[f"{number:02}-kernel"].shape[3] for number in (0, 2, 4, 7, 10)]
    result = results["networks"][options.name]
    config = configuration(result, results["device"], options.name, options.tables, filters)
    write_run(options.run, base, config, result["validation"])
    print(f"written: {options.run}; next: python -m scripts.train.heads --run {options.run}")


if __name__ == "__main__":
    main()
