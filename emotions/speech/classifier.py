"""Emotion classification of speech: probabilities for a whole recording and over time."""

from __future__ import annotations

import time
from functools import cached_property

import numpy as np

from ..labels import EMOTIONS
from ..runtime.litert import BATCH, softmax
from ..runtime.manifest import ModelEntry, ModelRegistry
from ..sources import Source
from .audio import AudioReader, open_audio
from .features import extract
from .results import SpeechResult, SpeechSegment
from .spectrogram import (
    BANDS,
    HOP,
    SAMPLE_RATE,
    SILENCE_DB,
    WINDOW_FRAMES,
    end_seconds,
    log_mel,
    loudness,
    peak_level,
    start_seconds,
    trim_silence,
    window_starts,
)

BLOCK_SAMPLES = 4 * SAMPLE_RATE
"""Minimum number of samples whose spectrogram is computed at once."""
UNIFORM = (1 / len(EMOTIONS),) * len(EMOTIONS)
"""Probabilities of a recording that is too short for a single frame."""


class SpeechClassifier:
    """Speech models, loaded on first use; may be shared by threads.

    One network predicts the emotion; a second one (role `speech-check`) separates speech from noise and music.

    Args:
        registry: The models; the bundled ones by default.

    Example:
        >>> from emotions import SpeechClassifier
        >>> SpeechClassifier().predict("tests/data/buzz.flac").reason
        'not_speech'
    """

    def __init__(self, registry: ModelRegistry | None = None) -> None:
        """Keep the registry; nothing is loaded yet."""
        self.registry = registry or ModelRegistry()

    @cached_property
    def entry(self) -> ModelEntry:
        """Manifest entry of the emotion network. Raises ModelFileError if there is none."""
        return self.registry.entry("speech")

    @cached_property
    def check_entry(self) -> ModelEntry:
        """Manifest entry of the network that separates speech from other sounds."""
        return self.registry.entry("speech-check")

    @property
    def description(self) -> dict[str, str]:
        """Name and version of the emotion network."""
        return {"name": self.entry.name, "version": self.entry.version}

    def predict(self, source: Source) -> SpeechResult:
        """Classify the emotion of a recording.

        Args:
            source: Path, bytes or binary file object of an audio or video file.

        Returns:
            The mean over all windows that contain speech. If none does, `emotion` is None and `reason` is set.

        Raises:
            AudioError: The file is not a recording that can be decoded.
            ModelFileError: A model file is missing or damaged.
            OSError: The file cannot be opened.
            TypeError: `source` is of another type.
        """
        start = time.perf_counter()
        with open_audio(source) as audio:
            frames, envelope = read_spectrogram(audio)
        decoded = time.perf_counter()
        segments = self.segments(frames)
        speech = [segment for segment in segments if segment.reason is None]
        rows = np.array([segment.probabilities for segment in speech or segments] or [UNIFORM])
        timing = {"decode": (decoded - start) * 1e3, "classify": (time.perf_counter() - decoded) * 1e3}
        return SpeechResult(
            seconds=audio.seconds,
            probabilities=tuple(map(float, rows.mean(axis=0))),
            segments=tuple(segments),
            model=self.description,
            reason=None if speech else _most_frequent_reason(segments),
            partial=audio.partial,
            timing_ms=timing,
            envelope=envelope,
        )

    def segments(self, frames: np.ndarray) -> list[SpeechSegment]:
        """Classify a recording over time.

        Args:
            frames: (N, 64) log-mel frames of the recording.

        Returns:
            Adjacent segments in order, without the silence at both ends; none if there are no frames. A segment lasts about 1.6 s
            and is classified by the 3.2 s around it.
        """
        if not len(frames):
            return []
        first, last = trim_silence(frames)
        starts = [first + start for start in window_starts(last - first)]
        probabilities, speech = self.classify_windows(frames[:last], starts)
        width = min(last - first, WINDOW_FRAMES)
        middles = [(one + other + width) / 2 for one, other in zip(starts, starts[1:], strict=False)]
        edges = [start_seconds(first), *map(start_seconds, middles), end_seconds(last)]
        peak = peak_level(frames)
        return [
            SpeechSegment(edges[index], edges[index + 1], tuple(map(float, row)), self._reason(frames[:last], start, score, peak))
            for index, (start, row, score) in enumerate(zip(starts, probabilities, speech, strict=True))
        ]

    def classify_windows(self, frames: np.ndarray, starts: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Run both networks on windows.

        Args:
            frames: (N, 64) log-mel frames.
            starts: First frames of W windows.

        Returns:
            (W, 7) calibrated probabilities of the emotions, and (W,) probabilities of speech.
        """
        emotion, check = self.registry.model(self.entry), self.registry.model(self.check_entry)
        logits, speech = [], []
        for first in range(0, len(starts), BATCH):
            batch = np.stack([extract(frames[start : start + WINDOW_FRAMES]) for start in starts[first : first + BATCH]])
            logits.append(emotion(batch)[0])
            speech.append(check(batch)[0][:, 0])
        speech_probability = 1 / (1 + np.exp(-np.concatenate(speech).astype(np.float64)))
        return softmax(np.concatenate(logits), self.entry.temperature), speech_probability

    def _reason(self, frames: np.ndarray, start: int, speech: float, peak: float) -> str | None:
        thresholds = self.entry.thresholds
        levels = loudness(frames[start : start + WINDOW_FRAMES]).astype(np.float32)
        audible = levels > max(thresholds["silence"], peak - SILENCE_DB)
        if not audible.any():
            return "silence"
        if np.count_nonzero(audible) * HOP / SAMPLE_RATE < thresholds["too_short"]:
            return "too_short"
        return None if speech >= thresholds["not_speech"] else "not_speech"


def read_spectrogram(audio: AudioReader) -> tuple[np.ndarray, np.ndarray]:
    """Compute the spectrogram and the envelope of an opened recording, block by block.

    Returns:
        (N, 64) float16 log-mel frames (float16 resolves 1/16 of a decibel, and an hour takes 23 MB), and the (M,) float32 peak
        amplitude of every HOP samples.

    Raises:
        AudioError: See `AudioReader.blocks`.
    """
    frames, envelope = [np.zeros((0, BANDS), np.float16)], [np.zeros(0, np.float32)]
    pending, count = [], 0
    for block in audio.blocks():
        pending.append(block)
        count += len(block)
        if count >= BLOCK_SAMPLES:
            rest = _append_frames(np.concatenate(pending), frames, envelope)
            pending, count = [rest], len(rest)
    if count:
        rest = _append_frames(np.concatenate(pending), frames, envelope)
        if len(rest):
            envelope.append(np.abs(rest).max(keepdims=True))
    return np.concatenate(frames), np.concatenate(envelope)


def _append_frames(samples: np.ndarray, frames: list[np.ndarray], envelope: list[np.ndarray]) -> np.ndarray:
    """Append the frames and peaks of `samples`; return the samples that later frames also need."""
    block = log_mel(samples)
    used = len(block) * HOP
    frames.append(block.astype(np.float16))
    envelope.append(np.abs(samples[:used]).reshape(-1, HOP).max(axis=1) if used else np.zeros(0, np.float32))
    return samples[used:]


def _most_frequent_reason(segments: list[SpeechSegment]) -> str:
    """Reason of most segments; `too_short` if there are none."""
    reasons = [segment.reason for segment in segments if segment.reason]
    return max(dict.fromkeys(reasons), key=reasons.count) if reasons else "too_short"
