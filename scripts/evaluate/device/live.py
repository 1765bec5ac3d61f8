"""Measure the speed and the memory of the analysis in the browser, as a visitor has it: the pages in headless Chromium.

    python -m scripts.evaluate.device.live --out benchmarks/device_speed.md

The server is started as by app.yaml, on this machine. Three things are measured:

- answers a second of /live with the fake camera's moving face (640 x 480 pixels, 30 frames a second), on this device and by
  the server, in turn;
- memory of the page's processes while it analyzes --frames frames on this device;
- seconds from the click on a sample to the result, on a page opened again whose models are kept by the browser.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from emotions.runtime.manifest import BUNDLED

from ...bench.live_page import COLLECT_RESULTS
from ...common.commands import command_line
from ...common.git import commit
from ...common.machine import processor
from ...common.markdown import table
from ...deploy.traffic import write_camera_video
from ..served.server import serve
from .page import CHROMIUM

VIEWPORT = {"width": 1280, "height": 800}
PATIENCE = 120_000
"""Milliseconds that the page has for its download and for a number of frames."""
STEPS = 5
"""Measurements of memory after the first one."""
WARM_FRAMES = 50
SAMPLE = "obama"
METHOD = """\
Browser and server share the machine. The page /live analyzes the fake camera's moving face, 640 x 480 pixels at 30 frames a
second, which is the most that is possible. The first answer is measured from the click on a sample to the result, on a page
opened again whose models are kept by the browser."""
MEMORY = """\
Memory of the page while it analyzes frames on this device: proportional set size of Chromium's renderers in MB, and what is left
of it one second after a notification of memory pressure. Until then Chromium keeps pictures that it has drawn, on every page with
a camera."""


@dataclass
class Speed:
    """What was measured.

    Attributes:
        device_rates: Answers a second on this device, one number a round.
        server_rates: Answers a second of the server, one number a round.
        memory: Frames analyzed so far -> bytes of Chromium's renderers (proportional set size), and those of them that are left
            after a notification of memory pressure, at which Chromium empties its caches of decoded pictures.
        first_seconds: Seconds from the click on a sample to its result, one number a page that was opened.
        browser: Version of Chromium.
    """

    device_rates: list[float] = field(default_factory=list)
    server_rates: list[float] = field(default_factory=list)
    memory: dict[int, tuple[int, int]] = field(default_factory=dict)
    first_seconds: list[float] = field(default_factory=list)
    browser: str = ""


def open_live(browser: Browser, site: str, on_device: bool) -> Page:
    """Open /live in a context of its own, start the camera and pause it after the first answer."""
    page = browser.new_page(viewport=VIEWPORT)
    page.set_default_timeout(PATIENCE)
    page.goto(f"{site}/live")
    if on_device:
        turn_on(page)
    page.get_by_role("button", name="Start the camera").click()
    page.locator(".track-panel").wait_for()
    page.get_by_role("button", name="Pause").click()
    return page


def turn_on(page: Page) -> None:
    """Turn "On this device" on, and wait for the download."""
    page.get_by_label("On this device").check()
    page.locator("#device-hint", has_text="This browser analyzes").wait_for()


def rate(page: Page, seconds: float) -> float:
    """Return the answers a second of a paused live page."""
    page.get_by_role("button", name="Resume").click()
    found = page.evaluate(COLLECT_RESULTS, seconds)
    page.get_by_role("button", name="Pause").click()
    return len(found["found"]) / found["seconds"]


def memory_of(page: Page) -> tuple[int, int]:
    """Return the memory of a page as in `Speed.memory`."""
    browser = page.context.browser
    assert browser is not None
    session = browser.new_browser_cdp_session()

    def renderers() -> int:
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        return sum(_pss(one["id"]) for one in processes if one["type"] == "renderer")

    before = renderers()
    session.send("Memory.simulatePressureNotification", {"level": "critical"})
    page.wait_for_timeout(1000)
    after = renderers()
    session.detach()
    return before, after


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0  # it has ended
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def measure_memory(page: Page, frames: int) -> dict[int, tuple[int, int]]:
    """Analyze so many frames on a paused live page, and note its memory on the way."""
    found = {}
    page.get_by_role("button", name="Resume").click()
    start = _count(page)
    for target in (WARM_FRAMES, *(frames * step // STEPS for step in range(1, STEPS + 1))):
        while _count(page) - start < target:
            page.wait_for_timeout(50)
        found[target] = memory_of(page)
    page.get_by_role("button", name="Pause").click()
    return found


def _count(page: Page) -> int:
    return int(page.locator("#count").inner_text().split()[0].replace(",", ""))  # such as "95 in 0:12"


def first_answers(browser: Browser, site: str, count: int) -> list[float]:
    """Return the seconds from the click on a sample to its result, on pages whose models are kept by the browser."""
    context = browser.new_context(viewport=VIEWPORT)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(site)
    turn_on(page)
    found = []
    for _ in range(count):
        page.goto("about:blank")
        page.goto(site)
        page.locator("#device-hint", has_text="This browser analyzes").wait_for()
        page.wait_for_timeout(1000)
        started = time.perf_counter()
        page.locator(f".samples [value={SAMPLE}]").click()
        page.locator("#result").wait_for()
        found.append(time.perf_counter() - started)
    context.close()
    return found


def measure(rounds: int, seconds: float, frames: int, progress: Callable[[str], None] = print) -> Speed:
    """Measure everything. Raises FileNotFoundError where there is no Chromium."""
    if CHROMIUM is None:
        raise FileNotFoundError("Chromium is not installed")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        video = write_camera_video(Path(place) / "face.mjpeg")
        camera = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        with serve(BUNDLED) as server:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", *camera, f"--use-file-for-fake-video-capture={video}"]
            )
            site, done = f"http://127.0.0.1:{server.port}", Speed(browser=browser.version)
            done.first_seconds = first_answers(browser, site, rounds)
            progress(f"first answer: {statistics.median(done.first_seconds):.2f} s")
            here, there = open_live(browser, site, on_device=True), open_live(browser, site, on_device=False)
            for _ in range(rounds):
                done.device_rates.append(rate(here, seconds))
                done.server_rates.append(rate(there, seconds))
            progress(f"answers a second: {statistics.median(done.device_rates):.1f}, {statistics.median(done.server_rates):.1f}")
            there.close()
            done.memory = measure_memory(here, frames)
            browser.close()
    return done


def report(command: str, done: Speed) -> str:
    """Return the report as Markdown."""
    megabytes = [(f"{frames:,}", *(f"{size / 2**20:.0f}" for size in sizes)) for frames, sizes in done.memory.items()]
    ratios = [device / server for device, server in zip(done.device_rates, done.server_rates, strict=True)]
    rows = [
        ("answers a second on this device", done.device_rates, 1),
        ("answers a second of the server", done.server_rates, 1),
        ("ratio", ratios, 2),
        ("first answer on this device, seconds", done.first_seconds, 2),
    ]
    return "\n".join([
        "# Speed and memory of the analysis in the browser\n",
        f"    {command}\n",
        f"- date: {datetime.now(UTC):%Y-%m-%d}, commit {commit()}",
        f"- browser: headless Chromium {done.browser}, without a graphics card",
        f"- machine: {os.cpu_count()} cores, {processor()}\n",
        f"{METHOD}\n",
        table(("what", "median", "least", "most"), "lr", [
            (name, *(f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))))
            for name, values, digits in rows
        ]),
        f"\n{MEMORY}\n",
        table(("frames", "MB", "MB after the notification"), "r", megabytes),
        "",
    ])  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement (default 5)")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a round (default 6)")
    parser.add_argument("--frames", type=int, default=1000, help="frames during which memory is measured (default 1000)")
    parser.add_argument("--out", type=Path, help="file of the report")
    options = parser.parse_args(arguments)
    done = measure(options.rounds, options.seconds, options.frames)
    text = report(command_line("scripts.evaluate.device.live", parser, options), done)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
