"""HTTP requests for tests and benchmarks: photos in all formats, large and damaged files, texts, recordings, videos, pages."""

from __future__ import annotations

import http.client
import io
import json
import math
import struct
import time
import wave
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()

IMAGE = "/api/v1/image"


@dataclass(frozen=True)
class Request:
    """An HTTP request with its permitted statuses; `faces` is the minimum number of faces in its response."""

    name: str
    path: str
    statuses: tuple[int, ...] = (200,)
    body: bytes | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict)
    faces: int = 0


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = field(repr=False)
    seconds: float


def send(port: int, request: Request, timeout: float = 120.0) -> Response:
    """Send `request` to 127.0.0.1 on a new connection. Raises OSError or http.client.HTTPException without a response."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST" if request.body is not None else "GET", request.path, request.body, request.headers)
        response = connection.getresponse()
        return Response(response.status, response.read(), time.perf_counter() - started)
    finally:
        connection.close()


def upload(name: str, data: bytes, path: str = IMAGE, statuses: tuple[int, ...] = (200,), faces: int = 0) -> Request:
    """Return a multipart upload of `data` in the field `file`."""
    boundary = "a-boundary-that-no-picture-holds"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    body = f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return Request(name, path, statuses, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}, faces)


def encode(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def enlarge(portrait: Image.Image, width: int, height: int) -> Image.Image:
    """Place the portrait in a noisy scene of `width` x `height` pixels, so that the file is as large as a camera's."""
    grain = np.random.default_rng(0).integers(96, 160, (height // 2, width // 2, 3), np.uint8)
    scene = Image.fromarray(grain).resize((width, height), Image.Resampling.BILINEAR)
    side = height * 4 // 5
    scene.paste(portrait.resize((side * portrait.width // portrait.height, side)), (width // 4, height // 10))
    return scene


def decompression_bomb(width: int = 20_000, height: int = 10_000) -> bytes:
    """Return a valid white PNG of 200 megapixels in 200 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * width
    pixels = b"".join([packer.compress(row) for _ in range(height)]) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def standard_photo(portrait: Path) -> Request:
    """Return the photo for which budgets are stated: 640 x 480 pixels with one face."""
    with Image.open(portrait) as opened:
        image = opened.convert("RGB")
    scene = Image.new("RGB", (640, 480), (96, 104, 112))
    scene.paste(image.resize((480 * image.width // image.height, 480)), (80, 0))
    return upload("photo.jpg", encode(scene, "JPEG", quality=90), faces=1)


def large_photos(portrait: Path) -> list[Request]:
    """Return two photos of the size of phones and cameras: 24 megapixels as JPEG, 12 as HEIC."""
    with Image.open(portrait) as opened:
        image = opened.convert("RGB")
    jpeg = encode(enlarge(image, 6000, 4000), "JPEG", quality=90)
    heic = encode(enlarge(image, 4000, 3000), "HEIF", quality=60, enc_params={"preset": "ultrafast"})
    return [upload("24-megapixels.jpg", jpeg, faces=1), upload("12-megapixels.heic", heic, faces=1)]


def mixed_requests(portrait: Path) -> list[Request]:
    """Return one request of each kind but the large photos: image formats, options, pages, and files that must be rejected."""
    data = portrait.read_bytes()
    with Image.open(portrait) as opened:
        image = opened.convert("RGB")
    phone = enlarge(image, 4000, 3000)
    rejected = tuple(range(400, 500))
    return [
        standard_photo(portrait),
        upload("portrait.jpg", data, faces=1),
        upload("annotated.jpg", data, f"{IMAGE}?annotate=true", faces=1),
        upload("landmarks.jpg", data, f"{IMAGE}?landmarks=true", faces=1),
        upload("whole.jpg", data, f"{IMAGE}?detector=none", faces=1),
        upload("page.jpg", data, "/"),
        upload("portrait.png", encode(image, "PNG"), faces=1),
        upload("portrait.webp", encode(image, "WEBP"), faces=1),
        upload("portrait.heic", encode(image, "HEIF"), faces=1),
        upload("turned.jpg", encode(image.rotate(90, expand=True), "JPEG", exif=_exif_orientation(6)), faces=1),
        upload("phone.jpg", encode(phone, "JPEG", quality=85), faces=1),
        Request("raw", IMAGE, body=data, headers={"Content-Type": "image/jpeg"}, faces=1),
        upload("flat.jpg", encode(Image.new("RGB", (640, 480), "gray"), "JPEG")),
        upload("empty.jpg", b"", statuses=rejected),
        upload("text.jpg", b"not a picture", statuses=rejected),
        upload("truncated.jpg", data[: len(data) // 3], statuses=rejected),
        upload("bomb.png", decompression_bomb(), statuses=rejected),
        upload("option.jpg", data, f"{IMAGE}?annotate=perhaps", statuses=rejected),
        *[Request(path, path) for path in ("/", "/about", "/docs", "/openapi.json", "/health", "/api/v1/models")],
        Request("/nowhere", "/nowhere", (404,)),
    ]


def _exif_orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


SAMPLE_PHOTO = Path(__file__).resolve().parents[2] / "static" / "samples" / "obama.jpg"
SIZE = 640, 480
MARKER_COLOUR = (255, 0, 255)
"""Colour of a square in the photo by which tests find the face's position without detection."""


def moving_face(frames: int = 90, reach: int = 130) -> Iterator[Image.Image]:
    """Yield frames of a face that moves from side to side, at most `reach` pixels from the centre, as a closed loop."""
    with Image.open(SAMPLE_PHOTO) as photo:
        person = photo.convert("RGB").crop((96, 0, 464, 440))
    person.paste(MARKER_COLOUR, (160, 330, 200, 370))
    for index in range(frames):
        scene = Image.new("RGB", SIZE, (96, 104, 112))
        shift = reach * math.sin(2 * math.pi * index / frames)
        scene.paste(person, (round((SIZE[0] - person.width) / 2 + shift), 40))
        yield scene


def jpeg(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def write_camera_video(path: Path) -> Path:
    """Write three seconds of motion JPEG, which Chromium repeats as its fake camera's video at 30 frames per second."""
    path.write_bytes(b"".join(map(jpeg, moving_face())))
    return path


SAMPLE_RATE = 16_000
SENTENCES = (
    "I love how this turned out, thank you all!",
    "He slammed the door and left without a word.",
    "What a strange idea.",
)


def media_requests() -> list[Request]:
    """Return one request of each kind: sentence, batch and page of text, recordings, video to JSON lines and to MP4, camera
    frame."""
    video, sound = moving_face_mp4(), speech_like_wav()
    return [
        text_request("sentence", SENTENCES[0]),
        text_request("hundred", list(SENTENCES * 33)),
        text_request("page", " ".join(SENTENCES * 60)),
        upload("voice.wav", sound, "/api/v1/speech"),
        upload("half.wav", sound[: len(sound) // 2], "/api/v1/speech"),
        upload("video.mp4", video, "/api/v1/video?fps=5"),
        upload("annotated.mp4", video, "/api/v1/video?annotated=mp4"),
        upload("frame.jpg", jpeg(next(moving_face())), f"{IMAGE}?tracks=&time=0", faces=1),
        *[Request(path, path) for path in ("/live", "/video", "/text", "/speech")],
    ]


def text_request(name: str, texts: str | list[str]) -> Request:
    body = json.dumps({"text": texts}).encode()
    return Request(name, "/api/v1/text", body=body, headers={"Content-Type": "application/json"})


def speech_like_wav(seconds: float = 6.0) -> bytes:
    """Return a WAV file of a tone with the pitch and loudness modulation of speech."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(140 + 40 * np.sin(2 * np.pi * 0.7 * time)) / SAMPLE_RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 20)) * np.clip(1.5 * np.sin(2 * np.pi * 3.4 * time), 0, 1)
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((sound / np.abs(sound).max() * 16_000).astype("<i2").tobytes())
    return stream.getvalue()


def moving_face_mp4(rate: int = 15) -> bytes:
    """Return two seconds of a moving face, 640 x 480 pixels, H.264 in an MP4 file."""
    import av

    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=rate)
        track.width, track.height, track.pix_fmt = 640, 480, "yuv420p"
        for image in moving_face(2 * rate):
            container.mux(track.encode(av.VideoFrame.from_image(image)))
        container.mux(track.encode())
    return stream.getvalue()
