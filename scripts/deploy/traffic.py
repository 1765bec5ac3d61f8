"""Requests as visitors send them: real portraits in many forms, large and broken files, pages; and a client that times them."""

from __future__ import annotations

import http.client
import io
import struct
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()

IMAGE = "/api/v1/image"


@dataclass(frozen=True)
class Request:
    """One request and the statuses it may get; `faces` is the least number of faces its answer must hold."""

    name: str
    path: str
    statuses: tuple[int, ...] = (200,)
    body: bytes | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict)
    faces: int = 0


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = field(repr=False)
    seconds: float


def send(port: int, request: Request, timeout: float = 120.0) -> Answer:
    """Send `request` to 127.0.0.1 on a connection of its own. Raises OSError or http.client.HTTPException if none is answered."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST" if request.body is not None else "GET", request.path, request.body, request.headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(), time.perf_counter() - begun)
    finally:
        connection.close()


def upload(name: str, data: bytes, path: str = IMAGE, statuses: tuple[int, ...] = (200,), faces: int = 0) -> Request:
    """A multipart upload of `data` in the field `file`."""
    boundary = "a-boundary-that-no-picture-holds"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    body = f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return Request(name, path, statuses, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}, faces)


def encoded(picture: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def enlarged(portrait: Image.Image, width: int, height: int) -> Image.Image:
    """The portrait in a noisy scene of `width` x `height` pixels, so that the file weighs what a camera's does."""
    grain = np.random.default_rng(0).integers(96, 160, (height // 2, width // 2, 3), np.uint8)
    scene = Image.fromarray(grain).resize((width, height), Image.Resampling.BILINEAR)
    side = height * 4 // 5
    scene.paste(portrait.resize((side * portrait.width // portrait.height, side)), (width // 4, height // 10))
    return scene


def bomb(width: int = 20_000, height: int = 10_000) -> bytes:
    """A valid white PNG of 200 megapixels in 200 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * width
    pixels = b"".join([packer.compress(row) for _ in range(height)]) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def photo(portrait: Path) -> Request:
    """The photo that the budgets speak of: 640 x 480 pixels with one face."""
    with Image.open(portrait) as opened:
        picture = opened.convert("RGB")
    scene = Image.new("RGB", (640, 480), (96, 104, 112))
    scene.paste(picture.resize((480 * picture.width // picture.height, 480)), (80, 0))
    return upload("photo.jpg", encoded(scene, "JPEG", quality=90), faces=1)


def large(portrait: Path) -> list[Request]:
    """Two photos as large as phones and cameras make them: 24 megapixels of JPEG, 12 of HEIC."""
    with Image.open(portrait) as opened:
        picture = opened.convert("RGB")
    jpeg = encoded(enlarged(picture, 6000, 4000), "JPEG", quality=90)
    heic = encoded(enlarged(picture, 4000, 3000), "HEIF", quality=60, enc_params={"preset": "ultrafast"})
    return [upload("24-megapixels.jpg", jpeg, faces=1), upload("12-megapixels.heic", heic, faces=1)]


def mixed(portrait: Path) -> list[Request]:
    """One of everything but the large ones: forms of a photo, the pages, and what must be refused."""
    data = portrait.read_bytes()
    with Image.open(portrait) as opened:
        picture = opened.convert("RGB")
    phone = enlarged(picture, 4000, 3000)
    refused = tuple(range(400, 500))
    return [
        photo(portrait),
        upload("portrait.jpg", data, faces=1),
        upload("annotated.jpg", data, f"{IMAGE}?annotate=true", faces=1),
        upload("landmarks.jpg", data, f"{IMAGE}?landmarks=true", faces=1),
        upload("whole.jpg", data, f"{IMAGE}?detector=none", faces=1),
        upload("page.jpg", data, "/"),
        upload("portrait.png", encoded(picture, "PNG"), faces=1),
        upload("portrait.webp", encoded(picture, "WEBP"), faces=1),
        upload("portrait.heic", encoded(picture, "HEIF"), faces=1),
        upload("turned.jpg", encoded(picture.rotate(90, expand=True), "JPEG", exif=_orientation(6)), faces=1),
        upload("phone.jpg", encoded(phone, "JPEG", quality=85), faces=1),
        Request("raw", IMAGE, body=data, headers={"Content-Type": "image/jpeg"}, faces=1),
        upload("flat.jpg", encoded(Image.new("RGB", (640, 480), "gray"), "JPEG")),
        upload("empty.jpg", b"", statuses=refused),
        upload("text.jpg", b"not a picture", statuses=refused),
        upload("truncated.jpg", data[: len(data) // 3], statuses=refused),
        upload("bomb.png", bomb(), statuses=refused),
        upload("option.jpg", data, f"{IMAGE}?annotate=perhaps", statuses=refused),
        *[Request(path, path) for path in ("/", "/about", "/docs", "/openapi.json", "/health", "/api/v1/models")],
        Request("/nowhere", "/nowhere", (404,)),
    ]


def _orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif
