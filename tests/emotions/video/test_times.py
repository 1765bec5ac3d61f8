"""Times of frames: what is held weighs the seconds for which it is on screen, whatever the frame rate and the container."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import av
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from emotions import EMOTIONS, FaceAnalyzer, FaceTracker
from emotions.errors import VideoError
from emotions.face.results import Box, Face, ImageResult
from emotions.image.loading import LoadedImage, encode_jpeg
from emotions.video.analyzer import VideoAnalyzer
from emotions.video.clock import held_seconds
from emotions.video.reader import VideoReader
from emotions.video.timeline import Timeline
from tests import clips

DATA = Path(__file__).resolve().parents[2] / "data"
SIZE = (160, 120)
ULTRAFAST = {"preset": "ultrafast"}
REORDERED = {"preset": "ultrafast", "bf": "3", "b_strategy": "0", "x264-params": "b-adapt=0:bframes=3"}
CONTAINERS = [("mp4", "libx264", ULTRAFAST), ("mp4", "libx264", REORDERED), ("matroska", "libx264", REORDERED),
              ("webm", "libvpx", {"deadline": "realtime", "cpu-used": "8"}), ("matroska", "mjpeg", {})]  # fmt: skip
GREY = LoadedImage(np.full((120, 160, 3), 120, np.uint8), 160, 120, 0.0)


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


def shade(number: int) -> np.ndarray:
    """A picture that differs from the next ones in its lightness."""
    return np.full((SIZE[1], SIZE[0], 3), 40 + 20 * (number % 8), np.uint8)


def encode(times: Sequence[float], container: str = "mp4", codec: str = "libx264", options: dict | None = None) -> bytes:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    frames = [(time, shade(number)) for number, time in enumerate(times)]
    return clips.clip(frames, container, codec, pixels=pixels, codec_options=options)


def with_last(data: bytes, seconds: float) -> bytes:
    """Copy the packets into an MP4 whose last one has another duration."""
    buffer = BytesIO()
    with av.open(BytesIO(data)) as source, av.open(buffer, "w", format="mp4") as target:
        (stream,) = source.streams.video
        copy = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        packets[-1].duration = round(seconds / packets[-1].time_base)
        for packet in packets:
            packet.stream = copy
            target.mux(packet)
    return buffer.getvalue()


def element(name: str, content: bytes | int) -> bytes:
    """Write an element of Matroska: id, size in eight bytes, content."""
    body = content.to_bytes(4, "big") if isinstance(content, int) else content
    return bytes.fromhex(name) + (len(body) | 1 << 56).to_bytes(8, "big") + body


def matroska(stamps: Sequence[float], codec: bytes = element("86", b"V_MJPEG"), packets: Sequence[bytes] = ()) -> bytes:
    """Write a packet, by default a JPEG, for each time stamp in seconds into a Matroska file, whatever a muxer would accept."""
    packets = packets or [encode_jpeg(shade(number)) for number in range(len(stamps))]
    video = element("e0", element("b0", SIZE[0]) + element("ba", SIZE[1]))
    track = element("ae", element("d7", 1) + element("73c5", 1) + element("83", 1) + codec + video)
    clusters = [
        element("1f43b675", element("e7", round(1000 * stamp)) + element("a3", b"\x81\0\0\x80" + packet))
        for stamp, packet in zip(stamps, packets, strict=True)
    ]
    header = element("1a45dfa3", element("4282", b"matroska"))
    information = element("1549a966", element("2ad7b1", 1_000_000))
    return header + element("18538067", information + element("1654ae6b", track) + b"".join(clusters))


def read(data: bytes, **options) -> tuple[VideoReader, list]:
    with VideoReader(data, **options) as reader:
        return reader, list(reader.frames())


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        *(("avi", "libx264", options) for options in (ULTRAFAST, REORDERED)),
        *(("asf", "libx264", options) for options in (ULTRAFAST, REORDERED)),
        ("avi", "mpeg4", {"bf": "2"}),
        ("mpeg1video", "mpeg1video", {"bf": "2"}),
        ("mpeg2video", "mpeg2video", {"bf": "2"}),
    ],
)
def test_times_are_those_of_showing_where_the_file_has_those_of_decoding(container, codec, options):
    reader, frames = read(encode(np.arange(40) / 25, container, codec, options), fps=25)
    assert [frame.time for frame in frames] == pytest.approx(np.arange(40) / 25, abs=0.002)
    assert [frame.until for frame in frames] == pytest.approx(np.arange(1, 41) / 25, abs=0.002)
    assert [frame.image.pixels.mean() for frame in frames] == pytest.approx(
        [shade(number).mean() for number in range(40)], abs=15
    )
    assert reader.duration == pytest.approx(1.6, abs=0.002) and reader.reason is None


def test_times_of_a_codec_that_matroska_stores_as_avi():
    with av.open(BytesIO(encode(np.arange(40) / 25, "avi", options=REORDERED))) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    bitmap = struct.pack("<IiiHH4sIiiII", 40, *SIZE, 1, 24, b"H264", 0, 0, 0, 0, 0)
    private = element("86", b"V_MS/VFW/FOURCC") + element("63a2", bitmap)
    _, frames = read(matroska([number / 25 for number in range(40)], private, packets), fps=25)
    assert [frame.time for frame in frames] == pytest.approx(np.arange(40) / 25, abs=0.002)


@pytest.mark.parametrize("options", [ULTRAFAST, REORDERED])
def test_a_held_frame_of_windows_media(options):
    times = [0, 0.1, 0.2, 0.3, 8.3, 8.4, 8.5, 8.6, 8.7, 8.8]
    _, frames = read(encode(times, "asf", options=options), fps=10)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.002)
    assert frames[3].until == pytest.approx(8.3, abs=0.002)


@pytest.mark.parametrize(("container", "codec", "options"), CONTAINERS)
@pytest.mark.parametrize("seed", range(3))
def test_every_frame_that_is_held_is_sampled_with_its_end(container, codec, options, seed):
    """Random durations from 20 ms to 3 s: at each sampling time in a hold, the frame on screen was sampled."""
    random = np.random.default_rng(seed)
    times = np.concatenate([[0], np.cumsum(np.round(np.exp(random.uniform(np.log(0.02), np.log(3), 30)), 3))])
    reader, frames = read(encode(times, container, codec, options))
    ends = dict(enumerate([*times[1:], None]))
    assert frames[0].time == 0 and len({frame.number for frame in frames}) == len(frames)
    for frame in frames:
        assert frame.time == pytest.approx(times[frame.number], abs=0.002)
        assert ends[frame.number] is None or frame.until == pytest.approx(ends[frame.number], abs=0.002)
        assert frame.image.pixels.mean() == pytest.approx(shade(frame.number).mean(), abs=4)
    sampled = {frame.number for frame in frames}
    assert {number for number, time in enumerate(times[:-1]) if times[number + 1] - time > 0.41} <= sampled
    slots = [int((frame.time + 0.002) * 5) for frame in frames]
    assert max(slots.count(slot) for slot in slots) <= 2, "at most one more in a sampling interval, for what is held after it"
    assert reader.duration >= times[-1]


@pytest.mark.parametrize("last", [0.1, 2.0, 25.0])
@pytest.mark.parametrize("options", [ULTRAFAST, REORDERED])
def test_the_last_frame_of_an_mp4_lasts_as_long_as_it_states(last, options):
    data = with_last(encode([0, 0.2, 0.4, 0.6, 0.8], options=options), last)
    reader, frames = read(data)
    assert reader.duration == pytest.approx(frames[-1].until) and frames[-1].number == 4
    if options is ULTRAFAST:  # else the last packet is not the last frame
        assert reader.duration == pytest.approx(0.8 + last, abs=0.01)


def test_the_last_frame_lasts_a_median_step_where_nothing_is_stated():
    data = clips.clip([(time, shade(0)) for time in (0, 2, 2.1, 2.2, 2.3)], "webm", "libvpx", live=True)
    reader, _ = read(data)
    assert reader.duration == pytest.approx(2.4, abs=0.01)


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([7, 7.5, 8, 8.5], [0, 0.5, 1, 1.5]),
        ([0, 0.5, 0.5, 0.5, 1, 1.5], [0, 0.5, 1, 1.5]),
        ([0, 1, 0.7, 0.9, 1.5, 2], [0, 1, 1.5, 2]),
        ([0, 0.5, 1, 1.5, 2, 0, 0.5, 1, 1.5], [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]),
        ([20, 20.5, 21, 0, 0.5], [0, 0.5, 1, 1.5, 2]),
        ([0, 0.5, 1, 30, 1.5, 2], [0, 0.5, 1, 30, 30.5, 31]),
    ],
)
def test_stamps_that_are_late_repeated_or_begin_anew(stamps, times):
    reader, frames = read(matroska(stamps), fps=2)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.05)
    assert all(frame.until > frame.time for frame in frames) and reader.reason is None
    assert times[-1] < reader.duration <= times[-1] + 0.6


@pytest.mark.parametrize("skipped", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kept", [2.0, 3.0])
def test_edit_list(skipped, kept):
    """An edit list that leaves out the beginning and the end, as phones write where a video is trimmed."""
    data = bytearray(encode(np.arange(50) / 10))
    place = data.index(b"elst") + 4
    count, _, begin = struct.unpack(">III", data[place + 4 : place + 16])
    assert count == 1
    with av.open(BytesIO(bytes(data))) as container:
        ticks = container.streams.video[0].time_base.denominator
    data[place + 8 : place + 16] = struct.pack(">II", round(kept * 1000), begin + round(skipped * ticks))
    reader, frames = read(bytes(data), fps=10)
    assert frames[0].time == 0 and reader.duration == pytest.approx(kept, abs=0.11)
    assert len(frames) == pytest.approx(10 * kept, abs=1)
    assert frames[0].image.pixels.mean() == pytest.approx(shade(round(10 * skipped)).mean(), abs=4)


def test_edit_list_of_many_parts():
    """Every other half second of a video, in the order of the list: the last one first."""
    data = encode(np.arange(60) / 10, options={**ULTRAFAST, "g": "5"})
    start = data.index(b"edts") - 4
    with av.open(BytesIO(data)) as container:
        ticks = container.streams.video[0].time_base.denominator
    parts = [struct.pack(">IiI", 500, begin * ticks, 0x10000) for begin in reversed(range(6))]
    entries = struct.pack(">I4sII", 16 + 12 * len(parts), b"elst", 0, len(parts)) + b"".join(parts)
    (old,) = struct.unpack_from(">I", data, start)
    changed = bytearray(data[:start] + struct.pack(">I4s", 8 + len(entries), b"edts") + entries + data[start + old :])
    for name in (b"moov", b"trak"):  # which stand after the frames, so that no offset changes
        place = changed.index(name) - 4
        changed[place : place + 4] = struct.pack(">I", struct.unpack_from(">I", changed, place)[0] + len(changed) - len(data))
    reader, frames = read(bytes(changed), fps=10)
    assert reader.duration == pytest.approx(3, abs=0.02) and reader.reason is None
    shown = [10 * begin + number for begin in reversed(range(6)) for number in range(5)]
    assert [frame.time for frame in frames] == pytest.approx(np.arange(30) / 10, abs=0.002)
    assert [frame.image.pixels.mean() for frame in frames] == pytest.approx([shade(number).mean() for number in shown], abs=4)


def test_one_person_at_constant_and_at_variable_rate(analyzer):
    """Eight seconds happy and two neutral: at 25 frames a second, and as one frame that is held."""
    summaries = []
    for name in ("constant_rate.mp4", "held_frame.mp4"):
        video = VideoAnalyzer(DATA / name, analyzer=analyzer)
        list(video)
        summaries.append(video.summary())
    people = [person for summary in summaries for person in summary["people"]]
    assert [(person["id"], person["first"]) for person in people] == [(0, 0.0), (0, 0.0)]
    constant, variable = people
    assert constant["seconds"] == 10 and variable["seconds"] == pytest.approx(9.98)
    assert variable["last"] == pytest.approx(constant["last"], abs=0.1)
    for name in EMOTIONS:
        assert variable["shares"][name] == pytest.approx(constant["shares"][name], abs=0.01)
        assert variable["mean"][name] == pytest.approx(constant["mean"][name], abs=0.01)


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_a_scene_gives_the_same_summary_at_any_frame_rate(analyzer, container):
    """A face for 3 s, none for 1 s, the face for 4 s, another one for 2 s: of each only the frames that change are written."""
    scene = [("obama.jpg", 3.0), (None, 1.0), ("obama.jpg", 4.0), ("angry.png", 2.0)]
    starts = np.cumsum([0, *(seconds for _, seconds in scene)])
    picture = lambda name: clips.still(name) if name else np.zeros_like(clips.still())  # noqa: E731
    constant = [
        (begin + step / 10, picture(name))
        for begin, (name, seconds) in zip(starts[:-1], scene, strict=True)
        for step in range(round(seconds * 10))
    ]
    held = [(begin, picture(name)) for begin, (name, _) in zip(starts[:-1], scene, strict=True)] + [(9.9, picture("angry.png"))]
    summaries = []
    for frames in (constant, held):
        video = VideoAnalyzer(clips.clip(frames, container, codec_options=ULTRAFAST), analyzer=analyzer)
        list(video)
        summaries.append(video.summary())
    one, other = summaries
    assert one["frames"] == 50 and other["frames"] < 10 and other["duration"] == pytest.approx(one["duration"], abs=0.11)
    assert [person["id"] for person in one["people"]] == [person["id"] for person in other["people"]]
    for first, second in zip(one["people"], other["people"], strict=True):
        for key in ("first", "last", "seconds"):
            assert second[key] == pytest.approx(first[key], abs=0.11), key
        assert second["shares"] == pytest.approx(first["shares"], abs=0.06)
        assert second["mean"] == pytest.approx(first["mean"], abs=0.06)


def result(probabilities: Sequence[float] | None) -> ImageResult:
    faces = () if probabilities is None else (Face(0, Box(50, 40, 40, 50), 0.9, tuple(probabilities)),)
    return ImageResult(160, 120, faces, "blazeface", {}, thresholds={"low_confidence": 0.6})


def probabilities_of(weights: Sequence[float]) -> tuple[float, ...]:
    return tuple((np.array(weights) / sum(weights)).tolist())


WEIGHTS = strategies.lists(strategies.floats(0.01, 1), min_size=7, max_size=7).map(probabilities_of)
SHOTS = strategies.lists(strategies.tuples(strategies.none() | WEIGHTS, strategies.integers(1, 40)), min_size=1, max_size=8)


@hypothesis.settings(max_examples=60, deadline=None, derandomize=True, database=None)
@hypothesis.given(shots=SHOTS)
def test_a_frame_that_is_held_counts_as_its_repetitions(shots):
    """Tracker and timeline: (probabilities, n) as one frame that is held for n intervals, and as n frames."""
    outcomes = []
    for is_held in (True, False):
        tracker, timeline, time = FaceTracker(), Timeline(5), 0.0
        ids = []
        for probabilities, count in shots:
            for _ in range(1 if is_held else count):
                seconds = count / 5 if is_held else 0.2
                faces = tracker.update(GREY, result(probabilities), time, held_seconds(seconds, 5)).faces
                timeline.add(time, faces, time + seconds)
                time += seconds
            ids.append([face.id for face in faces])
            smoothed = [face.probabilities for face in faces]
        outcomes.append((ids, smoothed, timeline.to_json(), timeline))
    (ids, smoothed, people, held), (other_ids, other_smoothed, others, repeated) = outcomes
    assert ids == other_ids and np.allclose(smoothed, other_smoothed, atol=1e-3)
    assert held.bin_seconds == repeated.bin_seconds
    for one, other in zip(people, others, strict=True):
        for key in ("id", "first", "last", "seconds"):
            assert one[key] == pytest.approx(other[key], abs=1e-3), key
        mine, its = held.people[one["id"]].bins, repeated.people[one["id"]].bins
        assert set(mine) == set(its)
        assert all(mine[index][0] == pytest.approx(its[index][0]) for index in mine)


@pytest.mark.parametrize(("start", "end"), [(0.0, None), (1.0, None), (0.0, 1.5), (0.7, 2.2), (2.9, None)])
def test_a_part_has_the_frames_of_the_whole(start, end):
    data = encode(np.arange(30) / 10)
    _, whole = read(data, fps=10)
    reader, part = read(data, fps=10, start=start, end=end)
    inside = [frame for frame in whole if frame.time > start - 0.05 and (end is None or frame.time < end - 0.01)]
    assert [(frame.time, frame.number) for frame in part] == [(frame.time, frame.number) for frame in inside]
    assert reader.reason is None and reader.duration == pytest.approx(end or whole[-1].until)


@pytest.mark.parametrize("fps", [0.1, 1, 5])
def test_a_part_begins_with_the_frame_that_is_held(analyzer, fps):
    video = VideoAnalyzer(DATA / "held_frame.mp4", fps, analyzer=analyzer, start=5.0, end=7.5)
    (frame,) = video
    summary = video.summary()
    assert (frame.time, frame.number, frame.until) == (5.0, 0, 7.5)
    assert (summary["start"], summary["duration"], summary["partial"]) == (5.0, 2.5, False)
    assert summary["people"][0]["seconds"] == 2.5 and summary["people"][0]["first"] == 5.0


@pytest.mark.parametrize(("start", "end"), [(-1, None), (float("nan"), None), (2, 2), (2, 1), (0, float("nan")), (2e6, None)])
def test_what_is_no_part(start, end):
    with pytest.raises(ValueError, match="start|end"):
        VideoReader(encode([0, 1]), start=start, end=end)


@pytest.mark.parametrize(("start", "end"), [(60, None), (60, 70), (3.5, 4), (2.95, None)])
def test_a_part_outside_of_the_video(start, end):
    with pytest.raises(VideoError, match="no frame from") as caught:
        read(encode(np.arange(30) / 10), start=start, end=end)
    assert caught.value.code == "outside_video"


@pytest.mark.parametrize("held", [-1, float("nan"), 1e10])
def test_invalid_holds(held):
    tracker = FaceTracker()
    before = tracker.state
    with pytest.raises(ValueError, match="held must be"):
        tracker.update(GREY, result(None), 0, held)
    assert tracker.state == before
