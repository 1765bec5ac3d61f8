"""Models fetched from a bucket: from a real storage server, and from one that fails in every way that was thought of."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emotions import ModelFileError, ModelRegistry
from emotions.runtime import gcs
from emotions.runtime.gcs import download_models, files_of, split_address
from emotions.runtime.manifest import BUNDLED
from scripts.deploy.gcs_emulator import BUCKET, storage_server
from tests.storage import Relay, Storage, make_set, put_set, same_files

ADDRESS = f"gs://{BUCKET}/emotions/set-1.0.0"
SIZES = {"base-1.0.0.tflite": 600_000, "head-1.0.0.tflite": 40_000}
BASE = "emotions/set-1.0.0/base-1.0.0.tflite"
MANIFEST = "emotions/set-1.0.0/manifest.json"


@pytest.fixture
def models(tmp_path) -> Path:
    return make_set(tmp_path / "models", SIZES)


@pytest.fixture
def into(tmp_path) -> Path:
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


@pytest.fixture
def storage(models, monkeypatch):
    """The small server, holding the set at ADDRESS."""
    monkeypatch.setattr(gcs, "PAUSE", 0.01)
    with Storage() as server:
        put_set(server, models, "emotions/set-1.0.0")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        yield server


def left(into: Path) -> list[Path]:
    """Files and folders that a fetch left, but for the folder that holds the sets."""
    return [path for path in into.rglob("*") if path.parent != into]


def test_a_set_is_fetched_and_then_never_again(storage, models, into):
    folder = download_models(ADDRESS, into)
    assert same_files(folder, models) and (folder.stat().st_mode & 0o077) == 0
    assert storage.downloads() == [MANIFEST, BASE, "emotions/set-1.0.0/head-1.0.0.tflite"], "the manifest first, each once"
    assert download_models(ADDRESS + "/", into) == folder and len(storage.asked) == 3
    assert left(into) == [folder, *folder.iterdir()]


def test_threads_and_processes_share_one_fetch(storage, models, into):
    storage.faults[BASE] = ["slow"]
    script = f"from emotions.runtime.gcs import download_models, Path; print(download_models('{ADDRESS}', Path('{into}')))"
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: download_models(ADDRESS, into), range(8)))
    assert {other.communicate(timeout=60)[0].strip()} == {str(folder) for folder in folders}
    assert other.returncode == 0 and len(storage.downloads()) == 3


@pytest.mark.parametrize(
    ("name", "fault", "message", "asked"),
    [
        (BASE, 404, "base-1.0.0.tflite: not there", 1),
        (MANIFEST, 404, "manifest.json: not there", 1),
        (BASE, 403, "may not be read with these credentials: roles/storage.objectViewer", 1),
        (MANIFEST, 401, "manifest.json: the credentials are not accepted", 1),
        (BASE, 503, "the storage answered 503", 3),
        (MANIFEST, 429, "the storage answered 429", 3),
        (BASE, "wrong", "damaged: 600000 bytes came, 600000 were expected; sha256 differs", 3),
        (BASE, "short", "damaged: 599999 bytes came, 600000 were expected", 3),
        (BASE, "long", "more than the 600000 bytes", 3),
        (BASE, "cut", "the connection failed or broke off", 3),
        (MANIFEST, "cut", "the connection failed or broke off", 3),
        (BASE, "stall", "the connection failed or broke off", 3),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_nothing(storage, into, monkeypatch, name, fault, message, asked):
    monkeypatch.setattr(gcs, "READ", 0.3)
    storage.faults[name] = [fault] * 9
    with pytest.raises(ModelFileError) as caught:
        download_models(ADDRESS, into)
    told = str(caught.value)
    assert told.startswith(f"{ADDRESS}/{Path(name).name}: ") and message in told and str(into) not in told
    assert storage.downloads().count(name) == asked and left(into) == []
    storage.faults.clear()
    assert download_models(ADDRESS, into), "and the next start begins anew"


@pytest.mark.parametrize("fault", [503, 429, "wrong", "cut", "short"])
def test_what_passes_is_tried_again(storage, models, into, fault):
    storage.faults[BASE] = [fault, fault]
    storage.faults[MANIFEST] = [fault, fault] if fault in (503, 429, "cut") else []
    assert same_files(download_models(ADDRESS, into), models)


def test_a_server_that_is_too_slow(storage, into, monkeypatch):
    monkeypatch.setattr(gcs, "SECONDS", 0.5)
    storage.faults[BASE] = ["slow"] * 3
    with pytest.raises(ModelFileError, match="too slow"):
        download_models(ADDRESS, into)
    assert storage.downloads().count(BASE) == 1 and left(into) == []


def test_no_server_and_no_bucket(storage, into, monkeypatch):
    with pytest.raises(ModelFileError, match="gs://elsewhere/x/manifest.json: not there"):
        download_models("gs://elsewhere/x", into)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(ModelFileError, match="the connection failed.*ConnectionError"):
        download_models(ADDRESS, into)
    assert left(into) == []


def test_without_credentials(into, monkeypatch):
    """Not on Google Cloud and not logged in: the real client, with nothing to find."""
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(into))
    with pytest.raises(ModelFileError, match=f"{ADDRESS}: there are no credentials of Google Cloud"):
        download_models(ADDRESS, into)
    assert left(into) == []


def test_a_full_disk(storage, into, monkeypatch):
    """/dev/full takes the place of the file."""
    monkeypatch.setattr(gcs.tempfile, "mkdtemp", lambda dir, suffix: linked(Path(dir) / f"x{suffix}"))

    def linked(part: Path) -> str:
        part.mkdir()
        (part / "base-1.0.0.tflite").symlink_to("/dev/full")
        return str(part)

    with pytest.raises(ModelFileError, match="base-1.0.0.tflite: cannot be kept.*No space left on device"):
        download_models(ADDRESS, into)
    assert left(into) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes wherever it likes")
def test_a_folder_that_cannot_be_written(storage, into):
    into.chmod(0o500)
    with pytest.raises(ModelFileError, match="cannot be kept in the folder for temporary files .Permission denied"):
        download_models(ADDRESS, into)


def test_no_folder_for_temporary_files(storage, into):
    with pytest.raises(ModelFileError, match="cannot be kept in the folder for temporary files .No such file"):
        download_models(ADDRESS, into / "nowhere")


def entry(**changes) -> dict:
    return {"file": "a-1.tflite", "bytes": 5, "sha256": "0" * 64} | changes


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "is not one"),
        ("[" * 100_000, "is not one"),
        ("[]", "is not one"),
        ({"schema": 1}, "is not one"),
        ({"schema": 1, "models": [3]}, "is not one"),
        ({"schema": 1, "models": [{"file": "a"}]}, "is not one"),
        ({"schema": 2, "models": []}, "has schema 2; this version reads schema 1"),
        ({"schema": 1, "models": []}, "asks for 0 bytes"),
        *(({"schema": 1, "models": [entry(file=name)]}, "names a file") for name in
          ("../a", "/etc/passwd", "a/b", "", ".hidden", "manifest.json", "a\n", 7, None, "x" * 200)),
        *(({"schema": 1, "models": [entry(bytes=size)]}, "no size") for size in (0, -1, "5", 1.5, True, None)),
        *(({"schema": 1, "models": [entry(sha256=digest)]}, "no sha256") for digest in ("", "0" * 63, "Z" * 64, None)),
        ({"schema": 1, "models": [entry(bytes=201 * 2**20)]}, "asks for 210,763,776 bytes"),
        ({"schema": 1, "models": [entry(), entry(bytes=6)]}, "twice"),
    ],
)  # fmt: skip
def test_no_file_is_asked_for_by_a_bad_manifest(storage, into, manifest, message):
    storage.objects[MANIFEST] = (manifest if isinstance(manifest, str) else json.dumps(manifest)).encode()
    with pytest.raises(ModelFileError, match=message):
        download_models(ADDRESS, into)
    assert storage.downloads() == [MANIFEST] and left(into) == []


def test_a_manifest_that_is_too_long(storage, into):
    storage.objects[MANIFEST] = b" " * (gcs.MANIFEST_BYTES + 1)
    with pytest.raises(ModelFileError, match="more than the 2097152 bytes"):
        download_models(ADDRESS, into)


def test_the_shipped_manifest_may_be_fetched():
    assert set(files_of((BUNDLED / "manifest.json").read_bytes())) == {entry.file for entry in ModelRegistry().entries()}


@pytest.mark.parametrize(
    "text",
    [
        "gs://",
        "gs:/bucket/x",
        "gs://Bucket/x",
        "gs://b/x",
        "gs://bucket/../x",
        "gs://bucket//x",
        "gs://bucket/x?y",
        "s3://bucket",
    ],
)
def test_other_addresses(text):
    with pytest.raises(ValueError, match="gs://bucket/prefix"):
        split_address(text)


def test_a_damaged_copy_is_fetched_anew(storage, models, into):
    folder = download_models(ADDRESS, into)
    (folder / "base-1.0.0.tflite").write_bytes(b"x" * 600_000)
    (folder / "head-1.0.0.tflite").unlink()
    assert download_models(ADDRESS, into) == folder and same_files(folder, models)
    assert download_models(ADDRESS, into) == folder and len(storage.downloads()) == 6


def test_sets_that_nobody_uses_are_removed(storage, models, into):
    put_set(storage, models, "emotions/set-1.1.0")
    (store,) = (download_models(ADDRESS, into).parent,)
    for name in ("abandoned.part", "0123456789abcdef", "fedcba9876543210"):
        (store / name).mkdir()
        (store / name / "file").touch()
    user = os.open(store / "fedcba9876543210", os.O_RDONLY)  # as another process would hold it
    try:
        fcntl.flock(user, fcntl.LOCK_SH)
        new = download_models(ADDRESS.replace("1.0.0", "1.1.0"), into)
        assert {path.name for path in store.iterdir()} == {new.name, download_models(ADDRESS, into).name, "fedcba9876543210"}
    finally:
        os.close(user)
    download_models(ADDRESS, into)
    assert not (store / "fedcba9876543210").exists()


def test_a_folder_that_others_can_write_is_not_trusted(storage, into):
    store = into / f"emotion-models-{os.getuid()}"
    store.mkdir()
    store.chmod(0o777)
    with pytest.raises(ModelFileError, match="can be written by others"):
        download_models(ADDRESS, into)
    store.rmdir()
    (into / "theirs").mkdir()
    store.symlink_to(into / "theirs")
    with pytest.raises(ModelFileError, match="cannot be kept in the folder for temporary files .Not a directory"):
        download_models(ADDRESS, into)
    assert storage.asked == []


def test_a_real_storage_server(models, into, monkeypatch):
    from google.cloud import storage

    with storage_server() as (address, process):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        with storage.Client() as client:
            there = client.bucket(BUCKET)
            for path in models.iterdir():
                there.blob(f"emotions/set-1.0.0/{path.name}").upload_from_filename(path)
        folder = download_models(ADDRESS, into)
        assert same_files(folder, models)
        with pytest.raises(ModelFileError, match="manifest.json: not there"):
            download_models(ADDRESS + "1", into)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert download_models(ADDRESS, into) == folder, "a warm instance needs no storage"


def test_a_real_storage_server_killed_in_the_middle_of_a_file(models, into, monkeypatch):
    from google.cloud import storage

    monkeypatch.setattr(gcs, "PAUSE", 0.01)
    with storage_server() as (address, process):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        with storage.Client() as client:
            there = client.bucket(BUCKET)
            for path in models.iterdir():
                there.blob(f"emotions/set-1.0.0/{path.name}").upload_from_filename(path)
        relay = Relay(int(address.rpartition(":")[2]), 300_000, process.kill)
        relay.start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", relay.address)
        with pytest.raises(ModelFileError, match=f"{ADDRESS}/base-1.0.0.tflite: the connection failed or broke off"):
            download_models(ADDRESS, into)
        relay.close()
        assert process.wait(10) == -signal.SIGKILL and relay.passed >= 300_000
        assert left(into) == []


def test_nothing_of_google_is_loaded_without_a_bucket():
    script = "import main, sys; print([name for name in sys.modules if name.startswith(('google.', 'grpc', 'requests'))])"
    done = subprocess.run([sys.executable, "-c", script], cwd=BUNDLED.parent, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
