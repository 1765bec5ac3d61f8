"""The switch "On this device": the same answers as the server's, and nothing is sent."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from urllib import request
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.test_live_page import RESULTS

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "static" / "samples"
ONLY_SERVER = (".explanation", ".feedback", "details.more:has(.feedback)", ".timing", "form")
"""Parts of a result that differ: occlusion maps and feedback are the server's, and the form has the switch."""


LEFT = "async () => [await caches.keys(), (await navigator.serviceWorker.getRegistrations()).length]"
"""Names of the caches and number of service workers on this device."""


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


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="plain", marks=pytest.mark.slow),
        pytest.param(["landmarks"], id="landmarks"),
        pytest.param(["whole-image"], id="whole image", marks=pytest.mark.slow),
    ],
)
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
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")  # its script is loaded
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


@pytest.mark.slow
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


TURN_OFF_DURING_ANALYSIS = """() => {
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    post.call(this, message, ...rest);
    if (message.action === "analyze") document.getElementById("device-switch").click();
  };
}"""


@pytest.mark.slow
def test_an_analysis_that_the_switch_ends_says_so_and_can_be_sent(visit):
    page = visit("/")
    turn_on(page)
    page.evaluate(TURN_OFF_DURING_ANALYSIS)
    sent = watch(page)
    page.locator("#file").set_input_files(SAMPLES / "obama.jpg")
    expect(page.locator(".problem")).to_contain_text("“On this device” was turned off.")
    assert sent == []
    page.get_by_role("button", name="Send it to the server").click()
    expect(page.locator("#headline")).to_contain_text("Happy")
    assert [request.method for request in sent] == ["POST"]


def hold_uploads(page: Page) -> list[Route]:
    """Leave photos that are sent without an answer."""
    held: list[Route] = []
    page.route("**/", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    return held


@pytest.mark.slow
def test_turning_on_cancels_what_is_sent_and_trying_again_sends_nothing(visit, leaning):
    page = visit("/")
    hold_uploads(page)
    page.locator("#file").set_input_files(leaning)
    expect(page.get_by_role("button", name="Analyzing…")).to_be_disabled()
    sent = watch(page)
    turn_on(page)
    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#headline")).to_have_text("2 faces", timeout=60_000)
    assert sent == []


@pytest.mark.slow
def test_trying_again_after_no_response_follows_the_switch(visit, leaning):
    page = visit("/", expected="net::ERR_FAILED")
    page.route("**/", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.locator("#file").set_input_files(leaning)
    expect(page.get_by_role("heading", name="No response")).to_be_visible()
    turn_on(page)
    sent = watch(page)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#headline")).to_have_text("2 faces", timeout=60_000)
    assert sent == []


@pytest.mark.slow
def test_explanations_are_offered_only_where_the_server_analyzes(visit):
    page = visit("/")
    page.locator("#file").set_input_files(SAMPLES / "obama.jpg")
    explain = page.get_by_role("button", name="Explain this prediction")
    expect(explain).to_be_visible()
    turn_on(page)
    expect(explain).to_be_hidden()
    page.go_back()
    page.go_forward()
    expect(page.locator("#headline")).to_contain_text("Happy")
    expect(explain).to_be_hidden()
    page.get_by_label("On this device").uncheck()
    expect(explain).to_be_visible()


def test_files_are_removed_with_one_click(visit, leaning):
    page = visit("/")
    turn_on(page)
    page.get_by_role("button", name="Remove the files").click()
    expect(page.locator("#device-hint")).to_have_text("The files were removed from this device.")
    expect(page.get_by_role("status")).to_have_text("The files were removed from this device.")
    expect(page.get_by_label("On this device")).to_be_focused()
    expect(page.get_by_role("button", name="Remove the files")).to_be_hidden()
    assert page.evaluate(LEFT) == [[], 0]
    expect(page.get_by_label("On this device")).not_to_be_checked()
    sent = watch(page)
    choose(page, leaning)
    expect(page.locator("#headline")).to_have_text("2 faces")
    assert [request.method for request in sent] == ["POST"], "the server analyzes again"


def test_a_download_can_be_cancelled(visit):
    page = visit("/", expected="net::ERR_")
    held: list[Route] = []
    page.context.route("**/*vgg16-2*.tflite", lambda route: held.append(route))
    with page.context.expect_event("request", lambda request: "vgg16-2" in request.url):  # other files are complete
        page.get_by_label("On this device").check()
    expect(page.locator("#device-progress")).to_be_visible()
    sent = watch(page)
    page.locator(".samples [value=sad]").click()
    page.locator("#cancel").click()
    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("main")).to_have_class(re.compile("busy"))
    page.locator("#device-cancel").click()
    expect(page.get_by_label("On this device")).not_to_be_checked()
    expect(page.locator("#device-progress")).to_be_hidden()
    expect(page.get_by_role("heading", name="Not analyzed")).to_be_visible()
    assert sent == [], "it is sent on request only"
    page.get_by_role("button", name="Remove the files").click()  # those that were complete
    expect(page.locator("#device-hint")).to_have_text("The files were removed from this device.")
    assert page.evaluate(LEFT) == [[], 0]
    page.context.unroute_all()


def test_the_state_is_announced_and_the_focus_kept(visit):
    page = visit("/", expected="net::ERR_")
    held: list[Route] = []
    page.context.route("**/*vgg16-2*.tflite", lambda route: held.append(route))
    page.get_by_label("On this device").check()
    expect(page.get_by_role("status")).to_have_text("Loading the models …")
    page.locator("#device-cancel").click()
    expect(page.get_by_role("status")).to_have_text("The download was cancelled.")
    expect(page.get_by_label("On this device")).to_be_focused()
    page.context.unroute_all()
    page.get_by_label("On this device").check()
    expect(page.get_by_role("status")).to_have_text("This browser analyzes: photos are not sent.", timeout=60_000)


def test_toggling_quickly_starts_one_worker(visit):
    page = visit("/")
    held: list[Route] = []
    page.route("**/device/client.js", lambda route: held.append(route))
    switch = page.get_by_label("On this device")
    for is_on in (True, False, True):
        switch.set_checked(is_on)
    for route in held:
        route.continue_()
    expect(page.locator("#device-hint")).to_contain_text("This browser analyzes", timeout=60_000)
    assert sum(worker.url.endswith("/device/worker.js") for worker in page.workers) == 1


@pytest.mark.slow
def test_files_of_an_earlier_visit_are_found_without_the_library(visit):
    page = visit("/")
    expect(page.locator("#device-hint")).to_contain_text("16 MB are downloaded once.")
    turn_on(page)
    page.get_by_label("On this device").uncheck()
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.reload()
    expect(page.locator("#device-hint")).to_have_text("Analyze in this browser, and photos are not sent.")
    assert not any("/device/" in url for url in loaded)
    page.get_by_role("button", name="Remove the files").click()
    expect(page.locator("#device-hint")).to_have_text("The files were removed from this device.")
    assert page.evaluate(LEFT) == [[], 0]


def test_the_switch_says_what_the_browser_lacks(visit, launch):
    page = visit("/", by=launch("--js-flags=--jitless"))
    expect(page.get_by_label("On this device")).to_be_disabled()
    expect(page.locator("#device-hint")).to_have_text("This browser cannot analyze: it has no WebAssembly, or it is turned off.")


@pytest.mark.slow
def test_the_switch_says_that_files_are_not_kept(launch, site):
    """Browsers refuse Cache Storage to pages without https."""
    page = launch("--host-resolver-rules=MAP plain.test 127.0.0.1").new_page()
    page.goto(site.replace("127.0.0.1", "plain.test"))
    assert page.evaluate("typeof caches") == "undefined"
    expect(page.locator("#device-hint")).to_contain_text("16 MB are downloaded by each page, as this browser cannot keep files.")
    page.get_by_label("On this device").check()
    expect(page.locator("#device-hint")).to_have_text(
        "This browser analyzes: photos are not sent. It cannot keep the files: each page downloads 16 MB again.", timeout=60_000
    )


@pytest.mark.slow
def test_one_dialog_takes_photos_after_results_of_this_device(visit, leaning):
    page = visit("/")
    turn_on(page)
    choose(page, leaning)
    expect(page.locator("#headline")).to_have_text("2 faces")
    page.get_by_role("button", name="Take a photo").dblclick()
    expect(page.locator("dialog video")).to_have_count(1)
    page.wait_for_timeout(500)  # for the stream of another one
    expect(page.locator("dialog video")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    page.get_by_role("button", name="Take a photo").click()
    expect(page.locator("dialog video")).to_have_count(1)


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
