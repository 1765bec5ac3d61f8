"""Models in a bucket of Google Cloud Storage: a published set is fetched once, checked, and kept where temporary files are.

A set is what `scripts.release.publish` uploads: `manifest.json` and the files that it names, at an address that is never written
twice. So whoever holds the set of an address need not ask for it again: neither a restarted worker nor a second one.

    analyzer = emotions.FaceAnalyzer(emotions.ModelRegistry(download_models("gs://my-models/emotions/vgg16-1.4.0")))
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO

from ..errors import ModelFileError
from .manifest import SCHEMA, ModelRegistry

ADDRESS = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])((?:/[A-Za-z0-9][A-Za-z0-9._=-]*)*)/?")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
MANIFEST, PART = "manifest.json", ".part"
MANIFEST_BYTES, SET_BYTES = 2 * 2**20, 200 * 2**20
"""Most bytes of a manifest, and of the files of a set together: on App Engine the folder for temporary files is memory."""
SECONDS = 45.0
"""Most time that fetching a set may take; Heroku gives a start 60 seconds in all."""

_held: dict[Path, int] = {}


def split_address(address: str) -> tuple[str, str]:
    """Bucket and prefix of gs://bucket/prefix; ValueError for anything else."""
    found = ADDRESS.fullmatch(address)
    if not found:
        raise ValueError("an address such as gs://bucket/prefix is needed (letters, digits, '.', '_', '-' and '=')")
    return found[1], found[2].strip("/")


def download_models(address: str, into: Path | None = None) -> Path:
    """The folder with the set of models at `address` (gs://bucket/prefix): as it was left before, else fetched and checked.

    `into`: where the folder for sets is made, by default the system's folder for temporary files. Threads and processes that
    ask at once share one fetch. Sets of other addresses that no process uses any more are removed.
    Raises ValueError for another kind of address; ModelFileError if the set cannot be had, with what is wrong, leaving nothing.
    """
    bucket, prefix = split_address(address)
    key = hashlib.sha256(f"{bucket}/{prefix}".encode()).hexdigest()[:16]
    with _store(Path(into or tempfile.gettempdir())) as store:
        folder = store / key
        if not _complete(folder):
            _fetch(bucket, prefix, folder)
        _hold(folder)
        _sweep(store)
    return folder


@contextmanager
def _store(into: Path) -> Iterator[Path]:
    """The folder that holds the sets of this user, for one thread of one process at a time."""
    store = into / f"emotion-models-{os.getuid()}"
    try:
        store.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(store, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            status = os.fstat(handle)
            if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o022:
                raise ModelFileError(f"{store.name} in the folder for temporary files can be written by others: remove it")
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield store
        finally:
            os.close(handle)
    except OSError as error:
        raise ModelFileError(f"{store.name} cannot be kept in the folder for temporary files ({error.strerror})") from None


def _complete(folder: Path) -> bool:
    """Whether every file of the set is there with the size and sha256 of its manifest."""
    try:
        files_of((folder / MANIFEST).read_bytes())
        ModelRegistry(folder).verify()
    except (OSError, ModelFileError):
        return False
    return True


def _fetch(bucket: str, prefix: str, folder: Path) -> None:
    """Fetch a set under another name and give it its own when it is whole."""
    part = Path(tempfile.mkdtemp(dir=folder.parent, suffix=PART))
    try:
        with Objects(bucket, prefix, SECONDS) as objects:
            objects.take(MANIFEST, part / MANIFEST, MANIFEST_BYTES)
            for name, (size, sha256) in files_of((part / MANIFEST).read_bytes()).items():
                objects.take(name, part / name, size, sha256)
        if folder.exists():  # damaged
            shutil.rmtree(folder)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def files_of(manifest: bytes) -> dict[str, tuple[int, str]]:
    """Name -> size in bytes and sha256 of a manifest's files; ModelFileError for one that nothing should be fetched by."""

    def wrong(what: str) -> ModelFileError:
        return ModelFileError(f"the set's {MANIFEST} {what}")

    try:
        content = json.loads(manifest)
        schema, entries = content["schema"], [(one["file"], one["bytes"], one["sha256"]) for one in content["models"]]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise wrong("is not one: JSON with `schema` and `models`, each of them with `file`, `bytes` and `sha256`") from None
    if schema != SCHEMA:
        raise wrong(f"has schema {schema!r}; this version reads schema {SCHEMA}")
    files: dict[str, tuple[int, str]] = {}
    for name, size, sha256 in entries:
        if not (isinstance(name, str) and NAME.fullmatch(name)) or name == MANIFEST:
            raise wrong(f"names a file {name!r}: letters, digits, '.', '_' and '-' are taken, and no folder")
        if not (type(size) is int and size > 0) or not re.fullmatch("[0-9a-f]{64}", str(sha256)):
            raise wrong(f"gives {name} no size or no sha256")
        if files.setdefault(name, (size, sha256)) != (size, sha256):
            raise wrong(f"names {name} twice, with other bytes")
    total = sum(size for size, _ in files.values())
    if not 0 < total <= SET_BYTES:
        raise wrong(f"asks for {total:,} bytes; from 1 to {SET_BYTES:,} are fetched")
    return files


def _hold(folder: Path) -> None:
    """Keep other processes from removing a set for as long as this one lives: models are read from it on first use."""
    if folder not in _held or os.fstat(_held[folder]).st_ino != folder.stat().st_ino:
        if folder in _held:
            os.close(_held.pop(folder))  # the set was fetched anew
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_SH)
        _held[folder] = handle


def _sweep(store: Path) -> None:
    """Remove what was left half fetched, and the sets that no process holds."""
    for folder in store.iterdir():
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # in use, and sets only appear under the store's lock
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


# Objects of a bucket of Google Cloud Storage, taken to files: bounded in time and size, hashed on the way, errors in words.

ATTEMPTS, PAUSE = 3, 0.5
"""How often an object is asked for, and seconds before the second time; twice as many before the third."""
CONNECT, READ = 5.0, 10.0
"""Seconds that may pass until a connection stands, and between two pieces of an object."""


class Unmatched(Exception):
    """What came is not what the manifest names; another attempt may bring it whole."""


class Objects:
    """What lies under gs://`bucket`/`prefix`, read with the machine's credentials (a service account's on Google Cloud).

    STORAGE_EMULATOR_HOST leads the client to another server, without credentials. Raises ModelFileError where there are none.
    """

    def __init__(self, bucket: str, prefix: str, seconds: float) -> None:
        # Or the client asks for the bucket's own metadata, to name them in traces: a request, and a right, that nothing needs.
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        try:
            from google.cloud import storage
        except ImportError:
            raise ModelFileError("models in a bucket need the package google-cloud-storage: requirements.txt names it") from None
        self.address = "/".join(filter(None, (f"gs://{bucket}", prefix)))
        self._prefix, self._until = prefix, time.monotonic() + seconds
        self._failures = _failures()
        try:
            self._client = storage.Client()
        except self._failures as error:
            raise ModelFileError(f"{self.address}: there are no credentials of Google Cloud ({_first_line(error)})") from None
        self._bucket = self._client.bucket(bucket)

    def __enter__(self) -> Objects:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def take(self, name: str, path: Path, most: int, sha256: str | None = None) -> None:
        """Write the object called `name` to `path`: at most `most` bytes, or exactly so many where `sha256` (hex) is given.

        Tried ATTEMPTS times, unless the answer will not change. Raises ModelFileError, which names the object.
        """
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE * attempt)
            reason, final = self._attempt(name, path, most, sha256)
            if reason is None:
                return
            if final or time.monotonic() > self._until:
                break
        raise ModelFileError(f"{self.address}/{name}: {reason}")

    def _attempt(self, name: str, path: Path, most: int, sha256: str | None) -> tuple[str | None, bool]:
        """Try once; gives what went wrong, in words (None: nothing did), and whether that is final."""
        blob = self._bucket.blob("/".join(filter(None, (self._prefix, name))))
        with path.open("wb", buffering=0) as file:
            sink = _Sink(file, most, self._until)
            try:
                # The client's own retries know not all failures and last two minutes: `take` tries again instead.
                blob.download_to_file(sink, retry=None, timeout=(CONNECT, READ))
                if sha256 and (sink.bytes, sink.digest.hexdigest()) != (most, sha256):
                    raise Unmatched(f"damaged: {sink.bytes} bytes came, {most} were expected; sha256 differs")
            except ModelFileError as error:
                return str(error), True
            except self._failures as error:
                return _explained(error)
        return None, False


class _Sink:
    """Hashes and writes what comes; refuses more than `most` bytes, and what comes after `until` by the monotonic clock."""

    def __init__(self, file: IO[bytes], most: int, until: float) -> None:
        self.bytes, self.digest = 0, hashlib.sha256()
        self._file, self._most, self._until = file, most, until

    def write(self, data: bytes) -> int:
        self.bytes += len(data)
        if self.bytes > self._most:
            raise Unmatched(f"more than the {self._most} bytes that it may have")
        if time.monotonic() > self._until:
            raise ModelFileError("too slow: the time for all files of the set is over")
        self.digest.update(data)
        try:
            written = self._file.write(data)
        except OSError as error:  # told apart from the client's, some of which are OSErrors too
            raise ModelFileError(f"cannot be kept in the folder for temporary files ({error.strerror})") from None
        if written < len(data):
            raise ModelFileError("cannot be kept in the folder for temporary files, which is full")
        return written


def _failures() -> tuple[type[Exception], ...]:
    """What the storage client raises: its own errors, and those of the libraries below it that it lets through."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from urllib3.exceptions import HTTPError

    # requests' errors are OSErrors.
    return (Unmatched, GoogleAPIError, GoogleAuthError, DataCorruption, InvalidResponse, HTTPError, HTTPException, OSError)


def _explained(error: Exception) -> tuple[str, bool]:
    """An error of the client in words, and whether another attempt is in vain."""
    from google.api_core import exceptions as api
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, Unmatched):
        return str(error), False
    if isinstance(error, api.NotFound):
        return "not there (the bucket, or this object of it)", True
    if isinstance(error, (api.Forbidden, api.Unauthorized)):
        return "may not be read with these credentials: roles/storage.objectViewer on the bucket is needed", True
    if isinstance(error, GoogleAuthError):
        return f"the credentials are not accepted ({_first_line(error)})", not error.retryable
    if isinstance(error, api.GoogleAPICallError):
        return f"the storage answered {error.code}", False
    return f"the connection failed or broke off ({type(error).__name__}: {_first_line(error)})", False


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
