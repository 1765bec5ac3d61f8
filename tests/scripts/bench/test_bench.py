"""Statistics, report, images and client of the benchmark. Times are not checked; baselines run in `make bench` only."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from emotions.face.analyzer import FaceAnalyzer
from emotions.image.loading import LoadedImage
from scripts.bench import runner
from scripts.bench.contenders import Contender, run_server
from scripts.bench.figures import MEGABYTE, STAGES, Measurements, format_figure, median_ratio, quantile, shares
from scripts.bench.report import report, rows, targets
from scripts.deploy import sandbox
from scripts.deploy.serving import APP
from scripts.deploy.traffic import Request
from scripts.docs import readme

TITLES = {"ours": "this project", "usual": "usual stack", "small": "small", "fer": "fer"}


def figures(factor: float, rounds: int = 2) -> Measurements:
    """Measurements `factor` times worse than 10 ms, 2 s, 100 MB; three rounds of photos with increasing noise."""
    return Measurements(
        starts=[1.0 * factor, 2.0 * factor, 4.0 * factor],
        first_bytes=int(90 * MEGABYTE * factor),
        last_bytes=int(100 * MEGABYTE * factor),
        peak_bytes=int(200 * MEGABYTE * factor),
        photos=[[9.0 * factor * noise, 10.0 * factor * noise, 50.0 * factor * noise] for noise in (1, 2, 3)],
        stages={"decode": [1.0], "detect": [4.0], "classify": [3.0], "HTTP and the rest": [2.0]},
        rates=[100 / factor, 50 / factor],
        one_core=[[8.0 * factor], [9.0 * factor]][:rounds],
        saliency=[30.0, 50.0, 40.0] if factor == 1 else [],
        saliency_one_core=[90.0, 70.0, 80.0] if factor == 1 else [],
        faces={1.0: [10.0 * factor], 50.0: [100.0 * factor]},
        sizes={0.3: [10.0 * factor], 24.0: [30.0 * factor]},
        found={"faces": {1.0: 1, 50.0: 49}, "sizes": {0.3: 1, 24.0: 1}},
    )


@pytest.fixture
def measured() -> dict[str, Measurements]:
    return {"ours": figures(1), "usual": figures(20), "small": figures(2, rounds=0), "fer": figures(2.5)}


def test_quantile_is_the_nearest_rank():
    assert quantile(range(100, 0, -1), 0.99) == 99 and quantile(range(1, 101), 0.5) == 50
    assert quantile(range(1, 102), 0.99) == 100 and quantile([7.0], 0.99) == 7.0


def test_ratios_are_computed_within_rounds():
    """Noise common to a round cancels; the ratio of the medians over rounds (3 and 20) would be 6.7."""
    assert median_ratio([1, 10, 3], [2, 20, 300]) == 2
    assert median_ratio([100, 50], [50, 10], higher_is_better=True) == 3.5


def test_rows(measured):
    table = rows(measured)
    photos = {"ours": ("20.0 ms", None), "usual": ("400 ms", 20.0), "small": ("40.0 ms", 2.0), "fer": ("50.0 ms", 2.5)}
    assert table["p50 per photo"] == photos
    assert table["start to first response"]["usual"] == ("40.0 s", 20.0)
    assert table["memory"]["fer"] == ("250 MB", 2.5) and table["p99 per photo"]["ours"] == ("150 ms", None)
    assert table["photos per second"]["usual"] == ("3.75", 20.0)
    assert set(table["p50 per photo on one core"]) == {"ours", "usual", "fer"}
    assert table["saliency map"] == {"ours": ("40.0 ms", None)}


def test_targets(measured):
    judged = targets(measured, TITLES)
    assert [reached for *_, reached in judged] == [True, True, True, False, True, True]
    assert judged[3][:2] == ("p50 per photo: 3 times better than fer", "2.50 times")
    measured["ours"].one_core = [[11.0], [11.0]]
    measured["ours"].saliency_one_core = [301.0]
    assert targets(measured, TITLES)[-2:] == [
        ("p50 per photo on one core: at most 10 ms", "11.0 ms", False),
        ("saliency map on one core: at most 300 ms", "301 ms", False),
    ]


def test_shares_and_digits():
    split = shares({"decode": [1, 1, 9], "detect": [4], "classify": [3], "HTTP and the rest": [2]})
    assert split["detect"] == (4, 0.4) and sum(share for _, share in split.values()) == pytest.approx(1)
    assert [format_figure(value) for value in (0.1234, 1.234, 12.34, 123.4, 1234)] == ["0.123", "1.23", "12.3", "123", "1,234"]


def test_report(measured, tmp_path, monkeypatch):
    facts = {"date": "2026-01-31", "command": "`make bench`", "commit": "0123abc"}
    text = report(measured, TITLES, facts, "2026-01-31.svg")
    assert text.startswith("# Benchmark of 2026-01-31\n") and "](2026-01-31.svg)" in text
    assert text.count("| reached |") == 5 and text.count("| **not reached** |") == 1
    assert "| 50 | 100 ms, 49 found | 2,000 ms, 49 found |" in text and "- commit: 0123abc\n" in text
    assert "this project 9, usual stack 9" in text
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1, block
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "2026-01-31.md").write_text(text, encoding="utf-8")
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    summary = readme.speed()
    assert "| p50 per photo | 20.0 ms | 400 ms (20.0x) |" in summary and "![" not in summary
    assert "(benchmarks/2026-01-31.md)" in summary


def test_crowds_differ_only_in_the_number_of_faces():
    crowds = {count: np.asarray(runner.crowd(count)) for count in (0, 1, 5, 50)}
    assert {crowd.shape for crowd in crowds.values()} == {(960, 1280, 3)}
    for fewer, more, columns in ((0, 1, (0, 142)), (1, 5, (142, 710))):
        changed = np.argwhere((crowds[fewer] != crowds[more]).any(axis=2))
        assert changed[:, 0].max() < 142 and columns[0] <= changed[:, 1].min() and changed[:, 1].max() < columns[1]
    pixels = crowds[5]
    assert len(FaceAnalyzer().analyze(LoadedImage(pixels, 1280, 960, 0.0)).faces) == 5
    with pytest.raises(ValueError, match="54 places"):
        runner.crowd(55)


def test_scenes_have_their_stated_size():
    for megapixels, (width, height) in runner.SCENES.items():
        assert width * height / 1e6 == pytest.approx(megapixels, rel=0.05)


@pytest.mark.slow
def test_all_measurements_with_the_real_server(tmp_path, monkeypatch):
    """Each measurement, shortened, with this project's server; no process is left running."""
    monkeypatch.setattr(runner, "SLOW_MS", float("inf"))  # independent of the machine's load
    contender = Contender("ours", "this project", Path(sys.executable), APP)
    photo, schedule = runner.photo(), runner.Schedule(rounds=2, seconds=0.05, min_requests=3)
    with ExitStack() as stack:
        (server,) = runner.start_all(stack, [contender], 1, tmp_path, photo)
        pids = [server.process.pid, server.worker]
        runner.measure_photos([server], schedule, photo)
        runner.measure_concurrent([server], schedule, photo)
        runner.sweep([server], 2, "faces", runner.crowds((2,)))
        saliency = runner.measure_saliency(server, 2, runner.saliency())
        runner.record_peak_memory([server])
        with closing(server.connect()) as connection, pytest.raises(RuntimeError, match="answers 400.*no_file"):
            server.send(connection, Request("nothing", photo.path, body=b""))
    assert not any(map(sandbox.resident_bytes, pids))
    runner.measure_on_one_core([contender], schedule, tmp_path, photo, runner.saliency())
    got = contender.measured
    assert len(got.starts) == 1 and len(got.rates) == len(got.photos) == len(got.one_core) == 2
    assert all(len(times) >= 3 and min(times) > 0 for times in got.photos + got.one_core)
    assert set(got.stages) == set(STAGES) and got.found == {"faces": {2.0: 2}} and len(got.faces[2.0]) == 2
    assert len(saliency) == 2 and len(got.saliency_one_core) == runner.SALIENCY and min(saliency + got.saliency_one_core) > 0
    assert 0 < got.first_bytes <= got.peak_bytes and got.last_bytes <= got.peak_bytes


def test_slow_contender_gets_a_image_once(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "SLOW_MS", 0.0)
    contender = Contender("ours", "this project", Path(sys.executable), APP)
    with run_server(contender, tmp_path) as server:
        runner.sweep([server], 3, "sizes", {0.3: runner.photo()})
    assert len(contender.measured.sizes[0.3]) == 1


def test_error_for_a_server_that_does_not_start_contains_its_log(tmp_path):
    with run_server(Contender("none", "nobody", Path(sys.executable), "no_such_module:app"), tmp_path) as server:
        with pytest.raises((RuntimeError, OSError)):
            runner.seconds_to_first_response(server, runner.photo())
        server.process.wait(10)
        with pytest.raises(RuntimeError, match="nobody does not listen(.|\n)*no_such_module"):
            server.connect()
