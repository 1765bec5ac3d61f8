"""What the benchmark does: start the contestants, ask them in turn, round after round. Their figures end up in them."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from ..deploy import sandbox, traffic
from ..deploy.traffic import Request
from .contenders import Contestant, Server, peak_bytes, serving

# The pictures of the benchmark, made of the samples' public-domain portraits: a photo, crowds, and ever larger scenes.

SAMPLES = Path(__file__).resolve().parents[2] / "static" / "samples"
HEADS = {"obama.jpg": (150, 18, 254), "collins.jpg": (141, 30, 171)}
"""Left, top and side, in pixels, of the square around the head in each portrait."""
CROWD = (1280, 960)
PLACES = (9, 6)  # columns and rows of heads
HEAD = 142  # pixels: the face in it is about 89 wide
BACKGROUND = (200, 200, 200)
SCENES = {0.3: (640, 480), 1.2: (1280, 960), 3.1: (2048, 1536), 6.0: (2828, 2121), 12.0: (4000, 3000), 24.0: (6000, 4000)}
"""Megapixels -> width and height."""


def photo() -> traffic.Request:
    """The photo that the budgets speak of: 640 x 480 pixels with one face."""
    return traffic.standard_photo(SAMPLES / "obama.jpg")


def explained() -> traffic.Request:
    """The same photo, asked for what the answer rests on as well: this project alone can say."""
    plain = photo()
    return replace(plain, path=f"{plain.path}?explain=true")


def crowd(faces: int) -> Image.Image:
    """1280 x 960 pixels with the first `faces` of 54 places taken: size and faces stay the same, only their number grows."""
    if not 0 <= faces <= PLACES[0] * PLACES[1]:
        raise ValueError(f"there are {PLACES[0] * PLACES[1]} places, not {faces}")
    heads = []
    for name, (left, top, side) in HEADS.items():
        with Image.open(SAMPLES / name) as portrait:
            window = (left, top, left + side, top + side)
            heads.append(portrait.convert("RGB").resize((HEAD, HEAD), Image.Resampling.LANCZOS, box=window))
    scene = Image.new("RGB", CROWD, BACKGROUND)
    for place in range(faces):
        row, column = divmod(place, PLACES[0])
        scene.paste(heads[place % len(heads)], (column * CROWD[0] // PLACES[0], row * CROWD[1] // PLACES[1]))
    return scene


def crowds(counts: tuple[int, ...]) -> dict[float, traffic.Request]:
    """Number of faces -> a JPEG upload with so many."""
    return {float(count): _upload(crowd(count)) for count in counts}


def scenes(megapixels: tuple[float, ...]) -> dict[float, traffic.Request]:
    """Megapixels -> a JPEG upload of that size with one large face, as heavy as a camera's."""
    with Image.open(SAMPLES / "obama.jpg") as opened:
        portrait = opened.convert("RGB")
    return {size: _upload(traffic.enlarge(portrait, *SCENES[size])) for size in megapixels}


def _upload(picture: Image.Image) -> traffic.Request:
    return traffic.upload("photo.jpg", traffic.encode(picture, "JPEG", quality=90))


OURS = "ours"
"""Key of the contestant that is this project."""
EXPLAINED = 15
"""How often a photo's answer is explained, with two cores and with one: each costs as much as 49 faces."""
SLOW_MS = 1000.0
"""In a sweep, whoever took longer for a picture is not asked for it again."""


@dataclass(frozen=True)
class Pace:
    """How often all are asked in turn, for how many seconds each, and how many answers a turn must give at least."""

    rounds: int
    seconds: float
    least: int = 1


def start_all(stack: ExitStack, contestants: list[Contestant], rounds: int, folder: Path, photo: Request) -> list[Server]:
    """Start each `rounds` times, in turn; gives the servers of the last round, which `stack` ends. Logs go to `folder`."""
    servers = []
    for turn in range(1, rounds + 1):
        for contestant in contestants:
            with ExitStack() as own:
                server = own.enter_context(serving(contestant, folder))
                contestant.measured.starts.append(first_answer(server, photo))
                contestant.measured.first_bytes = sandbox.resident_bytes(server.worker)
                if turn == rounds:
                    servers.append(server)
                    stack.push(own.pop_all())
    return servers


def first_answer(server: Server, photo: Request) -> float:
    """Seconds from the start of the process to the first answer."""
    with closing(server.connect()) as connection:
        server.ask(connection, photo)
    return time.perf_counter() - server.begun


def ask_photos(servers: list[Server], pace: Pace, photo: Request) -> None:
    """Photos one after the other: times, stages, and the memory held at the end."""
    for server in servers * pace.rounds:
        measured = server.contestant.measured
        answers = server.sequence(photo, pace.seconds, pace.least)
        measured.photos.append([taken for taken, _ in answers])
        for taken, answer in answers:
            timing = answer["timing_ms"]
            for stage, spent in {**timing, "HTTP and the rest": taken - sum(timing.values())}.items():
                measured.stages.setdefault(stage, []).append(spent)
        measured.last_bytes = sandbox.resident_bytes(server.worker)


def ask_together(servers: list[Server], pace: Pace, photo: Request) -> None:
    """Photos from several clients at once."""
    for server in servers * pace.rounds:
        server.contestant.measured.rates.append(server.rate(photo, pace.seconds))


def sweep(servers: list[Server], rounds: int, kind: str, requests: dict[float, Request]) -> None:
    """Each of `requests` to each server, in turn; `kind` is `faces` or `sizes`."""
    for value, request in requests.items():
        for server in servers * rounds:
            measured = server.contestant.measured
            times = getattr(measured, kind).setdefault(value, [])
            if not times or times[0] < SLOW_MS:
                with closing(server.connect()) as connection:
                    taken, answer = server.ask(connection, request)
                times.append(taken)
                measured.found.setdefault(kind, {})[value] = len(answer["faces"])


def ask_explained(server: Server, least: int, explained: Request) -> list[float]:
    """Milliseconds that explaining the answer for the photo's one face took of the server, `least` times or more."""
    return [answer["timing_ms"]["explain"] for _, answer in server.sequence(explained, 0.0, least)]


def note_peaks(servers: list[Server]) -> None:
    """The most memory that each server held until now."""
    for server in servers:
        server.contestant.measured.peak_bytes = peak_bytes(server.worker)


def ask_on_one_core(contestants: list[Contestant], pace: Pace, folder: Path, photo: Request, explained: Request) -> None:
    """Photos to servers that were started on one core, and `explained` to this project's; the client keeps to the other cores, if
    there are any."""
    everywhere = os.sched_getaffinity(0)
    core = min(everywhere)
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(contestant, folder, core)) for contestant in contestants]
        os.sched_setaffinity(0, everywhere - {core} or everywhere)
        stack.callback(os.sched_setaffinity, 0, everywhere)
        for server in servers * pace.rounds:
            answers = server.sequence(photo, pace.seconds, pace.least)
            server.contestant.measured.one_core.append([taken for taken, _ in answers])
        for server in servers:
            if server.contestant.key == OURS:
                server.contestant.measured.explained_alone = ask_explained(server, EXPLAINED, explained)
