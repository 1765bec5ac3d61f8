"""Emotion classification of speech: probabilities for a whole recording and over time."""

from __future__ import annotations

import time
from functools import cached_property
from hashlib import sha1

import numpy as np

from ..labels import EMOTIONS
from ..runtime.litert import BATCH, softmax
from ..runtime.manifest import ModelEntry, ModelRegistry
from ..runtime.time_budget import check_time
from ..sources import Source
from .audio import open_audio
from .cleaning import MIN_SNR_DB, is_below_telephone, missing_bands, signal_to_noise, without_bands
from .features import extract
from .pieces import read_pieces
from .results import SpeechResult, SpeechSegment
from .spectrogram import (
    BANDS,
    HOP,
    SAMPLE_RATE,
    SILENCE_DB,
    WINDOW_FRAMES,
    end_seconds,
    loudness,
    peak_level,
    start_seconds,
    trim_silence,
    window_starts,
)

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
        segments: list[SpeechSegment] = []
        envelope, offset, classifying = [], 0, 0.0
        with open_audio(source) as audio:
            for frames, peaks in read_pieces(audio):
                decoded = time.perf_counter()
                segments += self.segments(frames, offset)
                envelope.append(peaks)
                offset += len(frames)
                classifying += time.perf_counter() - decoded
        speech = [segment for segment in segments if segment.reason is None]
        rows = np.array([segment.probabilities for segment in speech or segments] or [UNIFORM])
        timing = {"decode": (time.perf_counter() - start - classifying) * 1e3, "classify": classifying * 1e3}
        return SpeechResult(
            seconds=audio.seconds,
            probabilities=tuple(map(float, rows.mean(axis=0))),
            segments=tuple(segments),
            model=self.description,
            reason=None if speech else _most_frequent_reason(segments),
            partial=audio.partial,
            timing_ms=timing,
            envelope=np.concatenate(envelope),
        )

    def segments(self, frames: np.ndarray, offset: int = 0) -> list[SpeechSegment]:
        """Classify a recording over time.

        Args:
            frames: (N, 64) log-mel frames of the recording, or of a piece of it.
            offset: Number of frames before this piece.

        Returns:
            Adjacent segments in order, without the silence at both ends; none if there are no frames. A segment lasts about 1.6 s
            and is classified by the 3.2 s around it.
        """
        if not len(frames):
            return []
        first, last = trim_silence(frames)
        starts = [first + start for start in window_starts(last - first)]
        peak, missing = peak_level(frames), missing_bands(frames)
        reason = "narrow_band" if missing.any() and is_below_telephone(frames) else None
        if reason is None and signal_to_noise(frames) < MIN_SNR_DB:
            reason = "noisy"
        probabilities, speech = self.classify_windows(frames[:last], starts, missing)
        width = min(last - first, WINDOW_FRAMES)
        middles = [(one + other + width) / 2 for one, other in zip(starts, starts[1:], strict=False)]
        edges = [
            start_seconds(offset + first),
            *(start_seconds(offset + middle) for middle in middles),
            end_seconds(offset + last),
        ]
        return [
            SpeechSegment(
                edges[index], edges[index + 1], tuple(map(float, row)), self._reason(frames[:last], start, score, peak, reason)
            )
            for index, (start, row, score) in enumerate(zip(starts, probabilities, speech, strict=True))
        ]

    def classify_windows(
        self, frames: np.ndarray, starts: list[int], missing: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run both networks on windows.

        Args:
            frames: (N, 64) log-mel frames.
            starts: First frames of W windows.
            missing: (64,) bool, bands that the recording does not have (`cleaning.missing_bands`); none by default.

        Returns:
            (W, 7) calibrated probabilities of the emotions, and (W,) probabilities of speech.
        """
        emotion, check = self.registry.model(self.entry), self.registry.model(self.check_entry)
        missing = np.zeros(BANDS, bool) if missing is None else missing
        rows, windows = _distinct(frames, starts)
        logits, speech = [], []
        for first in range(0, len(windows), BATCH):
            check_time()
            parts = [frames[start : start + WINDOW_FRAMES] for start in windows[first : first + BATCH]]
            batch = np.stack([extract(without_bands(part, missing)) for part in parts])
            logits.append(emotion(batch)[0])
            speech.append(check(batch)[0][:, 0])
        speech_probability = 1 / (1 + np.exp(-np.concatenate(speech).astype(np.float64)))
        return softmax(np.concatenate(logits), self.entry.temperature)[rows], speech_probability[rows]

    def _reason(self, frames: np.ndarray, start: int, speech: float, peak: float, reason: str | None) -> str | None:
        thresholds = self.entry.thresholds
        levels = loudness(frames[start : start + WINDOW_FRAMES]).astype(np.float32)
        audible = levels > max(thresholds["silence"], peak - SILENCE_DB)
        if not audible.any():
            return "silence"
        if np.count_nonzero(audible) * HOP / SAMPLE_RATE < thresholds["too_short"]:
            return "too_short"
        if speech < thresholds["not_speech"]:
            return "not_speech"
        return reason


def _distinct(frames: np.ndarray, starts: list[int]) -> tuple[list[int], list[int]]:
    """Find equal windows, as in digital silence, which are classified once.

    Returns:
        The number of each window, and the start of the first window of each number.
    """
    numbers: dict[bytes, int] = {}
    rows: list[int] = []
    windows: list[int] = []
    for start in starts:
        digest = sha1(frames[start : start + WINDOW_FRAMES].tobytes(), usedforsecurity=False).digest()
        if digest not in numbers:
            numbers[digest] = len(windows)
            windows.append(start)
        rows.append(numbers[digest])
    return rows, windows


def _most_frequent_reason(segments: list[SpeechSegment]) -> str:
    """Reason of most segments; `too_short` if there are none."""
    reasons = [segment.reason for segment in segments if segment.reason]
    return max(dict.fromkeys(reasons), key=reasons.count) if reasons else "too_short"
