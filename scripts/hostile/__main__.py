"""Send hostile inputs to the real server within App Engine's limits; report 5xx, kills, slow answers and leftovers.

    make hostile                                          10,000 inputs, at most half an hour on two cores
    python -m scripts.hostile --seed 7 --count 300        300 inputs of another seed, no report
    python -m scripts.hostile --seed 7 --only 123         send one input again, and print what came back

Inputs that fail are kept in build/hostile/ with a list of how to send each again. The exit status is 1 if there is any.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from ..deploy.appengine import ROOT
from . import campaign, readers, report
from .client import exchange
from .inputs import KINDS, SLOTS, build
from .server import running_server
from .verdicts import judge

COUNT = 10_000
KEPT = ROOT / "build" / "hostile"


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="seed of the inputs (default 1)")
    parser.add_argument("--count", type=int, default=COUNT, help=f"number of inputs (default {COUNT:,})")
    parser.add_argument("--first", type=int, default=0, help="number of the first input (default 0)")
    parser.add_argument("--only", type=int, help="send this input alone and print what came back")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="kinds of inputs (default: all)")
    parser.add_argument("--cpus", type=float, default=2.0, help="cores of the server (default 2; the instance class has .3)")
    parser.add_argument("--clients", type=int, default=campaign.CLIENTS, help=f"inputs at a time (default {campaign.CLIENTS})")
    parser.add_argument("--keep", type=Path, default=KEPT, help="folder of the inputs that fail (default build/hostile)")
    parser.add_argument("--busy", action="store_true", help="ignore times in the exit status, because the machine is busy")
    parser.add_argument("--out", type=Path, help="write the report to this Markdown file")
    return parser


def send_one(seed: int, number: int, cpus: float) -> int:
    """Send one input, alone, and print the answer and its faults."""
    sent = build(seed, number)
    print(f"{sent.kind}, {sent.family}: {len(sent.request or sent.payload):,} bytes, then {sent.end}")
    if sent.kind == "archive":
        (outcome,) = readers.run(seed, [number])
        print(f"{outcome.seconds:.2f} s; faults: {', '.join(outcome.faults) or 'none'}; {outcome.detail}")
        return bool(outcome.faults)
    with running_server(cpus) as server:
        answer = exchange(server.port, sent.request, sent.end)
        faults = judge(sent, answer)
        print(f"{answer.seconds:.2f} s, {answer.problem or 'ended'}; peak {server.peak_bytes >> 20} MB; kills {server.oom_kills}")
        for response in answer.responses[:5]:
            print(response.status, response.headers.get("content-type"), response.body[:500].decode("utf-8", "replace"))
        print(f"faults: {', '.join(faults) or 'none'}")
        return bool(faults or server.oom_kills)


def main() -> int:
    parser = arguments_parser()
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # raise SystemExit, so that everything is cleaned up
    if options.only is not None:
        return send_one(options.seed, options.only, options.cpus)
    numbers = [
        number for number in range(options.first, options.first + options.count) if SLOTS[number % len(SLOTS)] in options.kinds
    ]
    archives = [number for number in numbers if SLOTS[number % len(SLOTS)] == "archive"]
    done = campaign.run(options.seed, sorted(set(numbers) - set(archives)), options.cpus, options.clients)
    done.outcomes += readers.run(options.seed, archives)
    failed = [outcome for outcome in done.outcomes if outcome.faults]
    campaign.keep(options.seed, failed, options.keep, done.log)
    report.publish(report.hostile_report(done, report.command("scripts.hostile", parser, options)), options.out)
    return int(bool(report.faults(done, options.busy)))


if __name__ == "__main__":
    sys.exit(main())
