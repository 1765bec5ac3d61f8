"""Procfile's web command, started as Heroku starts it; and what a push leaves there."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

from scripts.deploy import heroku, sandbox
from scripts.deploy.appengine import MEGABYTE, uploaded
from scripts.deploy.load_test import Rehearsal, Requests
from scripts.deploy.sandbox import ControlGroup

ROOT = Path(__file__).resolve().parents[3]
CAPS = sandbox.missing().get("caps")


@pytest.fixture(scope="module")
def slug(tmp_path_factory) -> Path:
    """The files that a push leaves, in a folder of their own."""
    folder = tmp_path_factory.mktemp("slug")
    for file in heroku.slug_files(ROOT):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, folder / file)
    return folder


def test_the_same_server_as_on_app_engine():
    config = yaml.safe_load((ROOT / "app.yaml").read_text())
    variables = config["env_variables"].items()
    allocator = " ".join(f"{name}={value}" for name, value in variables if name.startswith("MALLOC_"))
    assert heroku.web_command(ROOT) == f"env {allocator} {config['entrypoint']}"
    assert "python" + heroku.python_version(ROOT).replace(".", "") == config["runtime"]


def test_only_what_serving_needs_stays_in_the_slug():
    files = {file for file in heroku.slug_files(ROOT) if file.name not in (".gitignore", ".slugignore")}
    needed = set(uploaded(ROOT)) & set(heroku.pushed(ROOT))
    assert files == needed, "name what is not needed in .slugignore, and what is in .gcloudignore"
    assert not re.search(r"^\s*!", (ROOT / ".slugignore").read_text(), re.MULTILINE), "Heroku knows no exceptions"


def limit_memory() -> None:
    """The nearest to a dyno's memory that any user may set: of data, as the address space holds more than is used."""
    resource.setrlimit(resource.RLIMIT_DATA, (heroku.LIMITS[0], heroku.LIMITS[0]))


def test_the_web_command(slug, tmp_path):
    """PORT set and no more memory than a dyno has: photos, pages and what must be refused, each within Heroku's patience."""
    port, log = heroku.free_port(), tmp_path / "log"
    command = heroku.web_command(ROOT).replace(" :$PORT", " 127.0.0.1:$PORT")
    assert command != heroku.web_command(ROOT), "a test must not listen to strangers"
    variables = heroku.environment(port) | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    with nullcontext() if CAPS else ControlGroup(*heroku.LIMITS) as group, log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=slug, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            preexec_fn=group.enter if group else limit_memory,
        )  # fmt: skip
        try:
            rehearsal = Rehearsal(process, port, log, group)
            report = heroku.use(rehearsal, Requests.of(ROOT / "static" / "samples" / "obama.jpg", 30))
        finally:
            sandbox.stop(process)
    assert rehearsal.wrong == [], log.read_text()
    assert report["workers"] == 1, "WEB_CONCURRENCY, which Heroku sets, must not start a second copy of the models"
    assert 50 * MEGABYTE < report["most_resident_bytes"] < heroku.LIMITS[0]
    if CAPS:
        pytest.skip(f"passed, with a limit on data instead of a cap on memory: {CAPS}")
    assert report["group"]["kills"] == 0 and report["group"]["peak_bytes"] <= heroku.LIMITS[0]


def test_limits_are_judged():
    good = {"first_answer_s": 2.0, "slowest_s": 3.0, "workers": 1, "group": {"kills": 0}, "most_resident_bytes": 200 * MEGABYTE,
            "slug_bytes": 200 * MEGABYTE}  # fmt: skip
    assert heroku.broken_limits(good) == heroku.broken_limits(good | {"group": None}) == []
    for changed, words in (
        ({"first_answer_s": 31.0}, "31.0 s, more than 30"),
        ({"slowest_s": 32.0}, "32.0 s, more than 30"),
        ({"group": {"kills": 1}}, "killed for memory"),
        ({"most_resident_bytes": 513 * MEGABYTE}, "the worker held 513 MB"),
        ({"workers": 2}, "2 workers"),
        ({"slug_bytes": 501 * MEGABYTE}, "the slug weighs 501 MB"),
    ):
        (sentence,) = heroku.broken_limits(good | changed)
        assert words in sentence
