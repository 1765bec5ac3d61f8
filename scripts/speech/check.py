"""What the speech check learns and is measured on: windows of speech, as they are and with noise, and of sounds that are none."""

from __future__ import annotations

import numpy as np

from emotions.speech.features import extract
from emotions.speech.spectrogram import BANDS, WINDOW_FRAMES, log_mel, window_starts

from .clips import Clips, trimmed
from .noises import HELD_OUT, MAKERS, make
from .radial import Radial, fit

EACH = 120
"""Sounds of each kind that are learnt from."""
SECONDS = (1.0, 3.6)


def noisy(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Frames (T, 64) of speech with noise 8 to 40 dB below its loudest, some as a telephone passes them."""
    peak = np.percentile(frames.max(axis=1), 98)
    tilt = np.linspace(0, random.uniform(-20, 5), BANDS)
    noise = peak - random.uniform(8, 40) + tilt + random.normal(0, 3, frames.shape)
    mixed = 10 * np.log10(10 ** (frames / 10) + 10 ** (noise / 10))
    if random.random() < 0.3:
        mixed[:, int(random.integers(40, 60)) :] -= 60
    return mixed.astype(np.float32)


def speech_rows(clips: Clips, most: int, seed: int = 0) -> np.ndarray:
    """Features of a window of each of `most` clips drawn at random, every other with noise."""
    random = np.random.default_rng(seed)
    rows = []
    for index in random.permutation(len(clips))[:most]:
        frames = trimmed(clips.frames[index])
        frames = noisy(frames, random) if random.random() < 0.5 else frames
        start = random.choice(window_starts(len(frames)))
        rows.append(extract(frames[start : start + WINDOW_FRAMES]))
    return np.array(rows)


def other_rows(kinds: list[str], each: int, seed: int = 0) -> np.ndarray:
    """Features of synthesised sounds, `each` of every kind."""
    random = np.random.default_rng(seed)
    sounds = (make(kind, random, random.uniform(*SECONDS), 0.9) for kind in kinds for _ in range(each))
    return np.array([extract(_framed(sound)) for sound in sounds])


def _framed(sound: np.ndarray) -> np.ndarray:
    return log_mel(sound)[:WINDOW_FRAMES]


def fit_check(clips: Clips, each: int = EACH, components: int = 64, seed: int = 0) -> Radial:
    """A network with one logit: above 0 for speech."""
    others = other_rows([kind for kind in MAKERS if kind not in HELD_OUT], each, seed)
    speech = speech_rows(clips, len(others), seed)
    features = np.concatenate([speech, others])
    targets = np.where(np.arange(len(features)) < len(speech), 1.0, -1.0)[:, None]
    model = fit(features, targets, np.ones(len(features)), components, gamma=0.5, ridge=0.1)
    return Radial(**{**vars(model), "weights": model.weights * 4})  # a margin of 1 means a chance of 98 %
