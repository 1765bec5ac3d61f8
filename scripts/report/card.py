"""Model card of an expression model: Markdown from the measured metrics and the run's configuration.

The text is in templates/expression_card.md.j2.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2

from emotions.face.classifier import COVERED_ROLE
from emotions.runtime.manifest import ModelRegistry

from ..common.git import commit
from ..common.markdown import table
from ..data.sources import source_of
from . import through_api
from .failures import served, worded
from .reliability import MIN_BIN, chart_of
from .tables import (
    accuracy_table,
    confusion_table,
    covered_table,
    drawn_table,
    group_tables,
    quantisation_table,
    reliability_table,
    set_title,
    support_table,
)

WIDTH = 128
TEMPLATES = Path(__file__).with_name("templates")
NETWORKS = {
    "vgg16": "VGG-16 with batch norm, without its top, trained on faces, batch norm folded",
    "vgg19": "VGG-19 with batch norm, without its top, trained on faces, batch norm folded",
    "fer_cnn": "four convolutions and two dense layers trained on faces, batch norm folded",
    "vgg16_imagenet": "VGG-16 as published for ImageNet, without its top, not trained on faces",
    "residual": "a residual network of this project trained on faces, batch norm folded",
    "resnet50": "ResNet-50 with stride 1 in its stem for small grey pictures, trained on faces, batch norm folded",
}
"""Descriptions of the architectures in scripts/train/backbones.py."""
BOOTSTRAP = "bootstrap, 2,000 draws"
"""Method of the intervals that have none recorded."""

__all__ = ["confusion_table", "write_card"]


def recipe(config: dict[str, Any]) -> str:
    """Description of the training of a run's backbone."""
    if not config["stages"]:
        return "the backbone was not trained; heads alone were."
    chosen, loss, augment = config["optimiser"], config["loss"], config["augment"]
    label_sets = " and ".join(f"`{name}`" for name in config.get("label_sets", ("fer2013", "ferplus")))
    stages = ", then ".join(f"{stage['epochs']} epochs on crops of {stage['crop']} px" for stage in config["stages"])
    parts = [
        f"backbone and linear heads for {label_sets} trained together, {stages}",
        f"SGD with Nesterov momentum {chosen['momentum']:g}, peak rate {chosen['peak']:g} after a warm-up of "
        f"{chosen['warmup_epochs']:g} epochs, cosine decay, batch {chosen['batch']}, weight decay {chosen['weight_decay']:g}, "
        f"gradients clipped at {chosen['clipnorm']:g}",
        f"label smoothing {loss['smoothing']:g}, dropout {loss['dropout']:g}",
        "augmented by " + ", ".join(f"{name} {value:g}" for name, value in augment.items() if value) + " and mirroring",
        f"moving average of weights at {chosen['ema']:g}" if chosen.get("ema") else "",
        f"final weights interpolated with {chosen['init_weight']:.0%} of the initial ones" if chosen.get("init_weight") else "",
        f"{loss['soft']:.0%} of the target from soft labels" if loss.get("soft") else "",
        _taught_by(loss),
        f"the first {config['frozen_blocks']} blocks as they were initially" if config.get("frozen_blocks") else "",
        f"precision {config['precision']}" if config.get("precision") else "",
        f"a dry run on {config['limit']:,} faces" if config.get("limit") else "",
    ]
    return "; ".join(part for part in parts if part) + "."


def _taught_by(loss: dict[str, Any]) -> str:
    """Teachers of a backbone, each `FILE[:unaligned][:first]` as scripts.train.gpu.finetune takes them; empty without any."""
    texts = []
    for teacher in loss.get("teachers", ()):
        file, *words = teacher.split(":")
        notes = ["seeing faces as they lie"] * ("unaligned" in words) + ["for the first table alone"] * ("first" in words)
        texts.append(f"`{file.removesuffix('.tflite')}`" + (f" ({', '.join(notes)})" if notes else ""))
    if not texts:
        return ""
    share, temperature = loss["distill_weight"], loss["temperature"]
    return f"{share:.0%} of the loss from the mean predictions of {', '.join(texts)} at temperature {temperature:g}"


def initialised_from(parent: dict[str, Any] | None) -> str:
    """Lineage of a backbone; empty for one that was trained from scratch."""
    names = []
    while parent:
        names.append(f"{parent['name']} {parent.get('version', '')}".strip() + f" ({parent['licence']})")
        parent = parent.get("begun")
    return f"{', itself initialised from '.join(names)}." if names else ""


def write_card(folder: Path, config: dict[str, Any]) -> Path:
    """Write the card of a run's exported backbone and heads to `folder`; return its path."""
    registry = ModelRegistry(folder)
    base = dict(registry.entry("expression-base", config["name"]).metadata)
    heads = [dict(entry.metadata) for entry in registry.entries("expression-head") if entry.base == base["name"]]
    drawn_heads, covered_heads = (
        [entry.metadata for entry in registry.entries(role) if entry.base == base["name"] and entry.evaluation]
        for role in ("drawn-head", COVERED_ROLE)
    )
    sets = {name for entry in heads for name in entry["evaluation"]}
    methods = {row.get("interval_method", BOOTSTRAP) for entry in heads for row in entry["evaluation"].values()}
    context = {
        "base": base, "config": config, "served": served(heads), "drawn_heads": drawn_heads,
        "covered_heads": covered_heads, "sources": _sources(base),
        "facts": facts(base, heads, config), "data_rows": list(_data_rows(base)), "absent": list(_absent(base)),
        "accuracy_table": accuracy_table(heads), "group_tables": list(group_tables(heads)), "support_table": support_table(heads),
        "quantisation_table": quantisation_table(heads), "reliability_table": reliability_table(served(heads)),
        "interval_method": " and ".join(sorted(methods)), "human_agreement": {"ferplus_test", "fer2013_test"} <= sets,
        "drawn_recall": _drawn_recall(base, heads), "min_bin": MIN_BIN, "samples": _samples(base.get("failures", {})),
        "reliability_chart": chart_of(base) if chart_of(base) in base.get("pictures", ()) else "",
        "matrices": [(title, confusion_table(row)) for title, row in _reported(heads)],
        "failures": [f"{title}: {worded(row)}." for title, row in _reported(heads)],
        "api": through_api, "served_table": through_api.served_table(heads, set_title),
        "portraits": served(heads).get("portraits"),
    }  # fmt: skip
    path = folder / base["card"]
    path.write_text(render("expression_card.md.j2", context), encoding="utf-8")
    return path


def render(template: str, context: dict[str, Any]) -> str:
    """Render a template of this package; paragraphs are separated by exactly one empty line."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, lstrip_blocks=True, undefined=jinja2.ChainableUndefined,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    environment.filters |= {"fill": filled, "tojson_lines": lambda value: json.dumps(value, indent=1)}
    environment.globals |= {"table": table, "drawn_table": drawn_table, "covered_table": covered_table}
    return re.sub(r"\n{3,}", "\n\n", environment.get_template(template).render(context))


def filled(text: str, indent: str = "") -> str:
    """`text` in lines of at most WIDTH characters; lines after the first are indented."""
    options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(" ".join(text.split()), WIDTH, subsequent_indent=indent, **options)


def facts(base: dict[str, Any], heads: list[dict[str, Any]], config: dict[str, Any]) -> list[tuple[str, str]]:
    """Title and text of the list at the top of the card; texts may be empty."""
    validation = sum(
        row["validation"] for row in base.get("data", ()) if row["source"] in _sources(base) - {"dicebear", "heads", "smiles"}
    )
    trained = f"trained at commit {config['commit']}, " if config.get("commit") else ""
    others = [f"`{entry['name']}` {entry['licence']}" for entry in heads if entry["licence"] != base["licence"]]
    filters = config.get("network", {}).get("filters")
    channels = f", {', '.join(map(str, filters))} channels in its blocks" if filters else ""
    network = (
        f"{NETWORKS[config.get('design', config['name'])]}{channels}; {base['parameters']:,} weights, stored as int8 with one "
        f"scale per channel ({base['bytes']:,} bytes); {base['output']:,} bottleneck features are the input of dense heads with "
        f"float16 weights."
    )
    warped = any("warped_weight" in entry["chosen"] for entry in heads)
    kinds = "drawn, further, rendered and warped" if warped else "drawn, further and rendered"
    selection = f"validation{f' ({validation:,} faces)' if validation else ''}: head architecture, mixture, logit adjustment, "
    return [
        ("Network", network),
        ("Training", recipe(config)),
        ("Initialised from", initialised_from(base.get("begun"))),
        ("Heads", "; ".join(map(_head_summary, heads)) + "."),
        ("Licence", "; ".join([base["licence"], *others]) + "."),
        ("Selected on", selection + f"weights of {kinds} faces, temperature. Test was only reported."),
        ("Source", f"{trained}measured at commit {commit()}."),
    ]


def _head_summary(entry: dict[str, Any]) -> str:
    chosen = entry["chosen"]
    parts = [f"`{entry['name']}` {chosen['design']}"]
    parts += [f"{chosen['share']:.0%} of the label"] if entry["truth"] == "mixed" else []
    parts += [f"drawn faces at weight {chosen['drawn_weight']:g}"] if chosen.get("drawn_weight") else []
    parts += [f"further faces at weight {chosen['others_weight']:g}"] if chosen.get("others_weight") else []
    parts += [f"rendered heads at weight {chosen['rendered_weight']:g}"] if chosen.get("rendered_weight") else []
    parts += [f"warped smiles at weight {chosen['warped_weight']:g}"] if chosen.get("warped_weight") else []
    parts += [f"{chosen['adjustment']:g} of the log prior subtracted from the logits"] if chosen.get("adjustment") else []
    return ", ".join(parts)


def _data_rows(base: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in [*base.get("data", ()), *base.get("measured", ())]:
        counts = (f"{row[split]:,}" for split in ("train", "validation", "test"))
        yield row["title"], row["licence"], *counts, row["learnt_by"] or "evaluation only"


def _absent(base: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Title of each training data set with the number of its published faces that are in no split."""
    for row in base.get("data", ()):
        count = source_of(row["source"]).published - row["train"] - row["validation"] - row["test"]
        if count > 0:
            yield row["title"], count


def _reported(heads: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Title and metrics of the sets on which failures are reported: all for the served head, else that of its label set."""
    for entry in heads:
        names = [name for name in entry["evaluation"] if not name.endswith("_unseen")]
        own = [name for name in names if name == f"{entry['truth']}_test"] or names[:1]
        for name in names if entry is served(heads) else own:
            yield f"`{entry['name']}`, {set_title(name)}", entry["evaluation"][name]


def _samples(failures: dict[str, Any]) -> str:
    """Predictions for the sample pictures of the pages."""
    samples, head = failures.get("samples"), failures.get("head")
    if not samples:
        return ""
    found, faces = sum(row["found"] for row in samples), sum(row["of"] for row in samples)
    wrong = [
        f"`{row['file']}`, {one['true']} as {one['answered']} ({one['confidence']:.0%})"
        for row in samples for one in row["wrong"]
    ]  # fmt: skip
    missed = [f"`{row['file']}`, {row['found']} of {row['of']}" for row in samples if row["found"] != row["of"]]
    detected = "; ".join([f"{found} of {faces} faces are found", *missed])
    text = f"In the sample pictures of the pages (static/samples) {detected}. "
    text += f"Of the {sum(row['labelled'] for row in samples)} with one clear expression `{head}` classifies "
    return text + (f"{len(wrong)} wrong: {'; '.join(wrong)}." if wrong else "none wrong.")


def _drawn_recall(base: dict[str, Any], heads: list[dict[str, Any]]) -> str:
    recalls = ", ".join(f"`{entry['name']}` {entry['chosen']['drawn']:.0%}" for entry in heads if "drawn" in entry["chosen"])
    if not recalls:
        return "" if "dicebear" in _sources(base) else "It was not trained on drawn faces."
    return f"Drawn faces in held-out styles: balanced recall on validation, mean over families, {recalls}."


def _sources(base: dict[str, Any]) -> set[str]:
    return {row["source"] for row in base.get("data", ())} - {"ferplus"}
