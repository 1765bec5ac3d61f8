"""The batch pipeline with other file systems and runners: object storage, the job protocol, options of Dataflow and Flink."""

from __future__ import annotations

import json
import pickle
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import GoogleCloudOptions, PortableOptions, StandardOptions, WorkerOptions

from scripts.batch.__main__ import expand_patterns, main, parse
from scripts.batch.measure import SAMPLES, Prices, Run, cost, estimate, hours, report, run, write_photos
from scripts.batch.pipeline import AnalyzeShard, build
from scripts.batch.results import Results
from scripts.batch.rows import row_of

from . import memory_files

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bucket():
    memory_files.OBJECTS.clear()
    for name in ("angry.png", "collins.jpg", "friends.png", "obama.jpg", "README.md"):
        memory_files.OBJECTS[f"mem://bucket/photos/{name}"] = (SAMPLES / name).read_bytes(), 1.0
    yield memory_files.OBJECTS
    memory_files.OBJECTS.clear()


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_objects_in_a_bucket(bucket, form, capsys):
    command = ["--input", "mem://bucket/photos/*", "--output", "mem://bucket/out", "--shards", "2", "--format", form]
    assert main(command) == 0
    assert "4 photos analyzed, 1 failed (1 not_an_image)" in capsys.readouterr().out
    assert {path.split("/")[4] for path in bucket if path.startswith("mem://bucket/out/")} == {"batch.json", "parts", "failed"}
    if form == "jsonl":
        lines = [line for path, (data, _) in bucket.items() if "/parts/" in path for line in data.splitlines()]
        assert sorted(json.loads(line)["file"] for line in lines) == sorted(
            path for path in bucket if path.endswith((".jpg", ".png"))
        )
    assert main(command) == 0
    assert "0 photos analyzed" in capsys.readouterr().out


def test_huge_object_is_not_fetched_completely(bucket):
    class Endless:
        def read(self, size: int) -> bytes:
            assert size <= 32 * 2**20 + 1
            return bytes(size)

        __enter__, __exit__ = (lambda self: self), (lambda self, *_: None)

    memory_files.OBJECTS["mem://bucket/huge.jpg"] = b"", 1.0
    files, memory_files.MemoryFiles.open = memory_files.MemoryFiles.open, lambda *_, **__: Endless()
    try:
        assert row_of("mem://bucket/huge.jpg", None)["error"]["code"] == "file_too_large"
    finally:
        memory_files.MemoryFiles.open = files
    assert row_of("mem://bucket/none.jpg", None)["error"]["code"] == "unreadable_file"


def test_over_the_job_protocol(tmp_path):
    """The protocol of Flink's job server, with Beam's own server and a loopback worker."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main", "--port", str(port)], cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        command = ["--input", f"{SAMPLES}/*.jpg", "--shards", "2", "--output"]
        there = ["--runner", "PortableRunner", "--job_endpoint", f"127.0.0.1:{port}", "--environment_type", "LOOPBACK"]
        for out, options in ((tmp_path / "there", there), (tmp_path / "here", [])):
            subprocess.run(
                [sys.executable, "-m", "scripts.batch", *command, str(out), *options], cwd=ROOT, check=True, timeout=200
            )
    finally:
        server.terminate()
        server.wait(20)
    names = sorted(path.name for path in (tmp_path / "here" / "parts").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "there" / "parts").iterdir())
    assert all(
        (tmp_path / "there" / "parts" / name).read_bytes() == (tmp_path / "here" / "parts" / name).read_bytes() for name in names
    )


def commands() -> dict[str, list[str]]:
    """Arguments of the command that docs/batch.md gives for each runner."""
    blocks = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8").split("```")[1::2]
    words = [block.replace("\\\n", " ").split() for block in blocks if "--runner" in block]
    return {command[command.index("--runner") + 1]: command[command.index("scripts.batch") + 1 :] for command in words}


def test_documented_options_are_valid():
    _, dataflow = parse([word.strip("'") for word in commands()["DataflowRunner"]])
    cloud = dataflow.view_as(GoogleCloudOptions)
    assert cloud.project == "my-project" and cloud.region and cloud.temp_location.startswith("gs://")
    assert dataflow.view_as(WorkerOptions).max_num_workers == 25 and dataflow.view_as(WorkerOptions).sdk_container_image
    _, flink = parse([word.strip("'") for word in commands()["FlinkRunner"]])
    assert (
        flink.view_as(StandardOptions).runner == "FlinkRunner" and flink.view_as(PortableOptions).environment_type == "EXTERNAL"
    )
    for options in (dataflow, flink):
        known, all_of_them = options.get_all_options(), options.get_all_options(retain_unknown_options=True)
        assert known.keys() == all_of_them.keys()


def test_pipeline_is_portable():
    """It can be serialised for a runner."""
    pipeline = beam.Pipeline()
    build(pipeline, ["gs://bucket/*"], Results("gs://bucket/out", "jsonl", 4))
    names = [part.unique_name for part in pipeline.to_runner_api().components.transforms.values()]
    assert {"Match files", "Assign shards", "Analyze photos", "GroupByKey"} <= set(names)


def test_dataflow_names_the_missing_package(tmp_path, capsys):
    words = [word.strip("'") for word in commands()["DataflowRunner"]]
    words[words.index("--input") + 1], words[words.index("--output") + 1] = f"{SAMPLES}/*", str(tmp_path / "out")
    assert main(words) == 2
    assert "apache_beam[gcp]" in capsys.readouterr().err


def test_models_are_loaded_once_per_process():
    worker = AnalyzeShard(Results("out", "jsonl", 1), "auto", "mixed", 1)
    copies = [pickle.loads(pickle.dumps(worker)) for _ in range(3)]
    for copy in copies:
        copy.setup()
    assert copies[0].analyzer is copies[1].analyzer is copies[2].analyzer
    assert copies[0].analyzer.classifier.head_entry.name == "mixed"


def test_patterns_match_as_in_shells(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for place in (tmp_path, tmp_path / "a", tmp_path / "a" / "b"):
        shutil.copy(SAMPLES / "angry.png", place / "one.png")
    found = expand_patterns([f"{tmp_path}/**/*.png"])
    matched = {file.path for pattern in found for file in beam.io.filesystems.FileSystems.match([pattern])[0].metadata_list}
    assert matched == set(map(str, tmp_path.glob("**/*.png"))) and len(matched) == 3


def test_measured_run_counts_every_file(tmp_path):
    write_photos(tmp_path / "some", 12, bad_every=5)
    measured = run(tmp_path / "some", 12, 1, {0})
    assert measured.photos == 12 and measured.peak > 50 * 2**20 and 0 < measured.processor < measured.wall + 60
    with pytest.raises(RuntimeError, match="12 of 13 files"):
        run(tmp_path / "some", 13, 1, {0})
    text = report({("320 x 240", 1): Run(1000, 20.0, 21.0, 0)}, Run(1, 4.0, 1.0, 0), [Run(1000, 20.0, 0.0, 2**29)], 1)
    assert (
        "| 320 x 240 | 1 | 1,000 | 50.0 | 21.0 |" in text
        and "| 1,000 | 512 | 20 | 50.0 |" in text
        and "| 320 x 240 | 20.0 | 1 | 56 |" in text
    )


def test_cost_estimate():
    assert hours(0.0036) == pytest.approx(10.0) and hours(0.0036, 0.5) == pytest.approx(20.0)
    assert cost(10.0, Prices(1.0, 0.0, 0.0, 0.0)) == pytest.approx(10.0)
    assert cost(0.0, Prices(1.0, 1.0, 1.0, 0.4)) == pytest.approx(4.0)
    assert "| small | 36.0 | 1 | 100 | 1.1 |" in estimate({"small": 0.036})


def test_worker_image_is_complete(tmp_path):
    """The files that the Dockerfile copies are enough to load the models and analyze a photo."""
    lines = (ROOT / "scripts" / "batch" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copies = [line.split()[1:] for line in lines if line.startswith("COPY") and "/opt/" in line]
    for source, target in copies:
        place = tmp_path / target.removeprefix("/opt/emotion-detector/")
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)
    code = "from scripts.batch.pipeline import load_analyzer; from scripts.batch.rows import row_of; import sys; "
    code += "print(row_of(sys.argv[1], load_analyzer('mixed'))['faces'][0]['emotion'])"
    command = [sys.executable, "-c", code, str(SAMPLES / "obama.jpg")]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=200)
    assert done.stdout.strip() == "happy"
    assert f"sdk:{beam.__version__}" in lines[1]
