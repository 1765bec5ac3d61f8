"""Objects of a bucket of Google Cloud Storage, taken to files: bounded in time and size, hashed on the way, errors in words."""

from __future__ import annotations

import hashlib
import os
import time
from http.client import HTTPException
from pathlib import Path
from typing import IO

from .manifest import ArtefactError

ATTEMPTS, PAUSE = 3, 0.5
"""How often an object is asked for, and seconds before the second time; twice as many before the third."""
CONNECT, READ = 5.0, 10.0
"""Seconds that may pass until a connection stands, and between two pieces of an object."""


class Unmatched(Exception):
    """What came is not what the manifest names; another attempt may bring it whole."""


class Objects:
    """What lies under gs://`bucket`/`prefix`, read with the machine's credentials (a service account's on Google Cloud).

    STORAGE_EMULATOR_HOST leads the client to another server, without credentials. Raises ArtefactError where there are none.
    """

    def __init__(self, bucket: str, prefix: str, seconds: float) -> None:
        # Or the client asks for the bucket's own metadata, to name them in traces: a request, and a right, that nothing needs.
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        try:
            from google.cloud import storage
        except ImportError:
            raise ArtefactError("models in a bucket need the package google-cloud-storage: requirements.txt names it") from None
        self.address = "/".join(filter(None, (f"gs://{bucket}", prefix)))
        self._prefix, self._until = prefix, time.monotonic() + seconds
        self._failures = _failures()
        try:
            self._client = storage.Client()
        except self._failures as error:
            raise ArtefactError(f"{self.address}: there are no credentials of Google Cloud ({_first_line(error)})") from None
        self._bucket = self._client.bucket(bucket)

    def __enter__(self) -> Objects:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def take(self, name: str, path: Path, most: int, sha256: str | None = None) -> None:
        """Write the object called `name` to `path`: at most `most` bytes, or exactly so many where `sha256` (hex) is given.

        Tried ATTEMPTS times, unless the answer will not change. Raises ArtefactError, which names the object.
        """
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE * attempt)
            reason, final = self._attempt(name, path, most, sha256)
            if reason is None:
                return
            if final or time.monotonic() > self._until:
                break
        raise ArtefactError(f"{self.address}/{name}: {reason}")

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
            except ArtefactError as error:
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
            raise ArtefactError("too slow: the time for all files of the set is over")
        self.digest.update(data)
        try:
            written = self._file.write(data)
        except OSError as error:  # told apart from the client's, some of which are OSErrors too
            raise ArtefactError(f"cannot be kept in the folder for temporary files ({error.strerror})") from None
        if written < len(data):
            raise ArtefactError("cannot be kept in the folder for temporary files, which is full")
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
