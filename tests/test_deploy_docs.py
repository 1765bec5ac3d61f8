"""Commands of docs/deploy.md that need no account: files of the canary version, models from a bucket."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from google.appengine.api import appinfo

from emotions.runtime.manifest import BUNDLED
from scripts.deploy import heroku
from scripts.deploy.appengine import free_port
from scripts.deploy.gcs_emulator import BUCKET
from scripts.release.publish import name_of

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
LINES = [line for block in BLOCKS for line in block.splitlines()]
KNOWN = {
    "make publish": "test_models_in_a_bucket_without_an_account, tests/scripts/release/test_publish.py",
    "make run MODELS=gs://": "test_models_in_a_bucket_without_an_account, tests/web/test_inference.py",
    "make smoke-heroku": "tests/scripts/deploy/test_heroku.py",
    ".venv-test/bin/python -m scripts.deploy.gcs_emulator": "test_models_in_a_bucket_without_an_account",
    "export STORAGE_EMULATOR_HOST=": "test_models_in_a_bucket_without_an_account",
    "awk ": "test_files_of_the_canary_version",
    "make smoke-appengine": "tests/scripts/deploy/test_load_testing.py",
    "docker ": "needs a Docker daemon: tests/test_dockerfile.py runs the steps",
    "gcloud ": "needs an account; tests/scripts/deploy/test_appengine.py reads app.yaml with Google's parser",
    "heroku ": "needs an account",
    "git push heroku ": "needs an account",
}
"""Prefixes of commands -> test that runs them, or reason why none does."""


@pytest.mark.parametrize("line", LINES)
def test_every_command_is_listed(line):
    assert any(line.startswith(known) for known in KNOWN), f"nothing runs the command: {line}"
    if line.startswith("make "):
        subprocess.run(["make", "--dry-run", *line.split()[1:]], cwd=ROOT, check=True, capture_output=True, timeout=60)


def test_files_of_the_canary_version(tmp_path):
    """Google's parser accepts the written files, which differ from app.yaml only in MODELS."""
    (tmp_path / "app.yaml").write_text((ROOT / "app.yaml").read_text(encoding="utf-8"))
    read = {"app.yaml": None}
    for line in LINES:
        if line.startswith("awk "):
            subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True, timeout=60)
            read[line.rpartition("> ")[2]] = re.search(r"gs://[\w./-]+", line)[0]
    assert len(read) == 3 and all(f"gcloud app deploy {name} " in TEXT for name in list(read)[1:])
    configs = {name: appinfo.LoadSingleAppInfo((tmp_path / name).read_text(encoding="utf-8")) for name in read}
    for name, models in read.items():
        variables = dict(configs[name].env_variables)
        assert variables.pop("MODELS", None) == models and variables == dict(configs["app.yaml"].env_variables)


def last_line(target: str, *variables: str) -> str:
    """Return the last command of a make target, with this interpreter instead of the environments."""
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", target, *variables], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return re.sub(r"\.venv(-test)?/bin/python", sys.executable, done.stdout.splitlines()[-1])


def test_models_in_a_bucket_without_an_account(tmp_path):
    """The section "Try it without an account", on free ports."""
    (block,) = [block for block in BLOCKS if "export STORAGE_EMULATOR_HOST" in block]
    export, publish, run = block.splitlines()
    storage_port, port = free_port(), free_port()
    address = export.partition("=")[2].replace("9199", str(storage_port))
    models = f"{run.partition('MODELS=')[2].rpartition('/')[0]}/{name_of(BUNDLED)}"  # the document's version may be an older one
    environment = os.environ | {"STORAGE_EMULATOR_HOST": address, "TMPDIR": str(tmp_path), "MODELS": models}
    serve = [sys.executable, "-m", "scripts.deploy.gcs_emulator", "--port", str(storage_port)]
    storage = subprocess.Popen(serve, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert f"STORAGE_EMULATOR_HOST={address} " in storage.stdout.readline() and f"gs://{BUCKET}/" in publish
        command = last_line("publish", *publish.split()[2:])
        done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and done.stdout.endswith(f"MODELS={models}\n"), done.stdout + done.stderr
        command = ["bash", "-c", last_line("run", f"PORT={port}")]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert served_models(port, server)["source"] == "bucket"
        finally:
            server.terminate()
            server.wait(30)
    finally:
        storage.send_signal(signal.SIGINT)
        storage.communicate(timeout=30)
    assert storage.returncode == 0


def served_models(port: int, server: subprocess.Popen) -> dict:
    for _ in range(300):
        assert server.poll() is None, "the server stopped while starting"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/models", timeout=60) as answer:
                return json.load(answer)
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


def test_limits_are_those_of_the_smoke_tests():
    assert f"| [Heroku](#heroku) | `git push heroku HEAD:main` | {heroku.LIMITS[0] // 2**20} MB |" in TEXT
    assert f"the {heroku.ROUTER_TIMEOUT:.0f} seconds that Heroku waits" in " ".join(TEXT.split())
