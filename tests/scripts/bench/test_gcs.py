"""Models from a bucket within the memory and CPU of an App Engine instance, with /tmp in memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from emotions.runtime.manifest import ModelRegistry
from scripts.bench import gcs
from scripts.bench.gcs import MEMORY_FOLDER, measure, result_table
from scripts.deploy import sandbox
from scripts.deploy.appengine import MEGABYTE

REASON = sandbox.missing_features().get("caps") or (None if MEMORY_FOLDER.is_dir() else f"{MEMORY_FOLDER} is not there")


@pytest.mark.sandbox
@pytest.mark.skipif(bool(REASON), reason=f"not available on this machine: {REASON}")
def test_models_from_a_bucket_fit_into_an_instance(monkeypatch):
    monkeypatch.setattr(gcs, "SERVER", Path(sys.executable).parent)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "")  # restored after `measure` sets it
    reports = measure(rounds=1, count=20)
    for name, tmp in (("tree", 0), ("bucket", sum(entry.bytes for entry in ModelRegistry().entries()))):
        (report,) = reports[name]
        assert report["failures"] == [] and report["group"]["oom_kills"] == 0
        assert tmp <= report["tmp_bytes"] < tmp + MEGABYTE
    assert len(result_table(reports).splitlines()) == 4 and not list(MEMORY_FOLDER.glob("tmp*/bucket-0"))
