"""Results of photos that the browser analyzes itself: what they show and say, and what they leave in memory."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from emotions import open_image

from .conftest import PHONE
from .test_on_device import turn_on

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "tests" / "data" / "astronaut.jpg"
SAMPLES = ROOT / "static" / "samples"
COUNT_BITMAPS = """() => {
  window.openBitmaps = 0;
  const { createImageBitmap } = window;
  const open = new WeakSet();
  window.createImageBitmap = async (...values) => {
    const bitmap = await createImageBitmap(...values);
    window.openBitmaps++;
    open.add(bitmap);
    return bitmap;
  };
  const { close } = ImageBitmap.prototype;
  ImageBitmap.prototype.close = function () {
    if (open.delete(this)) window.openBitmaps--;
    close.call(this);
  };
}"""
"""Script for a page: count the bitmaps that it made and did not close; those that it sent are closed afterwards."""


@pytest.fixture
def cup() -> np.ndarray:
    """Pixels of a picture without a face."""
    shades = np.linspace(40, 200, 320 * 240).reshape(240, 320).astype(np.uint8)
    return np.repeat(shades[..., None], 3, axis=2)


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return file.getvalue()


def choose(page: Page, content: bytes, name: str = "photo.png", kind: str = "image/png") -> None:
    page.locator("#file").set_input_files({"name": name, "mimeType": kind, "buffer": content})
    expect(page.locator("#file-name")).to_have_text(name, timeout=60_000)
    expect(page.locator("main.busy")).to_have_count(0)


def picture(page: Page) -> np.ndarray:
    address = page.locator("#result figure.photo img").get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"), int)


def answer(page: Page) -> dict[str, object]:
    link = page.locator("#result [download$='.json']").first
    found = json.loads(unquote(link.get_attribute("href").split(",", 1)[1]))
    return {name: value for name, value in found.items() if name != "timing_ms"}


@pytest.mark.parametrize("options", [[], ["whole-image"], ["whole-image", "landmarks"]], ids=lambda one: "+".join(one) or "plain")
def test_nothing_is_drawn_into_a_picture_without_a_face(visit, cup, options):
    page = visit("/")
    turn_on(page)
    page.locator("details.options > summary").click()
    for option in options:
        page.locator(f"#{option}").check()
    choose(page, encoded(cup))
    expect(page.locator("#headline")).to_have_text("No face found")
    assert np.abs(picture(page) - cup).max() < 12
    expect(page.locator("#result .probability")).to_have_count(0)
    assert "need the server" not in page.locator("#result").inner_text(), "the server has neither here"


@pytest.mark.parametrize("option", ["", "whole-image"], ids=["faces", "whole image"])
def test_the_text_alternative_says_unsure_as_the_headline_does(visit, option):
    """Of the server's result and of that of this device."""
    blurred = encoded(cv2.GaussianBlur(open_image(SAMPLES / "sad.png").pixels, (0, 0), 12))
    page = visit("/")
    for on in (False, True):
        if on:
            turn_on(page)
        if option and not on:  # the result page keeps it
            page.locator("details.options > summary").click()
            page.locator(f"#{option}").check()
        choose(page, blurred, f"blurred-{on}.png")
        headline = page.locator("#headline").inner_text()
        assert headline.startswith("Unsure, perhaps ")
        assert page.locator("#result figure.photo img").get_attribute("alt").endswith(f": {headline}")


def test_what_needs_the_server_is_named(visit):
    page = visit("/", viewport=PHONE)
    turn_on(page)
    choose(page, (SAMPLES / "friends.png").read_bytes(), "friends.png")
    note = page.get_by_text("Occlusion maps and feedback need the server: turn “On this device” off to use them.")
    expect(note).to_have_count(1)
    expect(page.get_by_role("link", name="Download picture")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_jpeg_is_known_by_its_bytes(visit):
    """The type of a file is a guess from its name; large JPEG files are reduced in another way than others."""
    large = encoded(cv2.resize(open_image(PHOTO).pixels, (4100, 3100), interpolation=cv2.INTER_CUBIC), "JPEG")
    page = visit("/")
    turn_on(page)
    answers = []
    for name, kind in (("large.jpg", "image/jpeg"), ("large", "application/octet-stream"), ("large.png", "image/png")):
        choose(page, large, name, kind)
        answers.append(answer(page))
    assert answers[0]["faces"] and answers[1] == answers[2] == answers[0]


@pytest.mark.parametrize("way", ["result", "error", "cancelled"])
def test_the_photo_is_closed_afterwards(visit, way):
    """The memory of a photo is some 50 MB, which the garbage collector frees late."""
    page = visit("/", expected="net::ERR_")
    turn_on(page)
    page.evaluate(COUNT_BITMAPS)
    if way == "error":  # after the analysis, while the result is made
        page.evaluate("() => { HTMLCanvasElement.prototype.toDataURL = () => { throw new Error('out of memory'); }; }")
    if way == "cancelled":
        page.evaluate(
            "() => new MutationObserver(() => document.querySelector('main.busy #cancel')?.click())"
            ".observe(document.body, { subtree: true, childList: true, attributes: true })"
        )
    page.locator("#file").set_input_files(SAMPLES / "solvay.jpg")
    heading = {"result": "29 faces", "error": "Not analyzed", "cancelled": "Cancelled"}[way]
    expect(page.get_by_role("heading", name=heading)).to_be_visible(timeout=60_000)
    page.wait_for_timeout(500)
    assert page.evaluate("window.openBitmaps") == 0
