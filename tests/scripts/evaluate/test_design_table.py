"""Table of architectures: its rows and the sum of epochs."""

from __future__ import annotations

from scripts.evaluate.design_table import designs, epochs, markdown

TEST = {"count": 10, "accuracy": 0.6, "interval": [0.5, 0.7], "macro_f1": 0.55, "confusion": [[1]]}


def row(variant: str, accuracy: float | None = None, seen: int | None = None, start: str | None = None) -> dict:
    made = {"variant": variant, "design": "vgg16"}
    if accuracy:
        tests = {"fer2013": {"fer2013_test": TEST | {"accuracy": accuracy}}}
        made["exported"] = {"version": variant[-5:], "parameters": 1000, "bytes": 2_000_000, "test": tests}
    if seen:
        made["training"] = {"epochs": seen} | ({"start": start} if start else {})
    return made


def test_what_was_measured_stands_in_the_table_most_accurate_first():
    rows = [row("vgg16-1.0.0", 0.6, 12), row("vgg16-1.1.0", 0.7, 15, "vgg16-1.0.0"), row("going-on", seen=3)]
    found = designs(rows, "vgg16-1.1.0")
    assert [(one["title"], one["epochs"], one["served"]) for one in found] == [
        ("VGG-16 1.1.0", 27, True), ("VGG-16 1.0.0", 12, False)
    ]  # fmt: skip
    page = markdown(found)
    assert "| **VGG-16 1.1.0** (ships) | 27 | 1,000 | 2.0 |  | 70.0% (50.0% to 70.0%) | 0.550 |  |" in page


def test_epochs_are_not_guessed():
    rows = {one["variant"]: one for one in [row("a", seen=2, start="b"), row("c", seen=2, start="c")]}
    assert epochs("a", rows) is None and epochs("c", rows) is None and epochs("none", rows) is None
