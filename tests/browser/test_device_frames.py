"""Frames of the camera and of videos while the switch "On this device" is turned."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from scripts.deploy.traffic import moving_face
from tests.browser.test_live_page import RESULTS
from tests.browser.test_video_page import analyze, downloaded, open_video
from tests.browser.videos import write_video

pytestmark = pytest.mark.slow

SWITCH = "On this device"


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """A moving face, four seconds long."""
    return write_video(tmp_path_factory.mktemp("videos") / "face.mp4", moving_face(60), "h264")


def turn_on(page: Page) -> None:
    page.get_by_label(SWITCH).check()
    expect(page.locator("#device-hint")).to_contain_text("This browser analyzes", timeout=60_000)


def frames_sent(page: Page) -> list[Request]:
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.url.endswith("/api/v1/image") else None)
    return sent


def hold_models(page: Page) -> None:
    """Let the download of the models not end."""
    page.context.route("**/*.tflite", lambda route: None)


def start_camera(page: Page) -> None:
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("#live")).to_have_attribute("data-state", "running")


def results(page: Page, count: int) -> list[dict]:
    return page.evaluate(RESULTS, [page.locator("#live").element_handle(), count])


def record_notes(page: Page) -> None:
    """Keep what the note of the viewer says from now on in `window.notes`."""
    page.evaluate(
        """() => {
            const note = document.getElementById("note");
            window.notes = [];
            new MutationObserver(() => window.notes.push(note.textContent)).observe(note, {childList: true});
        }"""
    )


def as_static_site(page: Page, path: str) -> None:
    """Open a page as the site without server has it."""

    def without_server(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=re.sub("<html ", '<html data-server="none" ', answer.text(), count=1))

    site = page.url.removesuffix("/about")
    page.route(f"**{path}", without_server)
    page.route("**/style.json", lambda route: route.fulfill(response=route.fetch(url=f"{site}/api/v1/style")))
    page.goto(site + path)
    expect(page.locator("html")).to_have_attribute("data-server", "none")


def started_video(page: Page, video: Path) -> None:
    """Analyze ten frames per second until the first results are shown."""
    open_video(page, video)
    analyze(page, 10)
    expect(page.locator("#time-left")).to_contain_text("left", timeout=30_000)


def finished(page: Page) -> dict:
    expect(page.get_by_role("heading", name="Share of each emotion")).to_be_visible(timeout=60_000)
    return json.loads(downloaded(page, "JSON"))


def test_no_frame_of_a_video_is_sent_from_the_moment_the_switch_is_on(visit, video):
    page = visit("/video")
    sent = frames_sent(page)
    started_video(page, video)
    page.get_by_label(SWITCH).check()
    before = len(sent)
    record = finished(page)
    assert 0 < before == len(sent) < 40
    assert len(record["frames"]) == 40 and record["summary"]["partial"] is False
    assert [person["id"] for person in record["summary"]["people"]] == [0], "the tracks go on"


@pytest.mark.parametrize("way", ["switch", "removal of the files"])
def test_the_server_goes_on_with_a_video_when_the_switch_is_turned_off(visit, video, way):
    page = visit("/video")
    turn_on(page)
    sent = frames_sent(page)
    started_video(page, video)
    assert sent == []
    record_notes(page)
    if way == "switch":
        page.get_by_label(SWITCH).uncheck()
    else:
        page.get_by_role("button", name="Remove the files").click()
    record = finished(page)
    assert 0 < len(sent) < 40 and len(record["frames"]) == 40
    assert [person["id"] for person in record["summary"]["people"]] == [0], "the tracks go on"
    assert not any(page.evaluate("window.notes")), "turning it off is no failure"


def test_without_server_a_video_ends_when_the_switch_is_turned_off(visit, video):
    page = visit("/about")
    as_static_site(page, "/video")
    open_video(page, video)
    analyze(page)
    expect(page.get_by_role("button", name="Analyze video")).to_be_focused()
    expect(page.locator("#note")).to_contain_text("this site has no server; turn on “On this device” first.")
    turn_on(page)
    analyze(page, 10)
    expect(page.locator("#time-left")).to_contain_text("left", timeout=30_000)
    page.get_by_label(SWITCH).uncheck()
    expect(page.locator("#summary-text")).to_contain_text("this site has no server; turn on “On this device” first.")
    assert 0 < len(finished(page)["frames"]) < 40


def test_a_video_can_be_cancelled_while_the_models_are_downloaded(visit, video):
    page = visit("/video")
    hold_models(page)
    page.get_by_label(SWITCH).check()
    open_video(page, video)
    analyze(page)
    page.get_by_role("button", name="Cancel").locator("visible=true").last.click()
    expect(page.get_by_role("button", name="Analyze video")).to_be_focused()
    expect(page.get_by_label(SWITCH)).to_be_checked()


def test_tracks_that_the_library_rejects_are_discarded(visit):
    page = visit("/live")
    turn_on(page)
    failures, answers = page.evaluate(
        """async () => {
            const script = document.querySelector("script[src*='/js/live.js']").src; // the page's modules, and no second ones
            const {frameClient} = await import(script.replace("live.js", "device-frames.js"));
            const canvas = document.createElement("canvas");
            canvas.getContext("2d").fillRect(0, 0, 300, 150);
            const failures = [], answers = [];
            const client = frameClient((error) => failures.push(error.detail), '{"version":0}');
            const {signal} = new AbortController();
            for (let time = 0; time < 2; time++) answers.push(await client.analyze({canvas}, time, signal));
            return [failures, answers.map((answer) => answer && answer.response.faces)];
        }"""
    )
    assert failures == [] and answers == [None, []]


def test_a_first_analysis_that_takes_long_starts_no_tracks(visit):
    """While the models are compiled people move on: their next faces would be those of other people."""
    page = visit("/live")
    turn_on(page)
    page.evaluate(
        """async () => {
            const script = document.querySelector("script[src*='/js/live.js']").src; // the page's modules, and no second ones
            const {DeviceClient} = await import(script.replace("live.js", "device/client.js"));
            const {analyze} = DeviceClient.prototype;
            window.times = [];
            DeviceClient.prototype.analyze = async function (image, options, control) {
                const answer = await analyze.call(this, image, options, control);
                if (window.times.push(options.time) === 1) await new Promise((done) => setTimeout(done, 1500));
                return answer;
            };
        }"""
    )
    start_camera(page)
    shown = results(page, 5)
    assert [one["time"] for one in shown] == page.evaluate("window.times")[1:6]
    assert [face["id"] for one in shown for face in one["faces"]] == [0] * 5


def test_note_of_the_camera_while_models_are_loaded_and_when_they_are_given_up(visit):
    page = visit("/live")
    record_notes(page)
    hold_models(page)
    page.get_by_label(SWITCH).check()
    sent = frames_sent(page)
    start_camera(page)
    expect(page.locator("#note")).to_have_text("Loading the models …")
    assert sent == []
    page.get_by_label(SWITCH).uncheck()
    results(page, 2)
    expect(page.locator("#note")).to_be_hidden()
    assert {note for note in page.evaluate("window.notes") if note} == {"Loading the models …"}


def test_turning_the_switch_off_is_no_failure_of_the_camera(visit):
    page = visit("/live")
    turn_on(page)
    start_camera(page)
    assert results(page, 3)[0]["roundTrip"] < 10_000
    record_notes(page)
    page.get_by_label(SWITCH).uncheck()
    results(page, 3)
    assert not any(page.evaluate("window.notes"))


def test_turning_the_switch_on_ends_the_wait_for_the_server(visit):
    page = visit("/live", expected="Failed to load resource")
    busy = {"status": 503, "headers": {"Retry-After": "600"}, "body": "{}"}
    page.route("**/api/v1/image", lambda route: route.fulfill(**busy))
    sent = frames_sent(page)
    start_camera(page)
    expect(page.locator("#note")).to_contain_text("Trying again in 30 s.")
    turn_on(page)
    expect(page.locator("#frame")).to_be_visible(timeout=10_000)
    expect(page.locator("#note")).to_be_hidden()
    assert len(sent) == 1
