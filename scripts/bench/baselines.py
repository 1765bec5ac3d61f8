"""The rivals of the benchmark, each a Flask server written as such applications usually are; for gunicorn to start.

    python -m scripts.bench.baselines FOLDER                       save the two VGG-16 networks that the first two load
    gunicorn "scripts.bench.baselines:create_app('usual')"         or 'small' or 'fer'; BENCH_MODELS names FOLDER

Their weights are random (fer's are its own): time and memory do not depend on them. All use OpenCV's Haar cascade at full
size and answer with JSON in the shape of this project's API, `timing_ms` included. Locks are where the libraries need them.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SIDES = {"usual": 224, "small": 48}
"""Side in pixels of the colour crops that each VGG-16 reads."""

Reader = Callable[[np.ndarray], tuple[list[dict[str, Any]], dict[str, float]]]
"""(H, W, 3) uint8 BGR -> its faces, and milliseconds of `detect` and `classify`."""


def vgg16(side: int) -> Any:
    """Keras' own VGG-16 in colour and float32 with a dense head of seven classes on its 512 bottleneck features."""
    from tensorflow import keras

    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(side, side, 3), pooling="avg")
    layers = keras.layers
    head = [layers.Dense(256, activation="relu"), layers.Dropout(0.5), layers.Dense(128, activation="relu"),
            layers.Dense(128, activation="relu"), layers.BatchNormalization(), layers.Dense(64, activation="relu"),
            layers.Dense(len(EMOTIONS), activation="softmax")]  # fmt: skip
    return keras.Sequential([base, *head])


def keras_reader(name: str, models: Path) -> Reader:
    """Haar with its default parameters, then the network once a face: `usual` by `model.predict`, `small` by `model(x)`."""
    from tensorflow import keras

    model, side = keras.models.load_model(models / f"{name}.keras"), SIDES[name]
    data: Any = cv2.data  # type: ignore[attr-defined]  # missing in OpenCV's stubs
    cascade = cv2.CascadeClassifier(data.haarcascades + "haarcascade_frontalface_default.xml")
    lock = threading.Lock()

    def scores(crop: np.ndarray) -> np.ndarray:
        batch = crop[np.newaxis].astype("float32") / 255
        return model.predict(batch, verbose=0)[0] if name == "usual" else model(batch, training=False).numpy()[0]

    def read(picture: np.ndarray) -> tuple[list[dict[str, Any]], dict[str, float]]:
        begun = time.perf_counter()
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        with lock:  # a CascadeClassifier keeps state while it runs
            boxes = cascade.detectMultiScale(grey)
        found = time.perf_counter()
        faces = []
        for x, y, width, height in boxes:
            crop = cv2.resize(picture[y : y + height, x : x + width], (side, side))
            faces.append(face((x, y, width, height), dict(zip(EMOTIONS, scores(crop), strict=True))))
        return faces, {"detect": (found - begun) * 1e3, "classify": (time.perf_counter() - found) * 1e3}

    return read


def fer_reader() -> Reader:
    """The package fer as its README shows it; the time of its own detector is taken inside its one call."""
    from fer.fer import FER

    detector, lock, seconds = FER(), threading.Lock(), {}
    find = detector.find_faces

    def timed(*arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        found = find(*arguments, **options)
        seconds["detect"] = time.perf_counter() - begun
        return found

    detector.find_faces = timed

    def read(picture: np.ndarray) -> tuple[list[dict[str, Any]], dict[str, float]]:
        with lock:  # neither its interpreter nor its cascade may be used by two threads
            begun = time.perf_counter()
            faces = [face(found["box"], found["emotions"]) for found in detector.detect_emotions(picture)]
            whole, detect = time.perf_counter() - begun, seconds["detect"]
        return faces, {"detect": detect * 1e3, "classify": (whole - detect) * 1e3}

    return read


def face(box: Any, probabilities: dict[str, Any]) -> dict[str, Any]:
    """One face as JSON takes it."""
    sides = dict(zip(("left", "top", "width", "height"), map(int, box), strict=True))
    return {"box": sides, "probabilities": {name: float(value) for name, value in probabilities.items()}}


def create_app(name: str) -> Any:
    """The server of one rival: its models are loaded here, once."""
    from flask import Flask, jsonify, request

    app = Flask(name)
    read = fer_reader() if name == "fer" else keras_reader(name, Path(os.environ["BENCH_MODELS"]))

    @app.post("/api/v1/image")  # where the benchmark's client sends every picture
    def image() -> Any:
        begun = time.perf_counter()
        picture = cv2.imdecode(np.frombuffer(request.files["file"].read(), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None  # the benchmark sends pictures
        decode = (time.perf_counter() - begun) * 1e3
        faces, timing = read(picture)
        return jsonify(faces=faces, timing_ms={"decode": decode, **timing})

    return app


def main() -> None:
    for name, side in SIDES.items():
        vgg16(side).save(Path(sys.argv[1]) / f"{name}.keras")


if __name__ == "__main__":
    main()
