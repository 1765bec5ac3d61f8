"""Hostile recordings: any header and any sample gives a result or one clear error, within the server's memory."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator

import av
import numpy as np
import pytest

from emotions.errors import AudioError, TimeBudgetError
from emotions.runtime.limits import SERVER, get_limits, set_limits
from emotions.runtime.memory import _budget as budget
from emotions.runtime.time_budget import TimeBudget
from emotions.speech.audio import open_audio
from emotions.speech.classifier import SpeechClassifier
from emotions.speech.cleaning import HighPass
from emotions.speech.resampling import MAX_AMPLITUDE, Resampler
from emotions.speech.results import SpeechResult
from tests import media_headers
from tests.sounds import encoded, voice_like

CODES = {
    "not_a_sound", "unsupported_sound", "truncated_sound", "sound_too_long", "no_sound_track", "empty_file", "too_much_memory",
}  # fmt: skip
CHANNELS = (0, 1, 2, 3, 7, 8, 9, 17, 31, 32, 33, 255, 65_535)
RATES = (0, 1, 100, 999, 1000, 8000, 44_100, 767_999, 768_000, 768_001, 2**31 - 1, 2**32 - 1)
VALUES = (0.0, 1.0, -3e38, 3e38, 1e30, -1e10, 1e-40, float("inf"), float("-inf"), float("nan"))


@pytest.fixture(scope="module")
def classifier() -> SpeechClassifier:
    return SpeechClassifier()


@pytest.fixture(autouse=True)
def server_limits() -> Iterator[None]:
    before = set_limits(SERVER)
    yield
    set_limits(before)


@pytest.fixture
def outcome(classifier) -> Callable[[bytes], str | SpeechResult]:
    """Classify a recording: its result, which must be finite, or the code of its error, which must be a known one."""

    def classify(data: bytes) -> str | SpeechResult:
        try:
            result = classifier.predict(data)
        except AudioError as error:
            assert error.code in CODES
            return error.code
        finally:
            assert budget.used == 0
        assert np.isfinite(result.probabilities).all() and sum(result.probabilities) == pytest.approx(1, abs=1e-4)
        assert np.isfinite(result.envelope).all()
        return result

    return classify


@pytest.mark.parametrize("rate", RATES)
def test_every_sample_rate(outcome, rate):
    for channels in (1, 2):
        result = outcome(media_headers.wav(bytes(64_000), channels, rate))
        assert isinstance(result, SpeechResult) == (1000 <= rate <= 768_000), result


@pytest.mark.parametrize("channels", CHANNELS)
def test_every_number_of_channels(outcome, channels):
    for bits, kind in ((8, 1), (16, 1), (24, 1), (32, 1), (32, 3), (64, 3)):
        sound = np.random.default_rng(0).integers(0, 256, channels % 64 * 4000 * bits // 8 + 100, np.uint8).tobytes()
        result = outcome(media_headers.wav(sound, channels, 16_000, bits, kind))
        assert isinstance(result, SpeechResult) == (1 <= channels <= 32), (bits, kind, result)


@pytest.mark.parametrize("channels", [9, 32])
def test_channels_without_a_known_layout_are_averaged(channels):
    voice = voice_like(1.0)
    for kind, bits, scale in ((np.int16, 16, 32767), (np.int32, 32, 2**31 - 1), (np.uint8, 8, None), (np.float32, 32, 1.0)):
        values = (voice * 127 + 128) if scale is None else voice * np.float64(scale)
        sound = np.repeat(values.astype(kind)[:, None], channels, axis=1).tobytes()
        with open_audio(media_headers.wav(sound, channels, bits=bits, kind=3 if kind == np.float32 else 1)) as audio:
            samples = np.concatenate(list(audio.blocks()))
        filtered = HighPass()(voice)
        assert np.corrcoef(samples, filtered)[0, 1] > 0.99 and samples.std() == pytest.approx(filtered.std(), rel=0.05)


@pytest.mark.parametrize("layout", ["7.1", "9 channels", "hexadecagonal", "32 channels"])
@pytest.mark.parametrize("form", ["u8p", "s16p", "s32p", "fltp", "dblp", "s16", "flt"])
def test_frames_of_many_channels_are_mixed(form, layout):
    """PyAV ends the process with a segmentation fault where a frame with 8 or more planes becomes an array."""
    frame = av.AudioFrame(form, layout, 4096)
    frame.sample_rate = 32_000
    resampler = Resampler(frame)
    samples = np.concatenate([*resampler.resample(frame), *resampler.flush()])
    assert len(samples) == pytest.approx(2048, abs=64) and np.isfinite(samples).all()


@pytest.mark.parametrize("bits", [32, 64])
def test_every_value_of_a_sample(outcome, bits):
    random = np.random.default_rng(0)
    kind = np.float32 if bits == 32 else np.float64
    for value in (*VALUES, 1e300):
        with np.errstate(over="ignore"):
            constant = np.full(20_000, value).astype(kind)
            among = np.where(random.random(20_000) < 0.01, value, 0.1 * random.normal(size=20_000)).astype(kind)
        for samples in (constant, among):
            data = media_headers.wav(samples.tobytes(), bits=bits, kind=3)
            assert isinstance(outcome(data), SpeechResult)
            with open_audio(data) as audio:
                assert (
                    max(np.abs(block).max() for block in audio.blocks()) <= 3 * MAX_AMPLITUDE
                )  # the high-pass filter overshoots


@pytest.mark.parametrize("rate", [1, 999, 1000, 8000, 655_350])
@pytest.mark.parametrize("block", [16, 1000, 65_535])
def test_flac_of_every_rate_and_block(outcome, rate, block):
    result = outcome(media_headers.flac(rate, block, frames=5))
    assert (result == "unsupported_sound") == (rate < 1000)


def test_length_is_checked_before_a_block_is_expanded():
    """A frame of a minute at 1,000 samples a second: no array has more than a second of it."""
    with open_audio(media_headers.flac(1000, 65_535, frames=3)) as audio:
        assert max(len(block) for block in audio.blocks()) <= 2 * 16_384
    set_limits(get_limits(), sound_seconds=100.0)
    with open_audio(media_headers.flac(1000, 65_535, frames=3)) as audio:
        with pytest.raises(AudioError, match="longer than"):
            for _ in audio.blocks():
                assert audio.seconds <= 100
        assert audio.seconds < 102


def test_work_ends_with_the_time_budget(classifier):
    data = encoded(voice_like(20.0))
    for seconds, stopped, code in ((0.0, None, "too_much_work"), (None, lambda: "client_gone", "client_gone")):
        with pytest.raises(TimeBudgetError) as caught, TimeBudget(seconds, stopped):
            classifier.predict(data)
        assert caught.value.code == code and budget.used == 0


def test_equal_windows_are_classified_once(classifier, monkeypatch):
    sizes = []
    model = classifier.registry.model

    def counted(entry):
        def run(batch: np.ndarray) -> list[np.ndarray]:
            sizes.append(len(batch))
            return model(entry)(batch)

        return run

    monkeypatch.setattr(classifier.registry, "model", counted)
    result = classifier.predict(media_headers.wav(bytes(2 * 16_000 * 100)))
    assert len(result.segments) > 50 and result.reason == "silence" and sum(sizes) == 2  # one window, two networks


@pytest.mark.slow
def test_long_recordings_are_classified_in_pieces(classifier, monkeypatch):
    """The pieces adjoin each other, and memory for the spectrogram does not grow with their number."""
    from emotions.speech import pieces

    data = encoded(np.tile(voice_like(20.0), 6))
    whole = classifier.predict(data)
    monkeypatch.setattr(pieces, "PIECE_FRAMES", 1500)
    parts = classifier.predict(data)
    assert len(whole.envelope) == len(parts.envelope) and whole.seconds == parts.seconds
    times = [(segment.start, segment.end) for segment in parts.segments]
    assert times == sorted(times) and times[0][0] < 1 and times[-1][1] > 118 and abs(len(times) - len(whole.segments)) <= 8
    assert parts.probabilities == pytest.approx(whole.probabilities, abs=0.1)


def test_comments_and_pictures(outcome):
    """Words are not read: neither few of them nor very many hinder a recording, except in the formats where FFmpeg must."""
    sound, tag = bytes(40_000), media_headers.id3(200_000)
    chunk = b"id3 " + struct.pack("<I", len(tag)) + tag + b"\0" * (len(tag) % 2)
    assert isinstance(outcome(media_headers.wav(sound, extra=chunk)), SpeechResult)
    assert isinstance(outcome(media_headers.id3(200_000) + encoded(voice_like(2.0), "mp3", "libmp3lame")), SpeechResult)
    assert isinstance(outcome(media_headers.flac(16_000, 4096, comments=100, frames=5)), SpeechResult)
    assert outcome(media_headers.flac(16_000, 4096, comments=100_000, frames=5)) == "unsupported_sound"
    for name in (b"\3vorbis", b"OpusTags", b""):
        assert outcome(media_headers.ogg([bytes(40), name + media_headers.vorbis_comments(30_000)])) == "unsupported_sound"


KINDS = (
    ("wav", "pcm_s16le"), ("wav", "pcm_f32le"), ("wav", "adpcm_ima_wav"), ("wav", "pcm_mulaw"), ("flac", "flac"),
    ("ogg", "libopus"), ("mp3", "libmp3lame"), ("mp4", "aac"), ("mp4", "alac"), ("aiff", "pcm_s16be"), ("au", "pcm_s16be"),
    ("caf", "pcm_s16le"), ("webm", "libopus"), ("w64", "pcm_s16le"), ("tta", "tta"), ("wv", "wavpack"), ("avi", "mp2"),
    ("mpegts", "mp2"), ("adts", "aac"), ("ac3", "ac3"), ("amr", "libopencore_amrnb"), ("voc", "pcm_u8"),
)  # fmt: skip


def _recording(kind: str, codec: str, seconds: float) -> bytes:
    rate = {"libopus": 48_000, "libopencore_amrnb": 8000}.get(codec, 44_100)
    return encoded(voice_like(seconds, rate), kind, codec, rate)


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_formats_that_recorders_write(kind, codec):
    with open_audio(_recording(kind, codec, 1.0)) as audio:
        assert sum(map(len, audio.blocks())) == pytest.approx(16_000, abs=1600)


def _originals() -> list[bytes]:
    found = [_recording(kind, codec, 0.7) for kind, codec in KINDS]
    found += [media_headers.wav(bytes(8000), channels) for channels in (1, 2, 9, 31, 32)]
    found += [
        media_headers.flac(8000, 4096, channels=2, comments=3, frames=4),
        media_headers.movie(500, kind=b"soun", codec=b"twos"),
    ]
    return found


@pytest.mark.slow
def test_mutated_files(outcome):
    """Bytes replaced, removed and repeated, mostly in headers: a result or a known error, and never an exception."""
    random = np.random.default_rng(16)
    originals, seen = _originals(), set()
    for number in range(6000):
        data = bytearray(originals[number % len(originals)])
        for _ in range(int(random.integers(1, 12))):
            place = int(random.integers(0, min(len(data), int(random.choice([64, 300, 10**6])))))
            change = random.integers(0, 4)
            if change == 0:
                data[place] = int(random.choice([0, 1, 127, 128, 255, random.integers(0, 256)]))
            elif change == 1:
                data[place : place + 4] = int(random.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1])).to_bytes(4, "big")
            elif change == 2:
                del data[place : place + int(random.integers(1, 40))]
            else:
                data[place:place] = data[place : place + int(random.integers(1, 400))]
            data = data or bytearray(b"R")
        with TimeBudget(60):
            result = outcome(bytes(data))
        seen.add(result if isinstance(result, str) else "result")
    assert {"result", "not_a_sound"} <= seen


def test_no_other_file_and_no_address_is_opened(tmp_path):
    (tmp_path / "voice.wav").write_bytes(encoded(voice_like(1.0)))
    for text in (f"ffconcat version 1.0\nfile {tmp_path}/voice.wav\n", f"#EXTM3U\n#EXTINF:1\n{tmp_path}/voice.wav\n"):
        with pytest.raises(AudioError, match="not a recording"), open_audio(text.encode()):
            pass
    assert av.open(io.BytesIO(encoded(voice_like(1.0))))  # the library itself stays usable
