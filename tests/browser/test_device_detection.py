"""The browser's image operations, face detection and landmarks (static/js/device) against the server's, in Chromium."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Error, Page

from emotions.face.alignment import warp_crop
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.blazeface import Detection
from emotions.face.detector import _one_each
from emotions.face.drawn_detector import flatness, sliding_windows
from emotions.face.results import Box
from emotions.image.loading import open_image
from scripts.synthetic.negatives import non_face_image
from tests.emotions.face.test_drawn_detector import bare_face
from tests.shared_data import shared

SAMPLES = Path(__file__).resolve().parents[2] / "static/samples"
SETUP = """
async () => {
  const folder = new URL("device/", document.querySelector("script[src*='/js/app.js']").src).href;
  const names = ["blazeface", "boxes", "classifier", "detector", "drawn-detector", "flatness", "loading", "model-files",
    "pixels", "registry", "runtime"];
  const device = Object.assign({}, ...(await Promise.all(names.map((name) => import(`${folder}${name}.js`)))));
  const binary = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const base64 = (bytes) => {
    let letters = "";
    for (let at = 0; at < bytes.length; at += 2 ** 15) letters += String.fromCharCode(...bytes.subarray(at, at + 2 ** 15));
    return btoa(letters);
  };
  device.image = ({ data, width, height }) => ({ data: binary(data), width, height });
  device.packed = ({ data, width, height }) => ({ data: base64(data), width, height });
  device.decode = (file) => createImageBitmap(new Blob([binary(file)]), { colorSpaceConversion: "none" });
  device.start = async () => {
    await device.loadRuntime({ wasmUrl: new URL("../../vendor/litert/", folder), threads: 1 });
    const files = new device.ModelFiles("/models/");
    const registry = new device.ModelRegistry(await files.manifest(), (entry) => files.bytes(entry));
    const classifier = new device.ExpressionClassifier(registry);
    const features = (crops) => classifier.features(crops);
    return new device.FaceDetector(registry, { backbone: classifier.backbone.name, features });
  };
  globalThis.device = device;
}
"""
DETECT = """
async ([picture, name]) => {
  device.detector ??= await device.start();
  const image = device.image(picture);
  const { used, detections } = await device.detector.detect(image, name);
  const faces = [];
  for (const face of detections) {
    const points = await device.detector.landmarks(image, face);
    faces.push({ ...face, keypoints: [...face.keypoints].map(String), landmarks: points && [...points] });
  }
  return { used, faces };
}
"""


@pytest.fixture(scope="module")
def page(site, launch) -> Page:
    """Page without a policy that forbids WebAssembly, with the modules' functions in the global object `device`."""
    context = launch().new_context(bypass_csp=True, service_workers="block")
    page = context.new_page()
    page.goto(f"{site}/about")
    page.evaluate(SETUP)
    yield page
    context.close()


def packed(pixels: np.ndarray) -> dict[str, object]:
    return {"data": b64encode(pixels.tobytes()).decode(), "width": pixels.shape[1], "height": pixels.shape[0]}


def unpacked(image: dict[str, object]) -> np.ndarray:
    data = np.frombuffer(b64decode(image["data"]), np.uint8).reshape(image["height"], image["width"], -1)
    return data[..., 0] if data.shape[2] == 1 else data


@cache
def sample(name: str = "collins.jpg", max_side: int = 600) -> np.ndarray:
    return open_image(SAMPLES / name, max_side).pixels


def picture(*, is_grey: bool) -> np.ndarray:
    pixels = np.ascontiguousarray(sample()[3:, 5:])  # odd sizes
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if is_grey else pixels


SIZES = [(0.5, 0.5), (1 / 3, 1 / 3), (0.5, 0.25), (0.437, 0.291), (0.999, 0.98), (0.002, 0.002), (0.5, 1)]
"""Width and height of the result over those of the picture."""


@pytest.mark.parametrize("is_grey", [False, True])
@pytest.mark.parametrize(("across", "down"), SIZES)
@pytest.mark.parametrize("method", ["area", "linear", "hamming"])
def test_images_are_resized_as_on_the_server(page, method, across, down, is_grey):
    pixels = picture(is_grey=is_grey)[: 4 * 120, : 6 * 60]  # divisible, so that some factors are whole
    height, width = pixels.shape[:2]
    size = max(1, round(width * across)), max(1, round(height * down))
    found = page.evaluate(
        "([picture, size, method]) => device.packed(device.resize(device.image(picture), ...size, method))",
        [packed(pixels), size, method],
    )
    if method == "hamming":
        expected = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.HAMMING))
    else:
        expected = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if method == "area" else cv2.INTER_LINEAR)
    np.testing.assert_array_equal(unpacked(found), expected)


def test_images_are_enlarged_linearly_as_on_the_server(page):
    pixels = picture(is_grey=False)[:40, :50]
    found = page.evaluate("(picture) => device.packed(device.resize(device.image(picture), 133, 61, 'linear'))", packed(pixels))
    np.testing.assert_array_equal(unpacked(found), cv2.resize(pixels, (133, 61), interpolation=cv2.INTER_LINEAR))


@pytest.mark.parametrize("is_grey", [False, True])
@pytest.mark.parametrize("scale", [0.3, 1, 1.9, 7])
def test_crops_are_sampled_as_on_the_server(page, scale, is_grey):
    pixels = picture(is_grey=is_grey)
    height, width = pixels.shape[:2]
    random = np.random.default_rng(round(10 * scale))
    for _ in range(5):  # some reach beyond the image
        angle, center = random.uniform(-np.pi, np.pi), random.uniform(-0.2, 1.2, 2) * (width, height)
        axes = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = np.column_stack([axes, center - axes @ [48, 48]])
        found = page.evaluate(
            "([picture, matrix]) => device.packed(device.warpCrop(device.image(picture), matrix, 96))",
            [packed(pixels), matrix.ravel().tolist()],
        )
        np.testing.assert_array_equal(unpacked(found), warp_crop(pixels, matrix, 96))


def test_images_are_converted_and_rotated_as_on_the_server(page):
    pixels = picture(is_grey=False)
    grey, *turned = page.evaluate(
        """(picture) => {
          const image = device.image(picture);
          const turned = [0, 1, 2, 3, 4, -1].map((turns) => device.packed(device.rotate(image, turns)));
          return [device.packed({ ...image, data: device.toGrey(image) }), ...turned];
        }""",
        packed(pixels),
    )
    np.testing.assert_array_equal(unpacked(grey), cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
    for turns, found in zip([0, 1, 2, 3, 4, -1], turned, strict=True):
        np.testing.assert_array_equal(unpacked(found), np.rot90(pixels, -turns))


def test_flat_colors_are_measured_as_on_the_server(page):
    boxes = [Box(0, 0, 500, 400), Box(-20.7, 30.2, 90.9, 70.1), Box(200, 100, 5, 90), Box(10.5, 300.5, 700, 700)]
    for name in ("friends.png", "angry.png", "collins.jpg"):
        pixels = sample(name)
        found = page.evaluate(
            "([picture, boxes]) => boxes.map((box) => device.flatness(device.image(picture), box))",
            [packed(pixels), [vars(box) for box in boxes]],
        )
        assert found == pytest.approx([flatness(pixels, box) for box in boxes], abs=1e-12)
        assert (max(found) > 0.3) == (name != "collins.jpg"), found


@pytest.mark.parametrize("size", [(100, 100), (480, 640), (333, 90), (14, 2048)])
def test_drawn_faces_are_searched_in_the_same_windows(page, size):
    found = page.evaluate("([height, width]) => device.slidingWindows(height, width)", list(size))
    np.testing.assert_array_equal(found, sliding_windows(*size))


def load(page: Page, file: bytes, max_side: int, *, is_jpeg: bool = False) -> np.ndarray:
    found = page.evaluate(
        "async ([file, side, isJpeg]) => device.packed(device.fromImageBitmap(await device.decode(file), side, { isJpeg }))",
        [b64encode(file).decode(), max_side, is_jpeg],
    )
    return unpacked(found)


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("max_side", [2048, 600, 211, 100])
def test_decoded_images_are_reduced_as_on_the_server(page, max_side):
    file = encoded(sample("friends.png", 1000))
    found, expected = load(page, file, max_side), open_image(file, max_side).pixels
    assert found.shape == expected.shape
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 1 and difference.mean() < 0.01


def test_strips_of_a_large_image_leave_no_seam(page):
    """It is wider than a canvas that is read, and has more rows than a strip."""
    row = np.arange(9000) % 251
    pixels = np.stack([np.broadcast_to(row, (150, 9000)), np.broadcast_to((np.arange(150) % 256)[:, None], (150, 9000))], 2)
    pixels = np.ascontiguousarray(np.concatenate([pixels, pixels[..., :1]], 2), np.uint8)
    file = encoded(pixels)
    np.testing.assert_array_equal(load(page, file, 9000), pixels)
    difference = np.abs(load(page, file, 2048).astype(int) - open_image(file, 2048).pixels)
    assert difference.max() <= 1 and difference.mean() < 0.01


def test_transparency_becomes_white(page):
    alpha = np.linspace(0, 255, 256).astype(np.uint8)
    pixels = np.dstack([cv2.resize(sample(), (256, 256)), np.broadcast_to(alpha, (256, 256))])
    found = load(page, encoded(pixels), 2048)
    assert (found[:, 0] == 255).all()
    np.testing.assert_allclose(found.astype(int), open_image(encoded(pixels)).pixels, atol=1)


@pytest.mark.parametrize(("size", "max_side"), [((400, 301), 200), ((400, 300), 230), ((1601, 41), 200), ((210, 300), 200)])
def test_photos_of_jpeg_files_have_the_size_of_the_server(page, size, max_side):
    file = encoded(cv2.resize(sample(), size, interpolation=cv2.INTER_AREA), "JPEG", quality=95)
    found, expected = load(page, file, max_side, is_jpeg=True), open_image(file, max_side).pixels
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 3  # libjpeg reduces frequencies, not pixels


@pytest.mark.parametrize(("width", "height"), [(0, 10), (70_000, 1), (30_000, 20_000)])
def test_images_beyond_the_limits_are_refused(page, width, height):
    with pytest.raises(Error, match="RangeError: this picture has"):
        page.evaluate("([width, height]) => device.fromImageBitmap({ width, height })", [width, height])


@cache
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


def check_detection(page: Page, pixels: np.ndarray, detector: str = "auto") -> list[Detection]:
    """Compare the faces of an image with the server's, and return these."""
    used, expected = analyzer().face_detector.detect(pixels, detector)
    found = page.evaluate(DETECT, [packed(pixels), detector])
    assert found["used"] == used
    assert len(found["faces"]) == len(expected)
    for face, known in zip(found["faces"], expected, strict=True):
        assert face["box"] == pytest.approx(vars(known.box), abs=0.5)
        assert face["score"] == pytest.approx(known.score, abs=2e-3)
        assert face["turns"] == known.turns
        assert (face["innerBox"] and pytest.approx(face["innerBox"], abs=0.5)) == (known.inner_box and vars(known.inner_box))
        keypoints = np.array(face["keypoints"], float).reshape(6, 2)
        np.testing.assert_allclose(keypoints, known.keypoints, atol=0.01)
        landmarks = analyzer().face_detector.landmarks(pixels, known)
        assert (face["landmarks"] is None) == (landmarks is None)
        if landmarks is not None:
            difference = np.abs(np.reshape(face["landmarks"], (468, 3)) - landmarks)
            assert difference.mean() < 0.005 * max(known.box.width, 40)
    return expected


@pytest.mark.parametrize(
    ("name", "count"), [("collins.jpg", 1), ("obama.jpg", 1), ("angry.png", 1), ("friends.png", 4), ("solvay.jpg", 29)]
)
def test_the_faces_of_the_samples_are_those_of_the_server(page, name, count):
    assert len(check_detection(page, sample(name, 2048))) == count


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_faces_of_rotated_photos_are_those_of_the_server(page, turns):
    (face,) = check_detection(page, np.ascontiguousarray(np.rot90(sample("obama.jpg", 700), -turns)))
    assert face.turns == turns


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width", "side"), [(256, 256, 256), (300, 520, 240), (900, 1400, 400)])
def test_drawn_faces_without_an_outline_are_those_of_the_server(page, height, width, side):
    pixels = np.full((height, width, 3), (250, 205, 150), np.uint8)
    bare_face(pixels, width // 2, height // 2, side)
    (face,) = check_detection(page, pixels)
    assert np.isnan(face.keypoints).all(), "BlazeFace has not found it"


@pytest.mark.parametrize("seed", [1, 37])
def test_drawings_whose_best_windows_are_below_the_threshold_have_no_face(page, seed):
    assert check_detection(page, non_face_image(np.random.default_rng(seed))) == []


@pytest.mark.parametrize("detector", ["blazeface", "none"])
def test_other_detectors_find_the_faces_of_the_server(page, detector):
    for name in ("collins.jpg", "angry.png", "friends.png"):
        assert check_detection(page, sample(name, 500), detector)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (5, 300), (240, 320)])
def test_images_without_a_face_have_none(page, shape):
    assert check_detection(page, np.full((*shape, 3), 200, np.uint8)) == []
    assert check_detection(page, np.random.default_rng(3).integers(0, 256, (*shape, 3), np.uint8)) == []


@pytest.mark.slow
def test_faces_of_photos_and_drawings_of_all_sizes_are_those_of_the_server(page):
    folder = shared("photos", "scenes")
    for name in ("human_stock_group_1.jpg", "ultralight_01.jpg", "dlib_2008_002470.jpg", "coco_000241.jpg"):
        for max_side in (240, 2048):
            check_detection(page, open_image(folder / name, max_side).pixels)
    for file in sorted(shared("stylised", "dicebear").rglob("*_00.png"))[::12]:
        check_detection(page, open_image(file).pixels)


def test_of_nested_boxes_one_is_kept_as_on_the_server(page):
    """Random boxes, some of which have their eyes and nose inside another one, or none at all."""
    random = np.random.default_rng(11)
    detections = []
    for number in range(60):
        left, top, side, tall = *random.uniform(0, 200, 2), *random.uniform(20, 150, 2)
        keypoints = (random.uniform(0.1, 0.9, (6, 2)) * (side, tall) + (left, top)).astype(np.float32)
        keypoints[random.random(6) < 0.02 * (number % 5)] = np.nan
        detections.append(Detection(Box(left, top, side, tall), float(random.random()), keypoints))
    rows = [[*vars(each.box).values(), each.score, *map(str, each.keypoints.ravel())] for each in detections]
    found = page.evaluate(
        """(rows) => device.oneEach(rows.map(([left, top, width, height, score, ...keypoints]) =>
          ({ box: { left, top, width, height }, score, keypoints: Float32Array.from(keypoints) }))).map(({ score }) => score)""",
        rows,
    )
    expected = _one_each(detections)
    assert found == [face.score for face in expected]
    assert 10 < len(expected) < 50


def test_detectors_that_are_not_there_are_refused(page):
    for name, message in (("haar", "available on the server alone"), ("other", "detector must be one of auto, ")):
        with pytest.raises(Error, match=message):
            page.evaluate(DETECT, [packed(sample()), name])
