"""Models from a bucket fit into an App Engine instance: its memory and share of a core, /tmp in that memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from emotions.runtime.manifest import ModelRegistry
from scripts.bench import gcs
from scripts.bench.gcs import IN_MEMORY, measure, table
from scripts.deploy import sandbox
from scripts.deploy.appengine import MEGABYTE

REASON = sandbox.missing().get("caps") or (None if IN_MEMORY.is_dir() else f"{IN_MEMORY} is not there")


@pytest.mark.sandbox
@pytest.mark.skipif(bool(REASON), reason=f"not to be had on this machine: {REASON}")
def test_models_from_a_bucket_fit_into_an_instance(monkeypatch):
    monkeypatch.setattr(gcs, "SERVER", Path(sys.executable).parent)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "")  # measuring sets it: it must not stay
    reports = measure(rounds=1, count=20)
    for name, tmp in (("tree", 0), ("bucket", sum(entry.bytes for entry in ModelRegistry().entries()))):
        (report,) = reports[name]
        assert report["wrong"] == [] and report["group"]["kills"] == 0
        assert tmp <= report["tmp_bytes"] < tmp + MEGABYTE
    assert len(table(reports).splitlines()) == 4 and not list(IN_MEMORY.glob("tmp*/bucket-0"))
