"""Models in Google Cloud Storage: a published set is downloaded once, verified, and kept in the folder for temporary files.

A set is what `scripts.release.publish` uploads: `manifest.json` and the files that it names, under an address that is never
written twice. A set that is complete is therefore not requested again, neither by a restarted worker nor by a second one.

    registry = ModelRegistry(download_models("gs://my-models/emotions/vgg16-2.2.0"))
    analyzer = FaceAnalyzer(registry)
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from ..errors import ModelFileError
from .manifest import ModelRegistry
from .manifest_schema import FILE_NAME, SCHEMA

ADDRESS = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])((?:/[A-Za-z0-9][A-Za-z0-9._=-]*)*)/?")
MANIFEST, PARTIAL = "manifest.json", ".part"
MAX_MANIFEST_BYTES, MAX_SET_BYTES = 2 * 2**20, 200 * 2**20
"""Limits for a manifest, and for the files of a set together: on App Engine the folder for temporary files is memory."""
MAX_SECONDS = 45.0
"""Limit for the download of a set; Heroku gives a start 60 seconds in all."""
ATTEMPTS, RETRY_DELAY = 3, 0.5
"""Attempts for a file, and seconds before the second one; twice as many before the third."""
CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
"""Limits for a connection, and for the wait between two parts of a file."""

_pinned: dict[Path, int] = {}


def split_address(address: str) -> tuple[str, str]:
    """Return bucket and prefix of `gs://bucket/prefix`. Raises ValueError for anything else."""
    found = ADDRESS.fullmatch(address)
    if not found:
        raise ValueError("an address such as gs://bucket/prefix is needed (letters, digits, '.', '_', '-' and '=')")
    return found[1], found[2].strip("/")


def download_models(address: str, into: Path | None = None) -> Path:
    """Download a published set of models, unless it is there already.

    Threads and processes that ask at the same time share one download. Sets of other addresses that no process uses are removed.
    Credentials are those of the environment (on Google Cloud the service account's); STORAGE_EMULATOR_HOST selects another
    server, without credentials.

    Args:
        address: `gs://bucket/prefix` of the set.
        into: Parent of the folder that holds all sets; by default the system's folder for temporary files.

    Returns:
        The folder of the set.

    Raises:
        ValueError: `address` is no such address.
        ModelFileError: The set is not available; nothing is left of it. Also on systems without POSIX file locks.
    """
    bucket, prefix = split_address(address)
    key = hashlib.sha256(f"{bucket}/{prefix}".encode()).hexdigest()[:16]
    with _locked_store(Path(into or tempfile.gettempdir())) as store:
        folder = store / key
        if not _is_complete(folder):
            _download_set(bucket, prefix, folder)
        _pin(folder)
        _evict(store)
    return folder


def manifest_files(manifest: bytes) -> dict[str, tuple[int, str]]:
    """Parse a manifest from outside: file name -> (bytes, SHA-256). Raises ModelFileError unless it is safe to download by."""

    def error(what: str) -> ModelFileError:
        return ModelFileError(f"the set's {MANIFEST} {what}")

    try:
        content = json.loads(manifest)
        schema, listed = content["schema"], [*content["models"], *filter(None, [content.get("evaluation")])]
        entries = [(one["file"], one["bytes"], one["sha256"]) for one in listed]
    except (AttributeError, ValueError, LookupError, TypeError, RecursionError):
        raise error("is not one: JSON with `schema` and `models`, each of them with `file`, `bytes` and `sha256`") from None
    if schema != SCHEMA:
        raise error(f"has schema {schema!r}; this version reads schema {SCHEMA}")
    files: dict[str, tuple[int, str]] = {}
    for name, size, sha256 in entries:
        if not (isinstance(name, str) and FILE_NAME.fullmatch(name)) or name == MANIFEST:
            raise error(f"names a file {name!r}: letters, digits, '.', '_' and '-' are taken, and no folder")
        if not (type(size) is int and size > 0) or not re.fullmatch("[0-9a-f]{64}", str(sha256)):
            raise error(f"gives {name} no size or no sha256")
        if files.setdefault(name, (size, sha256)) != (size, sha256):
            raise error(f"names {name} twice, with other bytes")
    total = sum(size for size, _ in files.values())
    if not 0 < total <= MAX_SET_BYTES:
        raise error(f"asks for {total:,} bytes; from 1 to {MAX_SET_BYTES:,} are fetched")
    return files


@contextmanager
def _locked_store(parent: Path) -> Iterator[Path]:
    """The folder that holds this user's sets, for one thread of one process at a time."""
    try:
        import fcntl
    except ImportError:
        raise ModelFileError("models in a bucket need POSIX file locks, which this system lacks: use a folder") from None
    store = parent / f"emotion-models-{os.getuid()}"
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


def _is_complete(folder: Path) -> bool:
    """True if every file of the set is there with the size and SHA-256 of its manifest."""
    try:
        manifest_files((folder / MANIFEST).read_bytes())
        ModelRegistry(folder).verify()
    except (OSError, ModelFileError):
        return False
    return True


def _pin(folder: Path) -> None:
    """Keep other processes from evicting a set while this process lives: models are read from it on first use."""
    import fcntl

    if folder not in _pinned or os.fstat(_pinned[folder]).st_ino != folder.stat().st_ino:
        if folder in _pinned:
            os.close(_pinned.pop(folder))  # the set was downloaded again
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_SH)
        _pinned[folder] = handle


def _evict(store: Path) -> None:
    """Remove partial downloads, and the sets that no process has pinned."""
    import fcntl

    for folder in store.iterdir():
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # in use; sets only appear under the store's lock
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def _download_set(bucket: str, prefix: str, folder: Path) -> None:
    """Download a set into a temporary folder, verify it, and rename the folder."""
    address = "/".join(filter(None, (f"gs://{bucket}", prefix)))
    deadline = time.monotonic() + MAX_SECONDS
    partial = Path(tempfile.mkdtemp(dir=folder.parent, suffix=PARTIAL))
    try:
        with closing(_client(address)) as client:
            objects = client.bucket(bucket)

            def download(name: str, max_bytes: int) -> None:
                blob = objects.blob("/".join(filter(None, (prefix, name))))
                if reason := _download_file(blob, partial / name, max_bytes, deadline):
                    raise ModelFileError(f"{address}/{name}: {reason}")

            download(MANIFEST, MAX_MANIFEST_BYTES)
            for name, (size, _) in manifest_files((partial / MANIFEST).read_bytes()).items():
                download(name, size)
        try:
            ModelRegistry(partial).verify()
        except ModelFileError as error:
            raise ModelFileError(f"{address}: {error}") from None
        if folder.exists():  # damaged
            shutil.rmtree(folder)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _client(address: str) -> Any:
    # Otherwise the client requests the metadata of the bucket, to name it in traces: a request, and a permission, without use.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    try:
        from google.cloud import storage
    except ImportError:
        raise ModelFileError("models in a bucket need the package google-cloud-storage: requirements.txt names it") from None
    try:
        return storage.Client()
    except _client_errors() as error:
        raise ModelFileError(f"{address}: there are no credentials of Google Cloud ({_first_line(error)})") from None


def _download_file(blob: Any, path: Path, max_bytes: int, deadline: float) -> str | None:
    """Download an object, with retries of transient failures; return the reason of a failure, None after success."""
    reason: str | None = None
    errors: tuple[type[Exception], ...] = (ModelFileError, *_client_errors())
    for attempt in range(ATTEMPTS):
        time.sleep(RETRY_DELAY * attempt)
        try:
            with path.open("wb", buffering=0) as file:
                writer = _BoundedWriter(file, max_bytes, deadline)
                # The client's own retries miss some failures and last two minutes; its Retry class keeps connections open.
                blob.download_to_file(writer, retry=None, timeout=(CONNECT_SECONDS, READ_SECONDS))
            return None
        except errors as error:
            reason = _explain(error)
            if not _is_transient(error) or time.monotonic() > deadline:
                return reason
    return reason


class _BoundedWriter:
    """Writer to a file that refuses more than `max_bytes` bytes, and what arrives after `deadline` by the monotonic clock."""

    def __init__(self, file: IO[bytes], max_bytes: int, deadline: float) -> None:
        self._file, self._max_bytes, self._deadline = file, max_bytes, deadline
        self._written = 0

    def write(self, data: bytes) -> int:
        self._written += len(data)
        if self._written > self._max_bytes:
            raise ModelFileError(f"more than the {self._max_bytes} bytes that it may have")
        if time.monotonic() > self._deadline:
            raise ModelFileError("too slow: the time for all files of the set is over")
        try:
            written = self._file.write(data)
        except OSError as error:  # distinguishes it from the client's errors, some of which are OSErrors too
            raise ModelFileError(f"cannot be kept in the folder for temporary files ({error.strerror})") from None
        if written < len(data):
            raise ModelFileError("cannot be kept in the folder for temporary files, which is full")
        return written


def _client_errors() -> tuple[type[Exception], ...]:
    """Exceptions of the storage client: its own, and those of the libraries below it that it lets through."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from urllib3.exceptions import HTTPError

    # OSError includes the errors of requests.
    return (GoogleAPIError, GoogleAuthError, DataCorruption, InvalidResponse, HTTPError, HTTPException, OSError)


def _is_transient(error: Exception) -> bool:
    """True for errors that a retry may pass; not for missing objects, missing permissions and wrong content."""
    from google.api_core import exceptions as api
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAuthError):
        return bool(error.retryable)
    return not isinstance(error, (ModelFileError, api.NotFound, api.Forbidden, api.Unauthorized))


def _explain(error: Exception) -> str:
    """The cause of a failed download, for people."""
    from google.api_core import exceptions as api
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, ModelFileError):
        return str(error)
    if isinstance(error, api.NotFound):
        return "not there (the bucket, or this object of it)"
    if isinstance(error, (api.Forbidden, api.Unauthorized)):
        return "may not be read with these credentials: roles/storage.objectViewer on the bucket is needed"
    if isinstance(error, GoogleAuthError):
        return f"the credentials are not accepted ({_first_line(error)})"
    if isinstance(error, api.GoogleAPICallError):
        return f"the storage answered {error.code}"
    return f"the connection failed or broke off ({type(error).__name__}: {_first_line(error)})"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
