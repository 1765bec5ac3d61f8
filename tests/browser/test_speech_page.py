"""Page /speech: a recording from a fake microphone, an upload, and no microphone."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect

from emotions import EMOTIONS
from tests.sounds import encoded, voice_like

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
AUDIO = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    (folder / "voice.wav").write_bytes(encoded(voice_like(8.0, 48_000), rate=48_000))
    (folder / "silence.wav").write_bytes(encoded(np.zeros(48_000, np.float32)))
    return folder


@pytest.mark.parametrize("viewport", [pytest.param(DESK, id="desk", marks=pytest.mark.slow), pytest.param(PHONE, id="phone")])
def test_a_recording_from_the_microphone(recordings, browser, site, viewport):
    complaints = []
    audio = f"--use-file-for-fake-audio-capture={recordings / 'voice.wav'}"
    with browser.browser_type.launch(executable_path=CHROMIUM, args=[*AUDIO, audio]) as chromium:
        page = chromium.new_context(viewport=viewport, permissions=["microphone"]).new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{site}/speech")
        page.get_by_role("button", name="Record your voice").click()
        expect(page.get_by_role("button", name="Stop and analyze")).to_be_visible(timeout=15_000)
        expect(page.locator("#level")).not_to_have_js_property("value", 0, timeout=15_000)
        expect(page.locator("#elapsed")).to_have_text(re.compile(r"^([4-9]|\d\d) s$"), timeout=15_000)
        page.get_by_role("button", name="Stop and analyze").click()
        expect(page.locator("#headline")).to_be_visible(timeout=30_000)
        assert page.locator(".speech-chart .wave").get_attribute("d").count("L") > 50
        facts = page.locator(".facts").first.inner_text()
        assert 3 < float(facts.split()[0]) < 12, facts
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0 and complaints == []


@pytest.mark.parametrize("java_script", [True, False])
def test_an_upload(recordings, visit, java_script):
    page = visit("/speech", java_script_enabled=java_script)
    page.set_input_files("#sound", recordings / "voice.wav")
    page.get_by_role("button", name="Analyze recording").click()
    expect(page.locator("#headline")).to_be_visible()
    assert page.locator(".segments tbody tr").count() > 1


@pytest.mark.parametrize("java_script", [True, False])
def test_sample_with_one_click(visit, java_script):
    page = visit("/speech", java_script_enabled=java_script)
    page.get_by_role("button", name="Analyze the sample").click()
    expect(page.locator("#headline")).to_contain_text("Anger")
    expect(page.get_by_text("The sample is a synthetic voice")).to_be_visible()
    names = page.locator(".speech-chart dt").all_inner_texts()
    assert names == ["Loudness", *(name.title() for name in EMOTIONS), "Prediction"]
    tops = page.locator(".speech-chart dt, .speech-chart [role=img] > svg").evaluate_all(
        "all => all.map((one) => { const box = one.getBoundingClientRect(); return [one.tagName, (box.top + box.bottom) / 2]; })"
    )
    labels, strips = ([middle for tag, middle in tops if (tag == "DT") == of_label] for of_label in (True, False))
    assert [abs(one - other) < 3 for one, other in zip(labels, strips[:-1], strict=True)] == [True] * 9, (
        "names beside their strips"
    )


def test_label_of_the_button_after_a_recording(visit):
    page = visit("/speech", expected="Failed to load resource", permissions=["microphone"])
    page.get_by_role("button", name="Record your voice").click()
    expect(page.get_by_role("button", name="Stop and analyze")).to_be_visible()
    page.route("**/speech", lambda route: route.abort())
    page.get_by_role("button", name="Stop and analyze").click()
    expect(page.locator("#record-label")).to_have_text("Record your voice")


def test_recording_is_started_and_stopped_with_the_same_key(visit):
    page = visit("/speech", permissions=["microphone"])
    page.evaluate(
        """() => { // the visitor takes a moment to allow the microphone
            const devices = navigator.mediaDevices, open = devices.getUserMedia.bind(devices);
            devices.getUserMedia = (wanted) => new Promise((done) => setTimeout(() => done(open(wanted)), 300));
        }"""
    )
    page.locator("#record").press("Enter")
    expect(page.get_by_role("button", name="Stop and analyze")).to_be_focused()
    expect(page.locator("#elapsed")).to_have_text(re.compile("^[2-9] s$"))  # long enough to be analyzed
    page.keyboard.press("Enter")
    expect(page.locator("#headline")).to_be_visible()


@pytest.mark.parametrize("button", ["Analyze recording", "Analyze the sample"])
def test_an_analysis_can_be_cancelled(recordings, visit, button):
    page = visit("/speech")
    page.set_input_files("#sound", recordings / "voice.wav")
    page.route("**/speech", lambda route: None, times=1)  # no answer
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("button", name="Analyzing…")).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".problem h1")).to_have_text("Cancelled")
    expect(page.get_by_role("button", name="Analyze recording")).to_be_enabled()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#headline")).to_be_visible()


def test_silence(recordings, visit):
    page = visit("/speech")
    page.set_input_files("#sound", recordings / "silence.wav")
    page.get_by_role("button", name="Analyze recording").click()
    expect(page.locator("#headline")).to_have_text("No prediction")
    expect(page.get_by_text("The recording is silent")).to_be_visible()


@pytest.mark.parametrize(
    ("device", "title"), [(["--use-fake-device-for-media-stream"], "The microphone was not allowed"), ([], "No microphone")]
)
def test_no_microphone(browser, site, device, title):
    with browser.browser_type.launch(executable_path=CHROMIUM, args=["--deny-permission-prompts", *device]) as chromium:
        page = chromium.new_page()
        page.goto(f"{site}/speech")
        page.get_by_role("button", name="Record your voice").click()
        expect(page.locator("#speech-form .problem h1")).to_have_text(title)
        expect(page.get_by_role("button", name="Record your voice")).to_be_enabled()
