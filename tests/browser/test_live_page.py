"""Page /live with a video of a moving face as camera: overlay, charts, downloads and errors."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import statistics

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from emotions import EMOTIONS
from tests.browser.conftest import CAMERA, PHONE

RESULTS = """([root, count]) => new Promise((done) => {
    const found = [];
    root.addEventListener("result", function listen({detail}) {
        found.push(detail);
        if (found.length < count) return;
        root.removeEventListener("result", listen);
        done(found);
    });
})"""
"""Return the details of the next `result` events."""

SHOWN = """([root, canvas, count]) => new Promise((done) => {
    const found = [];
    root.addEventListener("result", function listen({detail}) {
        const {width, height} = canvas;
        const copy = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
        copy.drawImage(canvas, 0, 0);
        const pixels = copy.getImageData(0, 0, width, height).data;
        const at = (x, y) => {
            const start = 4 * (Math.round(y) * width + Math.round(x));
            return [...pixels.slice(start, start + 3)];
        };
        let [sum, marks] = [0, 0];
        for (let i = 0; i < pixels.length; i += 4) {
            if (pixels[i] > 200 && pixels[i + 1] < 80 && pixels[i + 2] > 200) { sum += (i / 4) % width; marks++; }
        }
        const {faces: [face]} = detail, scale = width / detail.width;
        const middle = width - (face.box.left + face.box.width / 2) * scale; // as in a mirror
        found.push({face, middle: middle / scale, mark: sum / marks / scale, edge: at(middle, face.box.top * scale + 1)});
        if (found.length < count) return;
        root.removeEventListener("result", listen);
        done(found);
    });
})"""
"""For each of the next results: the face, positions of its frame and of the mark in the video, and colour of the frame."""


def start(page: Page) -> None:
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("#live")).to_have_attribute("data-state", "running")
    expect(page.locator("#frame")).to_be_visible()


def results(page: Page, count: int) -> list[dict]:
    return page.locator("#live").evaluate_handle("root => root").evaluate(f"root => ({RESULTS})([root, {count}])")


def downloaded(page: Page, button: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    return download.value.path().read_text()


def test_overlay_matches_the_analyzed_frame(visit):
    page = visit("/live")
    start(page)
    colours = page.evaluate("fetch('/api/v1/style').then((answer) => answer.json())")["colours"]
    shown = page.evaluate(f"({SHOWN})([document.getElementById('live'), document.getElementById('frame'), 40])")
    places = [one["middle"] for one in shown]
    assert max(places) - min(places) > 60, "the face moved"
    distances = [one["middle"] - one["mark"] for one in shown]
    assert statistics.pstdev(distances) < 6, "the frame is that of the image shown"
    for one in shown:
        wanted = bytes.fromhex(colours[one["face"]["emotion"]][1:])
        assert max(abs(a - b) for a, b in zip(wanted, one["edge"], strict=True)) < 30
    assert {one["face"]["id"] for one in shown} == {0}, "the id persists"


def test_metrics_and_chart(visit):
    page = visit("/live")
    start(page)
    results(page, 12)
    expect(page.locator("#frame-rate")).not_to_have_text("–")
    assert float(page.locator("#frame-rate").inner_text()) > 0 and float(page.locator("#latency").inner_text()) > 0
    expect(page.get_by_role("heading", name="Person 1")).to_be_visible()
    expect(page.locator(".track-panel")).to_have_count(1)
    expect(page.locator(".track-panel p")).to_contain_text("Happy")
    chart = page.get_by_role("img", name="Person 1: chart of the seven probabilities over time")
    yellow = """canvas => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
        copy.drawImage(canvas, 0, 0);
        const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let i = 0; i < data.length; i += 4) count += data[i] === 0xf0 && data[i + 1] === 0xe4 && data[i + 2] === 0x42;
        return count;
    }"""
    first = chart.evaluate(yellow)
    assert first > 0
    values = page.locator(".track-panel .values")
    assert values.locator("dt").all_inner_texts() == [name.title() for name in EMOTIONS]
    shares = [int(text.split()[0]) for text in values.locator("dd").all_inner_texts()]
    assert abs(sum(shares) - 100) <= 4 and max(shares) == shares[EMOTIONS.index("happy")]
    results(page, 12)
    page.wait_for_timeout(300)  # charts are updated at their own interval
    assert chart.evaluate(yellow) > first, "the chart grows"


def test_screen_reader_announcements(visit):
    page = visit("/live")
    start(page)
    expect(page.get_by_role("status")).to_contain_text("Person 1: Happy")
    expect(page.get_by_role("img", name="Camera picture. Person 1: Happy")).to_be_visible()


def test_focus_follows_the_camera(visit, launch):
    page = visit("/live", by=launch("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=device-count=2"))
    page.get_by_role("button", name="Start the camera").press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("The camera is on")
    keys = {page.get_by_role("button", name="Switch camera"): "Enter", page.get_by_role("combobox", name="Camera"): "ArrowUp"}
    for control, key in keys.items():
        stream = page.locator("#source").evaluate_handle("video => video.srcObject")
        control.press(key)
        page.wait_for_timeout(500)
        expect(page.locator("#live")).to_have_attribute("data-state", "running")
        assert stream.evaluate("stream => stream.getTracks()[0].readyState") == "ended", "another camera is on"
        expect(control).to_be_focused()
    results(page, 1)
    page.get_by_role("button", name="Reset").press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()


def requests_of(page: Page) -> list:
    sent = []
    page.on("request", lambda request: sent.append(request) if "/api/v1/image" in request.url else None)
    return sent


def requests_while_idle(page: Page, sent: list) -> int:
    """Count the requests in an interval, after pending ones were answered."""
    page.wait_for_timeout(700)
    before = len(sent)
    page.wait_for_timeout(700)
    return len(sent) - before


def test_one_request_at_a_time(visit):
    page = visit("/live")
    pending, maximum = set(), [0]

    def on_request(request):
        if "/api/v1/image" in request.url:
            pending.add(request)
            maximum[0] = max(maximum[0], len(pending))

    page.on("request", on_request)
    page.on("requestfinished", lambda request: pending.discard(request))
    start(page)
    results(page, 15)
    assert maximum[0] == 1


def test_pause_and_resume(visit):
    page = visit("/live")
    sent = requests_of(page)
    start(page)
    results(page, 3)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#note")).to_have_text("Paused: nothing is sent.")
    assert requests_while_idle(page, sent) == 0
    page.get_by_role("button", name="Resume").click()
    again = results(page, 3)
    assert again[-1]["faces"][0]["id"] == 0, "the pause was shorter than the memory of the tracker"


def test_bars_can_be_switched_while_paused(visit):
    page = visit("/live")
    start(page)
    results(page, 3)
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(700)  # until the pending frame is answered
    picture = "canvas => canvas.toDataURL()"
    frame = page.locator("#frame")
    with_bars = frame.evaluate(picture)
    page.get_by_label("Bars").uncheck()
    assert frame.evaluate(picture) != with_bars
    page.get_by_label("Bars").check()
    assert frame.evaluate(picture) == with_bars


OVERLAY = """async ({width, height, boxes, mirrored}) => {
    const {drawFaces} = await import("/static/js/overlay.js");
    const style = await (await fetch("/api/v1/style")).json();
    const canvas = new OffscreenCanvas(width, height);
    const names = Object.keys(style.colours);
    const faces = boxes.map(([left, top, wide, high], id) => ({id, emotion: "surprise", confidence: 0.7, unsure: null,
        box: {left, top, width: wide, height: high}, probabilities: Object.fromEntries(names.map((name) => [name, 1 / 7]))}));
    const places = drawFaces(canvas.getContext("2d"), faces, style, {bars: true, mirrored});
    const corners = ({left, top, width: wide, height: high}) => [left, top, left + wide, top + high];
    return Object.fromEntries(Object.entries(places).map(([name, all]) => [name, all.map(corners)]));
}"""


def shared(first: list[float], second: list[float]) -> float:
    """Pixels that two rectangles share."""
    wide, high = (min(first[2 + axis], second[2 + axis]) - max(first[axis], second[axis]) for axis in (0, 1))
    return max(0.0, wide) * max(0.0, high)


@pytest.mark.parametrize("mirrored", [False, True])
def test_bars_and_labels_hide_no_face_and_no_label(visit, mirrored):
    page = visit("/live")
    random = np.random.default_rng(0)
    drawn = 0
    for count in (1, 2, 3, 5, 8):
        columns = [640 * (index + 0.5) / count for index in range(count)]
        side = min(150, 560 / count)
        boxes = [[x - side / 2, float(random.uniform(5, 470 - 1.2 * side)), side, 1.2 * side] for x in columns]
        places = page.evaluate(OVERLAY, {"width": 640, "height": 480, "boxes": boxes, "mirrored": mirrored})
        for bar in places["bars"]:
            assert bar[0] >= 0 and bar[1] >= 0 and bar[2] <= 640 and bar[3] <= 480, "inside the picture"
            assert not any(shared(bar, other) for other in [*places["boxes"], *places["labels"]])
        for one, other in [*itertools.combinations(places["labels"], 2), *itertools.combinations(places["bars"], 2)]:
            assert not shared(one, other)
        assert len(places["labels"]) == count
        drawn += len(places["bars"])
    assert drawn >= 3, "there is room in some of the scenes"


def test_without_room_there_are_labels_alone(visit):
    scene = {"width": 640, "height": 480, "boxes": [[60, 60, 520, 400]], "mirrored": False}
    places = visit("/live").evaluate(OVERLAY, scene)
    assert places["bars"] == [] and len(places["labels"]) == 1


def test_hidden_tab_sends_nothing(visit):
    page = visit("/live")
    sent = requests_of(page)
    start(page)
    results(page, 3)
    # Headless browsers do not hide tabs, so the event is simulated.
    set_hidden = """hidden => {
        Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(set_hidden, True)
    assert requests_while_idle(page, sent) == 0
    page.evaluate(set_hidden, False)
    results(page, 3)


def test_stop_and_leaving_release_the_camera(visit):
    page = visit("/live")
    for leave in ("button", "page"):
        start(page)
        stream = page.locator("#source").evaluate_handle("video => video.srcObject")
        if leave == "button":
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_role("button", name="Start the camera")).to_be_focused()
        else:
            page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide'))")
        assert stream.evaluate("stream => stream.getTracks().map((track) => track.readyState)") == ["ended"]


def test_downloads_as_csv_and_json(visit):
    page = visit("/live")
    start(page)
    results(page, 8)
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(700)  # until the pending frame is answered
    rows = list(csv.DictReader(io.StringIO(downloaded(page, "CSV"))))
    record = json.loads(downloaded(page, "JSON"))
    columns = ["time", "id", "left", "top", "width", "height", "emotion", "confidence", *EMOTIONS, "unsure", "number"]
    assert list(rows[0]) == columns
    faces = [(frame["time"], face) for frame in record["frames"] for face in frame["faces"]]
    assert len(rows) == sum(max(1, len(frame["faces"])) for frame in record["frames"]), "a row also where no face is found"
    rows = [row for row in rows if row["id"]]
    assert len(rows) == len(faces) >= 8
    for row, (time, face) in zip(rows, faces, strict=True):
        assert float(row["time"]) == time and int(row["id"]) == face["id"] and row["emotion"] == face["emotion"]
        assert math.isclose(sum(float(row[name]) for name in EMOTIONS), 1, abs_tol=0.01)
        assert {float(row[name]) for name in EMOTIONS} == set(face["probabilities"].values())
        assert "raw" in face and "landmarks" not in face
    assert record["frames"][0]["time"] == 0 and rows[0]["unsure"] == ""
    assert set(record["model"]) == {"name", "version"}
    [person] = record["summary"]["people"]
    assert person["frames"] == record["summary"]["frames"] == len(faces)
    assert set(person) == {"id", "number", "first", "last", "frames", "shares", "mean"}
    assert math.isclose(sum(person["shares"].values()), 1, abs_tol=0.001)
    mean = statistics.mean(face["probabilities"]["happy"] for _, face in faces)
    assert math.isclose(person["mean"]["happy"], mean, abs_tol=0.001)
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("#metrics")).to_be_hidden()
    expect(page.locator(".track-panel")).to_have_count(0)


def test_snapshot(visit):
    page = visit("/live")
    start(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Snapshot").click()
    assert download.value.path().read_bytes().startswith(b"\xff\xd8")


def test_landmarks_on_request(visit):
    page = visit("/live")
    start(page)
    assert "landmarks" not in results(page, 1)[0]["faces"][0]
    page.get_by_label("Landmarks").check()
    assert len(results(page, 3)[-1]["faces"][0]["landmarks"]) == 468


@pytest.mark.parametrize(
    "trouble", [{"status": 503, "headers": {"Retry-After": "1"}}, {"status": 429}, {"status": 413}, {"abort": True}]
)
def test_request_errors_are_shown_and_retried(visit, trouble):
    page = visit("/live", expected="Failed to load resource")
    start(page)
    handler = (lambda route: route.abort()) if "abort" in trouble else (lambda route: route.fulfill(**trouble, body="no JSON"))
    page.route("**/api/v1/image", handler, times=1)
    expect(page.locator("#note")).to_contain_text("Trying again in")
    results(page, 3)
    expect(page.locator("#note")).to_be_hidden()


def test_rejected_tracks_are_discarded(visit):
    page = visit("/live")
    bodies = []

    def spoil(route):
        body = route.request.post_data_buffer
        if b'"version":1' in body and not bodies:
            bodies.append(body)
            return route.continue_(post_data=body.replace(b'"version":1', b'"version":0'))
        return route.continue_()

    page.route("**/api/v1/image", spoil)
    start(page)
    assert results(page, 5)[-1]["faces"][0]["id"] == 0 and bodies


def test_denied_camera(visit, launch):
    page = visit("/live", by=launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream=deny"))
    page.get_by_role("button", name="Start the camera").click()
    heading = page.get_by_role("heading", name="The camera was not allowed")
    expect(heading).to_be_focused()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.get_by_role("link", name="Analyze a photo")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(heading).to_be_focused()


def test_denied_camera_can_be_tried_again(visit, launch):
    page = visit("/live", by=launch("--use-fake-device-for-media-stream", "--deny-permission-prompts"))
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("heading", name="The camera was not allowed")).to_be_focused()
    expect(page.locator("#error-panel p")).to_contain_text("Try again")
    page.context.grant_permissions(["camera"])
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#live")).to_have_attribute("data-state", "running")
    expect(page.locator("#frame")).to_be_visible()


@pytest.mark.parametrize(
    ("permission", "words"), [("prompt", "allow the camera when it asks"), ("denied", "set Camera to Allow")]
)
def test_text_of_a_denied_camera(visit, permission, words):
    text = """async (permission) => {
        const {cameraErrorText} = await import("/static/js/webcam.js");
        return cameraErrorText({name: "NotAllowedError"}, permission)[1];
    }"""
    assert words in visit("/live").evaluate(text, permission)


def test_no_camera(visit, launch):
    page = visit("/live", by=launch("--use-fake-device-for-media-stream=device-count=0", "--use-fake-ui-for-media-stream"))
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("heading", name="No camera was found")).to_be_focused()


def test_insecure_context(launch, site):
    chromium = launch(*CAMERA, "--host-resolver-rules=MAP unsafe.test 127.0.0.1")
    page = chromium.new_page()
    page.goto(site.replace("127.0.0.1", "unsafe.test") + "/live")
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("heading", name="The camera needs a safe address")).to_be_focused()
    page.close()


def test_without_javascript(visit):
    page = visit("/live", java_script_enabled=False)
    expect(page.get_by_text("This page needs JavaScript")).to_be_visible()
    expect(page.get_by_role("button", name="Start the camera")).to_be_hidden()


def test_layout_on_a_phone(visit):
    page = visit("/live", viewport=PHONE)
    start(page)
    results(page, 3)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator("#frame").evaluate("canvas => canvas.clientWidth") > 300


def test_slow_start_of_the_server(visit):
    page = visit("/live")
    held = []
    page.route("**/api/v1/image", lambda route: held.append(route), times=1)
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("#note")).to_have_text("Starting the server …")
    expect(page.locator("#source")).to_be_visible()  # the camera is visible meanwhile
    held[0].continue_()
    expect(page.locator("#frame")).to_be_visible()
    expect(page.locator("#note")).to_be_hidden()


def test_camera_selection(visit, launch):
    page = visit("/live", by=launch("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=device-count=2"))
    start(page)
    choice = page.locator("#device")
    expect(choice.locator("option")).to_have_count(2)
    before = page.locator("#source").evaluate("video => video.srcObject.getVideoTracks()[0].getSettings().deviceId")
    other = next(
        value for value in choice.locator("option").evaluate_all("all => all.map((one) => one.value)") if value != before
    )
    choice.select_option(other)
    start_again = "video => video.srcObject?.getVideoTracks()[0].getSettings().deviceId ?? ''"
    expect(page.locator("#frame")).to_be_visible()
    assert page.locator("#source").evaluate(start_again) == other
    expect(choice).to_have_value(other)


def asked(page: Page) -> None:
    """Record what the page asks of getUserMedia."""
    page.evaluate(
        """() => {
            const devices = navigator.mediaDevices, open = devices.getUserMedia.bind(devices);
            window.asked = [];
            devices.getUserMedia = (wanted) => { window.asked.push(wanted.video); return open(wanted); };
        }"""
    )


def test_switch_of_the_camera_on_a_phone(visit):
    page = visit("/live", viewport=PHONE, has_touch=True, is_mobile=True)
    asked(page)
    start(page)
    page.get_by_role("button", name="Switch camera").click()
    expect(page.locator("#live")).to_have_attribute("data-state", "running")
    results(page, 2)
    front, other = page.evaluate("window.asked")
    assert front["facingMode"] == "user" and other["facingMode"] == "environment"


def test_switch_of_the_camera_between_several(visit, launch):
    page = visit("/live", by=launch("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=device-count=2"))
    start(page)
    current = "video => video.srcObject?.getVideoTracks()[0].getSettings().deviceId ?? ''"
    first = page.locator("#source").evaluate(current)
    page.get_by_role("button", name="Switch camera").click()
    results(page, 1)
    assert page.locator("#source").evaluate(current) != first


def test_no_switch_with_a_single_camera(visit):
    page = visit("/live")
    start(page)
    results(page, 2)
    expect(page.get_by_role("button", name="Switch camera")).to_be_hidden()


def test_long_log_is_thinned_but_the_summary_is_complete(visit):
    page = visit("/live")
    kept = page.evaluate(
        """async () => {
            const {ResultsLog} = await import("/static/js/results-log.js");
            const record = new ResultsLog(["happy", "sad"]);
            const box = {left: 0, top: 0, width: 9, height: 9};
            const face = (happy) => ({id: 0, box, emotion: happy > 0.5 ? "happy" : "sad", confidence: 0.7,
                                      probabilities: {happy, sad: 1 - happy}, unsure: null});
            for (let i = 0; i < 250000; i++) record.add(i / 15, [face(i % 4 ? 0.7 : 0.3)]);
            const steps = record.frames.slice(0, 3).map((frame) => frame.time);
            return {frames: record.frames.length, stride: record.stride, steps, summary: record.summary()};
        }"""
    )
    assert kept["stride"] == 4 and kept["frames"] <= 100_000 and kept["steps"] == [0, 0.267, 0.533]
    [person] = kept["summary"]["people"]
    assert kept["summary"]["frames"] == person["frames"] == 250_000
    assert person["shares"] == {"happy": 0.75, "sad": 0.25} and math.isclose(person["mean"]["happy"], 0.6, abs_tol=1e-3)
