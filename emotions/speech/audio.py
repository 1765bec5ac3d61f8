"""Bytes of a recording in, its sound out as mono float32 at 16 kHz, a piece at a time: half an hour takes as little as a minute.

Whatever FFmpeg reads is taken: WAV, FLAC, MP3, M4A, Ogg, Opus, WebM as browsers record it (it states no
duration), a film's first sound track. PyAV is imported when the first recording comes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AudioError
from ..image.loading import MAX_FILE
from .spectrogram import RATE

MB = 2**20
MAX_SECONDS = 3600.0
"""Longest recording: an hour takes half a minute of one core, and a file of 32 MB may claim days of silence."""
MAX_CHANNELS = 32
GUESSING = ("mp3", "aac", "amr")
"""Formats whose length FFmpeg guesses from the bit rate."""


class Sound:
    """An opened recording; read it once with `blocks`.

    `partial`: whether it broke off, being cut off or damaged, after what `blocks` gave. `seconds`: how much that was so far.
    """

    def __init__(self, container: Any, stream: Any, stated: float) -> None:
        self._container, self._stream, self._stated = container, stream, stated
        self.partial = False
        self.samples = 0

    @property
    def seconds(self) -> float:
        return self.samples / RATE

    def blocks(self) -> Iterator[np.ndarray]:
        """(n,) float32 mono at 16 kHz, full scale 1, one after the other. Raises AudioError `sound_too_long`, `truncated_sound`."""
        import av

        resampler = None
        for frame in self._frames(av):
            if resampler is None or self._changed(frame):
                if resampler is not None:
                    yield from self._count(resampler.resample(None))
                self._shape = (frame.sample_rate, frame.format.name, frame.layout.name)
                resampler = av.AudioResampler("flt", "mono", RATE)
            frame.pts = None  # times of a damaged file jump; the samples alone count
            yield from self._count(resampler.resample(frame))
        if resampler is not None:
            yield from self._count(resampler.resample(None))
        self.partial |= self._stated - self.seconds > max(0.3, 0.01 * self._stated)
        if not self.samples:
            raise AudioError("truncated_sound", "This recording is cut off or damaged before its first sound.")

    def _frames(self, av: Any) -> Iterator[Any]:
        """Decoded frames; a packet that is no sound is passed over, and what cannot be read on ends the recording."""
        packets = self._container.demux(self._stream)
        failed = 0
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
                failed = 0
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, ValueError):
                self.partial = True
                failed += 1
                if failed > 50:  # nothing but damage from here on
                    return

    def _changed(self, frame: Any) -> bool:
        return self._shape != (frame.sample_rate, frame.format.name, frame.layout.name)

    def _count(self, frames: list[Any]) -> Iterator[np.ndarray]:
        for frame in frames:
            block = np.nan_to_num(frame.to_ndarray()[0], posinf=1.0, neginf=-1.0)  # float WAV may hold anything
            self.samples += len(block)
            if self.seconds > MAX_SECONDS:
                raise AudioError("sound_too_long", f"This recording is longer than {MAX_SECONDS / 60:.0f} minutes, the limit.")
            yield block


@contextmanager
def open_sound(source: bytes | Path) -> Iterator[Sound]:
    """Open the bytes or the file of a recording. Raises AudioError; nothing else comes out of a bad file."""
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    if size > MAX_FILE:
        raise AudioError("file_too_large", f"This file has {size / MB:.0f} MB; the limit is {MAX_FILE // MB} MB.")
    if size == 0:
        raise AudioError("empty_file", "This file is empty.")
    import av  # its logging stays off, as it is: any level makes decoding threads wait for the GIL, which hung a whole process

    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as stream:
        head = stream.read(12)
        stream.seek(0)
        with _opened(av, stream) as container:
            sound = _sound_of(container)
            sound.partial = _cut_off(head, size)
            yield sound


@contextmanager
def _opened(av: Any, stream: Any) -> Iterator[Any]:
    """FFmpeg's view of the bytes; closed afterwards, whatever happened."""
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


def _cut_off(head: bytes, size: int) -> bool:
    """Whether a WAV file is shorter than its header says, which FFmpeg passes over; one that was streamed says 0 or the most."""
    stated = int.from_bytes(head[4:8], "little")
    return head[:4] == b"RIFF" and 0 < stated < 2**32 - 2**16 and stated + 8 > size + 1


def _sound_of(container: Any) -> Sound:
    streams = container.streams.audio
    if not streams:
        if container.streams.video:
            raise AudioError("no_sound_track", "This file has pictures but no sound track.")
        raise AudioError("not_a_sound", "This file is not a recording of sound.")
    stream = streams[0]
    if stream.codec_context is None:
        raise AudioError("unsupported_sound", "The sound of this file is coded in a way that is not read here.")
    if not 0 < (stream.codec_context.channels or 1) <= MAX_CHANNELS:
        raise AudioError("unsupported_sound", f"This recording has more than {MAX_CHANNELS} channels.")
    stated = container.duration / 1e6 if container.duration else 0
    if container.format.name in GUESSING:
        stated = 0.0
    # A recorder that streams leaves a WAV file's header at the largest value.
    if stated > MAX_SECONDS and container.format.name != "wav":
        raise AudioError("sound_too_long", f"This recording is longer than {MAX_SECONDS / 60:.0f} minutes, the limit.")
    return Sound(container, stream, stated)
