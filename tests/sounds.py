"""Generated recordings for tests: waveforms, and audio files in the formats of PyAV."""

from __future__ import annotations

import io

import numpy as np

RATE = 16_000


def voice_like(seconds: float = 3.0, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A speech-like waveform (n,) float32 with moving pitch, formants and syllables."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    pitch = 140 * 2 ** (0.3 * np.sin(2 * np.pi * 0.7 * time) + 0.1 * np.sin(2 * np.pi * 2.1 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    first, second = 500 + 250 * np.sin(2 * np.pi * 1.9 * time), 1500 + 600 * np.sin(2 * np.pi * 1.3 * time + 1)
    sound = np.zeros(len(time))
    for k in range(1, 30):
        near = np.exp(-(((k * pitch - first) / 180) ** 2)) + 0.6 * np.exp(-(((k * pitch - second) / 250) ** 2)) + 0.02
        sound += near * np.sin(k * phase) * (k * pitch < rate * 0.45)
    syllables = np.clip(1.5 * np.sin(2 * np.pi * 3.4 * time + random.uniform(0, 6)), 0, 1)
    sound = sound * syllables + 0.003 * random.normal(size=len(time))
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def encoded(samples: np.ndarray, kind: str = "wav", codec: str = "pcm_s16le", rate: int = RATE, layout: str = "mono") -> bytes:
    """Encode samples (n,) or (channels, n), full scale 1, as an audio file."""
    import av

    planes = np.atleast_2d(samples)
    target = io.BytesIO()
    with av.open(target, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes, np.float32), format="fltp", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate, frame_size=stream.codec_context.frame_size or 0)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return target.getvalue()
