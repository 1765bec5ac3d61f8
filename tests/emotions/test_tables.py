"""Results as rows and as pandas.DataFrame."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import emotions
from emotions import EMOTIONS, analyze_photo, analyze_speech, analyze_text, analyze_video
from emotions.errors import EmotionDetectorError, MissingPackageError
from emotions.tables import FACE_COLUMNS
from tests import clips

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def results() -> dict:
    black = np.zeros_like(clips.still())
    video = clips.clip([(index / 5, clips.still() if index % 2 else black) for index in range(6)])
    return {
        "photo": analyze_photo(ROOT / "tests" / "data" / "astronaut.jpg"),
        "empty": analyze_photo(np.zeros((64, 64, 3), np.uint8)),
        "video": analyze_video(video),
        "text": analyze_text("I love it! That is so sad."),
        "sentences": analyze_text("I love it! That is so sad.", sentences=True),
        "nothing": analyze_text(""),
        "speech": analyze_speech(ROOT / "tests" / "data" / "buzz.flac"),
    }


def test_rows_have_the_values_of_the_result(results):
    (row,), (face,) = results["photo"].to_rows(), results["photo"].faces
    assert tuple(row) == FACE_COLUMNS and row["emotion"] == face.emotion and row["happy"] == round(face.probabilities[3], 4)
    assert (row["left"], row["yaw"]) == (round(face.box.left), round(face.pose.yaw, 1))
    assert results["empty"].to_rows() == []
    rows = results["video"].to_rows()
    assert [(row["time"], row["frame"], row["id"]) for row in rows] == [
        (index / 5, index, 0 if index % 2 else None) for index in range(6)
    ]
    assert all(tuple(row) == ("time", "frame", *FACE_COLUMNS) for row in rows)
    assert [row for frame in results["video"].frames for row in frame.to_rows()] == rows
    (whole,), sentences = results["text"].to_rows(), results["sentences"].to_rows()
    assert whole["text"] == "I love it! That is so sad." and [row["text"] for row in sentences] == [
        "I love it!",
        "That is so sad.",
    ]
    assert [row["emotion"] for row in sentences] == [one.emotion for one in results["sentences"].sentences]
    assert [row["reason"] for row in results["nothing"].to_rows()] == ["empty"]
    speech = results["speech"].to_rows()
    assert len(speech) == max(1, len(results["speech"].segments)) and speech[0]["reason"] == "not_speech"
    assert all(abs(sum(row[name] for name in EMOTIONS) - 1) < 0.01 for row in speech)


def test_data_frames(results):
    pytest.importorskip("pandas", reason="pandas is not installed")
    for result in results.values():
        table, rows = result.to_pandas(), result.to_rows()
        assert len(table) == len(rows) and all(list(table.columns) == list(row) for row in rows)
    assert list(results["empty"].to_pandas().columns) == list(FACE_COLUMNS)
    video = results["video"].to_pandas()
    assert video["happy"].isna().sum() == 3 and video["happy"].dtype == float and video["frame"].dtype == int


def test_without_pandas_there_is_a_clear_error(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for result in results.values():
        with pytest.raises(MissingPackageError, match="pip install pandas") as caught:
            result.to_pandas()
        assert isinstance(caught.value, EmotionDetectorError) and isinstance(caught.value, ImportError)


def test_pandas_is_imported_by_to_pandas_only():
    program = "import sys, emotions, emotions.cli.parser; from emotions.tables import data_frame; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_public_result_has_a_table():
    names = [name for name in emotions.__all__ if name.endswith("Result")]
    assert len(names) >= 5
    for one in (*(getattr(emotions, name) for name in names), emotions.FrameFaces):
        assert callable(one.to_rows) and callable(one.to_pandas)


def test_a_frame_of_a_video_analyzer_has_the_rows_of_the_result():
    video = ROOT / "tests" / "data" / "av1.webm"
    with emotions.VideoAnalyzer(video, fps=1) as analyzer:
        assert [row for frame in analyzer for row in frame.to_rows()] == analyze_video(video, fps=1).to_rows()
