"""Beam pipeline: patterns -> files -> shards of files -> parts of rows."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.metrics import Metrics
from apache_beam.utils.shared import Shared

from emotions.face.analyzer import FaceAnalyzer
from emotions.face.defaults import DEFAULT_HEAD, DEFAULT_VIEWS
from emotions.runtime.limits import set_limits
from emotions.runtime.litert import LiteRTModel
from emotions.runtime.manifest import ModelEntry, ModelRegistry

from .results import File, Results
from .rows import row_of

DECODE_MB = 512
"""Megabytes of memory that decoding may take in each process; there is one for each core."""
COUNTS = "batch"
"""Namespace of the counters: photos, failed, failed:CODE, parts, kept."""


class SingleThreadRegistry(ModelRegistry):
    """Models with one thread each: there is a worker for every core."""

    def model(self, entry: ModelEntry) -> LiteRTModel:
        return self._models.setdefault((entry.role, entry.name), LiteRTModel(lambda: self.path(entry)))


def load_analyzer(head: str) -> FaceAnalyzer:
    """Load all models and run them once."""
    set_limits(decode_mb=DECODE_MB)
    analyzer = FaceAnalyzer(SingleThreadRegistry(), head)
    analyzer.warm_up()
    logging.getLogger(__name__).info("models loaded in process %d", os.getpid())
    return analyzer


class AnalyzeShard(beam.DoFn):
    """Analyze the files of a shard, (shard, files), write its part, and return the part's name."""

    def __init__(self, results: Results, detector: str, head: str, views: int) -> None:
        self.results, self.detector, self.head, self.views = results, detector, head, views
        self.models = Shared()

    def setup(self) -> None:
        # One for each process. `Shared` keeps only a weak reference, hence the attribute.
        self.analyzer = self.models.acquire(lambda: load_analyzer(self.head))

    def process(self, element: tuple[int, Iterable[File | None]]) -> Iterator[str]:
        shard, files = element
        files = sorted({file for file in files if file})  # several patterns may match a file
        if not files:
            self.results.delete_other_parts(shard, keep=None)
            return
        name = self.results.part_name(shard, files)
        if self.results.has_part(name):
            Metrics.counter(COUNTS, "kept").inc()
        else:
            good, failed = self.results.write(name, map(self._row, (path for path, _, _ in files)))
            Metrics.counter(COUNTS, "photos").inc(good)
            Metrics.counter(COUNTS, "failed").inc(failed)
        self.results.delete_other_parts(shard, keep=name)
        Metrics.counter(COUNTS, "parts").inc()
        yield name

    def _row(self, path: str) -> dict[str, Any]:
        row = row_of(path, self.analyzer, self.detector, self.views)
        if "error" in row:
            Metrics.counter(COUNTS, f"failed:{row['error']['code']}").inc()
        return row


def build(
    pipeline: beam.Pipeline,
    patterns: list[str],
    results: Results,
    detector: str = "auto",
    head: str = DEFAULT_HEAD,
    views: int = DEFAULT_VIEWS,
) -> beam.PCollection:
    """Add all steps to `pipeline`; return the collection of the complete parts' names."""
    # Every shard is processed: the old part of one whose files are gone must be deleted.
    shards = pipeline | "Number shards" >> beam.Create([(shard, None) for shard in range(results.shards)])
    files = (
        pipeline
        | "Name patterns" >> beam.Create(patterns)
        | "Match files" >> fileio.MatchAll(fileio.EmptyMatchTreatment.ALLOW)
        | "Assign shards" >> beam.Map(lambda file: (results.shard_of(file.path), _file(file)))
    )
    return (
        (shards, files)
        | beam.Flatten()
        | beam.GroupByKey()
        | "Analyze photos" >> beam.ParDo(AnalyzeShard(results, detector, head, views))
    )


def _file(metadata: Any) -> File:
    return metadata.path, metadata.size_in_bytes, metadata.last_updated_in_seconds or 0.0
