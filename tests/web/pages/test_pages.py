"""Pages without JavaScript."""

from __future__ import annotations

import base64
import csv
import json
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from emotions import EMOTIONS, FaceAnalyzer, open_image
from emotions.image.loading import encode_jpeg
from emotions.labels import TITLES
from scripts.synthetic.coverings import paint
from tests.markup import Page
from web import create_app
from web.app import ROOT
from web.pages.model_card import reliability_of
from web.pages.samples import SAMPLES

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def faceless() -> bytes:
    """An image of a gradient."""
    ramp = np.linspace(40, 200, 320).astype(np.uint8)
    stream = BytesIO()
    Image.fromarray(np.tile(ramp, (240, 1))).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def read(client):
    """Post a photo (bytes) or form fields to a page and parse the response."""

    def post(photo: bytes | None = None, path: str = "/", status: int = 200, **fields: str) -> Page:
        data = fields | ({"file": (BytesIO(photo), "photo.jpg")} if photo is not None else {})
        response = client.post(path, data=data, content_type="multipart/form-data", headers=HTML)
        assert (response.status_code, response.mimetype) == (status, "text/html")
        return Page(response.text)

    return post


def decoded(uri: str) -> Image.Image:
    head, _, body = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(BytesIO(base64.b64decode(body)))


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def picture_alt(page: Page) -> str:
    """The text alternative of the photo, with white space as the texts of the page have it."""
    [figure] = [image for image in page.find("img") if image.inside("figure") and image.attrs["alt"]]
    return " ".join(figure.attrs["alt"].split())


def downloaded(page: Page) -> dict:
    link = [link for link in page.find("a") if (link.attrs.get("download") or "").endswith(".json")][-1]
    head, _, body = link.attrs["href"].partition(",")
    assert head == "data:application/json"
    return json.loads(unquote(body))


def rows(page: Page, table: int = 0) -> dict[str, int]:
    body = page.find("table", "bars")[table]
    mine = [element for element in page.elements if body in element.parents]
    names = [element.text for element in mine if element.tag == "th" and element.attrs.get("scope") == "row"]
    shares = [int(element.text.rstrip(" %")) for element in mine if element.attrs.get("class") == "probability"]
    return dict(zip(names, shares, strict=True))


def test_home_offers_a_form_and_every_sample(client):
    page = Page(client.get("/").text)
    form = page.by_id("photo-form")
    assert (form.attrs["method"], form.attrs["action"], form.attrs["enctype"]) == ("post", "/", "multipart/form-data")
    assert [button.attrs["value"] for button in page.find("button", "sample")] == [sample.name for sample in SAMPLES]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_sample_has_faces(read, sample):
    page = read(sample=sample.name)
    assert page.find("table", "bars")
    assert page.by_id("headline").text != "No face found"


def test_samples_are_small_and_have_a_listed_origin():
    origins = (ROOT / "static/samples/README.md").read_text(encoding="utf-8")
    for sample in SAMPLES:
        path = ROOT / "static" / sample.file
        assert path.stat().st_size < 100_000
        assert f"`{path.name}`" in origins


def test_result_is_that_of_the_api(read, client, photo):
    page = read(photo)
    answer = client.post("/api/v1/image", data={"file": (BytesIO(photo), "photo.jpg")}).get_json()
    shown = downloaded(page)
    del answer["timing_ms"], shown["timing_ms"]
    assert shown == answer
    [face] = answer["faces"]
    assert page.by_id("headline").text == f"{TITLES[face['emotion']]}, {100 * face['confidence']:.0f} %"


def test_annotated_image_has_a_text_alternative(read, photo):
    page = read(photo)
    [figure] = [image for image in page.find("img") if image.inside("figure")]
    annotated = decoded(figure.attrs["src"])
    assert annotated.size == Image.open(BytesIO(photo)).size
    assert picture_alt(page) == f"Your photo with 1 face framed: {page.by_id('headline').text}"


@pytest.mark.parametrize("detector", ["auto", "none"])
def test_text_alternative_says_unsure_as_the_headline_does(read, limits, photo, detector):
    limits({"low_confidence": 1.1})
    page = read(photo, detector=detector)
    headline = page.by_id("headline").text
    assert headline.startswith("Unsure, perhaps ") and picture_alt(page).endswith(f": {headline}")


def test_text_alternative_of_several_faces_is_that_of_their_headlines(read, limits):
    limits({})
    page = read(sample="friends")
    headlines = [heading.text.partition(": ")[2] for heading in page.find("h2") if heading.inside("summary")]
    assert picture_alt(page) == f"Your photo with {len(headlines)} faces framed: {'; '.join(headlines)}"


def test_bars_are_the_seven_probabilities_most_likely_first(read, photo):
    shares = rows(read(photo))
    assert sorted(shares) == sorted(TITLES.values())
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert abs(sum(shares.values()) - 100) <= 3  # each is rounded


def test_lengths_of_the_bars(read, photo):
    page = read(photo)
    lengths = [
        float(rect.attrs["width"].rstrip("%")) for rect in page.find("rect") if rect.attrs.get("fill") and rect.inside("table")
    ]
    numbers = [share for share in rows(page).values() if share > 0]
    assert lengths[: len(numbers)] == pytest.approx(numbers, abs=0.5)


def test_reliability_sentence_comes_from_the_manifest(read, app, photo):
    page = read(photo)
    face = downloaded(page)["faces"][0]
    entry = reliability_of(face["confidence"], app.extensions["analyzer"].classifier.head_entry.reliability)
    sentences = [note.text for note in page.find("p", "note") if note.text.startswith("Predictions with a confidence")]
    assert len(sentences) == (entry is not None)
    if entry:
        assert f"were correct for {100 * entry['accuracy']:.0f} % of {entry['count']:,} photographed faces" in sentences[0]


def test_drawn_face_has_its_own_accuracy(read, app):
    page = read((ROOT / "static/samples/angry.png").read_bytes())
    [face] = downloaded(page)["faces"]
    [note_text] = [note.text for note in page.find("p", "note") if note.text.startswith("This face looks drawn")]
    measured = app.extensions["analyzer"].classifier.head_entry.evaluation["dicebear_test"]
    assert face["drawn"] >= 0.5 and f"({100 * face['drawn']:.0f} %)" in note_text
    assert (
        f"On {measured['count']:,} drawn faces" in note_text
        and f"{100 * measured['accuracy']:.0f} % of the predictions" in note_text
    )
    assert not [note for note in page.find("p", "note") if note.text.startswith("Predictions with a confidence")]


@pytest.fixture
def limits(app):
    """Replace the thresholds of the served head for one test."""
    entry = app.extensions["analyzer"].classifier.head_entry
    before = dict(entry.thresholds)

    def change(thresholds: dict[str, float]) -> None:
        entry.thresholds.clear()
        entry.thresholds.update(thresholds)

    yield change
    change(before)


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        ({"turned": -1, "small": 9999}, "the face is turned far to the side"),
        ({"small": 9999, "blurred": 9}, "the face has few pixels"),
        ({"blurred": 9, "low_confidence": 1.1}, "the face is blurred"),
        ({"low_confidence": 1.1}, "no emotion has a high probability"),
    ],
)
def test_unsure_reason_is_shown(read, limits, photo, thresholds, words):
    limits(thresholds)
    page = read(photo)
    [warning] = page.find("p", "warning")
    assert words in warning.text
    assert downloaded(page)["faces"][0]["unsure"] == next(iter(thresholds))
    assert page.by_id("headline").text == "Unsure, perhaps happy", "the emotion is still given"
    assert page.find("table", "muted")


def test_a_covered_face_is_unsure(read, limits, photo):
    limits({})
    pixels = open_image(photo).pixels
    (face,) = FaceAnalyzer().analyze(pixels, landmarks=True).faces
    masked, hidden = paint(pixels.mean(axis=2).astype(np.uint8), np.array(face.landmarks), "mask", np.random.default_rng(0))
    assert hidden > 0.99
    page = read(encode_jpeg(np.repeat(masked[..., None], 3, axis=2), 95))
    [warning] = page.find("p", "warning")
    assert "something covers the mouth or the eyes" in warning.text
    assert not [note for note in page.find("p", "note") if "were correct for" in note.text], "that holds for faces that are seen"
    assert downloaded(page)["faces"][0]["unsure"] == "covered"


def test_no_warning_without_unsure_reason(read, limits, photo):
    limits({})
    page = read(photo)
    assert not page.find("p", "warning") and downloaded(page)["faces"][0]["unsure"] is None


def test_explanation_with_the_form_option(read, photo):
    page = read(photo, explain="1")
    [figure] = [image for image in page.find("img") if image.inside("figcaption") is False and image.attrs.get("width") == "240"]
    assert decoded(figure.attrs["src"]).size == (240, 240)
    assert "brightest in the lower third, where covering it changed the prediction most" in " ".join(figure.attrs["alt"].split())
    words = " ".join(element.text for element in page.find("figcaption"))
    assert "Image regions behind “Happy”" in words and "does not show that the prediction is correct" in words
    assert downloaded(page)["faces"][0]["explanation"] == figure.attrs["src"]


def test_explanation_button_of_a_photo_needs_a_script(read, photo):
    page = read(photo)
    assert not [image for image in page.find("img") if image.attrs.get("width") == "240"]
    [form] = page.find("form", "explain-form")
    assert "hidden" in form.attrs, "the server has not kept the photo: only a script can send it again"
    assert "explanation" not in downloaded(page)["faces"][0]


def test_explanation_button_of_a_sample_needs_no_script(read):
    page = read(sample="collins")
    [form] = page.find("form", "explain-form")
    inside = [element for element in page.elements if form in element.parents]
    fields = {element.attrs["name"]: element.attrs["value"] for element in inside if element.tag in ("input", "button")}
    assert "hidden" not in form.attrs and fields == {"sample": "collins", "explain": "1"}
    assert [image for image in read(path=form.attrs["action"], **fields).find("img") if image.attrs.get("width") == "240"]


@pytest.mark.parametrize("detector", ["auto", "none"])
def test_a_photo_without_a_face_is_not_explained(read, faceless, detector):
    """An occlusion map and its percentage points would claim that there is an expression."""
    page = read(faceless, explain="1", detector=detector)
    assert page.find("table", "bars")
    assert not page.find("figcaption") and not [image for image in page.find("img") if image.attrs.get("width") == "240"]


def heads(page: Page) -> list[str]:
    return [head.text for head in page.find("p", "head-pose")]


def test_landmarks_and_pose_on_request(read, photo):
    plain, page = read(photo), read(photo, landmarks="1")
    [face] = downloaded(page)["faces"]
    assert np.shape(face["landmarks"]) == (468, 2) and set(face["pose"]) == {"yaw", "pitch", "roll"}
    [before], [after] = ([image for image in one.find("img") if image.inside("figure")] for one in (plain, page))
    changed = (
        np.abs(np.asarray(decoded(before.attrs["src"]), int) - np.asarray(decoded(after.attrs["src"]), int)).max(axis=2) > 60
    )
    left, top, width, height = (face["box"][name] for name in ("left", "top", "width", "height"))
    assert changed[top : top + height, left : left + width].sum() > 400, "468 points of a pixel or more, some side by side"
    changed[top - 12 : top + height + 12, left - 12 : left + width + 12] = False
    assert not changed.any(), "nothing is drawn outside the face"
    assert len(heads(page)) == 1 and not heads(plain) and "landmarks" not in downloaded(plain)["faces"][0]


@pytest.mark.parametrize(("degrees", "words"), [(-25, "clockwise"), (25, "counter-clockwise")])
def test_head_pose_in_words(read, photo, degrees, words):
    stream = BytesIO()
    Image.open(BytesIO(photo)).rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white").save(stream, "JPEG")
    page = read(stream.getvalue(), landmarks="1")
    pose = downloaded(page)["faces"][0]["pose"]
    assert pose["roll"] == pytest.approx(-degrees, abs=5)
    assert f"leaning {abs(pose['roll']):.0f}° {words}." in heads(page)[0]


def test_head_pose_without_landmarks(read, faceless):
    [words] = heads(read(faceless, detector="none", landmarks="1"))
    assert words == "Head: the landmarks of this face were not found."


def test_result_shows_the_processing_time(read, photo):
    facts = [fact.text for fact in read(photo).find("p", "facts")]
    assert any(fact.startswith("Analyzed in ") and fact.endswith(" ms; nothing was stored.") for fact in facts)


def test_several_faces_are_sorted_by_size_and_have_thumbnails(read):
    page = read(sample="friends")
    boxes = [face["box"] for face in downloaded(page)["faces"]]
    areas = [box["width"] * box["height"] for box in boxes]
    assert areas == sorted(areas, reverse=True)
    thumbnails = [image for image in page.find("img") if image.inside("summary")]
    assert 2 * len(boxes) == 2 * len(thumbnails) == len(page.find("table", "bars")) > 2, "three bars, and four on demand"
    assert [len(rows(page, table)) for table in range(2)] == [3, 4]
    assert {decoded(image.attrs["src"]).size for image in thumbnails} == {(96, 96)}


def test_without_a_face_the_whole_image_is_offered(read, faceless):
    page = read(faceless)
    assert page.by_id("headline").text == "No face found"
    [summary] = [summary for summary in page.find("summary") if "whole photo as one face" in summary.text]
    [offer] = page.find("details", "whole-image")
    assert "open" not in offer.attrs
    assert all(offer in table.parents for table in page.find("table", "bars"))
    assert offer in summary.parents
    assert not page.find("span", "probability"), "of no face nothing is certain"


def test_whole_image_on_request(read, photo):
    page = read(photo, detector="none")
    assert downloaded(page)["detector"] == "none"
    assert downloaded(page)["faces"][0]["box"] == {"left": 0, "top": 0, "width": 400, "height": 400}
    assert "The whole photo was analyzed as a single face." in [note.text for note in page.find("p", "note")]
    assert page.find("span", "probability")


def test_whole_image_without_a_face_has_no_percentages(read, faceless):
    page = read(faceless, detector="none")
    assert page.by_id("headline").text == "No face found"
    assert "no face was found in it" in " ".join(paragraph.text for paragraph in page.find("p"))
    assert not page.find("span", "probability") and not page.find("form", "feedback")
    assert downloaded(page)["faces"][0]["box"] == {"left": 0, "top": 0, "width": 320, "height": 240}
    [figure] = [image for image in page.find("img") if image.inside("figure")]
    shown = np.asarray(decoded(figure.attrs["src"]).convert("RGB"), int)
    assert np.abs(shown - open_image(faceless).pixels).max() < 12, "neither a box nor a label, which has a percentage, is drawn"
    assert not figure.attrs["alt"].endswith("%")


def test_downloads_are_named_after_the_photo(client, photo):
    def names(file_name: str) -> list[str]:
        response = client.post("/", data={"file": (BytesIO(photo), file_name)}, headers=HTML)
        return [link.attrs["download"] for link in Page(response.text).find("a") if link.attrs.get("download")]

    assert names("Anna & Ben.jpg") == ["Anna-Ben-annotated.jpg", "Anna-Ben-emotions.csv", "Anna-Ben-emotions.json"]
    assert names("photos/Zo\u00eb.png")[0] == "Zo\u00eb-annotated.jpg"
    assert names("...") == ["result-annotated.jpg", "result-emotions.csv", "result-emotions.json"]


def test_csv_has_a_row_for_each_face(read):
    page = read(sample="friends")
    [link] = [link for link in page.find("a") if (link.attrs.get("download") or "").endswith(".csv")]
    table = [*csv.DictReader(unquote(link.attrs["href"].partition(",")[2]).splitlines())]
    faces = downloaded(page)["faces"]
    assert [(row["id"], row["emotion"], float(row["happy"])) for row in table] == [
        (str(face["id"]), face["emotion"], face["probabilities"]["happy"]) for face in faces
    ]


def test_boxes_lead_to_the_cards_of_their_faces(read):
    page = read(sample="friends")
    faces = downloaded(page)["faces"]
    links = [link for link in page.find("a") if link.attrs.get("data-face")]
    assert {link.attrs["href"] for link in links} == {f"#face-{face['id'] + 1}" for face in faces}
    for link in links:
        [box] = [element for element in page.find("rect") if link in element.parents]
        face = faces[int(link.attrs["data-face"]) - 1]
        assert float(box.attrs["x"]) == pytest.approx(face["box"]["left"], abs=0.6)
        assert page.by_id(link.attrs["href"][1:]).text.lstrip().startswith(f"Face {face['id'] + 1}: ")


def test_options_stay_as_they_were_chosen(read, photo):
    def checked(page: Page) -> list[str]:
        return [box.attrs["name"] for box in page.find("input") if "checked" in box.attrs]

    assert checked(read(photo)) == [] and "open" not in read(photo).find("details", "options")[0].attrs
    page = read(photo, explain="1", landmarks="1")
    assert checked(page) == ["explain", "landmarks"] and "open" in page.find("details", "options")[0].attrs
    assert page.by_id("file-name").text == "photo.jpg"


@pytest.mark.parametrize(
    ("address", "target"), [("/text/", "/text"), ("/about/?a=b", "/about?a=b"), ("/about/models/", "/about/models")]
)
def test_a_slash_at_the_end_is_removed(client, address, target):
    response = client.get(address)
    assert (response.status_code, response.location) == (308, target)


def test_an_unknown_page_leads_back(client):
    for address in ("/nowhere", "/nowhere/", "/nowhere//"):
        response = client.get(address, headers=HTML)
        page = Page(response.text)
        assert response.status_code == 404 and page.find("h1")[0].text == "There is no such page"
        assert not page.find("form", "upload-form") and "/" in [link.attrs["href"] for link in page.find("a", "btn-primary")]


def test_files_at_the_root_of_the_site(client):
    icon, robots = client.get("/favicon.ico", buffered=True), client.get("/robots.txt", buffered=True)
    assert icon.status_code == 200 and Image.open(BytesIO(icon.data)).format == "ICO"
    assert robots.status_code == 200 and "Disallow: /api/" in robots.text


def test_small_pictures_are_those_of_the_samples(client):
    from scripts.docs.sample_pictures import framed, thumbnail

    for sample in SAMPLES:
        shown = open_image(ROOT / "static" / sample.small).pixels.astype(int)
        assert np.abs(shown - thumbnail(sample).astype(int)).mean() < 6, sample.name
    shown = open_image(ROOT / "static/samples/small/framed.webp").pixels.astype(int)
    differences = np.abs(shown - framed(FaceAnalyzer()).astype(int))
    assert differences.mean() < 4 and (differences > 100).sum() < 30, "its figures are those of the shipped models"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 400, "no_file"),
        ({"sample": "../../app.yaml"}, 400, "invalid_option"),
        ({"photo": b"text, not a picture"}, 422, "not_an_image"),
        ({"photo": b""}, 422, "empty_file"),
        ({"photo": b"GIF89a", "detector": "magic"}, 400, "invalid_option"),
        ({"photo": b"GIF89a", "explain": "yes"}, 400, "invalid_option"),
        ({"photo": b"GIF89a", "landmarks": "on"}, 400, "invalid_option"),
        ({"path": "/share"}, 400, "no_file"),
    ],
)
def test_problems_are_pages_that_keep_the_form(read, fields, status, code):
    page = read(status=status, **fields)
    assert code in page.by_id("problem").text
    assert page.by_id("photo-form").attrs["action"] == "/"


def test_share_target_leads_to_the_result(read, client, photo):
    manifest = json.loads((ROOT / "static/app.webmanifest").read_text())
    target = manifest["share_target"]
    [field] = target["params"]["files"]
    response = client.post(target["action"], data={field["name"]: (BytesIO(photo), "photo.jpg")})
    assert len(Page(response.text).find("table", "bars")) == 1
    again = client.get(target["action"])
    assert (again.status_code, again.location) == (302, "/")


def test_web_app_manifest_and_its_icons(client):
    page = Page(client.get("/").text)
    [link] = [link for link in page.find("link") if link.attrs["rel"] == "manifest"]
    with client.get(link.attrs["href"]) as response:
        assert response.mimetype == "application/manifest+json"
        icons = json.loads(response.data)["icons"]
    for icon in icons:
        path = ROOT / "static" / icon["src"]
        if icon["type"] == "image/png":
            assert "x".join(map(str, size_of(path))) == icon["sizes"]
        else:
            assert path.read_text().startswith("<svg")


def test_feedback_without_javascript_becomes_a_log_line(read, client, photo, capsys):
    page = read(photo)
    form = page.find("form", "feedback")[0]
    inside = [element for element in page.elements if form in element.parents]
    fields = {element.attrs["name"]: element.attrs["value"] for element in inside if element.tag == "input"}
    answers = [element.attrs["value"] for element in inside if element.tag == "button"]
    assert answers[0] == fields["shown"]
    assert sorted(answers) == sorted(EMOTIONS)
    response = client.post(form.attrs["action"], data=fields | {"said": "sad"}, headers=HTML)
    assert Page(response.text).find("h1")[0].text == "Thank you"
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"message": "feedback"' in line]
    token = fields.pop("token")
    assert line["feedback"] == fields | {"said": "sad", "confidence": float(fields["confidence"])} and len(line["answer"]) == 16
    again = client.post(form.attrs["action"], data=fields | {"said": "fear", "token": token}, headers=HTML)
    assert again.status_code == 409 and "already_sent" in again.text


@pytest.mark.parametrize(
    "change", [{"said": "bored"}, {"confidence": "much"}, {"confidence": "nan"}, {"extra": "1"}, {"model": ""}]
)
def test_invalid_feedback_is_rejected(client, change):
    fields = {"shown": "happy", "said": "sad", "confidence": "0.5", "model": "vgg16/mixed 1"} | change
    response = client.post("/feedback", data=fields, headers=HTML)
    assert response.status_code == 400
    assert "invalid_body" in Page(response.text).by_id("problem").text


@pytest.mark.parametrize("change", [{}, {"token": "made.up"}, {"shown": "fear"}, {"confidence": "0.99"}, {"model": "other 1"}])
def test_feedback_without_the_token_of_the_answer_is_refused(app, client, change, capsys):
    fields = {"shown": "happy", "said": "sad", "confidence": "0.5000", "model": "vgg16/mixed 1"}
    if change:
        fields["token"] = app.extensions["feedback"].issue("happy", 0.5, "vgg16/mixed 1")
    response = client.post("/feedback", data=fields | change, headers=HTML)
    assert response.status_code == 403 and "invalid_token" in response.text
    assert '"message": "feedback"' not in capsys.readouterr().out


def test_feedback_can_be_disabled(photo):
    client = create_app({"FEEDBACK": False}).test_client()
    page = Page(client.post("/", data={"file": (BytesIO(photo), "photo.jpg")}).text)
    assert page.find("table", "bars")
    assert not page.find("form", "feedback")
    assert client.post("/feedback", data={"shown": "sad", "said": "sad", "confidence": "1", "model": "a"}).status_code == 403
    assert "Is this correct" not in client.get("/about").text


USES = (
    "game",
    "care",
    "dementia",
    "autism",
    "teaching",
    "driver fatigue",
    "fraud",
    "border control",
    "recruiting",
    "call centres",
    "recommendations",
)


def test_about_assesses_every_use(client):
    page = Page(client.get("/about").text)
    [table] = page.find("table", "uses")
    for use in USES:
        assert use in table.text.lower()
    verdicts = [span for span in page.find("span", "verdict") if table in span.parents]
    assert {span.text for span in verdicts} == {"May help", "Not shown to work", "Forbidden in the EU"}


def test_about_lists_every_model_with_its_licence(client, app):
    text = Page(client.get("/about/models").text).by_id("model").text
    for entry in app.extensions["analyzer"].registry.entries():
        assert entry.name in text
        assert entry.licence in text


def pages(client, faceless: bytes) -> dict[str, Page]:
    """Every kind of page."""

    feedback = {"shown": "sad", "said": "sad", "confidence": "1", "model": "a"}
    feedback["token"] = client.application.extensions["feedback"].issue("sad", 1.0, "a")

    def post(**data) -> str:
        return client.post("/", data=data, headers=HTML).text

    return {
        "home": Page(client.get("/").text),
        "about": Page(client.get("/about").text),
        "models": Page(client.get("/about/models").text),
        "missing": Page(client.get("/nowhere", headers=HTML).text),
        "live": Page(client.get("/live").text),
        "video": Page(client.get("/video").text),
        "result": Page(post(sample="collins")),
        "explained": Page(post(sample="friends", explain="1")),
        "pointed": Page(post(sample="friends", landmarks="1")),
        "several": Page(post(sample="friends")),
        "faceless": Page(post(file=(BytesIO(faceless), "a.png"))),
        "problem": Page(post()),
        "thanks": Page(client.post("/feedback", data=feedback).text),
    }


def test_markup_of_every_page(client, faceless):
    for name, page in pages(client, faceless).items():
        ids = [element.attrs["id"] for element in page.elements if "id" in element.attrs]
        assert len(ids) == len(set(ids)), name
        labelled = {label.attrs.get("for") for label in page.find("label")}
        for element in page.elements:
            assert "style" not in element.attrs, (name, element)
            assert not any(attribute.startswith("on") for attribute in element.attrs), (name, element)
            if element.tag == "img":
                assert element.attrs.get("alt") is not None, (name, element)
            if element.tag in ("input", "select", "textarea") and element.attrs.get("type") != "hidden":
                assert element.attrs.get("id") in labelled, (name, element)
            if element.tag == "script":
                assert element.attrs.get("src") and not element.text, (name, element)
            for attribute in ("aria-labelledby", "aria-describedby", "for"):
                assert set((element.attrs.get(attribute) or "").split()) <= set(ids), (name, element)
            for attribute in {"src", "href"} & set(element.attrs):
                address = element.attrs[attribute]
                assert address.startswith(("/", "#", "data:")) or element.tag == "a", (name, element)
        assert len(page.find("h1")) == 1, name
        assert not page.find("style"), name


def test_internal_links_resolve(client, faceless):
    found = pages(client, faceless)
    targets = {
        path: {element.attrs.get("id") for element in found[name].elements}
        for path, name in (("/about", "about"), ("/about/models", "models"))
    }
    for name, page in found.items():
        for link in page.find("a"):
            path, _, fragment = link.attrs["href"].partition("#")
            if path.startswith("/"):
                assert client.get(path).status_code == 200, (name, path)
            if path in targets and fragment:
                assert fragment in targets[path], (name, path, fragment)


def test_no_urls_of_other_hosts():
    for path in [
        *Path(ROOT / "templates").glob("*.html"),
        *Path(ROOT / "static/js").glob("*.js"),
        *Path(ROOT / "static/css").glob("*.css"),
    ]:
        text = path.read_text().replace("https://eur-lex.europa.eu/", "").replace("http://127.0.0.1:8080", "")
        text = text.replace("http://www.w3.org/2000/svg", "")  # a namespace
        assert "http://" not in text and "https://" not in text, path


def test_form_options_are_validated_and_other_fields_ignored(read, client):
    assert read(sample="collins", campaign="newsletter").by_id("headline").text.startswith("Happy")
    response = client.post("/", data={"sample": "collins", "detector": ["auto", "none"]}, headers=HTML)
    assert response.status_code == 400 and "invalid_option" in Page(response.text).by_id("problem").text
