"""Audit of the dependencies: known vulnerabilities of the pinned packages, and signatures of the vendored npm packages.

    python -m scripts.release.audit

It needs the vulnerability service of the Python package index and npm's registry with its signing keys. A check whose service is
not reached is skipped with the reason, and the exit code is that of the others: 0 if nothing was found, 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .vendor import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 600


@dataclass(frozen=True)
class Outcome:
    """Outcome of a check: what it found, and why it was skipped if it was."""

    title: str
    found: tuple[str, ...] = ()
    skipped: str | None = None
    checked: int = 0

    def __str__(self) -> str:
        if self.skipped:
            return f"{self.title}: skipped: {self.skipped}"
        return "\n".join([f"{self.title}: {self.checked} checked, {len(self.found)} found", *(f"  {one}" for one in self.found)])


def run(command: Sequence[str], folder: Path = ROOT) -> tuple[str, str]:
    """Run a program; return what it writes on standard output and the last line on standard error."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return done.stdout, lines[-1].strip() if lines else f"exit code {done.returncode}"


def audit_packages(requirements: Path) -> Outcome:
    """Look up the known vulnerabilities of a requirements file with hashes."""
    title = requirements.name
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--require-hashes", "--disable-pip"]
    try:
        out, reason = run([*command, "--format", "json", "--progress-spinner", "off"])
        return read_packages(title, out, reason)
    except subprocess.TimeoutExpired:
        return Outcome(title, skipped="the service does not answer")


def read_packages(title: str, out: str, reason: str) -> Outcome:
    """Read pip-audit's JSON. A package that the service does not know was not audited: pip-audit itself counts it as sound."""
    try:
        dependencies = json.loads(out)["dependencies"]
    except (ValueError, LookupError):
        return Outcome(title, skipped=reason)
    audited = [one for one in dependencies if "skip_reason" not in one]
    if not audited:
        return Outcome(title, skipped="the service knows none of the packages; it may be a mirror without vulnerabilities")
    unknown = [f"{one['name']} was not audited: {one['skip_reason']}" for one in dependencies if "skip_reason" in one]
    found = [f"{one['name']} {one['version']}: {fault['id']}" for one in audited for fault in one["vulns"]]
    return Outcome(title, (*found, *unknown), checked=len(audited))


def audit_npm() -> Outcome:
    """Verify the registry's signatures of the vendored npm packages."""
    title = "npm packages"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wanted = {package.name: package.version for package in PACKAGES}
        (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}), encoding="utf-8")
        try:
            run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
            out, reason = run(["npm", "audit", "signatures", "--json"], folder)
        except FileNotFoundError:
            return Outcome(title, skipped="npm was not found; install Node.js")
        except subprocess.TimeoutExpired:
            return Outcome(title, skipped="the registry does not answer")
    return read_npm(title, out, reason, len(PACKAGES))


def read_npm(title: str, out: str, reason: str, count: int) -> Outcome:
    """Read the JSON of `npm audit signatures`: lists of packages whose signature is missing or invalid, or an error."""
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        return Outcome(title, skipped=reason)
    if "error" in answer:
        return Outcome(title, skipped=str(answer["error"].get("summary") or answer["error"].get("code")))
    found = [
        f"{one['name']} {one['version']}: signature {kind}" for kind in ("invalid", "missing") for one in answer.get(kind, ())
    ]
    return Outcome(title, tuple(found), checked=count)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    outcomes = [audit_packages(ROOT / "requirements.txt"), audit_npm()]
    print(*outcomes, sep="\n")
    sys.exit(1 if any(outcome.found for outcome in outcomes) else 0)


if __name__ == "__main__":
    main()
