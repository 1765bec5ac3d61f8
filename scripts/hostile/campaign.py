"""Send numbered hostile inputs to a running server with several clients, and find which of them it fails at."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha1
from pathlib import Path

from ..deploy import appengine, traffic
from .client import Answer, Response, exchange
from .inputs import HostileInput, build
from .server import Server, State, describe, running_server
from .verdicts import judge

CLIENTS = 4
REPEAT_SECONDS = 180.0
"""Time for sending failed inputs once more, alone, to see which of several under way at once was at fault."""
PORTRAIT = appengine.ROOT / "static" / "samples" / "obama.jpg"


@dataclass(frozen=True)
class Outcome:
    """What became of one input. `faults`: keys of FAULTS among others; `alone`: those when it was sent again by itself."""

    number: int
    kind: str
    family: str
    status: int | None
    seconds: float
    faults: tuple[str, ...] = ()
    alone: tuple[str, ...] | None = None
    detail: str = ""


@dataclass
class Run:
    """A finished run against one or, where it was killed, several servers in turn."""

    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    before: State | None = None
    after: State | None = None
    peak_bytes: int = 0
    oom_kills: int = 0
    restarts: int = 0
    timeline: list[tuple[float, int]] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    limits: str = ""
    log: list[str] = field(default_factory=list)

    def leftovers(self) -> list[str]:
        """Return a sentence for everything that stayed behind in the worker."""
        if not self.before or not self.after:
            return []
        pairs = (
            ("file descriptors", self.before.descriptors, self.after.descriptors),
            ("threads", self.before.threads, self.after.threads),
        )
        found = [f"{now - then} more {what} than before" for what, then, now in pairs if now > then and not self.restarts]
        return found + [f"in /tmp: {', '.join(self.after.tmp)}"] * bool(self.after.tmp)


def send(server: Server, sent: HostileInput) -> Answer:
    """Send one input; where the server has just ended, wait for its successor and send it again."""
    for _ in range(3):
        server.current.add(sent.number)
        try:
            answer = exchange(server.port, sent.request, sent.end)
        finally:
            server.ended.append(sent.number)
            server.current.discard(sent.number)
        if answer.problem != "refused" or not server.wait_for_worker():
            break
    return answer


def send_numbers(server: Server, seed: int, numbers: Iterable[int], clients: int = CLIENTS) -> Iterator[Outcome]:
    """Send inputs by `clients` at a time; yields their outcomes in order. Kinds without a request are left out."""

    def one(number: int) -> Outcome:
        sent = build(seed, number)
        restarts = server.restarts
        answer = send(server, sent)
        faults = judge(sent, answer)
        if server.restarts > restarts:
            faults.append("kill")
        first = answer.responses[0] if answer.responses else None
        detail = _summary(first) if first and faults else answer.problem or ""
        return Outcome(number, sent.kind, sent.family, answer.status, answer.seconds, tuple(faults), None, detail)

    with ThreadPoolExecutor(clients) as pool:
        yield from pool.map(one, numbers)


def _summary(response: Response) -> str:
    """Return the code of a problem, or the start of another answer."""
    try:
        return str(json.loads(response.body)["code"])
    except (LookupError, TypeError, ValueError):
        return response.body[:80].decode("utf-8", "replace")


def warm_up(server: Server) -> None:
    """Send one ordinary request of each kind, so that every model and library is loaded before the state is compared."""
    for request in [traffic.standard_photo(PORTRAIT), *traffic.mixed_requests(PORTRAIT), *traffic.media_requests()]:
        traffic.send(server.port, request)


def repeat_alone(server: Server, seed: int, outcomes: list[Outcome]) -> list[Outcome]:
    """Send failed inputs once more, one at a time, and enter the faults that they show by themselves."""
    repeated, until = [], time.monotonic() + REPEAT_SECONDS
    for outcome in outcomes:
        if time.monotonic() > until:
            break
        sent = build(seed, outcome.number)
        restarts = server.restarts
        server.reset_peak()
        answer = send(server, sent)
        faults = judge(sent, answer)
        time.sleep(0.1)  # for the watcher to see what happened
        if answer.problem == "reset" or server.restarts > restarts or not server.alive:
            server.wait_for_worker()
            time.sleep(2.5)
        if server.restarts > restarts or not server.alive:
            faults.append("kill")
        if server.heavy:
            faults.append("memory")
        repeated.append(replace(outcome, alone=tuple(faults)))
    return repeated


def run(seed: int, numbers: list[int], cpus: float | None, clients: int = CLIENTS, progress: bool = True) -> Run:
    """Send `numbers` to a server; where it ends for good, the rest goes to a new one."""
    done, started = Run(), time.monotonic()
    waiting = list(numbers)
    while waiting:
        with running_server(cpus) as server:
            warm_up(server)
            done.before = server.state()
            got: list[Outcome] = []
            for outcome in send_numbers(server, seed, waiting, clients):
                got.append(outcome)
                if progress and len(done.outcomes + got) % 500 == 0:
                    faults = sum(bool(one.faults) for one in done.outcomes + got)
                    print(
                        f"{len(done.outcomes + got):6} sent, {time.monotonic() - started:.0f} s, {faults} with faults", flush=True
                    )
                if not server.alive:
                    break
            done.outcomes += got
            waiting = waiting[len(got) :]
            if server.alive:
                done.after = server.settled_state(done.before)
                _enter_memory(done, server)
                failed = sorted((one for one in done.outcomes if one.faults), key=lambda one: one.seconds)
                again = {one.number: one for one in repeat_alone(server, seed, failed)}
                done.outcomes = [again.get(one.number, one) for one in done.outcomes]
            _enter_server(done, server)
    done.seconds = time.monotonic() - started
    return done


def _enter_memory(done: Run, server: Server) -> None:
    for index, outcome in enumerate(done.outcomes):
        if resident := server.heavy.get(outcome.number):
            detail = f"the peak rose to {resident / 2**20:.0f} MB while it was under way"
            done.outcomes[index] = replace(outcome, faults=(*outcome.faults, "memory"), detail=detail)


def _enter_server(done: Run, server: Server) -> None:
    offset = done.timeline[-1][0] if done.timeline else 0.0
    done.timeline += [(offset + second, size) for second, size in server.timeline]
    done.events += [(offset + second, text) for second, text in server.events]
    done.peak_bytes = max(done.peak_bytes, server.peak_bytes)
    done.oom_kills += server.oom_kills
    done.restarts += server.restarts + (not server.alive)
    done.limits = describe(server)
    done.log += server.test.log.read_text(encoding="utf-8", errors="replace").splitlines()


def keep(seed: int, outcomes: Iterable[Outcome], folder: Path, log: Iterable[str] = ()) -> list[Path]:
    """Write the inputs that failed, a list of them with how to send each again, and the server's log; returns the inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    files, lines = [], []
    for outcome in outcomes:
        sent = build(seed, outcome.number)
        fault = (*(outcome.alone or ()), *outcome.faults)[0]
        name = f"{fault}-{sent.family.replace('_', '-')}-{sha1(sent.payload).hexdigest()[:10]}.{sent.suffix.replace('/', '-')}"
        (folder / name).write_bytes(sent.payload)
        if sent.request and sent.request != sent.payload:
            (folder / f"{name}.request").write_bytes(sent.request)
        files.append(folder / name)
        again = f"python -m scripts.hostile --seed {seed} --only {outcome.number}"
        lines.append(json.dumps({"file": name, "again": again, **asdict(outcome)}))
    (folder / "failed.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    (folder / "server.log").write_text("\n".join(log), encoding="utf-8")
    return files
