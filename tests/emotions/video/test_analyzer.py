"""Video analysis, annotated videos, timelines and their chart, with the shipped models."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from io import BytesIO

import av
import numpy as np
import pytest

from emotions import EMOTIONS, FaceAnalyzer
from emotions.errors import VideoError
from emotions.face.results import Box, Face
from emotions.video.analyzer import VideoAnalyzer
from emotions.video.timeline import MAX_BINS, Timeline
from emotions.video.timeline_chart import MAX_PEOPLE, format_time, render_svg
from emotions.video.writer import VideoWriter
from tests import clips


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer(head="mixed")


def face(number: int, emotion: str, confidence: float = 0.7) -> Face:
    rest = (1 - confidence) / 6
    return Face(number, Box(10.4, 20, 30, 40), 0.9, tuple(confidence if name == emotion else rest for name in EMOTIONS))


def two_people(seconds: float = 2.0) -> bytes:
    """Encode a video of one person for a second, then of another one in the same place."""
    frames = [(index / 10, clips.still("obama.jpg" if index < 10 else "angry.png")) for index in range(int(seconds * 10))]
    return clips.clip(frames)


def test_identical_frames_give_identical_results(analyzer):
    lossless = clips.clip(clips.still_frames(12), "matroska", "ffv1", pixels="yuv444p")
    results = list(VideoAnalyzer(lossless, 10, analyzer=analyzer))
    assert len(results) == 12 and all(len(one.result.faces) == 1 for one in results)
    faces = [one.result.faces[0] for one in results]
    assert {one.raw for one in faces} == {faces[0].raw} and {(one.id, one.box, one.emotion) for one in faces} == {
        (0, faces[0].box, "happy")
    }
    assert all(one.probabilities == pytest.approx(faces[0].raw, abs=0.001) for one in faces)


def test_the_container_does_not_change_the_result(analyzer):
    bodies = []
    for container in ("matroska", "mov"):
        data = clips.clip(clips.still_frames(6), container, "mjpeg", pixels="yuvj420p")
        bodies.append([one.to_json() for one in VideoAnalyzer(data, analyzer=analyzer)])
    assert bodies[0] == bodies[1] and bodies[0][0]["faces"]


def test_rotation_metadata_is_applied(analyzer):
    sideways = [(time, np.rot90(image, -1)) for time, image in clips.still_frames(4)]
    (upright,) = VideoAnalyzer(clips.clip(clips.still_frames(4)), analyzer=analyzer, fps=1)
    (rotated,) = VideoAnalyzer(clips.clip(sideways, rotation=90), analyzer=analyzer, fps=1)
    (one,), (other,) = upright.result.faces, rotated.result.faces
    assert (rotated.result.width, rotated.result.height) == (320, 240)
    assert abs(one.box.left - other.box.left) < 8 and abs(one.box.top - other.box.top) < 8 and one.emotion == other.emotion


def test_boxes_are_in_full_size_pixels(analyzer):
    small, large = (
        next(
            iter(
                VideoAnalyzer(
                    clips.clip([(0, clips.still(size=size))], "matroska", "mjpeg", pixels="yuvj420p"), analyzer=analyzer
                )
            )
        )
        for size in ((640, 480), (1920, 1440))
    )
    assert large.image.pixels.shape == (768, 1024, 3) and large.result.width == 1920
    assert large.result.faces[0].box.width == pytest.approx(3 * small.result.faces[0].box.width, rel=0.1)


def test_summary(analyzer):
    video = VideoAnalyzer(two_people(), 10, analyzer=analyzer)
    rows = [one.to_json() for one in video]
    summary = video.summary()
    assert [row["time"] for row in rows] == [index / 10 for index in range(20)]
    assert summary["frames"] == 20 and summary["duration"] == pytest.approx(2, abs=0.1) and summary["fps"] == 10
    assert (summary["width"], summary["height"], summary["partial"], summary["reason"]) == (320, 240, False, None)
    assert summary["model"] == {"name": "vgg16/mixed", "version": analyzer.classifier.description["version"]}
    first, second = summary["people"]
    assert (first["id"], first["frames"], first["first"], first["last"]) == (0, 10, 0.0, 0.9)
    assert (second["id"], second["frames"], second["first"], second["last"]) == (1, 10, 1.0, 1.9)
    assert first["shares"]["happy"] == second["shares"]["anger"] == 1
    for person in summary["people"]:
        faces = [face for row in rows for face in row["faces"] if face["id"] == person["id"]]
        for name in EMOTIONS:
            assert person["shares"][name] == pytest.approx(np.mean([one["emotion"] == name for one in faces]), abs=1e-4)
            assert person["mean"][name] == pytest.approx(np.mean([one["probabilities"][name] for one in faces]), abs=1e-3)


def test_truncated_video_gives_a_partial_summary(analyzer):
    data = clips.clip(clips.still_frames(30), "matroska")
    video = VideoAnalyzer(data[: len(data) * 2 // 3], analyzer=analyzer)
    rows = list(video)
    summary = video.summary()
    assert rows and summary["partial"] and summary["reason"] == "cut_off" and "cut off" in summary["detail"]
    assert summary["duration"] < 2 < summary["stated_duration"]


def test_annotated_video(analyzer, tmp_path):
    path = tmp_path / "out.mp4"
    video = VideoAnalyzer(two_people(), 2, analyzer=analyzer)
    with VideoWriter(path) as writer:
        for one in video.results(every_frame=True):
            writer.add(one.time, one.annotated())
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index comes first, so that browsers can start at once"
    with av.open(BytesIO(data)) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        frames = [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]
    assert [time for time, _ in frames] == pytest.approx([index / 10 for index in range(20)], abs=0.001), (
        "every frame of the source"
    )
    plain = clips.still().astype(int)
    assert np.abs(frames[0][1] - plain).max(axis=2).max() > 100, "a box is drawn"
    assert np.abs(frames[1][1].astype(int) - frames[0][1]).mean() < 3, "the box stays in the frames between the sampled ones"


@pytest.mark.parametrize("count", [1, 2, 3, 40])
@pytest.mark.parametrize("held", [0.1, 8.0])
def test_the_last_frame_of_a_written_video_lasts_until_its_end(tmp_path, count, held):
    path, times = tmp_path / "out.mp4", np.arange(count) / 10
    with VideoWriter(path) as writer:
        for number, time in enumerate(times):
            until = time + 0.1 if number < count - 1 else time + held
            writer.add(time, np.full((120, 160, 3), 40 + 20 * (number % 8), np.uint8), until)
    with av.open(str(path)) as container:
        (stream,) = container.streams
        assert container.duration / 1e6 == pytest.approx(times[-1] + held, abs=0.002)
        assert float(stream.duration * stream.time_base) == pytest.approx(times[-1] + held, abs=0.002)
        assert [float(frame.time) for frame in container.decode(stream)] == pytest.approx(times, abs=0.001)


def test_size_limit_of_the_writer(tmp_path):
    noise = np.random.default_rng(0)
    sizes = []
    for max_bytes in (None, 50_000):
        path = tmp_path / f"{max_bytes}.mp4"
        with VideoWriter(path, max_bytes, 2.0) as writer:
            for index in range(40):
                writer.add(index / 20, noise.integers(0, 255, (120, 161, 3), np.uint8))
        sizes.append(path.stat().st_size)
    assert sizes[0] > 4 * sizes[1] and sizes[1] < 80_000


def test_writer_removes_the_file_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), VideoWriter(tmp_path / "out.mp4") as writer:
        writer.add(0, clips.still())
        writer.add(1 / 0, clips.still())
    with pytest.raises(VideoError), VideoWriter(tmp_path / "none.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_timeline_size_is_bounded():
    timeline = Timeline(5)
    for index in range(3600 * 5):
        timeline.add(index / 5, [face(0, "happy"), face(1, "sad")][: 1 + index % 2])
    first, second = timeline.people.values()
    assert len(first.bins) <= MAX_BINS and (first.frames, second.frames) == (18_000, 9_000)
    assert sum(sums[0] for sums in first.bins.values()) == pytest.approx(first.seconds) == pytest.approx(3600)
    svg = render_svg(timeline, 3600)
    assert len(svg) < 150_000
    minute = Timeline(5)
    for index in range(300):
        minute.add(index / 5, [face(0, "happy"), face(1, "sad")])
    assert len(svg) < 3 * len(render_svg(minute, 60))


@pytest.mark.parametrize("people", [0, 1, 3, 20])
def test_chart_is_well_formed(people):
    timeline = Timeline(2)
    for index in range(20):
        timeline.add(index / 2, [face(number, EMOTIONS[number % 7]) for number in range(people) if index >= number // 2])
    root = ElementTree.fromstring(render_svg(timeline, 10))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    bands = [text for text in texts if text.startswith("Person")]
    assert len(bands) == min(people, MAX_PEOPLE)
    assert ("No face was found." in texts) == (people == 0) and any(
        "more, who were seen for less time" in text for text in texts
    ) == (people > MAX_PEOPLE)
    assert "10 s" in texts and "Surprise" in texts


def test_chart_shows_a_gap():
    timeline = Timeline(5)
    for index in range(40):
        timeline.add(index / 5, [face(0, "happy")] if index < 10 or index >= 30 else [])
    happy = [part for part in render_svg(timeline, 8).splitlines() if part.startswith('<path fill="#f0e442"')]
    assert len(happy) == 2


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (4.25, "4.2 s"), (59, "59 s"), (185, "3:05"), (3723, "1:02:03")])
def test_format_time(seconds, text):
    assert format_time(seconds) == text
