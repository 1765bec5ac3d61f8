"""Record of a run in its folder (config.json): resolved configuration, lineage, training data."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from emotions.errors import ModelFileError
from emotions.runtime.manifest import ModelRegistry

from ..common.git import commit
from ..common.run_names import parent_title
from ..data.dataset import Faces
from ..data.labels import MIXED, available_label_sets
from ..data.sources import NOT_STATED, data_statement, licence_of
from .backbones import DesignError

KEPT = ("init_from", "parent", "commit")
"""Settings that a resumed run keeps from its start."""
MIXED_HEAD_ONLY = f"head `{MIXED}`"
"""`learnt_by` of the further faces, on which one head alone is trained."""


def resolve_config(config: dict[str, Any], run: Path, limit: int | None) -> dict[str, Any]:
    """Resolve the configuration that `run` is trained with: adds `label_sets`, `limit`, `commit` and the `parent` backbone.

    A run with a checkpoint resumes from it and keeps its initial backbone. Raises DesignError if it was started from another
    backbone, on other data or with another limit: the record would not describe what was trained so far.
    """
    label_sets = list(available_label_sets(Faces.load(config["data"]["faces"])))
    config = {**config, "label_sets": label_sets, "limit": limit}
    if not (run / "checkpoint").exists():
        return {**config, "commit": commit(), "parent": lineage(config.get("init_from"))}
    before = json.loads((run / "config.json").read_text(encoding="utf-8"))
    now = {name: config.get(name) for name in ("data", "limit", "label_sets")}
    then = {name: before.get(name) for name in now}
    if config.get("init_from") and not _same(config["init_from"], before.get("init_from")):
        now["init_from"], then["init_from"] = config["init_from"], before.get("init_from")
    if differing := [name for name in now if now[name] != then[name]]:
        changes = "; ".join(f"{name} was {then[name]}, now {now[name]}" for name in differing)
        raise DesignError(f"{run} has a checkpoint that was started with other settings ({changes}): name another --run")
    initial = f", initialised from {before['init_from']}" if before.get("init_from") else ""
    print(f"{run} resumes from its checkpoint{initial}", flush=True)
    return {**config, "init_from": before.get("init_from"), **{name: before[name] for name in KEPT if name in before}}


def _same(one: str, other: str | None) -> bool:
    return other is not None and Path(one).resolve() == Path(other).resolve()


def lineage(init_from: str | None) -> dict[str, Any] | None:
    """Name, version, licence, data and predecessors of an initial backbone, in the form of the manifest's field `begun`.

    They are read from the manifest beside a published backbone, or from config.json beside that of a run.
    """
    if not init_from:
        return None
    path = Path(init_from)
    if path.suffix == ".keras":
        config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
        data = training_data(config, heads=False)
        parent = {"begun": config["parent"]} if config.get("parent") else {}
        return {"name": parent_title(init_from), "licence": licence_of(data), "data": data, **parent}
    try:
        entries = [entry.metadata for entry in ModelRegistry(path.parent).entries("expression-base")]
    except ModelFileError:
        entries = []
    entry = next((entry for entry in entries if entry["file"] == path.name), {"name": path.stem, "licence": NOT_STATED})
    return {name: entry[name] for name in ("name", "version", "licence", "data", "begun") if entry.get(name)}


def record_head_tables(run: Path, tables: Mapping[str, Path | str | None]) -> None:
    """Record in config.json the tables besides that of the label sets, by kind, that the heads of a run were trained on."""
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    config["heads"] = {kind: path and str(path) for kind, path in tables.items()}
    (run / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def training_data(config: dict[str, Any], heads: bool, mixed: Container[str] = ()) -> list[dict[str, Any]]:
    """Data statement (see scripts/data/sources.py) of all tables that a run was trained on.

    Args:
        config: resolved configuration of the run.
        heads: true if its heads were trained on drawn faces.
        mixed: which of `others`, `rendered` and `warped` its head `mixed` was trained on.
    """
    data, base = config["data"], bool(config["stages"])
    rows = data_statement(Faces.load(data["faces"]), "base and heads" if base else "heads")
    for kind in ("drawn", "others", "rendered", "warped"):
        learned = heads if kind == "drawn" else kind in mixed
        by_head = "heads" if kind == "drawn" else MIXED_HEAD_ONLY
        tables = {"base": data.get(kind) if base else None, by_head: config.get("heads", data).get(kind) if learned else None}
        if trained := {who: path for who, path in tables.items() if path}:
            rows += data_statement(Faces.load(next(iter(trained.values()))), " and ".join(trained))
    return rows
