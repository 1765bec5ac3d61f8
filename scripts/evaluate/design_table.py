"""Table of architectures in README and on `/about`: exported variants of benchmarks/experiments.json, most accurate first.

`make readme` writes README's part and models/designs.json, which is deployed with the application and shown by `/about`.
"""

from __future__ import annotations

from typing import Any

from ..common.markdown import table

TITLES = {
    "vgg16": "VGG-16", "vgg19": "VGG-19", "fer_cnn": "FER CNN", "vgg16_imagenet": "VGG-16 frozen at ImageNet",
    "residual": "Residual network", "resnet50": "ResNet-50",
}  # fmt: skip
"""Architecture -> its title in the table."""


def designs(rows: list[dict[str, Any]], served: str) -> list[dict[str, Any]]:
    """Row of each variant whose exported files were measured on FER2013's test faces; `served` names the shipped variant."""
    by_name = {row["variant"]: row for row in rows}
    found = []
    for row in rows:
        test = row.get("exported", {}).get("test", {}).get("fer2013", {}).get("fer2013_test")
        if not test:
            continue
        votes = row["exported"]["test"].get("ferplus", {}).get("ferplus_test")
        found.append(
            {
                "variant": row["variant"],
                "title": f"{TITLES.get(row['design'], row['design'])} {row['exported']['version']}",
                "served": row["variant"] == served,
                "epochs": epochs(row["variant"], by_name),
                "parameters": row["exported"]["parameters"],
                "bytes": row["exported"]["bytes"],
                "ratio": row.get("speed", {}).get("ratio"),
                "ms": row.get("speed", {}).get("ms"),
                **{name: test[name] for name in ("count", "accuracy", "interval", "macro_f1", "confusion")},
                "ferplus": votes and {name: votes[name] for name in ("count", "accuracy")},
            }
        )
    return sorted(found, key=lambda row: -row["accuracy"])


def epochs(variant: str, rows: dict[str, dict[str, Any]]) -> int | None:
    """Total epochs of a variant and of the backbones it was initialised from; None if one of these is not recorded."""
    seen, total = set(), 0
    while variant:
        training = rows.get(variant, {}).get("training")
        if not training or variant in seen:
            return None
        seen.add(variant)
        total += training["epochs"]
        variant = training.get("start")
    return total


def markdown(found: list[dict[str, Any]]) -> str:
    """The table for README."""
    columns = ("architecture", "epochs", "weights", "MB", "time a face", "FER2013 test", "macro-F1", "FER+ test, clear majority")
    rows = []
    for row in found:
        low, high = row["interval"]
        name = f"**{row['title']}** (ships)" if row["served"] else row["title"]
        time = f"{row['ms']:.2f} ms ({row['ratio']:.2f}x)" if row["ratio"] else ""
        votes = f"{row['ferplus']['accuracy']:.1%}" if row["ferplus"] else ""
        accuracy = f"{row['accuracy']:.1%} ({low:.1%} to {high:.1%})"
        size = f"{row['bytes'] / 1e6:.1f}"
        rows.append((name, row["epochs"] or "", f"{row['parameters']:,}", size, time, accuracy, f"{row['macro_f1']:.3f}", votes))
    return table(columns, "lr", rows)
