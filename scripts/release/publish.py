"""Publish a set of models to a Google Cloud Storage bucket; existing objects are never overwritten.

    python -m scripts.release.publish --bucket gs://BUCKET/PREFIX                       # models/, as PREFIX/vgg16-2.2.0
    python -m scripts.release.publish --bucket gs://BUCKET/PREFIX --models build/models --name a-try

The set is stored under its name: name and version of the backbone unless `--name` is given. Model files are uploaded first, the
manifest last, each with if-generation-match 0: a set with a manifest is complete, and an interrupted upload continues when it is
started again. The exit status is 1 if the name is taken by other bytes. Prints the setting that a server needs.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import sys
from pathlib import Path

from emotions.errors import ModelFileError
from emotions.runtime.gcs import MANIFEST, manifest_files, split_address
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from emotions.runtime.manifest_schema import FILE_NAME

PAPERS = (".md", ".png", ".svg", ".json")
"""Suffixes of further files to upload: cards, their pictures, the notice; licences have none."""


class PublishError(RuntimeError):
    """The set cannot be published; the message says why."""


def files_to_publish(folder: Path) -> list[Path]:
    """Verified model files, evaluation, cards and licences, and the manifest last. Raises ModelFileError."""
    ModelRegistry(folder).verify()
    models = [folder / name for name in manifest_files((folder / MANIFEST).read_bytes())]
    papers = [path for path in sorted(folder.iterdir()) if path.suffix in PAPERS or path.name.startswith("LICENSE")]
    manifest = folder / MANIFEST
    return [*models, *(path for path in papers if path != manifest and path not in models), manifest]


def name_of(folder: Path) -> str:
    """Name and version of the folder's first backbone, such as vgg16-2.2.0."""
    base = ModelRegistry(folder).entry("expression-base")
    return f"{base.name}-{base.version}"


def publish(folder: Path, address: str, name: str | None = None) -> tuple[str, list[str]]:
    """Upload the set in `folder` as `address`/`name`; return its address and the names of the new objects.

    Raises PublishError, if possible before anything is uploaded, and ModelFileError for a damaged set.
    """
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")  # emotions.runtime.gcs says why
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage
    from requests import RequestException

    files, name = files_to_publish(folder), name or name_of(folder)
    if not FILE_NAME.fullmatch(name):
        raise PublishError(f"{name!r} is no name for a set: letters, digits, '.', '_' and '-' are taken")
    bucket, prefix = split_address(f"{address.rstrip('/')}/{name}")
    try:
        with storage.Client() as client:
            there = {blob.name: blob for blob in client.list_blobs(bucket, prefix=f"{prefix}/")}
            for path in files:
                _refuse_other(there.get(f"{prefix}/{path.name}"), path, name)
            new = [path.name for path in files if f"{prefix}/{path.name}" not in there]
            for path in files:
                if path.name in new:
                    _upload(client.bucket(bucket).blob(f"{prefix}/{path.name}"), path, name)
    except (GoogleAPICallError, GoogleAuthError, RequestException) as error:
        raise PublishError(f"gs://{bucket}/{prefix}: {type(error).__name__}: {error}") from None
    return f"gs://{bucket}/{prefix}", new


def _upload(blob, path: Path, name: str) -> None:
    """Upload a file unless an object of its name exists; a concurrent upload of the same bytes is accepted."""
    from google.api_core.exceptions import PreconditionFailed

    try:
        blob.upload_from_filename(path, if_generation_match=0)
    except PreconditionFailed:
        blob.reload()
        _refuse_other(blob, path, name)


def _refuse_other(blob, path: Path, name: str) -> None:
    """Raise PublishError if the object exists with other bytes than the file's."""
    if blob is not None and blob.md5_hash != base64.b64encode(hashlib.md5(path.read_bytes()).digest()).decode():
        raise PublishError(f"{blob.name} exists with other bytes and is not overwritten: use another name than {name} (--name)")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bucket", required=True, metavar="gs://BUCKET/PREFIX", help="where sets of models are kept")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of models and manifest (default: models/)")
    parser.add_argument("--name", help="the set's name (default: the base's name and version)")
    options = parser.parse_args(arguments)
    try:
        address, new = publish(options.models, options.bucket, options.name)
    except (PublishError, ModelFileError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{'already there' if not new else f'{len(new)} files uploaded'}: set {ModelRegistry(options.models).fingerprint}")
    print(f"MODELS={address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
