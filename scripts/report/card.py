"""The model card: Markdown written from the manifest's figures and the run's configuration, never by hand."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emotions.runtime.manifest import ModelRegistry

from ..common.git import commit
from ..data.sources import source_of
from .failures import served, worded
from .tables import accuracy_table, by_group, confusion_table, quantisation_table, reliability, set_title, support_table

# How a model was made, in words: its design, its training and what it went on from.

NETWORKS = {
    "vgg16": "VGG-16 with batch norm, cut before its top and trained on faces, batch norm folded",
    "vgg19": "VGG-19 with batch norm, cut before its top and trained on faces, batch norm folded",
    "fer_cnn": "four convolutions and two dense layers trained on faces, batch norm folded",
    "vgg16_imagenet": "VGG-16 as published for ImageNet, cut before its top and not trained on faces",
    "residual": "a residual network of this project's own trained on faces, batch norm folded",
    "resnet50": "ResNet-50, its stem at stride 1 for small grey pictures, trained on faces, batch norm folded",
}
"""What a card says of each design in scripts/train/backbones.py."""


def recipe(config: dict[str, Any]) -> str:
    """The training of a run's base, in a sentence or two."""
    if not config["stages"]:
        return "the base was not trained; heads alone were."
    chosen, loss, augment = config["optimiser"], config["loss"], config["augment"]
    label_sets = " and ".join(f"`{name}`" for name in config["label_sets"])
    stages = ", then ".join(f"{stage['epochs']} epochs on crops of {stage['crop']} px" for stage in config["stages"])
    parts = [
        f"base and linear heads for {label_sets} trained together, {stages}",
        f"SGD with Nesterov momentum {chosen['momentum']:g}, peak rate {chosen['peak']:g} after a warm-up of "
        f"{chosen['warmup_epochs']:g} epochs, cosine decay, batch {chosen['batch']}, weight decay {chosen['weight_decay']:g}, "
        f"gradients clipped at {chosen['clipnorm']:g}",
        f"label smoothing {loss['smoothing']:g}, dropout {loss['dropout']:g}",
        "augmented by " + ", ".join(f"{name} {value:g}" for name, value in augment.items() if value) + " and mirroring",
        f"moving average of weights at {chosen['ema']:g}" if chosen.get("ema") else "",
        f"the finished weights are {chosen['init_weight']:.0%} those that it began from" if chosen.get("init_weight") else "",
        f"{loss['soft']:.0%} of the target from teachers' answers" if loss.get("soft") else "",
        f"precision {config['precision']}" if config.get("precision") else "",
        f"a rehearsal on {config['limit']:,} faces" if config.get("limit") else "",
    ]
    return "; ".join(part for part in parts if part) + "."


def initialised_from(begun: dict[str, Any] | None) -> str:
    """A base's lineage, its own predecessors included; empty for one that was trained from random weights."""
    told = []
    while begun:
        told.append(f"{begun['name']} {begun.get('version', '')}".strip() + f" ({begun['licence']})")
        begun = begun.get("begun")
    return f"{', itself begun from '.join(told)}." if told else ""


__all__ = ["confusion_table", "write_card"]

WIDTH = 128
INTRODUCTION = """Seven probabilities (anger, disgust, fear, happy, neutral, sad, surprise) for a grey {size} px crop of a
face. Written by `scripts.evaluate.accuracy` from the exported files; every figure is single view, through the library's code."""
LIMITS = """An expression is not a feeling: a shown expression is not a felt emotion. {labels} No groups of people were
compared: it may read some much less well. {drawn} Do not decide anything about a person by it: not whom to hire, grade,
insure, admit, suspect or diagnose. The EU's AI Act (Article 5(1)(f)) forbids inferring emotions at work and in education save
for medical or safety reasons."""
LABELS = {
    True: "The labels are what a few raters saw in pictures from web searches.",
    False: "The labels are what those who made the data saw in the pictures.",
}
"""Whether FER2013 was learnt from -> what the labels are."""


def write_card(folder: Path, config: dict[str, Any]) -> Path:
    """Write the card that the manifest's expression models name, beside them; gives its path."""
    registry = ModelRegistry(folder)
    base = registry.entry("expression-base", config["name"]).metadata
    heads = [entry.metadata for entry in registry.entries("expression-head") if entry.base == base["name"]]
    parts = [
        f"# Model card: {base['name']} {base['version']}", filled(INTRODUCTION.format(size=base["input"]["size"])),
        "\n".join(facts(base, heads, config)),
        "## What it is not for", filled(LIMITS.format(labels=LABELS[_learnt(base, "fer2013")], drawn=_drawn(base, heads))),
        "## Data and licences", *data_section(base), "## Accuracy", accuracy_table(heads), *notes(heads), *by_group(heads),
        *drawn_head_metrics(registry, base),
        "## Faces of each emotion", support_table(heads),
        "## What smaller weights changed, on validation", quantisation_table(heads),
        "## Emotion by emotion", *matrices(heads), "## Known failures", *failures(base, heads),
        "## How far to trust its confidence", *reliability(base, heads),
        "## Configuration", "```json\n" + json.dumps(config, indent=1) + "\n```",
    ]  # fmt: skip
    path = folder / base["card"]
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return path


def filled(text: str, indent: str = "") -> str:
    """`text` in lines of at most WIDTH characters, those after the first indented."""
    words = " ".join(text.split())
    return textwrap.fill(words, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def facts(base: Mapping[str, Any], heads: Sequence[Mapping[str, Any]], config: dict[str, Any]) -> Iterator[str]:
    """The list at the top: network, recipe, what it was begun from, licence, what validation chose, commits."""
    validation = sum(row["validation"] for row in base.get("data", ()) if row["source"] in _sources(base) - {"dicebear"})
    chosen = "; ".join(
        f"`{entry['name']}` {entry['chosen']['design']}"
        + (f", {entry['chosen']['share']:.0%} of the label" if entry["truth"] == "mixed" else "")
        + (f", drawn faces at weight {entry['chosen']['drawn_weight']:g}" if entry["chosen"].get("drawn_weight") else "")
        + (f", further faces at weight {entry['chosen']['others_weight']:g}" if entry["chosen"].get("others_weight") else "")
        for entry in heads
    )
    trained = f"trained at commit {config['commit']}, " if config.get("commit") else ""
    listed = {
        "Network": f"{NETWORKS[config.get('design', config['name'])]}; {base['parameters']:,} weights, stored as int8 with a "
                   f"scale a channel ({base['bytes']:,} bytes); it gives {base['output']:,} bottleneck features, which dense "
                   "heads with float16 weights read.",
        "Recipe": recipe(config),
        "Begun from": initialised_from(base.get("begun")),
        "Heads": f"{chosen}.",
        "Licence": "; ".join([base["licence"], *(
            f"`{entry['name']}` {entry['licence']}" for entry in heads if entry["licence"] != base["licence"])]) + ".",
        "Chosen on": f"validation{f' ({validation:,} faces)' if validation else ''}: head design, mixture, weights of drawn "
                     "and further faces, temperature. Test was only reported.",
        "Source": f"{trained}measured at commit {commit()}.",
    }  # fmt: skip
    for name, text in listed.items():
        if text:
            yield filled(f"- **{name}**: {text}", "  ")


def data_section(base: Mapping[str, Any]) -> Iterator[str]:
    """A table of all data sets that were learnt from or measured, with their licences."""
    if "data" not in base:  # exported before it was kept
        return
    lines = ["| data set | licence | train | validation | test | learnt by |", "| --- | --- | ---: | ---: | ---: | --- |"]
    for row in [*base["data"], *base.get("measured", ())]:
        counts = " | ".join(f"{row[split]:,}" for split in ("train", "validation", "test"))
        lines.append(f"| {row['title']} | {row['licence']} | {counts} | {row['learnt_by'] or 'nothing, only measured'} |")
    yield "\n".join(lines)
    for row in base["data"]:
        left_out = source_of(row["source"]).published - row["train"] - row["validation"] - row["test"]
        if left_out > 0:
            yield f"Of {row['title']}'s published faces {left_out:,} are in no split here, such as those that show no face."
    if _learnt(base, "dicebear"):
        yield "`NOTICE.md` names the artists of the drawings that were learnt from."


def notes(heads: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is to be known to read the figures."""
    text = "Intervals: bootstrap, 2,000 draws. Macro-F1: over the classes that occur or are answered. Calibration error: 15 "
    text += "equal-width bins of the top probability. "
    if any("ferplus_test" in entry["evaluation"] and "fer2013_test" in entry["evaluation"] for entry in heads):
        text += "One human rater against ten agrees in 74.2 % of FER2013's test faces (FER+ votes)."
    yield filled(text)


def drawn_head_metrics(registry: ModelRegistry, base: Mapping[str, Any]) -> Iterator[str]:
    """How often the head that tells drawn faces from photographed ones is right, if the base has one."""
    for head in (entry.metadata for entry in registry.entries("drawn-head")):
        if head["base"] == base["name"] and head.get("evaluation"):
            yield "## Drawn or photographed"
            yield filled(f"`{head['name']}` ({head['chosen']['design']}, {head['parameters']:,} weights) tells how likely a face is "
                         "drawn, both kinds being as frequent. Called by the side of one half on which it lies:")  # fmt: skip
            lines = ["| test faces of | faces | are | called so | 95 % interval |", "| --- | ---: | --- | ---: | --- |"]
            for name, row in head["evaluation"].items():
                kind = "drawn" if row["drawn"] else "photographed"
                low, high = row["interval"]
                title = set_title(name).removesuffix(" test, labels")
                lines.append(f"| {title} | {row['count']:,} | {kind} | {row['accuracy']:.1%} | {low:.1%} to {high:.1%} |")
            yield "\n".join(lines)


def matrices(heads: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Confusion tables: every head by the truth that it learnt, the served one on all sets."""
    for entry in heads:
        for name in _shown(entry, heads):
            yield f"### `{entry['name']}`, {set_title(name)}: rows true, columns answered"
            yield confusion_table(entry["evaluation"][name])


def failures(base: Mapping[str, Any], heads: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """In words from the figures, the samples, and the contact sheet with the artists' credits."""
    lines = []
    for entry in heads:
        for name in _shown(entry, heads):
            lines.append(filled(f"- `{entry['name']}`, {set_title(name)}: {worded(entry['evaluation'][name])}.", "  "))
    yield "\n".join(lines)
    known = base.get("failures", {})
    if samples := known.get("samples"):
        yield filled(_samples(samples, known["head"]))
    if drawn := known.get("drawn"):
        told = "; ".join(f"{row['group']} {row['true']} as {row['answered']}" for row in drawn["faces"])
        yield filled(f"Drawn test faces that `{known['head']}` reads wrong, the most confident answer to each family and "
                     "expression (faces of FER2013 are not openly licensed and are not shown):")  # fmt: skip
        yield f"![Drawn faces read wrong: {told}]({drawn['file']})"
        yield "Cut out, made grey and roughened for the test. The drawings are of these styles:"
        yield "\n".join(f"- {line}" for line in drawn["credits"])


def _shown(entry: Mapping[str, Any], heads: Sequence[Mapping[str, Any]]) -> list[str]:
    """The sets on which a head's mistakes are told: all for the served one, else that of the truth it learnt."""
    names = [name for name in entry["evaluation"] if not name.endswith("_unseen")]
    own = [name for name in names if name == f"{entry['truth']}_test"] or names[:1]
    return names if entry is served(heads) else own


def _samples(samples: list[dict[str, Any]], head: str) -> str:
    found, faces = sum(row["found"] for row in samples), sum(row["of"] for row in samples)
    wrong = [
        f"`{row['file']}`, {one['true']} read as {one['answered']} ({one['confidence']:.0%})"
        for row in samples for one in row["wrong"]
    ]  # fmt: skip
    missed = [f"`{row['file']}`, {row['found']} of {row['of']}" for row in samples if row["found"] != row["of"]]
    told = "; ".join([f"{found} of {faces} faces are found", *missed])
    text = f"In the sample pictures of the pages (static/samples) {told}. "
    text += f"Of the {sum(row['labelled'] for row in samples)} with one clear expression `{head}` reads "
    return text + (f"{len(wrong)} wrong: {'; '.join(wrong)}." if wrong else "none wrong.")


def _drawn(base: Mapping[str, Any], heads: Sequence[Mapping[str, Any]]) -> str:
    recalls = ", ".join(f"`{entry['name']}` {entry['chosen']['drawn']:.0%}" for entry in heads if "drawn" in entry["chosen"])
    if not recalls:
        return "It learnt no drawn faces." if not _learnt(base, "dicebear") else ""
    return f"Drawn faces in styles that nothing learnt: balanced recall on validation, mean over families, {recalls}."


def _sources(base: Mapping[str, Any]) -> set[str]:
    return {row["source"] for row in base.get("data", ())} - {"ferplus"}


def _learnt(base: Mapping[str, Any], source: str) -> bool:
    return source in _sources(base)
