"""The spectrogram of a recording in pieces of an hour, so that memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from mmap import mmap

import numpy as np

from .audio import AudioReader
from .cleaning import subtract_noise
from .spectrogram import BANDS, FRAMES_PER_SECOND, HOP, PIECE_SECONDS, SAMPLE_RATE, log_mel

PIECE_FRAMES = int(PIECE_SECONDS * FRAMES_PER_SECOND)
"""Frames that are kept at once."""
BLOCK_SAMPLES = 4 * SAMPLE_RATE
"""Minimum number of samples whose spectrogram is computed at once."""


def read_pieces(audio: AudioReader) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Compute the spectrogram and the envelope of an opened recording, block by block.

    Yields:
        For each hour (PIECE_SECONDS) or the rest of it: (N, 64) float16 log-mel frames (float16 resolves 1/16 of a decibel),
        which are valid until the next ones, and the (M,) float32 peak amplitude of every HOP samples. At least one pair, empty
        if the recording is shorter than a frame.

    Raises:
        AudioError: See `AudioReader.blocks`.
    """
    piece = _Piece()
    pending: list[np.ndarray] = []
    count = 0
    for block in audio.blocks():
        pending.append(block)
        count += len(block)
        if count >= BLOCK_SAMPLES:
            rest = yield from piece.add(np.concatenate(pending))
            pending, count = [rest], len(rest)
    rest = yield from piece.add(np.concatenate(pending))
    if len(rest):
        piece.peaks.append(np.abs(rest).max(keepdims=True))
    yield piece.content()


class _Piece:
    """Frames and envelope of up to PIECE_SECONDS of a recording.

    The frames lie in a mapping of memory, of which the system provides only what is filled, and takes it back at once.
    """

    def __init__(self) -> None:
        self.peaks: list[np.ndarray] = []
        self._frames = np.frombuffer(mmap(-1, PIECE_FRAMES * BANDS * 2), np.float16).reshape(PIECE_FRAMES, BANDS)
        self._count = 0

    def add(self, samples: np.ndarray) -> Generator[tuple[np.ndarray, np.ndarray], None, np.ndarray]:
        """Append the frames and peaks of `samples`, and yield the content when it is full.

        Returns:
            The samples that later frames need too.
        """
        block = log_mel(samples)
        used = len(block) * HOP
        peaks = np.abs(samples[:used]).reshape(-1, HOP).max(axis=1) if used else np.zeros(0, np.float32)
        start = 0
        while start < len(block):
            stop = min(len(block), start + PIECE_FRAMES - self._count)
            self._frames[self._count : self._count + stop - start] = block[start:stop]
            self.peaks.append(peaks[start:stop])
            self._count += stop - start
            start = stop
            if start < len(block):  # full, and there is more
                yield self.content()
                self.peaks, self._count = [], 0
        return samples[used:]

    def content(self) -> tuple[np.ndarray, np.ndarray]:
        """Return frames, without stationary noise, and envelope."""
        subtract_noise(self._frames[: self._count])
        return self._frames[: self._count], np.concatenate([np.zeros(0, np.float32), *self.peaks])
