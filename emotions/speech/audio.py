"""Audio decoding: recordings of any format to blocks of mono float32 at 16 kHz.

All formats of FFmpeg are decoded: WAV, FLAC, MP3, M4A, Ogg, Opus, WebM as browsers record it (without a duration), and the first
audio stream of a video. Memory does not grow with the duration. PyAV is imported with the first recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from ..errors import AudioError
from ..image.loading import MAX_FILE
from ..sources import Source, open_source, size_of
from .spectrogram import SAMPLE_RATE

MB = 2**20
MAX_SECONDS = 3600.0
"""Maximum duration: an hour takes half a minute of one core, and a file of 32 MB can declare days of silence."""
MAX_CHANNELS = 32
MAX_FAILURES = 50
"""Consecutive packets that cannot be decoded after which the rest of a recording is given up."""
ESTIMATED_DURATION = ("mp3", "aac", "amr")
"""Formats whose duration FFmpeg only estimates from the bit rate."""


class AudioReader:
    """An opened recording, see `open_audio`; its `blocks` can be read once.

    Attributes:
        partial: True if the recording is truncated or damaged and ends early; final after the last block.
        samples: Number of samples read so far.
    """

    def __init__(self, container: Any, stream: Any, declared_seconds: float) -> None:
        """Keep an opened container and its audio stream; `declared_seconds` is 0 if the duration is unknown."""
        self._container, self._stream, self._declared_seconds = container, stream, declared_seconds
        self.partial = False
        self.samples = 0

    @property
    def seconds(self) -> float:
        """Duration read so far, in seconds."""
        return self.samples / SAMPLE_RATE

    def blocks(self) -> Iterator[np.ndarray]:
        """Decode the recording.

        Yields:
            (n,) float32 mono samples at 16 kHz, full scale 1, block by block.

        Raises:
            AudioError: The recording is too long (`sound_too_long`) or has no sound that can be decoded (`truncated_sound`).
        """
        import av

        resampler = None
        for frame in self._frames(av):
            if resampler is None or self._format_changed(frame):
                if resampler is not None:
                    yield from self._to_blocks(resampler.resample(None))
                self._format = (frame.sample_rate, frame.format.name, frame.layout.name)
                resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
            frame.pts = None  # timestamps of a damaged file jump, and the resampler would fill the gaps
            yield from self._to_blocks(resampler.resample(frame))
        if resampler is not None:
            yield from self._to_blocks(resampler.resample(None))
        self.partial |= self._declared_seconds - self.seconds > max(0.3, 0.01 * self._declared_seconds)
        if not self.samples:
            raise AudioError("truncated_sound", "This recording is cut off or damaged before its first sound.")

    def _frames(self, av: Any) -> Iterator[Any]:
        """Decode frames, skipping damaged packets; stops after MAX_FAILURES of them in a row."""
        packets = self._container.demux(self._stream)
        failures = 0
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
                failures = 0
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, ValueError):
                self.partial = True
                failures += 1
                if failures > MAX_FAILURES:
                    return

    def _format_changed(self, frame: Any) -> bool:
        return self._format != (frame.sample_rate, frame.format.name, frame.layout.name)

    def _to_blocks(self, frames: list[Any]) -> Iterator[np.ndarray]:
        """Convert resampled frames to arrays and count their samples."""
        for frame in frames:
            block = np.nan_to_num(frame.to_ndarray()[0], posinf=1.0, neginf=-1.0)  # float WAV files may contain NaN
            self.samples += len(block)
            if self.seconds > MAX_SECONDS:
                raise AudioError("sound_too_long", f"This recording is longer than {MAX_SECONDS / 60:.0f} minutes, the limit.")
            yield block


@contextmanager
def open_audio(source: Source) -> Iterator[AudioReader]:
    """Open a recording; it is closed at the end of the block.

    Args:
        source: Path, bytes or binary file object of the recording.

    Raises:
        AudioError: The file is not a recording, or not one that can be decoded. No other error is raised for a bad file.
        OSError: The file cannot be opened.
        TypeError: `source` is of another type.
    """
    with open_source(source) as stream:
        size = size_of(stream)
        if size > MAX_FILE:
            raise AudioError("file_too_large", f"This file has {size / MB:.0f} MB; the limit is {MAX_FILE // MB} MB.")
        if size == 0:
            raise AudioError("empty_file", "This file is empty.")
        import av  # its logging stays off: at any level, decoding threads wait for the GIL, which can deadlock the process

        head = stream.read(12)
        stream.seek(0)
        with _open_container(av, stream) as container:
            audio = _select_stream(container)
            audio.partial = _is_truncated_wav(head, size)
            yield audio


@contextmanager
def _open_container(av: Any, stream: Any) -> Iterator[Any]:
    try:
        # No address is ever opened: a playlist's entries, say, must not make the server fetch anything.
        container = av.open(stream, "r", options={"protocol_whitelist": "", "enable_drefs": "0"}, metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError, UnicodeError):
        raise AudioError("not_a_sound", "This file is not a recording of sound.") from None
    try:
        yield container
    finally:
        with suppress(av.error.FFmpegError):
            container.close()


def _is_truncated_wav(head: bytes, size: int) -> bool:
    """Return True if a WAV file is shorter than its header declares, which FFmpeg ignores.

    A file that was streamed declares 0 or the maximum.
    """
    declared = int.from_bytes(head[4:8], "little")
    return head[:4] == b"RIFF" and 0 < declared < 2**32 - 2**16 and declared + 8 > size + 1


def _select_stream(container: Any) -> AudioReader:
    """Check and take the first audio stream."""
    streams = container.streams.audio
    if not streams:
        if container.streams.video:
            raise AudioError("no_sound_track", "This file has pictures but no sound track.")
        raise AudioError("not_a_sound", "This file is not a recording of sound.")
    stream = streams[0]
    if stream.codec_context is None:
        raise AudioError("unsupported_sound", "The audio codec of this file is not supported.")
    if not 0 < (stream.codec_context.channels or 1) <= MAX_CHANNELS:
        raise AudioError("unsupported_sound", f"This recording has more than {MAX_CHANNELS} channels.")
    declared = container.duration / 1e6 if container.duration else 0
    if container.format.name in ESTIMATED_DURATION:
        declared = 0.0
    # A recorder that streams leaves a WAV file's header at the largest value.
    if declared > MAX_SECONDS and container.format.name != "wav":
        raise AudioError("sound_too_long", f"This recording is longer than {MAX_SECONDS / 60:.0f} minutes, the limit.")
    return AudioReader(container, stream, declared)
