"""Speech check: the network (role `speech-check`) that separates speech from noise, tones and music, and its training data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emotions.speech.features import extract
from emotions.speech.spectrogram import BANDS, WINDOW_FRAMES, log_mel, window_starts

from .clips import Clips, trim
from .non_speech import HELD_OUT_KINDS, SYNTHESIZERS, synthesize
from .rbf import RBFNetwork, fit_rbf

SOUNDS_PER_KIND = 120
"""Synthesised sounds of each kind in the training data."""
SECONDS = (1.0, 3.6)
"""Minimum and maximum duration of a synthesised sound."""


def add_noise(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add noise 8 to 40 dB below the peak to frames (T, 64) of speech; cut the high bands of some, as a telephone does."""
    peak = np.percentile(frames.max(axis=1), 98)
    tilt = np.linspace(0, random.uniform(-20, 5), BANDS)
    noise = peak - random.uniform(8, 40) + tilt + random.normal(0, 3, frames.shape)
    mixed = 10 * np.log10(10 ** (frames / 10) + 10 ** (noise / 10))
    if random.random() < 0.3:
        mixed[:, int(random.integers(40, 60)) :] -= 60
    return mixed.astype(np.float32)


def speech_features(clips: Clips, max_clips: int, seed: int = 0) -> np.ndarray:
    """(N, features) of a random window of at most `max_clips` random clips, half of them with noise."""
    random = np.random.default_rng(seed)
    rows = []
    for index in random.permutation(len(clips))[:max_clips]:
        frames = trim(clips.frames[index])
        frames = add_noise(frames, random) if random.random() < 0.5 else frames
        start = random.choice(window_starts(len(frames)))
        rows.append(extract(frames[start : start + WINDOW_FRAMES]))
    return np.array(rows)


def non_speech_features(kinds: list[str], each: int, seed: int = 0) -> np.ndarray:
    """(N, features) of synthesised sounds, `each` of every kind."""
    random = np.random.default_rng(seed)
    sounds = (synthesize(kind, random, random.uniform(*SECONDS), 0.9) for kind in kinds for _ in range(each))
    return np.array([extract(log_mel(sound)[:WINDOW_FRAMES]) for sound in sounds])


def fit_speech_check(clips: Clips, each: int = SOUNDS_PER_KIND, components: int = 64, seed: int = 0) -> RBFNetwork:
    """Fit a network with one logit, positive for speech."""
    others = non_speech_features([kind for kind in SYNTHESIZERS if kind not in HELD_OUT_KINDS], each, seed)
    speech = speech_features(clips, len(others), seed)
    features = np.concatenate([speech, others])
    targets = np.where(np.arange(len(features)) < len(speech), 1.0, -1.0)[:, None]
    network = fit_rbf(features, targets, np.ones(len(features)), components, gamma=0.5, ridge=0.1)
    return replace(network, weights=network.weights * 4)  # a margin of 1 becomes a probability of 98 %
