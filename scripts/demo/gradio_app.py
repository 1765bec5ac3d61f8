"""The library behind Gradio's components: photo, webcam, text and voice, each where its models are.

    make gradio                                    http://127.0.0.1:7860
    .venv-gradio/bin/python -m scripts.demo.gradio_app --port 7870

A second face for trying things out; the application itself is web/. Nothing is loaded from elsewhere, sent elsewhere, flagged
or kept: Gradio's copies of what is uploaded go after ten minutes, and all of them when the program ends.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

UPLOADS = Path(tempfile.gettempdir()) / f"gradio-{os.getpid()}"
# Read by Gradio when it is imported.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(UPLOADS), "HF_HUB_OFFLINE": "1"}

import gradio as gr

from emotions import FaceAnalyzer, FaceTracker, ImageError, annotate, open_image
from emotions.face.detector import DETECTORS
from emotions.image.loading import LoadedImage
from emotions.labels import TITLES

SAMPLES = Path(__file__).resolve().parents[2] / "static" / "samples"
HEAD = "mixed"
KEPT = 600
"""Seconds that copies of uploads are kept."""
FRAME_SECONDS = 0.2
THEME = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
"""Fonts of the system: Gradio's own would come from Google."""
NOTICE = (
    "An expression is not a feeling: it is read as a few raters of web pictures would name it. "
    "Do not decide anything about a person by it."
)


def photo_tab(analyzer: FaceAnalyzer) -> None:
    """A picture in; the annotated picture, the largest face's probabilities and the API's JSON out."""

    def read(path: str | None, detector: str, annotated: bool, landmarks: bool) -> tuple[Any, ...]:
        if path is None:
            raise gr.Error("Choose a picture first.", print_exception=False)
        try:
            picture = open_image(Path(path))
        except ImageError as error:
            raise gr.Error(f"{error} ({error.code})", print_exception=False) from None
        result = analyzer.analyze(picture, detector, landmarks)
        shown = annotate(picture, result) if annotated else picture.pixels
        return shown, labels(result.faces[0].to_json()["probabilities"]) if result.faces else None, result.to_json()

    with gr.Row():
        with gr.Column():
            source = gr.Image(type="filepath", sources=["upload", "clipboard"], label="Picture")
            # The library reads the very file: Gradio would open it first, knows fewer formats and refuses none for its size.
            source.preprocess = lambda upload: upload and upload.path
            detector = gr.Radio(list(DETECTORS), value="auto", label="Detector")
            annotated = gr.Checkbox(True, label="Annotate")
            landmarks = gr.Checkbox(False, label="Landmarks")
            button = gr.Button("Read", variant="primary")
        with gr.Column():
            shown = gr.Image(label="Annotated picture", format="jpeg", interactive=False, buttons=["download", "fullscreen"])
            label = gr.Label(num_top_classes=len(TITLES), label="Largest face")
            body = answer_as_json()
    inputs, outputs = [source, detector, annotated, landmarks], [shown, label, body]
    button.click(read, inputs, outputs, api_name="photo")
    gr.Examples([[str(path)] for path in sorted(SAMPLES.glob("*.*g"))], [source], label="Examples")


def webcam_tab(analyzer: FaceAnalyzer) -> None:
    """Frames in, each followed from the last: the annotated frame and the largest face's smoothed probabilities out."""

    def follow(frame: np.ndarray | None, tracks: str) -> tuple[Any, ...]:
        if frame is None:
            return None, None, ""
        picture = LoadedImage(np.ascontiguousarray(frame), frame.shape[1], frame.shape[0], 0.0)
        tracker = FaceTracker(tracks)
        result = tracker.update(picture, analyzer.analyze(picture), time.monotonic())
        label = labels(result.faces[0].to_json()["probabilities"]) if result.faces else None
        return annotate(picture, result), label, tracker.state

    with gr.Row():
        camera = gr.Image(sources=["webcam"], streaming=True, type="numpy", label="Webcam")
        shown = gr.Image(label="Annotated frame", format="jpeg", interactive=False, buttons=["download", "fullscreen"])
    label = gr.Label(num_top_classes=len(TITLES), label="Largest face")
    tracks = gr.State("")
    camera.stream(
        follow,
        [camera, tracks],
        [shown, label, tracks],
        stream_every=FRAME_SECONDS,
        show_progress="hidden",
        api_visibility="private",
    )


def text_tab(read: Callable[[str], Any]) -> None:
    """A text in, seven independent probabilities and the JSON out."""

    def answer(text: str) -> tuple[Any, ...]:
        try:
            body = read(text).to_json()
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return labels(body["probabilities"]), body

    text = gr.Textbox(lines=4, label="Text in English")
    button = gr.Button("Read", variant="primary")
    label, body = gr.Label(num_top_classes=len(TITLES), label="Probabilities, each of its own"), answer_as_json()
    button.click(answer, [text], [label, body], api_name="text")
    gr.Examples([["I can't believe you did that for me, thank you!"], ["Leave me alone."]], [text], label="Examples")


def speech_tab(read: Callable[[Path], Any]) -> None:
    """A recording in, seven probabilities and the JSON out."""

    def answer(path: str | None) -> tuple[Any, ...]:
        if path is None:
            raise gr.Error("Record or choose a sound first.", print_exception=False)
        try:
            body = read(Path(path)).to_json()
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return labels(body["probabilities"]), body

    sound = gr.Audio(type="filepath", sources=["upload", "microphone"], label="Voice")
    button = gr.Button("Read", variant="primary")
    label, body = gr.Label(num_top_classes=len(TITLES), label="Voice"), answer_as_json()
    button.click(answer, [sound], [label, body], api_name="speech")


def answer_as_json() -> gr.JSON:
    with gr.Accordion("The whole answer as JSON", open=False):
        return gr.JSON(show_label=False, label="Answer")


def labels(probabilities: dict[str, float]) -> dict[str, float]:
    return {TITLES[name]: value for name, value in probabilities.items()}


def readers(analyzer: FaceAnalyzer) -> dict[str, Callable[[Any], Any]]:
    """The library's reading of `text` and `speech`, where both the code and the models are there."""
    found = {}
    for name, reader in (("text", "TextClassifier"), ("speech", "SpeechClassifier")):
        if importlib.util.find_spec(f"emotions.{name}") and analyzer.registry.entries(name):
            found[name] = getattr(importlib.import_module(f"emotions.{name}.classifier"), reader)(analyzer.registry).predict
    return found


def build(analyzer: FaceAnalyzer) -> gr.Blocks:
    """All tabs there are."""
    others = readers(analyzer)
    with gr.Blocks(title="Emotion Detector", analytics_enabled=False, delete_cache=(KEPT, KEPT)) as app:
        gr.Markdown(f"# Emotion Detector\n\n{NOTICE}")
        with gr.Tab("Photo"):
            photo_tab(analyzer)
        with gr.Tab("Webcam"):
            webcam_tab(analyzer)
        if "text" in others:
            with gr.Tab("Text"):
                text_tab(others["text"])
        if "speech" in others:
            with gr.Tab("Voice"):
                speech_tab(others["speech"])
    return app


def stop(*_: Any) -> None:
    """End in good order, once: make hands on the signal that its child got already."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine alone)")
    parser.add_argument("--port", type=int, default=7860, help="port (default 7860)")
    options = parser.parse_args()
    analyzer = FaceAnalyzer(head=HEAD)
    analyzer.warm_up()
    signal.signal(signal.SIGTERM, stop)
    app = build(analyzer)
    try:
        app.launch(
            server_name=options.host, server_port=options.port, share=False, inbrowser=False, ssr_mode=False, pwa=False,
            mcp_server=False, run_history=False, enable_monitoring=False, footer_links=[], theme=gr.themes.Default(**THEME),
            max_file_size="32mb", quiet=True, prevent_thread_lock=True,
        )  # fmt: skip
        print(f"http://{options.host}:{options.port}", flush=True)
        app.block_thread()
    finally:
        app.close(verbose=False)  # or a frame under way would write after the folder went
        shutil.rmtree(UPLOADS, ignore_errors=True)


if __name__ == "__main__":
    main()
