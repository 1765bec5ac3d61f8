"""Audio decoding: formats, sample rates, channels, truncated and damaged files, other files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from emotions.errors import AudioError
from emotions.runtime.limits import Limits, get_limits, set_limits
from emotions.runtime.memory import _budget as budget
from emotions.speech.audio import open_audio
from tests.sounds import encoded, voice_like

FORMATS = {
    "wav": ("wav", "pcm_s16le", 16_000, "mono"),
    "float wav": ("wav", "pcm_f32le", 44_100, "stereo"),
    "telephone": ("wav", "pcm_mulaw", 8_000, "mono"),
    "5 channels": ("wav", "pcm_s16le", 48_000, "5.0"),
    "flac": ("flac", "flac", 96_000, "stereo"),
    "mp3": ("mp3", "libmp3lame", 22_050, "mono"),
    "m4a": ("mp4", "aac", 44_100, "stereo"),
    "opus": ("ogg", "libopus", 48_000, "mono"),
    "webm": ("webm", "libopus", 48_000, "mono"),
}


@pytest.fixture
def limits() -> Iterator[Callable[..., Limits]]:
    """Change limits for a test."""
    before = get_limits()
    yield set_limits
    set_limits(before)


def error_code(data: bytes) -> str:
    with pytest.raises(AudioError) as caught:
        samples_of(data)
    assert budget.used == 0
    return caught.value.code


def samples_of(data: bytes) -> tuple[np.ndarray, bool]:
    with open_audio(data) as audio:
        samples = np.concatenate(list(audio.blocks()))
        assert audio.seconds == len(samples) / 16_000
        return samples, audio.partial


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name):
    kind, codec, rate, layout = FORMATS[name]
    channels = {"mono": 1, "stereo": 2, "5.0": 5}[layout]
    voice = voice_like(2.0, rate)
    samples, partial = samples_of(encoded(np.tile(voice, (channels, 1)), kind, codec, rate, layout))
    assert samples.dtype == np.float32 and not partial
    assert abs(len(samples) / 16_000 - 2.0) < 0.15  # codecs pad
    expected = voice_like(2.0, 16_000)
    short, long = np.abs(np.fft.rfft(expected, 32_000))[:8000], np.abs(np.fft.rfft(samples[:32_000], 32_000))[:8000]
    assert np.corrcoef(short[:3400], long[:3400])[0, 1] > 0.7  # similar spectra; lossy codecs change the phases


@pytest.mark.parametrize("name", ["wav", "flac", "opus", "webm"])
def test_truncated_file_is_decoded_up_to_its_end(name):
    kind, codec, rate, layout = FORMATS[name]
    data = encoded(np.tile(voice_like(4.0, rate), (2 if layout == "stereo" else 1, 1)), kind, codec, rate, layout)
    samples, partial = samples_of(data[: len(data) // 2])
    assert 1.0 < len(samples) / 16_000 < 3.5
    assert partial or name in ("opus", "webm")  # Ogg's length stands on its last page, and browsers' WebM states none


def test_damage_in_the_middle_is_skipped():
    data = bytearray(encoded(voice_like(4.0, 48_000), "webm", "libopus", 48_000))
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    samples, _ = samples_of(bytes(data))
    assert len(samples) > 16_000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"), (b"no sound at all, but text " * 50, "not_a_sound"), 
        (bytes(5000), "not_a_sound"), (b"#EXTM3U\nhttp://127.0.0.1:9/secret.mp3\n", "not_a_sound"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "not_a_sound"),
    ],
)  # fmt: skip
def test_other_files_are_rejected(data, code):
    with pytest.raises(AudioError) as caught:
        samples_of(data)
    assert caught.value.code == code


def test_header_without_samples():
    with pytest.raises(AudioError) as caught:
        samples_of(encoded(voice_like(1.0))[:44])
    assert caught.value.code in ("truncated_sound", "not_a_sound")


def test_video_without_audio_stream():
    import av

    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError) as caught:
        samples_of(target.getvalue())
    assert caught.value.code == "no_sound_track"


def test_nan_and_infinity_become_finite():
    voice = voice_like(1.0)
    voice[100:200] = np.nan
    voice[300] = np.inf
    samples, _ = samples_of(encoded(voice, "wav", "pcm_f32le"))
    assert np.isfinite(samples).all()


def test_maximum_duration(limits):
    limits(sound_seconds=1.0)
    assert error_code(encoded(voice_like(1.5))) == "sound_too_long"


def test_maximum_duration_of_pcm_is_checked_before_it_is_decoded(limits):
    """The length of such a WAV file is known from its size, whatever a recorder that streams has left in its header."""
    limits(sound_seconds=1.0)
    data = bytearray(encoded(voice_like(1.5), "wav", "pcm_s16le"))
    for _ in range(2):
        with pytest.raises(AudioError) as caught, open_audio(bytes(data)):
            pass
        assert caught.value.code == "sound_too_long"
        data[4:8] = data[data.index(b"data") + 4 : data.index(b"data") + 8] = b"\xff" * 4
    limits(sound_seconds=2.0)
    assert len(samples_of(bytes(data))[0]) > 0


def test_source_types_give_the_same_samples(tmp_path):
    data = encoded(voice_like(1.0), "flac", "flac")
    (tmp_path / "voice.flac").write_bytes(data)
    expected, _ = samples_of(data)
    file = io.BytesIO(data)
    file.seek(5)  # a file object is read from its beginning
    for source in (tmp_path / "voice.flac", str(tmp_path / "voice.flac"), bytearray(data), memoryview(data), file):
        with open_audio(source) as audio:
            assert np.array_equal(np.concatenate(list(audio.blocks())), expected)
    with pytest.raises(TypeError, match="path"):
        samples_of(7)
