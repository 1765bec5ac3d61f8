"""Audio decoding: recordings of many formats to blocks of mono float32 at 16 kHz.

WAV, FLAC, MP3, M4A, Ogg, Opus, WebM as browsers record it (without a duration) and what else programs for sound write, and the
first audio stream of a video. Memory does not grow with the duration. PyAV is imported with the first recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO

import numpy as np

from ..errors import AudioError, MemoryBudgetError
from ..runtime.ffmpeg import MediaInput, container_of, open_media
from ..runtime.limits import get_limits
from ..runtime.media_headers import HeaderError, header_cost
from ..runtime.memory import MB, reserve
from ..runtime.tag_headers import skip_id3
from ..runtime.time_budget import check_time
from ..sources import Source, open_source, size_of
from .resampling import Resampler
from .spectrogram import PIECE_SECONDS, SAMPLE_RATE, SECOND_BYTES

MIN_RATE, MAX_RATE = 1000, 768_000
"""Samples per second of a recording: of the slowest voice recorders, and the double of the fastest converters for studios."""
MAX_CHANNELS = 32
MAX_PACKET = 8 * MB
"""Bytes of a packet: a second of the most channels at the highest rate that are read from a WAV file has 4 MB."""
MAX_FRAME_SAMPLES, MAX_FRAME_VALUES = 2**18, 2**21
"""Samples of a channel of a decoded frame, and of all: a FLAC frame has at most 2**16 of each, one of TTA about a second."""
FRAME_COPIES = 3
"""Copies of a frame: the decoder's, the queue's from which it is resampled, and slices."""
BLOCK_SAMPLES = SAMPLE_RATE
"""Minimum number of samples of a block, but for the last one."""
MAX_FAILURES = 50
"""Consecutive packets that cannot be decoded after which the rest of a recording is given up."""
ESTIMATED_DURATION = ("mp3", "aac", "amr")
"""Formats whose duration FFmpeg only estimates from the bit rate."""
FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,gsm,live_flv,mp3,mpeg,mpegts,ogg,rm,sox,tta,voc,w64,"
    "wav,wv"
)
"""Formats that FFmpeg may find in a file, besides MP4 and Matroska: what recorders, telephones and programs for sound write."""
CODECS = {
    "aac", "aac_fixed", "aac_latm", "ac3", "alac", "amrnb", "amrwb", "ape", "dca", "dsd_lsbf", "dsd_lsbf_planar", "dsd_msbf",
    "dsd_msbf_planar", "eac3", "flac", "g722", "g723_1", "g729", "gsm", "gsm_ms", "ilbc", "libgsm", "libopencore_amrnb",
    "libopencore_amrwb", "libopus", "libspeex", "libvorbis", "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float",
    "nellymoser", "opus", "speex", "truehd", "tta", "vorbis", "wavpack", "wmalossless", "wmapro", "wmav1", "wmav2", "wmavoice",
}  # fmt: skip
"""Decoders that are used, besides those of `pcm_` and `adpcm_`."""


class AudioReader:
    """An opened recording, see `open_audio`; its `blocks` can be read once.

    Attributes:
        partial: True if the recording is truncated or damaged and ends early; final after the last block.
        samples: Number of samples read so far.
        declared_seconds: Duration that the header states, 0 if it is unknown.
    """

    def __init__(self, media: MediaInput, stream: Any, declared_seconds: float) -> None:
        """Keep an opened file and its audio stream."""
        self._media, self._stream, self.declared_seconds = media, stream, declared_seconds
        self.partial = False
        self.samples = 0

    @property
    def seconds(self) -> float:
        """Duration read so far, in seconds."""
        return self.samples / SAMPLE_RATE

    def decoding_bytes(self) -> int:
        """Estimate the memory in bytes for reading the recording and keeping the spectrogram of a piece of it."""
        channels = self._stream.codec_context.channels or 1
        frames = FRAME_COPIES * 4 * _max_values(channels)
        seconds = min(self.declared_seconds or get_limits().sound_seconds, PIECE_SECONDS)
        return MAX_PACKET + frames + int(SECOND_BYTES * seconds)

    def blocks(self) -> Iterator[np.ndarray]:
        """Decode the recording.

        Yields:
            (n,) float32 mono samples at 16 kHz, full scale 1, block by block.

        Raises:
            AudioError: The recording is too long (`sound_too_long`), has no sound that can be decoded (`truncated_sound`) or
                sound of a kind that is not read (`unsupported_sound`).
            TimeBudgetError: The time budget is spent.
        """
        pending: list[np.ndarray] = []
        start = 0
        for piece in self._pieces():
            self.samples += len(piece)
            pending.append(piece)
            if self.samples - start >= BLOCK_SAMPLES:
                check_time()
                if self.seconds > get_limits().sound_seconds:
                    raise too_long()
                yield np.concatenate(pending)
                pending, start = [], self.samples
        if self.seconds > get_limits().sound_seconds:
            raise too_long()
        if pending:
            yield np.concatenate(pending)
        self.partial |= self.declared_seconds - self.seconds > max(0.3, 0.01 * self.declared_seconds)
        if not self.samples:
            raise AudioError("truncated_sound", "This recording is cut off or damaged before its first sound.")

    def _pieces(self) -> Iterator[np.ndarray]:
        """Decode and resample."""
        resampler: Resampler | None = None
        key = None
        for frame in self._frames():
            current = (frame.sample_rate, frame.format.name, frame.layout.name)
            if resampler is None or current != key:
                check_format(frame.sample_rate, frame.layout.nb_channels)
                if resampler is not None:
                    yield from resampler.flush()
                resampler, key = Resampler(frame), current
            yield from resampler.resample(frame)
        if resampler is not None:
            yield from resampler.flush()

    def _frames(self) -> Iterator[Any]:
        """Decode frames, skipping damaged packets; stops after MAX_FAILURES of them in a row."""
        from av.error import EOFError, FFmpegError

        packets = self._media.packets(self._stream)
        failures = 0
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:
                self.partial = True
                return
            if packet is None:
                return
            if packet.size > MAX_PACKET:
                raise AudioError("unsupported_sound", f"A packet of this recording has more than {MAX_PACKET // MB} MB.")
            try:
                frames = packet.decode()
            except EOFError:
                return
            except (FFmpegError, ValueError):
                self.partial = True
                failures += 1
                if failures > MAX_FAILURES:
                    return
            else:
                failures = 0
                yield from frames


@contextmanager
def open_audio(source: Source) -> Iterator[AudioReader]:
    """Open a recording; it is closed at the end of the block.

    Until then it reserves its part of the memory for decoding (`limits.set_limits`).

    Args:
        source: Path, bytes or binary file object of the recording.

    Raises:
        AudioError: The file is not a recording, or not one that can be decoded. No other error is raised for a bad file.
        TimeBudgetError: The time budget is spent.
        OSError: The file cannot be opened.
        TypeError: `source` is of another type.
    """
    with open_source(source) as stream:
        size, limit = size_of(stream), get_limits().file_bytes
        if size > limit:
            raise AudioError("file_too_large", f"This file has {size / MB:.0f} MB; the limit is {limit / MB:.0f} MB.")
        if size == 0:
            raise AudioError("empty_file", "This file is empty.")
        try:
            with ExitStack() as stack:
                yield _open_stream(stream, size, stack)
        except MemoryBudgetError as error:
            raise AudioError(error.code, str(error)) from None


def _open_stream(file: BinaryIO, size: int, stack: ExitStack) -> AudioReader:
    """Open the first audio stream; `stack` closes it and releases its memory."""
    import av

    file.seek(0)
    head = file.read(12)
    try:
        cost = header_cost(file, size, int(get_limits().decode_mb * MB))
    except HeaderError as error:
        code = "not_a_sound" if error.damaged else "unsupported_sound"
        raise AudioError(code, f"{error}.") from None
    container = container_of(head)
    offset = 0 if container else skip_id3(file)
    # Two reservations, one after the other: who holds memory must not wait for more.
    opening = cost.bytes + MAX_PACKET
    with reserve(opening):
        try:
            options = {"max_samples": str(MAX_FRAME_VALUES)}
            media = stack.enter_context(open_media(file, container or FORMATS, cost, options, opening, offset))
        except (av.error.FFmpegError, UnicodeError):
            raise AudioError("not_a_sound", "This file is not a recording of sound.") from None
        audio = _select_stream(media)
    amount = cost.bytes + audio.decoding_bytes()
    stack.enter_context(reserve(amount))
    media.reserved(amount)
    audio.partial = _is_truncated_wav(head, size)
    return audio


def _is_truncated_wav(head: bytes, size: int) -> bool:
    """Return True if a WAV file is shorter than its header declares, which FFmpeg ignores.

    A file that was streamed declares 0 or the maximum.
    """
    declared = int.from_bytes(head[4:8], "little")
    return head[:4] == b"RIFF" and 0 < declared < 2**32 - 2**16 and declared + 8 > size + 1


def _select_stream(media: MediaInput) -> AudioReader:
    """Check and take the first audio stream, and discard all others."""
    from av.stream import Discard

    container = media.container
    if not container.streams.audio:
        if container.streams.video:
            raise AudioError("no_sound_track", "This file has pictures but no sound track.")
        raise AudioError("not_a_sound", "This file is not a recording of sound.")
    selected = container.streams.audio[0]
    for stream in container.streams:
        if stream is not selected:
            stream.discard = Discard.all
    context = selected.codec_context
    if context is None or not (context.name in CODECS or context.name.startswith(("pcm_", "adpcm_"))):
        raise AudioError("unsupported_sound", "The audio codec of this file is not supported.")
    check_format(context.sample_rate or SAMPLE_RATE, context.channels or 1)
    context.options = {"max_samples": str(_max_values(context.channels or 1))}
    declared = container.duration / 1e6 if container.duration else 0.0
    if container.format.name in ESTIMATED_DURATION:
        declared = 0.0
    # FFmpeg limits the length that a WAV file declares, the largest value where it was streamed, to the bytes that there are; but
    # bytes per second are known of PCM alone.
    is_estimate = container.format.name == "wav" and not context.name.startswith("pcm_")
    if declared > get_limits().sound_seconds and not is_estimate:
        raise too_long()
    return AudioReader(media, selected, declared)


def check_format(rate: int, channels: int) -> None:
    """Raise AudioError for a sample rate or a number of channels that is not read."""
    if not 0 < channels <= MAX_CHANNELS:
        raise AudioError("unsupported_sound", f"This recording has {channels:,} channels; 1 to {MAX_CHANNELS} are read.")
    if not MIN_RATE <= rate <= MAX_RATE:
        message = f"This recording has {rate:,} samples per second; {MIN_RATE:,} to {MAX_RATE:,} are read."
        raise AudioError("unsupported_sound", message)


def _max_values(channels: int) -> int:
    """Return the largest number of samples, of all channels, of a frame that a decoder may make."""
    return min(MAX_FRAME_SAMPLES * channels, MAX_FRAME_VALUES)


def too_long() -> AudioError:
    """Make the error for a recording over the limit."""
    return AudioError("sound_too_long", f"This recording is longer than {get_limits().sound_seconds / 60:g} minutes, the limit.")
