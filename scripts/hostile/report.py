"""Markdown report of a run of hostile inputs."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..common.commands import command_line
from ..common.machine import processor
from ..common.markdown import table
from .campaign import Outcome, Run
from .inputs import KINDS
from .verdicts import FAULTS, MAX_RESIDENT_BYTES, TIMES

MEGABYTE = 2**20
ROWS = 12
"""Rows of the table of memory over time."""


def command(module: str, parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Return the command that measures the same again; where its report goes is left out."""
    return command_line(module, parser, argparse.Namespace(**vars(options) | {"out": None}))


def publish(text: str, path: Path | None) -> None:
    """Print a report and write it to `path`."""
    if path:
        path.write_text(text, encoding="utf-8")
    print(text)


def heading(title: str, command: str) -> list[str]:
    """Return title, date, machine and command of a report."""
    load = os.getloadavg()[0]
    busy = f", load average {load:.1f} at the end" if load > (os.cpu_count() or 1) + 1 else ""
    date = time.strftime("%d %B %Y").lstrip("0")
    machine = f"{date}, {os.cpu_count()} cores ({processor()}), Python {platform.python_version()}{busy}."
    return [f"# {title}", "", machine, "", "```bash", command, "```"]


def faults(done: Run, busy: bool = False) -> list[str]:
    """Return a sentence for each kind of fault of a run, on a `busy` machine without those of times; none if there is none."""
    counts = Counter(fault for outcome in done.outcomes for fault in outcome.faults if not busy or fault not in TIMES)
    found = [f"{fault}: {count} inputs ({FAULTS[fault]})" for fault, count in counts.most_common()]
    found += [f"{done.oom_kills} processes were killed for memory"] * bool(done.oom_kills)
    found += [f"the worker ended {done.restarts} times"] * bool(done.restarts)
    found += [f"the worker held {done.peak_bytes / MEGABYTE:.0f} MB"] * (done.peak_bytes > MAX_RESIDENT_BYTES)
    if crashes := sum("Traceback" in line or "uncaptured python exception" in line for line in done.log):
        found.append(f"{crashes} tracebacks in the server's log")
    return found + [f"left behind: {sentence}" for sentence in done.leftovers()]


def hostile_report(done: Run, command: str) -> str:
    """Return the report of a run as Markdown."""
    statement = faults(done)
    parts = [
        *heading("Hostile inputs", command),
        "",
        f"{len(done.outcomes):,} inputs in {done.seconds / 60:.0f} minutes against the server of app.yaml: {done.limits}. "
        + ("**No fault.**" if not statement else "**Faults:**"),
        *(["", *(f"- {sentence}" for sentence in statement)] if statement else []),
        "",
        "## By kind",
        "",
        "Seconds are those of one of several clients, waiting for each other included.",
        "",
        table(
            [
                "kind",
                "tried",
                "2xx, 3xx",
                "4xx",
                "503, 507",
                "other 5xx",
                "no answer",
                "over 10 s",
                "p50 s",
                "p99 s",
                "slowest s",
            ],
            "lr",
            [_row(kind, [one for one in done.outcomes if one.kind == kind]) for kind in KINDS],
        ),
        "",
        "Raw HTTP (`http`) may be left without an answer where no request was completed; archives and tables are read by the "
        "readers of scripts/ and have no status.",
        "",
        *memory(done),
    ]
    failed = [outcome for outcome in done.outcomes if outcome.faults]
    if failed:
        parts += ["", "## Failed inputs", "", *_failed(failed)]
    return "\n".join(parts) + "\n"


def _row(kind: str, outcomes: Sequence[Outcome]) -> list[object]:
    if not outcomes:
        return [kind, 0, *[""] * 9]
    statuses = Counter(outcome.status // 100 * 100 if outcome.status else None for outcome in outcomes)
    busy = sum(outcome.status in (503, 507) for outcome in outcomes)
    seconds = sorted(outcome.seconds for outcome in outcomes)
    percentiles = [f"{seconds[min(len(seconds) - 1, int(len(seconds) * share))]:.2f}" for share in (0.5, 0.99, 1)]
    slow = sum("slow" in outcome.faults for outcome in outcomes)
    answered: list[object] = [statuses[200] + statuses[300], statuses[400], busy, statuses[500] - busy, statuses[None]]
    if kind == "archive":
        answered = [""] * 5
    return [kind, len(outcomes), *answered, slow, *percentiles]


def memory(done: Run) -> list[str]:
    """Return the sections on memory over time and on what was left behind."""
    lines = ["## Memory and leftovers", ""]
    if done.timeline:
        step = max(1, len(done.timeline) // ROWS)
        pieces = [done.timeline[start : start + step] for start in range(0, len(done.timeline), step)]
        rows = [
            (f"{piece[0][0] / 60:.1f}", *(f"{pick([size for _, size in piece]) / MEGABYTE:.0f}" for pick in (min, max)))
            for piece in pieces
        ]
        lines += [
            "Resident memory of the worker, sampled each second:",
            "",
            table(["minute", "lowest MB", "highest MB"], "r", rows),
            "",
        ]
    lines += [f"- peak: {done.peak_bytes / MEGABYTE:.0f} MB (bar {MAX_RESIDENT_BYTES // MEGABYTE})"]
    lines += [f"- killed for memory: {done.oom_kills}; workers that ended: {done.restarts}"]
    if done.before and done.after:
        for name, state in (("before", done.before), ("after", done.after)):
            tmp = ", ".join(state.tmp) or "empty"
            lines.append(
                f"- {name}: {state.resident_bytes / MEGABYTE:.0f} MB resident, {state.descriptors} file descriptors, "
                f"{state.threads} threads, /tmp {tmp}"
            )
    return [*lines, *(f"- {second:.0f} s: {text}" for second, text in done.events[:30])]


def _failed(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the table of failed inputs by fault and family, with one number of each."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        for fault in outcome.faults:
            groups.setdefault((fault, outcome.family), []).append(outcome)
    rows = []
    for (fault, family), members in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        alone = sum(bool(one.alone) for one in members)
        known = sum(one.alone is not None for one in members)
        numbers = ", ".join(str(one.number) for one in members[:3])
        detail = " ".join(members[0].detail.split())[:90].replace("|", "/").replace("`", "'")
        rows.append((fault, family, len(members), f"{alone} of {known}" if known else "", numbers, detail))
    columns = ["fault", "family", "inputs", "again, alone", "numbers", "first answer"]
    return [table(columns, "llrrll", rows)]
