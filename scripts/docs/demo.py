"""Record README's animation in a browser: a dropped photo, face tracking by webcam, a drawn face.

    python -m scripts.docs.demo            writes docs/demo.gif (at most 2 MB)

The server and Chromium run on this machine; the webcam is a generated video of a sample photo (public domain).
"""

from __future__ import annotations

import argparse
import base64
import io
import logging
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, Route, sync_playwright

from web import create_app

from ..common.serving import local_server

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "static" / "samples"
VIEWPORT = {"width": 1120, "height": 700}
SIZE = (800, 500)
COLORS = 128
MAX_BYTES = 2_000_000
WEBCAM_SECONDS, WEBCAM_FPS = 4.5, 4
CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")

PICK_UP = """([uri, width]) => {
    const image = document.createElement("img");
    image.id = "demo-file";
    image.src = uri;
    Object.assign(image.style, {position: "fixed", zIndex: 1000, width: `${width}px`, left: "0", top: "0", borderRadius: "6px",
        boxShadow: "0 6px 18px rgba(0, 0, 0, .45)", opacity: .92, pointerEvents: "none"});
    document.body.append(image);
    return image.decode();
}"""
MOVE = "([x, y]) => Object.assign(document.getElementById('demo-file').style, {left: `${x}px`, top: `${y}px`})"
"""Moves the dragged image, as a file manager would show it."""
DROP = """([bytes, name, type]) => {
    document.getElementById("demo-file").remove();
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0))], name, {type}));
    document.getElementById("drop").dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data}));
}"""


class Recorder:
    """Collects screenshots of a page with the time for which each is shown."""

    def __init__(self) -> None:
        self.images: list[Image.Image] = []
        self.durations: list[int] = []

    def take(self, page: Page, milliseconds: int) -> None:
        image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        self.images.append(image.resize(SIZE, Image.Resampling.LANCZOS))
        self.durations.append(milliseconds)

    def save(self, path: Path) -> None:
        """Write a GIF with a palette per frame, without dithering, which would change static parts between frames."""
        frames = [image.quantize(COLORS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE) for image in self.images]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=self.durations, loop=0, optimize=True, disposal=1)


def record_photo(page: Page, address: str, recorder: Recorder, sample: str) -> None:
    """Drag a sample onto the form, drop it, and record the preview and the result.

    The request is held until the preview is recorded: a fast server would answer before.
    """
    page.goto(address)
    held: list[Route] = []
    page.route(address, lambda route: held.append(route))  # a built-in method takes no attribute, which Playwright sets
    photo = SAMPLES / sample
    kind = "image/png" if photo.suffix == ".png" else "image/jpeg"
    content = base64.b64encode(photo.read_bytes()).decode()
    target = page.locator("#drop").bounding_box()
    x, y = target["x"] + target["width"] / 2 - 60, target["y"] + 20
    page.evaluate(PICK_UP, [f"data:{kind};base64,{content}", 120])
    for step in range(5):
        share = math.sin(math.pi / 2 * step / 4)
        page.evaluate(MOVE, [20 + (x - 20) * share, 560 + (y - 560) * share])
        recorder.take(page, 160)
    with page.expect_request(address):  # a dropped photo is analyzed at once
        page.evaluate(DROP, [content, sample, kind])
    page.locator("#preview").wait_for()
    recorder.take(page, 900)
    for route in held:
        route.continue_()
    page.unroute(address)
    page.locator("#headline").wait_for()
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(300)
    recorder.take(page, 2600)


def record_webcam(page: Page, address: str, recorder: Recorder) -> None:
    """Start the webcam page and record some seconds."""
    page.goto(f"{address}live")
    page.locator("#start").click()
    page.locator("#track-panels > *").first.wait_for()  # fails if the server does not process frames
    page.wait_for_timeout(3000)  # until the chart has data
    page.evaluate("document.getElementById('viewer').scrollIntoView({block: 'start'})")
    interval = 1 / WEBCAM_FPS
    started = time.monotonic()
    for number in range(round(WEBCAM_SECONDS * WEBCAM_FPS)):
        time.sleep(max(0.0, started + number * interval - time.monotonic()))
        recorder.take(page, round(1000 * interval))


def camera_frames(frames: int = 120) -> Iterator[Image.Image]:
    """Yield frames of a person who moves sideways, forwards and backwards, as a closed loop."""
    with Image.open(SAMPLES / "obama.jpg") as photo:
        person = photo.convert("RGB").crop((56, 0, 504, 480))
    for index in range(frames):
        phase = 2 * math.pi * index / frames
        scale = 0.9 + 0.1 * math.cos(phase)
        width, height = round(person.width * scale), round(person.height * scale)
        scene = Image.new("RGB", (640, 480), (110, 122, 140))
        scene.paste(person.resize((width, height)), (round((640 - width) / 2 + 90 * math.sin(phase)), 480 - height))
        yield scene


def camera_video(path: Path) -> Path:
    """Write motion JPEG, which Chromium repeats as its fake camera's video at 30 frames per second."""
    with path.open("wb") as file:
        for frame in camera_frames():
            frame.save(file, "JPEG", quality=90)
    return path


@contextmanager
def serving() -> Iterator[str]:
    """Run a server with loaded models on a free local port; yields its address."""
    app = create_app({"LOG_LEVEL": logging.ERROR})
    app.test_client().get("/_ah/warmup")
    with local_server(app) as address:
        yield f"{address}/"


def record(chromium: str, out: Path) -> None:
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as folder, serving() as address, sync_playwright() as playwright:
        video = camera_video(Path(folder) / "camera.mjpeg")
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*CAMERA, f"--use-file-for-fake-video-capture={video}"]
        )
        page = browser.new_page(viewport=VIEWPORT, color_scheme="light", reduced_motion="reduce")
        record_photo(page, address, recorder, "collins.jpg")
        record_webcam(page, address, recorder)
        record_photo(page, address, recorder, "friends.png")
        browser.close()
    recorder.save(out)
    print(f"{out}: {len(recorder.images)} frames, {sum(recorder.durations) / 1000:.1f} s, {out.stat().st_size / 1e6:.2f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "demo.gif")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is needed.", file=sys.stderr)
        return 1
    record(chromium, options.out)
    if options.out.stat().st_size > MAX_BYTES:
        print(f"The file is larger than {MAX_BYTES / 1e6:.0f} MB.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
