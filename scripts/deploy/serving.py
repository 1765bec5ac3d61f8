"""Start of a server as app.yaml and `make run` start it, on a free port of this machine; without limits or sandbox."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import sandbox
from .appengine import ROOT, free_port, read_config

CONFIG = read_config(ROOT)
APP = CONFIG["entrypoint"].split()[-1]  # gunicorn --bind :$PORT main:app
"""Application of app.yaml, as gunicorn names it; gunicorn.conf.py, which gunicorn reads by itself, has the other options."""
ENVIRONMENT = {name: str(value) for name, value in CONFIG.get("env_variables", {}).items()}
"""Environment variables of app.yaml."""


@contextmanager
def run_gunicorn(
    python: Path, app: str, environment: Mapping[str, str], log: Path, prefix: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen, int]]:
    """Serve `app` with the options of gunicorn.conf.py on a free port; yield the process and its port, maybe too early to
    connect.

    Args:
        python: interpreter of the environment in which gunicorn is installed.
        app: application as gunicorn names it, such as APP.
        environment: environment variables; PATH is added, nothing else is inherited.
        log: file for the server's output; its folder becomes the server's HOME.
        prefix: words before the command, such as those of taskset.
    """
    port = free_port()
    # Other applications are served by gunicorn's own threads: this project's worker reads its settings.
    worker = [] if app == APP else ["--worker-class", "gthread"]
    command = [*prefix, str(python), "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *worker, app]
    variables = {"PATH": os.environ["PATH"], "HOME": str(log.parent), **environment}
    process = sandbox.start_unsandboxed(command, group=None, log=log, folder=ROOT, environment=variables)
    try:
        yield process, port
    finally:
        sandbox.stop(process)
