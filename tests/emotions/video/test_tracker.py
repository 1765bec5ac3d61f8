"""Face tracker: synthetic videos with known identities, and the tracker state."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from emotions import EMOTIONS, FaceAnalyzer, FaceTracker, open_image
from emotions.errors import TrackerStateError
from emotions.face.results import Box, Face, ImageResult
from emotions.image.loading import LoadedImage, encode_jpeg
from emotions.video.association import Observation, associate
from emotions.video.tracker import DEFAULT_INTERVAL, TAU
from emotions.video.tracker_state import (
    DESCRIPTOR_BYTES,
    MAX_AGE,
    MAX_BYTES,
    MAX_CLOCK,
    MAX_COORD,
    MAX_ID,
    MAX_TRACKS,
    PROB_SCALE,
    Track,
    TrackerState,
    loads,
)
from scripts.evaluate.tracking.sequences import assigned_ids, cast_of, id_switches, observe, share_an_id
from scripts.evaluate.tracking.synthetic_video import (
    HEIGHT,
    WIDTH,
    Camera,
    Person,
    Place,
    actor_of,
    crossing,
    gap,
    people,
    render,
    scenes,
    successor,
)
from tests.shared_data import shared

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "static" / "samples"
STEADY = Camera()
HAND_HELD = Camera(shake=3.0, noise=4.0, lamp=0.1, quality=75)


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture(scope="module")
def pair(analyzer) -> list[Person]:
    """Two people of the sample photos."""
    cast = people(analyzer, [SAMPLES / "obama.jpg", SAMPLES / "collins.jpg"])
    assert len(cast) == 2
    return cast


@pytest.fixture(scope="module")
def cast(analyzer) -> list[Person]:
    """The people that were not used for choosing parameters."""
    return cast_of(analyzer, shared("photos", "scenes"), choosing=False)


def times(seconds: float, rate: int = 10) -> list[float]:
    return [number / rate for number in range(round(seconds * rate) + 1)]


def walk(start: float, end: float, seconds: float, y: float = 0.4, height: float = 110) -> Callable[[float], Place]:
    """Make a path from one side to another, both as fractions of the width."""
    return lambda time: Place((start + (end - start) * time / seconds) * WIDTH, y * HEIGHT, height)


def between(path: Callable[[float], Place], first: float, last: float) -> Callable[[float], Place | None]:
    return lambda time: path(time) if first <= time < last else None


def tracked_ids(
    analyzer: FaceAnalyzer, actors: Sequence, seconds: float, camera: Camera = STEADY, rate: int = 10, seed: int = 1
) -> list[list[int]]:
    frames = render(actors, times(seconds, rate), camera, seed)
    read_frames = [(one.time, one.image, analyzer.analyze(one.image, "blazeface"), one.truth) for one in frames]
    return assigned_ids(len(actors), read_frames)


@pytest.mark.parametrize("rate", [5, 10, 15])
@pytest.mark.parametrize("camera", [STEADY, HAND_HELD])
def test_ids_persist_where_two_people_cross(analyzer, pair, rate, camera):
    actors = [(pair[0], walk(0.15, 0.85, 3)), (pair[1], walk(0.85, 0.15, 3, y=0.43))]
    ids = tracked_ids(analyzer, actors, 3, camera, rate)
    assert [set(one) for one in ids] in ([{0}, {1}], [{1}, {0}])
    assert all(len(one) > 0.6 * 3 * rate for one in ids), "each is detected on both sides"


@pytest.mark.slow
def test_random_crossings_gaps_and_successors_of_other_people(analyzer, cast):
    """The full figures are in benchmarks/tracking.md; here a few videos must come close to them."""
    for make, minimum in ((crossing, 3), (gap, 4), (successor, 4)):
        correct = 0
        for scene in scenes(make, cast, 6, seed=77):
            given = assigned_ids(len(scene.actors), observe(analyzer, scene))
            correct += not sum(map(id_switches, given)) and not share_an_id(given)
        assert correct >= minimum, make.__name__


@pytest.mark.parametrize("away", [0.2, 1.0, 2.5])
def test_id_survives_a_short_absence(analyzer, pair, away):
    path = walk(0.7, 0.75, 5)
    course = lambda time: None if 1 <= time < 1 + away else path(time)  # noqa: E731
    ids = tracked_ids(analyzer, [(pair[0], walk(0.25, 0.3, 5)), (pair[1], course)], 2 + away)
    assert [len(set(one)) for one in ids] == [1, 1]


def test_long_absence_gives_a_new_id(analyzer, pair):
    away = MAX_AGE / 1000 + 0.2
    actor = (pair[0], lambda time: None if 0.35 < time < 0.35 + away else walk(0.5, 0.5, 5)(time))
    (ids,) = tracked_ids(analyzer, [actor], 1 + away)
    assert set(ids) == {0, 1} and ids == sorted(ids)


def test_another_person_at_the_same_position_gets_a_new_id_and_ids_are_not_reused(analyzer, pair):
    first, second = pair
    actors = [
        (first, between(walk(0.5, 0.5, 9), 0, 0.9)),
        (second, between(walk(0.5, 0.5, 9), 1.2, 2.2)),
        (first, between(walk(0.5, 0.5, 9), 6, 7)),
    ]
    ids = tracked_ids(analyzer, actors, 7)
    assert [set(one) for one in ids] == [{0}, {1}, {2}]


def test_approaching_face_with_a_shaking_camera(analyzer, pair):
    actors = [(pair[0], lambda time: Place(WIDTH / 2 + 60 * np.sin(3 * time), 190 + 20 * time, 60 + 45 * time))]
    (ids,) = tracked_ids(analyzer, actors, 3, Camera(shake=8, noise=6, quality=60))
    assert set(ids) == {0} and len(ids) >= 28


def test_missed_frame(analyzer, pair):
    """Two people are visible in one frame, nobody in the next, as when the light is switched off."""
    actors = [(pair[0], walk(0.2, 0.4, 2)), (pair[1], walk(0.6, 0.8, 2))]
    dark = [(person, lambda time, path=path: None if 0.85 < time < 1.15 else path(time)) for person, path in actors]
    assert [len(set(one)) for one in tracked_ids(analyzer, dark, 2)] == [1, 1]


@pytest.mark.parametrize("name", ["ultralight_20.jpg", "mmpose_wflw_7_Cheering_Cheering_7_16.jpg"])
def test_group_with_a_moving_camera(analyzer, name):
    photo = cv2.cvtColor(cv2.imread(str(shared("photos", "scenes", name))), cv2.COLOR_BGR2RGB)
    height, width = photo.shape[:2]
    tracker, first = FaceTracker(), {}
    for number in range(8):
        scale = 1 + 0.02 * number
        matrix = np.array([[scale, 0, 6.0 * number - 0.01 * width * number], [0, scale, -4.0 * number]])
        frame = open_image(encode_jpeg(cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), 85))
        result = tracker.update(frame, analyzer.analyze(frame), number / 10)
        back = {
            face.id: ((face.box.left - matrix[0, 2]) / scale, (face.box.top - matrix[1, 2]) / scale, face.box.width / scale)
            for face in result.faces
        }
        first = first or back
        assert len(first) >= 9
        for id_, (x, y, side) in back.items():
            if id_ in first:
                assert np.hypot(x - first[id_][0], y - first[id_][1]) < 0.6 * side, "the same person has the id"
    assert len(back) >= 9 and len(set(first) & set(back)) >= 0.85 * len(back), "and keeps it, where it is detected"


def test_tracking_is_deterministic_and_the_state_is_complete(analyzer, pair):
    actors = [(pair[0], walk(0.15, 0.85, 2)), (pair[1], walk(0.85, 0.15, 2, y=0.43))]
    frames = [(frame, analyzer.analyze(frame.image)) for frame in render(actors, times(2), HAND_HELD, 5)]
    one, other, tracks = FaceTracker(), FaceTracker(), ""
    for frame, result in frames:
        fresh = FaceTracker(tracks)
        results = [tracker.update(frame.image, result, frame.time).faces for tracker in (one, other, fresh)]
        assert results[0] == results[1] == results[2] and one.state == other.state == fresh.state
        tracks = fresh.state
        assert tracks.isascii() and len(tracks) <= MAX_BYTES


def test_frame_size_may_change(analyzer, pair):
    actors = [(pair[0], walk(0.3, 0.35, 2)), (pair[1], walk(0.7, 0.65, 2))]
    tracker, seen = FaceTracker(), []
    for number, frame in enumerate(render(actors, times(1), STEADY, 3)):
        size = (WIDTH, HEIGHT) if number % 2 else (2 * WIDTH, 2 * HEIGHT)
        image = open_image(encode_jpeg(cv2.resize(frame.image.pixels, size), 90))
        seen.append({face.id: face.box.left / image.width < 0.5 for face in tracker.update(image, analyzer.analyze(image)).faces})
    assert all(one == seen[0] for one in seen) and len(seen[0]) == 2


# From here on, results are made by hand instead of by an analyzer.

GREY = LoadedImage(np.full((480, 640, 3), 120, np.uint8), 640, 480, 0.0)
HAPPY, SAD = ((0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0), (0.05, 0.0, 0.0, 0.05, 0.0, 0.9, 0.0))


def faces(*boxes: Box, probabilities: tuple[float, ...] = HAPPY, unsure: str | None = None, score: float = 0.9) -> ImageResult:
    found = tuple(Face(number, box, score, probabilities, unsure=unsure) for number, box in enumerate(boxes))
    return ImageResult(640, 480, found, "blazeface", {"name": "test", "version": "1"}, thresholds={"low_confidence": 0.6})


ONE = Box(200, 150, 90, 110)


def painted(*colour: int) -> LoadedImage:
    return LoadedImage(np.full((480, 640, 3), colour, np.uint8), 640, 480, 0.0)


RED, BLUE = painted(200, 60, 60), painted(60, 60, 200)


@pytest.mark.parametrize("absent", [0.2, 0.5, 1.5])
@pytest.mark.parametrize(("score", "id_"), [(0.9, 1), (0.5, 0)])
def test_face_that_is_not_clear_returns_to_the_track_at_its_position(absent, score, id_):
    """Who covers a part of the face, and is not detected, changes its colours; a clear face of other colours is somebody else."""
    tracker = FaceTracker()
    tracker.update(RED, faces(ONE), 0)
    tracker.update(RED, faces(), absent / 2)
    (face,) = tracker.update(BLUE, faces(ONE, score=score), absent).faces
    assert face.id == id_


def test_face_that_is_not_clear_does_not_change_the_appearance_of_its_track():
    for score, same in ((0.5, True), (0.9, False)):
        tracker = FaceTracker()
        tracker.update(RED, faces(ONE), 0)
        before = tracker.appearances[0]
        assert tracker.update(BLUE, faces(ONE, score=score), 0.1).faces[0].id == 0
        assert (tracker.appearances[0] == before) is same


def test_track_of_the_last_frame_precedes_a_lost_one_in_doubt():
    """A quick step of somebody who is visible, past the place where another one was lost a second ago."""
    observation = Observation((50_000, 40_000, 10_000, 10_000), bytes([120] * DESCRIPTOR_BYTES), False)
    near = Track(0, (41_000, 40_000, 10_000, 10_000), (0, 0), 100, (PROB_SCALE, *(0,) * 6), observation.appearance)
    lost = replace(near, id=1, box=(65_000, 40_000, 10_000, 10_000), age=1000)
    assert associate([observation], [near, lost], [False, True]) == {0: 0}
    assert associate([observation], [replace(near, box=(20_000, 40_000, 10_000, 10_000)), lost], [False, True]) == {0: 1}


def test_only_tracked_faces_have_raw_probabilities():
    result = faces(ONE)
    (face,) = FaceTracker().update(GREY, result).faces
    assert "raw" not in result.faces[0].to_json()
    assert face.raw == face.probabilities == HAPPY and list(face.to_json()["raw"]) == list(EMOTIONS)


@pytest.mark.parametrize("step", [DEFAULT_INTERVAL, 0.5, 2.0])
def test_weight_of_a_frame_depends_on_the_elapsed_time(step):
    tracker = FaceTracker()
    tracker.update(GREY, faces(ONE), 10)
    (face,) = tracker.update(GREY, faces(ONE, probabilities=SAD), 10 + step).faces
    share = 1 - np.exp(-round(1000 * step) / 1000 / TAU)
    assert face.raw == SAD and face.probabilities == pytest.approx(
        share * np.array(SAD) + (1 - share) * np.array(HAPPY), abs=1e-4
    )
    assert sum(face.probabilities) == pytest.approx(1) and face.confidence == max(face.probabilities)
    assert face.emotion == ("sad" if step > 0.3 else "happy")


def test_unsure_reason_is_that_of_the_smoothed_probabilities():
    tracker = FaceTracker()
    assert tracker.update(GREY, faces(ONE)).faces[0].unsure is None
    tracker.update(GREY, faces(ONE, probabilities=SAD, unsure=None))
    for unsure, reported in (
        ("low_confidence", "low_confidence"),
        (None, "low_confidence"),
        ("turned", "turned"),
        ("blurred", "blurred"),
    ):
        between_both = FaceTracker(tracker.state).update(GREY, faces(ONE, probabilities=SAD, unsure=unsure), 0.2).faces[0]
        assert between_both.confidence < 0.6 and between_both.unsure == reported
    assert (
        FaceTracker(tracker.state).update(GREY, faces(ONE, probabilities=HAPPY, unsure="low_confidence")).faces[0].unsure is None
    )


@pytest.mark.parametrize(
    ("before", "after", "id_"),
    [
        (None, None, 0),
        (None, 0.5, 0),
        (5, None, 0),
        (5, 5, 0),  # time does not advance
        (5, 4.9, 0),  # a frame too late
        (5, 8, 0),
        (5, 8.1, 1),  # dropped
        (5, 1.9, 1),  # all tracks dropped, and ids go on
        (1e9, 1e9, 0),
        (1e9, None, 0),
        (0, 1e9, 1),
    ],
)
def test_time(before, after, id_):
    tracker = FaceTracker()
    tracker.update(GREY, faces(ONE), before)
    (face,) = tracker.update(GREY, faces(ONE, probabilities=SAD), after).faces
    assert face.id == id_ and (face.probabilities == SAD) == bool(id_), "a frame has weight even if time does not advance"
    assert FaceTracker(tracker.state).update(GREY, faces(ONE)).faces[0].id == id_


@pytest.mark.parametrize("time", [-1, 1e9 + 1, float("nan"), float("inf")])
def test_invalid_times(time):
    tracker = FaceTracker()
    before = tracker.state
    with pytest.raises(ValueError, match="time must be seconds"):
        tracker.update(GREY, faces(ONE), time)
    assert tracker.state == before


def crowd(count: int) -> list[Box]:
    """Return boxes side by side, the largest first."""
    return [Box(20 + 60 * (number % 10), 10 + 60 * (number // 10), 30 - number / 10, 36 - number / 10) for number in range(count)]


def test_state_size_is_bounded_and_the_largest_faces_keep_their_ids():
    tracker, boxes = FaceTracker(), crowd(75)
    first = tracker.update(GREY, faces(*boxes))
    second = tracker.update(GREY, faces(*boxes))
    assert [face.id for face in first.faces] == list(range(75))
    assert [face.id for face in second.faces] == [*range(MAX_TRACKS), *range(75, 110)], "the others get new ids in each frame"
    assert len(tracker.state) <= MAX_BYTES


def test_lost_tracks_observed_last_are_kept():
    tracker, boxes = FaceTracker(), crowd(50)
    tracker.update(GREY, faces(*boxes[:30]), 0)
    tracker.update(GREY, faces(*boxes[30:]), 0.05)
    tracker.update(GREY, faces(*boxes[30:45]), 0.1)
    kept = {row[0]: row[7] for row in json.loads(tracker.state)["tracks"]}
    assert len(kept) == MAX_TRACKS and [kept[number] for number in range(30, 45)] == [0] * 15
    assert all(kept[number] == 50 for number in range(45, 50)), "and twenty of those observed before"


def test_largest_state_has_at_most_8_kb():
    longest = Track(
        0,
        (-MAX_COORD, -MAX_COORD, MAX_COORD, MAX_COORD),
        (-MAX_COORD, -MAX_COORD),
        MAX_AGE,
        (14285,) * 6 + (14290,),
        b"\xff" * DESCRIPTOR_BYTES,
    )
    ids = range(MAX_ID - MAX_TRACKS, MAX_ID)
    text = TrackerState(MAX_CLOCK, MAX_ID, tuple(replace(longest, id=number) for number in ids)).dumps()
    assert len(text) <= MAX_BYTES and loads(text).dumps() == text


@pytest.mark.parametrize(
    "box", [Box(0, 0, 0, 0), Box(-5000, -5000, 30, 30), Box(1e9, 1e9, 1e9, 1e9), Box(0, 0, 640, 480), Box(639.5, 479.5, 3, 3)]
)
def test_degenerate_boxes(box):
    tracker = FaceTracker()
    assert [face.id for face in tracker.update(GREY, faces(box)).faces] == [0]
    tracker = FaceTracker(tracker.state)
    assert len(tracker.update(GREY, faces(box, ONE)).faces) == 2 and loads(tracker.state).next_id >= 2


def test_image_of_one_pixel_and_image_without_faces():
    tiny = LoadedImage(np.zeros((1, 1, 3), np.uint8), 1, 1, 0.0)
    result = ImageResult(1, 1, (Face(0, Box(0, 0, 1, 1), None, HAPPY),), "none", {})
    tracker = FaceTracker()
    assert tracker.update(tiny, result).faces[0].id == 0 and FaceTracker(tracker.state).update(tiny, result).faces[0].id == 0
    assert tracker.update(GREY, faces()).faces == ()


COORDINATES = strategies.integers(-MAX_COORD, MAX_COORD)


@strategies.composite
def tracker_states(draw) -> TrackerState:
    ids = draw(strategies.lists(strategies.integers(0, MAX_ID - 1), unique=True, max_size=MAX_TRACKS))
    side, age, descriptor = (
        strategies.integers(1, MAX_COORD),
        strategies.integers(0, MAX_AGE),
        strategies.binary(min_size=DESCRIPTOR_BYTES, max_size=DESCRIPTOR_BYTES),
    )

    def track(number: int) -> Track:
        cuts = sorted(draw(strategies.lists(strategies.integers(0, PROB_SCALE), min_size=6, max_size=6)))
        shares = tuple(int(value) for value in np.diff([0, *cuts, PROB_SCALE]))
        return Track(
            number,
            (draw(COORDINATES), draw(COORDINATES), draw(side), draw(side)),
            (draw(COORDINATES), draw(COORDINATES)),
            draw(age),
            shares,
            draw(descriptor),
        )

    return TrackerState(draw(strategies.integers(0, MAX_CLOCK)), MAX_ID, tuple(track(number) for number in ids))


@hypothesis.settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
@hypothesis.given(state=tracker_states(), time=strategies.none() | strategies.floats(0, 1e9))
def test_any_state_in_range_is_accepted_and_gives_a_state_in_range(state, time):
    text = state.dumps()
    assert len(text) <= MAX_BYTES and loads(text) == state
    tracker = FaceTracker(text)
    result = tracker.update(GREY, faces(ONE, Box(400, 100, 50, 60), probabilities=SAD), time)
    assert all(np.isfinite(face.probabilities).all() and sum(face.probabilities) == pytest.approx(1) for face in result.faces)
    known = loads(
        json.dumps(json.loads(tracker.state) | {"next": MAX_ID}) if max(face.id for face in result.faces) < MAX_ID else ""
    )
    assert len(known.tracks) <= MAX_TRACKS


@hypothesis.settings(max_examples=200, deadline=None, derandomize=True, database=None)
@hypothesis.given(text=strategies.text(max_size=60), place=strategies.floats(0, 1), length=strategies.integers(0, 30))
def test_any_text_is_accepted_or_rejected(text, place, length):
    good = TrackerState(7, 1, (Track(0, (5, 5, 5, 5), (0, 0), 0, (PROB_SCALE, *(0,) * 6), bytes(48)),)).dumps()
    at = int(place * len(good))
    for damaged in (text, good[:at] + text + good[at + length :]):
        try:
            FaceTracker(damaged).update(GREY, faces(ONE))
        except TrackerStateError as error:
            assert "tracks" in str(error).lower() or "track" in str(error)


def test_used_up_ids_are_reported():
    tracker = FaceTracker(TrackerState(0, MAX_ID).dumps())
    assert tracker.update(GREY, faces(ONE)).faces[0].id == MAX_ID
    with pytest.raises(TrackerStateError, match="start again"):
        FaceTracker(tracker.state)


def test_who_matches_a_box_to_the_ground_truth():
    """The face with the largest overlap, and None where two overlap equally."""
    truth = {0: Box(0, 0, 10, 10), 1: Box(8, 0, 10, 10)}
    assert (
        actor_of(truth, Box(1, 0, 10, 10)) == 0
        and actor_of(truth, Box(4, 0, 10, 10)) is None
        and actor_of(truth, Box(50, 0, 10, 10)) is None
    )
