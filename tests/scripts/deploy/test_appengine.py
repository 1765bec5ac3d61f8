"""app.yaml, checked with Google's own parser and beyond it; `.gcloudignore` against App Engine's limits and this project's."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from google.appengine.api import appinfo

from scripts.deploy import appengine
from web.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
RUNTIMES = {"python311", "python312", "python313"}  # the parser accepts any number
AUTOMATIC = {"F1", "F2", "F4", "F4_1G"}  # the parser accepts F99; B classes are for other scaling types
TYPES = {".css", ".jpg", ".js", ".png", ".svg", ".txt", ".ico"}  # suffixes whose MIME types App Engine knows
UNSERVED = {"LICENSE", "NOTICE", "README.md"}  # not requested by any page
REMOVED_KEYS = {
    "api_version",
    "application_readable",
    "builtins",
    "libraries",
    "login",
    "skip_files",
    "threadsafe",
}  # of the Python 2 runtime


@pytest.fixture(scope="module")
def config() -> appinfo.AppInfoExternal:
    with (ROOT / "app.yaml").open() as file:
        return appinfo.LoadSingleAppInfo(file)


@pytest.fixture(scope="module")
def upload() -> list[Path]:
    return appengine.upload_files(ROOT)


def flags(command: str) -> dict[str, str]:
    """Options of gunicorn: name -> value, empty for flags."""
    found, name = {}, None
    for word in shlex.split(command):
        if word.startswith("--"):
            found[name := word[2:]] = ""
        elif name and not found[name]:
            found[name] = word
            name = None
    return found


def test_smallest_class_and_at_most_one_instance(config):
    assert config.runtime in RUNTIMES and config.instance_class in AUTOMATIC
    assert config.instance_class == "F1"
    assert int(config.automatic_scaling.max_instances) == 1
    assert not config.automatic_scaling.min_instances and not config.automatic_scaling.min_idle_instances
    assert config.manual_scaling is None and config.basic_scaling is None
    assert appengine.python_version(appengine.read_config(ROOT)) == "3.13"


@pytest.fixture(scope="module")
def gunicorn() -> dict[str, object]:
    """Settings of gunicorn.conf.py."""
    return runpy.run_path(str(ROOT / "gunicorn.conf.py"))


def test_one_thread_per_concurrent_request(config, gunicorn, upload):
    assert shlex.split(config.entrypoint.removeprefix("exec ")) == ["gunicorn", "--bind", ":$PORT", "main:app"]
    assert Path("gunicorn.conf.py") in upload and gunicorn["workers"] == 1 and gunicorn["control_socket_disable"] is True
    assert gunicorn["threads"] == int(config.automatic_scaling.max_concurrent_requests)
    assert 1 < gunicorn["threads"] <= 10


def test_gunicorn_waits_longer_than_the_server(gunicorn):
    assert gunicorn["graceful_timeout"] > read_settings({})["GRACE_SECONDS"] + 2


def test_make_run_starts_the_same_command(config):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    ours, theirs = flags(re.search(r"-m (gunicorn .*)", makefile)[1]), flags(config.entrypoint)
    assert ours.pop("bind") == "$(HOST):$(PORT)" and theirs.pop("bind") == ":$PORT"
    assert ours == theirs
    allocator = {name: value for name, value in config.env_variables.items() if name.startswith("MALLOC_")}
    served = re.search(r"^MALLOC := (.*)$", makefile, re.MULTILINE)[1]  # the commands for training have settings of their own
    assert dict(re.findall(r"(MALLOC_\w+)=(\d+)", served)) == allocator


def test_only_warm_up_is_allowed_over_http(config):
    assert config.inbound_services == ["warmup"]
    handlers = {handler.url: handler for handler in config.handlers}
    assert {url for url, handler in handlers.items() if handler.secure != "always"} == {"/_ah/warmup"}
    assert list(handlers)[-1] == "/.*" and handlers["/.*"].script == "auto"


def test_static_files_expire_and_have_their_mime_type(config, upload):
    static = [handler for handler in config.handlers if handler.static_dir or handler.static_files]
    assert static and all(
        handler.expiration and handler.http_headers["X-Content-Type-Options"] == "nosniff" for handler in static
    )
    typed = [re.compile(handler.upload) for handler in static if handler.mime_type]
    scripted = [re.compile(handler.url) for handler in config.handlers if handler.script and handler.url != "/.*"]
    for file in upload:
        address = f"/static/@0/{'/'.join(file.parts[1:])}"
        if any(pattern.fullmatch(address) for pattern in scripted):
            continue  # the application knows its type
        if file.parts[0] == "static" and file.name not in UNSERVED and file.suffix not in TYPES:
            assert any(pattern.fullmatch(str(file)) for pattern in typed), f"{file}: no handler sets its MIME type"


def test_no_keys_of_the_python_2_runtime():
    def keys(node):
        if isinstance(node, dict):
            return set(node).union(*map(keys, node.values()))
        return set().union(*map(keys, node)) if isinstance(node, list) else set()

    assert not keys(yaml.safe_load((ROOT / "app.yaml").read_text(encoding="utf-8"))) & REMOVED_KEYS


def test_environment_is_valid_for_the_settings():
    from web.settings import read_settings

    variables = appengine.environment(appengine.read_config(ROOT), 8080)
    assert variables["GAE_MEMORY_MB"] == "384" and variables["PORT"] == "8080" and not Path(variables["HOME"]).exists()
    read_settings(variables)


def test_upload_is_small(upload):
    sizes = {file: (ROOT / file).stat().st_size for file in upload}
    assert len(sizes) < 500
    assert sum(sizes.values()) < 60 * 10**6
    assert max(sizes.values()) < 32 * 10**6


def test_upload_excludes_files_that_the_server_does_not_need(tmp_path):
    """A developer's working tree with files outside of git; only .gcloudignore applies."""
    (tmp_path / ".gcloudignore").write_text((ROOT / ".gcloudignore").read_text(encoding="utf-8"))
    kept = [".python-version", "Procfile",  # for Cloud Run, which has no app.yaml
            "main.py", "requirements.txt", "emotions/face/detector.py", "emotions/deeper/new.py", "web/api/image.py",
            "templates/home.html", "static/js/app.js", "static/vendor/data/x.css", "models/manifest.json",
            "models/base-1.tflite"]  # fmt: skip
    out = [".git/config", ".gitignore", ".ci/run", ".env", ".venv/bin/python", ".venv-test/x.py", ".venv-new/x.py", "app.yaml",
           "Makefile", "README.md", "key.json", "requirements-dev.txt", "tests/test_x.py", "tests/data/a.jpg", "data/fer2013.npz",
           "runs/vgg16/base.keras", "scripts/train/base.py", "scripts/notebooks/Emotion_Detection.ipynb", "benchmarks/2026.md",
           "shared/x", "emotions/__pycache__/faces.cpython-313.pyc", "web/api.pyc", "docs/x.svg", "build/x"]  # fmt: skip
    for name in kept + out:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(file) for file in appengine.upload_files(tmp_path)] == sorted(kept)


SERVE = """
import json, pathlib, sys
sys.path.insert(0, "")
import main
client = main.app.test_client()
statuses = {path: client.get(path).status_code for path in json.loads(sys.argv[1])}
place = pathlib.Path.cwd()
files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
ours = [str(pathlib.Path(file).relative_to(place)) for file in files if file and pathlib.Path(file).is_relative_to(place)]
print(json.dumps([statuses, ours, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def test_uploaded_files_are_sufficient_to_serve(tmp_path, upload):
    """The uploaded files alone answer every page; no module of training or tests is imported."""
    appengine.copy_upload(ROOT, tmp_path)
    paths = ["/", "/about", "/docs", "/openapi.json", "/health", "/_ah/warmup", "/api/v1/models", "/static/css/app.css"]
    command = [sys.executable, "-I", "-c", SERVE, json.dumps(paths)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    statuses, ours, modules = json.loads(done.stdout.splitlines()[-1])
    assert statuses == dict.fromkeys(paths, 200)
    assert {"main.py", "web/__init__.py", "emotions/__init__.py"} <= set(ours) <= set(map(str, upload))
    assert not {"scripts", "tests", "tensorflow", "keras", "torch", "matplotlib"} & set(modules)
