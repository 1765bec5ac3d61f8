"""How many answers a second the page /live gets, browser and server on this machine, and where the time goes.

Waiting depends on what else the machine does; the processor time that an answer takes hardly does, so both are told.

    python -m scripts.bench.live_page [--rounds 5] [--seconds 6]

The server is started as app.yaml does; Chromium's camera shows one moving face at 640x480, 30 frames a second.
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
from ..deploy.traffic import Request, jpeg, moving_face, write_camera_video
from .contenders import APP, Contestant, Server, serving

READ = """seconds => new Promise((done) => {
    const found = [], root = document.getElementById("live"), begun = performance.now();
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    const listen = ({detail}) => found.push({trip: detail.roundTrip, server: sum(Object.values(detail.timing))});
    root.addEventListener("result", listen);
    setTimeout(() => {
        root.removeEventListener("result", listen);
        done({found, seconds: (performance.now() - begun) / 1000});
    }, 1000 * seconds);
})"""


def processor_seconds(pid: int) -> float:
    """Processor time that the children of a process took up to now, and theirs, in seconds."""
    total = 0
    for child in sandbox.descendants(pid):
        with suppress(FileNotFoundError):  # ended meanwhile
            user, system = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]
            total += int(user) + int(system)
    return total / os.sysconf("SC_CLK_TCK")


def round_of(page: Page, server: Server, frame: bytes, seconds: float) -> dict[str, float]:
    """A round of the page, then one of the server alone: a client that only asks, frame after frame."""
    page.get_by_role("button", name="Resume").click()
    worked = processor_seconds(os.getpid()), processor_seconds(server.process.pid)
    live = page.evaluate(READ, seconds)
    both, served = processor_seconds(os.getpid()) - worked[0], processor_seconds(server.process.pid) - worked[1]
    page.get_by_role("button", name="Pause").click()
    answers = len(live["found"])
    alone = server.sequence(
        Request("frame", "/api/v1/image?tracks=", body=frame, headers={"Content-Type": "image/jpeg"}), seconds / 3, 10
    )
    return {
        "answers a second": answers / live["seconds"],
        "processor time of the browser an answer, ms": 1e3 * (both - served) / answers,
        "processor time of the server an answer, ms": 1e3 * served / answers,
        "round trip in the page, ms": statistics.median(one["trip"] for one in live["found"]),
        "reading on the server meanwhile, ms": statistics.median(one["server"] for one in live["found"]),
        "round trip of a client alone, ms": statistics.median(taken for taken, _ in alone),
        "reading on the server for it, ms": statistics.median(sum(answer["timing_ms"].values()) for _, answer in alone),
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
    contestant = Contestant("live", "this project", Path(sys.executable), APP)
    with tempfile.TemporaryDirectory() as place, serving(contestant, Path(place)) as server, sync_playwright() as playwright:
        server.connect().close()
        film = write_camera_video(Path(place) / "face.mjpeg")
        camera = [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ]
        browser = playwright.chromium.launch(executable_path=chromium, args=camera)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"http://127.0.0.1:{server.port}/live")
        page.get_by_role("button", name="Start the camera").click()
        page.locator(".track-panel").wait_for()
        page.get_by_role("button", name="Pause").click()
        rounds = [round_of(page, server, jpeg(next(moving_face())), options.seconds) for _ in range(options.rounds)]
        browser.close()
    for name in rounds[0]:
        values = sorted(one[name] for one in rounds)
        print(f"{name}: median {statistics.median(values):.1f}, from {values[0]:.1f} to {values[-1]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
