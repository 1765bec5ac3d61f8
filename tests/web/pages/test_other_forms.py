"""Pages of texts and recordings: marked words, and the way back from a problem."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest

from emotions.text.classifier import TextClassifier
from tests.markup import Page
from web.pages.text import segments

HTML = {"Accept": "text/html"}


def test_words_whose_percentage_points_round_to_none_are_not_marked():
    result = TextClassifier().predict("I love it.", explain=True)
    assert result.words
    weak = replace(result, words=tuple(replace(word, weight=0.005) for word in result.words))
    assert [one for one in segments(weak) if one.level] == []
    for weight in (0.006, 0.02):
        strong = replace(result, words=tuple(replace(word, weight=weight) for word in result.words))
        assert [one.text for one in segments(strong) if one.level] == [
            result.text[word.start : word.end] for word in result.words
        ]


@pytest.mark.parametrize(("path", "data"), [
    ("/text", {"sample": "none"}),
    ("/speech", {"file": (BytesIO(b"no recording"), "a.wav")}),
])  # fmt: skip
def test_a_problem_leads_back_to_the_form_of_its_page(client, path, data):
    response = client.post(path, data=data, content_type="multipart/form-data", headers=HTML)
    page = Page(response.text)
    assert response.status_code >= 400 and page.by_id("problem")
    assert path in [link.attrs["href"] for link in page.find("a", "btn-primary")] and not page.find("form", "upload-form")


@pytest.mark.parametrize("path", ["image", "images", "video", "text", "speech"])
def test_a_slash_at_the_end_of_a_posted_address_is_removed(client, path):
    response = client.post(f"/api/v1/{path}/?views=2", data=b"x")
    assert (response.status_code, response.location) == (308, f"/api/v1/{path}?views=2")
