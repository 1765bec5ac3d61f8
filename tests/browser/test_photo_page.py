"""Photo page with JavaScript."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

SEVEN = 7


@pytest.fixture
def broken(tmp_path) -> Path:
    path = tmp_path / "words.jpg"
    path.write_text("These are words.")
    return path


def expect_result(page: Page, faces: int = 1) -> None:
    expect(page.locator("#headline")).to_be_visible()
    expect(page.locator("table.bars tbody tr")).to_have_count(SEVEN * faces)
    assert page.locator(".photo img").evaluate("image => image.complete && image.naturalWidth > 0")


def give_photo(page: Page, kind: str, target: str) -> None:
    """Dispatch the event of a dropped or pasted photo."""
    page.evaluate(
        """async ([kind, target]) => {
            const blob = await (await fetch(document.querySelector(".sample img").src)).blob();
            const data = new DataTransfer();
            data.items.add(new File([blob], "given.jpg", {type: blob.type}));
            const options = {bubbles: true, cancelable: true};
            const event = kind === "paste" ? new ClipboardEvent(kind, {...options, clipboardData: data})
                                           : new DragEvent(kind, {...options, dataTransfer: data});
            document.querySelector(target).dispatchEvent(event);
        }""",
        [kind, target],
    )


def test_sample_is_analyzed_in_place_and_announced(visit):
    page = visit()
    page.evaluate("window.sameDocument = true")
    page.get_by_role("button", name="Eileen Collins").click()
    expect_result(page)
    assert page.evaluate("window.sameDocument")
    assert page.evaluate("document.activeElement.id") == "headline"
    headline = page.locator("#headline").inner_text()
    assert re.fullmatch(r"(Anger|Disgust|Fear|Happy|Neutral|Sad|Surprise), \d+\s%", headline)
    expect(page.get_by_role("status")).to_contain_text(f"{headline}. Your photo with 1 face framed")
    expect(page).to_have_title(f"{headline} · Emotion Detector")
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")


def choose(page: Page, path: Path) -> None:
    page.locator("#file").set_input_files(path)


def test_a_chosen_photo_is_read_at_once(visit, portrait):
    page = visit()
    expect(page.locator("#preview")).to_be_hidden()
    choose(page, portrait)
    expect_result(page)
    expect(page.locator("#file-name")).to_have_text(portrait.name)
    assert page.locator("#file").evaluate("input => input.files[0].name") == portrait.name, "it can be read again"


def test_the_button_opens_the_file_dialog(visit, portrait):
    page = visit()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Browse…").click()
    chooser.value.set_files(portrait)
    expect_result(page)
    with page.expect_file_chooser():
        page.get_by_role("button", name="Change").click()


def test_options_fold_away_stay_and_read_the_photo_again(visit, portrait):
    page = visit()
    option = page.get_by_role("checkbox", name="single face")
    expect(option).to_be_hidden()
    choose(page, portrait)
    expect_result(page)
    page.get_by_text("Options", exact=True).click()
    option.check()
    expect(page.get_by_text("The whole photo was analyzed as a single face.")).to_be_visible()
    expect_result(page)
    expect(option).to_be_checked()
    choose(page, portrait)
    expect(page.get_by_text("The whole photo was analyzed as a single face.")).to_be_visible()
    page.get_by_role("button", name="Eileen Collins").click()
    expect(page.locator("#file-name")).to_have_text("Eileen Collins, astronaut")
    expect(page.get_by_role("checkbox", name="single face")).to_be_checked()


def test_the_button_is_above_the_fold(visit):
    page = visit(viewport={"width": 1366, "height": 768})
    box = page.get_by_role("button", name="Browse…").bounding_box()
    assert box["y"] + box["height"] < 768
    framed = page.locator(".framed img").bounding_box()
    assert framed["y"] + framed["height"] < 768, "and so is a result"


def test_a_running_request_can_be_cancelled(visit, portrait):
    page = visit()
    held = []
    page.route("**/", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    choose(page, portrait)
    expect(page.get_by_role("button", name="Analyzing…")).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_have_text("Cancelled")
    expect(page.get_by_role("button", name="Browse…")).to_be_enabled()
    expect(page.locator("#cancel")).to_be_hidden()
    page.unroute("**/")
    page.get_by_role("button", name="Try again").click()
    expect_result(page)
    page.goto(page.url)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Browse…").click()
    chooser.value.set_files(portrait)  # the same photo again
    expect_result(page)


def test_the_button_has_its_name_again_after_a_second_request_took_the_place_of_the_first(visit, portrait):
    page = visit()
    held = []
    page.route("**/", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    with page.expect_request(lambda request: request.method == "POST"):
        choose(page, portrait)
    with page.expect_request(lambda request: request.method == "POST"):
        give_photo(page, "paste", "#drop")
    expect(page.get_by_role("button", name="Analyzing…")).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Browse…")).to_be_enabled()


def test_options_are_disabled_beside_the_result_of_a_shared_photo(visit, portrait):
    page = visit()
    content = portrait.read_bytes()
    with page.expect_navigation():
        page.evaluate(
            """([bytes]) => {
                const form = document.createElement("form");
                Object.assign(form, {method: "post", action: "/share", enctype: "multipart/form-data", hidden: true});
                const input = Object.assign(document.createElement("input"), {type: "file", name: "file"});
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], "shared.jpg", {type: "image/jpeg"}));
                input.files = data.files;
                form.append(input);
                document.body.append(form);
                form.submit();
            }""",
            [list(content)],
        )
    expect_result(page)
    page.get_by_text("Options", exact=True).click()
    for name in ("single face", "occlusion map", "landmarks"):
        expect(page.get_by_role("checkbox", name=name)).to_be_disabled()
    choose(page, portrait)
    expect(page.locator("#whole-image")).to_be_enabled()


def test_other_pages_take_what_is_dropped_on_their_input(visit, tmp_path):
    recording = tmp_path / "voice.wav"
    recording.write_bytes(b"RIFF")
    page = visit("/speech")
    box = page.locator("#sound").bounding_box()
    devtools = page.context.new_cdp_session(page)
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(recording)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
    expect(page.get_by_role("status")).to_have_text("voice.wav chosen")
    assert page.locator("#sound").evaluate("input => input.files[0].name") == recording.name


def test_options_changed_meanwhile_belong_to_the_photo_under_way(visit, portrait, tmp_path):
    page = visit()
    page.get_by_role("button", name="Four drawn faces").click()
    expect(page.locator("#headline")).to_have_text("4 faces")
    held = []
    page.route("**/", lambda route: held.append(route) if route.request.method == "POST" and not held else route.continue_())
    choose(page, portrait)
    expect(page.get_by_role("button", name="Analyzing…")).to_be_disabled()
    page.get_by_text("Options", exact=True).click()
    page.get_by_role("checkbox", name="single face").check()
    expect(page.locator("#file-name")).to_have_text(portrait.name)
    expect(page.get_by_text("The whole photo was analyzed as a single face.")).to_be_visible()


def test_a_failed_photo_can_be_sent_again(visit, portrait):
    """As a snapshot, which is nowhere else."""
    page = visit(expected="503")
    page.route(
        "**/", lambda route: route.fulfill(status=503, body="busy") if route.request.method == "POST" else route.continue_()
    )
    choose(page, portrait)
    expect(page.locator("#photo-form .problem")).to_contain_text("status 503")
    page.unroute("**/")
    page.get_by_role("button", name="Try again").click()
    expect_result(page)
    expect(page.locator("#file-name")).to_have_text(portrait.name)


def test_the_skip_link_keeps_the_result(visit):
    page = visit()
    page.get_by_role("button", name="Four drawn faces").click()
    expect(page.locator("#headline")).to_have_text("4 faces")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#headline")).to_have_text("4 faces")
    page.reload()
    expect(page.locator("#headline")).to_have_text("4 faces")


def test_a_restored_page_has_each_listener_once(visit):
    page = visit()
    page.get_by_role("button", name="Eileen Collins").click()
    expect_result(page)
    page.reload()
    expect_result(page)
    page.get_by_role("button", name="Take a photo").click()
    expect(page.get_by_role("dialog")).to_have_count(1)
    page.keyboard.press("Escape")
    page.get_by_text("Options", exact=True).click()
    page.get_by_role("checkbox", name="landmarks").check()
    expect(page.locator(".head-pose")).to_be_visible()


@pytest.mark.parametrize(("kind", "target"), [("drop", "#drop"), ("drop", "footer"), ("paste", "body")])
def test_photo_can_be_dropped_or_pasted(visit, kind, target):
    page = visit()
    give_photo(page, kind, target)
    expect_result(page)
    expect(page.locator("#file-name")).to_have_text("given.jpg")


def test_a_wrong_file_says_so(visit):
    page = visit()
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["words"], "notes.pdf", {type: "application/pdf"}));
            document.body.dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data}));
        }"""
    )
    expect(page.locator("#photo-form .problem")).to_contain_text("notes.pdf is not a photo")
    assert "POST" not in sent


def test_back_forward_and_reload_bring_results_back(visit, portrait):
    page = visit()
    choose(page, portrait)
    expect_result(page)
    first = page.locator("#headline").inner_text()
    page.get_by_role("button", name="Four drawn faces").click()
    expect(page.locator("#headline")).to_have_text("4 faces")
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    page.go_back()
    expect(page.locator("#headline")).to_have_text(first)
    assert page.locator("#file").evaluate("input => input.files[0].name") == portrait.name
    page.go_back()
    expect(page.get_by_role("heading", name="Which emotion does a face show?")).to_be_visible()
    page.go_forward()
    expect(page.locator("#headline")).to_have_text(first)
    page.go_forward()
    expect(page.locator("#headline")).to_have_text("4 faces")
    assert "POST" not in sent, "nothing is sent again"
    page.reload()
    expect(page.locator("#headline")).to_have_text("4 faces")
    assert "POST" not in sent
    expect(page).to_have_title("4 faces · Emotion Detector")
    page.get_by_role("link", name="Emotion Detector").click()
    expect(page.locator("#headline")).to_have_count(0)


def test_boxes_and_cards_are_linked(visit):
    page = visit()
    page.get_by_role("button", name="Four drawn faces").click()
    expect(page.locator("#headline")).to_have_text("4 faces")
    page.locator("#face-2").hover()
    expect(page.locator(".boxes [data-face='2']")).to_have_class(re.compile("marked"))
    page.locator("#face-3 > summary").click()
    expect(page.locator("#face-3")).not_to_have_attribute("open", "")
    page.locator(".boxes [data-face='3']").click()
    expect(page.locator("#face-3")).to_have_attribute("open", "")
    expect(page.locator("#face-3 > summary")).to_be_focused()
    expect(page.locator("#face-3")).to_have_class(re.compile("marked"))
    assert page.url.endswith("/"), "the address stays that of the result"


def test_boxes_cover_the_faces_of_the_picture(visit):
    page = visit()
    page.get_by_role("button", name="Four drawn faces").click()
    expect(page.locator("#headline")).to_have_text("4 faces")
    sides = """() => [".photo img", ".boxes"].map((name) => {
        const { left, top, width, height } = document.querySelector(name).getBoundingClientRect();
        return [left, top, width, height];
    })"""
    picture, boxes = page.evaluate(sides)
    assert boxes == pytest.approx(picture, abs=1)


def test_more_of_a_face_is_shown_on_demand(visit):
    page = visit()
    page.get_by_role("button", name="Four drawn faces").click()
    card = page.locator("#face-1")
    expect(card.locator("tbody tr:visible")).to_have_count(3)
    card.get_by_text("All seven").click()
    expect(card.locator("tbody tr:visible")).to_have_count(SEVEN)
    expect(card.get_by_role("button", name="Yes")).to_be_hidden()
    card.get_by_text("Is this correct?").first.click()
    expect(card.get_by_role("button", name="Yes")).to_be_visible()


@pytest.mark.parametrize("viewport", [{"width": 1366, "height": 768}, {"width": 390, "height": 844}])
def test_tall_photos_are_shown_whole_and_without_a_border(visit, viewport):
    page = visit(viewport=viewport)
    page.get_by_role("button", name="Barack Obama").click()
    expect_result(page)
    box = page.locator(".photo img").bounding_box()
    shape = page.locator(".photo img").evaluate("image => image.naturalWidth / image.naturalHeight")
    assert box["width"] / box["height"] == pytest.approx(shape, rel=0.01) and box["height"] <= 0.86 * viewport["height"]


def test_the_picture_is_copied(launch, visit):
    page = visit()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Eileen Collins").click()
    page.get_by_role("button", name="Copy picture").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    kinds = page.evaluate("async () => (await navigator.clipboard.read())[0].types")
    assert "image/png" in kinds


def test_dragging_highlights_the_drop_area(visit):
    page = visit()
    give_photo(page, "dragover", "#drop")
    expect(page.locator("#drop")).to_have_class(re.compile(r"\bover\b"))


def wait_for_camera(dialog):
    """Wait for the first frame. Playwright's wait_for_function polls with eval(), which the content security policy forbids."""
    dialog.locator("video").evaluate(
        "video => video.videoWidth > 0 || new Promise((done) => video.addEventListener('loadedmetadata', done, {once: true}))"
    )


def test_camera_photo_is_read(visit):
    page = visit()
    page.get_by_role("button", name="Take a photo").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("video")).to_be_visible()
    wait_for_camera(dialog)
    dialog.get_by_role("button", name="Take the photo").click()
    expect(dialog).to_have_count(0)
    expect(page.locator("#file-name")).to_have_text("snapshot.jpg")
    assert page.locator("#file").evaluate("input => [input.files[0].name, input.files[0].type]") == [
        "snapshot.jpg",
        "image/jpeg",
    ]


def test_closing_the_dialog_releases_the_camera(visit):
    page = visit()
    page.get_by_role("button", name="Take a photo").click()
    wait_for_camera(page.get_by_role("dialog"))
    video = page.wait_for_selector("dialog video")
    stream = video.evaluate_handle("video => video.srcObject")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    states = """async (stream) => {
        const states = () => stream.getTracks().map((track) => track.readyState);
        for (let tries = 0; tries < 100 && states()[0] !== "ended"; tries++) await new Promise((go) => setTimeout(go, 20));
        return states();
    }"""
    assert stream.evaluate(states) == ["ended"]  # a dialog's close event comes a moment after it is hidden


def test_several_faces_are_collapsible(visit):
    page = visit()
    page.get_by_role("button", name="Four drawn faces").click()
    expect(page.locator("#headline")).to_have_text(re.compile(r"\d faces"))
    count = page.locator("details.face").count()
    expect_result(page, count)
    page.locator("details.face > summary").first.click()
    expect(page.locator("table.bars").first).to_be_hidden()


def test_no_face_leads_to_the_whole_image(visit):
    page = visit()
    png = page.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(200, 150);
            canvas.getContext("2d").fillRect(0, 0, 200, 150);
            return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
        }"""
    )
    page.locator("#file").set_input_files({"name": "black.png", "mimeType": "image/png", "buffer": bytes(png)})
    expect(page.locator("#headline")).to_have_text("No face found")
    expect(page.locator("table.bars")).to_be_hidden()
    page.get_by_text("Read the whole photo as one face").click()
    expect(page.locator("table.bars")).to_be_visible()


def test_json_is_downloaded(visit, tmp_path):
    page = visit()
    page.get_by_role("button", name="Eileen Collins").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    assert download.value.suggested_filename == "collins-emotions.json"
    download.value.save_as(tmp_path / "emotions.json")
    answer = json.loads((tmp_path / "emotions.json").read_text())
    assert len(answer["faces"][0]["probabilities"]) == SEVEN


def test_explanation_uses_the_photo_of_the_page(visit, portrait):
    page = visit()
    choose(page, portrait)
    expect_result(page)
    page.evaluate("document.getElementById('headline').dataset.kept = 'yes'")
    page.get_by_role("button", name="Explain this prediction").click()
    expect(page.locator(".explanation-title")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("Image regions behind “Happy”: A grey square")
    assert page.locator(".explanation img").evaluate("image => image.complete && image.naturalWidth") == 240
    assert page.locator("#headline").get_attribute("data-kept") == "yes", "the rest of the page is unchanged"
    expect(page.get_by_role("button", name="Explain this prediction")).to_have_count(0)


def test_failed_explanation_can_be_retried(visit):
    page = visit()
    page.get_by_role("button", name="Eileen Collins").click()
    expect_result(page)
    page.route("**/", lambda route: route.fulfill(status=429, body="Slow down", content_type="text/plain"))
    page.get_by_role("button", name="Explain this prediction").click()
    expect(page.locator(".explain-form .note")).to_contain_text("try again")
    page.unroute("**/")
    page.get_by_role("button", name="Explain this prediction").click()
    expect(page.locator(".explanation figure")).to_be_visible()


def test_feedback_in_place(visit):
    page = visit()
    page.get_by_role("button", name="Eileen Collins").click()
    with page.expect_request("**/api/v1/feedback") as sent:
        page.get_by_role("button", name="No, it is Fear").click()
    body = sent.value.post_data_json
    assert sorted(body) == ["confidence", "model", "said", "shown", "token"]
    assert body["said"] == "fear" and 0 < body["confidence"] <= 1
    expect(page.locator(".feedback .note")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("Thank you. One line was logged, without the photo.")
    assert sent.value.response().status == 204
    expect(page.locator("#headline")).to_be_visible()


def test_a_problem_appears_in_the_form_which_keeps_its_file(visit, broken, portrait):
    page = visit()
    choose(page, broken)
    problem = page.locator("#photo-form .problem")
    expect(problem).to_contain_text("not_an_image")
    expect(problem.locator("h1")).to_be_focused()
    assert page.locator("#file").evaluate("input => input.files[0].name") == broken.name
    choose(page, portrait)
    expect_result(page)


def test_a_file_over_the_limit_is_not_sent(visit, portrait):
    page = visit()
    page.locator("#photo-form").evaluate("form => { form.dataset.maxBytes = 1000; }")
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    choose(page, portrait)
    expect(page.locator("#photo-form .problem")).to_contain_text("It was not sent.")
    assert "POST" not in sent


def test_failed_request_can_be_retried(visit):
    page = visit()
    page.route("**/", lambda route: route.fulfill(status=429, body="Slow down", content_type="text/plain"))
    page.get_by_role("button", name="Eileen Collins").click()
    expect(page.locator(".samples .problem")).to_contain_text("status 429")
    page.unroute("**/")
    page.get_by_role("button", name="Eileen Collins").click()
    expect_result(page)
