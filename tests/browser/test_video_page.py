"""Page /video: frames are sent to the server, the file is not."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from scripts.deploy.traffic import SIZE, moving_face
from tests.browser.conftest import PHONE
from tests.browser.videos import write_video

RATE = 15
FRAMES = 60  # four seconds, in which the face moves to both sides
FRAME_BYTES = 60_000


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Callable[[str, str], Path]:
    """Return a video of a moving face in a codec; each is made once."""
    folder = tmp_path_factory.mktemp("videos")

    def make(name: str, codec: str) -> Path:
        path = folder / name
        return path if path.exists() else write_video(path, moving_face(FRAMES), codec, RATE)

    return make


def open_video(page: Page, path: Path) -> None:
    page.get_by_label("Choose a video").set_input_files(path)
    expect(page.get_by_role("button", name="Analyze video")).to_be_visible()


def analyze(page: Page, fps: int = 2) -> None:
    page.get_by_label("Analyze", exact=True).select_option(str(fps))
    page.get_by_role("button", name="Analyze video").click()


def downloaded(page: Page, button: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    return download.value.path().read_text()


def middle_at(time: float) -> float:
    """Position of the mark under the face at `time` seconds, in pixels from the left."""
    return SIZE[0] / 2 - 4 + 130 * math.sin(2 * math.pi * (math.floor(time * RATE + 0.001) % FRAMES) / FRAMES)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), [("face.mp4", "h264"), ("face.webm", "libvpx")])
def test_timeline_of_a_video_that_stays_on_the_device(visit, video, name, codec):
    path = video(name, codec)
    page = visit("/video")
    sent = []
    page.on("request", lambda request: sent.append(request))
    open_video(page, path)
    assert [request.url for request in sent if request.method == "POST"] == [], "nothing is sent before the button is pressed"
    analyze(page)
    expect(page.get_by_role("heading", name="Share of each emotion")).to_be_visible(timeout=30_000)
    posts = [request for request in sent if request.method == "POST"]
    assert len(posts) == 8 and all(request.url.endswith("/api/v1/image") for request in posts)
    assert max(request.sizes()["requestBodySize"] for request in posts) < FRAME_BYTES < path.stat().st_size
    record = json.loads(downloaded(page, "JSON"))
    assert [frame["time"] for frame in record["frames"]] == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]
    middles = []
    for frame in record["frames"]:
        [face] = frame["faces"]
        middles.append(face["box"]["left"] + face["box"]["width"] / 2 - middle_at(frame["time"]))
    assert max(middles) - min(middles) < 6, "each frame is that of its time"
    assert record["summary"]["partial"] is False and record["summary"]["frames"] == 8
    assert abs(record["summary"]["duration"] - FRAMES / RATE) < 0.2
    [person] = record["summary"]["people"]
    assert (person["id"], person["frames"], person["first"], person["last"]) == (0, 8, 0, 3.5)
    assert len(list(csv.DictReader(io.StringIO(downloaded(page, "CSV"))))) == 8
    row = page.get_by_role("row", name="Person 1")
    expect(row).to_contain_text("0:00 to 0:03")
    expect(row.get_by_role("cell", name="100 %")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Person 1: Happy in 100 % of 8 frames")


def test_click_on_the_timeline_seeks(visit, video):
    page = visit("/video")
    open_video(page, video("face.mp4", "h264"))
    analyze(page)
    chart = page.get_by_role("img", name="Person 1: chart of the seven probabilities over time")
    expect(page.locator("#overlay")).to_be_visible(timeout=30_000)
    width = chart.evaluate("canvas => canvas.clientWidth")
    assert width > 0.7 * page.locator(".media-page").evaluate("element => element.clientWidth"), "as wide as the page allows"
    chart.click(position={"x": width / 4, "y": 20})
    player = page.locator("#source")
    expect(player).to_have_js_property("seeking", False)
    assert abs(player.evaluate("video => video.currentTime") - 1) < 0.1
    page.wait_for_timeout(300)  # the overlay is drawn after `seeked`
    drawn = """canvas => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
        copy.drawImage(canvas, 0, 0);
        const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
        const columns = [];
        for (let i = 0; i < data.length; i += 4) {
            if (data[i] === 0xf0 && data[i + 1] === 0xe4 && data[i + 2] === 0x42) columns.push((i / 4) % canvas.width);
        }
        return columns.length && [Math.min(...columns) / canvas.width, Math.max(...columns) / canvas.width];
    }"""
    left, right = page.locator("#overlay").evaluate(drawn)
    assert left * SIZE[0] < middle_at(1) < right * SIZE[0]


def test_cancel_keeps_the_results_so_far(visit, video):
    page = visit("/video")
    open_video(page, video("face.mp4", "h264"))
    answered = []
    page.on("response", lambda response: answered.append(response.url) if response.url.endswith("/image") else None)
    with page.expect_response("**/api/v1/image"):
        analyze(page, 10)
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator("#time-left")).to_contain_text("left")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#summary-text")).to_contain_text("It was cancelled: these are the results so far.")
    record = json.loads(downloaded(page, "JSON"))
    assert 1 <= len(record["frames"]) < 40 and record["summary"]["partial"] is True
    count = len(answered)
    page.wait_for_timeout(500)
    assert len(answered) == count, "nothing is sent after cancelling"
    page.get_by_role("button", name="Choose another").locator("visible=true").click()
    expect(page.get_by_label("Choose a video")).to_be_focused()


def test_video_without_stated_duration(visit):
    page = visit("/video")
    recorded = page.evaluate(
        """async () => {
            const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
            const recorder = new MediaRecorder(canvas.captureStream(10), {mimeType: "video/webm"}), pieces = [];
            recorder.ondataavailable = (event) => pieces.push(event.data);
            recorder.start();
            for (let i = 0; i < 12; i++) {
                context.fillRect(i, i, 10, 10);
                await new Promise((go) => setTimeout(go, 100));
            }
            const ended = new Promise((done) => { recorder.onstop = done; });
            recorder.stop();
            await ended;
            return [...new Uint8Array(await new Blob(pieces).arrayBuffer())];
        }"""
    )
    page.get_by_label("Choose a video").set_input_files(
        {"name": "recorded.webm", "mimeType": "video/webm", "buffer": bytes(recorded)}
    )
    analyze(page)
    expect(page.locator("#summary-text")).to_contain_text("No face was detected.")
    summary = json.loads(downloaded(page, "JSON"))["summary"]
    assert 0.5 < summary["duration"] < 30 and summary["frames"] == math.ceil(summary["duration"] * 2) and summary["people"] == []


def test_unplayable_video_is_uploaded_on_request_only(visit, video):
    page = visit("/video", expected="Failed to load resource")
    posts = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.get_by_label("Choose a video").set_input_files(video("face.avi", "mpeg4"))
    expect(page.get_by_role("heading", name="This browser cannot play the file")).to_be_focused()
    expect(page.locator("#error-panel p")).to_contain_text("would be uploaded, processed in memory and not stored")
    assert posts == []
    page.get_by_role("button", name="Send it to the server").click()
    expect(page.locator("#video")).to_have_attribute("data-state", "done", timeout=30_000)
    assert len(posts) == 1 and posts[0].endswith("/api/v1/video")
    record = json.loads(downloaded(page, "JSON"))
    assert record["summary"]["frames"] == len(record["frames"]) == 20
    assert record["summary"]["people"][0]["seconds"] == pytest.approx(4, abs=0.1), "of the server's summary"
    expect(page.get_by_role("row", name="Person 1")).to_contain_text("20")
    page.get_by_role("button", name="Analyze again").click()
    expect(page.get_by_role("heading", name="This browser cannot play the file")).to_be_focused()
    assert len(posts) == 1, "uploaded again on request only"


def test_annotated_video_of_an_uploaded_one(visit, video):
    page = visit("/video", expected="Failed to load resource")
    posts = []
    page.on("request", lambda request: posts.append(request.post_data_buffer) if request.method == "POST" else None)
    page.get_by_label("Choose a video").set_input_files(video("face.avi", "mpeg4"))
    page.get_by_role("button", name="Send it to the server").click()
    make = page.get_by_role("button", name="Make the annotated video")
    expect(make).to_be_visible(timeout=30_000)
    assert len(posts) == 1, "the second analysis is done on request only"
    page.route("**/api/v1/video", lambda route: None, times=1)  # no answer
    make.click()
    expect(page.locator("#time-left")).to_contain_text("Making the video")
    page.get_by_role("button", name="Cancel").click()
    expect(make).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("Cancelled: there is no annotated video.")
    expect(page.locator("#rows tr")).to_have_count(1)
    make.click()
    save = page.get_by_role("button", name="Annotated video", exact=True)
    expect(save).to_be_focused(timeout=60_000)
    assert b'name="annotated"\r\n\r\nmp4' in posts[-1]
    with page.expect_download() as download:
        save.click()
    assert download.value.path().read_bytes()[4:8] == b"ftyp" and download.value.suggested_filename == "face-annotated.mp4"
    player = page.locator("#source")
    assert player.evaluate("video => [video.videoWidth, video.videoHeight, video.controls]") == [*SIZE, True]
    chart = page.get_by_role("img", name="Person 1: chart of the seven probabilities over time")
    chart.click(position={"x": chart.evaluate("canvas => canvas.clientWidth") / 2, "y": 20})
    expect(player).to_have_js_property("seeking", False)
    assert abs(player.evaluate("video => video.currentTime") - 2) < 0.1
    page.get_by_role("button", name="Analyze again").click()
    expect(page.get_by_role("heading", name="This browser cannot play the file")).to_be_focused()


@pytest.mark.parametrize(("status", "is_offered"), [(503, True), (429, True), (0, True), (415, False)])
def test_upload_is_offered_again_where_it_may_succeed(visit, video, status, is_offered):
    page = visit("/video", expected="Failed to load resource")
    page.get_by_label("Choose a video").set_input_files(video("face.avi", "mpeg4"))
    problem = json.dumps({"title": "Not now", "detail": "Try again in a moment.", "code": "busy"})
    answer = (lambda route: route.fulfill(status=status, body=problem)) if status else (lambda route: route.abort())
    page.route("**/api/v1/video", answer, times=1)
    send = page.get_by_role("button", name="Send it to the server")
    send.click()
    expect(page.get_by_role("heading", name="Not now" if status else "No response")).to_be_focused()
    expect(send).to_be_visible(visible=is_offered)
    if status == 503:
        send.click()
        expect(page.locator("#video")).to_have_attribute("data-state", "done", timeout=30_000)


def test_cancelled_upload_is_offered_again(visit, video):
    page = visit("/video")
    page.get_by_label("Choose a video").set_input_files(video("face.avi", "mpeg4"))
    page.route("**/api/v1/video", lambda route: None, times=1)  # no answer
    page.get_by_role("button", name="Send it to the server").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Nothing was analyzed")).to_be_focused()
    expect(page.get_by_role("button", name="Send it to the server")).to_be_visible()


def test_cancel_before_the_first_frame_moves_the_focus(visit, video):
    page = visit("/video")
    open_video(page, video("face.mp4", "h264"))
    page.route("**/api/v1/image", lambda route: None, times=1)  # no answer
    analyze(page)
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.get_by_role("button", name="Analyze video")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("It was cancelled before the first frame.")


def test_names_of_downloads_are_those_of_the_file(visit, video, tmp_path):
    page = visit("/video")
    open_video(page, Path(shutil.copy(video("face.mp4", "h264"), tmp_path / "Zoë's party.final.mp4")))
    analyze(page, 1)
    for button in ("CSV", "JSON"):
        with page.expect_download(timeout=30_000) as download:
            page.get_by_role("button", name=button, exact=True).click()
        assert download.value.suggested_filename == f"Zoë-s-party.final-emotions.{button.lower()}"


def test_failed_annotated_video_keeps_the_results(visit, video):
    page = visit("/video", expected="Failed to load resource")
    page.get_by_label("Choose a video").set_input_files(video("face.avi", "mpeg4"))
    page.get_by_role("button", name="Send it to the server").click()
    make = page.get_by_role("button", name="Make the annotated video")
    expect(make).to_be_visible(timeout=30_000)
    problem = json.dumps({"title": "Busy", "detail": "Two videos are being analyzed.", "code": "busy"})
    page.route("**/api/v1/video", lambda route: route.fulfill(status=503, body=problem), times=1)
    make.click()
    expect(page.locator("#note")).to_have_text("There is no annotated video. Two videos are being analyzed.")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(make).to_be_enabled()


def test_sample_video_with_one_click(visit):
    page = visit("/video")
    page.get_by_role("button", name="Try a sample video").click()
    expect(page.get_by_role("heading", name="Share of each emotion")).to_be_visible(timeout=60_000)
    people = json.loads(downloaded(page, "JSON"))["summary"]["people"]
    assert len(people) == 2
    mostly = [{name for name, share in person["shares"].items() if share > 0.1} for person in people]
    assert {"happy"} in mostly and {"happy", "fear", "sad", "anger"} in mostly, "a portrait, and a drawing that changes"
    expect(page.locator(".track-panel .values")).to_have_count(2)


def test_person_who_comes_back_in_an_uploaded_video_is_one(visit, tmp_path):
    still, empty = next(iter(moving_face(1))), Image.new("RGB", SIZE, "gray")
    path = write_video(tmp_path / "back.avi", [still] * 5 + [empty] * 20 + [still] * 5, "mpeg4", 5)
    page = visit("/video", expected="Failed to load resource")
    page.get_by_label("Choose a video").set_input_files(path)
    page.get_by_role("button", name="Send it to the server").click()
    expect(page.locator("#video")).to_have_attribute("data-state", "done", timeout=30_000)
    record = json.loads(downloaded(page, "JSON"))
    assert [person["ids"] for person in record["summary"]["people"]] == [[0, 1]]
    assert {face["id"] for frame in record["frames"] for face in frame["faces"]} == {0}
    assert {row["id"] for row in csv.DictReader(io.StringIO(downloaded(page, "CSV")))} == {"0", ""}
    expect(page.locator("#track-panels [data-person]")).to_have_count(1)


def test_too_large_video_is_not_uploaded(visit, video):
    page = visit("/video")
    page.locator("#video").evaluate("element => { element.dataset.maxBytes = 1000; }")
    page.get_by_label("Choose a video").set_input_files(video("face.avi", "mpeg4"))
    expect(page.locator("#error-panel p")).to_contain_text("Save it as MP4 (H.264) or WebM")
    expect(page.get_by_role("button", name="Send it to the server")).to_be_hidden()
    page.get_by_role("button", name="Choose another video").click()
    expect(page.get_by_label("Choose a video")).to_be_focused()


def test_dropped_video_is_opened(visit, video):
    page = visit("/video")
    page.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "face.webm", {type: "video/webm"}));
            const drop = new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data});
            document.querySelector("#viewer").dispatchEvent(drop);
        }""",
        list(video("face.webm", "libvpx").read_bytes()),
    )
    expect(page.get_by_role("button", name="Analyze video")).to_be_focused()


def test_without_javascript(visit):
    page = visit("/video", java_script_enabled=False)
    expect(page.get_by_text("This page needs JavaScript")).to_be_visible()
    expect(page.get_by_label("Choose a video")).to_be_hidden()


def test_layout_on_a_phone(visit, video):
    page = visit("/video", viewport=PHONE)
    open_video(page, video("face.mp4", "h264"))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    analyze(page, 1)
    expect(page.get_by_role("heading", name="Share of each emotion")).to_be_visible(timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
