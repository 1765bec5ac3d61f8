"""Gradio demo, started by its command and used with Gradio's client and in a browser whose requests are recorded."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import emotions
from emotions import EMOTIONS
from emotions.face.annotate import annotate
from emotions.labels import TITLES
from emotions.speech.classifier import SpeechClassifier
from emotions.text.classifier import TextClassifier
from tests.sounds import encoded, voice_like

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "static" / "samples"
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """`make gradio`: its address and its folder of uploads, which must be empty after it is stopped."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    temporary = tmp_path_factory.mktemp("server")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(["make", "gradio", f"GRADIO_PORT={port}"], cwd=ROOT, env=environment, start_new_session=True)
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}", temporary
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)
    for _ in range(600):  # make does not wait for what it started
        if not list(temporary.iterdir()):
            break
        time.sleep(0.1)
    assert list(temporary.iterdir()) == []


@pytest.fixture(scope="module")
def client(server) -> Client:
    return Client(server[0], verbose=False, download_files=tempfile.mkdtemp())


@pytest.fixture(scope="module")
def analyzer() -> emotions.FaceAnalyzer:
    return emotions.FaceAnalyzer(head="mixed")


def without_times(body: dict) -> dict:
    return {name: value for name, value in body.items() if name != "timing_ms"}


def confidences(label: dict) -> dict[str, float]:
    return {row["label"]: row["confidence"] for row in label["confidences"]}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """Photos that Gradio must pass unchanged: with EXIF orientation, with transparency, and HEIC."""
    folder = tmp_path_factory.mktemp("files")
    pillow_heif.register_heif_opener()
    with Image.open(SAMPLES / "obama.jpg") as opened:
        image = opened.convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif, quality=95)
    image.convert("RGBA").save(folder / "clear.png")
    image.save(folder / "phone.heic")
    return {path.name: path for path in (*folder.iterdir(), SAMPLES / "obama.jpg", SAMPLES / "friends.png")}


@pytest.mark.parametrize("name", ["obama.jpg", "friends.png", "turned.jpg", "clear.png", "phone.heic"])
def test_photo_as_by_the_library(client, analyzer, files, name):
    shown, label, body = client.predict(handle_file(files[name]), "auto", True, False, api_name="/photo")
    image = emotions.open_image(files[name])
    result = analyzer.analyze(image)
    assert result.faces and without_times(body) == without_times(result.to_json())
    assert confidences(label) == {TITLES[key]: value for key, value in result.faces[0].to_json()["probabilities"].items()}
    assert len(confidences(label)) == len(EMOTIONS) and label["label"] == TITLES[result.faces[0].emotion]
    annotated = np.asarray(Image.open(shown).convert("RGB")).astype(int)
    expected = annotate(image, result).astype(int)
    assert annotated.shape == expected.shape and np.abs(annotated - expected).mean() < 5  # JPEG's loss


def test_options(client, analyzer):
    portrait = SAMPLES / "obama.jpg"
    image = emotions.open_image(portrait)
    shown, _, body = client.predict(handle_file(portrait), "none", False, True, api_name="/photo")
    assert without_times(body) == without_times(json.loads(json.dumps(analyzer.analyze(image, "none", landmarks=True).to_json())))
    assert body["detector"] == "none" and len(body["faces"][0]["landmarks"]) == 468
    assert np.abs(np.asarray(Image.open(shown).convert("RGB")).astype(int) - image.pixels).mean() < 5
    _, _, body = client.predict(handle_file(portrait), "haar", True, False, api_name="/photo")
    assert body["detector"] == "haar"
    _, _, body = client.predict(handle_file(portrait), "auto", True, False, 2, api_name="/photo")
    assert without_times(body) == without_times(json.loads(json.dumps(analyzer.analyze(image, views=2).to_json())))
    with pytest.raises(AppError):
        client.predict(handle_file(portrait), "auto", True, False, 3, api_name="/photo")


def test_no_face_and_no_photo(client, tmp_path):
    Image.new("RGB", (64, 64), "gray").save(tmp_path / "grey.png")
    _, label, body = client.predict(handle_file(tmp_path / "grey.png"), "auto", True, False, api_name="/photo")
    assert body["faces"] == [] and not (label or {}).get("confidences")
    (tmp_path / "text.jpg").write_text("not a picture", encoding="utf-8")
    with pytest.raises(AppError, match="not_an_image"):
        client.predict(handle_file(tmp_path / "text.jpg"), "auto", True, False, api_name="/photo")
    with pytest.raises(AppError, match="Choose a photo"):
        client.predict(None, "auto", True, False, api_name="/photo")
    with pytest.raises(AppError):
        client.predict(handle_file(SAMPLES / "obama.jpg"), "eyes", True, False, api_name="/photo")


def test_tabs_depend_on_the_models(client, analyzer):
    available = {name for name in ("text", "speech") if analyzer.registry.entries(name) and (ROOT / "emotions" / name).exists()}
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/photo", *(f"/{name}" for name in available)}
    if "text" in available:
        label, body = client.predict("I can't believe you did that for me, thank you!", api_name="/text")
        assert set(confidences(label)) == set(TITLES.values()) and body["emotion"] in EMOTIONS


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
def test_page_makes_no_requests_to_other_hosts(server, tmp_path):
    """With an example photo and a fake camera that shows a portrait."""
    from playwright.sync_api import sync_playwright

    with Image.open(SAMPLES / "obama.jpg") as opened:
        scene = Image.new("RGB", (640, 480), "gray")
        scene.paste(opened.resize((384, 480)), (128, 0))
    scene.save(tmp_path / "frame.jpg")
    (tmp_path / "camera.mjpeg").write_bytes((tmp_path / "frame.jpg").read_bytes() * 30)
    fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    arguments = ["--no-sandbox", *fake, f"--use-file-for-fake-video-capture={tmp_path / 'camera.mjpeg'}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.set_default_timeout(90_000)
        requests, errors = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server[0])
        page.get_by_label("haar").wait_for()
        page.locator(".gallery-item, .gallery img").nth(3).wait_for(state="attached")  # the examples are rendered after the form
        page.locator(".gallery img").first.click()
        page.get_by_role("button", name="Analyze", exact=True).first.click()
        page.get_by_text("Anger", exact=True).first.wait_for()
        page.get_by_role("tab", name="Webcam").click()
        page.get_by_text("Click to Access Webcam").click()
        page.get_by_text("Record", exact=True).click()
        page.get_by_text("Happy", exact=True).locator("visible=true").first.wait_for()
        browser.close()
    assert len(requests) > 20 and not errors
    assert [url for url in requests if not url.startswith((server[0], "data:", "blob:"))] == []


def test_flagging_sharing_and_analytics_are_off(server, client):
    assert client.config["analytics_enabled"] is False and client.config["run_history"] is False
    assert "flag" not in json.dumps(client.view_api(return_format="dict")).lower()
    assert server[1].exists() and {path.name[:7] for path in server[1].iterdir()} <= {"gradio-"}


def test_text_as_by_the_library(client, analyzer):
    text = "I can't believe you did that for me, thank you!"
    label, body = client.predict(text, api_name="/text")
    own = json.loads(json.dumps(TextClassifier(analyzer.registry).predict(text).to_json()))
    assert without_times(body) == without_times(own) and body["emotion"] == "happy"
    assert confidences(label).keys() == set(TITLES.values())


def test_recording_as_by_the_library(client, analyzer, tmp_path):
    (tmp_path / "voice.wav").write_bytes(encoded(voice_like(4.0)))
    label, body = client.predict(handle_file(str(tmp_path / "voice.wav")), api_name="/speech")
    own = SpeechClassifier(analyzer.registry).predict(tmp_path / "voice.wav").to_json()
    assert without_times(body) == without_times(json.loads(json.dumps(own)))
    assert confidences(label).keys() == set(TITLES.values())
    (tmp_path / "none.wav").write_bytes(b"no sound at all")
    with pytest.raises(AppError):
        client.predict(handle_file(str(tmp_path / "none.wav")), api_name="/speech")
