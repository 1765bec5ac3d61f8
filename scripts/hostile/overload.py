"""Overload the server: 1 to 64 clients with large photos, slow clients, a killed worker; report waiting times and recovery.

    make overload                                      within App Engine's limits, some ten minutes
    python -m scripts.hostile.overload --seconds 5     shorter bursts

The exit status is 1 if a bar is missed: see `Bar`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..common.markdown import table
from ..deploy import traffic
from .campaign import PORTRAIT, warm_up
from .client import exchange
from .inputs.requests import get
from .probes import MAX_BACKOFF, Sample, repeating
from .report import command, heading, publish
from .server import Server, describe, running_server
from .slow_clients import slow_connections
from .soak import to_bytes
from .verdicts import MAX_RESIDENT_BYTES

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
SLOW_CLIENTS = (("200 that send a byte a second", 200, False), ("1,500 silent", 1500, True))
SLOW_COLUMNS = (
    "connections",
    "/health p50",
    "p99",
    "max",
    "photo p50",
    "p99",
    "max",
    "answers",
    "503",
    "opened",
    "closed",
    "answered",
)
PROBE_PAUSE = 0.2


@dataclass(frozen=True)
class Bar:
    """Bars in seconds: the slowest answer, p99 of /health and of photos beside slow clients, the first photo after a kill."""

    slowest: float = 40.0
    health_p99: float = 1.0
    photo_p99: float = 5.0
    restart: float = 3.0


NO_BAR = Bar(*[float("inf")] * 4)


@dataclass
class Burst:
    """One burst: answers to large photos, small ones and /health; seconds until a photo took less than a second again."""

    clients: int
    large: Sample = field(default_factory=Sample)
    small: Sample = field(default_factory=Sample)
    health: Sample = field(default_factory=Sample)
    recovery: float = 0.0


def burst(server: Server, clients: int, seconds: float, large: bytes, small: bytes) -> Burst:
    """Send large photos from half of the clients (at least one) and small ones from the others, and probe /health."""
    done = Burst(clients)
    many = (clients + 1) // 2
    requests = [large] * many + [small] * (clients - many) + [get("/health")]
    samples = [done.large] * many + [done.small] * (clients - many) + [done.health]
    with repeating(server.port, requests[:-1], samples[:-1]), repeating(server.port, requests[-1:], samples[-1:], PROBE_PAUSE):
        time.sleep(seconds)
        ended = time.monotonic()
    done.recovery = recovery(server, small, ended)
    return done


def recovery(server: Server, photo: bytes, since: float, seconds: float = 1.0, limit: float = 120.0) -> float:
    """Return the seconds from `since` until a photo is answered within `seconds`; `limit` at most."""
    while time.monotonic() - since < limit:
        started = time.monotonic()
        if exchange(server.port, photo, patience=10).status == 200 and time.monotonic() - started < seconds:
            break
        time.sleep(0.05)
    return time.monotonic() - since


def beside_slow(server: Server, count: int, silent: bool, seconds: float, photo: bytes) -> tuple[Sample, Sample, dict[str, int]]:
    """Probe /health and a photo while slow clients hold connections; returns both samples and the counts of connections."""
    health, photos = Sample(), Sample()
    with slow_connections(server.port, count, silent) as counts:
        with repeating(server.port, [get("/health"), photo], [health, photos], PROBE_PAUSE):
            time.sleep(seconds)
        return health, photos, dict(counts)


def killed(server: Server, photo: bytes) -> float:
    """Kill the worker and return the seconds until a photo is answered again; infinite if it is not within two minutes."""
    if not server.worker:
        return float("inf")
    os.kill(server.worker, signal.SIGKILL)
    started = time.monotonic()
    while time.monotonic() - started < 120:
        if exchange(server.port, photo, patience=30).status == 200:
            return time.monotonic() - started
        time.sleep(0.02)
    return float("inf")


@dataclass
class Overload:
    """All measurements."""

    bursts: list[Burst] = field(default_factory=list)
    slow: list[tuple[str, Sample, Sample, dict[str, int]]] = field(default_factory=list)
    restarts: list[tuple[str, float]] = field(default_factory=list)
    peak_bytes: int = 0
    oom_kills: int = 0
    limits: str = ""

    def broken(self, bar: Bar) -> list[str]:
        """Return a sentence for each bar that was missed."""
        found = [f"{self.oom_kills} processes were killed for memory"] * bool(self.oom_kills)
        found += [f"the worker held {self.peak_bytes / 2**20:.0f} MB"] * (self.peak_bytes > MAX_RESIDENT_BYTES)
        for one in self.bursts:
            samples = (one.large, one.small, one.health)
            odd = sum(status not in (200, 503) for sample in samples for status, _ in sample.answers)
            slowest = max((second for sample in samples for second in sample.times()), default=0.0)
            rules = [
                (bool(odd), f"{odd} requests without an answer, or with another status than 200 and 503"),
                (any(sample.without_retry for sample in samples), "503 without Retry-After"),
                (slowest > bar.slowest, f"an answer after {slowest:.0f} s"),
                (one.health.p99 > bar.health_p99, f"p99 of /health is {one.health.p99:.1f} s"),
            ]
            found += [f"{one.clients} clients: {sentence}" for missed, sentence in rules if missed]
        for name, health, photos, _ in self.slow:
            pairs = (("/health", health, bar.health_p99), ("photos", photos, bar.photo_p99))
            found += [f"{name}: p99 of {what} is {sample.p99:.1f} s" for what, sample, limit in pairs if sample.p99 > limit]
        return found + [
            f"first photo {second:.1f} s after a kill, {name}" for name, second in self.restarts if second > bar.restart
        ]


def measure(
    cpus: float | None, seconds: float, clients: Sequence[int] = CLIENTS, progress: Callable[[str], None] = print
) -> Overload:
    """Run all parts: bursts and slow clients within the instance class, the kill on two cores."""
    done = Overload()
    small, large = to_bytes(traffic.standard_photo(PORTRAIT)), to_bytes(traffic.large_photos(PORTRAIT)[0])
    with running_server(cpus) as server:
        warm_up(server)
        for count in clients:
            progress(f"{count} clients")
            done.bursts.append(burst(server, count, seconds, large, small))
        for name, count, silent in SLOW_CLIENTS:
            progress(name)
            done.slow.append((name, *beside_slow(server, count, silent, 2 * seconds, small)))
        done.peak_bytes, done.oom_kills, done.limits = server.peak_bytes, server.oom_kills, describe(server)
    with running_server(2.0) as server:
        warm_up(server)
        done.restarts.append(("two cores", killed(server, small)))
    return done


def markdown(done: Overload, command_line: str, bar: Bar) -> str:
    """Return the report."""
    broken = done.broken(bar)
    bursts = []
    for one in done.bursts:
        refused = one.large.count(503) + one.small.count(503)
        bursts.append(
            (one.clients, *one.large.cells(), *one.small.cells(), *one.health.cells()[:3], refused, f"{one.recovery:.1f}")
        )
    columns = ["clients", *(f"{kind} {what}" for kind in ("large", "small") for what in ("p50", "p99", "max", "answers")),
               "/health p50", "p99", "max", "503", "recovery"]  # fmt: skip
    slow = [
        (
            name,
            *health.cells()[:3],
            *photos.cells(),
            photos.count(503),
            *(counts[key] for key in ("opened", "closed", "answered")),
        )
        for name, health, photos, counts in done.slow
    ]
    return "\n".join([
        *heading("Overload", command_line),
        "",
        f"The server of app.yaml: {done.limits}. Seconds. Peak of the worker's memory {done.peak_bytes >> 20} MB, killed for "
        f"memory: {done.oom_kills}. " + ("**All bars are met.**" if not broken else "**Missed:**"),
        *(["", *(f"- {sentence}" for sentence in broken)] if broken else []),
        "",
        "## Bursts",
        "",
        "Half of the clients send a photo of 24 megapixels, half one of 640 x 480 with a face, each the next as soon as it is "
        f"answered; after a 503 they wait as it says, {MAX_BACKOFF:.0f} s at most. Percentiles are of answers with status 200. "
        "Recovery: from the end of the burst until a photo is answered within a second.",
        "",
        table(columns, "r", bursts),
        "",
        "## Slow clients",
        "",
        f"Bars: p99 of /health {bar.health_p99:.0f} s, of a photo {bar.photo_p99:.0f} s.",
        "",
        table(SLOW_COLUMNS, "lr", slow),
        "",
        "## A killed worker",
        "",
        *(f"- {name}: first photo {second:.1f} s after SIGKILL (bar {bar.restart:.0f})" for name, second in done.restarts),
        "",
    ])  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="duration of a burst (default 30)")
    parser.add_argument("--clients", type=int, nargs="+", default=list(CLIENTS), help="numbers of clients (default 1 2 4 ... 64)")
    parser.add_argument("--cpus", type=float, help="cores of the server (default: those of the instance class)")
    parser.add_argument("--busy", action="store_true", help="ignore times in the exit status, because the machine is busy")
    parser.add_argument("--out", type=Path, help="write the report to this Markdown file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # raise SystemExit, so that everything is cleaned up
    done = measure(options.cpus, options.seconds, options.clients)
    publish(markdown(done, command("scripts.hostile.overload", parser, options), Bar()), options.out)
    return int(bool(done.broken(NO_BAR if options.busy else Bar())))


if __name__ == "__main__":
    sys.exit(main())
