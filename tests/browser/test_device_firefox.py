"""The library in Firefox, where that is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from emotions import FaceAnalyzer
from scripts.evaluate.device.comparison import compare, summarize
from scripts.evaluate.device.firefox import FIREFOX, ScriptError, run_firefox
from scripts.evaluate.device.page import DeviceError, device_page

PHOTO = Path(__file__).resolve().parents[1] / "data" / "astronaut.jpg"
pytestmark = pytest.mark.skipif(FIREFOX is None, reason="no Firefox on this machine")


@pytest.mark.slow
def test_firefox_gives_the_answers_of_the_server():
    with device_page("firefox") as (page, browser):
        assert browser.startswith("Firefox ")
        summary = summarize([compare("photo", FaceAnalyzer().analyze(PHOTO).to_json(), page.analyze(PHOTO.read_bytes()))])
        assert summary.passed and summary.faces == 1
        with pytest.raises(DeviceError, match="cannot read this image"):
            page.analyze(b"no image")


@pytest.mark.slow
def test_errors_of_scripts_are_raised():
    with run_firefox() as window:
        window.goto("about:blank")
        assert window.evaluate("(value) => [value, location.href]", 3) == [3, "about:blank"]
        with pytest.raises(ScriptError, match="on purpose"):
            window.evaluate("async () => { throw new Error('on purpose'); }")
        with pytest.raises(ScriptError, match="Navigate"):
            window.goto("no address")
