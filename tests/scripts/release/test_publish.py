"""Sets of models go up whole, and nothing that is there is overwritten: on a real storage server and on one that counts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from emotions.runtime.gcs import download_models
from emotions.runtime.manifest import BUNDLED
from scripts.deploy.gcs_emulator import BUCKET, gcs_emulator
from scripts.release.publish import PublishError, files_to_publish, main, publish
from tests.storage import Storage, make_set

SIZES = {"base-1.0.0.tflite": 50_000, "head-1.0.0.tflite": 4_000}
ADDRESS = f"gs://{BUCKET}/emotions"
SET = "emotions/base-1.0.0"


@pytest.fixture
def models(tmp_path):
    folder = make_set(tmp_path / "models", SIZES)
    for name in ("base-1.0.0.md", "NOTICE.md", "LICENSE-APACHE-2.0"):
        (folder / name).write_text("a paper")
    for name in ("old-0.9.0.tflite", ".manifest.json.x", "notes.txt"):
        (folder / name).write_text("stays here")
    return folder


@pytest.fixture
def storage(monkeypatch):
    with Storage() as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        yield server


def uploads(storage: Storage) -> list[tuple[str, str | None]]:
    return [(name.rpartition("/")[2], match) for method, name, match in storage.requests if method == "PUT"]


def test_models_are_uploaded_first_and_the_manifest_last(storage, models, capsys, tmp_path):
    assert main(["--bucket", ADDRESS + "/", "--models", str(models)]) == 0
    names = [*SIZES, "LICENSE-APACHE-2.0", "NOTICE.md", "base-1.0.0.md", "manifest.json"]
    assert uploads(storage) == [(name, "0") for name in names]
    out = capsys.readouterr().out
    assert "6 files uploaded" in out and out.endswith(f"MODELS={ADDRESS}/base-1.0.0\n")
    fetched = download_models(f"{ADDRESS}/base-1.0.0", tmp_path)
    assert all((fetched / name).read_bytes() == (models / name).read_bytes() for name in SIZES)


def test_publishing_again_uploads_nothing(storage, models, capsys):
    publish(models, ADDRESS)
    assert main(["--bucket", ADDRESS, "--models", str(models)]) == 0
    assert "already there" in capsys.readouterr().out and len(uploads(storage)) == 6


def test_other_bytes_under_a_published_name_are_rejected_before_the_upload(storage, models, tmp_path, capsys):
    publish(models, ADDRESS)
    before = dict(storage.objects)
    other = make_set(tmp_path / "other", {**SIZES, "third-1.0.0.tflite": 10}, note="trained again")
    assert main(["--bucket", ADDRESS, "--models", str(other)]) == 1
    assert "exists with other bytes and is not overwritten" in capsys.readouterr().err
    assert storage.objects == before and len(uploads(storage)) == 6
    assert main(["--bucket", ADDRESS, "--models", str(other), "--name", "base-1.0.0-b"]) == 0


@pytest.mark.parametrize("theirs", [b"other bytes", None])
def test_concurrent_publishing(storage, models, theirs):
    """The object appears after the look: the condition holds the line."""
    name = f"{SET}/head-1.0.0.tflite"
    content = theirs or (models / "head-1.0.0.tflite").read_bytes()
    storage.before_upload = lambda uploaded: storage.objects.setdefault(name, content) if uploaded == name else None
    if theirs:
        with pytest.raises(PublishError, match="head-1.0.0.tflite exists with other bytes"):
            publish(models, ADDRESS)
        assert f"{SET}/manifest.json" not in storage.objects
    else:
        publish(models, ADDRESS)
        assert f"{SET}/manifest.json" in storage.objects
    assert storage.objects[name] == content


def test_large_files_are_uploaded_with_the_condition(storage, tmp_path):
    """Above 8 MB the client uploads in a session: the condition is that of its first request."""
    large = make_set(tmp_path / "large", {"base-1.0.0.tflite": 9 * 2**20})
    publish(large, ADDRESS)
    assert uploads(storage)[0] == ("base-1.0.0.tflite", "0")
    storage.before_upload = lambda name: storage.objects.setdefault(name, b"theirs")
    with pytest.raises(PublishError, match="other bytes"):
        publish(large, ADDRESS, "again")
    assert storage.objects["emotions/again/base-1.0.0.tflite"] == b"theirs"


def test_an_interrupted_upload_continues(storage, models):
    storage.faults[f"{SET}/NOTICE.md"] = [403]
    with pytest.raises(PublishError, match="403"):
        publish(models, ADDRESS)
    assert f"{SET}/manifest.json" not in storage.objects, "a set without a manifest is none"
    _, new = publish(models, ADDRESS)
    assert new == ["NOTICE.md", "base-1.0.0.md", "manifest.json"]


def test_a_damaged_set_is_not_published(storage, models, capsys):
    (models / "head-1.0.0.tflite").write_bytes(b"x")
    assert main(["--bucket", ADDRESS, "--models", str(models)]) == 1
    assert "head-1.0.0.tflite is damaged" in capsys.readouterr().err and not storage.objects


@pytest.mark.parametrize("arguments", [["s3://x/y"], [ADDRESS, "--name", "../x"], [ADDRESS, "--models", "/nowhere"]])
def test_errors_are_one_sentence(storage, arguments, capsys):
    assert main(["--bucket", *arguments]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_shipped_set_includes_cards_and_licences():
    names = {path.name for path in files_to_publish(BUNDLED)}
    assert {path.name for path in BUNDLED.iterdir()} == names


def test_a_real_storage_server(models, tmp_path, monkeypatch):
    """fake-gcs-server returns 412 for existing objects, for uploads up to 8 MB; the command as documented."""
    from google.api_core.exceptions import PreconditionFailed
    from google.cloud import storage

    with gcs_emulator() as (address, _):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        with storage.Client() as client:
            bucket = client.bucket(BUCKET)
            command = [sys.executable, "-m", "scripts.release.publish", "--bucket", ADDRESS, "--models", str(models)]
            first, second = (subprocess.run(command, cwd=BUNDLED.parent, capture_output=True, text=True) for _ in range(2))
            assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
            assert "6 files uploaded" in first.stdout and "already there" in second.stdout
            with pytest.raises(PreconditionFailed):
                bucket.blob(f"{SET}/manifest.json").upload_from_string(b"mine", if_generation_match=0)
            folder = download_models(f"{ADDRESS}/base-1.0.0", tmp_path)
            assert (folder / "manifest.json").read_bytes() == (models / "manifest.json").read_bytes()
            other = make_set(tmp_path / "other", SIZES, note="trained again")
            assert main(["--bucket", ADDRESS, "--models", str(other)]) == 1
            assert bucket.blob(f"{SET}/manifest.json").download_as_bytes() == (models / "manifest.json").read_bytes()
