"""Small generated video files for tests."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from emotions.runtime.ffmpeg import limit_allocations

SAMPLES = Path(__file__).resolve().parent.parent / "static" / "samples"
TICKS = 1000
"""Time base of the clips: milliseconds."""


@cache
def still(name: str = "obama.jpg", size: tuple[int, int] = (320, 240)) -> np.ndarray:
    """A sample photo as (H, W, 3) uint8 RGB."""
    with Image.open(SAMPLES / name) as image:
        return np.asarray(image.convert("RGB").resize(size))


def still_frames(
    frames: int, fps: float = 10.0, name: str = "obama.jpg", size: tuple[int, int] = (320, 240)
) -> list[tuple[float, np.ndarray]]:
    """Repeat an image `frames` times: pairs (seconds, pixels)."""
    return [(index / fps, still(name, size)) for index in range(frames)]


def clip(
    moments: Sequence[tuple[float, np.ndarray]],
    container: str = "mp4",
    codec: str = "libx264",
    *,
    options: dict[str, str] | None = None,
    live: bool = False,
    **further,
) -> bytes:
    """Encode (seconds, (H, W, 3) uint8 RGB) pairs. `options`: of the container; `live`: written as to a pipe, so that the header
    knows no length, as MediaRecorder does; `further`: see `_write`.
    """
    if options and "faststart" in options.get("movflags", ""):  # it reads again what it wrote
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            _write(file.name, moments, container, codec, options, **further)
            return Path(file.name).read_bytes()
    buffer = BytesIO()
    _write(_Pipe(buffer) if live else buffer, moments, container, codec, options, **further)
    return buffer.getvalue()


def _write(
    target: Any,
    moments: Sequence[tuple[float, np.ndarray]],
    container: str,
    codec: str,
    options: dict[str, str] | None,
    *,
    pixels: str = "yuv420p",
    codec_options: dict[str, str] | None = None,
    rotation: int = 0,
    aspect: int = 1,
    sound: bool = False,
) -> None:
    """`rotation`: degrees counter-clockwise by which a player turns it; `aspect`: width of a pixel; `sound`: with a silent
    track.
    """
    limit_allocations(2**31 - 1)  # opening a file for reading limits the whole process
    with av.open(target, "w", format=container, options=options or {}) as output:
        stream = output.add_stream(codec, rate=25, options=codec_options or {})
        stream.width, stream.height = moments[0][1].shape[1::-1]
        stream.pix_fmt, stream.gop_size = pixels, 12
        stream.codec_context.time_base = Fraction(1, 25 if codec.startswith("mpeg") else TICKS)
        if aspect != 1:
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if rotation:
            stream.set_display_rotation(rotation)
        silence = (
            output.add_stream("aac" if container in ("mp4", "mov") else "libopus", rate=48000, layout="mono") if sound else None
        )
        for seconds, pixels in moments:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(seconds / frame.time_base)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
        if silence:
            _add_silence(output, silence, moments[-1][0])


def audio_only(container: str = "mp4", cover: bool = False) -> bytes:
    """A file with one second of silence, and optionally a cover image."""
    buffer = BytesIO()
    with av.open(buffer, "w", format=container) as output:
        silence = output.add_stream("libmp3lame" if container == "mp3" else "aac", rate=48000, layout="mono")
        if cover:
            cover_stream = output.add_stream("mjpeg", rate=1)
            cover_stream.width, cover_stream.height, cover_stream.pix_fmt = 320, 240, "yuvj420p"
            cover_stream.disposition = av.stream.Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(still(), "rgb24")
            frame.pts = 0
            output.mux([*cover_stream.encode(frame), *cover_stream.encode()])
        _add_silence(output, silence, 1.0)
    return buffer.getvalue()


def _add_silence(output, stream, seconds: float) -> None:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), "fltp", "mono")
    frame.sample_rate = 48000
    for index in range(max(1, int(seconds * 50))):
        frame.pts = index * 960
        output.mux(stream.encode(frame))
    output.mux(stream.encode())


class _Pipe:
    """Writable stream that cannot seek."""

    def __init__(self, buffer: BytesIO) -> None:
        self.write = buffer.write


def with_header_duration(matroska: bytes, seconds: float) -> bytes:
    """Change the duration in a Matroska header (element 0x4489, float64 of milliseconds)."""
    start = matroska.index(b"\x44\x89\x88") + 3
    return matroska[:start] + struct.pack(">d", seconds * 1000) + matroska[start + 8 :]
