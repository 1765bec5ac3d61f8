"""Texts, voices, films and frames of a camera, as visitors send them beside photos."""

from __future__ import annotations

import io
import json
import wave

import numpy as np

from .moving_face import jpeg, moving_face
from .traffic import IMAGE, Request, upload

RATE = 16_000
SENTENCES = (
    "I love how this turned out, thank you all!",
    "He slammed the door and left without a word.",
    "What a strange idea.",
)


def media() -> list[Request]:
    """One of each: a sentence, a hundred of them, a page of text, a recording, a film as lines and as a film, a camera's frame."""
    film, sound = moving_film(), recording()
    return [
        text("sentence", SENTENCES[0]),
        text("hundred", list(SENTENCES * 33)),
        text("page", " ".join(SENTENCES * 60)),
        upload("voice.wav", sound, "/api/v1/speech"),
        upload("half.wav", sound[: len(sound) // 2], "/api/v1/speech"),
        upload("film.mp4", film, "/api/v1/video?fps=5"),
        upload("annotated.mp4", film, "/api/v1/video?annotated=mp4"),
        upload("frame.jpg", jpeg(next(moving_face())), f"{IMAGE}?tracks=&time=0", faces=1),
        *[Request(path, path) for path in ("/live", "/video", "/text", "/speech")],
    ]


def text(name: str, texts: str | list[str]) -> Request:
    body = json.dumps({"text": texts}).encode()
    return Request(name, "/api/v1/text", body=body, headers={"Content-Type": "application/json"})


def recording(seconds: float = 6.0) -> bytes:
    """A WAV file of a buzz that moves in pitch and loudness as speech does."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 40 * np.sin(2 * np.pi * 0.7 * time)) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 20)) * np.clip(1.5 * np.sin(2 * np.pi * 3.4 * time), 0, 1)
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound / np.abs(sound).max() * 16_000).astype("<i2").tobytes())
    return stream.getvalue()


def moving_film(rate: int = 15) -> bytes:
    """Two seconds of a moving face, 640 x 480 pixels of H.264 in an MP4 file."""
    import av

    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=rate)
        track.width, track.height, track.pix_fmt = 640, 480, "yuv420p"
        for image in moving_face(2 * rate):
            container.mux(track.encode(av.VideoFrame.from_image(image)))
        container.mux(track.encode())
    return stream.getvalue()
