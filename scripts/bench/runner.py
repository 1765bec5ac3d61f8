"""What the benchmark does: start the contestants, ask them in turn, round after round. Their figures end up in them."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from ..deploy import sandbox
from ..deploy.traffic import Request
from .contenders import Contestant, Server, peak_bytes, serving

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
