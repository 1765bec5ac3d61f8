"""A recording in, seven emotion probabilities out, for all of it and over time; or why nothing can be told."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path

import numpy as np

from ..runtime.litert import BATCH, softmax
from ..runtime.manifest import ModelEntry, ModelRegistry
from .audio import Sound, open_sound
from .features import describe
from .results import SpeechResult, SpeechSegment
from .spectrogram import (
    BANDS,
    FRAMES,
    HOP,
    QUIET_DB,
    RATE,
    active,
    log_mel,
    loudness,
    peak_level,
    seconds_of,
    seconds_to,
    starts,
)

PIECE = 4 * RATE
"""Samples whose spectrogram is computed at once."""
UNKNOWN = (1 / 7,) * 7
"""Probabilities of a recording too short for a single frame."""


class SpeechReader:
    """The two networks for voices, loaded on first use and shared by threads: one tells speech from noise, one reads it."""

    def __init__(self, registry: ModelRegistry | None = None) -> None:
        self.registry = registry or ModelRegistry()

    @cached_property
    def entry(self) -> ModelEntry:
        return self.registry.entry("speech")

    @cached_property
    def check_entry(self) -> ModelEntry:
        return self.registry.entry("speech-check")

    @property
    def description(self) -> dict[str, str]:
        return {"name": self.entry.name, "version": self.entry.version}

    def read(self, source: bytes | Path) -> SpeechResult:
        """Read the bytes or the file of a recording. Raises AudioError for what is none.

        The answer is the mean over all windows that hold speech. Where none does, or the sound is too short, `emotion` is None
        and `reason` says why: that is an answer, not an error.
        """
        begun = time.perf_counter()
        with open_sound(source) as sound:
            frames, envelope = spectrogram(sound)
        heard = time.perf_counter()
        segments = self.segments(frames)
        told = [segment for segment in segments if segment.reason is None]
        rows = np.array([segment.probabilities for segment in told or segments] or [UNKNOWN])
        timing = {"decode": (heard - begun) * 1e3, "classify": (time.perf_counter() - heard) * 1e3}
        return SpeechResult(
            seconds=sound.seconds,
            probabilities=tuple(map(float, rows.mean(axis=0))),
            segments=tuple(segments),
            model=self.description,
            reason=None if told else _main_reason(segments),
            partial=sound.partial,
            timing_ms=timing,
            envelope=envelope,
        )

    def segments(self, frames: np.ndarray) -> list[SpeechSegment]:
        """Log-mel frames (N, 64) of a recording -> its pieces in order, without the silence at its ends."""
        if not len(frames):
            return []
        first, last = active(frames)
        places = [first + start for start in starts(last - first)]
        probabilities, speech = self.classify(frames[:last], places)
        width = min(last - first, FRAMES)
        middles = [(one + other + width) / 2 for one, other in zip(places, places[1:], strict=False)]
        edges = [seconds_of(first), *map(seconds_of, middles), seconds_to(last)]
        peak = peak_level(frames)
        return [
            SpeechSegment(
                edges[index], edges[index + 1], tuple(map(float, row)), self._reason(frames[:last], place, share, peak)
            )
            for index, (place, row, share) in enumerate(zip(places, probabilities, speech, strict=True))
        ]

    def classify(self, frames: np.ndarray, places: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """The windows at `places` -> calibrated probabilities (N, 7), and (N,) how likely each holds speech."""
        emotion, check = self.registry.model(self.entry), self.registry.model(self.check_entry)
        logits, speech = [], []
        for start in range(0, len(places), BATCH):
            batch = np.stack([describe(frames[place : place + FRAMES]) for place in places[start : start + BATCH]])
            logits.append(emotion(batch)[0])
            speech.append(check(batch)[0][:, 0])
        chances = 1 / (1 + np.exp(-np.concatenate(speech).astype(np.float64)))
        return softmax(np.concatenate(logits), self.entry.temperature), chances

    def _reason(self, frames: np.ndarray, place: int, speech: float, peak: float) -> str | None:
        limits = self.entry.thresholds
        levels = loudness(frames[place : place + FRAMES]).astype(np.float32)
        loud = max(limits["silence"], peak - QUIET_DB)
        if not (levels > loud).any():
            return "silence"
        if np.count_nonzero(levels > loud) * HOP / RATE < limits["too_short"]:
            return "too_short"
        return None if speech >= limits["not_speech"] else "not_speech"


def spectrogram(sound: Sound) -> tuple[np.ndarray, np.ndarray]:
    """All log-mel frames (N, 64) float16 of an opened recording, and its envelope (N,) float32 in steps of HOP.

    Float16 resolves 1/16 of a decibel, and an hour takes 23 MB.
    """
    frames, envelope = [np.zeros((0, BANDS), np.float16)], [np.zeros(0, np.float32)]
    waiting, held = [], 0
    for block in sound.blocks():
        waiting.append(block)
        held += len(block)
        if held >= PIECE:
            rest = _measure(np.concatenate(waiting), frames, envelope)
            waiting, held = [rest], len(rest)
    if held:
        rest = _measure(np.concatenate(waiting), frames, envelope)
        if len(rest):
            envelope.append(np.abs(rest).max(keepdims=True))
    return np.concatenate(frames), np.concatenate(envelope)


def _measure(samples: np.ndarray, frames: list[np.ndarray], envelope: list[np.ndarray]) -> np.ndarray:
    """Append the frames of `samples` and their peaks; gives the samples that later frames need."""
    found = log_mel(samples)
    used = len(found) * HOP
    frames.append(found.astype(np.float16))
    envelope.append(np.abs(samples[:used]).reshape(-1, HOP).max(axis=1) if used else np.zeros(0, np.float32))
    return samples[used:]


def _main_reason(segments: list[SpeechSegment]) -> str:
    """What most of the pieces are; without any, the recording was too short."""
    reasons = [segment.reason for segment in segments if segment.reason]
    return max(dict.fromkeys(reasons), key=reasons.count) if reasons else "too_short"
