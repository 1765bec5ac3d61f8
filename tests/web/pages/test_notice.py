"""Notice above every form that takes a face or a voice (EU AI Act, Article 50(3))."""

from __future__ import annotations

from io import BytesIO

import pytest

from emotions.notice import NOTICE
from tests.markup import Page
from web import create_app
from web.settings import SettingError, read_settings

HTML = {"Accept": "text/html"}
FORMS = ("/", "/live", "/video", "/speech", "/docs")


@pytest.mark.parametrize("path", FORMS)
def test_pages_with_a_form_begin_with_the_notice(client, path):
    page = Page(client.get(path, headers=HTML).text)
    [notice] = page.find("p", "notice")
    assert NOTICE in notice.text


def test_results_and_errors_with_a_form_have_it_too(client, portrait):
    for data in ({"file": (BytesIO(portrait.read_bytes()), "a.jpg")}, {"file": (BytesIO(b"no picture"), "a.jpg")}):
        page = Page(client.post("/", data=data, content_type="multipart/form-data", headers=HTML).text)
        assert len(page.find("p", "notice")) == len(page.find("form", "upload-form")) == 1


def test_texts_are_no_biometric_data(client):
    assert not Page(client.get("/text", headers=HTML).text).find("p", "notice")


@pytest.mark.parametrize(("value", "shown"), [("off", None), ("Smile, <b>we</b> look.", "Smile, <b>we</b> look."), ("", NOTICE)])
def test_the_setting_changes_or_removes_it(monkeypatch, value, shown):
    monkeypatch.setenv("NOTICE", value)
    client = create_app().test_client()
    for path in FORMS:
        notices = Page(client.get(path, headers=HTML).text).find("p", "notice")
        assert [shown in one.text for one in notices] == ([True] if shown else [])


@pytest.mark.parametrize("value", ["x" * 501, "two\nlines"])
def test_a_notice_is_one_line(value):
    with pytest.raises(SettingError, match="NOTICE"):
        read_settings({"NOTICE": value})
