"""Models downloaded from a bucket: from a real storage server, and from one that fails on demand."""

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
from emotions.runtime.gcs import download_models, manifest_files, split_address
from emotions.runtime.manifest import BUNDLED
from scripts.deploy.gcs_emulator import BUCKET, gcs_emulator
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
    """The server that fails on demand, with the set at ADDRESS."""
    monkeypatch.setattr(gcs, "RETRY_DELAY", 0.01)
    with Storage() as server:
        put_set(server, models, "emotions/set-1.0.0")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        yield server


def remaining(into: Path) -> list[Path]:
    """Files and folders in the store."""
    return [path for path in into.rglob("*") if path.parent != into]


def test_a_set_is_downloaded_once(storage, models, into):
    folder = download_models(ADDRESS, into)
    assert same_files(folder, models) and (folder.stat().st_mode & 0o077) == 0
    assert storage.downloads() == [MANIFEST, BASE, "emotions/set-1.0.0/head-1.0.0.tflite"], "the manifest first, each once"
    assert download_models(ADDRESS + "/", into) == folder and len(storage.requests) == 3
    assert remaining(into) == [folder, *folder.iterdir()]


def test_threads_and_processes_share_one_download(storage, models, into):
    storage.faults[BASE] = ["slow"]
    script = f"from emotions.runtime.gcs import download_models, Path; print(download_models('{ADDRESS}', Path('{into}')))"
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: download_models(ADDRESS, into), range(8)))
    assert {other.communicate(timeout=60)[0].strip()} == {str(folder) for folder in folders}
    assert other.returncode == 0 and len(storage.downloads()) == 3


@pytest.mark.parametrize(
    ("name", "fault", "message", "retried"),
    [
        (BASE, 404, "base-1.0.0.tflite: not there", False),
        (MANIFEST, 404, "manifest.json: not there", False),
        (BASE, 403, "may not be read with these credentials: roles/storage.objectViewer", False),
        (MANIFEST, 401, "manifest.json: the credentials are not accepted", False),
        (BASE, 503, "base-1.0.0.tflite: the storage answered 503", True),
        (MANIFEST, 429, "manifest.json: the storage answered 429", True),
        (BASE, "wrong", "model file base-1.0.0.tflite is damaged (600000 bytes, 600000 expected", False),
        (BASE, "short", "model file base-1.0.0.tflite is damaged (599999 bytes, 600000 expected", False),
        (BASE, "long", "base-1.0.0.tflite: more than the 600000 bytes", False),
        (BASE, "cut", "base-1.0.0.tflite: the connection failed or broke off", True),
        (MANIFEST, "cut", "manifest.json: the connection failed or broke off", True),
        (BASE, "stall", "base-1.0.0.tflite: the connection failed or broke off", True),
    ],
)
def test_a_failed_download_names_the_cause_and_leaves_nothing(storage, into, monkeypatch, name, fault, message, retried):
    monkeypatch.setattr(gcs, "READ_SECONDS", 0.3)
    storage.faults[name] = [fault] * 99
    with pytest.raises(ModelFileError) as caught:
        download_models(ADDRESS, into)
    text = str(caught.value)
    assert text.startswith(ADDRESS) and message in text and str(into) not in text
    assert storage.downloads().count(name) == (3 if retried else 1) and remaining(into) == []
    storage.faults.clear()
    assert download_models(ADDRESS, into), "the next start downloads again"


@pytest.mark.parametrize("fault", [503, 429, "cut"])
def test_transient_failures_are_retried(storage, models, into, fault):
    storage.faults[BASE] = [fault, fault]
    storage.faults[MANIFEST] = [fault, fault]
    assert same_files(download_models(ADDRESS, into), models)


def test_the_time_for_a_set_is_limited(storage, into, monkeypatch):
    monkeypatch.setattr(gcs, "MAX_SECONDS", 0.5)
    storage.faults[BASE] = ["slow"] * 3
    with pytest.raises(ModelFileError, match="too slow"):
        download_models(ADDRESS, into)
    assert storage.downloads().count(BASE) == 1 and remaining(into) == []


def test_no_server_and_no_bucket(storage, into, monkeypatch):
    with pytest.raises(ModelFileError, match="gs://elsewhere/x/manifest.json: not there"):
        download_models("gs://elsewhere/x", into)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(ModelFileError, match="the connection failed.*ConnectionError"):
        download_models(ADDRESS, into)
    assert remaining(into) == []


def test_without_credentials(into, monkeypatch):
    """The real client, neither on Google Cloud nor logged in."""
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(into))
    with pytest.raises(ModelFileError, match=f"{ADDRESS}: there are no credentials of Google Cloud"):
        download_models(ADDRESS, into)
    assert remaining(into) == []


def test_a_full_disk(storage, into, monkeypatch):
    """/dev/full takes the place of the file."""
    monkeypatch.setattr(gcs.tempfile, "mkdtemp", lambda dir, suffix: linked(Path(dir) / f"x{suffix}"))

    def linked(part: Path) -> str:
        part.mkdir()
        (part / "base-1.0.0.tflite").symlink_to("/dev/full")
        return str(part)

    with pytest.raises(ModelFileError, match="base-1.0.0.tflite: cannot be kept.*No space left on device"):
        download_models(ADDRESS, into)
    assert remaining(into) == []


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
def test_no_file_is_requested_by_a_bad_manifest(storage, into, manifest, message):
    storage.objects[MANIFEST] = (manifest if isinstance(manifest, str) else json.dumps(manifest)).encode()
    with pytest.raises(ModelFileError, match=message):
        download_models(ADDRESS, into)
    assert storage.downloads() == [MANIFEST] and remaining(into) == []


def test_a_manifest_that_is_too_long(storage, into):
    storage.objects[MANIFEST] = b" " * (gcs.MAX_MANIFEST_BYTES + 1)
    with pytest.raises(ModelFileError, match="more than the 2097152 bytes"):
        download_models(ADDRESS, into)


def test_the_shipped_manifest_is_accepted():
    assert set(manifest_files((BUNDLED / "manifest.json").read_bytes())) == {
        "evaluation.json",
        *(entry.file for entry in ModelRegistry().entries()),
    }


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


def test_a_damaged_copy_is_downloaded_again(storage, models, into):
    folder = download_models(ADDRESS, into)
    (folder / "base-1.0.0.tflite").write_bytes(b"x" * 600_000)
    (folder / "head-1.0.0.tflite").unlink()
    assert download_models(ADDRESS, into) == folder and same_files(folder, models)
    assert download_models(ADDRESS, into) == folder and len(storage.downloads()) == 6


def test_unused_sets_are_evicted(storage, models, into):
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
    assert storage.requests == []


def test_a_real_storage_server(models, into, monkeypatch):
    from google.cloud import storage

    with gcs_emulator() as (address, process):
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

    monkeypatch.setattr(gcs, "RETRY_DELAY", 0.01)
    with gcs_emulator() as (address, process):
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
        assert remaining(into) == []


def test_nothing_of_google_is_loaded_without_a_bucket():
    script = "import main, sys; print([name for name in sys.modules if name.startswith(('google.', 'grpc', 'requests'))])"
    done = subprocess.run([sys.executable, "-c", script], cwd=BUNDLED.parent, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_local_models_need_no_file_locks():
    """Windows has no fcntl: everything but a bucket works without it."""
    script = """
import sys
sys.modules["fcntl"] = None  # import raises ImportError
import emotions, web
from emotions.runtime.gcs import download_models
print(emotions.analyze_photo("tests/data/astronaut.jpg").faces[0].emotion)
assert web.create_app().test_client().get("/health").status_code == 200
try:
    download_models("gs://bucket/set")
except emotions.ModelFileError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=BUNDLED.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("happy\n") and "POSIX file locks" in done.stdout
