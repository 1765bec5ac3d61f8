"""/speech in a real browser: a recording from a fake microphone, an upload, and no microphone at all."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import CHROMIUM, DESK, PHONE
from playwright.sync_api import expect, sync_playwright

from tests.sounds import encoded, voice_like

AUDIO = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    (folder / "voice.wav").write_bytes(encoded(voice_like(8.0, 48_000), rate=48_000))
    (folder / "silence.wav").write_bytes(encoded(np.zeros(48_000, np.float32)))
    return folder


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_a_recording_from_the_microphone(recordings, site, viewport, tmp_path):
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    complaints = []
    with sync_playwright() as playwright:
        audio = f"--use-file-for-fake-audio-capture={recordings / 'voice.wav'}"
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*AUDIO, audio, "--no-sandbox"])
        page = chromium.new_context(viewport=viewport, permissions=["microphone"]).new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{site}/speech")
        page.get_by_role("button", name="Record your voice").click()
        expect(page.get_by_role("button", name="Stop and read")).to_be_visible(timeout=15_000)
        page.wait_for_function("document.getElementById('level').value > 0.2")
        page.wait_for_function("parseInt(document.getElementById('elapsed').textContent) >= 4")
        page.get_by_role("button", name="Stop and read").click()
        expect(page.locator("#answer")).to_be_visible(timeout=30_000)
        assert page.locator(".speech-chart .wave").get_attribute("d").count("L") > 50
        facts = page.locator(".facts").first.inner_text()
        assert 3 < float(facts.split()[0]) < 12, facts
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        chromium.close()
    assert wide == 0 and complaints == []


@pytest.mark.parametrize("java_script", [True, False])
def test_an_upload(recordings, visit, java_script):
    page = visit("/speech", java_script_enabled=java_script)
    page.set_input_files("#sound", recordings / "voice.wav")
    page.get_by_role("button", name="Read the voice").click()
    expect(page.locator("#answer")).to_be_visible()
    assert page.locator(".pieces tbody tr").count() > 1


def test_silence_is_told(recordings, visit):
    page = visit("/speech")
    page.set_input_files("#sound", recordings / "silence.wav")
    page.get_by_role("button", name="Read the voice").click()
    expect(page.locator("#answer")).to_have_text("Cannot tell")
    expect(page.get_by_text("It is silent")).to_be_visible()


def test_a_microphone_that_is_denied(site):
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--deny-permission-prompts"])
        page = chromium.new_page()
        page.goto(f"{site}/speech")
        page.get_by_role("button", name="Record your voice").click()
        expect(page.locator("#speech-form .problem h1")).to_have_text("The microphone was not allowed")
        expect(page.get_by_role("button", name="Record your voice")).to_be_enabled()
        chromium.close()
