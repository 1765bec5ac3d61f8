"""Cleaning of recordings: channels, high-pass filter, stationary noise, bandwidth."""

from __future__ import annotations

import numpy as np
import pytest

from emotions.speech.classifier import SpeechClassifier
from emotions.speech.cleaning import (
    MIN_SNR_DB,
    ChannelMixer,
    HighPass,
    is_below_telephone,
    is_narrow_band,
    missing_bands,
    outside_telephone,
    signal_to_noise,
    subtract_noise,
    without_bands,
)
from emotions.speech.spectrogram import SAMPLE_RATE, band_edges, log_mel
from scripts.speech.conditions import CONDITIONS, add, babble, band, wav_bytes
from tests.sounds import encoded, voice_like


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """A synthetic voice with pauses and with breath, which has high frequencies as full-band speech has."""
    samples = voice_like(4.0)
    hiss = 0.03 * np.random.default_rng(0).standard_normal(len(samples))
    consonants = np.arange(len(samples)) % 4800 < 800
    return (samples + hiss * consonants).astype(np.float32)


def condition(name: str, voice: np.ndarray) -> bytes:
    return wav_bytes(CONDITIONS[name](voice, np.random.default_rng(0), [voice, voice[::-1].copy()]))


@pytest.fixture(scope="module")
def classifier() -> SpeechClassifier:
    return SpeechClassifier()


def test_high_pass_removes_offset_and_rumble_and_keeps_voices():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE

    def gain(hertz: float) -> float:
        tone = np.cos(2 * np.pi * hertz * time).astype(np.float32)
        filtered = HighPass()(tone)
        return float(np.sqrt(np.mean(filtered[8000:] ** 2) / np.mean(tone[8000:] ** 2)))

    assert gain(0) < 0.01 and gain(10) < 0.03 and gain(50) < 0.45
    assert gain(80) == pytest.approx(0.707, abs=0.02) and gain(200) > 0.97 and gain(3000) > 0.99


@pytest.mark.parametrize("size", [37, 320, 16_000])
def test_high_pass_of_pieces_is_that_of_the_whole(size):
    samples = np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    whole, in_pieces = HighPass()(samples), HighPass()
    pieces = [in_pieces(samples[start : start + size]) for start in range(0, len(samples), size)]
    assert np.allclose(np.concatenate(pieces), whole, atol=1e-4)
    assert len(HighPass()(samples[:0])) == 0


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (lambda one, other: (one, one), lambda one, other: one),
        (lambda one, other: (one, -one), lambda one, other: one),
        (lambda one, other: (one, 0 * one), lambda one, other: one),
        (lambda one, other: (0 * one, one), lambda one, other: one),
        (lambda one, other: (0.3 * one, -one), lambda one, other: -one),
        (lambda one, other: (one, other), lambda one, other: (one + other) / 2),
        (lambda one, other: (0 * one, 0 * one), lambda one, other: 0 * one),
    ],
)
def test_channels_do_not_cancel_each_other(channels, expected):
    random = np.random.default_rng(0)
    one, other = random.standard_normal((2, 4000))
    assert np.allclose(ChannelMixer()(np.stack(channels(one, other))), expected(one, other))


@pytest.mark.parametrize("noise", [0.3, "hum"])
def test_a_dead_channel_with_an_offset_or_hum_is_not_taken_for_the_voice(noise):
    voice = 0.05 * np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    dead = 0.3 * np.sin(2 * np.pi * 50 * np.arange(SAMPLE_RATE) / SAMPLE_RATE) if noise == "hum" else np.full(SAMPLE_RATE, noise)
    assert np.allclose(ChannelMixer()(np.stack([dead, voice])), voice)


@pytest.mark.parametrize("layout", ["2.1", "5.1"])
def test_a_voice_on_any_of_many_channels_is_read(classifier, voice, layout):
    """FFmpeg's mix of 5.1 leaves out the channel of low frequencies; recorders with many inputs put a voice on any of them."""
    count = {"2.1": 3, "5.1": 6}[layout]
    emotion = classifier.predict(wav_bytes(voice)).emotion
    assert emotion is not None
    for channel in range(count):
        planes = np.zeros((count, len(voice)), np.float32)
        planes[channel] = voice
        for _ in range(2):  # alone, and with its opposite on the next channel
            result = classifier.predict(encoded(planes, codec="pcm_f32le", layout=layout))
            assert result.emotion == emotion, (channel, result.reason)
            planes[(channel + 1) % count] = -voice


@pytest.mark.slow
@pytest.mark.parametrize("gap", [0.0, 2e-4])
def test_long_pauses_and_silence_do_not_hide_a_voice(classifier, voice, gap):
    """The level of the recording and of its noise are those of the speech and of its short pauses."""
    pause = (gap * np.random.default_rng(0).standard_normal(90 * SAMPLE_RATE)).astype(np.float32)
    alone = classifier.predict(wav_bytes(voice)).emotion
    for parts in ([voice, pause, voice], [pause, voice, pause]):
        result = classifier.predict(wav_bytes(np.concatenate(parts)))
        assert result.emotion == alone, result.reason
        start = sum(map(len, parts[:1])) / SAMPLE_RATE if parts[0] is pause else 0
        assert any(segment.emotion == alone and abs(segment.start - start) < 1.7 for segment in result.segments)


def test_the_step_to_an_offset_is_no_sound(classifier, voice):
    silent = np.zeros(2 * SAMPLE_RATE, np.float32)
    (clean, *_), (shifted, *_) = (
        classifier.predict(wav_bytes(np.concatenate([silent, voice]) * 0.5 + offset)).segments for offset in (0, 0.4)
    )
    assert shifted.start == pytest.approx(clean.start, abs=0.1) and clean.start > 1.5 and shifted.emotion == clean.emotion


def test_noise_is_subtracted_from_the_lowest_bands_alone():
    random = np.random.default_rng(0)
    frames = (-60 + 3 * random.standard_normal((400, 64))).astype(np.float16)
    frames[::4] += 40  # speech
    frames[:, 2] = -20  # hum
    before = frames.copy()
    subtract_noise(frames)
    assert (frames[:, 8:] == before[:, 8:]).all() and np.isfinite(frames).all()
    assert (frames[:, 2] <= -44.9).all() and np.abs(frames[::4, :2] - before[::4, :2]).max() < 1
    short = before[:20].copy()
    subtract_noise(short)
    assert (short == before[:20]).all()


@pytest.mark.parametrize("name", ["clean", "DC offset", "anti-phase stereo", "one dead channel"])
def test_a_voice_is_read_as_if_it_were_clean(classifier, voice, name):
    clean, result = classifier.predict(wav_bytes(voice)), classifier.predict(condition(name, voice))
    assert result.reason is None and result.emotion == clean.emotion


@pytest.mark.parametrize("name", ["telephone, 300 to 3,400 Hz", "low-pass 3.4 kHz", "G.711, 8 kHz"])
def test_telephones_are_answered(classifier, voice, name):
    assert classifier.predict(condition(name, voice)).reason is None


@pytest.mark.parametrize("hertz", [1400, 1800])
def test_less_than_a_telephone_is_not_guessed(classifier, voice, hertz):
    result = classifier.predict(wav_bytes(band(voice, 0, hertz)))
    assert result.reason == "narrow_band" and result.emotion is None


def test_of_a_narrow_recording_only_a_telephones_band_counts(classifier):
    random = np.random.default_rng(0)
    frames = (-50 + 10 * random.standard_normal((200, 64))).astype(np.float16)
    other, missing = frames.copy(), outside_telephone(low=True)
    other[:, missing] += 20 * random.standard_normal((200, missing.sum())).astype(np.float16)
    assert (without_bands(frames, missing) == without_bands(other, missing)).all()
    assert (without_bands(frames, missing)[:, ~missing] == frames[:, ~missing]).all()
    same = [classifier.classify_windows(one, [0], missing)[0] for one in (frames, other)]
    assert (same[0] == same[1]).all()
    assert np.abs(classifier.classify_windows(frames, [0])[0] - same[0]).max() > 0


def test_missing_bands_of_a_voice(voice):
    middle = band_edges()[1:-1]
    assert not missing_bands(log_mel(voice)).any()
    for low in (0, 320):
        missing = missing_bands(log_mel(band(voice, low, 3400)))
        assert missing[middle > 3500].all() and not missing[(middle > 400) & (middle < 3200)].any()
        assert missing[middle < 200].all() == bool(low)


def test_signal_to_noise_ratio_follows_the_mixture(voice):
    random = np.random.default_rng(0)
    others = [voice_like(4.0, seed=seed) for seed in range(1, 7)]
    for noise in (random.standard_normal(len(voice)), None):
        measured = [
            signal_to_noise(log_mel(add(voice, noise, snr) if noise is not None else babble(snr)(voice, random, others)))
            for snr in (30, 20, 10, 0)
        ]
        assert measured == sorted(measured, reverse=True) and measured[0] > MIN_SNR_DB > measured[-1]
    assert signal_to_noise(log_mel(voice)) > MIN_SNR_DB
    assert signal_to_noise(log_mel(voice[:8000])) == signal_to_noise(np.zeros((0, 64))) == np.inf  # too short to tell


@pytest.mark.parametrize("voices", [4, 6])
def test_a_voice_among_others_is_not_guessed(classifier, voice, voices):
    others = [voice_like(4.0, seed=seed) for seed in range(1, 7)]
    result = classifier.predict(wav_bytes(babble(0, voices)(voice, np.random.default_rng(0), others)))
    assert result.reason in ("noisy", "not_speech") and result.emotion is None


def test_band_of_silence_and_noise():
    assert not is_narrow_band(log_mel(np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)))
    assert is_narrow_band(log_mel(np.sin(np.arange(SAMPLE_RATE, dtype=np.float32))))
    assert not is_below_telephone(log_mel(np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)))
    is_narrow_band(log_mel(np.zeros(SAMPLE_RATE, np.float32)))  # any answer: silence has its own reason
