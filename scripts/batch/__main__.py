"""Read every photo of a pattern, on this machine or on many; a killed run goes on where it was when it is started again.

    python -m scripts.batch --input 'photos/**/*.jpg' --output out --workers 2
    python -m scripts.batch --input 'photos/**/*.jpg' --output out --format parquet --detector blazeface
    python -m scripts.batch --input 'gs://bucket/photos/**' --output gs://bucket/out --shards 4000 --runner DataflowRunner ...

All further options are Apache Beam's: docs/batch.md has those for Dataflow and Flink. Ends with 0 although files failed:
out/failed says which and why; with 1 if the pipeline failed; with 2 if an option is wrong or nothing matches.
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
from emotions.face.defaults import DEFAULT_HEAD
from emotions.face.detector import DETECTORS

from .parts import FORMATS, Results
from .pipeline import COUNTS, build

TELL_SECONDS = 15.0
LOCAL = ("DirectRunner", "direct")


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, PipelineOptions]:
    """This program's options and Beam's."""
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
        help="a line a photo, as the command line writes them, or a Parquet row a face",
    )
    parser.add_argument("--detector", choices=DETECTORS, default="auto", help="how faces are found (default auto)")
    parser.add_argument("--head", default=DEFAULT_HEAD, help=f"expression head of models/manifest.json (default {DEFAULT_HEAD})")
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
    beams = PipelineOptions(rest)
    local = (beams.view_as(StandardOptions).runner or LOCAL[0]) in LOCAL
    if local and (unknown := beams.get_all_options(retain_unknown_options=True).keys() - beams.get_all_options().keys()):
        parser.error(f"no such option here: {', '.join(sorted(unknown))}")
    if local:
        beams.view_as(DirectOptions).direct_num_workers = options.workers
    return options, beams


def runner(beams: PipelineOptions) -> beam.runners.PipelineRunner | str:
    """For DirectRunner Beam's runner in this process and its workers: its own choice would download a program first."""
    name = beams.view_as(StandardOptions).runner or LOCAL[0]
    if name not in LOCAL:
        return name
    if beams.view_as(DirectOptions).direct_num_workers == 1:
        return FnApiRunner()
    # As its option direct_running_mode=multi_processing does, which it misses; the workers are quieter.
    logging.getLogger(fn_runner.__name__).setLevel(logging.ERROR)
    command = shlex.join([sys.executable, "-m", f"{__package__}.worker"])
    return FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(command))


def patterns(given: list[str]) -> list[str]:
    """As shells read them: `**/` matches no folder too, which Beam's does not."""
    return sorted({pattern.replace("/**/", between) for pattern in given for between in ("/**/", "/")})


def matches(pattern: str) -> bool:
    return bool(FileSystems.match([pattern], limits=[1])[0].metadata_list)


@contextmanager
def telling(results: Results) -> Iterator[None]:
    """Every TELL_SECONDS, a line on stderr says how many parts are complete."""
    done = threading.Event()

    def tell() -> None:
        while not done.wait(TELL_SECONDS):
            print(f"{results.complete()} of {results.shards} parts", file=sys.stderr, flush=True)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def main(argv: list[str] | None = None) -> int:
    options, beams = parse(argv)
    results = Results(options.output.rstrip("/"), options.format, options.shards)
    found = patterns(options.input)
    try:
        pipeline = beam.Pipeline(runner(beams), beams)
        if not any(map(matches, found)):
            raise FileNotFoundError(f"no file matches {' or '.join(options.input)}")
        model = FaceAnalyzer(head=options.head).classifier.description
        asked = {"input": sorted(options.input), "format": options.format, "detector": options.detector}
        results.begin(asked | {"shards": options.shards, "model": model})
    except (BeamIOError, ImportError, OSError, ValueError, ModelFileError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    build(pipeline, found, results, options.detector, options.head)
    with telling(results):
        try:
            done = pipeline.run()
        except ImportError as error:  # a runner that wants more than is installed
            print(f"error: {error}", file=sys.stderr)
            return 2
        done.wait_until_finish()
    results.end()
    query = done.metrics().query(MetricsFilter().with_namespace(COUNTS))["counters"]
    counts = {counter.key.metric.name: counter.committed for counter in query}
    why = ", ".join(f"{count} {name.partition(':')[2]}" for name, count in sorted(counts.items()) if ":" in name)
    print(
        f"{counts.get('photos', 0)} photos read, {counts.get('failed', 0)} failed{f' ({why})' if why else ''}; "
        f"{counts.get('parts', 0)} parts in {results.path}, {counts.get('kept', 0)} of them from before"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
