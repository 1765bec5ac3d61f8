"""The switch "On this device": the same answers as the server's, and nothing is sent."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib import request
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Request, expect

from tests.browser.test_live_page import RESULTS

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "static" / "samples"
ONLY_SERVER = (".explanation", ".feedback", "details.more:has(.feedback)", ".timing", "form")
"""Parts of a result that differ: occlusion maps and feedback are the server's, and the form has the switch."""


def turn_on(page: Page) -> None:
    page.get_by_label("On this device").check()
    expect(page.locator("#device-hint")).to_contain_text("This browser analyzes", timeout=60_000)


def watch(page: Page) -> list[Request]:
    """List the requests that carry something to the server from now on."""
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method != "GET" or request.post_data_buffer else None)
    return sent


def choose(page: Page, photo: Path) -> None:
    page.locator("#file").set_input_files(photo)
    expect(page.locator("#file-name")).to_have_text(photo.name, timeout=60_000)
    expect(page.locator("main.busy")).to_have_count(0)


def texts(page: Page) -> list[str]:
    """Texts and numbers of the result in turn, without white space and without the parts that only the server has."""
    text = page.locator("#result").evaluate(
        """(result, parts) => {
            const copy = result.cloneNode(true);
            for (const part of copy.querySelectorAll(parts)) part.remove();
            return [copy.textContent, ...[...copy.querySelectorAll("[alt]")].map((one) => one.alt)].join(" ");
        }""",
        ", ".join(ONLY_SERVER),
    )
    return re.split(r"([0-9]+)", re.sub(r"\s+", "", text))


def differences(here: list[str], there: list[str]) -> list[str]:
    """Lines in which two texts differ, but for percentages that differ by one."""

    def is_same(one: str, other: str) -> bool:
        return one == other or (one.isdigit() and other.isdigit() and abs(int(one) - int(other)) <= 1)

    if len(here) == len(there) and all(map(is_same, here, there)):
        return []
    return [line for line in difflib.unified_diff(there, here, "server", "device", n=1)]


@pytest.fixture
def leaning(tmp_path) -> Path:
    """A photo with a smaller, blurred face beside the other one."""
    photo = Image.open(SAMPLES / "obama.jpg").convert("RGB")
    small = photo.resize((photo.width // 8, photo.height // 8)).resize((photo.width // 2, photo.height // 2))
    wide = Image.new("RGB", (photo.width * 2, photo.height), "gray")
    wide.paste(photo, (0, 0))
    wide.paste(small, (photo.width + photo.width // 4, photo.height // 4))
    wide.save(tmp_path / "leaning.png")
    return tmp_path / "leaning.png"


@pytest.fixture
def cup(tmp_path) -> Path:
    """A picture without a face."""
    shades = np.linspace(40, 200, 320 * 240).reshape(240, 320).astype(np.uint8)
    Image.fromarray(shades).convert("RGB").save(tmp_path / "cup.png")
    return tmp_path / "cup.png"


@pytest.mark.parametrize("options", [[], ["landmarks"], ["whole-image"]], ids=["plain", "landmarks", "whole image"])
def test_results_are_the_server_s(visit, leaning, cup, options):
    photos = [leaning, cup, SAMPLES / "sad.png", SAMPLES / "friends.png"]
    found: list[dict[str, list[str]]] = []
    for on in (False, True):
        page = visit("/")
        if on:
            turn_on(page)
        page.locator("details.options > summary").click()
        for option in options:
            page.locator(f"#{option}").check()
        found.append({})
        for photo in photos:
            choose(page, photo)
            found[-1][photo.name] = texts(page)
    server, device = found
    for photo in photos:
        assert differences(device[photo.name], server[photo.name]) == [], photo.name
        assert len(server[photo.name]) >= 9


def test_nothing_is_sent_and_downloads_are_the_api_s(visit, site, leaning):
    page = visit("/", expected="net::ERR_INTERNET_DISCONNECTED")
    turn_on(page)
    sent = watch(page)
    page.context.set_offline(True)
    choose(page, leaning)
    assert sent == []
    answer = json.loads(unquote(page.get_by_role("link", name="JSON").get_attribute("href").split(",", 1)[1]))
    with request.urlopen(
        request.Request(f"{site}/api/v1/image", leaning.read_bytes(), {"Content-Type": "image/png"})
    ) as response:
        api = json.load(response)
    assert list(answer) == list(api) and list(answer["faces"][0]) == list(api["faces"][0])
    assert [face["emotion"] for face in answer["faces"]] == [face["emotion"] for face in api["faces"]]
    table = unquote(page.get_by_role("link", name="CSV").get_attribute("href").split(",", 1)[1]).splitlines()
    assert (
        len(table) == 1 + len(api["faces"])
        and table[0].startswith("id,left,top")
        and "," + answer["faces"][0]["emotion"] in table[1]
    )
    assert page.get_by_role("link", name="Picture").get_attribute("download") == "leaning-annotated.jpg"


def test_history_keeps_results(visit, leaning, cup):
    page = visit("/")
    turn_on(page)
    choose(page, leaning)
    expect(page.locator("#headline")).to_have_text("2 faces")
    choose(page, cup)
    expect(page.locator("#headline")).to_have_text("No face found")
    page.go_back()
    expect(page.locator("#headline")).to_have_text("2 faces")
    page.reload()
    expect(page.locator("#headline")).to_have_text("2 faces")
    sent = watch(page)
    page.locator(".samples [value=sad]").click()  # while the models are loaded again
    expect(page.locator("#headline")).to_contain_text("Sad", timeout=60_000)
    assert sent == []


def test_a_file_that_the_browser_cannot_read_is_sent_only_on_request(visit, tmp_path):
    Image.open(SAMPLES / "obama.jpg").save(tmp_path / "scan.tiff")
    page = visit("/")
    turn_on(page)
    sent = watch(page)
    page.locator("#file").set_input_files(tmp_path / "scan.tiff")
    expect(page.locator(".problem")).to_contain_text("The browser cannot read this photo")
    assert sent == []
    page.get_by_role("button", name="Send it to the server").click()
    expect(page.locator("#headline")).to_contain_text("Happy")
    assert [request.method for request in sent] == ["POST"]


def test_files_are_removed_with_one_click(visit, leaning):
    page = visit("/")
    turn_on(page)
    page.get_by_role("button", name="Remove the files").click()
    expect(page.locator("#device-hint")).to_have_text("The files were removed from this device.")
    assert page.evaluate("() => caches.has('emotion-detector-models')") is False
    expect(page.get_by_label("On this device")).not_to_be_checked()
    sent = watch(page)
    choose(page, leaning)
    expect(page.locator("#headline")).to_have_text("2 faces")
    assert [request.method for request in sent] == ["POST"], "the server analyzes again"


def test_a_download_can_be_cancelled(visit):
    page = visit("/", expected="net::ERR_")
    held: list[Callable] = []
    page.context.route("**/*vgg16-2*.tflite", lambda route: held.append(route))
    page.get_by_label("On this device").check()
    expect(page.locator("#device-progress")).to_be_visible()
    page.locator("#device-cancel").click()
    expect(page.get_by_label("On this device")).not_to_be_checked()
    expect(page.locator("#device-progress")).to_be_hidden()
    page.context.unroute_all()


def test_camera(visit):
    page = visit("/live")
    turn_on(page)
    sent = watch(page)
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("#live")).to_have_attribute("data-state", "running")
    results = page.evaluate(RESULTS, [page.locator("#live").element_handle(), 10])
    assert sent == []
    faces = [result["faces"] for result in results]
    assert all(len(found) == 1 and found[0]["id"] == 0 for found in faces), "one person, one track"
    assert {found[0]["emotion"] for found in faces} == {"happy"}
    page.get_by_label("On this device").uncheck()
    page.wait_for_timeout(1500)
    assert sent, "the server analyzes again"
    (face,) = page.evaluate(RESULTS, [page.locator("#live").element_handle(), 1])[0]["faces"]
    assert face["id"] == 0, "the tracks go on"


@pytest.mark.slow
def test_video(visit):
    page = visit("/video")
    turn_on(page)
    sent = watch(page)
    page.get_by_role("button", name="Try a sample video").click()
    expect(page.get_by_role("heading", name="Share of each emotion")).to_be_visible(timeout=120_000)
    expect(page.locator("#rows tr")).to_have_count(2)
    assert sent == []
