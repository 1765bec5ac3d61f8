"""Synthesised sounds other than speech, to train and test the speech check.

Every synthesizer draws a sound of `seconds` at 16 kHz from a random generator; the caller sets the level. Those in HELD_OUT_KINDS
are only tested on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emotions.speech.spectrogram import SAMPLE_RATE

Synthesizer = Callable[[np.random.Generator, float], np.ndarray]


def _time(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _coloured(random: np.random.Generator, count: int, slope: float) -> np.ndarray:
    """Noise with power proportional to frequency ** -slope: 0 white, 1 pink, 2 brown, -1 blue."""
    spectrum = np.fft.rfft(random.normal(size=count))
    hertz = np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE), 20)
    noise = np.fft.irfft(spectrum * hertz ** (-slope / 2), count)
    return noise / np.abs(noise).max()


def _band(noise: np.ndarray, low: float, high: float) -> np.ndarray:
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE)
    return np.fft.irfft(spectrum * ((hertz >= low) & (hertz <= high)), len(noise))


def steady_noise(random: np.random.Generator, seconds: float) -> np.ndarray:
    return _coloured(random, len(_time(seconds)), random.uniform(-1.2, 2.2))


def band_noise(random: np.random.Generator, seconds: float) -> np.ndarray:
    low = random.uniform(50, 3000)
    return _band(steady_noise(random, seconds), low, low * random.uniform(1.3, 6))


def gusts(random: np.random.Generator, seconds: float) -> np.ndarray:
    """Noise modulated as slowly as wind and waves or as fast as syllables."""
    time = _time(seconds)
    swell = sum(np.sin(2 * np.pi * random.uniform(0.2, 8) * time + random.uniform(0, 6)) for _ in range(random.integers(1, 4)))
    return steady_noise(random, seconds) * np.maximum(0, 0.5 + random.uniform(0.3, 1) * swell)


def hum(random: np.random.Generator, seconds: float) -> np.ndarray:
    """Mains, a fan, an engine: steady low harmonics, with some noise."""
    time, base = _time(seconds), random.choice([50, 60, random.uniform(30, 150)])
    wobble = 1 + random.uniform(0, 0.02) * np.sin(2 * np.pi * random.uniform(0.2, 6) * time)
    phase = 2 * np.pi * base * np.cumsum(wobble) / SAMPLE_RATE
    tones = sum(np.sin(k * phase + random.uniform(0, 6)) * k ** -random.uniform(0.3, 2) for k in range(1, random.integers(3, 25)))
    return tones + random.uniform(0, 0.3) * steady_noise(random, seconds)


def tone(random: np.random.Generator, seconds: float) -> np.ndarray:
    time, hertz = _time(seconds), np.exp(random.uniform(np.log(60), np.log(7000)))
    wave = np.sin(2 * np.pi * hertz * time)
    shape = random.integers(3)
    return wave if shape == 0 else np.sign(wave) if shape == 1 else 2 * (hertz * time % 1) - 1


def sweep(random: np.random.Generator, seconds: float) -> np.ndarray:
    """A siren, or a tone that glides once."""
    time = _time(seconds)
    low, high = np.sort(np.exp(random.uniform(np.log(100), np.log(6000), 2)))
    place = 0.5 - 0.5 * np.cos(2 * np.pi * random.uniform(0.05, 3) * time)
    return np.sin(2 * np.pi * np.cumsum(low * (high / low) ** place) / SAMPLE_RATE)


def beeps(random: np.random.Generator, seconds: float) -> np.ndarray:
    """Telephone keys, busy signals, alarm clocks."""
    time = _time(seconds)
    rate, duty = random.uniform(0.5, 8), random.uniform(0.2, 0.7)
    pair = random.choice([350, 425, 440, 480, 620, 697, 770, 852, 941, 1000, 1209, 1336, 1477, 2000, 3000], 2)
    keyed = (time * rate % 1) < duty
    return keyed * (np.sin(2 * np.pi * pair[0] * time) + np.sin(2 * np.pi * pair[1] * time))


def clicks(random: np.random.Generator, seconds: float) -> np.ndarray:
    """Keys, rain, a Geiger counter, a clock: short ringing impulses."""
    count = len(_time(seconds))
    impulses = np.zeros(count)
    if random.random() < 0.5:
        impulses[:: int(SAMPLE_RATE / random.uniform(1, 12))] = 1
    else:
        impulses[random.integers(0, count, int(seconds * random.uniform(2, 60)))] = random.uniform(0.2, 1)
    length = _time(random.uniform(0.002, 0.04))
    ring = np.exp(-length * random.uniform(150, 1500)) * np.sin(2 * np.pi * random.uniform(300, 6000) * length)
    ring = ring + random.uniform(0, 1) * random.normal(size=len(ring)) * np.exp(-length * 400)
    return np.convolve(impulses, ring)[:count] + random.uniform(0, 0.01) * random.normal(size=count)


def note(random: np.random.Generator, hertz: float, seconds: float, kind: int) -> np.ndarray:
    """One note: plucked (0), blown or bowed with vibrato (1), organ (2), bell (3)."""
    time = _time(seconds)
    vibrato = 1 + (0.006 * np.sin(2 * np.pi * 5.5 * time) if kind == 1 else 0)
    phase = 2 * np.pi * np.cumsum(hertz * vibrato * np.ones(len(time))) / SAMPLE_RATE
    partials = [1, 2.76, 5.4, 8.93] if kind == 3 else range(1, 12)
    wave = sum(np.sin(k * phase) * k ** -random.uniform(0.8, 2) for k in partials if k * hertz < 7500)
    rise = np.minimum(1, time / (0.005 if kind in (0, 3) else 0.06))
    fall = np.exp(-time * random.uniform(2, 9)) if kind in (0, 3) else np.minimum(1, (seconds - time) / 0.05)
    return wave * rise * fall


def melody(random: np.random.Generator, seconds: float) -> np.ndarray:
    """A tune of one instrument, with or without chords below."""
    sound = np.zeros(len(_time(seconds)))
    scale, root = np.array([0, 2, 4, 5, 7, 9, 11]) + random.integers(12), 110 * 2 ** random.integers(0, 3)
    kind, beat = random.integers(4), random.uniform(0.12, 0.7)
    for start in np.arange(0, seconds - 0.1, beat):
        steps = [random.choice(scale)] if random.random() < 0.6 else scale[[0, 2, 4]] + random.choice([0, 5, 7])
        length = min(beat * random.uniform(0.8, 2), seconds - start)
        for step in steps:
            piece = note(random, root * 2 ** (step / 12), length, int(kind))
            place = int(start * SAMPLE_RATE)
            sound[place : place + len(piece)] += piece[: len(sound) - place]
    return sound


def chord(random: np.random.Generator, seconds: float) -> np.ndarray:
    """A sustained chord."""
    kind = random.integers(1, 3)
    root = 80 * 2 ** random.uniform(0, 3)
    steps = random.choice([[0, 4, 7], [0, 3, 7], [0, 4, 7, 10], [0, 7, 12], [0, 5, 9]][random.integers(5)], 3)
    return np.sum([note(random, root * 2 ** (step / 12), seconds, int(kind)) for step in steps], axis=0)


def drums(random: np.random.Generator, seconds: float) -> np.ndarray:
    sound = np.zeros(len(_time(seconds)))
    beat = random.uniform(0.1, 0.4)
    for start in np.arange(0, seconds - 0.25, beat):
        time = _time(0.2)
        if random.random() < 0.4:
            piece = np.sin(2 * np.pi * (45 * time + 12 * (1 - np.exp(-time * 30)))) * np.exp(-time * 18)
        else:
            piece = random.normal(size=len(time)) * np.exp(-time * random.uniform(15, 90)) * random.uniform(0.2, 0.8)
        place = int(start * SAMPLE_RATE)
        sound[place : place + len(piece)] += piece
    return sound


def band_music(random: np.random.Generator, seconds: float) -> np.ndarray:
    """Tune, bass and drums together."""
    return melody(random, seconds) / 2 + random.uniform(0.3, 1.5) * drums(random, seconds) + 0.5 * melody(random, seconds)


def birds(random: np.random.Generator, seconds: float) -> np.ndarray:
    """Chirps: short, high glides."""
    sound = np.zeros(len(_time(seconds)))
    for start in np.sort(random.uniform(0, max(seconds - 0.3, 0.01), int(seconds * random.uniform(1, 8)))):
        time = _time(random.uniform(0.03, 0.25))
        base, depth = random.uniform(1500, 5000), random.uniform(200, 2000)
        hertz = base + depth * np.sin(2 * np.pi * random.uniform(2, 30) * time)
        piece = np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE) * np.hanning(len(time))
        place = int(start * SAMPLE_RATE)
        sound[place : place + len(piece)] += piece[: len(sound) - place]
    return sound + random.uniform(0, 0.02) * random.normal(size=len(sound))


SYNTHESIZERS: dict[str, Synthesizer] = {
    function.__name__: function
    for function in (steady_noise, band_noise, gusts, hum, tone, sweep, beeps, clicks, melody, chord, drums, band_music, birds)
}
HELD_OUT_KINDS = ("sweep", "beeps", "chord", "drums")
"""Kinds that the speech check is tested on but not trained on."""


def synthesize(kind: str, random: np.random.Generator, seconds: float, peak: float = 0.5) -> np.ndarray:
    """Synthesize a sound of that kind: (seconds * 16,000,) float32 with this peak amplitude."""
    sound = SYNTHESIZERS[kind](random, seconds)
    return (sound * (peak / max(np.abs(sound).max(), 1e-9))).astype(np.float32)
