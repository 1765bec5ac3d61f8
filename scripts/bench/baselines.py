"""Baseline servers of the benchmark: Flask applications as they are usually written, started by gunicorn.

    python -m scripts.bench.baselines FOLDER                       save the two VGG-16 networks that the first two load
    gunicorn "scripts.bench.baselines:create_app('usual')"         or 'small' or 'fer'; BENCH_MODELS names FOLDER

Their weights are random (except for fer's), on which time and memory do not depend. All use OpenCV's Haar cascade at full size
and return JSON like this project's API, including `timing_ms`. Locks guard calls that the libraries do not allow in parallel.
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
"""Input side of each VGG-16 in pixels."""

Analyzer = Callable[[np.ndarray], tuple[list[dict[str, Any]], dict[str, float]]]
"""(H, W, 3) uint8 BGR -> faces, and milliseconds of `detect` and `classify`."""


def vgg16(side: int) -> Any:
    """Build Keras' float32 VGG-16 for colour images with a dense head of seven classes on its 512 bottleneck features."""
    from tensorflow import keras

    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(side, side, 3), pooling="avg")
    layers = keras.layers
    head = [layers.Dense(256, activation="relu"), layers.Dropout(0.5), layers.Dense(128, activation="relu"),
            layers.Dense(128, activation="relu"), layers.BatchNormalization(), layers.Dense(64, activation="relu"),
            layers.Dense(len(EMOTIONS), activation="softmax")]  # fmt: skip
    return keras.Sequential([base, *head])


def keras_analyzer(name: str, models: Path) -> Analyzer:
    """Haar cascade with default parameters, then the network for each face: `usual` by `model.predict`, `small` by `model(x)`."""
    from tensorflow import keras

    model, side = keras.models.load_model(models / f"{name}.keras"), SIDES[name]
    data: Any = cv2.data  # type: ignore[attr-defined]  # missing in OpenCV's stubs
    cascade = cv2.CascadeClassifier(data.haarcascades + "haarcascade_frontalface_default.xml")
    lock = threading.Lock()

    def scores(crop: np.ndarray) -> np.ndarray:
        batch = crop[np.newaxis].astype("float32") / 255
        return model.predict(batch, verbose=0)[0] if name == "usual" else model(batch, training=False).numpy()[0]

    def analyze(pixels: np.ndarray) -> tuple[list[dict[str, Any]], dict[str, float]]:
        started = time.perf_counter()
        grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
        with lock:  # a CascadeClassifier keeps state while it runs
            boxes = cascade.detectMultiScale(grey)
        found = time.perf_counter()
        faces = []
        for x, y, width, height in boxes:
            crop = cv2.resize(pixels[y : y + height, x : x + width], (side, side))
            faces.append(face((x, y, width, height), dict(zip(EMOTIONS, scores(crop), strict=True))))
        return faces, {"detect": (found - started) * 1e3, "classify": (time.perf_counter() - found) * 1e3}

    return analyze


def fer_analyzer() -> Analyzer:
    """The package fer as in its README; the time of its detector is measured within the call."""
    from fer.fer import FER

    detector, lock, seconds = FER(), threading.Lock(), {}
    find = detector.find_faces

    def timed(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        found = find(*arguments, **options)
        seconds["detect"] = time.perf_counter() - started
        return found

    detector.find_faces = timed

    def analyze(pixels: np.ndarray) -> tuple[list[dict[str, Any]], dict[str, float]]:
        with lock:  # neither its interpreter nor its cascade may be used by two threads
            started = time.perf_counter()
            faces = [face(found["box"], found["emotions"]) for found in detector.detect_emotions(pixels)]
            whole, detect = time.perf_counter() - started, seconds["detect"]
        return faces, {"detect": detect * 1e3, "classify": (whole - detect) * 1e3}

    return analyze


def face(box: Any, probabilities: dict[str, Any]) -> dict[str, Any]:
    """Return a face with values that JSON can represent."""
    sides = dict(zip(("left", "top", "width", "height"), map(int, box), strict=True))
    return {"box": sides, "probabilities": {name: float(value) for name, value in probabilities.items()}}


def create_app(name: str) -> Any:
    """Create the server of a baseline; its models are loaded once, here."""
    from flask import Flask, jsonify, request

    app = Flask(name)
    analyze = fer_analyzer() if name == "fer" else keras_analyzer(name, Path(os.environ["BENCH_MODELS"]))

    @app.post("/api/v1/image")  # the path of this project's API
    def image() -> Any:
        started = time.perf_counter()
        pixels = cv2.imdecode(np.frombuffer(request.files["file"].read(), np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None  # the benchmark sends images
        decode = (time.perf_counter() - started) * 1e3
        faces, timing = analyze(pixels)
        return jsonify(faces=faces, timing_ms={"decode": decode, **timing})

    return app


def main() -> None:
    for name, side in SIDES.items():
        vgg16(side).save(Path(sys.argv[1]) / f"{name}.keras")


if __name__ == "__main__":
    main()
