"""Write the generated tables of README, docs/ and models/LICENSE.md between their markers: `make readme`.

models/designs.json, the table of architectures as `/about` shows it, is written from the same rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emotions.face.defaults import DEFAULT_HEAD
from emotions.runtime.manifest import ModelRegistry
from web.settings import markdown_table

from ..common.markdown import table
from ..evaluate import design_table
from ..report.through_api import group_table, has_sexes, p_value, quoted, row_of, smiles_text, through_api
from ..speech.card import TITLES

ROOT = Path(__file__).resolve().parents[2]
CODE_LICENCES = (
    ("Bootstrap's CSS, the rules that are used", "`static/vendor/bootstrap/`", "MIT"),
    ("LiteRT.js", "`static/vendor/litert/`", "Apache-2.0"),
    ("Source Sans 3, the Latin subset", "`static/vendor/source-sans-3/`", "OFL-1.1"),
    ("Swagger UI", "`static/vendor/swagger-ui/`", "Apache-2.0"),
)

API_SETS = ("fer2013_test", "ferplus_test")
"""Test sets whose accuracy through the API is shown."""
PEERS = {
    "faces": "`fer` 65.5% on the same file; DeepFace 57.4% (its maintainer's figure)",
    "texts": "TF-IDF with logistic regression 0.57; BERT-base 0.62 to 0.64",
}
"""Results of common tools in the same tasks: measured on the same test file, or quoted."""

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
"""Packages of requirements.txt whose licences bind redistributors, according to the wheels' files and libraries."""


def accuracy_summary(heads: Sequence[Mapping[str, Any]], text: Mapping[str, Any], voice: Mapping[str, Any]) -> str:
    """Return a row per task with the figure of the served or the best head and of common tools.

    Figures of faces are those through the API where they were measured.
    """
    served = default_head(heads)
    votes = max(({**quoted(entry, "ferplus_test"), "head": entry["name"]} for entry in heads), key=lambda row: row["accuracy"])
    where = ", through the API" if through_api(served, "fer2013_test") else ""
    texts_row = text["evaluation"]["goemotions_test"]
    speech_row = voice["evaluation"]["ravdess_cross_validated"]
    rows = (
        (f"faces: FER2013 test, original labels{where}", "accuracy",
         _interval(quoted(served, "fer2013_test"), "accuracy", ".1%"), PEERS["faces"]),
        (f"faces: FER+ test, clear majority (head `{votes['head']}`){where}", "accuracy", f"**{votes['accuracy']:.1%}**", ""),
        *_smiles(served),
        ("texts: GoEmotions test, seven classes", "macro-F1", _interval(texts_row, "macro_f1", ".3f"), PEERS["texts"]),
        ("speech: RAVDESS, cross-validated over actors", "mean recall", _interval(speech_row, "recall", ".1%"), ""),
    )  # fmt: skip
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(["| task | measure | this project | usual tools |", "| --- | --- | ---: | --- |", *lines])


def default_head(heads: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the entry of the default head."""
    return next(entry for entry in heads if entry["name"] == DEFAULT_HEAD)


def _smiles(head: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the row on smiles of women and men, if they were measured."""
    portraits = head.get("portraits")
    if portraits and has_sexes(portraits):
        women, men = (row_of(portraits, "sex", group)["labels"]["happy"]["share"] for group in ("women", "men"))
        task = f"faces: studio photographs of {portraits['people']} adults, through the API"
        yield task, "smiles called happy, women / men", f"**{women:.0%}** / **{men:.0%}**", ""


def groups_text(head: Mapping[str, Any]) -> str:
    """Return the limit on groups of people as a list item, with what was measured of them."""
    portraits = head.get("portraits")
    if not portraits or not has_sexes(portraits):
        return "- How errors are distributed over age, origin and skin color is unknown: the training data does not say."
    return (
        f"- {smiles_text(portraits)} ({p_value(portraits['differences']['happy'])}). How errors of other expressions, of "
        "children and in everyday pictures are distributed over age, origin and skin color is unknown: the training data does "
        "not say."
    )


def groups_table(head: Mapping[str, Any]) -> str:
    """Return a row per group of people with the figures of `scripts.evaluate.served`; a sentence where they were not measured."""
    portraits = head.get("portraits")
    if not portraits:
        return "Groups of people were not compared."
    return group_table(portraits)


def _interval(row: Mapping[str, Any], key: str, form: str) -> str:
    low, high = row["interval"]
    return f"**{row[key]:{form}}** ({low:{form}} to {high:{form}})"


def accuracy(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return a row per head with the figures of `scripts.evaluate.accuracy`, and of `scripts.evaluate.served` where measured."""
    elsewhere = all("facial_expressions_test" in entry["evaluation"] for entry in entries)
    served = all(through_api(entry, name) for entry in entries for name in API_SETS)
    api = ["through the API"] if served else []
    columns = ["head", "FER2013 test, original labels", *api, "macro-F1", "calibration error", "FER+ test, clear majority", *api]
    rows = []
    for entry in entries:
        labels, votes = entry["evaluation"]["fer2013_test"], entry["evaluation"]["ferplus_test"]
        right, agreed = ([_interval(quoted(entry, name), "accuracy", ".1%")] if served else [] for name in API_SETS)
        row = [f"`{entry['name']}`", _interval(labels, "accuracy", ".1%"), *right, f"{labels['macro_f1']:.3f}"]
        row += [f"{labels['ece']:.3f}", f"{votes['accuracy']:.1%} of {votes['count']:,}", *agreed]
        if elsewhere:
            other = entry["evaluation"]["facial_expressions_test"]
            row += [f"{other['accuracy']:.1%} of {other['count']:,}", f"{other['macro_f1']:.3f}"]
        rows.append(row)
    return table(columns + (["facial_expressions test", "its macro-F1"] if elsewhere else []), "lr", rows)


def texts(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return a row per text model with the figures of `scripts.text.evaluate`."""
    lines = [
        "| text model | GoEmotions test, macro-F1 of seven classes | abstained | MELD test, not trained on |",
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


def speech(entry: Mapping[str, Any]) -> str:
    """Return a row per test set with the figures of `scripts.speech`."""
    lines = ["| speech, measured on | clips | mean recall (UAR) | 95 % interval |", "| --- | ---: | ---: | --- |"]
    for name, title in TITLES.items():
        if name in entry["evaluation"]:
            row = entry["evaluation"][name]
            low, high = row["interval"]
            lines.append(f"| {title} | {row['count']:,} | **{row['recall']:.1%}** | {low:.1%} to {high:.1%} |")
    return "\n".join(lines)


def licences(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return a row for each third-party part of the repository and for each model."""
    lines = ["| what | where | licence |", "| --- | --- | --- |"]
    lines += [f"| `{entry['name']}` {entry['version']} | `models/{entry['file']}` | {entry['licence']} |" for entry in entries]
    lines += [f"| {what} | {where} | {licence} |" for what, where, licence in CODE_LICENCES]
    lines += [f"| {what} | {where} | {licence} |" for what, where, licence in WHEELS]
    lines.append("| samples | [static/samples](static/samples/README.md) | public domain and CC0, each named there |")
    return "\n".join(lines)


def model_licences(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return a row per model file, for models/LICENSE.md."""
    rows = [f"| `{entry['name']}` {entry['version']} | `{entry['file']}` | {entry['licence']} |" for entry in entries]
    return "\n".join(["| model | file | terms |", "| --- | --- | --- |", *rows])


def speed() -> str:
    """Return the summary of the newest benchmark, between its `summary` markers."""
    reports = sorted((ROOT / "benchmarks").glob("20*.md"))
    if not reports:
        return "Not measured yet: `make bench`."
    found = re.search(r"<!-- summary -->\n(.*?)\n<!-- /summary -->", reports[-1].read_text(encoding="utf-8"), re.DOTALL)
    return f"{found[1]}\n\nFrom [{reports[-1].name}](benchmarks/{reports[-1].name})." if found else ""


def designs() -> list[dict[str, Any]]:
    """Return the rows of the table of architectures, from the results of scripts.evaluate.experiments."""
    base = ModelRegistry().entry("expression-base").metadata
    rows = json.loads((ROOT / "benchmarks" / "experiments.json").read_text(encoding="utf-8"))
    return design_table.designs(rows, f"{base['name']}-{base['version']}")


PAGES = {
    "README.md": ("accuracy-summary", "speed", "groups"),
    "docs/accuracy.md": ("accuracy", "groups-table", "texts", "speech", "designs", "speed"),
    "docs/limits.md": ("groups",),
    "docs/deploy.md": ("settings",),
    "docs/licenses.md": ("licences",),
    "models/LICENSE.md": ("model-licences",),
    "static/js/device/MODELS-LICENSE.md": ("model-licences",),
}
"""Page -> names of its generated parts."""


def parts() -> dict[str, str]:
    """Return name -> content of each generated part, with links relative to the repository's root."""
    registry = ModelRegistry()
    heads = [entry.metadata for entry in registry.entries("expression-head")]
    text, voice = registry.entry("text").metadata, registry.entry("speech").metadata
    everything = [entry.metadata for entry in registry.entries()]
    return {
        "accuracy-summary": accuracy_summary(heads, text, voice),
        "accuracy": accuracy(heads),
        "groups": groups_text(default_head(heads)),
        "groups-table": groups_table(default_head(heads)),
        "designs": design_table.markdown(designs()),
        "texts": texts([entry.metadata for entry in registry.entries("text")]),
        "speech": speech(voice),
        "licences": licences(everything),
        "model-licences": model_licences(everything),
        "settings": markdown_table(),
        "speed": speed(),
    }


def rendered(text: str, page: str = "README.md") -> str:
    """Return the text of a page of PAGES with its generated parts updated. Raises ValueError if a marker is missing."""
    contents = parts()
    for name in PAGES[page]:
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"{page} must have the markers of {name} once")
        before, _, rest = text.partition(begin)
        content = contents[name].strip()
        if page != "README.md":
            content = re.sub(r"\]\((?![a-z]+:)", "](../", content)
        text = f"{before}{begin}{content}\n{end}{rest.partition(end)[2]}"
    return text


def main() -> None:
    for page in PAGES:
        path = ROOT / page
        path.write_text(rendered(path.read_text(encoding="utf-8"), page), encoding="utf-8")
    (ROOT / "models" / "designs.json").write_text(json.dumps(designs()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
