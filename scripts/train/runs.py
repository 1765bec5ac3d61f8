"""What the folder of a run records of itself (config.json), and what it refuses to go on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emotions.errors import ModelFileError
from emotions.runtime.manifest import ModelRegistry

from ..common.git import commit
from ..common.run_names import parent_title
from ..data.dataset import Faces
from ..data.labels import MIXED, available_label_sets
from ..data.sources import NOT_STATED, described, licence_of
from .backbones import DesignError

KEPT = ("start", "begun", "commit")
"""What a run that goes on keeps of its beginning."""
MIXED_HEAD_ONLY = f"head `{MIXED}`"
"""`learnt_by` of the further faces that one head alone learns."""


def resolved(config: dict[str, Any], run: Path, limit: int | None) -> dict[str, Any]:
    """The configuration that `run` is trained by, with its `label_sets`, `limit`, `commit`, and what it was `begun` from.

    A run with a checkpoint goes on from that, and keeps the start it had. Raises DesignError where it was begun from another
    base, on other data or with another limit than is asked for now: what was trained so far would not be what the record says.
    """
    label_sets = list(available_label_sets(Faces.load(config["data"]["faces"])))
    config = {**config, "label_sets": label_sets, "limit": limit}
    if not (run / "checkpoint").exists():
        return {**config, "commit": commit(), "begun": lineage(config.get("start"))}
    before = json.loads((run / "config.json").read_text())
    asked = {name: config.get(name) for name in ("data", "limit")} | {"label_sets": label_sets}
    had = {name: before.get(name, asked[name] if name == "label_sets" else None) for name in asked}
    if config.get("start") and not _same(config["start"], before.get("start")):
        asked["start"], had["start"] = config["start"], before.get("start")
    if differing := [name for name in asked if asked[name] != had[name]]:
        told = "; ".join(f"{name} was {had[name]}, now {asked[name]}" for name in differing)
        raise DesignError(f"{run} would go on from its checkpoint, but was begun otherwise ({told}): name another --run")
    print(f"{run} goes on from its checkpoint" + (f", begun from {before['start']}" if before.get("start") else ""), flush=True)
    return {**config, "start": before.get("start"), **{name: before[name] for name in KEPT if name in before}}


def _same(one: str, other: str | None) -> bool:
    return other is not None and Path(one).resolve() == Path(other).resolve()


def lineage(start: str | None) -> dict[str, Any] | None:
    """What is known of the base that a run begins from: name, version, licence, data and what it was itself begun from.

    The manifest beside a published base says so, or config.json beside a run's.
    """
    if not start:
        return None
    path = Path(start)
    if path.suffix == ".keras":
        config = json.loads((path.parent / "config.json").read_text())
        data = learnt(config, heads=False)
        begun = {"begun": config["begun"]} if config.get("begun") else {}
        return {"name": parent_title(start), "licence": licence_of(data), "data": data, **begun}
    try:
        entries = [entry.metadata for entry in ModelRegistry(path.parent).entries("expression-base")]
    except ModelFileError:
        entries = []
    entry = next((entry for entry in entries if entry["file"] == path.name), {"name": path.stem, "licence": NOT_STATED})
    return {name: entry[name] for name in ("name", "version", "licence", "data", "begun") if entry.get(name)}


def record_head_tables(run: Path, drawn: Path | str | None, others: Path | str | None = None) -> None:
    """Write down which tables of drawings and of further faces the heads of a run learnt from."""
    config = json.loads((run / "config.json").read_text())
    config["heads"] = {"drawn": drawn and str(drawn), "others": others and str(others)}
    (run / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def learnt(config: dict[str, Any], heads: bool, mixed: bool = False) -> list[dict[str, Any]]:
    """Rows of scripts/data/sources.py for all tables that a run learnt from.

    `heads`: whether its heads learnt drawings; `mixed`: whether the head `mixed` learnt further faces.
    """
    data, base = config["data"], bool(config["stages"])
    rows = described(Faces.load(data["faces"]), "base and heads" if base else "heads")
    drawn = config.get("heads", data).get("drawn")
    learnt_by = [who for who, path, yes in (("base", data.get("drawn"), base), ("heads", drawn, heads)) if path and yes]
    if learnt_by:
        rows += described(Faces.load(data.get("drawn") or drawn), " and ".join(learnt_by))
    if mixed:
        rows += described(Faces.load(config["heads"]["others"]), MIXED_HEAD_ONLY)
    return rows
