"""Table of synthesised clips for tests of speech training."""

from __future__ import annotations

import numpy as np

from emotions.speech.spectrogram import BANDS, log_mel
from scripts.speech.clips import Clips
from scripts.speech.non_speech import synthesize

CORPORA = {"ravdess": ("01", "02", "21", "22"), "tess": ("OAF", "YAF"), "emodb": ("03", "15")}


def tiny_clips(each: int = 3, corpora: tuple[str, ...] = ("ravdess",)) -> Clips:
    """`each` clips of every emotion by every speaker; the spectral colour depends on the emotion, the level on the speaker."""
    random, rows, frames = np.random.default_rng(0), [], []
    for corpus in corpora:
        for number, speaker in enumerate(CORPORA[corpus]):
            for label in range(7):
                for take in range(each):
                    sound = synthesize("melody", random, 1.5) * (np.arange(24_000) % 8000 < 6000)
                    colour = np.interp(np.arange(BANDS), [0, 9 * label, 63], [0, 12, -12])
                    frames.append((log_mel(sound.astype(np.float32)) + colour + number).astype(np.float16))
                    rows.append((label, corpus, f"{corpus}-{speaker}", str(number % 2 + 1), f"{speaker}-{label}-{take}"))
    labels, names, speakers, folds, files = (np.array(column) for column in zip(*rows, strict=True))
    return Clips(frames, labels, names, speakers, folds, files, np.full(len(labels), "", "U16"))
