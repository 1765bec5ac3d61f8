"""Tables of README and docs/ with figures through the API and without."""

from __future__ import annotations

import pytest

from emotions.face.defaults import DEFAULT_HEAD
from emotions.runtime.manifest import ModelRegistry
from scripts.docs import readme


def share(right: int, count: int) -> dict:
    return {"count": count, "right": right, "share": right / count, "interval": [0.1, 0.9]}


PORTRAITS = {
    "people": 102,
    "rows": [
        {"by": "sex", "group": group, "people": people, "labels": {"happy": share(right, 50)}, "found": share(50, 50)}
        for group, people, right in (("women", 49, 41), ("men", 53, 22))
    ],
    "differences": {"happy": {"difference": 0.38, "p": 0.0002, "draws": 10_000}},
}
SERVED = {"accuracy": 0.694, "interval": [0.679, 0.709]}


def entries(**fields) -> list[dict]:
    """The shipped heads with `fields` in place of what was measured through the API."""
    heads = [dict(entry.metadata) for entry in ModelRegistry().entries("expression-head")]
    return [{key: head[key] for key in head if key not in ("through_api", "portraits")} | fields for head in heads]


def summary(heads: list[dict]) -> str:
    registry = ModelRegistry()
    return readme.accuracy_summary(heads, registry.entry("text").metadata, registry.entry("speech").metadata)


def test_figures_through_the_api_are_quoted():
    text = summary(entries(through_api=dict.fromkeys(readme.API_SETS, SERVED), portraits=PORTRAITS))
    assert "| faces: FER2013 test, original labels, through the API | accuracy | **69.4%** (67.9% to 70.9%) |" in text
    assert (
        "| faces: studio photographs of 102 adults, through the API | smiles called happy, women / men | **82%** / **44%** |"
        in text
    )


def test_without_them_the_figures_of_the_tables_are_quoted():
    heads = entries()
    text, served = summary(heads), readme.default_head(heads)
    assert served["name"] == DEFAULT_HEAD and "through the API" not in text + readme.accuracy(heads)
    assert f"**{served['evaluation']['fer2013_test']['accuracy']:.1%}**" in text
    assert "is unknown" in readme.groups_text(served) and readme.groups_table(served) == "Groups of people were not compared."


def test_the_table_of_heads_has_columns_through_the_api():
    heads = entries(through_api=dict.fromkeys(readme.API_SETS, SERVED))
    lines = readme.accuracy(heads).splitlines()
    assert lines[0].count("through the API") == 2 and lines[0].index("through the API") < lines[0].index("macro-F1")
    assert all(line.count("**69.4%** (67.9% to 70.9%)") == 2 for line in lines[2:]) and len(lines) == 2 + len(heads)
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(("p", "text"), [(0.0002, "p < 0.001"), (0.0312, "p = 0.031")])
def test_groups_of_people_are_worded(p, text):
    differences = {"happy": {**PORTRAITS["differences"]["happy"], "p": p}}
    [head, *_] = entries(portraits={**PORTRAITS, "differences": differences})
    line = readme.groups_text(head)
    assert (
        line.startswith("- In frontal studio photographs of 102 adults")
        and f"44% of the men's are called happy ({text})." in line
    )
    assert "| sex | women | 49 | 82.0% (10% to 90%) | 100.0% (10% to 90%) |" in readme.groups_table(head)
