"""Dockerfile: files, start command and user, checked without Docker; `docker build` if Docker is available."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
STEPS = [tuple(line.split(None, 1)) for line in TEXT.splitlines() if line and not line.startswith("#")]
USER = 10001


def arguments(name: str) -> list[str]:
    return [rest for step, rest in STEPS if step == name]


def start_command() -> str:
    (command,) = arguments("CMD")
    return command.removeprefix("exec ")


def in_context(path: Path) -> bool:
    """True if a file is in the build context: the last matching pattern of .dockerignore decides."""
    kept, name = True, path.relative_to(ROOT).as_posix()
    parents = [name, *(parent.as_posix() for parent in Path(name).parents)]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if (
            line
            and not line.startswith("#")
            and any(fnmatch(part, pattern) or fnmatch(f"/{part}", pattern[2:]) for part in parents)
        ):
            kept = line.startswith("!")
    return kept


def test_start_command_is_that_of_the_procfile():
    (line,) = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    assert start_command() == line.removeprefix("web: ")


def test_python_version_is_that_of_the_other_platforms():
    (image,) = arguments("FROM")
    assert image == f"python:{(ROOT / '.python-version').read_text(encoding='utf-8').strip()}-slim"


def test_unprivileged_user_and_server_requirements_only():
    assert arguments("USER") == [f"{USER}:{USER}"] and [name for name, _ in STEPS].index("USER") > len(STEPS) - 5
    installs = [line for line in arguments("RUN") if "pip install" in line]
    assert len(installs) == 1 and installs[0].endswith("-r requirements.txt") and "--no-cache-dir" in installs[0]


def test_build_context_equals_the_upload_to_other_platforms():
    copied = {Path(line.split()[0]) for line in arguments("COPY")}
    wanted = {
        line[1:].strip("/") for line in (ROOT / ".gcloudignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
    }
    assert {path.as_posix() for path in copied} == wanted - {".python-version", "Procfile"}
    for path in copied:
        assert in_context(ROOT / path), f".dockerignore leaves out {path}"
    for name in (
        "tests/test_dockerfile.py",
        ".git/config",
        "data/fer2013.npz",
        ".venv/bin/python",
        "web/__pycache__/x.pyc",
        ".env",
    ):
        assert not in_context(ROOT / name), name


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """Folder after COPY and compileall: readable by all users, writable by root only."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for line in arguments("COPY"):
            source, target = line.split()
            for path in [ROOT / source] if (ROOT / source).is_file() else sorted((ROOT / source).rglob("*")):
                if path.is_file() and in_context(path):
                    place = folder / target / path.relative_to(ROOT / source) if (ROOT / source).is_dir() else folder / path.name
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, place)
        for line in arguments("RUN"):
            if line.startswith("python "):
                subprocess.run([sys.executable, *line.split()[1:]], cwd=folder, check=True, timeout=120)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield folder
        for path in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            path.chmod(0o755)


def test_container_without_docker(image):
    """Start command as under `docker run --read-only`; read-only and as the image's user if bubblewrap is available."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    (defaults,) = arguments("ENV")
    variables = dict(word.split("=") for word in defaults.split()) | {"PORT": str(port)}
    command = start_command().replace(" :$PORT", " 127.0.0.1:$PORT")
    assert command != start_command(), "a test must not listen to strangers"
    environment = variables | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": "/nowhere"}
    server = subprocess.Popen(
        [*sandbox(image), "/bin/sh", "-c", f"exec {command}"], cwd=image, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        for _ in range(150):
            assert server.poll() is None, server.stdout.read()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        healthy = json.loads(arguments("HEALTHCHECK")[0].partition("CMD ")[2])
        subprocess.run([sys.executable, *healthy[1:]], env=environment, check=True, timeout=30)
        photo = (ROOT / "static" / "samples" / "obama.jpg").read_bytes()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/image", photo, {"Content-Type": "image/jpeg"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["faces"][0]["emotion"] == "happy"
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()


def sandbox(folder: Path) -> list[str]:
    """Return the bubblewrap command for a read-only root, an empty /tmp and the image's user; empty if it is not available."""
    root = [
        "bwrap",
        "--unshare-user",
        "--uid",
        str(USER),
        "--gid",
        str(USER),
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
    ]
    environment = ["--ro-bind", sys.prefix, sys.prefix]  # it may lie below /tmp, which the tmpfs hides
    application = ["--ro-bind", str(folder), "/tmp/app", "--chdir", "/tmp/app"]
    command = [*root, "--tmpfs", "/tmp", *environment, *application, "--die-with-parent"]
    works = shutil.which("bwrap") and subprocess.run([*command, "true"], capture_output=True, timeout=30).returncode == 0
    return command if works else []


def docker_runs() -> bool:
    return bool(shutil.which("docker")) and subprocess.run(["docker", "info"], capture_output=True, timeout=60).returncode == 0


@pytest.mark.skipif(
    not docker_runs(), reason="no Docker daemon: docker build was not run; test_container_without_docker runs its steps instead"
)
def test_docker_build():
    subprocess.run(["docker", "build", "-t", "emotion-detector-test", "."], cwd=ROOT, check=True, timeout=1800)
