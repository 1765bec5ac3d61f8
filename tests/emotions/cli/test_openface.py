"""CSV of videos with the columns of OpenFace."""

from __future__ import annotations

import csv
from io import StringIO

import numpy as np
import pytest

from emotions import EMOTIONS
from emotions.cli import main, openface
from emotions.face.pose import CHIN, FOREHEAD, LEFT, NEUTRAL_PITCH, RIGHT, Pose, estimate_pose
from tests import clips


def openface_matrix(x: float, y: float, z: float) -> np.ndarray:
    """Rx Ry Rz of angles in radians, as OpenFace defines its pose."""
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


@pytest.mark.parametrize("seed", range(20))
def test_rotations_are_those_that_openface_would_give(seed):
    """A head that is rotated by OpenFace's angles has these angles again, by way of its landmarks."""
    angles = np.random.default_rng(seed).uniform(-0.9, 0.9, 3)
    upright = np.zeros((468, 3))
    upright[list(RIGHT)], upright[list(LEFT)] = (-1, 0, 0), (1, 0, 0)
    upright[FOREHEAD], upright[CHIN] = (0, -1, 0), (0, 1, 0)
    pose = estimate_pose(upright @ openface_matrix(*angles).T)
    # The line from forehead to chin of a real face is tilted by this much where the head is upright.
    assert openface.rotations(Pose(pose.yaw, pose.pitch + NEUTRAL_PITCH, pose.roll)) == pytest.approx(angles, abs=1e-6)


@pytest.mark.parametrize(
    ("pose", "signs"), [(Pose(0, -20, 0), (1, 0, 0)), (Pose(-20, 0, 0), (0, 1, 0)), (Pose(0, 0, 20), (0, 0, 1))]
)
def test_signs(pose, signs):
    """Down, to the left of the image, and clockwise."""
    assert openface.rotations(pose) == pytest.approx(np.radians(20) * np.array(signs))


def test_rows_of_a_video(tmp_path, capsys):
    black = np.zeros_like(clips.still())
    path = tmp_path / "clip.mp4"
    path.write_bytes(clips.clip([(index / 10, clips.still() if index >= 5 else black) for index in range(10)]))
    assert main(["video", str(path), "--fps", "10", "--format", "csv", "--columns", "openface"]) == 0
    rows = list(csv.DictReader(StringIO(capsys.readouterr().out)))
    assert list(rows[0])[:8] == ["frame", "face_id", "timestamp", "confidence", "success", "pose_Rx", "pose_Ry", "pose_Rz"]
    assert [int(row["frame"]) for row in rows] == list(range(1, 11))
    assert [float(row["timestamp"]) for row in rows] == [index / 10 for index in range(10)]
    assert [row["success"] for row in rows] == ["0"] * 5 + ["1"] * 5
    assert all(row["emotion"] == row["pose_Rx"] == "" and row["confidence"] == "0.0" for row in rows[:5])
    for row in rows[5:]:
        assert 0.5 < float(row["confidence"]) <= 1 and abs(float(row["pose_Ry"])) < 0.5 and row["face_id"] == "0"
        assert float(row[row["emotion"]]) == float(row["emotion_confidence"]) == max(float(row[name]) for name in EMOTIONS)


def test_an_error_has_its_row(tmp_path, capsys):
    path = tmp_path / "text.mp4"
    path.write_text("text", encoding="utf-8")
    assert main(["video", str(path), "--format", "csv", "--columns", "openface"]) == 1
    (row,) = csv.DictReader(StringIO(capsys.readouterr().out))
    assert row["error"] == "not_a_video" and row["file"] == str(path)


@pytest.mark.parametrize("words", [["--format", "jsonl"], ["--format", "csv", "--summary"]])
def test_where_there_are_no_such_columns(words, capsys):
    assert main(["video", "x.mp4", "--columns", "openface", *words]) == 2
    assert "--columns needs --format csv" in capsys.readouterr().err
