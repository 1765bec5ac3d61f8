"""Procfile's web command, started as on Heroku, and the files of the slug."""

from __future__ import annotations

import os
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
from scripts.deploy.appengine import MEGABYTE, upload_files
from scripts.deploy.load_testing import LoadTest, RequestPlan
from scripts.deploy.sandbox import ControlGroup

ROOT = Path(__file__).resolve().parents[3]
MISSING_CAPS = sandbox.missing_features().get("caps")


@pytest.fixture(scope="module")
def slug(tmp_path_factory) -> Path:
    """Folder with the files of the slug."""
    folder = tmp_path_factory.mktemp("slug")
    for file in heroku.slug_files(ROOT):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, folder / file)
    return folder


def test_web_command_is_the_entrypoint_of_app_yaml():
    config = yaml.safe_load((ROOT / "app.yaml").read_text(encoding="utf-8"))
    variables = config["env_variables"].items()
    allocator = " ".join(f"{name}={value}" for name, value in variables if name.startswith("MALLOC_"))
    assert heroku.web_command(ROOT) == f"env {allocator} {config['entrypoint']}"
    assert "python" + heroku.python_version(ROOT).replace(".", "") == config["runtime"]


def test_slug_holds_only_the_files_of_the_server():
    files = {file for file in heroku.slug_files(ROOT) if file.name not in (".gitignore", ".slugignore")}
    needed = set(upload_files(ROOT)) & set(heroku.tracked_files(ROOT))
    assert files == needed, "list unneeded files in both .slugignore and .gcloudignore"
    assert not re.search(r"^\s*!", (ROOT / ".slugignore").read_text(encoding="utf-8"), re.MULTILINE), (
        ".slugignore does not support negated patterns"
    )


def limit_memory() -> None:
    """Limit the data segment: the limit closest to a dyno's memory that needs no root."""
    resource.setrlimit(resource.RLIMIT_DATA, (heroku.LIMITS[0], heroku.LIMITS[0]))


@pytest.mark.slow
def test_web_command_within_the_memory_of_a_dyno(slug, tmp_path):
    """Photos, pages and invalid files are answered correctly within Heroku's timeout."""
    port, log = heroku.free_port(), tmp_path / "log"
    command = heroku.web_command(ROOT).replace(" :$PORT", " 127.0.0.1:$PORT")
    assert command != heroku.web_command(ROOT), "the test must listen on the loopback interface only"
    variables = heroku.environment(port) | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    with nullcontext() if MISSING_CAPS else ControlGroup(*heroku.LIMITS) as group, log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=slug, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            preexec_fn=group.enter if group else limit_memory,
        )  # fmt: skip
        try:
            load_test = LoadTest(process, port, log, group)
            report = heroku.exercise(load_test, RequestPlan.build(ROOT / "static" / "samples" / "obama.jpg", 30))
        finally:
            sandbox.stop(process)
    assert load_test.failures == [], log.read_text(encoding="utf-8")
    assert report["workers"] == 1, "WEB_CONCURRENCY, which Heroku sets, must not start a second copy of the models"
    assert 50 * MEGABYTE < report["peak_resident_bytes"] < heroku.LIMITS[0]
    if MISSING_CAPS:
        pytest.skip(f"passed with a limit of the data segment instead of memory: {MISSING_CAPS}")
    assert report["group"]["oom_kills"] == 0 and report["group"]["peak_bytes"] <= heroku.LIMITS[0]


def test_compressed_size(tmp_path):
    """Names with characters that a shell would interpret are passed on unchanged."""
    folder = tmp_path / "a folder; with $(odd) 'characters'"
    folder.mkdir()
    (folder / "random").write_bytes(os.urandom(100_000))
    assert 100_000 < heroku.compressed_size(folder) < 110_000
    with pytest.raises(subprocess.CalledProcessError):
        heroku.compressed_size(tmp_path / "missing")


def test_exceeded_limits():
    good = {"first_answer_s": 2.0, "slowest_s": 3.0, "workers": 1, "group": {"oom_kills": 0},
            "peak_resident_bytes": 200 * MEGABYTE, "slug_bytes": 200 * MEGABYTE}  # fmt: skip
    assert heroku.exceeded_limits(good) == heroku.exceeded_limits(good | {"group": None}) == []
    for changed, words in (
        ({"first_answer_s": 31.0}, "31.0 s, more than 30"),
        ({"slowest_s": 32.0}, "32.0 s, more than 30"),
        ({"group": {"oom_kills": 1}}, "killed for memory"),
        ({"peak_resident_bytes": 513 * MEGABYTE}, "the worker held 513 MB"),
        ({"workers": 2}, "2 workers"),
        ({"slug_bytes": 501 * MEGABYTE}, "the slug weighs 501 MB"),
    ):
        (sentence,) = heroku.exceeded_limits(good | changed)
        assert words in sentence
