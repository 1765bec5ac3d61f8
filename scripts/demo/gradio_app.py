"""Gradio demo: photo, webcam, text and speech, each if its models are in the model folder.

    make gradio                                    http://127.0.0.1:7860
    .venv-gradio/bin/python -m scripts.demo.gradio_app --port 7870

An alternative to the application in web/, for experiments. It makes no requests to other hosts and stores nothing: Gradio's
copies of uploads are deleted after ten minutes and at exit.
"""

from __future__ import annotations

import argparse
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
# Gradio reads these when it is imported.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(UPLOADS), "HF_HUB_OFFLINE": "1"}

import gradio as gr

from emotions import FaceAnalyzer, FaceTracker, ImageError, annotate, open_image
from emotions.face.defaults import DEFAULT_VIEWS, VIEWS
from emotions.face.detector import DETECTORS
from emotions.image.loading import LoadedImage
from emotions.labels import TITLES
from emotions.notice import NOTICE, parse_notice
from emotions.speech.classifier import SpeechClassifier
from emotions.text.classifier import TextClassifier

SAMPLES = Path(__file__).resolve().parents[2] / "static" / "samples"
UPLOAD_SECONDS = 600
"""Seconds that copies of uploads are kept."""
FRAME_SECONDS = 0.2
THEME = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
"""System fonts: Gradio's default fonts are loaded from Google."""
LIMITS = (
    "An expression is not a feeling: the model predicts how a few raters of web pictures would label it. "
    "Do not decide anything about a person by it."
)


def photo_tab(analyzer: FaceAnalyzer) -> None:
    """Tab for photos: annotated photo, probabilities of the largest face, and the API's JSON."""

    def predict(path: str | None, detector: str, annotated: bool, landmarks: bool, views: int) -> tuple[Any, ...]:
        if path is None:
            raise gr.Error("Choose a photo first.", print_exception=False)
        try:
            image = open_image(Path(path))
        except ImageError as error:
            raise gr.Error(f"{error} ({error.code})", print_exception=False) from None
        result = analyzer.analyze(image, detector, landmarks, views=views)
        shown = annotate(image, result) if annotated else image.pixels
        return shown, labels(result.faces[0].to_json()["probabilities"]) if result.faces else None, result.to_json()

    with gr.Row():
        with gr.Column():
            source = gr.Image(type="filepath", sources=["upload", "clipboard"], label="Photo")
            # Pass the file itself to the library: Gradio would decode it, supports fewer formats and has no size limit.
            source.preprocess = lambda upload: upload and upload.path
            detector = gr.Radio(list(DETECTORS), value="auto", label="Detector")
            annotated = gr.Checkbox(True, label="Annotate")
            landmarks = gr.Checkbox(False, label="Landmarks")
            views = gr.Radio(list(VIEWS), value=DEFAULT_VIEWS, label="Views of each face to average")
            button = gr.Button("Analyze", variant="primary")
        with gr.Column():
            shown = gr.Image(label="Annotated photo", format="jpeg", interactive=False, buttons=["download", "fullscreen"])
            label = gr.Label(num_top_classes=len(TITLES), label="Largest face")
            body = json_view()
    inputs, outputs = [source, detector, annotated, landmarks, views], [shown, label, body]
    button.click(predict, inputs, outputs, api_name="photo")
    gr.Examples([[str(path)] for path in sorted(SAMPLES.glob("*.*g"))], [source], label="Examples")


def webcam_tab(analyzer: FaceAnalyzer) -> None:
    """Tab for the webcam: annotated frames with tracked faces, and smoothed probabilities of the largest face."""

    def track(frame: np.ndarray | None, tracks: str) -> tuple[Any, ...]:
        if frame is None:
            return None, None, ""
        image = LoadedImage(np.ascontiguousarray(frame), frame.shape[1], frame.shape[0], 0.0)
        tracker = FaceTracker(tracks)
        result = tracker.update(image, analyzer.analyze(image), time.monotonic())
        label = labels(result.faces[0].to_json()["probabilities"]) if result.faces else None
        return annotate(image, result), label, tracker.state

    with gr.Row():
        camera = gr.Image(sources=["webcam"], streaming=True, type="numpy", label="Webcam")
        shown = gr.Image(label="Annotated frame", format="jpeg", interactive=False, buttons=["download", "fullscreen"])
    label = gr.Label(num_top_classes=len(TITLES), label="Largest face")
    tracks = gr.State("")
    camera.stream(
        track,
        [camera, tracks],
        [shown, label, tracks],
        stream_every=FRAME_SECONDS,
        show_progress="hidden",
        api_visibility="private",
    )


def text_tab(predict: Callable[[str], Any]) -> None:
    """Tab for texts: seven independent probabilities and the JSON."""

    def classify(text: str) -> tuple[Any, ...]:
        try:
            body = predict(text).to_json()
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return labels(body["probabilities"]), body

    text = gr.Textbox(lines=4, label="Text in English")
    button = gr.Button("Analyze", variant="primary")
    label, body = gr.Label(num_top_classes=len(TITLES), label="Independent probabilities"), json_view()
    button.click(classify, [text], [label, body], api_name="text")
    gr.Examples([["I can't believe you did that for me, thank you!"], ["Leave me alone."]], [text], label="Examples")


def speech_tab(predict: Callable[[Path], Any]) -> None:
    """Tab for recordings: seven probabilities and the JSON."""

    def classify(path: str | None) -> tuple[Any, ...]:
        if path is None:
            raise gr.Error("Record or choose a recording first.", print_exception=False)
        try:
            body = predict(Path(path)).to_json()
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return labels(body["probabilities"]), body

    sound = gr.Audio(type="filepath", sources=["upload", "microphone"], label="Speech")
    button = gr.Button("Analyze", variant="primary")
    label, body = gr.Label(num_top_classes=len(TITLES), label="Speech"), json_view()
    button.click(classify, [sound], [label, body], api_name="speech")


def json_view() -> gr.JSON:
    with gr.Accordion("JSON of the result", open=False):
        return gr.JSON(show_label=False, label="JSON")


def labels(probabilities: dict[str, float]) -> dict[str, float]:
    return {TITLES[name]: value for name, value in probabilities.items()}


def classifiers(analyzer: FaceAnalyzer) -> dict[str, Callable[[Any], Any]]:
    """`predict` of the text and speech classifiers, if the model folder has their models."""
    predict: dict[str, Callable[[Any], Any]] = {}
    if analyzer.registry.entries("text"):
        predict["text"] = TextClassifier(analyzer.registry).predict
    if analyzer.registry.entries("speech"):
        predict["speech"] = SpeechClassifier(analyzer.registry).predict
    return predict


def build(analyzer: FaceAnalyzer) -> gr.Blocks:
    """Build the app with a tab for each available modality."""
    predict = classifiers(analyzer)
    with gr.Blocks(title="Emotion Detector", analytics_enabled=False, delete_cache=(UPLOAD_SECONDS, UPLOAD_SECONDS)) as app:
        gr.Markdown("\n\n".join(filter(None, ("# Emotion Detector", parse_notice(os.environ.get("NOTICE") or NOTICE), LIMITS))))
        with gr.Tab("Photo"):
            photo_tab(analyzer)
        with gr.Tab("Webcam"):
            webcam_tab(analyzer)
        if "text" in predict:
            with gr.Tab("Text"):
                text_tab(predict["text"])
        if "speech" in predict:
            with gr.Tab("Speech"):
                speech_tab(predict["speech"])
    return app


def stop(*_: Any) -> None:
    """Exit on SIGTERM, once: make forwards the signal that its child already got."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine only)")
    parser.add_argument("--port", type=int, default=7860, help="port (default 7860)")
    options = parser.parse_args()
    analyzer = FaceAnalyzer()
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
        app.close(verbose=False)  # or a pending frame would be written after the folder was deleted
        shutil.rmtree(UPLOADS, ignore_errors=True)


if __name__ == "__main__":
    main()
