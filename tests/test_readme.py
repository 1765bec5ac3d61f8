"""README and docs/: code blocks are run, generated tables are current, links are valid."""

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
from PIL import Image

from emotions.runtime.manifest import ModelRegistry
from scripts.docs.readme import PAGES, designs, rendered
from tests import clips, sounds
from web import create_app

ROOT = Path(__file__).resolve().parent.parent
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md")))
}
"""Page -> its text."""
BLOCKS = [
    (page, *block)
    for page, text in TEXTS.items()
    for block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
]
"""(page, language, code) triples."""
OTHER_TESTS = {"docs/deploy.md": "tests/test_deploy_docs.py", "docs/batch.md": "tests/integrations/test_batch_runners.py"}
"""Pages whose commands have a test of their own."""
LINES = [
    (page, line)
    for page, language, code in BLOCKS
    if language == "bash" and page not in OTHER_TESTS
    for line in code.splitlines()
]
ELSEWHERE = {
    "make test": "it runs this test",
    "make docs": "tests/test_docs_site.py",
    'python -c "import hashlib, secrets;': "tests/web/http/test_keys.py",
    ".venv-test/bin/python -m pytest": "it runs this test",
    "python -m scripts.deploy.autoscaling.service_times": "tests/scripts/deploy/autoscaling/test_service_times.py",
    "pip install .": "tests/test_install.py",
    "make gradio": "tests/integrations/test_gradio.py",
    "make bench": "tests/scripts/bench/test_bench.py",
    "make robustness": "tests/scripts/evaluate/robustness/test_robustness.py",
    "make hostile": "tests/scripts/hostile/test_runs.py",
    "make soak": "tests/scripts/hostile/test_runs.py",
    "make overload": "tests/scripts/hostile/test_runs.py",
    ".venv-test/bin/python -m scripts.hostile": "tests/scripts/hostile/test_runs.py",
    "make verify-model": "tests/scripts/test_commands.py",
    "make train": "tests/scripts/test_commands.py",
    "make heads": "tests/scripts/synthetic/heads/dataset/test_generate.py",
    ".venv-train/bin/python -m scripts.synthetic.heads": "tests/scripts/synthetic/heads/dataset/",
    ".venv-test/bin/python -m scripts.bench.commits": "tests/scripts/bench/test_commits.py",
    ".venv-test/bin/python -m scripts.evaluate.heads": "tests/scripts/evaluate/test_heads.py, test_heads_training.py",
    "make rebuild": "test_backbones_are_trained_as_in_the_model_card, and tests/scripts/train/gpu/ each of its steps",
    "make refine": "the same tests",
    "make export": "tests/scripts/test_commands.py",
    "make thresholds": "tests/scripts/test_commands.py",
    "make run MODELS=": "tests/scripts/test_commands.py",
    "make notebooks": "tests/scripts/docs/test_notebooks.py",
    "make lab": "it opens an editor and stays",
    ".venv-test/bin/python -m scripts.data.prepare": "tests/scripts/test_commands.py",
    ".venv-train/bin/python -m scripts.text": "tests/scripts/text/test_text.py",
    ".venv-test/bin/python -m scripts.text": "tests/scripts/text/test_text.py",
    ".venv-test/bin/python -m scripts.speech": "tests/scripts/speech/test_speech.py",
    ".venv-train/bin/python -m scripts.speech": "tests/scripts/speech/test_speech.py",
}
"""Commands run by other tests -> that test; here only their make target is checked."""


@pytest.fixture(scope="module")
def server():
    """Server started by the documented command on a free port; yields port and process."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    process = subprocess.Popen(
        ["make", "run", f"PORT={port}", f"SERVE={sys.executable}", "-o", ".venv/.installed"], cwd=ROOT, env=environment,
        text=True, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
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
    """Working folder of commands that read or write user files."""
    place = tmp_path_factory.mktemp("reader")
    (place / "clip.mp4").write_bytes(clips.clip(clips.still_frames(20)))
    (place / "holiday").mkdir()
    (place / "holiday" / "beach.jpg").write_bytes((ROOT / "static" / "samples" / "collins.jpg").read_bytes())
    (place / "voice.wav").write_bytes(sounds.encoded(sounds.voice_like()))
    (place / "comments.txt").write_text("I love it, thank you so much!\nso sad\n", encoding="utf-8")
    (place / "static").symlink_to(ROOT / "static")
    return place


def run(command: list[str], folder: Path = ROOT) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


EMOTION = re.compile(r"\b(anger|disgust|fear|happy|neutral|sad|surprise)\b")


@pytest.mark.parametrize(("page", "code"), [(page, code) for page, language, code in BLOCKS if language == "python"])
def test_python_blocks(page, code, server, folder):
    out = run([sys.executable, "-c", code.replace("8080", str(server[0]))], folder)
    expected = (
        "not_an_image " if "Error as error" in code else "not_speech" if "voice.wav" in code else EMOTION
    )  # a buzz for a voice
    assert re.search(expected, out)


@pytest.mark.parametrize("line", list(dict.fromkeys(line for _, line in LINES)))
def test_commands(line, server, folder):
    if line == "make run":
        return  # the fixture is that command
    if line.startswith("curl "):
        out = run(["bash", "-c", line.replace("8080", str(server[0])).replace("curl ", "curl -sS ")], folder)
        if "annotated=mp4" in line:
            assert (folder / "annotated.mp4").read_bytes()[4:8] == b"ftyp"
        elif "/speech" in line:
            assert len(json.loads(out)["probabilities"]) == 7
        elif "/images" in line:
            rows = [json.loads(row) for row in out.splitlines()]
            assert len(rows) == 2 and all(len(row["result"]["faces"]) == 1 for row in rows)
        else:
            assert len(json.loads(out.splitlines()[0])["faces"]) == 1
        return
    if line.startswith("python -m emotions "):
        assert EMOTION.search(run([sys.executable, *shlex.split(line)[1:]], folder))
        if "--annotate" in line or "--chart" in line:
            assert list((folder / "annotated").iterdir())
        return
    if line == "make help":
        assert "serve on http" in run(["make", "help"])
        return
    assert any(line.startswith(known) for known in ELSEWHERE), f"nothing runs the command: {line}"
    if line.startswith("make "):
        run(["make", "--dry-run", *line.split()[1:]])


@pytest.mark.parametrize(("target", "step", "folder"), [("rebuild", "train", "rebuilt"), ("refine", "finetune", "refined")])
def test_backbones_are_trained_as_in_the_model_card(target, step, folder):
    printed = run(["make", "--no-print-directory", "--dry-run", target])
    steps = re.findall(r"scripts\.train\.gpu\.(\w+) ", printed)
    assert steps == ["pack", step, "import_run"] and f"scripts.train.heads --run runs/{folder}" in printed
    registry = ModelRegistry(ROOT / "models")
    learned = {row["source"] for row in registry.entry("expression-base", "vgg16").metadata["data"]} - {"ferplus"}
    tables = re.search(r"gpu\.pack (.*?) --", printed)[1].split()
    sources = {"data/drawn.npz": "dicebear"} | {f"data/{name}.npz": name for name in ("fer2013", "facial_expressions", "heads")}
    assert {sources[table] for table in tables} == learned
    imported = re.search(r"gpu\.import_run (.*)", printed)[1]
    assert imported.endswith(" ".join(tables)), "the tables in the order in which they were packed"


@pytest.mark.parametrize("block", [code for _, language, code in BLOCKS if language == "json"])
def test_shown_response_has_the_fields_of_a_real_one(block, server):
    shown = json.loads(block)
    photo = (ROOT / "static" / "samples" / "obama.jpg").read_bytes()
    request = urllib.request.Request(
        f"http://127.0.0.1:{server[0]}/api/v1/image?annotate=true", photo, {"Content-Type": "image/jpeg"}
    )
    with urllib.request.urlopen(request, timeout=30) as stream:
        real = json.load(stream)
    assert set(shown) == set(real) and set(shown["faces"][0]) == set(real["faces"][0])
    assert set(shown["timing_ms"]) == set(real["timing_ms"]) and set(shown["model"]) == set(real["model"])


def test_log_query_finds_feedback(capsys):
    (query,) = [code for page, language, code in BLOCKS if language == "text" and "feedback.shown" in code]
    body = {"shown": "happy", "said": "neutral", "confidence": 0.7, "model": "vgg16/mixed 1.0.0"}
    assert create_app().test_client().post("/api/v1/feedback", json=body).status_code == 204
    lines = [{"jsonPayload": json.loads(line)} for line in capsys.readouterr().out.splitlines()]
    wanted = re.findall(r'(NOT )?([\w.]+)="(\w+)"', query)
    assert len(wanted) == query.count("AND") + 1
    found = [line for line in lines if all((at(line, path) == value) != bool(negated) for negated, path, value in wanted)]
    assert len(found) == 1


def at(line: dict, path: str) -> object:
    """Return the value at a dotted path of a log entry, or None."""
    for name in path.split("."):
        line = line.get(name) if isinstance(line, dict) else None
    return line


@pytest.mark.parametrize("page", PAGES)
def test_generated_tables_are_current(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert rendered(text, page) == text, "run `make readme`"


def test_generated_designs_are_current():
    assert json.loads((ROOT / "models" / "designs.json").read_text(encoding="utf-8")) == designs(), "run `make readme`"


def headings(text: str) -> set[str]:
    """Return the anchors of a page as generated by GitHub and MkDocs."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", TEXTS)
def test_links_are_valid(page):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", TEXTS[page]):
        path, _, anchor = target.partition("#")
        file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert file.exists(), target
        if anchor:
            assert anchor in headings(file.read_text(encoding="utf-8")), target


def test_all_code_blocks_are_tested():
    assert {language for _, language, _ in BLOCKS} <= {"bash", "python", "json", "text", "yaml"}


def test_readme_is_short():
    assert len(TEXTS["README.md"].split()) <= 1200


def test_animation():
    path = ROOT / "docs" / "demo.gif"
    assert path.stat().st_size <= 2_000_000
    with Image.open(path) as image:
        assert image.is_animated and image.n_frames > 20 and image.info["loop"] == 0
