from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from emotions.runtime.manifest import BUNDLED
from web.settings import SETTINGS, SettingError, markdown_table, read_settings

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


def test_defaults():
    settings = read_settings({})
    assert list(settings) == [setting.name for setting in SETTINGS]
    assert settings["DECODE_MB"] == 120 and settings["FEEDBACK"] is True and settings["LOG_LEVEL"] == logging.INFO
    assert settings["CORS_ORIGINS"] == frozenset()
    assert settings["API_KEYS"] == () and settings["RATE_LIMIT"] == 0 and settings["METRICS"] is False
    assert settings["CLIENT_ADDRESS"] == "peer"


def test_an_empty_variable_counts_as_unset():
    assert read_settings({"DECODE_MB": " ", "LOG_LEVEL": ""}) == read_settings({})


def test_values_are_parsed():
    origins = "https://a.example, http://127.0.0.1:3000"
    settings = read_settings({"FEEDBACK": "0", "CORS_ORIGINS": origins, "LOG_LEVEL": "error"})
    assert settings["FEEDBACK"] is False and settings["LOG_LEVEL"] == logging.ERROR
    assert settings["CORS_ORIGINS"] == {"https://a.example", "http://127.0.0.1:3000"}


@pytest.mark.parametrize("text", ["{0},{1}", "{0} {1}", " {0},\n {1}, ", "{0},{1},{0}", "{2},{1}"])
def test_keys_are_listed_with_commas_or_spaces(text):
    first, second = "0a" * 32, "1b" * 32
    keys = read_settings({"API_KEYS": text.format(first, second, first.upper())})["API_KEYS"]
    assert keys == (first, second)


def test_a_key_in_place_of_its_digest_is_not_printed():
    with pytest.raises(SettingError) as caught:
        read_settings({"API_KEYS": "my-secret-key"})
    assert "API_KEYS=...: " in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["peer", "appengine", "1", "9"])
def test_places_of_the_address(text):
    assert read_settings({"CLIENT_ADDRESS": text})["CLIENT_ADDRESS"] == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEYS", "0a" * 31),
        ("API_KEYS", " , "),
        ("API_KEYS", "0a" * 32 + "," + "zz" * 32),
        ("API_KEYS", ",".join(f"{number:064x}" for number in range(1001))),
        ("RATE_LIMIT", "-1"),
        ("RATE_LIMIT", "1.5"),
        ("RATE_LIMIT", "60/minute"),
        ("CLIENT_ADDRESS", "0"),
        ("CLIENT_ADDRESS", "X-Real-IP"),
        ("METRICS", "on"),
        ("IMAGES_SECONDS", "0"),
        ("DECODE_MB", "lots"),
        ("DECODE_MB", "-120"),
        ("DECODE_MB", "1"),
        ("DECODE_MB", "1²"),
        ("FEEDBACK", "no"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://a.example/"),
        ("CORS_ORIGINS", "a.example"),
        ("LOG_LEVEL", "chatty"),
    ],
)
def test_invalid_value_is_named(name, value):
    with pytest.raises(SettingError, match=f"{name}="):
        read_settings({name: value})


def test_invalid_value_prevents_the_start():
    run = [sys.executable, "-c", "import main"]
    done = subprocess.run(run, cwd=ROOT, env={"DECODE_MB": "lots"}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert done.stderr == "emotions: not starting: DECODE_MB=lots: a whole number from 16 to 99999 is needed\n"


@pytest.mark.parametrize(
    "damage",
    [
        lambda manifest: manifest.clear(),
        lambda manifest: manifest["models"].clear(),
        lambda manifest: [one.pop("role") for one in manifest["models"]],
        lambda manifest: manifest["models"].pop(0),
        lambda manifest: [one.pop("thresholds", None) for one in manifest["models"]],
        lambda manifest: manifest["models"].append(None),
        lambda manifest: manifest["models"].append(manifest["models"][0]),
        lambda manifest: manifest["models"][0].update(sha256="0" * 64),
        lambda manifest: manifest["models"][0].update(file="new\nline"),
        None,
    ],
)
def test_models_that_are_missing_or_damaged_prevent_the_start(tmp_path, damage):
    for path in BUNDLED.glob("*.tflite"):
        (tmp_path / path.name).symlink_to(path)
    if damage:
        manifest = json.loads((BUNDLED / "manifest.json").read_text(encoding="utf-8"))
        damage(manifest)
        (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    run = [sys.executable, "-c", "import main"]
    done = subprocess.run(run, cwd=ROOT, env={"MODELS": str(tmp_path)}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("emotions: not starting: ") and done.stderr.count("\n") == 1


def test_the_documented_table_is_current():
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1, f"docs/deploy.md must hold the table between {BEGIN} and {END}"
    table = page.partition(BEGIN)[2].partition(END)[0].strip()
    assert table == markdown_table(), "run `make readme`"
