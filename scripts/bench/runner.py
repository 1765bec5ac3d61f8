"""Measurements of the benchmark: contenders are measured in turn, in several rounds, and hold their own figures."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from ..deploy import sandbox, traffic
from ..deploy.traffic import Request
from .contenders import Contender, Server, peak_bytes, run_server

SAMPLES = Path(__file__).resolve().parents[2] / "static" / "samples"
HEAD_SQUARES = {"obama.jpg": (150, 18, 254), "collins.jpg": (141, 30, 171)}
"""Left, top and side, in pixels, of the square around the head in each portrait."""
CROWD_SIZE = (1280, 960)
GRID = (9, 6)  # columns and rows of heads
HEAD_SIDE = 142  # pixels: the face in it is about 89 wide
BACKGROUND = (200, 200, 200)
SCENES = {0.3: (640, 480), 1.2: (1280, 960), 3.1: (2048, 1536), 6.0: (2828, 2121), 12.0: (4000, 3000), 24.0: (6000, 4000)}
"""Megapixels -> width and height."""


def photo() -> traffic.Request:
    """Return the standard photo: 640 x 480 pixels with one face."""
    return traffic.standard_photo(SAMPLES / "obama.jpg")


def saliency() -> traffic.Request:
    """Return the request of the standard photo with a saliency map."""
    plain = photo()
    return replace(plain, path=f"{plain.path}?explain=true")


def crowd(faces: int) -> Image.Image:
    """Compose 1280 x 960 pixels with `faces` of at most 54 faces: only their number varies, not their size."""
    if not 0 <= faces <= GRID[0] * GRID[1]:
        raise ValueError(f"there are {GRID[0] * GRID[1]} places, not {faces}")
    heads = []
    for name, (left, top, side) in HEAD_SQUARES.items():
        with Image.open(SAMPLES / name) as portrait:
            window = (left, top, left + side, top + side)
            heads.append(portrait.convert("RGB").resize((HEAD_SIDE, HEAD_SIDE), Image.Resampling.LANCZOS, box=window))
    scene = Image.new("RGB", CROWD_SIZE, BACKGROUND)
    for place in range(faces):
        row, column = divmod(place, GRID[0])
        scene.paste(heads[place % len(heads)], (column * CROWD_SIZE[0] // GRID[0], row * CROWD_SIZE[1] // GRID[1]))
    return scene


def crowds(counts: tuple[int, ...]) -> dict[float, traffic.Request]:
    """Return number of faces -> JPEG upload."""
    return {float(count): _jpeg_upload(crowd(count)) for count in counts}


def scenes(megapixels: tuple[float, ...]) -> dict[float, traffic.Request]:
    """Return megapixels -> JPEG upload with one large face and a file size like a camera's."""
    with Image.open(SAMPLES / "obama.jpg") as opened:
        portrait = opened.convert("RGB")
    return {size: _jpeg_upload(traffic.enlarge(portrait, *SCENES[size])) for size in megapixels}


def _jpeg_upload(image: Image.Image) -> traffic.Request:
    return traffic.upload("photo.jpg", traffic.encode(image, "JPEG", quality=90))


OURS = "ours"
"""Key of this project among the contenders."""
SALIENCY = 15
"""Number of saliency maps, with all cores and with one: each costs as much as 49 faces."""
SLOW_MS = 1000.0
"""In a sweep, a contender that took longer for an image does not get it again."""


@dataclass(frozen=True)
class Schedule:
    """Number of rounds, seconds per contender and round, and minimum number of requests in that time."""

    rounds: int
    seconds: float
    min_requests: int = 1


def start_all(stack: ExitStack, contenders: list[Contender], rounds: int, folder: Path, photo: Request) -> list[Server]:
    """Start each contender `rounds` times, in turn; returns the servers of the last round, which `stack` stops."""
    servers = []
    for turn in range(1, rounds + 1):
        for contender in contenders:
            with ExitStack() as own:
                server = own.enter_context(run_server(contender, folder))
                contender.measured.starts.append(seconds_to_first_response(server, photo))
                contender.measured.first_bytes = sandbox.resident_bytes(server.worker)
                if turn == rounds:
                    servers.append(server)
                    stack.push(own.pop_all())
    return servers


def seconds_to_first_response(server: Server, photo: Request) -> float:
    """Return the seconds from the start of the process to the end of the first response."""
    with closing(server.connect()) as connection:
        server.send(connection, photo)
    return time.perf_counter() - server.started


def measure_photos(servers: list[Server], schedule: Schedule, photo: Request) -> None:
    """Measure sequential photos: times, stages, and memory at the end."""
    for server in servers * schedule.rounds:
        measured = server.contender.measured
        responses = server.sequence(photo, schedule.seconds, schedule.min_requests)
        measured.photos.append([milliseconds for milliseconds, _ in responses])
        for milliseconds, response in responses:
            timing = response["timing_ms"]
            for stage, spent in {**timing, "HTTP and the rest": milliseconds - sum(timing.values())}.items():
                measured.stages.setdefault(stage, []).append(spent)
        measured.last_bytes = sandbox.resident_bytes(server.worker)


def measure_concurrent(servers: list[Server], schedule: Schedule, photo: Request) -> None:
    """Measure the throughput with concurrent clients."""
    for server in servers * schedule.rounds:
        server.contender.measured.rates.append(server.rate(photo, schedule.seconds))


def sweep(servers: list[Server], rounds: int, kind: str, requests: dict[float, Request]) -> None:
    """Send each of `requests` to each server, in turn; `kind` is `faces` or `sizes`."""
    for value, request in requests.items():
        for server in servers * rounds:
            measured = server.contender.measured
            times = getattr(measured, kind).setdefault(value, [])
            if not times or times[0] < SLOW_MS:
                with closing(server.connect()) as connection:
                    milliseconds, response = server.send(connection, request)
                times.append(milliseconds)
                measured.found.setdefault(kind, {})[value] = len(response["faces"])


def measure_saliency(server: Server, min_requests: int, saliency: Request) -> list[float]:
    """Return the server's milliseconds of at least `min_requests` saliency maps."""
    return [response["timing_ms"]["explain"] for _, response in server.sequence(saliency, 0.0, min_requests)]


def record_peak_memory(servers: list[Server]) -> None:
    """Record the peak memory of each server so far."""
    for server in servers:
        server.contender.measured.peak_bytes = peak_bytes(server.worker)


def measure_on_one_core(contenders: list[Contender], schedule: Schedule, folder: Path, photo: Request, saliency: Request) -> None:
    """Measure servers that are pinned to one core; the client is pinned to the other cores, if there are any."""
    everywhere = os.sched_getaffinity(0)
    core = min(everywhere)
    with ExitStack() as stack:
        servers = [stack.enter_context(run_server(contender, folder, core)) for contender in contenders]
        os.sched_setaffinity(0, everywhere - {core} or everywhere)
        stack.callback(os.sched_setaffinity, 0, everywhere)
        for server in servers * schedule.rounds:
            responses = server.sequence(photo, schedule.seconds, schedule.min_requests)
            server.contender.measured.one_core.append([milliseconds for milliseconds, _ in responses])
        for server in servers:
            if server.contender.key == OURS:
                server.contender.measured.saliency_one_core = measure_saliency(server, SALIENCY, saliency)
