"""Measure the heads as they are served, through the HTTP API; write the figures into evaluation.json and the card.

    python -m scripts.evaluate.served --run runs/vgg16 --london data/london     # make evaluate-served
    python -m scripts.evaluate.served --limit 40 --london data/london           # a dry run that writes nothing
    python -m scripts.evaluate.served --verify --london data/london             # compare with what is published

For each head a server is started, as `make run` starts it. It gets the test faces of the table that are published as pictures, as
files of their own size, and the photographs of `--london` (scripts/evaluate/served/groups.py), where the folder exists. In a
folder with several backbones the heads of the run's backbone are measured, or all with --verify.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emotions.errors import ModelFileError
from emotions.face.defaults import DEFAULT_HEAD
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ...common.manifest import put_entry
from ...data.dataset import DatasetError, Faces, sample
from ...report.card import write_card
from ..accuracy import TABLE, compare, expression_heads
from .accuracy import measure_accuracy, picture_sets, pictures_mask
from .groups import Photograph, measure_groups, read_photographs
from .server import ServedError, serve

LONDON = Path("data/london")


def measure(
    models: Path, heads: Sequence[str], faces: Faces, photographs: Sequence[Photograph]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Measure heads through the API: {head: {"through_api": {set: metrics}, "portraits": groups}}, without what is empty.

    The default detector is measured with the default head alone, or with the first: the head changes nothing of it.
    """
    if not photographs and not any(picture_sets(faces)):
        return {head: {} for head in heads}
    detecting = DEFAULT_HEAD if DEFAULT_HEAD in heads else heads[0]
    report: dict[str, dict[str, dict[str, Any]]] = {}
    for head in heads:
        report[head] = {}
        with serve(models, head) as client:
            if sets := measure_accuracy(client, faces, head == detecting):
                report[head]["through_api"] = sets
            if photographs:
                report[head]["portraits"] = measure_groups(client, photographs)
        print("\n".join(_lines(head, report[head])), flush=True)
    return report


def _lines(head: str, measured: Mapping[str, Any]) -> Iterator[str]:
    """What was measured of a head, a line each."""
    for name, row in measured.get("through_api", {}).items():
        yield (f"{head:10} {name:20} through the API: accuracy {row['accuracy']:.4f} ({row['right']} of {row['count']}), "
               f"balanced recall {row['balanced_recall']:.4f}, calibration error {row['ece']:.4f}")  # fmt: skip
        if found := row.get("found"):
            yield (f"{'':10} {'':20} by the default detector: {found['faces']['share']:.4f} of the faces found, "
                   f"{found['right']['share']:.4f} right")  # fmt: skip
    portraits = measured.get("portraits", {"rows": [], "differences": {}})
    for row in portraits["rows"]:
        called = ", ".join(f"{label} {one['right']} of {one['count']}" for label, one in row["labels"].items())
        yield f"{head:10} {row['by']}: {row['group']}, {row['people']} people: {called}, found {row['found']['share']:.4f}"
    for label, row in portraits["differences"].items():
        yield f"{head:10} {label}, women minus men: {row['difference']:+.3f}, p = {row['p']:.4f}"


def counts(measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Counts that two measurements of a head are compared by: {name: a mapping with `count` and `right`}."""
    found = {f"{name} through the API": row for name, row in measured.get("through_api", {}).items()}
    for row in measured.get("portraits", {}).get("rows", ()):
        shares = {**row["labels"], "found": row["found"]}
        found |= {f"photographs of {row['by']} {row['group']}, {name}": one for name, one in shares.items()}
    return found


def publish(folder: Path, config: dict[str, Any], measured: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write what was measured to the evaluation, and the card; return its path."""
    for entry in expression_heads(ModelRegistry(folder), config["name"]):
        put_entry(folder, {**entry, **measured[entry["name"]]}, folder / entry["file"])
    return write_card(folder, config)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--faces", type=Path, help=f"made by scripts.data.prepare (default: the run's own; with --verify or --limit {TABLE})"
    )
    parser.add_argument("--london", type=Path, default=LONDON, help=f"folder of photographs (default {LONDON}; may be absent)")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--run", type=Path, default=Path("runs/vgg16"), help="exported run, for the recipe in the card")
    parser.add_argument("--limit", type=int, help="post so many faces and photographs at most, and write nothing")
    parser.add_argument("--verify", action="store_true", help="compare with the published figures instead of writing them")
    options = parser.parse_args(arguments)
    writes = not options.verify and options.limit is None
    try:
        config = json.loads((options.run / "config.json").read_text(encoding="utf-8")) if writes else None
        faces = Faces.load(options.faces or (Path(config["data"]["faces"]) if config else TABLE))
        photographs = read_photographs(options.london) if options.london.is_dir() else []
        heads = expression_heads(ModelRegistry(options.models), config and config["name"])
        if options.limit is not None:
            pictures = faces.where((faces.splits == "test") & pictures_mask(faces))
            faces, photographs = sample(pictures, options.limit, 0), photographs[: options.limit]
        measured = measure(options.models, [entry["name"] for entry in heads], faces, photographs)
    except (DatasetError, ModelFileError, ServedError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")
    if not photographs:
        print(f"no photographs at {options.london}: groups of people were left out")
    if not any(picture_sets(faces)):
        print("no test faces that are published as pictures: accuracy through the API was left out")
    if options.limit is not None:
        print("a dry run: nothing was compared or written")
    elif config is not None:
        print(f"written: {publish(options.models, config, measured)}")
    else:
        published = {entry["name"]: counts(entry) for entry in heads}
        differences = compare(published, {head: counts(one) for head, one in measured.items()})
        parser.exit(1, "\n".join(differences) + "\n") if differences else print("as published in the manifest and the card")


if __name__ == "__main__":
    main()
