"""Figures of the model card, and their page."""

from __future__ import annotations

import pytest

from emotions import EMOTIONS, ModelRegistry
from emotions.runtime.manifest import BUNDLED
from tests.markup import Page
from web import create_app
from web.pages.model_card import architecture_rows, confusion_shares, per_emotion, reliability_of

BINS = [
    {"low": 0.6, "high": 0.8, "count": 50, "confidence": 0.7, "accuracy": 0.66},
    {"low": 0.8, "high": 1.0, "count": 3, "confidence": 0.9, "accuracy": 1.0},
]
COUNTS = [[0] * 7 for _ in EMOTIONS]
COUNTS[0] = [30, 10, 0, 0, 0, 0, 0]
COUNTS[1] = [5, 15, 0, 0, 0, 0, 0]
COUNTS[3] = [0, 0, 0, 200, 0, 0, 0]


def test_reliability_of_a_bin():
    assert reliability_of(0.6, BINS)["accuracy"] == 0.66
    assert reliability_of(0.79, BINS)["accuracy"] == 0.66


def test_reliability_is_not_quoted_for_few_faces_or_none():
    assert reliability_of(0.85, BINS) is None
    assert reliability_of(1.0, BINS) is None
    assert reliability_of(0.3, BINS) is None


def test_confidence_of_one_belongs_to_the_last_bin():
    assert reliability_of(1.0, [{"low": 0.9, "high": 1.0, "count": 99, "accuracy": 0.9}])["accuracy"] == 0.9


def test_confusion_matrix_is_normalized_by_row():
    rows = confusion_shares(COUNTS)
    assert rows[0] == {"emotion": "anger", "shares": [0.75, 0.25, 0, 0, 0, 0, 0]}
    assert sum(rows[2]["shares"]) == 0  # a label that no face has


def test_recall_and_precision():
    rows = per_emotion(COUNTS)
    assert rows[0]["recall"] == pytest.approx(0.75)
    assert rows[0]["precision"] == pytest.approx(30 / 35)
    assert rows[1]["precision"] == pytest.approx(15 / 25)
    assert rows[2]["precision"] is None
    assert rows[2]["recall"] is None, "no face has this label"


def head_json(registry: ModelRegistry, name: str) -> dict:
    """The JSON of an expression head, for a test to change."""
    return next(one for one in registry.manifest["models"] if (one["role"], one["name"]) == ("expression-head", name))


def page_of(path: str, registry: ModelRegistry) -> Page:
    return Page(create_app(registry=registry).test_client().get(path).text)


@pytest.fixture(scope="module")
def registry() -> ModelRegistry:
    """The shipped models with made-up figures of the served head."""
    registry = ModelRegistry()
    for entry in registry.entries("expression-head"):
        head_json(registry, entry.name).update(evaluation={}, through_api={}, portraits={})
    head_json(registry, "mixed")["evaluation"] = {
        "fer2013_test": {
            "accuracy": 0.68123,
            "macro_f1": 0.65,
            "ece": 0.0123,
            "interval": [0.67, 0.693],
            "confusion": COUNTS,
            "count": 260,
        },
        "another_set": {"accuracy": 0.5},
        "dicebear_test": {"accuracy": 0.4, "balanced_recall": 0.31, "groups": {"ink": 0.2, "oil": 0.42}, "confusion": COUNTS},
    }
    return registry


@pytest.fixture(scope="module")
def about(registry) -> Page:
    return page_of("/about", registry)


@pytest.fixture(scope="module")
def details(registry) -> Page:
    return page_of("/about/models", registry)


def test_about_has_one_card_of_accuracy(about):
    card = about.by_id("accuracy").text
    assert "68.1 %" in card and "95 % confidence interval of the accuracy: 67.0 to 69.3 %." in card
    assert not about.find("table", "confusion") and "another set" not in card


def test_details_show_the_figures_of_the_manifest(details):
    figures = {dt.text: dd.text for dt, dd in zip(details.find("dt"), details.find("dd"), strict=True)}
    assert "68.1 %" in [dd.text for dd in details.find("dd")]
    assert figures["Macro-F1"] == "65.0 %"
    assert figures["Calibration error"] == "1.2 %"
    assert "95 % confidence interval of the accuracy: 67.0 to 69.3 %." in [note.text for note in details.find("p", "note")]
    assert any("another set" in heading.text for heading in details.find("h4"))
    assert figures["Balanced recall"] == "31.0 %"
    assert "Balanced recall is the mean over groups: ink 20.0 %, oil 42.0 %." in [note.text for note in details.find("p", "note")]


def share(right: int, count: int) -> dict:
    return {"count": count, "right": right, "share": right / count, "interval": [0.1, 0.95]}


PORTRAITS = {
    "people": 102,
    "rows": [
        {"by": "everybody", "group": "all", "people": 102, "labels": {"happy": share(50, 100)}, "found": share(200, 200)},
        {"by": "sex", "group": "women", "people": 49, "labels": {"happy": share(40, 50)}, "found": share(98, 98)},
        {"by": "sex", "group": "men", "people": 53, "labels": {"happy": share(10, 50)}, "found": share(53, 106)},
        {"by": "age", "group": "up to 24", "people": 2, "labels": {}, "found": share(1, 2)},
    ],
    "differences": {"happy": {"difference": 0.6, "p": 0.0001, "draws": 10_000}},
}


def test_about_shows_figures_through_the_api_and_groups_of_people():
    registry = ModelRegistry()
    for entry in registry.entries("expression-head"):
        head_json(registry, entry.name).update(through_api={}, portraits={})
    head = head_json(registry, "mixed")
    head |= {"through_api": {"fer2013_test": {"accuracy": 0.694}}, "portraits": PORTRAITS}
    page = page_of("/about/models", registry)
    figures = [(dt.text, dd.text) for dt, dd in zip(page.find("dt"), page.find("dd"), strict=True)]
    assert figures.count(("Accuracy through the API", "69.4 %")) == 1 and figures[1][0] == "Accuracy through the API"
    limits = page_of("/about", registry).by_id("limits").text
    assert "80 % of the women's smiles and 20 % of the men's are called happy" in limits and "it is unknown" not in limits
    [table] = [table for table in page.find("table") if "Groups of people" in table.text]
    cells = [cell.text for cell in page.find("td") if table in cell.parents]
    assert cells[6:9] == ["53", "20 %10 to 95", "50 %10 to 95"] and cells[-2] == "–", "no photograph of a smile"
    assert any("smiles called happy +60.0 points (p < 0.001)." in note.text for note in page.find("p", "note"))


def test_about_without_groups_of_people(about):
    assert "it is unknown how the errors are distributed" in about.by_id("limits").text
    assert not [table for table in about.find("table") if "Groups of people" in table.text]


MEASURED = {
    "fer2013_test": {
        "count": 3411, "accuracy": 0.6149, "sure": {"share": 0.871, "accuracy": 0.6573},
        "curve": [{"answered": 1.0, "accuracy": 0.6149}, {"answered": 0.5, "accuracy": 0.8}, {"answered": 0.1, "accuracy": 0.98}],
    },
}  # fmt: skip


def test_about_lists_the_unsure_limits():
    registry = ModelRegistry()
    entry = head_json(registry, "mixed")
    entry |= {"thresholds": {"turned": 44.6, "low_confidence": 0.41}, "doubts": MEASURED}
    about, page = page_of("/about", registry), page_of("/about/models", registry)
    text = about.by_id("unsure").text
    assert "On 3,411 test faces (by FER2013's labels) 65.7 % of the predictions" in " ".join(text.split())
    assert "The face is turned: the head points more than 45 degrees to a side, or more than 40 up or down." in text
    assert "Low confidence: the most likely emotion has less than 41%." in text
    assert "blurred:" not in text, "a reason without a limit is not listed"
    sentence = "By FER2013's labels (3,411 faces), accuracy 61.5 %; 65.7 % on the 87 % of predictions that are not marked."
    assert sentence in page.by_id("model").text
    [table] = [table for table in page.find("table") if "against coverage" in table.text]
    assert [cell.text for cell in page.find("td") if table in cell.parents] == ["61.5 %", "80.0 %", "98.0 %"]
    [line] = page.find("path", "line")
    assert line.attrs["d"] == "M30.0 87.0L130.0 50.0L210.0 14.0"
    [dot] = page.find("circle", "dot")
    assert (dot.attrs["cx"], dot.attrs["cy"]) == ("55.8", "78.5")


def test_details_tell_how_many_covered_faces_are_marked():
    registry = ModelRegistry()
    (entry,) = registry.entries("covered-head")
    text = " ".join(page_of("/about/models", registry).by_id("model").text.split())
    rows = entry.evaluation["test"]
    for kind in ("Mask", "Nothing"):
        assert f"{kind}: {100 * rows[kind.lower()]['covered']:.0f} % marked" in text


def test_about_without_unsure_limits():
    registry = ModelRegistry()
    head_json(registry, "mixed")["thresholds"] = {}
    text = page_of("/about", registry).by_id("unsure").text
    assert "no prediction is marked" in text


def test_details_show_the_confusion_matrix(details):
    table, *_ = details.find("table", "confusion")
    cells = [cell for cell in details.find("td") if table in cell.parents]
    assert [cell.text for cell in cells[:7]] == ["75", "25", "0", "0", "0", "0", "0"]
    assert [cell.attrs["class"] for cell in cells[:2]] == ["heat-8", "heat-2"]


def test_served_head_is_first_and_marked(details):
    headings = [heading.text for heading in details.find("h3") if heading.inside("article")]
    assert headings[0].startswith("mixed") and headings[0].endswith("served")
    assert len(headings) == 3


def test_details_compare_the_architectures(details):
    rows = architecture_rows(BUNDLED)
    names = [row["title"] for row in rows]
    assert any("VGG-16" in name for name in names) and sum(row["served"] for row in rows) == 1
    summaries = [summary.text for summary in details.find("summary")]
    assert all((f"Confusion matrix of {row['title']}" in summaries) != row["served"] for row in rows)
    assert all(any(cell.text.startswith(name) for cell in details.find("th")) for name in names)


def test_other_folders_have_no_architectures(tmp_path):
    assert architecture_rows(tmp_path) == []


def test_details_show_the_text_model(client):
    page = Page(client.get("/about/models").text)
    (entry,) = client.application.extensions["analyzer"].registry.entries("text")
    cells = [cell.text for cell in page.find("td", "number")]
    for name in ("goemotions_test", "meld_test"):
        assert any(cell.startswith(f"{entry.evaluation[name]['macro_f1']:.3f}") for cell in cells)
    assert any(heading.text.startswith(entry.name) for heading in page.find("h3"))


def test_the_page_names_the_number_of_features_of_the_served_backbone(client):
    output = ModelRegistry().entry("expression-base", "vgg16").output
    assert f"maps the crop to {output} bottleneck features" in " ".join(
        client.get("/about/models").get_data(as_text=True).split()
    )
