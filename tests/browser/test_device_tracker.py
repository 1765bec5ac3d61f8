"""The tracker of the browser's library gives the same ids and states as that of the Python package."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Error, Page

from emotions import EMOTIONS, FaceTracker, TrackerStateError
from emotions.face.results import Box, Face, ImageResult
from emotions.image.loading import LoadedImage
from emotions.video.tracker_state import MAX_BYTES, MAX_TRACKS

WIDTH, HEIGHT = 160, 120
THRESHOLDS = {"low_confidence": 0.4}
SCRIPT = """
async (frames) => {
  const library = new URL("device/", document.querySelector("script[src*='/js/app.js']").src);
  const { FaceTracker } = await import(`${library}index.js`);
  const tracker = new FaceTracker();
  return frames.map(({ pixels, width, height, result, time, held }) => {
    const data = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
    const { faces } = tracker.update({ data, width, height }, result, time, held);
    const { state } = tracker;
    return { state, again: new FaceTracker(state).state, faces };
  });
}
"""
LOADS = """
async (state) => {
  const library = new URL("device/", document.querySelector("script[src*='/js/app.js']").src);
  const { FaceTracker } = await import(`${library}index.js`);
  return new FaceTracker(state).state;
}
"""
Frame = tuple[LoadedImage, ImageResult, float | None, float]


@pytest.fixture
def page(visit) -> Page:
    return visit("/about", service_workers="block")


def random_frames(seed: int, frames: int = 20) -> Iterator[Frame]:
    """Colored people that walk past each other, appear and vanish, with random faces; the frames' times are irregular."""
    random = np.random.default_rng(seed)
    people = int(random.integers(1, 7))
    positions = random.uniform(0, 1, (people, 2)) * [WIDTH, HEIGHT]
    speeds, sizes = random.normal(0, 40, (people, 2)), random.uniform(8, 60, people)
    colors = random.integers(0, 256, (people, 3)).tolist()
    background = cv2.resize(random.integers(0, 256, (9, 12, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    scale, now = random.choice([1.0, 2.5]), float(random.uniform(20, 100))
    for _ in range(frames):
        step = float(random.choice([1 / 30, 1 / 15, 0.2, 0.9, 0.0, -0.5]))
        now += step
        positions += speeds * step
        pixels, faces = background.copy(), []
        seen = [person for person in range(people) if random.random() < 0.85]
        for person in sorted(seen, key=lambda person: -sizes[person]):
            (x, y), size = positions[person], sizes[person]
            corners = [(int(x - size / 2), int(y - size / 2)), (int(x + size / 2), int(y + 2 * size))]
            cv2.rectangle(pixels, *corners, colors[person], -1)
            width, height = size * random.uniform(0.95, 1.05), size * random.uniform(1, 1.2)
            box = Box(*(float(scale * value) for value in (x - width / 2, y - height / 2, width, height)))
            probabilities = tuple(map(float, random.dirichlet(np.ones(len(EMOTIONS))).astype(np.float32)))
            unsure = (None, "low_confidence", "small")[random.integers(0, 3)]
            faces.append(Face(len(faces), box, float(random.uniform(0.5, 1)), probabilities, unsure=unsure))
        pixels = np.clip(pixels.astype(int) + random.integers(-6, 7, pixels.shape), 0, 255).astype(np.uint8)
        width, height = round(WIDTH * scale), round(HEIGHT * scale)
        result = ImageResult(width, height, tuple(faces), "blazeface", {}, thresholds=THRESHOLDS)
        time, held = None if random.random() < 0.1 else now, float(random.choice([0, 0, 0, 0.25]))
        yield LoadedImage(pixels, width, height, 0.0), result, time, held


def crowd(count: int) -> Iterator[Frame]:
    """Two frames with more faces than a tracker remembers, all of one color."""
    random = np.random.default_rng(count)
    for time in (0.0, 0.1):
        faces = tuple(
            Face(
                index, Box(8.0 * (index % 10), 16.0 * (index // 10), 7.0, 7.0), None, tuple(random.dirichlet(np.ones(7)).tolist())
            )
            for index in range(count)
        )
        image = LoadedImage(np.full((HEIGHT, WIDTH, 3), 130, np.uint8), WIDTH, HEIGHT, 0.0)
        yield image, ImageResult(WIDTH, HEIGHT, faces, "blazeface", {}), time, 0.0


def as_json(image: LoadedImage, result: ImageResult, time: float | None, held: float) -> dict[str, Any]:
    """Return the frame as the page takes it."""
    faces = [
        {
            "box": vars(face.box),
            "score": face.score,
            "probabilities": face.probabilities,
            "unsure": face.unsure,
        }
        for face in result.faces
    ]
    height, width = image.pixels.shape[:2]
    return {
        "pixels": base64.b64encode(image.pixels.tobytes()).decode("ascii"),
        "width": width,
        "height": height,
        "result": {
            "width": result.width,
            "height": result.height,
            "faces": faces,
            "thresholds": dict(result.thresholds),
            "timing": {},
        },
        "time": time,
        "held": held,
    }


def check_frames(page: Page, frames: list[Frame]) -> None:
    """Track the frames on both sides and compare ids, states, reasons and probabilities."""
    tracker = FaceTracker()
    for (image, result, time, held), found in zip(
        frames, page.evaluate(SCRIPT, [as_json(*frame) for frame in frames]), strict=True
    ):
        expected = tracker.update(image, result, time, held).faces
        assert found["state"] == found["again"] == tracker.state
        assert [face["id"] for face in found["faces"]] == [face.id for face in expected]
        assert [face["unsure"] for face in found["faces"]] == [face.unsure for face in expected]
        for one, other in zip(found["faces"], expected, strict=True):
            np.testing.assert_allclose(one["probabilities"], other.probabilities, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_random_sequences_give_the_same_ids_and_states(page, seed):
    check_frames(page, list(random_frames(seed)))


def test_a_crowd_gives_the_same_ids_and_states(page):
    check_frames(page, list(crowd(MAX_TRACKS + 10)))


def test_states_that_no_tracker_gave_are_refused_with_the_same_words(page):
    tracker = FaceTracker()
    for frame in random_frames(3, frames=4):
        tracker.update(*frame)
    body = json.loads(tracker.state)
    track = body["tracks"][0]

    def changed(position: int, value: object) -> str:
        return json.dumps(body | {"tracks": [[*track[:position], value, *track[position + 1 :]]]})

    wrong = [
        "[]", "{", "1", '{"version": 2}', '{"version": true}', json.dumps(body | {"more": 1}), " " * (MAX_BYTES + 1),
        json.dumps(body | {"clock": None}), json.dumps(body | {"clock": -1}), json.dumps(body | {"next": 2 * 10**9}),
        json.dumps(body | {"tracks": [track, track]}), json.dumps(body | {"tracks": [track[:-1]]}),
        changed(0, -1), changed(3, 0), changed(7, 3001), changed(8, 99_999_999), changed(8, track[8] + 100), changed(-1, "AAAA"),
    ]  # fmt: skip
    for state in wrong:
        with pytest.raises(TrackerStateError) as expected:
            FaceTracker(state)
        with pytest.raises(Error, match="TrackerStateError") as found:
            page.evaluate(LOADS, state)
        assert str(expected.value) in str(found.value), state[:80]
