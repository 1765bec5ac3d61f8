"""Small video files made from the sample photos, for tests of everything that reads video."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from PIL import Image

SAMPLES = Path(__file__).resolve().parent.parent / "static" / "samples"
TICKS = 1000
"""Time base of the clips: milliseconds."""


@cache
def still(name: str = "obama.jpg", size: tuple[int, int] = (320, 240)) -> np.ndarray:
    """A sample photo as (H, W, 3) uint8 RGB."""
    with Image.open(SAMPLES / name) as image:
        return np.asarray(image.convert("RGB").resize(size))


def steady(frames: int, fps: float = 10.0, name: str = "obama.jpg", size: tuple[int, int] = (320, 240)) -> list[tuple[float, np.ndarray]]:
    """The same picture `frames` times: (seconds, pixels) pairs."""
    return [(index / fps, still(name, size)) for index in range(frames)]


def clip(
    moments: Iterable[tuple[float, np.ndarray]],
    container: str = "mp4",
    codec: str = "libx264",
    rotation: int = 0,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    live: bool = False,
    sound: bool = False,
    key_every: int = 12,
) -> bytes:
    """Encode (seconds, (H, W, 3) uint8 RGB) pairs. `rotation`: degrees counter-clockwise by which a player turns the picture.

    `live`: written as to a pipe, so that the header knows no length, as MediaRecorder does. `sound`: with a silent track.
    """
    if options and "faststart" in options.get("movflags", ""):  # needs to read what it wrote
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            _write(file.name, moments, container, codec, rotation, pixels, options, sound, key_every)
            return Path(file.name).read_bytes()
    buffer = BytesIO()
    _write(_Pipe(buffer) if live else buffer, moments, container, codec, rotation, pixels, options, sound, key_every)
    return buffer.getvalue()


def _write(target, moments, container, codec, rotation, pixels, options, sound, key_every) -> None:
    with av.open(target, "w", format=container, options=options or {}) as output:
        moments = list(moments)
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height = moments[0][1].shape[1::-1]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = stream.time_base = Fraction(1, TICKS if codec != "mpeg4" else 25)
        stream.gop_size = key_every
        if rotation:
            stream.set_display_rotation(rotation)
        silence = output.add_stream("aac" if container in ("mp4", "mov") else "libopus", rate=48000, layout="mono") if sound else None
        for seconds, picture in moments:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(seconds / frame.time_base)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
        if silence:
            _add_silence(output, silence, moments[-1][0])


def sound_alone(container: str = "mp4", cover: bool = False) -> bytes:
    """A second of silence, with a still cover picture where asked for."""
    buffer = BytesIO()
    with av.open(buffer, "w", format=container) as output:
        silence = output.add_stream("libmp3lame" if container == "mp3" else "aac", rate=48000, layout="mono")
        picture = None
        if cover:
            picture = output.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 320, 240, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(still(), "rgb24")
            frame.pts = 0
            packets = [*picture.encode(frame), *picture.encode()]
            for packet in packets:
                output.mux(packet)
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
    """Takes bytes and cannot be wound back."""

    def __init__(self, buffer: BytesIO) -> None:
        self.write = buffer.write


def with_stated_length(data: bytes, seconds: float) -> bytes:
    """An MP4 whose movie header (`mvhd`, version 0) states another length, and its track headers too."""
    changed = bytearray(data)
    for name, at in ((b"mvhd", 16), (b"tkhd", 20), (b"mdhd", 16)):
        start = changed.find(name)
        scale_at = changed.find(b"mdhd" if name == b"mdhd" else b"mvhd") + 16
        scale = int.from_bytes(changed[scale_at : scale_at + 4], "big")
        where = start + 4 + (at if name == b"tkhd" else 16)
        changed[where : where + 4] = int(seconds * scale).to_bytes(4, "big")
    return bytes(changed)


def boxes(data: bytes) -> Sequence[tuple[bytes, int, int]]:
    """(name, start, size) of an MP4's top-level boxes."""
    found, start = [], 0
    while start + 8 <= len(data):
        size = int.from_bytes(data[start : start + 4], "big")
        found.append((data[start + 4 : start + 8], start, size))
        start += size
    return found
