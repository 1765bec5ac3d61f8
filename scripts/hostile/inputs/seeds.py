"""Small valid pictures, videos and recordings of every format, from which mutations start; made once a process."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pillow_heif
from PIL import Image

SAMPLE = Path(__file__).resolve().parents[3] / "static" / "samples" / "obama.jpg"
EXACT = {"fflags": "+bitexact"}
"""Option of containers: no random identifiers and no time of writing, so that every process makes the same bytes."""
IMAGES: dict[str, tuple[str, str, dict]] = {
    "jpg": ("JPEG", "RGB", {"quality": 80}),
    "progressive.jpg": ("JPEG", "RGB", {"quality": 80, "progressive": True}),
    "cmyk.jpg": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "alpha.png": ("PNG", "RGBA", {}),
    "palette.png": ("PNG", "P", {}),
    "bits.png": ("PNG", "1", {}),
    "deep.png": ("PNG", "I;16", {}),
    "moving.png": ("PNG", "RGB", {"save_all": True, "append_images": 3}),
    "gif": ("GIF", "P", {}),
    "moving.gif": ("GIF", "P", {"save_all": True, "append_images": 3}),
    "bmp": ("BMP", "RGB", {}),
    "palette.bmp": ("BMP", "P", {}),
    "tif": ("TIFF", "RGB", {}),
    "lzw.tif": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "deflate.tif": ("TIFF", "L", {"compression": "tiff_adobe_deflate"}),
    "jpeg.tif": ("TIFF", "RGB", {"compression": "jpeg"}),
    "fax.tif": ("TIFF", "1", {"compression": "group4"}),
    "deep.tif": ("TIFF", "I;16", {}),
    "webp": ("WEBP", "RGB", {"quality": 70}),
    "lossless.webp": ("WEBP", "RGBA", {"lossless": True}),
    "moving.webp": ("WEBP", "RGB", {"save_all": True, "append_images": 3}),
    "avif": ("AVIF", "RGB", {"quality": 50, "speed": 10, "max_threads": 1}),
    "heic": ("HEIF", "RGB", {"quality": 50}),
}
"""Name -> Pillow's format, mode and options."""
VIDEOS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "mp4": ("mp4", "libx264", "yuv420p", {}),
    "fragmented.mp4": ("mp4", "libx264", "yuv420p", {"movflags": "frag_keyframe+empty_moov"}),
    "mpeg4.mp4": ("mp4", "mpeg4", "yuv420p", {}),
    "mov": ("mov", "libx264", "yuv444p", {}),
    "mkv": ("matroska", "libx264", "yuv420p", {}),
    "webm": ("webm", "libvpx", "yuv420p", {}),
    "vp9.webm": ("webm", "libvpx-vp9", "yuv420p", {}),
    "avi": ("avi", "mjpeg", "yuvj420p", {}),
    "mpeg4.avi": ("avi", "mpeg4", "yuv420p", {}),
    "ts": ("mpegts", "libx264", "yuv420p", {}),
    "mpeg2.ts": ("mpegts", "mpeg2video", "yuv420p", {}),
    "mpg": ("mpeg", "mpeg2video", "yuv420p", {}),
    "flv": ("flv", "flv", "yuv420p", {}),
    "h264.flv": ("flv", "libx264", "yuv420p", {}),
    "wmv": ("asf", "wmv2", "yuv420p", {}),
    "msmpeg4.wmv": ("asf", "msmpeg4", "yuv420p", {}),
}
"""Name -> container, codec, pixel format, options of the container."""
SOUNDS: dict[str, tuple[str, str]] = {
    "wav": ("wav", "pcm_s16le"), "float.wav": ("wav", "pcm_f32le"), "wide.wav": ("wav", "pcm_f64le"), "ulaw.wav": ("wav",
    "pcm_mulaw"),
    "flac": ("flac", "flac"), "opus.ogg": ("ogg", "libopus"), "mp3": ("mp3", "libmp3lame"),
    "m4a": ("mp4", "aac"), "aac": ("adts", "aac"), "webm": ("webm", "libopus"), "aiff": ("aiff", "pcm_s16be"), "au": ("au",
    "pcm_s16be"),
}  # fmt: skip
"""Name -> container and codec."""

pillow_heif.register_heif_opener()


@cache
def portrait(width: int = 160, height: int = 120) -> Image.Image:
    """Return a photo with one face, RGB."""
    with Image.open(SAMPLE) as image:
        return image.convert("RGB").resize((width, height))


@cache
def image(name: str) -> bytes:
    """Return the picture called `name` in IMAGES, 160 x 120 pixels with one face."""
    form, mode, options = IMAGES[name]
    chosen = dict(options)
    picture = portrait()
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    if "append_images" in chosen:
        count = chosen.pop("append_images")
        chosen["append_images"] = [picture.rotate(5 * turn) for turn in range(1, count + 1)]
    buffer = io.BytesIO()
    picture.save(buffer, form, **chosen)
    return buffer.getvalue()


@cache
def video(name: str) -> bytes:
    """Return the video called `name` in VIDEOS: six frames of 160 x 120 pixels with a face."""
    container, codec, pixels, options = VIDEOS[name]
    return encode_video(container, codec, pixels, portrait(), 6, options)


@cache
def large_video(width: int, height: int, frames: int) -> bytes:
    """Return an MP4 of gray frames: a small file of large pictures."""
    return encode_video("mp4", "libx264", "yuv420p", Image.new("RGB", (width, height), "gray"), frames, {})


def encode_video(container: str, codec: str, pixels: str, picture: Image.Image, frames: int, options: dict[str, str]) -> bytes:
    """Encode `picture` as a video of `frames` frames, ten a second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=EXACT | options) as output:
        quick = {"preset": "ultrafast"} if codec == "libx264" else {"cpu-used": "8"} if "vpx" in codec else {}
        stream: Any = output.add_stream(
            codec, rate=25 if codec == "mpeg2video" else 10, options={"threads": "1", "flags": "+bitexact", **quick}
        )
        stream.width, stream.height, stream.pix_fmt = *picture.size, pixels
        for _ in range(frames):
            output.mux(stream.encode(av.VideoFrame.from_image(picture)))
        output.mux(stream.encode())
    return buffer.getvalue()


@cache
def sound(name: str) -> bytes:
    """Return the recording called `name` in SOUNDS: half a second of a tone with overtones."""
    container, codec = SOUNDS[name]
    rate = 48_000 if "opus" in codec else 16_000
    time = np.arange(rate // 2) / rate
    wave = np.sum([np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 12)], axis=0)
    samples = (0.3 * wave * (1 + np.sin(2 * np.pi * 4 * time))).astype(np.float32)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=EXACT) as output:
        stream: Any = output.add_stream(codec, rate=rate, layout="mono", options={"flags": "+bitexact"})
        frame = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, "mono", rate, stream.codec_context.frame_size or None)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(piece))
        output.mux(stream.encode())
    return buffer.getvalue()
