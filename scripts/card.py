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
HEADER = """# Model card: {name} {version}

Seven probabilities (anger, disgust, fear, happy, neutral, sad, surprise) for a grey {size} px crop of a face. Written by
`python -m scripts.evaluate` from the exported files; every figure is single view, through the library's code.

- **Network**: VGG-{depth} with batch norm, cut before its top, {base_parameters:,} weights, folded and stored as int8 with a
  scale a channel ({base_bytes:,} bytes); it gives 512 bottleneck features, which dense heads read.
- **Data**: FER2013 (28,558 faces to train on; 177 that FER+ marks as no face are left out of all splits) and the FER+ votes.
- **Licence**: {licence}.
- **Chosen on** validation (PublicTest, 3,579 faces): mixture, head design, temperature. Test (PrivateTest) was only reported.
- **Source**: commit {commit}.

## What it is not for

A shown expression is not a felt emotion. The labels are what a few raters saw in pictures from web searches. No groups of
people were compared, and no drawn faces were learnt from or measured: it may read some much less well. Do not decide anything about a person
by it. The EU's AI Act (Article 5(1)(f)) forbids inferring emotions at work and in education save for medical or safety reasons.
"""


def write_card(folder: Path, config: dict[str, Any]) -> Path:
    """Write the card that the manifest's expression models name, beside them; gives its path."""
    artefacts = Artefacts(folder)
    base = artefacts.entry("expression-base", config["name"])
    heads = [entry for entry in artefacts.entries("expression-head") if entry["base"] == base["name"]]
    parts = [HEADER.format(
        name=base["name"], version=base["version"], size=base["input"]["size"], depth=config["depth"], commit=_commit(),
        base_parameters=base["parameters"], base_bytes=base["bytes"], licence=base["licence"],
    )]  # fmt: skip
    parts.append(_figures(heads))
    for entry in heads:
        parts.append(_confusion(entry))
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


def _confusion(entry: dict[str, Any]) -> str:
    row = entry["evaluation"]["fer2013_test"]
    head = f"## Head `{entry['name']}`: FER2013 test, rows true, columns answered\n\n"
    lines = ["| | " + " | ".join(EMOTIONS) + " | F1 |", "| --- |" + " ---: |" * (len(EMOTIONS) + 1)]
    for name, counts, f1 in zip(EMOTIONS, row["confusion"], row["f1"], strict=True):
        lines.append(f"| **{name}** | " + " | ".join(map(str, counts)) + f" | {f1:.2f} |")
    return head + "\n".join(lines) + "\n"


def _reliability(entry: dict[str, Any]) -> str:
    lines = [f"## How far to trust its confidence (head `{entry['name']}`, validation, temperature {entry['temperature']})\n"]
    lines += ["| confidence | answers | mean confidence | right |", "| --- | ---: | ---: | ---: |"]
    for row in entry["reliability"]:
        lines.append(f"| {row['low']:.0%} to {row['high']:.0%} | {row['count']} | {row['confidence']:.1%} | {row['accuracy']:.1%} |")
    return "\n".join(lines) + "\n"


def _commit() -> str:
    answer = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent)
    return answer.stdout.strip() or "unknown"
