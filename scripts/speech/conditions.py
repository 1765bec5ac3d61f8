"""Conditions under which voices are recorded and sent: bands, codecs, hum, noise, echo, channels; for evaluation and training."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from emotions.speech.spectrogram import SAMPLE_RATE

Samples = np.ndarray
"""(T,) float32 mono at SAMPLE_RATE, or (2, T) stereo, full scale 1."""
Condition = Callable[[Samples, np.random.Generator, Sequence[Samples]], Samples]
"""Function of a mono recording, a random generator and other recordings, from which babble is mixed."""


def band(samples: Samples, low: float, high: float) -> Samples:
    """Keep the frequencies from `low` to `high` in Hz, with edges of a tenth of them, as steep as a telephone's filters."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    gain = np.clip((hertz - 0.9 * low) / max(0.1 * low, 1), 0, 1) * np.clip((1.1 * high - hertz) / (0.1 * high), 0, 1)
    return np.fft.irfft(spectrum * gain, len(samples)).astype(np.float32)


def level(samples: Samples) -> float:
    """Root mean square of the speech of a recording: of the louder half of its frames of 20 ms."""
    power = (samples[: len(samples) // 320 * 320].reshape(-1, 320) ** 2).mean(axis=1)
    return float(np.sqrt(np.mean(np.sort(power)[len(power) // 2 :])))


def add(samples: Samples, noise: Samples, snr: float) -> Samples:
    """Add noise at a signal-to-noise ratio in decibels."""
    scale = level(samples) / max(float(np.sqrt(np.mean(noise**2))), 1e-9) / 10 ** (snr / 20)
    return (samples + scale * noise[: len(samples)]).astype(np.float32)


def hum(hertz: float, snr: float) -> Condition:
    """Return mains hum: a sine and two weaker harmonics."""

    def apply(samples: Samples, random: np.random.Generator, _: Sequence[Samples]) -> Samples:
        time = np.arange(len(samples)) / SAMPLE_RATE
        phases = random.uniform(0, 2 * np.pi, 3)
        tones = [
            share * np.sin(2 * np.pi * n * hertz * time + phase)
            for n, share, phase in zip((1, 2, 3), (1, 0.1, 0.05), phases, strict=True)
        ]
        return add(samples, np.sum(tones, axis=0), snr)

    return apply


def babble(snr: float, voices: int = 6) -> Condition:
    """Return several other voices at once."""

    def apply(samples: Samples, random: np.random.Generator, others: Sequence[Samples]) -> Samples:
        mixed = np.zeros(len(samples))
        for index in random.choice(len(others), voices):
            voice = np.resize(np.roll(others[index], int(random.integers(len(others[index])))), len(samples))
            mixed += voice / max(level(others[index]), 1e-6)
        return add(samples, mixed, snr)

    return apply


def echo(seconds: float = 0.5, share: float = 0.05) -> Condition:
    """Return an artificial room impulse response: decaying noise, with its reverberation time and first amplitude."""

    def apply(samples: Samples, random: np.random.Generator, _: Sequence[Samples]) -> Samples:
        time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        impulse = random.standard_normal(len(time)) * np.exp(-6.9 * time / seconds) * share
        impulse[0] = 1
        size = len(samples) + len(impulse)
        return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(impulse, size), size)[: len(samples)].astype(np.float32)

    return apply


def clipping(gain: float) -> Condition:
    """Return an overload: the peak is amplified to `gain` times full scale and cut off."""
    return _plain(lambda samples: (gain * samples / max(float(np.abs(samples).max()), 1e-9)).clip(-1, 1))


def codec(name: str, container: str, rate: int, bits: int | None = None) -> Condition:
    """Return an encoding and decoding at a sample rate with FFmpeg's encoder `name`, in bits per second where it has a choice."""

    def apply(samples: Samples, random: np.random.Generator, _: Sequence[Samples]) -> Samples:
        import av

        buffer = io.BytesIO()
        with av.open(buffer, "w", format=container) as target:
            stream: Any = target.add_stream(name, rate=rate)
            stream.layout = "mono"
            if bits:
                stream.bit_rate = bits
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.clip(-1, 1)[None], np.float32), "flt", "mono")
            frame.sample_rate = SAMPLE_RATE
            resampler = av.AudioResampler(stream.format.name, "mono", rate, frame_size=stream.codec_context.frame_size or None)
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                target.mux(stream.encode(piece))
            target.mux(stream.encode(None))
        buffer.seek(0)
        pieces = []
        with av.open(buffer, "r") as source:
            resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
            for decoded in source.decode(audio=0):
                decoded.pts = None
                pieces += [one.to_ndarray()[0] for one in resampler.resample(decoded)]
            pieces += [one.to_ndarray()[0] for one in resampler.resample(None)]
        return np.concatenate(pieces)

    return apply


def _plain(function: Callable[[Samples], Samples]) -> Condition:
    return lambda samples, random, others: function(samples)


CONDITIONS: dict[str, Condition] = {
    "clean": _plain(lambda samples: samples),
    "telephone, 300 to 3,400 Hz": _plain(lambda samples: band(samples, 300, 3400)),
    "low-pass 3.4 kHz": _plain(lambda samples: band(samples, 0, 3400)),
    "low-pass 4 kHz": _plain(lambda samples: band(samples, 0, 4000)),
    "low-pass 5 kHz": _plain(lambda samples: band(samples, 0, 5000)),
    "G.711, 8 kHz": codec("pcm_mulaw", "wav", 8000),
    "Opus, 16 kbit/s": codec("libopus", "ogg", 16000, 16000),
    "Opus, 8 kbit/s": codec("libopus", "ogg", 16000, 8000),
    "MP3, 32 kbit/s": codec("libmp3lame", "mp3", 16000, 32000),
    "hum 50 Hz, 30 dB": hum(50, 30),
    "hum 50 Hz, 20 dB": hum(50, 20),
    "hum 60 Hz, 30 dB": hum(60, 30),
    "hum 60 Hz, 20 dB": hum(60, 20),
    "hum 100 Hz, 30 dB": hum(100, 30),
    "hum 100 Hz, 20 dB": hum(100, 20),
    "DC offset": _plain(lambda samples: samples + 0.2),
    "clipping": clipping(8),
    "room echo": echo(),
    "babble 20 dB": babble(20),
    "babble 10 dB": babble(10),
    "anti-phase stereo": _plain(lambda samples: np.stack([samples, -samples])),
    "one dead channel": _plain(lambda samples: np.stack([samples, np.zeros_like(samples)])),
}
"""Name to condition, in the order of the report."""
MAIN = (
    "clean", "telephone, 300 to 3,400 Hz", "G.711, 8 kHz", "Opus, 16 kbit/s", "Opus, 8 kbit/s", "MP3, 32 kbit/s",
    "hum 50 Hz, 20 dB", "hum 100 Hz, 20 dB", "clipping", "room echo", "babble 20 dB", "babble 10 dB",
)  # fmt: skip
"""Conditions that are evaluated on all held-out clips."""


def random_condition(random: np.random.Generator) -> tuple[str, Condition]:
    """Draw a condition for training.

    Returns:
        Its family (one of FAMILIES) and the condition, with parameters drawn from a range around those of CONDITIONS.
    """
    family = str(random.choice(list(FAMILIES), p=list(FAMILIES.values())))
    if family == "band":
        low, high = random.choice([0, random.uniform(150, 350)]), random.uniform(3200, 5500)
        return family, _plain(lambda samples: band(samples, low, high))
    if family == "codec":
        name, container, rate, bits = CODECS[int(random.integers(len(CODECS)))]
        return family, codec(name, container, rate, bits and round(bits * random.uniform(0.8, 1.5)))
    if family == "hum":
        return family, hum(random.uniform(45, 125), random.uniform(15, 35))
    if family == "babble":
        return family, babble(random.uniform(8, 28), int(random.integers(3, 9)))
    if family == "echo":
        return family, echo(random.uniform(0.2, 0.8), random.uniform(0.02, 0.08))
    return family, clipping(random.uniform(2, 12))


FAMILIES = {"band": 0.25, "codec": 0.25, "hum": 0.1, "babble": 0.2, "echo": 0.1, "clipping": 0.1}
"""Families of training conditions and their shares."""
CODECS: tuple[tuple[str, str, int, int | None], ...] = (
    ("pcm_mulaw", "wav", 8000, None), ("libopus", "ogg", 16000, 8000), ("libopus", "ogg", 16000, 16000),
    ("libmp3lame", "mp3", 16000, 32000),
)  # fmt: skip
"""Encoders, containers, sample rates and bit rates of the family `codec`."""


def wav_bytes(samples: Samples) -> bytes:
    """Return a recording as a WAV file of 16 bits."""
    channels = np.atleast_2d(samples)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((channels.T.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
