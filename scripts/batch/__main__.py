"""Analyze all photos of a pattern, on this machine or on many; an interrupted run resumes when it is started again.

    python -m scripts.batch --input 'photos/**/*.jpg' --output out --workers 2
    python -m scripts.batch --input 'photos/**/*.jpg' --output out --format parquet --detector blazeface
    python -m scripts.batch --input 'gs://bucket/photos/**' --output gs://bucket/out --shards 4000 --runner DataflowRunner ...

All further options are Apache Beam's: docs/batch.md has those for Dataflow and Flink. Exit status: 0 even if files failed
(out/failed lists them with their errors), 1 if the pipeline failed, 2 if an option is wrong or no file matches.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, fn_runner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from emotions.errors import ModelFileError
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.defaults import DEFAULT_HEAD, DEFAULT_VIEWS, VIEWS
from emotions.face.detector import DETECTORS

from .pipeline import COUNTS, build
from .results import FORMATS, Results

PROGRESS_SECONDS = 15.0
LOCAL_RUNNERS = ("DirectRunner", "direct")


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, PipelineOptions]:
    """Parse this program's options and Beam's."""
    parser = argparse.ArgumentParser(
        "python -m scripts.batch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--input", required=True, action="append", help="files to read: a path or pattern, local or gs://; may be given again"
    )
    parser.add_argument("--output", required=True, help="folder of the results, local or gs://")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="jsonl",
        help="one line for each photo, as the command line writes them, or one Parquet row for each face",
    )
    parser.add_argument("--detector", choices=DETECTORS, default="auto", help="face detector (default auto)")
    parser.add_argument("--head", default=DEFAULT_HEAD, help=f"expression head of models/manifest.json (default {DEFAULT_HEAD})")
    views = f"views of each face to average: 2 adds its mirror image, 10 shifts too (default {DEFAULT_VIEWS})"
    parser.add_argument("--views", type=int, choices=VIEWS, default=DEFAULT_VIEWS, help=views)
    parser.add_argument(
        "--shards",
        type=int,
        default=256,
        help="parts of the results, and of the work (default 256; a few hundred photos each is good)",
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="processes on this machine (default 1); elsewhere the runner's own options count"
    )
    options, rest = parser.parse_known_args(argv)
    if options.shards < 1 or options.workers < 1:
        parser.error("--shards and --workers must be at least 1")
    beam_options = PipelineOptions(rest)
    local = (beam_options.view_as(StandardOptions).runner or LOCAL_RUNNERS[0]) in LOCAL_RUNNERS
    if local and (
        unknown := beam_options.get_all_options(retain_unknown_options=True).keys() - beam_options.get_all_options().keys()
    ):
        parser.error(f"no such option here: {', '.join(sorted(unknown))}")
    if local:
        beam_options.view_as(DirectOptions).direct_num_workers = options.workers
    return options, beam_options


def runner(beam_options: PipelineOptions) -> beam.runners.PipelineRunner | str:
    """Choose the runner; for DirectRunner the one in Python, because Beam's default downloads a program first."""
    name = beam_options.view_as(StandardOptions).runner or LOCAL_RUNNERS[0]
    if name not in LOCAL_RUNNERS:
        return name
    if beam_options.view_as(DirectOptions).direct_num_workers == 1:
        return FnApiRunner()
    # The same as direct_running_mode=multi_processing, which FnApiRunner ignores; these workers log errors only.
    logging.getLogger(fn_runner.__name__).setLevel(logging.ERROR)
    command = shlex.join([sys.executable, "-m", f"{__package__}.worker"])
    return FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(command))


def expand_patterns(patterns: list[str]) -> list[str]:
    """Expand patterns so that `**/` also matches no folder, as in shells; Beam's does not."""
    return sorted({pattern.replace("/**/", between) for pattern in patterns for between in ("/**/", "/")})


def matches(pattern: str) -> bool:
    return bool(FileSystems.match([pattern], limits=[1])[0].metadata_list)


@contextmanager
def print_progress(results: Results) -> Iterator[None]:
    """Print the number of complete parts to stderr every PROGRESS_SECONDS."""
    done = threading.Event()

    def report() -> None:
        while not done.wait(PROGRESS_SECONDS):
            print(f"{results.count_parts()} of {results.shards} parts", file=sys.stderr, flush=True)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def main(argv: list[str] | None = None) -> int:
    options, beam_options = parse(argv)
    results = Results(options.output.rstrip("/"), options.format, options.shards)
    patterns = expand_patterns(options.input)
    try:
        pipeline = beam.Pipeline(runner(beam_options), beam_options)
        if not any(map(matches, patterns)):
            raise FileNotFoundError(f"no file matches {' or '.join(options.input)}")
        model = FaceAnalyzer(head=options.head).classifier.description
        settings = {name: getattr(options, name) for name in ("format", "detector", "views", "shards")}
        results.begin({"input": sorted(options.input), **settings, "model": model})
    except (BeamIOError, ImportError, OSError, ValueError, ModelFileError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    build(pipeline, patterns, results, options.detector, options.head, options.views)
    with print_progress(results):
        try:
            done = pipeline.run()
        except ImportError as error:  # a runner whose packages are not installed
            print(f"error: {error}", file=sys.stderr)
            return 2
        done.wait_until_finish()
    results.delete_unfinished()
    query = done.metrics().query(MetricsFilter().with_namespace(COUNTS))["counters"]
    counts = {counter.key.metric.name: counter.committed for counter in query}
    reasons = ", ".join(f"{count} {name.partition(':')[2]}" for name, count in sorted(counts.items()) if ":" in name)
    print(
        f"{counts.get('photos', 0)} photos analyzed, {counts.get('failed', 0)} failed{f' ({reasons})' if reasons else ''}; "
        f"{counts.get('parts', 0)} parts in {results.path}, {counts.get('kept', 0)} of them from an earlier run"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
