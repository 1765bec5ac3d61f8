"""Frames per second of the webcam page, with browser and server on this machine, and the time of each step.

Latency depends on other load of the machine, processor time hardly does; both are reported.

    python -m scripts.bench.live_page [--rounds 5] [--seconds 6]

The server is started as by app.yaml; Chromium's fake camera shows a moving face, 640 x 480 pixels at 30 frames per second.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from ..deploy import sandbox
from ..deploy.serving import APP
from ..deploy.traffic import Request, jpeg, moving_face, write_camera_video
from .contenders import Contender, Server, run_server

COLLECT_RESULTS = """seconds => new Promise((done) => {
    const found = [], root = document.getElementById("live"), started = performance.now();
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    const listen = ({detail}) => found.push({trip: detail.roundTrip, server: sum(Object.values(detail.timing))});
    root.addEventListener("result", listen);
    setTimeout(() => {
        root.removeEventListener("result", listen);
        done({found, seconds: (performance.now() - started) / 1000});
    }, 1000 * seconds);
})"""


def processor_seconds(pid: int) -> float:
    """Return the processor time of all running descendants of a process in seconds."""
    total = 0
    for child in sandbox.descendants(pid):
        with suppress(FileNotFoundError):  # it has ended
            user, system = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]
            total += int(user) + int(system)
    return total / os.sysconf("SC_CLK_TCK")


def measure_round(page: Page, server: Server, frame: bytes, seconds: float) -> dict[str, float]:
    """Measure the page, then the server with a client that sends frames without a browser."""
    page.get_by_role("button", name="Resume").click()
    before = processor_seconds(os.getpid()), processor_seconds(server.process.pid)
    live = page.evaluate(COLLECT_RESULTS, seconds)
    both, served = processor_seconds(os.getpid()) - before[0], processor_seconds(server.process.pid) - before[1]
    page.get_by_role("button", name="Pause").click()
    results = len(live["found"])
    direct = server.sequence(
        Request("frame", "/api/v1/image?tracks=", body=frame, headers={"Content-Type": "image/jpeg"}), seconds / 3, 10
    )
    return {
        "frames per second": results / live["seconds"],
        "processor time of the browser per frame, ms": 1e3 * (both - served) / results,
        "processor time of the server per frame, ms": 1e3 * served / results,
        "latency in the page, ms": statistics.median(one["trip"] for one in live["found"]),
        "analysis on the server meanwhile, ms": statistics.median(one["server"] for one in live["found"]),
        "latency without a browser, ms": statistics.median(milliseconds for milliseconds, _ in direct),
        "analysis on the server without a browser, ms": statistics.median(
            sum(response["timing_ms"].values()) for _, response in direct
        ),
    }


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=6.0)
    options = arguments.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is needed.", file=sys.stderr)
        return 1
    contender = Contender("live", "this project", Path(sys.executable), APP)
    with tempfile.TemporaryDirectory() as place, run_server(contender, Path(place)) as server, sync_playwright() as playwright:
        server.connect().close()
        video = write_camera_video(Path(place) / "face.mjpeg")
        camera = [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={video}",
        ]
        browser = playwright.chromium.launch(executable_path=chromium, args=camera)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"http://127.0.0.1:{server.port}/live")
        page.get_by_role("button", name="Start the camera").click()
        page.locator(".track-panel").wait_for()
        page.get_by_role("button", name="Pause").click()
        rounds = [measure_round(page, server, jpeg(next(moving_face())), options.seconds) for _ in range(options.rounds)]
        browser.close()
    for name in rounds[0]:
        values = sorted(one[name] for one in rounds)
        print(f"{name}: median {statistics.median(values):.1f}, from {values[0]:.1f} to {values[-1]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
