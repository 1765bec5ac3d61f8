"""The browser's library gives the answers of the server: a small version of scripts/evaluate/device, and functions alone."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from emotions import FaceAnalyzer, FaceTracker, open_image
from emotions.face.alignment import align_crop
from emotions.face.pose import estimate_pose
from emotions.face.reliability import sharpness
from emotions.face.results import Box
from emotions.face.views import crop_views
from emotions.image.loading import LoadedImage
from emotions.video.reader import VideoReader
from scripts.evaluate.device.comparison import MAX_DIFFERENCE, compare, summarize
from scripts.evaluate.device.measure import measure_pictures
from scripts.evaluate.device.page import DeviceError, DevicePage
from scripts.evaluate.device.pictures import png

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "tests" / "data" / "astronaut.jpg"
SAMPLES = ROOT / "static" / "samples"
PICTURES = [
    PHOTO,
    *(SAMPLES / name for name in ("angry.png", "collins.jpg", "friends.png", "obama.jpg", "sad.png", "solvay.jpg")),
]
CALL = """
async ([module, name, values]) => {
  const library = new URL("device/", document.querySelector("script[src*='/js/app.js']").src);
  const found = (await import(`${library}${module}.js`))[name];
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const revived = ({ uint8, float32, image, value }) =>
    image ? { ...image, data: bytes(image.data) } : uint8 ? bytes(uint8) : float32 ? Float32Array.from(float32) : value;
  const plain = (result) => (ArrayBuffer.isView(result) ? [...result] : Array.isArray(result) ? result.map(plain) : result);
  return values.map((one) => plain(found(...one.map(revived))));
}
"""


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture
def page(visit) -> Page:
    return visit("/about", service_workers="block")


@pytest.fixture
def device(page) -> DevicePage:
    page.set_default_timeout(60_000)
    return DevicePage(page)


def encoded(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def as_argument(value: Any) -> dict[str, Any]:
    """Return a value as CALL revives it: arrays by their type, images as objects."""
    if not isinstance(value, np.ndarray):
        return {"value": value}
    if value.dtype == np.float32:
        return {"float32": value.ravel().tolist()}
    text = base64.b64encode(value.tobytes()).decode("ascii")
    return {"image": {"data": text, "width": value.shape[1], "height": value.shape[0]}} if value.ndim == 3 else {"uint8": text}


def call(page: Page, module: str, name: str, calls: list[tuple[Any, ...]]) -> list[Any]:
    """Call a function of the library several times."""
    return page.evaluate(CALL, [module, name, [[as_argument(value) for value in values] for values in calls]])


@pytest.mark.slow
def test_pictures_get_the_answers_of_the_server(analyzer, device):
    run = measure_pictures(analyzer, device, PICTURES)
    assert (run.refused, run.unreadable) == ([], 0)
    for comparisons in (run.pixels, run.files):
        summary = summarize(comparisons)
        assert summary.faces >= 35  # 29 of them in one photo
        assert summary.boxes == summary.emotions == 1, [one for one in comparisons if not summarize([one]).passed]
        assert summary.faces * (1 - summary.probabilities) < 1.5, "99 % of so few faces are all but one"
        assert summary.difference < 2 * MAX_DIFFERENCE
        assert summary.unsure >= 0.97


def test_an_answer_has_the_form_of_the_api(analyzer, device):
    """Also the landmarks are those of the server, to within their rounding."""
    expected = analyzer.analyze(PHOTO, landmarks=True, views=2).to_json()
    found = device.analyze(png(open_image(PHOTO)), landmarks=True, views=2)
    assert list(found) == list(expected)
    assert list(found["timing_ms"]) == list(expected["timing_ms"])
    for name in ("width", "height", "detector", "views", "model"):
        assert found[name] == expected[name]
    (face,), (server_face,) = found["faces"], expected["faces"]
    assert list(face) == list(server_face)
    assert list(face["probabilities"]) == list(server_face["probabilities"])
    np.testing.assert_allclose(face.pop("landmarks"), server_face.pop("landmarks"), atol=0.25)
    assert face["pose"] == pytest.approx(server_face["pose"], abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_pictures_get_the_answers_of_the_server(analyzer, device, turns):
    image = open_image(np.ascontiguousarray(np.rot90(open_image(PHOTO).pixels, -turns)))
    summary = summarize([compare("turned", analyzer.analyze(image).to_json(), device.analyze(png(image)))])
    assert summary.passed
    assert summary.faces == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["WEBP", "PNG", "AVIF"])
@pytest.mark.parametrize("orientation", [2, 5, 6, 7, 8, 9])
def test_files_are_oriented_by_their_exif_data(analyzer, device, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.ascontiguousarray(open_image(PHOTO).pixels[:, 60:])  # not square
    file = encoded(pixels, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    found = device.analyze(file)
    height, width = pixels.shape[:2]
    assert (found["width"], found["height"]) == ((height, width) if 5 <= orientation <= 8 else (width, height))
    assert summarize([compare(kind, analyzer.analyze(file).to_json(), found)]).passed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_files_are_reduced_as_the_server_does(analyzer, device, kind):
    pixels = cv2.resize(open_image(PHOTO).pixels, (4100, 3100), interpolation=cv2.INTER_CUBIC)
    file = encoded(pixels, kind, **({"quality": 95} if kind == "JPEG" else {"compress_level": 1}))
    found = device.analyze(file)
    assert (found["width"], found["height"]) == (4100, 3100)
    summary = summarize([compare(kind, analyzer.analyze(file).to_json(), found)])
    assert summary.passed
    assert summary.faces == 1


@pytest.mark.slow
@pytest.mark.parametrize("detector", ["blazeface", "none"])
def test_other_detectors_get_the_answers_of_the_server(analyzer, device, detector):
    image = open_image(SAMPLES / "collins.jpg")
    found = device.analyze(png(image), detector=detector)
    expected = analyzer.analyze(image, detector).to_json()
    assert found["detector"] == detector
    assert [face["score"] is None for face in found["faces"]] == [detector == "none"]
    assert summarize([compare(detector, expected, found)]).passed


def test_a_picture_without_faces_has_none(device):
    found = device.analyze(png(open_image(np.full((90, 120, 3), 128, np.uint8))))
    assert (found["faces"], found["width"], found["height"]) == ([], 120, 90)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"detector": "haar"}, "haar is available on the server alone"),
        ({"explain": True}, "explain is available on the server alone"),
        ({"annotate": True}, "annotate is available on the server alone"),
        ({"detector": "yolo"}, "detector must be one of"),
        ({"views": 3}, "views must be one of 1, 2, 10"),
        ({"view": 1}, "unknown option view"),
        ({"tracks": "{}"}, "tracks are not those of an earlier response"),
        ({"tracks": "", "time": -1}, "time must be seconds"),
    ],
)
def test_what_is_not_carried_over_is_refused_with_a_reason(device, options, words):
    with pytest.raises(DeviceError, match=words):
        device.analyze(PHOTO.read_bytes(), **options)


def test_a_picture_over_the_limits_is_refused_with_its_size(device):
    with pytest.raises(DeviceError, match="65536 x 1 pixels; the limit is"):
        device.analyze(encoded(np.zeros((1, 65536, 3), np.uint8), "PNG"))


DECODE = """
async (file) => {
  const library = new URL("device/", document.querySelector("script[src*='/js/app.js']").src);
  const { decodeFile } = await import(`${library}decoding.js`);
  const blob = new Blob([Uint8Array.from(file)]);
  let closed = 0;
  const { close } = ImageBitmap.prototype;
  ImageBitmap.prototype.close = function () { closed++; close.call(this); };
  const { createImageBitmap } = self;
  self.createImageBitmap = (source, ...others) =>
    source.size === blob.size ? createImageBitmap(source, ...others) : Promise.reject(new Error("no memory"));
  const failure = await decodeFile(blob).catch((error) => error.message);
  const closedThen = closed;
  self.createImageBitmap = createImageBitmap;
  const { width, height } = await decodeFile(blob);
  return { failure, closedThen, width, height, closed };
}
"""


def test_a_failure_to_probe_the_browser_is_not_remembered(page):
    """The picture is closed, and the next one is oriented."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = encoded(np.zeros((20, 30, 3), np.uint8), "WEBP", exif=exif)
    assert page.evaluate(DECODE, list(file)) == {
        "failure": "no memory", "closedThen": 1, "width": 20, "height": 30, "closed": 2,
    }  # fmt: skip


@pytest.mark.slow
def test_a_clip_is_tracked_as_on_the_server(analyzer, device):
    """The state of one side continues on the other."""
    with VideoReader(SAMPLES / "video.mp4", fps=4) as reader:
        frames = [(frame.time, frame.image) for frame in reader.frames() if frame.sampled][:10]
    tracks, comparisons = "", []
    for number, (time, image) in enumerate(frames):
        tracker = FaceTracker(tracks)
        expected = tracker.update(image, analyzer.analyze(image), time).to_json()
        found = device.analyze(png(image), tracks=tracks, time=time)
        comparisons.append(compare(str(number), expected, found))
        assert [face["raw"].keys() for face in found["faces"]] == [face["raw"].keys() for face in expected["faces"]]
        assert list(found["timing_ms"]) == ["decode", "detect", "classify", "follow"]
        tracks = found["tracks"] if number % 2 else tracker.state
    summary = summarize(comparisons)
    assert summary.faces >= 10
    assert summary.ids == summary.boxes == summary.emotions == 1
    assert summary.difference <= MAX_DIFFERENCE


@pytest.mark.slow
def test_crops_and_their_quality_are_those_of_the_package(page):
    pixels = open_image(PHOTO).pixels
    random = np.random.default_rng(0)
    shape = random.normal(0, 1, (468, 3))
    calls: list[tuple[Any, ...]] = []
    crops, poses = [], []
    for number in range(24):
        (x, y), side = random.uniform(0, 400, 2), random.uniform(5, 120)
        box = Box(x - side, y - side, 2 * side, 2.2 * side) if number else Box(0.0, 0.0, 400.0, 400.0)
        mesh = None if number % 3 == 0 else (shape * side + [x, y, 0]).astype(np.float32)
        turns = int(random.integers(0, 4))
        calls.append((pixels, vars(box), mesh, 48, turns))
        crops.append(align_crop(pixels, box, mesh, 48, turns))
        poses += [] if mesh is None else [(mesh, estimate_pose(mesh))]
    found = np.array(call(page, "alignment", "alignCrop", calls)).reshape(-1, 48, 48)
    difference = np.abs(found - np.stack(crops).astype(int))
    assert difference.max() <= 255 / 32  # a position may fall on the next step of 1/32 pixel
    assert difference.mean() < 0.001
    for pose, (_, expected) in zip(call(page, "pose", "estimatePose", [(mesh,) for mesh, _ in poses]), poses, strict=True):
        assert pose == pytest.approx(vars(expected))
    flat = [(crop.ravel(),) for crop in crops]
    assert call(page, "reliability", "sharpness", flat) == pytest.approx([sharpness(crop) for crop in crops], abs=1e-6)
    for views in (1, 2, 10):
        made = call(page, "views", "cropViews", [(crop.ravel(), views) for crop in crops])
        np.testing.assert_array_equal(
            np.array(made).reshape(-1, views, 48, 48), crop_views(np.stack(crops), views).transpose(1, 0, 2, 3)
        )


def test_crops_of_faces_without_size_are_those_of_the_package(page):
    """Their matrices have the scale 0, which has no steps to round to."""
    pixels = open_image(PHOTO).pixels
    points = np.full((468, 3), 150, np.float32)
    faces = [(Box(120.5, 80.25, 0.0, 30.0), None), (Box(100.0, 100.0, 90.0, 90.0), points)]
    found = call(page, "alignment", "alignCrop", [(pixels, vars(box), mesh, 48, 0) for box, mesh in faces])
    for crop, (box, mesh) in zip(found, faces, strict=True):
        expected = align_crop(pixels, box, mesh, 48)
        assert np.ptp(expected) == 0 and crop == expected.ravel().tolist()


def test_colors_are_those_of_opencv(page):
    colors = np.random.default_rng(0).integers(0, 256, (4000, 3), np.uint8)
    colors[:512] = np.repeat(np.arange(256, dtype=np.uint8), 6).reshape(512, 3)
    expected = cv2.cvtColor(colors[None], cv2.COLOR_RGB2LAB)[0]
    np.testing.assert_array_equal(call(page, "lab", "toLab", [(color,) for color in colors]), expected)


def test_numbers_are_rounded_as_in_python(page):
    random = np.random.default_rng(0)
    values = [*random.uniform(-100, 100, 500), *random.integers(-1000, 1000, 500) / 32, 0.03125, 2.675, 1.005, -0.00001]
    for digits in (1, 2, 4):
        found = call(page, "results", "roundTo", [(float(value), digits) for value in values])
        assert found == [round(float(value), digits) for value in values]


@pytest.mark.slow
def test_the_image_of_a_result_is_the_one_that_was_given(device):
    """Sizes and boxes are those of the full-size picture, where the library reduces it."""
    image = LoadedImage(open_image(PHOTO).pixels, 400, 400, 0.0)
    small = device.analyze(png(image))["faces"][0]["box"]
    large = device.analyze(encoded(cv2.resize(image.pixels, (2800, 2800)), "PNG", compress_level=1))["faces"][0]["box"]
    assert [large[name] / 7 for name in ("left", "top", "width", "height")] == pytest.approx(
        [small[name] for name in ("left", "top", "width", "height")], abs=6
    )
