"""Write README's generated tables between their markers, so that no figure in it is typed by hand: `make readme`.

models/designs.json, the table of designs as `/about` shows it, is written from the same rows.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from emotions.runtime.manifest import Artefacts
from web.settings import markdown

from ..evaluate import design_table
from ..speech.card import TITLES

ROOT = Path(__file__).resolve().parents[2]
CODE_LICENCES = (
    ("Bootstrap's CSS", "`static/vendor/bootstrap/`", "MIT"),
    ("Swagger UI", "`static/vendor/swagger-ui/`", "Apache-2.0"),
)

WHEELS = (
    (
        "PyAV, for video and sound",
        "wheel `av`",
        "BSD-3-Clause; the wheel also holds FFmpeg (LGPL-3.0) with x264 and x265 (GPL-2.0 or later)",
    ),
    (
        "pillow-heif, for HEIC",
        "wheel `pillow-heif`",
        "BSD-3-Clause; the wheel as a whole GPL-2.0: it holds x265, libheif and libde265",
    ),
)
"""What requirements.txt installs that binds whoever passes it on, as the wheels' own files and libraries say."""


def accuracy(entries: list[dict[str, Any]]) -> str:
    """A row a head, from the figures that `scripts.evaluate.accuracy` put into the manifest."""
    elsewhere = all("facial_expressions_test" in entry["evaluation"] for entry in entries)
    lines = [
        "| head | FER2013 test, original labels | macro-F1 | calibration error | FER+ test, clear majority |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    if elsewhere:
        lines = [line + end for line, end in zip(lines, (" facial_expressions test | its macro-F1 |", " ---: | ---: |"), strict=True)]
    for entry in entries:
        labels, votes = entry["evaluation"]["fer2013_test"], entry["evaluation"]["ferplus_test"]
        low, high = labels["interval"]
        lines.append(
            f"| `{entry['name']}` | **{labels['accuracy']:.1%}** ({low:.1%} to {high:.1%}) | {labels['macro_f1']:.3f} | "
            f"{labels['ece']:.3f} | {votes['accuracy']:.1%} of {votes['count']:,} |"
        )
        if elsewhere:
            other = entry["evaluation"]["facial_expressions_test"]
            lines[-1] += f" {other['accuracy']:.1%} of {other['count']:,} | {other['macro_f1']:.3f} |"
    return "\n".join(lines)


def texts(entries: list[dict[str, Any]]) -> str:
    """A row a corpus, from the figures that `scripts.text evaluate` put into the manifest."""
    lines = [
        "| text model | GoEmotions test, macro-F1 of seven classes | refused | MELD test, never learnt from |",
        "| --- | ---: | ---: | ---: |",
    ]
    for entry in entries:
        test, other = entry["evaluation"]["goemotions_test"], entry["evaluation"]["meld_test"]
        low, high = test["interval"]
        lines.append(
            f"| `{entry['name']}` {entry['version']}, {entry['bytes'] / 1e6:.1f} MB | **{test['macro_f1']:.3f}** "
            f"({low:.3f} to {high:.3f}) | {test['refused']:.2%} | {other['macro_f1']:.3f}; one emotion a line: "
            f"{other['single']['accuracy']:.1%} right |"
        )
    return "\n".join(lines)


def speech(entry: dict[str, Any]) -> str:
    """A row a measurement, from the figures that `scripts.speech` put into the manifest."""
    lines = ["| speech, measured on | clips | mean recall of the emotions | 95 % interval |", "| --- | ---: | ---: | --- |"]
    for name, title in TITLES.items():
        if name in entry["evaluation"]:
            row = entry["evaluation"][name]
            low, high = row["interval"]
            lines.append(f"| {title} | {row['count']:,} | **{row['recall']:.1%}** | {low:.1%} to {high:.1%} |")
    return "\n".join(lines)


def licences(entries: list[dict[str, Any]]) -> str:
    """A row for everything in the tree that is not this project's code."""
    lines = ["| what | where | licence |", "| --- | --- | --- |"]
    lines += [f"| `{entry['name']}` {entry['version']} | `models/{entry['file']}` | {entry['licence']} |" for entry in entries]
    lines += [f"| {what} | {where} | {licence} |" for what, where, licence in CODE_LICENCES]
    lines += [f"| {what} | {where} | {licence} |" for what, where, licence in WHEELS]
    lines.append("| sample pictures | [static/samples](static/samples/README.md) | public domain and CC0, each named there |")
    return "\n".join(lines)


def speed() -> str:
    """The newest benchmark's summary: what stands between its own `summary` markers."""
    reports = sorted((ROOT / "benchmarks").glob("20*.md"))
    if not reports:
        return "Not measured yet: `make bench`."
    found = re.search(r"<!-- summary -->\n(.*?)\n<!-- /summary -->", reports[-1].read_text(), re.DOTALL)
    return f"{found[1]}\n\nFrom [{reports[-1].name}](benchmarks/{reports[-1].name})." if found else ""


def designs() -> list[dict[str, Any]]:
    """Rows of the table of designs, from what scripts.evaluate.experiments recorded."""
    base = Artefacts().entry("expression-base")
    rows = json.loads((ROOT / "benchmarks" / "experiments.json").read_text())
    return design_table.designs(rows, f"{base['name']}-{base['version']}")


def rendered(text: str) -> str:
    """README's text with every generated part made anew."""
    artefacts = Artefacts()
    parts = {
        "accuracy": accuracy(artefacts.entries("expression-head")),
        "designs": design_table.markdown(designs()),
        "texts": texts(artefacts.entries("text")),
        "speech": speech(artefacts.entry("speech")),
        "licences": licences(artefacts.entries()),
        "settings": markdown(),
        "speed": speed(),
    }
    for name, content in parts.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text, count = re.subn(pattern, lambda match: match[1] + content.strip() + "\n" + match[2], text, flags=re.DOTALL)  # noqa: B023
        if count != 1:
            raise ValueError(f"README has {count} places for {name}")
    return text


def main() -> None:
    path = ROOT / "README.md"
    path.write_text(rendered(path.read_text()))
    (ROOT / "models" / "designs.json").write_text(json.dumps(designs()) + "\n")


if __name__ == "__main__":
    main()
