"""Send ordinary and hostile requests for an hour and see that memory, files and threads of the worker do not grow.

    make soak                                  one hour on two cores, memory of the instance class
    python -m scripts.hostile.soak --seconds 300

Every minute the clients pause, and the worker's state at rest is noted. From minute 10 on (a third of a shorter run) resident
memory must stay within 10 %, and at the end no file descriptor and no thread may be more. A minute and a half after the last
request, when the models of texts and speech are unloaded, less than 200 MB must be resident. The exit status is 1 otherwise, or
if the worker was killed or an answer had a fault.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from web.inference import IDLE_SECONDS
from web.server.worker import RESTING_SECONDS

from ..common.markdown import table
from ..deploy import traffic
from .campaign import CLIENTS, PORTRAIT, send, warm_up
from .client import Answer, exchange
from .inputs import HostileInput, build
from .inputs.requests import get, post
from .report import MEGABYTE, command, heading, publish
from .server import Server, State, describe, running_server
from .verdicts import FAULTS, MAX_RESIDENT_BYTES, TIMES, judge

HOSTILE_SHARE = 5
"""Every fifth request is hostile."""
ROUND_SECONDS = 60.0
REST_SECONDS = RESTING_SECONDS + 3
"""Seconds without requests before the state at rest is measured: the worker has freed spare memory by then."""
SETTLED_MINUTES = 10
MAX_GROWTH = 0.10
"""Bar of the resident memory at rest: largest over smallest, less 1, from minute SETTLED_MINUTES on. In a few minutes it
varies more, with the models of texts and speech and with spare memory: short runs have a bar of their own."""
UNLOADED_SECONDS = 1.5 * IDLE_SECONDS
"""Seconds after the last request until models that are seldom used are certainly unloaded."""
MAX_UNLOADED_BYTES = 200 * 2**20
"""Bar of the resident memory after UNLOADED_SECONDS."""


@dataclass
class Soak:
    """Measurements: the state at rest after each round, statuses, faults with an example of each, and memory.

    `unloaded_bytes`: resident memory UNLOADED_SECONDS after the last request; `peak_bytes`: the most under load.
    """

    rounds: list[tuple[float, State]] = field(default_factory=list)
    statuses: Counter[int | None] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    unloaded_bytes: int = 0
    peak_bytes: int = 0
    oom_kills: int = 0
    restarts: int = 0
    limits: str = ""

    def settled(self) -> list[State]:
        """Return the states from minute 10 on, or from a third of a shorter run on."""
        length = self.rounds[-1][0]
        since = min(SETTLED_MINUTES * 60, length / 3)
        return [state for second, state in self.rounds if second >= since]

    def broken(self, busy: bool = False, max_growth: float = MAX_GROWTH) -> list[str]:
        """Return a sentence for each bar that was missed, on a `busy` machine without those of times."""
        states = self.settled()
        sizes = [state.resident_bytes for state in states]
        growth = max(sizes) / max(1, min(sizes)) - 1
        first, last = states[0], states[-1]
        rules = [
            (growth > max_growth, f"memory at rest varies by {growth:.0%}, more than {max_growth:.0%}"),
            (last.descriptors > first.descriptors, f"{last.descriptors - first.descriptors} more file descriptors at the end"),
            (last.threads > first.threads, f"{last.threads - first.threads} more threads at the end"),
            (
                self.unloaded_bytes > MAX_UNLOADED_BYTES,
                f"{self.unloaded_bytes / MEGABYTE:.0f} MB {UNLOADED_SECONDS:.0f} s after the last request",
            ),
            (bool(last.tmp), f"left in /tmp: {', '.join(last.tmp)}"),
            (self.peak_bytes > MAX_RESIDENT_BYTES, f"the worker held {self.peak_bytes / MEGABYTE:.0f} MB"),
            (bool(self.oom_kills), f"{self.oom_kills} processes were killed for memory"),
            (bool(self.restarts), f"the worker ended {self.restarts} times"),
            *(
                (not busy or fault not in TIMES, f"{count} answers: {FAULTS.get(fault, fault)}; {self.examples[fault]}")
                for fault, count in self.faults.items()
            ),
        ]
        return [sentence for missed, sentence in rules if missed]


def ordinary_requests() -> list[traffic.Request]:
    """Return one ordinary request of each kind, large photos among them."""
    return [*traffic.mixed_requests(PORTRAIT), *traffic.media_requests(), *traffic.large_photos(PORTRAIT)]


def to_bytes(request: traffic.Request) -> bytes:
    """Return an ordinary request as bytes for a socket."""
    if request.body is None:
        return get(request.path)
    return post(request.path, request.body, request.headers["Content-Type"])


def mixed(seed: int) -> Iterator[tuple[traffic.Request | HostileInput, bytes]]:
    """Yield ordinary requests in turn, every fifth a hostile one, each with its bytes."""
    ordinary = itertools.cycle([(request, to_bytes(request)) for request in ordinary_requests()])
    hostile = (one for number in itertools.count() if (one := build(seed, number)).kind != "archive")
    for turn in itertools.count(1):
        if turn % HOSTILE_SHARE == 0:
            one = next(hostile)
            yield one, one.request
        else:
            yield next(ordinary)


def soak(server: Server, seed: int, seconds: float, clients: int = CLIENTS, round_seconds: float = ROUND_SECONDS) -> Soak:
    """Send requests in rounds for `seconds`; returns the measurements."""
    done, requests, started = Soak(limits=describe(server)), mixed(seed), time.monotonic()

    def one(pair: tuple[traffic.Request | HostileInput, bytes]) -> tuple[traffic.Request | HostileInput, Answer]:
        request, data = pair
        return request, send(server, request) if isinstance(request, HostileInput) else exchange(server.port, data)

    with ThreadPoolExecutor(clients) as pool:
        while (now := time.monotonic() - started) < seconds:
            until = time.monotonic() + min(round_seconds, seconds - now)
            while time.monotonic() < until:
                for request, answer in pool.map(one, list(itertools.islice(requests, 4 * clients))):
                    _enter(done, request, answer)
            warm_up(server)  # the same requests before each measurement: else it depends on which models the last ones needed
            time.sleep(REST_SECONDS)
            done.rounds.append((time.monotonic() - started, server.state()))
    base = done.settled()[0]
    done.rounds.append((time.monotonic() - started, server.settled_state(base)))
    time.sleep(UNLOADED_SECONDS)
    done.unloaded_bytes = server.state().resident_bytes
    done.peak_bytes, done.oom_kills, done.restarts = server.peak_bytes, server.oom_kills, server.restarts
    return done


def _enter(done: Soak, request: traffic.Request | HostileInput, answer: Answer) -> None:
    done.statuses[answer.status] += 1
    if isinstance(request, HostileInput):
        faults, name = judge(request, answer), f"input {request.number}, {request.family}"
    else:
        faults, name = [] if answer.status in (*request.statuses, 503) else ["unexpected"], f"{request.name}: {answer.status}"
    for fault in faults:
        done.faults[fault] += 1
        done.examples.setdefault(fault, f"such as {name}")


def markdown(done: Soak, command_line: str) -> str:
    """Return the report."""
    broken = done.broken()
    minutes = done.rounds[-1][0] / 60
    step = max(1, len(done.rounds) // 15)
    rows = [
        (f"{second / 60:.1f}", f"{state.resident_bytes / MEGABYTE:.0f}", state.descriptors, state.threads)
        for index, (second, state) in enumerate(done.rounds)
        if index % step == 0 or index == len(done.rounds) - 1
    ]
    counts = ", ".join(
        f"{status or 'none'}: {count:,}" for status, count in sorted(done.statuses.items(), key=lambda pair: -pair[1])
    )
    return "\n".join([
        *heading("Soak test", command_line),
        "",
        f"{sum(done.statuses.values()):,} requests in {minutes:.0f} minutes, every fifth of them hostile, against the server of "
        f"app.yaml: {done.limits}. " + ("**Nothing grew.**" if not broken else "**Missed:**"),
        *(["", *(f"- {sentence}" for sentence in broken)] if broken else []),
        "",
        f"Answers by status: {counts} (raw HTTP that completes no request has none). Peak under load: "
        f"{done.peak_bytes / MEGABYTE:.0f} MB. {UNLOADED_SECONDS:.0f} s after the last request: "
        f"{done.unloaded_bytes / MEGABYTE:.0f} MB.",
        "",
        "State of the worker at rest, every minute:",
        "",
        table(["minute", "resident MB", "file descriptors", "threads"], "r", rows),
        "",
    ])  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600, help="duration (default 3600)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the hostile inputs (default 1)")
    parser.add_argument("--cpus", type=float, default=2.0, help="cores of the server (default 2; the instance class has .3)")
    parser.add_argument("--busy", action="store_true", help="ignore times in the exit status, because the machine is busy")
    parser.add_argument("--out", type=Path, help="write the report to this Markdown file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # raise SystemExit, so that everything is cleaned up
    with running_server(options.cpus) as server:
        warm_up(server)
        done = soak(server, options.seed, options.seconds)
    publish(markdown(done, command("scripts.hostile.soak", parser, options)), options.out)
    return int(bool(done.broken(options.busy)))


if __name__ == "__main__":
    sys.exit(main())
