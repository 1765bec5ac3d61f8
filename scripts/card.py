"""The model card: Markdown written from the manifest's figures and the run's configuration, never by hand."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from emotions.artefacts import Artefacts
from emotions.labels import EMOTIONS

TRUTHS = {
    "fer2013_test": "FER2013 test, original labels",
    "fer2013_test_unseen": "the same without faces repeated from an earlier split",
    "ferplus_test": "FER+ test, rows where one emotion has more than half of all votes",
}
NETWORKS = {
    "vgg16": "VGG-16 with batch norm, cut before its top and trained on faces, batch norm folded",
    "vgg19": "VGG-19 with batch norm, cut before its top and trained on faces, batch norm folded",
    "fer_cnn": "four convolutions and two dense layers trained on faces, batch norm folded",
    "vgg16_imagenet": "VGG-16 as published for ImageNet, cut before its top and not trained on faces",
    "residual": "a residual network of this project's own trained on faces, batch norm folded",
    "resnet50": "ResNet-50, its stem at stride 1 for small grey pictures, trained on faces, batch norm folded",
}
"""What a card says of each design in scripts/designs.py."""
HEADER = """# Model card: {name} {version}

Seven probabilities (anger, disgust, fear, happy, neutral, sad, surprise) for a grey {size} px crop of a face. Written by
`python -m scripts.evaluate` from the exported files; every figure is single view, through the library's code.

- **Network**: {network}; {base_parameters:,} weights, stored as int8 with a scale a channel
  ({base_bytes:,} bytes); it gives {features:,} bottleneck features, which dense heads read.
- **Data**: FER2013 (28,558 faces to train on; 177 that FER+ marks as no face are left out of all splits) and the FER+ votes.{drawn_data}
- **Licence**: {licence}.
- **Chosen on** validation (PublicTest, 3,579 faces): mixture, head design, temperature. Test (PrivateTest) was only reported.
- **Source**: commit {commit}.

## What it is not for

A shown expression is not a felt emotion. The labels are what a few raters saw in pictures from web searches. No groups of
people were compared: it may read some much less well. {drawn_limit} Do not decide anything about a person by it. The EU's AI Act (Article 5(1)(f)) forbids inferring emotions at work and in education save for medical or safety reasons.
"""

DRAWN = {
    False: ("", "No drawn faces were learnt from or measured."),
    True: (
        "\n  Heads learnt faces drawn from DiceBear's styles too (NOTICE.md names the artists).",
        "Drawn faces in styles that no head learnt: balanced recall on validation, mean over families, {recalls}.",
    ),
}
"""Whether heads learnt drawn faces -> what the card adds to its data and to its limits."""


def write_card(folder: Path, config: dict[str, Any]) -> Path:
    """Write the card that the manifest's expression models name, beside them; gives its path."""
    artefacts = Artefacts(folder)
    base = artefacts.entry("expression-base", config["name"])
    heads = [entry for entry in artefacts.entries("expression-head") if entry["base"] == base["name"]]
    drawn_data, drawn_limit = DRAWN[any("drawn" in entry.get("chosen", {}) for entry in heads)]
    drawn_limit = drawn_limit.format(recalls=", ".join(
        f"{entry['name']} {entry['chosen']['drawn']:.0%}" for entry in heads if "drawn" in entry.get("chosen", {})
    ))  # fmt: skip
    parts = [HEADER.format(
        drawn_data=drawn_data, drawn_limit=drawn_limit,
        name=base["name"], version=base["version"], size=base["input"]["size"], commit=commit(), licence=base["licence"],
        network=NETWORKS[config.get("design", config["name"])], features=base["output"],
        base_parameters=base["parameters"], base_bytes=base["bytes"],
    )]  # fmt: skip
    parts.append(_figures(heads))
    for entry in heads:
        title = f"## Head `{entry['name']}`: FER2013 test, rows true, columns answered"
        parts.append(f"{title}\n\n{confusion_table(entry['evaluation']['fer2013_test'])}\n")
    parts.append(_reliability(heads[0]))
    parts.append("## Configuration\n\n```json\n" + json.dumps(config, indent=1) + "\n```\n")
    path = folder / base["card"]
    path.write_text("\n".join(parts))
    return path


def _figures(heads: list[dict[str, Any]]) -> str:
    lines = [
        "## Accuracy\n\n| head | measured on | faces | accuracy | 95 % interval | macro-F1 | calibration error |",
        "| --- | --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for entry in heads:
        for name, meaning in TRUTHS.items():
            row = entry["evaluation"][name]
            low, high = row["interval"]
            lines.append(f"| {entry['name']} | {meaning} | {row['count']:,} | {row['accuracy']:.2%} | "
                         f"{low:.2%} to {high:.2%} | {row['macro_f1']:.3f} | {row['ece']:.3f} |")  # fmt: skip
    lines.append("\nOne human rater against ten agrees in 74.2 % of the test faces (FER+ votes). Calibration error: 15 equal-width bins"
                 " of the top probability. Intervals: bootstrap, 2,000 draws.\n\n"
                 "| head | answers changed by int8 | accuracy on validation, float32 | int8 |\n| --- | ---: | ---: | ---: |")  # fmt: skip
    for entry in heads:
        row = entry["quantisation"]
        lines.append(f"| {entry['name']} | {1 - row['same_answers']:.2%} | {row['float32']:.2%} | {row['int8']:.2%} |")
    return "\n".join(lines) + "\n"


def confusion_table(figures: dict[str, Any]) -> str:
    """Markdown of an evaluation's confusion matrix with the F1 of each emotion."""
    lines = ["| | " + " | ".join(EMOTIONS) + " | F1 |", "| --- |" + " ---: |" * (len(EMOTIONS) + 1)]
    for name, counts, f1 in zip(EMOTIONS, figures["confusion"], figures["f1"], strict=True):
        lines.append(f"| **{name}** | " + " | ".join(map(str, counts)) + f" | {f1:.2f} |")
    return "\n".join(lines)


def _reliability(entry: dict[str, Any]) -> str:
    lines = [f"## How far to trust its confidence (head `{entry['name']}`, validation, temperature {entry['temperature']})\n"]
    lines += ["| confidence | answers | mean confidence | right |", "| --- | ---: | ---: | ---: |"]
    for row in entry["reliability"]:
        lines.append(f"| {row['low']:.0%} to {row['high']:.0%} | {row['count']} | {row['confidence']:.1%} | {row['accuracy']:.1%} |")
    return "\n".join(lines) + "\n"


def commit() -> str:
    """The short name of the commit that is checked out, or "unknown"."""
    answer = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent)
    return answer.stdout.strip() or "unknown"
