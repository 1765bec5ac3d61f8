"""People who come back: tracks merged by appearance at the end of a video, and the ids in every output."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from emotions import FaceAnalyzer, VideoAnalyzer, analyze_video
from emotions.face.results import Box, Face
from emotions.video.appearance import CELLS
from emotions.video.people import MAX_CANDIDATES, PeopleMerger, texture
from emotions.video.tracker_state import MAX_AGE
from tests import clips

ROOT = Path(__file__).resolve().parents[3]
GREY = np.full((240, 320, 3), 90, np.uint8)
FPS = 2
GONE = MAX_AGE / 1000 + 1
"""Seconds after which the tracker has forgotten somebody."""


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


def film(*parts: tuple[str | None, float]) -> bytes:
    """A video of sample photos, None for an empty scene, each for some seconds."""
    moments, time = [], 0.0
    for name, seconds in parts:
        for _ in range(round(seconds * FPS)):
            moments.append((time, GREY if name is None else clips.still(name)))
            time += 1 / FPS
    return clips.clip(moments)


ONE_RETURNS = film(("obama.jpg", 2), (None, GONE), ("obama.jpg", 2))
TWO_TAKE_TURNS = film(*[(name, 1.5) for name in ("obama.jpg", "collins.jpg") * 2 for name in (name, None, None, None)])


def tracks_and_people(analyzer: FaceAnalyzer, data: bytes, merge: bool = True) -> tuple[list[int], list[dict]]:
    with VideoAnalyzer(data, FPS, analyzer=analyzer, merge=merge) as video:
        tracks = [face.id for frame in video for face in frame.result.faces]
        return sorted(set(tracks)), video.summary()["people"]


def test_a_person_who_comes_back_is_one_person(analyzer):
    tracks, people = tracks_and_people(analyzer, ONE_RETURNS)
    assert tracks == [0, 1], "the tracker itself has forgotten the person"
    (person,) = people
    assert (person["id"], person["ids"], person["frames"], person["first"]) == (0, [0, 1], 8, 0.0)
    assert person["last"] > GONE + 2 and sum(person["shares"].values()) == pytest.approx(1, abs=0.001)
    assert person["seconds"] == pytest.approx(4, abs=0.6), "the absence does not count"


def test_without_merging_there_are_two(analyzer):
    tracks, people = tracks_and_people(analyzer, ONE_RETURNS, merge=False)
    assert tracks == [0, 1] and [person["ids"] for person in people] == [[0], [1]]


def test_people_who_take_turns_stay_apart(analyzer):
    tracks, people = tracks_and_people(analyzer, TWO_TAKE_TURNS)
    assert tracks == [0, 1, 2, 3] and [person["ids"] for person in people] == [[0, 2], [1, 3]]


def test_the_library_gives_frames_the_ids_of_people():
    result = analyze_video(TWO_TAKE_TURNS, fps=FPS)
    assert {face.id for frame in result.frames for face in frame.faces} == {0, 1}
    assert {row["id"] for row in result.to_rows()} - {None} == {person["id"] for person in result.summary["people"]} == {0, 1}
    apart = analyze_video(TWO_TAKE_TURNS, fps=FPS, merge=False)
    assert {face.id for frame in apart.frames for face in frame.faces} == {0, 1, 2, 3}
    assert all(face.crop is None for frame in result.frames for face in frame.faces), "crops are not kept"


def command(path: Path, *options: str) -> str:
    """Output of `python -m emotions video`."""
    arguments = [sys.executable, "-m", "emotions", "video", "--fps", str(FPS), *options, str(path)]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("options", "expected"), [((), {"0"}), (("--no-merge",), {"0", "1"})])
@pytest.mark.slow
def test_all_outputs_of_the_command_line_agree(tmp_path, options, expected):
    path = tmp_path / "film.mp4"
    path.write_bytes(ONE_RETURNS)
    lines = [json.loads(line) for line in command(path, "--format", "jsonl", *options).splitlines()]
    times = [line["time"] for line in lines[:-1]]
    assert times == sorted(times) and len(times) == lines[-1]["summary"]["frames"]
    assert {str(face["id"]) for line in lines[:-1] for face in line["faces"]} == expected
    assert {str(person["id"]) for person in lines[-1]["summary"]["people"]} == expected
    found = [*lines[-1]["summary"]["people"], *(face for line in lines[:-1] for face in line["faces"])]
    assert all(one["number"] == one["id"] + 1 for one in found), "pictures and pages show the number"
    rows = list(csv.DictReader(StringIO(command(path, "--format", "csv", *options))))
    assert {(row["id"], row["number"]) for row in rows if row["id"]} == {(one, str(int(one) + 1)) for one in expected}
    rows = list(csv.DictReader(StringIO(command(path, "--format", "csv", "--columns", "openface", *options))))
    assert {row["face_id"] for row in rows if row["success"] == "1"} == expected


# From here on tracks are made by hand: textures of random crops, one a person.


def crop_of(person: int, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Make an aligned face (48, 48) of a person, with noise in grey levels."""
    face = np.kron(np.random.default_rng(person).uniform(40, 210, (12, 12)), np.ones((4, 4)))
    return np.clip(face + noise * np.random.default_rng([person, seed]).standard_normal(face.shape), 0, 255).astype(np.uint8)


def colours_of(person: int) -> bytes:
    return np.random.default_rng([7, person]).integers(60, 190, (len(CELLS), 3)).astype(np.uint8).tobytes()


def merged(frames: Sequence[Sequence[tuple[int, int]]], **further) -> dict[int, int]:
    """Merge tracks; `frames`: pairs (track, person) that are seen in each. `further`: attributes of the faces."""
    merger = PeopleMerger()
    for number, pairs in enumerate(frames):
        faces = [Face(track, Box(0, 0, 80, 100), further.get("score", 0.9), (1.0,) + (0.0,) * 6, unsure=further.get("unsure"))
                 for track, _ in pairs]  # fmt: skip
        crops = {track: crop_of(person, 2, number) for track, person in pairs}
        merger.add(faces, crops, {track: colours_of(person) for track, person in pairs})
    return merger.merged_ids()


def test_nobody_is_merged_with_somebody_in_the_same_frame():
    """Twins: the same texture and colours, once in the same frame."""
    assert merged([[(0, 1)], [(1, 1)]]) == {1: 0}
    assert merged([[(0, 1)], [(0, 1), (1, 1)], [(1, 1)]]) == {}
    assert merged([[(0, 1), (1, 1)], [(2, 1)], [(2, 1), (3, 1)]]) in ({2: 0, 3: 1}, {2: 1, 3: 0}), "of each pair one and one"


@pytest.mark.parametrize("seed", range(5))
def test_every_track_of_a_person_is_merged_into_the_first(seed):
    random = np.random.default_rng(seed)
    people = [int(person) for person in random.integers(0, 4, 12)]
    ids = merged([[(track, person)] * 1 for track, person in enumerate(people) for _ in range(int(random.integers(1, 4)))])
    assert {track: ids.get(track, track) for track in range(12)} == {
        track: people.index(person) for track, person in enumerate(people)
    }


@pytest.mark.parametrize("further", [{"score": 0.4}, {"unsure": "turned"}, {"unsure": "small"}, {"unsure": "blurred"}])
def test_faces_that_show_too_little_are_not_compared(further):
    assert merged([[(0, 1)], [(1, 1)]], **further) == {}


def test_other_clothes_are_another_person_and_so_is_another_face():
    for crops, colours in (((1, 1), (1, 2)), ((1, 2), (1, 1))):
        merger = PeopleMerger()
        for track in (0, 1):
            face = Face(track, Box(0, 0, 80, 100), 0.9, (1.0,) + (0.0,) * 6)
            merger.add([face], {track: crop_of(crops[track])}, {track: colours_of(colours[track])})
        assert merger.merged_ids() == {}


def test_work_and_memory_are_bounded_whatever_the_number_of_tracks():
    count = 4 * MAX_CANDIDATES
    merger = PeopleMerger()
    for track in range(count):
        face = Face(track, Box(0, 0, 80, 100), 0.9, (1.0,) + (0.0,) * 6)
        for _ in range(1 + track % 2):
            merger.add([face], {track: crop_of(track % 8)}, {track: colours_of(track % 8)})
    assert len(merger._candidates) <= 2 * MAX_CANDIDATES
    ids = merger.merged_ids()
    assert 0 < len(ids) < MAX_CANDIDATES and set(ids) <= set(range(count)), "the shorter half is not compared"
    assert all(track % 8 == person % 8 for track, person in ids.items())


def test_a_track_is_settled_where_it_was_seen_with_all_before_it():
    merger = PeopleMerger()
    faces = [Face(track, Box(0, 0, 80, 100), 0.9, (1.0,) + (0.0,) * 6) for track in range(4)]
    merger.add(faces[:2], {}, {})
    merger.add(faces[1:3], {}, {})
    assert [merger.is_settled(track) for track in range(3)] == [True, True, False]
    merger.add([faces[0], faces[2]], {}, {})
    assert merger.is_settled(2) and merger.is_settled(3), "nothing is known of a track that was not seen"


def test_texture_ignores_brightness_and_contrast():
    crop = crop_of(3, 2).astype(float)
    brighter = np.clip(0.7 * crop + 40, 0, 255).astype(np.uint8)
    assert np.corrcoef(texture(crop.astype(np.uint8)), texture(brighter))[0, 1] > 0.9
    assert np.corrcoef(texture(crop.astype(np.uint8)), texture(crop_of(4, 2)))[0, 1] < 0.76
