"""README is run, not believed: every code block of it, and its generated tables against what generates them."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from scripts.docs.readme import designs, rendered
from tests import clips
from web import create_app

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
LINES = [line for language, block in BLOCKS if language == "bash" for line in block.splitlines()]
ELSEWHERE = {
    "make test-integrations": "it is what runs these doors' tests, in .ci/run",
    "make test": "it runs this test",
    "pip install .": "tests/test_install.py",
    "make gradio": "tests/doors/test_gradio.py",
    "make batch": "tests/doors/test_batch.py",
    "make smoke-appengine": "tests/test_rehearsal.py",
    "make bench": "tests/test_bench.py",
    "make verify-model": "tests/scripts/test_commands.py",
    "make train": "tests/scripts/test_commands.py",
    "make rebuild": "test_the_rebuilt_base_learns_as_the_card_says, and tests/scripts/test_training.py each of its goes",
    "make export": "tests/scripts/test_commands.py",
    "make thresholds": "tests/scripts/test_commands.py",
    "make run MODELS=": "tests/scripts/test_commands.py",
    "make notebooks": "tests/scripts/test_notebooks.py",
    "make lab": "it opens an editor and stays",
    ".venv-test/bin/python -m scripts.data.prepare": "tests/scripts/test_commands.py",
    ".venv-train/bin/python -m scripts.text": "tests/scripts/test_text_model.py",
    ".venv-test/bin/python -m scripts.speech": "tests/scripts/test_speech_scripts.py",
    ".venv-train/bin/python -m scripts.speech": "tests/scripts/test_speech_scripts.py",
    "gcloud app deploy": "needs a project of Google's; tests/test_appengine.py reads app.yaml with Google's parser",
}
"""Commands that are run by another test, and which: here it is only checked that make knows them."""


@pytest.fixture(scope="module")
def server():
    """`make run`, as README says, on a free port; gives the port and what it printed once the test is over."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    process = subprocess.Popen(
        ["make", "run", f"PORT={port}"], cwd=ROOT, env=environment, text=True, start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        for _ in range(600):
            assert process.poll() is None, process.stdout.read()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield port, process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where README's commands that write or want files of the reader's are run."""
    place = tmp_path_factory.mktemp("reader")
    (place / "clip.mp4").write_bytes(clips.clip(clips.steady(20)))
    (place / "holiday").mkdir()
    (place / "holiday" / "beach.jpg").write_bytes((ROOT / "static" / "samples" / "collins.jpg").read_bytes())
    (place / "comments.txt").write_text("I love it, thank you so much!\nso sad\n")
    (place / "static").symlink_to(ROOT / "static")
    return place


def run(command: list[str], folder: Path = ROOT) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("block", [block for language, block in BLOCKS if language == "python"])
def test_python_blocks(block, server, folder):
    out = run([sys.executable, "-c", block.replace("8080", str(server[0]))], folder)
    assert re.search(r"\b(anger|disgust|fear|happy|neutral|sad|surprise)\b", out)


@pytest.mark.parametrize("line", LINES)
def test_commands(line, server, folder):
    if line == "make run":
        return  # the fixture is that command
    if line.startswith("curl "):
        out = run(["bash", "-c", line.replace("8080", str(server[0])).replace("curl ", "curl -sS ")], folder)
        if "annotated=mp4" in line:
            assert (folder / "annotated.mp4").read_bytes()[4:8] == b"ftyp"
        else:
            assert len(json.loads(out.splitlines()[0])["faces"]) == 1
        return
    if line.startswith("python "):
        out = run([sys.executable, *shlex.split(line)[1:]], folder)
        assert "happy" in out and list((folder / "annotated").iterdir())
        return
    assert any(line.startswith(known) for known in ELSEWHERE), f"nothing runs README's command: {line}"
    if line.startswith("make "):
        run(["make", "--dry-run", *line.split()[1:]])


def test_the_rebuilt_base_learns_as_the_card_says():
    told = run(["make", "--no-print-directory", "--dry-run", "rebuild"])
    goes = [dict(re.findall(r"--(run|start|epochs|drawn) (\S+)", line)) for line in told.splitlines() if "train base" in line]
    goes = [go for go in goes if "mixup" not in go["run"]]  # a teacher only
    assert [go.get("start") for go in goes] == [None, *(f"{go['run']}/base.keras" for go in goes[:-1])]
    assert ["drawn" in go for go in goes] == [False, False, True, True, True] and f"train heads --run {goes[-1]['run']}" in told
    shipped = next(row for row in json.loads((ROOT / "models" / "designs.json").read_text()) if row["served"])
    assert sum(int(number) for go in goes for number in go["epochs"].split("+")) == shipped["epochs"]


@pytest.mark.parametrize("block", [block for language, block in BLOCKS if language == "json"])
def test_the_answer_shown_has_the_real_one_s_fields(block, server):
    shown = json.loads(block)
    photo = (ROOT / "static" / "samples" / "obama.jpg").read_bytes()
    request = urllib.request.Request(
        f"http://127.0.0.1:{server[0]}/api/v1/image?annotate=true", photo, {"Content-Type": "image/jpeg"}
    )
    with urllib.request.urlopen(request, timeout=30) as stream:
        real = json.load(stream)
    assert set(shown) == set(real) and set(shown["faces"][0]) == set(real["faces"][0])
    assert set(shown["timing_ms"]) == set(real["timing_ms"]) and set(shown["model"]) == set(real["model"])


def test_the_log_query_finds_feedback(capsys):
    (query,) = [block for language, block in BLOCKS if language == "text"]
    body = {"shown": "happy", "said": "neutral", "confidence": 0.7, "model": "vgg16/mixed 1.0.0"}
    assert create_app().test_client().post("/api/v1/feedback", json=body).status_code == 204
    lines = [{"jsonPayload": json.loads(line)} for line in capsys.readouterr().out.splitlines()]
    wanted = re.findall(r'(NOT )?([\w.]+)="(\w+)"', query)
    assert len(wanted) == query.count("AND") + 1
    found = [line for line in lines if all((at(line, path) == value) != bool(negated) for negated, path, value in wanted)]
    assert len(found) == 1


def at(line: dict, path: str) -> object:
    """The value at a dotted path of a log entry, None where there is none."""
    for name in path.split("."):
        line = line.get(name) if isinstance(line, dict) else None
    return line


def test_generated_tables_are_current():
    assert rendered(README) == README, "run `make readme`"
    assert json.loads((ROOT / "models" / "designs.json").read_text()) == designs(), "run `make readme`"


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_other_blocks_are_none():
    assert {language for language, _ in BLOCKS} <= {"bash", "python", "json", "text"}
